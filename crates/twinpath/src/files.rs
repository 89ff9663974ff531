//! Files by the names that a user gives: what is read is a regular file and opens without waiting;
//! what is written is a new file beside the old one, and takes its name when it is whole.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use twinpath_runtime::file;

/// Octets that a disk with room for a file has room for.
const PROBE: usize = 4_096;
/// Names of new files that are tried.
const NAMES: u32 = 100;
/// Octets of a name that a new file takes over: what is put around it fits into a name too.
const NAME: usize = 200;

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
            Self::Kind(_) => "write the name of a file",
            Self::Link(_) => "write the name of that file",
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
            "make room there, or write a file on another disk"
        }
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            "make its directory first, or write another"
        }
        ErrorKind::IsADirectory | ErrorKind::InvalidFilename | ErrorKind::Other => {
            "write the name of a file"
        }
        _ => "write a file in a directory that you may write to",
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

/// Makes sure that a file could be written there, without a trace.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn try_out(path: &Path) -> Result<(), Unfit> {
    let mut new = NewFile::create(path)?;
    // A full disk makes files as well as any: only writing tells.
    new.file.write_all(&[0; PROBE])?;
    Ok(())
}

/// Writes all of a file or nothing: what had its name stays until then, and no reader sees half of it.
///
/// # Errors
/// [`Unfit`].
pub(crate) fn write(path: &Path, octets: &[u8]) -> Result<(), Unfit> {
    let mut new = NewFile::create(path)?;
    new.file.write_all(octets)?;
    new.file.sync_all()?;
    new.put_in_place()?;
    Ok(())
}

/// A file without its name yet, in the directory where it is to be. It goes again, unless it is
/// [put in place](Self::put_in_place).
#[derive(Debug)]
pub(crate) struct NewFile {
    place: PathBuf,
    /// Where it is until then; `None`: in its place.
    aside: Option<PathBuf>,
    pub(crate) file: File,
}

impl NewFile {
    /// A new file that is to be `place`, with the permissions of what has that name. A symbolic link is
    /// refused: whose file it leads to is for the user to say.
    ///
    /// # Errors
    /// [`Unfit`].
    pub(crate) fn create(place: &Path) -> Result<Self, Unfit> {
        let before = match fs::symlink_metadata(place) {
            Ok(about) if about.is_symlink() => {
                return Err(Unfit::Link(fs::read_link(place)?));
            }
            Ok(about) => {
                regular(&about)?;
                Some(about.permissions())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let Some(name) = place.file_name() else {
            return Err(io::Error::other("it names no file").into());
        };
        let (aside, file) = create_beside(place, name)?;
        let new = Self {
            place: place.to_owned(),
            aside: Some(aside),
            file,
        };
        if let Some(permissions) = before {
            // A file system without them has none to keep.
            let _ = new.file.set_permissions(permissions);
        }
        Ok(new)
    }

    /// Gives it its name, which is one change: what had it is gone.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn put_in_place(&mut self) -> io::Result<()> {
        if let Some(aside) = &self.aside {
            fs::rename(aside, &self.place)?;
            self.aside = None;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            // What is left of it is of no use, and the error that matters came before.
            let _ = fs::remove_file(aside);
        }
    }
}

/// A file of a name that nothing has, beside `place`.
fn create_beside(place: &Path, name: &std::ffi::OsStr) -> io::Result<(PathBuf, File)> {
    let short = if name.len() > NAME {
        "twinpath".as_ref()
    } else {
        name
    };
    let mut number = 0;
    loop {
        let mut hidden = OsString::from(".");
        hidden.push(short);
        hidden.push(format!(".{}-{number}", std::process::id()));
        let aside = place.with_file_name(hidden);
        match File::create_new(&aside) {
            // Left behind by another process of this number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < NAMES => number += 1,
            Err(error) => return Err(error),
            Ok(file) => return Ok((aside, file)),
        }
    }
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
        let mut half = NewFile::create(&path).unwrap();
        half.file.write_all(b"hal").unwrap();
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
            let left = NewFile::create(&path).unwrap();
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
