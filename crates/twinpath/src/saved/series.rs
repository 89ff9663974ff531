//! Names of the files of a run that is saved in one after the other, and when the next begins.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_report::words::instant;
use twinpath_wire::Wall;

use super::parts::{OpenPart, writer};
use super::sizes::FileSizes;
use crate::args::Rotate;
use crate::files::{self, Unfit};

/// What all files of a run have in common, and when the next begins.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) path: PathBuf,
    pub(super) rotate: Rotate,
    /// How many octets a file has at most, whatever the time.
    pub(super) most_octets: Option<u64>,
    /// Whether the directory is made where it is missing.
    pub(super) makes_directory: bool,
    /// The files of a store, among which these are: they do not leave their place while they grow.
    pub(super) sizes: Option<FileSizes>,
}

impl Series {
    pub(super) fn new(path: &Path, rotate: Rotate) -> Self {
        Self {
            path: path.to_owned(),
            rotate,
            most_octets: match rotate {
                Rotate::Octets(octets) => Some(octets),
                Rotate::Every(_) => None,
            },
            makes_directory: false,
            sizes: None,
        }
    }

    /// Which of the turns by time this moment follows.
    pub(super) fn turn(&self, at: Wall) -> i64 {
        match self.rotate {
            Rotate::Every(every) => at.unix_ns().div_euclid(nanoseconds(every)),
            Rotate::Octets(_) => 0,
        }
    }

    /// When that turn is due.
    pub(super) fn turn_at(&self, turn: i64) -> Wall {
        match self.rotate {
            Rotate::Every(every) => Wall::from_unix_ns(turn.saturating_mul(nanoseconds(every))),
            Rotate::Octets(_) => Wall::default(),
        }
    }

    /// The file that begins then: `run-20261128T040000Z.parquet`. `copy`: from 1, for names that
    /// are there already.
    pub(super) fn file(&self, from: Wall, copy: u64) -> PathBuf {
        let mut from = instant(from, 0);
        from.retain(|c| !matches!(c, '-' | ':'));
        self.named(&match copy {
            1 => from,
            copy => format!("{from}-{copy}"),
        })
    }

    /// All of them: `run-*.parquet`.
    pub(super) fn pattern(&self) -> PathBuf {
        self.named("*")
    }

    fn named(&self, which: &str) -> PathBuf {
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push("-");
        name.push(which);
        if let Some(extension) = self.path.extension() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    /// A new file under a name that nothing has.
    pub(super) fn create(
        &self,
        from: Wall,
        facts: &[(&'static str, String)],
    ) -> Result<OpenPart, (PathBuf, Unfit)> {
        if self.makes_directory
            && let Some(directory) = self.path.parent()
        {
            let made = fs::create_dir_all(directory);
            made.map_err(|error| (directory.to_owned(), error.into()))?;
        }
        let mut copy = 1;
        loop {
            let path = self.file(from, copy);
            copy += 1;
            if path.symlink_metadata().is_ok() {
                continue;
            }
            let create = || -> Result<_, Unfit> {
                let new = files::create(&path)?;
                let writer = writer(new.as_file(), facts.to_vec())?;
                let growing = self.sizes.as_ref().map(|sizes| sizes.grow(&path));
                Ok(match new.persist_noclobber(&path) {
                    Ok(_) => Some((writer, growing)),
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => None,
                    Err(error) => return Err(error.error.into()),
                })
            };
            match create() {
                Ok(Some((writer, growing))) => return Ok(OpenPart::new(path, writer).of(growing)),
                Ok(None) => {}
                Err(error) => return Err((path, error)),
            }
        }
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
