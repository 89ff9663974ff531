//! Files by the names that a user gives: what is read is a regular file and opens without waiting;
//! what is written is a new file beside the old one, and takes its name when it is whole.

use std::fmt;
#[cfg(any(feature = "report", all(unix, feature = "status")))]
use std::fs::TryLockError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
#[cfg(any(feature = "report", all(unix, feature = "status")))]
use std::thread;
#[cfg(any(feature = "report", all(unix, feature = "status")))]
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use twinpath_runtime::file;

/// Octets that a disk with room for a file has room for.
const PROBE: usize = 4_096;

/// How long somebody else's lock is waited for, and how often it is tried in that time.
#[cfg(any(feature = "report", all(unix, feature = "status")))]
const LOCKED: Duration = Duration::from_secs(1);
#[cfg(any(feature = "report", all(unix, feature = "status")))]
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Locks a file, or a directory, for this process. A program that this one begins has its locks too until its own code
/// runs, so one that was just given back may be taken for a moment.
///
/// # Errors
/// Another process keeps it, or the file system has no locks.
#[cfg(any(feature = "report", all(unix, feature = "status")))]
pub(crate) fn lock(file: &File) -> Result<(), TryLockError> {
    let until = Instant::now() + LOCKED;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(TRY_AGAIN),
            result => return result,
        }
    }
}

/// Why a file cannot be used under its name.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The system does not let us.
    Io(io::Error),
    /// It is something else, which is there.
    Kind(&'static str),
    /// It is a link to this.
    Link(PathBuf),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Kind(kind) => write!(f, "it is {kind}, not a regular file"),
            Self::Link(to) => write!(f, "it is a symbolic link to {}", to.display()),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unfit {
    /// What to do about a file that cannot be written.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Io(error) => remedy(error),
            Self::Kind(_) => "give the name of a file",
            Self::Link(_) => "give the name of that file",
        }
    }
}

/// What to do about a file that cannot be written.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the list of the standard library grows"
    )]
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space, or use a file on another disk"
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            "create its directory first, or use another"
        }
        ErrorKind::IsADirectory | ErrorKind::InvalidFilename | ErrorKind::Other => {
            "give the name of a file"
        }
        _ => "use a file in a directory that you may write to",
    }
}

/// Opens a regular file to be read. Of anything else it says what it is, and does not wait for it.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn open(path: &Path) -> Result<File, Unfit> {
    // Looked at first: to open a device can be to change it.
    regular(&fs::metadata(path)?)?;
    let file = file::open(path, OpenOptions::new().read(true))?;
    regular(&file.metadata()?)?;
    Ok(file)
}

fn regular(about: &fs::Metadata) -> Result<(), Unfit> {
    file::other_kind(about.file_type()).map_or(Ok(()), |kind| Err(Unfit::Kind(kind)))
}

/// Whether this file is the one of this name: not if it was deleted or moved, or its disk unmounted. A name that cannot
/// be looked up is taken for its own.
#[cfg(all(unix, feature = "report"))]
pub(crate) fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(own) = file.metadata() else {
        return true;
    };
    match fs::metadata(path) {
        Ok(there) => (there.dev(), there.ino()) == (own.dev(), own.ino()),
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Other systems keep the name of a file that is open.
#[cfg(all(not(unix), feature = "report"))]
pub(crate) fn is_named(_: &File, _: &Path) -> bool {
    true
}

/// Makes sure that a file could be written there, without a trace.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn try_out(path: &Path) -> Result<(), Unfit> {
    // A full disk makes files as well as any: only writing tells.
    create(path)?.as_file_mut().write_all(&[0; PROBE])?;
    Ok(())
}

/// Writes all of a file or nothing: what had its name stays until then, and no reader sees half of it.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn write(path: &Path, octets: &[u8]) -> Result<(), Unfit> {
    let mut new = create(path)?;
    new.as_file_mut().write_all(octets)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(io::Error::from)?;
    Ok(())
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner (mode 0600).
    Owner,
    /// Those who may read any file that the user makes.
    Usual,
}

