//! What a reflector may still do once its sockets are open, by its options.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use twinpath_runtime::confine::{self, ConfineError, ConfinedBy, Confinement, FileAccess};
#[cfg(unix)]
use twinpath_runtime::host;
use twinpath_runtime::host::Capability;
use twinpath_runtime::{PathOptions, StampChoice};

use crate::args::{MetricsOptions, SandboxOptions, SandboxPart};

/// What it needs while it runs.
#[derive(Debug, Default)]
pub(crate) struct Needs<'a> {
    /// Ports that it listens on.
    pub(crate) ports: Vec<u16>,
    /// It opens further sockets for its sessions.
    pub(crate) opens_sockets: bool,
    /// It binds sockets to interfaces, and again if these are made again.
    pub(crate) binds_interfaces: bool,
    /// It asks interfaces for hardware timestamps.
    pub(crate) has_hardware: bool,
    /// Files that it reads again.
    pub(crate) reads: Vec<&'a Path>,
    /// Files that it writes, and their directories with them.
    pub(crate) writes: Vec<&'a Path>,
    /// The directory in which it makes a socket.
    pub(crate) socket_in: Option<PathBuf>,
}

impl<'a> Needs<'a> {
    /// Those that all reflectors have. `reads`, `writes`: files, by their options.
    pub(crate) fn of(
        near: &[SocketAddr],
        path: &PathOptions,
        metrics: &MetricsOptions,
        reads: &[(&'static str, &'a Path)],
        writes: &[(&'static str, &'a Path)],
    ) -> Self {
        let has_zone = |near: &SocketAddr| matches!(near, SocketAddr::V6(v6) if v6.scope_id() != 0);
        let listening = near.iter().copied().chain(metrics.address());
        // What is no file stays open.
        let writes = writes.iter().map(|(_, path)| *path);
        Self {
            ports: listening.map(|near| near.port()).collect(),
            opens_sockets: false,
            binds_interfaces: path.interface.is_some() || near.iter().any(has_zone),
            has_hardware: path.stamps == StampChoice::Hardware,
            reads: reads.iter().map(|(_, path)| *path).collect(),
            writes: writes.filter(|path| path.is_file()).collect(),
            socket_in: None,
        }
    }

    fn capabilities(&self, files: &FileAccess) -> Vec<Capability> {
        let has_low_port = self.ports.iter().any(|port| (1..1024).contains(port));
        let kept = [
            (
                Capability::DacReadSearch,
                !is_own_all(&files.read) || !is_own_all(&files.devices) || !is_own_all(&self.reads),
            ),
            (
                Capability::DacOverride,
                !is_own_all(&files.write) || !is_own_all(&self.writes),
            ),
            (
                Capability::NetBindService,
                has_low_port || self.opens_sockets,
            ),
            // Also connections from link-local addresses are bound to their interface.
            (
                Capability::NetRaw,
                self.opens_sockets || self.binds_interfaces,
            ),
            // Receive buffers of further sockets, hardware timestamps.
            (
                Capability::NetAdmin,
                self.opens_sockets || self.binds_interfaces || self.has_hardware,
            ),
        ];
        let kept = kept.into_iter().filter(|(_, is_kept)| *is_kept);
        kept.map(|(capability, _)| capability).collect()
    }

    fn files(&self) -> FileAccess {
        // What the kernel says of this host.
        let mut read: Vec<PathBuf> = vec!["/proc".into(), "/sys".into()];
        read.extend(self.reads.iter().flat_map(|path| directories(path)));
        let mut write = Vec::from_iter(self.socket_in.clone());
        write.extend(self.writes.iter().flat_map(|path| directories(path)));
        FileAccess {
            read,
            write,
            devices: Vec::from_iter(self.has_hardware.then(|| "/dev".into())),
        }
    }
}

/// Where a file is, and where it is if its name is a link: another may take its place.
fn directories(path: &Path) -> impl Iterator<Item = PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
        parent => parent.map(Path::to_owned),
    };
    let real = fs::canonicalize(path).ok();
    let real = real.and_then(|real| parent(&real));
    parent(path).into_iter().chain(real)
}

/// Whether [`is_own`] is true of each.
fn is_own_all(places: &[impl AsRef<Path>]) -> bool {
    places.iter().all(|place| is_own(place.as_ref()))
}

/// Whether a file or directory and all directories above it belong to the user of this process, who needs no
/// privilege there then.
#[cfg(unix)]
fn is_own(place: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = host::effective_user();
    let is_own = |place: &Path| fs::metadata(place).is_ok_and(|it| Some(it.uid()) == user);
    fs::canonicalize(place).is_ok_and(|real| real.ancestors().all(is_own))
}

#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    true
}

