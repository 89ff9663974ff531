//! What packages install: the list in `packaging/contents.toml`, with the files that it names.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::Format;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where the files are that the list names.
pub(crate) struct Places {
    /// Of "binary:".
    pub(crate) binary: PathBuf,
    /// Of "dist:".
    pub(crate) dist: PathBuf,
    /// Of all else.
    pub(crate) root: PathBuf,
}

/// All that one package installs, sorted by place.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) files: Vec<File>,
    /// Directories that are the package's own.
    pub(crate) directories: Vec<String>,
}

/// A file as it is installed.
#[derive(Debug)]
pub(crate) struct File {
    /// Absolute.
    pub(crate) path: String,
    pub(crate) octets: Vec<u8>,
    pub(crate) mode: u32,
    /// An operator edits it: an upgrade does not replace it.
    pub(crate) is_config: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    file: Vec<Entry>,
    directory: Vec<Directory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// "binary:", a path under "dist:", or one in the repository; a * in its name stands for any part.
    from: String,
    /// A file, or with / at the end a directory.
    to: String,
    #[serde(default)]
    executable: bool,
    #[serde(default)]
    config: bool,
    /// Compressed, with .gz behind its name.
    #[serde(default)]
    gzip: bool,
    /// Of one kind of packages; otherwise of both.
    only: Option<Format>,
}

impl Contents {
    /// All files of a kind of packages.
    ///
    /// # Errors
    /// The list or a file of it cannot be read, or a pattern is of no file.
    pub(crate) fn read(places: &Places, format: Format) -> Result<Self> {
        let path = places.root.join("packaging/contents.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let list: List = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let mut files = Vec::new();
        for entry in &list.file {
            if entry.only.is_none_or(|only| only == format) {
                entry
                    .add(places, &mut files)
                    .with_context(|| entry.from.clone())?;
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for pair in files.windows(2) {
            if let [one, other] = pair {
                ensure!(one.path != other.path, "{} is listed twice", one.path);
            }
        }
        let directories = list.directory.into_iter().map(|directory| directory.path);
        Ok(Self {
            files,
            directories: directories.collect(),
        })
    }

    /// Adds a file that is made here.
    pub(crate) fn add(&mut self, path: &str, octets: Vec<u8>) {
        self.files.push(File {
            path: path.to_owned(),
            octets,
            mode: 0o644,
            is_config: false,
        });
        self.files.sort_by(|one, other| one.path.cmp(&other.path));
    }
}

impl Entry {
    fn add(&self, places: &Places, files: &mut Vec<File>) -> Result<()> {
        for source in self.sources(places)? {
            let mut octets =
                std::fs::read(&source).with_context(|| source.display().to_string())?;
            let mut path = self.to.clone();
            if path.ends_with('/') {
                let name = source.file_name().and_then(|name| name.to_str());
                path.push_str(name.context("its name is no text")?);
            }
            if self.gzip {
                octets = gzipped(&octets)?;
                path.push_str(".gz");
            }
            files.push(File {
                path,
                octets,
                mode: if self.executable { 0o755 } else { 0o644 },
                is_config: self.config,
            });
        }
        Ok(())
    }

    fn sources(&self, places: &Places) -> Result<Vec<PathBuf>> {
        if self.from == "binary:" {
            return Ok(vec![places.binary.clone()]);
        }
        let path = match self.from.strip_prefix("dist:") {
            Some(rest) => places.dist.join(rest),
            None => places.root.join(&self.from),
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((begin, end)) = name.and_then(|name| name.split_once('*')) else {
            return Ok(vec![path]);
        };
        let directory = path.parent().context("it is in no directory")?;
        let mut sources = Vec::new();
        for file in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_str().unwrap_or_default();
            let rest = name.strip_prefix(begin);
            if rest.is_some_and(|rest| rest.ends_with(end)) && file.file_type()?.is_file() {
                sources.push(file.path());
            }
        }
        if sources.is_empty() {
            bail!("there is no such file");
        }
        Ok(sources)
    }
}

/// Compressed as well as can be, without a time and a name.
pub(crate) fn gzipped(octets: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(octets)?;
    Ok(encoder.finish()?)
}