/// As [`write`], with permissions of its own. `replaces`: in place of what has that name, else that is an error.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn write_new(
    path: &Path,
    octets: &[u8],
    readers: Readers,
    replaces: bool,
) -> Result<(), Unfit> {
    let Some(directory) = path.parent().filter(|_| path.file_name().is_some()) else {
        return Err(io::Error::other("not the name of a file").into());
    };
    let mut aside = tempfile::Builder::new();
    aside.prefix(".twinpath-");
    let mut new = match readers {
        // Such a file is its owner's alone from the first octet on.
        Readers::Owner => aside.tempfile_in(directory)?,
        Readers::Usual => aside.make_in(directory, |path| File::create_new(path))?,
    };
    new.write_all(octets)?;
    new.as_file().sync_all()?;
    let persisted = if replaces {
        new.persist(path)
    } else {
        new.persist_noclobber(path)
    };
    persisted.map_err(io::Error::from)?;
    Ok(())
}

/// A new file that is to be `place` when it is persisted there, and goes again if it is not; with the
/// permissions of what has that name. A symbolic link is refused: whose file it leads to is for the
/// user to say.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn create(place: &Path) -> Result<NamedTempFile, Unfit> {
    let before = match fs::symlink_metadata(place) {
        Ok(about) if about.is_symlink() => return Err(Unfit::Link(fs::read_link(place)?)),
        Ok(about) => {
            regular(&about)?;
            Some(about.permissions())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let Some(directory) = place.parent().filter(|_| place.file_name().is_some()) else {
        return Err(io::Error::other("not the name of a file").into());
    };
    let mut aside = tempfile::Builder::new();
    // By our own call: with the permissions that a new file has, and the system's errors as they are.
    let new = aside
        .prefix(".twinpath-")
        .make_in(directory, |path| File::create_new(path))?;
    if let Some(permissions) = before {
        // A file system without them has none to keep.
        let _ = new.as_file().set_permissions(permissions);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        fs::write(&path, "before").unwrap();
        try_out(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        let mut half = create(&path).unwrap();
        half.write_all(b"hal").unwrap();
        drop(half);
        assert_eq!(fs::read(&path).unwrap(), b"before");
        write(&path, b"after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_left_behind_is_in_nobody_s_way_and_a_long_name_fits() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a".to_owned(), "b".repeat(255)] {
            let path = folder.path().join(name);
            let left = create(&path).unwrap();
            write(&path, b"whole").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"whole");
            drop(left);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, b"after").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_its_own_permissions_and_replaces_nothing_unless_it_may() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let refused = write_new(&path, b"after", Readers::Owner, false).unwrap_err();
        assert!(refused.to_string().contains("exists"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        write_new(&path, b"after", Readers::Owner, true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        let other = folder.path().join("b");
        write_new(&other, b"x", Readers::Usual, false).unwrap();
        fs::write(folder.path().join("c"), "x").unwrap();
        assert_eq!(mode(&other), mode(&folder.path().join("c")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_written_is_known_before_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("there"), "kept").unwrap();
        for (link, target) in [("link", "there"), ("dangling", "new"), ("ring", "ring")] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, said) in [
            (folder.path().to_owned(), "it is a directory"),
            (at("none").join("a.svg"), "No such file"),
            (PathBuf::from("/dev/null"), "it is a device"),
            (PathBuf::from(".."), "it is a directory"),
            (at("socket"), "it is a socket"),
            (at("link"), "it is a symbolic link to there"),
            (at("dangling"), "it is a symbolic link to new"),
            (at("ring"), "it is a symbolic link to ring"),
        ] {
            let error = try_out(&path).unwrap_err().to_string();
            assert!(error.starts_with(said), "{}: {error}", path.display());
        }
        assert_eq!(fs::read(at("there")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }
}