/// Confines this thread and those that it starts. What could not be done, in one line.
pub(crate) fn confine(options: &SandboxOptions, needs: &Needs<'_>) -> Option<String> {
    let files = needs.files();
    let capabilities = options.has(SandboxPart::Capabilities);
    shortfall(&confine::confine(&Confinement {
        capabilities: capabilities.then(|| needs.capabilities(&files)),
        files: options.has(SandboxPart::Landlock).then_some(files),
        calls: options.has(SandboxPart::Seccomp),
    }))
}

/// Confines a thread that looks up names and connects: neither its files nor its connections. What could not be done
/// is known of the process.
#[cfg(feature = "daemon")]
pub(crate) fn confine_client(options: &SandboxOptions) -> impl FnOnce() + Send + use<> {
    let confinement = Confinement {
        capabilities: options.has(SandboxPart::Capabilities).then(Vec::new),
        files: None,
        calls: options.has(SandboxPart::Seccomp),
    };
    move || drop(confine::confine(&confinement))
}

fn shortfall(failed: &[(ConfinedBy, ConfineError)]) -> Option<String> {
    let failed = failed
        .iter()
        .map(|(part, error)| format!("{} ({error})", part.name()));
    let failed: Vec<String> = failed.collect();
    (!failed.is_empty()).then(|| {
        let failed = failed.join(" and ");
        format!(
            "the process is not confined by {failed}; --sandbox none if that is as it should be"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reflector_needs_later_is_left_to_it() {
        let needs = |ports: &[u16]| Needs {
            ports: ports.to_vec(),
            ..Needs::default()
        };
        let kept = |needs: &Needs<'_>| needs.capabilities(&FileAccess::default());
        assert_eq!(kept(&needs(&[20_001, 0])), []);
        assert_eq!(kept(&needs(&[862])), [Capability::NetBindService]);
        let server = |reads: &'static [&'static str]| Needs {
            opens_sockets: true,
            reads: reads.iter().map(Path::new).collect(),
            socket_in: Some("/run/twinpath".into()),
            ..needs(&[862])
        };
        assert_eq!(
            kept(&server(&[])),
            [
                Capability::NetBindService,
                Capability::NetRaw,
                Capability::NetAdmin
            ]
        );
        let files = server(&["/etc/twinpath/keys", "limits"]).files();
        for place in ["/proc", "/sys", "/etc/twinpath", "."] {
            let place = PathBuf::from(place);
            assert!(files.read.contains(&place), "{:?}", files.read);
        }
        assert_eq!(files.write, [PathBuf::from("/run/twinpath")]);
        let bound = Needs {
            binds_interfaces: true,
            ..needs(&[])
        };
        assert_eq!(kept(&bound), [Capability::NetRaw, Capability::NetAdmin]);
        let hardware = Needs {
            has_hardware: true,
            ..needs(&[])
        };
        assert_eq!(hardware.files().devices, [PathBuf::from("/dev")]);
    }

    #[cfg(unix)]
    #[test]
    fn files_of_another_user_take_a_privilege() {
        let directory = tempfile::tempdir().unwrap();
        let access = |place: &Path| FileAccess {
            read: vec![place.to_owned()],
            write: vec![place.to_owned()],
            devices: Vec::new(),
        };
        let kept = |place: &Path| Needs::default().capabilities(&access(place));
        let both = [Capability::DacReadSearch, Capability::DacOverride];
        // What is not there may be anybody's.
        assert_eq!(kept(&directory.path().join("none")), both);
        if host::effective_user() != Some(0) {
            println!("skipped in part: only root gives files away");
            return;
        }
        assert_eq!(kept(directory.path()), []);
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let of_files = || {
            let needs = Needs {
                reads: vec![&file],
                writes: vec![&file],
                ..Needs::default()
            };
            needs.capabilities(&needs.files())
        };
        assert_eq!(of_files(), []);
        std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
        assert_eq!(of_files(), both);
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        std::os::unix::fs::chown(directory.path(), Some(65_534), None).unwrap();
        assert_eq!(kept(&below), both);
        let device = FileAccess {
            devices: vec![below],
            ..FileAccess::default()
        };
        let kept = Needs::default().capabilities(&device);
        assert_eq!(kept, [Capability::DacReadSearch]);
    }

    #[cfg(unix)]
    #[test]
    fn the_place_of_a_file_is_that_of_its_name_and_that_of_what_a_link_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let [here, there] = ["here", "there"].map(|name| directory.path().join(name));
        for place in [&here, &there] {
            fs::create_dir(place).unwrap();
        }
        fs::write(there.join("keys"), "").unwrap();
        std::os::unix::fs::symlink(there.join("keys"), here.join("keys")).unwrap();
        let found: Vec<PathBuf> = directories(&here.join("keys")).collect();
        assert_eq!(found, [here, fs::canonicalize(there).unwrap()]);
    }
}
