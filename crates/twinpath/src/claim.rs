//! A path for a socket of this process alone.

use std::fs::{File, Metadata, Permissions};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::{fs, io};

use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::files;

/// Octets of a path that the address of a socket has room for (unix(7)).
const MOST_OCTETS: usize = 107;
/// The directory in which the socket is made, but for random letters, and its name there.
const PREFIX: &str = ".twinpath-";
const RANDOM: usize = 6;
const MADE_AS: &str = "s";
/// Octets of both, with the strokes before them.
const MADE_OCTETS: usize = 1 + PREFIX.len() + RANDOM + 1 + MADE_AS.len();
/// Sockets of other programs that are looked at.
const MOST_TIDIED: usize = 1_000;

/// Why a path cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    #[error("another program has it")]
    InUse,
    #[error("it exists and is not a socket")]
    NotASocket,
    #[error("the path is longer than a socket can have")]
    TooLong,
    #[error("{0}")]
    System(#[from] io::Error),
}

/// A socket that listens at a path, which goes with it.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) path: PathBuf,
    /// Device and inode of what is there.
    id: (u64, u64),
}

/// What becomes of other sockets in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Stay,
    /// Those that programs left behind are removed, as far as they have this extension.
    Tidied(&'static str),
}

/// Listens at `path`, for the user of this process alone. An unused socket there is replaced. Within
/// a runtime of tokio.
///
/// # Errors
/// [`ClaimError`]; what was there is there as before.
pub(crate) async fn claim(
    path: &Path,
    others: Others,
) -> Result<(UnixListener, Claimed), ClaimError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let longest = (parent.as_os_str().len() + MADE_OCTETS).max(path.as_os_str().len());
    if longest > MOST_OCTETS {
        return Err(ClaimError::TooLong);
    }
    // Two programs that both find an unused socket must not both replace it.
    let lock = lock(parent);
    if let (Others::Tidied(extension), Some(_)) = (others, &lock) {
        tidy(parent, extension).await;
    }
    vacant(path).await?;
    // Made where no other user can reach it, it is never open to them.
    let own = private_directory(parent)?;
    // Its own path is absolute, and longer where the parent's is not.
    let own_name = own.path().file_name().unwrap_or_default();
    let made = parent.join(own_name).join(MADE_AS);
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    let id = id(&fs::symlink_metadata(&made)?);
    fs::rename(&made, path)?;
    let path = path.to_owned();
    Ok((listener, Claimed { path, id }))
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The directory, locked if that is possible: some file systems have no locks, a directory may not be readable, and
/// anyone who can read it may keep the lock, which delays a claim and does not prevent it.
fn lock(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    files::lock(&file).ok()?;
    Some(file)
}

/// A directory for this user alone, which goes with its handle.
fn private_directory(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .rand_bytes(RANDOM)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
}

/// Removes sockets that programs left behind. With the lock of the directory, so that none is taken for one that another
/// program replaces.
async fn tidy(directory: &Path, extension: &str) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sockets = entries.map(|entry| entry.path());
    let sockets = sockets.filter(|path| path.extension().is_some_and(|it| it == extension));
    for path in sockets.take(MOST_TIDIED) {
        let is_socket = fs::symlink_metadata(&path).is_ok_and(|it| it.file_type().is_socket());
        if is_socket && vacant(&path).await.is_ok() {
            // It may belong to another user.
            let _ = fs::remove_file(&path);
        }
    }
}

/// Makes sure that nothing is at this path but a socket that its program left behind.
async fn vacant(path: &Path) -> Result<(), ClaimError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(there) if !there.file_type().is_socket() => Err(ClaimError::NotASocket),
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            // Not for this user, or with too many clients: in any case there is a program.
            Ok(_) | Err(_) => Err(ClaimError::InUse),
        },
    }
}

impl Drop for Claimed {
    /// Removes the socket, unless another has taken its place.
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|there| id(&there) == self.id);
        if is_ours {
            // It may not be allowed any more; the next program to need the path will see that it is unused.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn claimed(path: &Path) -> Result<(UnixListener, Claimed), ClaimError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(claim(path, Others::Stay))
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = directory.read_dir().unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_socket_is_its_users_alone_and_goes_with_its_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let (listener, ours) = claimed(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["a.sock"]);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        drop((listener, ours));
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn one_that_somebody_listens_at_stays_and_one_left_behind_gives_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let first = UnixListener::bind(&path).unwrap();
        assert!(matches!(claimed(&path), Err(ClaimError::InUse)));
        drop(first);
        let (_listener, ours) = claimed(&path).unwrap();
        // Another took the place by force: that one is not removed.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert_eq!(names(directory.path()), ["a.sock"]);
        drop(other);
    }

    #[test]
    fn of_a_directory_of_its_own_what_others_left_behind_goes() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for left_behind in ["a.sock", "a-77.sock", "a.other"] {
            drop(UnixListener::bind(at(left_behind)).unwrap());
        }
        let _used = UnixListener::bind(at("b.sock")).unwrap();
        fs::write(at("c.sock"), "mine").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let path = at("d.sock");
        let claimed = claim(&path, Others::Tidied("sock"));
        let _ours = runtime.unwrap().block_on(claimed).unwrap();
        let mut left = names(directory.path());
        left.sort();
        assert_eq!(left, ["a.other", "b.sock", "c.sock", "d.sock"]);
    }

    #[test]
    fn what_is_not_a_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.sock");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(claimed(&file), Err(ClaimError::NotASocket)));
        let link = directory.path().join("b.sock");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(matches!(claimed(&link), Err(ClaimError::NotASocket)));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn a_path_that_is_too_long_and_a_directory_that_is_missing_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("x".repeat(100));
        assert!(matches!(claimed(&long), Err(ClaimError::TooLong)));
        let missing = directory.path().join("none/a.sock");
        assert!(matches!(claimed(&missing), Err(ClaimError::System(_))));
    }

    #[test]
    fn a_socket_is_made_where_only_its_user_goes() {
        let parent = tempfile::tempdir().unwrap();
        let own = private_directory(parent.path()).unwrap();
        let mode = fs::metadata(own.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_lock_that_somebody_keeps_prevents_no_claim() {
        let directory = tempfile::tempdir().unwrap();
        let kept = File::open(directory.path()).unwrap();
        kept.lock().unwrap();
        let path = directory.path().join("a.sock");
        let (_listener, _ours) = claimed(&path).unwrap();
        assert!(matches!(claimed(&path), Err(ClaimError::InUse)));
    }

    #[test]
    fn of_several_programs_at_once_one_has_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = &directory.path().join("a.sock");
        drop(UnixListener::bind(path).unwrap());
        let had: Vec<_> = thread::scope(|scope| {
            let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| claimed(path))).collect();
            tries.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(had.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(std::os::unix::net::UnixStream::connect(path).is_ok());
    }
}
