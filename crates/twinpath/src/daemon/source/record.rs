//! What files are to have, kept beside them until they do.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::error;

use super::MOST_OCTETS;
use super::replacing::{Ready, cannot_write, new_beside, set_aside};
use crate::failure::Failure;
use crate::files;

/// The most octets of a record.
const MOST_RECORD: u64 = 16 * MOST_OCTETS;
/// Files that were set aside under one name, at most.
const MOST_ASIDE: u32 = 100;
const VERSION: u32 = 1;

/// Texts that files are to have.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Record {
    version: u32,
    pub(super) files: Vec<Recorded>,
}

/// What a file is to have.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Recorded {
    /// Its name in the directory of the configuration.
    pub(super) name: String,
    pub(super) text: String,
    /// What it had when this was written: with anything else, somebody has edited it.
    pub(super) known: Vec<String>,
}

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What it is to have.
    Done,
    /// What it had when the record was written.
    Replaced,
    /// It was removed since.
    Missing,
    /// It was edited since.
    Edited,
}

impl Recorded {
    /// # Errors
    /// Its name is no UTF-8.
    pub(super) fn new(path: &Path, text: String, known: Vec<String>) -> Result<Self, Failure> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| {
            let line = format!("the name of {} is not UTF-8", path.display());
            Failure::could_not(line).with_remedy(Some("give it another one"))
        })?;
        Ok(Self {
            name: name.to_owned(),
            text,
            known,
        })
    }
}

impl Record {
    pub(super) fn of(files: Vec<Recorded>) -> Self {
        Self {
            version: VERSION,
            files,
        }
    }

    /// The record of this name; `None`: it is not there, or nothing can be made of it, which is said.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let octets = match octets(path, MOST_RECORD) {
            Ok(octets) => octets?,
            Err(error) => {
                error!("cannot read {}: {error}", path.display());
                return None;
            }
        };
        let why = match serde_json::from_slice::<Self>(&octets) {
            Ok(record) if record.is_ours() => return Some(record),
            Ok(_) => "not a record of this program".to_owned(),
            Err(error) => error.to_string(),
        };
        let aside = set_aside(path, "damaged");
        let now = aside.as_ref().map_or(path, PathBuf::as_path);
        error!(
            "{} has a fault ({why}): what it was to restore is not known, and the files of the configuration stay as they are; compare them with what is left of it in {}",
            path.display(),
            now.display()
        );
        None
    }

    /// Whether it says what to write only to files beside it.
    fn is_ours(&self) -> bool {
        let is_name = |name: &str| {
            let mut parts = Path::new(name).components();
            let first = parts.next();
            matches!(first, Some(std::path::Component::Normal(_))) && parts.next().is_none()
        };
        self.version == VERSION && self.files.iter().all(|file| is_name(&file.name))
    }

    /// Writes it, and returns the file, locked as long as that is open: so no other process begins to finish what it is for.
    /// Who may read all of these files of a directory may read it.
    ///
    /// # Errors
    /// It is as it was.
    pub(super) fn write(&self, path: &Path, directory: &Path) -> Result<File, Failure> {
        let written = || -> io::Result<File> {
            let mut new = new_beside(path)?;
            let mut out = BufWriter::new(Bounded(&mut new, MOST_RECORD));
            serde_json::to_writer(&mut out, self)?;
            out.flush()?;
            drop(out);
            let files = self.files.iter();
            let about: Vec<Metadata> = files
                .filter_map(|file| fs::metadata(directory.join(&file.name)).ok())
                .collect();
            share(new.as_file(), &about);
            // Not every file system has locks.
            let _held = files::lock(new.as_file());
            Ready::synced(new, path.to_owned())?.put()
        };
        written().map_err(|error| cannot_write(path, &error))
    }

    /// What its files have.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn look(&self, directory: &Path) -> Result<Vec<(&Recorded, Found)>, Failure> {
        let found = self.files.iter().map(|file| {
            let path = directory.join(&file.name);
            let now = octets(&path, MOST_OCTETS);
            let now = now.map_err(|error| super::cannot_read(&path, &error))?;
            let found = match now {
                None => Found::Missing,
                Some(now) if now == file.text.as_bytes() => Found::Done,
                Some(now) if file.known.iter().any(|it| it.as_bytes() == now) => Found::Replaced,
                Some(_) => Found::Edited,
            };
            Ok((file, found))
        });
        found.collect()
    }
}

/// The record of this name, locked as long as it is open; `None`: it is not there.
///
/// # Errors
/// Another process has it.
pub(super) fn hold(path: &Path) -> Result<Option<File>, Failure> {
    let Ok(file) = files::open(path) else {
        return Ok(None);
    };
    match files::lock(&file) {
        Err(TryLockError::WouldBlock) => {
            let line = format!(
                "{} is of a commit that waits in another daemon with this configuration",
                path.display()
            );
            let remedy = "end that daemon, or have the commit confirmed or cancelled";
            Err(Failure::could_not(line).with_remedy(Some(remedy)))
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// A file's content, one octet more than `most` if it is longer; `None`: it is not there.
fn octets(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match files::open(path) {
        Ok(file) => file,
        Err(files::Unfit::Io(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io::Error::other(error)),
    };
    let mut octets = Vec::new();
    file.take(most + 1).read_to_end(&mut octets)?;
    Ok(Some(octets))
}

/// Keeps what an edited file has under a name beside it that ends with `.edited`; the name.
///
/// # Errors
/// It cannot be kept.
pub(super) fn keep_edited(path: &Path) -> Result<PathBuf, Failure> {
    let path = fs::canonicalize(path).map_err(|error| super::cannot_read(path, &error))?;
    let now = octets(&path, MOST_OCTETS).map_err(|error| super::cannot_read(&path, &error))?;
    for number in 1..=MOST_ASIDE {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".edited");
        if number > 1 {
            aside.push(format!("-{number}"));
        }
        let aside = PathBuf::from(aside);
        if fs::symlink_metadata(&aside).is_ok() {
            // By an attempt before this one.
            if octets(&aside, MOST_OCTETS).ok() == Some(now.clone()) {
                return Ok(aside);
            }
            continue;
        }
        // Not every file system has links.
        let kept = fs::hard_link(&path, &aside).or_else(|_| fs::copy(&path, &aside).map(|_| ()));
        kept.map_err(|error| cannot_write(&aside, &error))?;
        return Ok(aside);
    }
    let line = format!("{} has {MOST_ASIDE} edited copies", path.display());
    Err(Failure::could_not(line).with_remedy(Some("remove those that are not needed")))
}

/// Has a new file read by who may read all of these.
fn share(new: &File, files: &[Metadata]) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

        let Some(first) = files.first() else {
            return;
        };
        let owner = |about: &Metadata| (about.uid(), about.gid());
        let mode = files.iter().fold(0o666, |mode, about| mode & about.mode());
        // It is its owner's alone until then, and where that is another one.
        if files.iter().all(|about| owner(about) == owner(first))
            && fchown(new, Some(first.uid()), Some(first.gid())).is_ok()
        {
            let mode = fs::Permissions::from_mode(mode | 0o600);
            let _stays = new.set_permissions(mode);
        }
    }
    #[cfg(not(unix))]
    let _ = (new, files);
}

/// So many octets, and not more.
struct Bounded<W>(W, u64);

impl<W: io::Write> io::Write for Bounded<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let left = self.1.checked_sub(octets.len() as u64);
        let line = "the files are too large to be changed together";
        self.1 = left.ok_or_else(|| io::Error::new(ErrorKind::FileTooLarge, line))?;
        self.0.write_all(octets)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
