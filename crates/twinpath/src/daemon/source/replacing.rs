//! Files that are replaced together: each of them as a whole, and all or none, whatever ends the process meanwhile.
//!
//! Several files have a record of the change beside them until all have taken their places: where the process ends before,
//! its next start finishes the change.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tracing::{error, info, warn};

use super::record::{Found, Record, Recorded};
use super::{Source, toml_files};
use crate::failure::Failure;

/// Behind the name of a file that is to take the place of another.
const NEW: &str = ".twinpath-new";
/// Characters before that, which are another for each such file.
const RANDOM: usize = 6;

/// Where the files of a configuration are.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    /// What records beside them begin with.
    stem: OsString,
    path: PathBuf,
}

/// What a file is to have.
pub(super) struct Change {
    pub(super) path: PathBuf,
    /// What it has; `None`: it is not there, or has no text.
    pub(super) from: Option<String>,
    pub(super) to: String,
}

impl Source {
    /// Where its files are; `None`: it has none.
    pub(super) fn place(&self) -> Option<Place> {
        let Self::Path(path) = self else {
            return None;
        };
        // A link is replaced where it leads to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if path.is_dir() {
            return Some(Place {
                directory: path.clone(),
                stem: ".twinpath".into(),
                path,
            });
        }
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        let mut stem = OsString::from(".");
        stem.push(path.file_name()?);
        Some(Place {
            directory,
            stem,
            path,
        })
    }
}

impl Place {
    /// Where one of its files is to be written: a link to a single file stays one.
    pub(super) fn at(&self, path: &Path) -> PathBuf {
        if self.directory == self.path {
            path.to_owned()
        } else {
            self.path.clone()
        }
    }

    /// A file beside those of the configuration.
    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.stem.clone();
        name.push(what);
        self.directory.join(name)
    }

    /// What undoes a commit that waits to be confirmed.
    pub(super) fn unconfirmed(&self) -> PathBuf {
        self.beside(".unconfirmed")
    }

    /// A change of several files that is being made.
    fn change(&self) -> PathBuf {
        self.beside(".change")
    }

    /// Replaces files, all or none.
    ///
    /// # Errors
    /// They are as they were.
    pub(super) fn replace(&self, changes: &[Change]) -> Result<(), Failure> {
        // All are on the disk before the first takes its place.
        let ready = changes.iter().map(|it| {
            let ready = Ready::of(&it.path, &it.to);
            ready.map_err(|error| cannot_write(&it.path, &error))
        });
        let ready: Vec<Ready> = ready.collect::<Result<_, _>>()?;
        let are_several = ready.len() > 1;
        if are_several {
            self.note(changes, false)?;
        }
        for (number, file) in ready.into_iter().enumerate() {
            let path = file.path.clone();
            if let Err(error) = file.put() {
                if are_several {
                    self.put_back(changes.get(..number).unwrap_or_default(), changes);
                }
                return Err(cannot_write(&path, &error));
            }
        }
        if are_several {
            // One that stays is found to be finished.
            let _stays = remove(&self.change());
        }
        Ok(())
    }

    /// Records a change, or that it is taken back.
    fn note(&self, changes: &[Change], is_back: bool) -> Result<(), Failure> {
        let files = changes.iter().map(|change| {
            let (from, to) = (change.from.clone(), change.to.clone());
            let (text, known) = if is_back {
                (from.unwrap_or_default(), vec![to])
            } else {
                (to, from.into_iter().collect())
            };
            Recorded::new(&change.path, text, known)
        });
        let record = Record::of(files.collect::<Result<_, _>>()?);
        record.write(&self.change(), &self.directory).map(drop)
    }

    /// Takes back the first of some changes.
    fn put_back(&self, done: &[Change], all: &[Change]) {
        let _noted = self.note(all, true);
        let mut is_whole = true;
        for change in done {
            let Some(text) = &change.from else {
                continue;
            };
            if let Err(error) = Ready::of(&change.path, text).and_then(Ready::put) {
                error!("{} has a part of a change: {error}", change.path.display());
                is_whole = false;
            }
        }
        if is_whole {
            let _stays = remove(&self.change());
        }
    }

    /// Finishes a change of several files that the end of a process has interrupted. One whose files were edited since is left.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        let path = self.change();
        let Some(record) = Record::read(&path) else {
            return Ok(());
        };
        let found = record.look(&self.directory)?;
        let other = found.iter().find_map(|(file, found)| match found {
            Found::Edited => Some((file, "edited")),
            Found::Missing if !file.known.is_empty() => Some((file, "removed")),
            Found::Done | Found::Replaced | Found::Missing => None,
        });
        if let Some((file, what)) = other {
            let aside = set_aside(&path, "edited")?;
            warn!(
                "a change of several files was interrupted, and {} was {what} since: all of them stay as they are; what the change was to do is kept in {}",
                self.directory.join(&file.name).display(),
                aside.display()
            );
            return Ok(());
        }
        let due: Vec<_> = found.iter().filter(|(_, it)| *it != Found::Done).collect();
        for (file, _) in &due {
            let path = self.directory.join(&file.name);
            let put = Ready::of(&path, &file.text).and_then(Ready::put);
            put.map_err(|error| cannot_write(&path, &error))?;
        }
        remove(&path).map_err(|error| cannot_write(&path, &error))?;
        if !due.is_empty() {
            warn!("a change of several files was interrupted, and is finished now");
        }
        Ok(())
    }

    /// Removes files that were to take the place of others, which the end of a process has left.
    pub(super) fn sweep(&self) {
        let mut names: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
        let records = [self.unconfirmed(), self.change()];
        let own = toml_files(&self.path).unwrap_or_default();
        let own = own.iter().filter_map(|path| fs::canonicalize(path).ok());
        for path in own.chain(records) {
            if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
                let names = names.entry(directory.to_owned()).or_default();
                names.insert(name.to_owned());
            }
        }
        for (directory, names) in names {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let is_left = of_new(&entry.file_name()).is_some_and(|name| names.contains(name));
                if is_left && fs::remove_file(entry.path()).is_ok() {
                    let path = entry.path();
                    info!("{} is removed: a change was interrupted", path.display());
                }
            }
        }
    }
}

