//! Where control sockets are.

use std::env;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// That of root.
const SYSTEM: &str = "/run/twinpath";
/// Those of the units in the packages.
const UNITS: [&str; 3] = [
    "/run/twinpath-daemon",
    "/run/twinpath-responder",
    "/run/twinpath-server",
];
/// Of a user, in their own directory of such files.
const USER: &str = "twinpath";
/// What the name of a socket ends with.
pub(super) const SUFFIX: &str = "sock";
/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 4_096;
/// Sockets that are looked for.
const MOST_SOCKETS: usize = 256;

/// Where to look, or where to open one.
pub(super) struct Directories {
    /// systemd's choice for this service (systemd.exec(5), `RuntimeDirectory=`).
    service: Option<PathBuf>,
    /// The user's (XDG Base Directory Specification).
    user: Option<PathBuf>,
    is_root: bool,
}

impl Directories {
    pub(super) fn of_this_process() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty());
        let first = |list: &OsStr| {
            let list = list.as_bytes().split(|octet| *octet == b':');
            list.map(|path| PathBuf::from(OsStr::from_bytes(path)))
                .find(|path| path.is_absolute())
        };
        Self {
            service: path("RUNTIME_DIRECTORY").and_then(|list| first(&list)),
            user: path("XDG_RUNTIME_DIR")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .map(|path| path.join(USER)),
            is_root: twinpath_runtime::host::effective_user() == Some(0),
        }
    }

    /// The one for a socket of this process; `None`: it has none.
    pub(super) fn own(&self) -> Option<&Path> {
        let of_root = || self.is_root.then_some(Path::new(SYSTEM));
        let service = self.service.as_deref();
        service.or_else(of_root).or(self.user.as_deref())
    }

    /// All in which sockets of others may be.
    pub(super) fn all(&self) -> Vec<&Path> {
        if let Some(service) = &self.service {
            return vec![service];
        }
        let system = [SYSTEM].into_iter().chain(UNITS).map(Path::new);
        system.chain(self.user.as_deref()).collect()
    }
}

/// Makes the directory if it is missing. Others may look into it; what they may do is the sockets' matter.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
}

/// The sockets in a directory, and in those in it: each unit of systemd has one of its own.
///
/// # Errors
/// The directory is there and cannot be read.
pub(super) fn sockets(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut inner = Vec::new();
    for path in entries(directory)? {
        if path.extension() == Some(OsStr::new(SUFFIX)) {
            found.push(path);
        } else if path.is_dir() {
            inner.push(path);
        }
    }
    for directory in inner {
        // One that is not for this user has nothing for it.
        let paths = entries(&directory).unwrap_or_default().into_iter();
        found.extend(paths.filter(|path| path.extension() == Some(OsStr::new(SUFFIX))));
    }
    found.sort();
    found.truncate(MOST_SOCKETS);
    Ok(found)
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match directory.read_dir() {
        Ok(entries) => Ok(entries
            .take(MOST_ENTRIES)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(service: Option<&str>, user: Option<&str>, is_root: bool) -> Directories {
        Directories {
            service: service.map(PathBuf::from),
            user: user.map(PathBuf::from),
            is_root,
        }
    }

    #[test]
    fn the_service_manager_comes_before_root_and_root_before_the_user() {
        for (service, user, is_root, own) in [
            (Some("/run/a"), Some("/u"), true, Some("/run/a")),
            (None, Some("/u"), true, Some("/run/twinpath")),
            (None, Some("/u"), false, Some("/u")),
            (None, None, false, None),
        ] {
            let directories = directories(service, user, is_root);
            assert_eq!(directories.own(), own.map(Path::new));
            let own = directories.own().unwrap_or(Path::new(SYSTEM));
            assert!(directories.all().contains(&own), "{own:?}");
        }
    }

    #[test]
    fn sockets_are_found_one_directory_down_and_not_further() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        std::fs::create_dir_all(path.join("unit/deeper")).unwrap();
        for name in ["b.sock", "a.txt", "unit/a.sock", "unit/deeper/c.sock"] {
            std::fs::write(path.join(name), "").unwrap();
        }
        let found = sockets(path).unwrap();
        assert_eq!(found, [path.join("b.sock"), path.join("unit/a.sock")]);
        assert!(sockets(&path.join("none")).unwrap().is_empty());
    }
}