/// The name of the file whose place another one was to take.
fn of_new(name: &std::ffi::OsStr) -> Option<&std::ffi::OsStr> {
    let text = name.to_str()?;
    let text = text.strip_prefix('.')?.strip_suffix(NEW)?;
    let (name, random) = text.rsplit_once('.')?;
    let is_ours = random.len() == RANDOM && random.bytes().all(|it| it.is_ascii_alphanumeric());
    is_ours.then(|| name.as_ref())
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not(format!("cannot write {}: {error}", path.display()))
}

/// Removes a file, and has that on the disk.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    sync_directory(path)
}

/// Gives a file another name, with this behind it; the new one.
pub(super) fn set_aside(path: &Path, why: &str) -> Result<PathBuf, Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{why}"));
    fs::rename(path, &aside).map_err(|error| cannot_write(path, &error))?;
    Ok(aside.into())
}

/// A name is on the disk too.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A file that is to take the place of this one.
pub(super) fn new_beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut new = tempfile::Builder::new();
    new.prefix(&prefix).suffix(NEW).rand_bytes(RANDOM);
    new.tempfile_in(directory)
}

/// A text that is on the disk and takes the place of a file in one step: that has the old content or the new, whatever
/// happens.
pub(super) struct Ready {
    new: NamedTempFile,
    path: PathBuf,
}

impl Ready {
    fn of(path: &Path, text: &str) -> io::Result<Self> {
        // A link stays a link.
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            path => path?,
        };
        let mut new = new_beside(&path)?;
        new.write_all(text.as_bytes())?;
        // One that is not there will be its owner's alone.
        if let Ok(about) = fs::metadata(&path) {
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt as _, fchown};

                // Where it may not, the file becomes that of this user, who could write the old one.
                let _kept = fchown(new.as_file(), Some(about.uid()), Some(about.gid()));
            }
            new.as_file().set_permissions(about.permissions())?;
        }
        Self::synced(new, path)
    }

    /// This file as it is.
    pub(super) fn synced(new: NamedTempFile, path: PathBuf) -> io::Result<Self> {
        new.as_file().sync_all()?;
        Ok(Self { new, path })
    }

    pub(super) fn put(self) -> io::Result<fs::File> {
        let file = self.new.persist(&self.path)?;
        sync_directory(&self.path)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the end of the process between two of them would leave a part.
    #[test]
    fn several_files_are_replaced_after_their_change_is_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["1.toml", "2.toml"].map(|name| directory.path().join(name));
        for path in &paths {
            fs::write(path, "old").unwrap();
        }
        let place = Source::Path(directory.path().to_owned()).place().unwrap();
        let changes = paths.clone().map(|path| Change {
            path,
            from: Some("old".to_owned()),
            to: "new".to_owned(),
        });
        let texts = || paths.clone().map(|path| fs::read_to_string(path).unwrap());
        // No file can have this name.
        fs::create_dir_all(place.change().join("x")).unwrap();
        place.replace(&changes).unwrap_err();
        assert_eq!(texts(), ["old", "old"]);
        fs::remove_dir_all(place.change()).unwrap();
        // As its end before the second leaves them.
        place.note(&changes, false).unwrap();
        fs::write(&paths[0], "new").unwrap();
        place.settle().unwrap();
        assert_eq!(texts(), ["new", "new"]);
        assert!(!place.change().exists());
        // With another one that was removed since: none of them is what it was to be.
        place.note(&changes, false).unwrap();
        fs::write(&paths[0], "old").unwrap();
        fs::remove_file(&paths[1]).unwrap();
        place.settle().unwrap();
        assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "old");
        assert!(!paths[1].exists() && !place.change().exists());
        for path in &paths {
            fs::write(path, "new").unwrap();
        }
        // As its end while it is taken back.
        place.note(&changes, true).unwrap();
        fs::write(&paths[1], "old").unwrap();
        place.settle().unwrap();
        assert_eq!(texts(), ["old", "old"]);
    }
}
