//! Each part by an attempt to do what it forbids, in a thread of its own: the others of this process stay as they are.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;

/// What comes of this in a thread that is confined like that; `None` where the system cannot, and says so.
fn confined<T: Send + 'static>(
    confinement: Confinement,
    attempt: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let attempt = move || match confine(&confinement).first() {
        None => Some(attempt()),
        Some((part, error)) => {
            println!("skipped: {}: {error}", part.name());
            None
        }
    };
    thread::spawn(attempt).join().unwrap()
}

fn kind<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// A line of the calling thread's state.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim().to_owned()
}

#[test]
fn only_files_in_the_directories_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let [keys, logs] = ["keys", "logs"].map(|name| directory.path().join(name));
    for place in [&keys, &logs] {
        fs::create_dir(place).unwrap();
    }
    fs::write(keys.join("file"), "one").unwrap();
    let files = FileAccess {
        read: vec![keys.clone(), "/nonexistent".into()],
        write: vec![logs.clone()],
        devices: Vec::new(),
    };
    let confinement = Confinement {
        files: Some(files),
        ..Confinement::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let others = directory.path().to_owned();
    let results = confined(confinement, move || {
        // Threads that begin later are confined too, and may do as much.
        let file = keys.join("file");
        let read = thread::spawn(move || fs::read_to_string(file).unwrap());
        assert_eq!(read.join().unwrap(), "one");
        let log = logs.join("log");
        fs::write(&log, "line").unwrap();
        fs::rename(&log, logs.join("log.1")).unwrap();
        fs::remove_file(logs.join("log.1")).unwrap();
        [
            kind(File::open("/etc/passwd")),
            kind(fs::read_dir(others)),
            kind(File::create(keys.join("new"))),
            kind(Command::new("/bin/true").spawn()),
            kind(TcpStream::connect(at)),
        ]
    });
    let Some(results) = results else { return };
    let [passwd, list, create, execute, connect] = results;
    assert_eq!(
        [passwd, list, create, execute],
        [Some(libc::EACCES); 4],
        "{results:?}"
    );
    // From Linux 6.7 on.
    if connect.is_none() {
        println!("skipped in part: this kernel lets TCP connections through");
    }
    // This thread is as it was.
    assert!(File::open("/etc/passwd").is_ok());
}

#[test]
fn a_file_that_takes_the_place_of_one_is_read_and_one_of_another_directory_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("limits");
    let files = FileAccess {
        read: vec![directory.path().to_owned()],
        ..FileAccess::default()
    };
    let confinement = Confinement {
        files: Some(files),
        ..Confinement::default()
    };
    let (go, wait) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    let path = at.clone();
    let reader = thread::spawn(move || {
        confined(confinement, move || {
            ready.send(()).unwrap();
            wait.recv().unwrap();
            fs::read_to_string(path).unwrap()
        })
    });
    if is_ready.recv().is_ok() {
        fs::write(directory.path().join("other"), "two").unwrap();
        fs::rename(directory.path().join("other"), &at).unwrap();
        go.send(()).unwrap();
        assert_eq!(reader.join().unwrap().as_deref(), Some("two"));
    }
}

#[test]
fn capabilities_but_those_that_stay_are_gone_for_good() {
    let before = status("CapEff:");
    if u64::from_str_radix(&before, 16).unwrap() & (1 << 21) == 0 {
        println!("skipped: only root has capabilities to drop");
        return;
    }
    let confinement = Confinement {
        capabilities: Some(vec![Capability::NetBindService]),
        ..Confinement::default()
    };
    let seen = confined(confinement, || {
        let fields = ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:", "CapAmb:"];
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP));
        (
            fields.map(status),
            kind(raw),
            kind(TcpListener::bind("127.0.0.1:1")),
        )
    });
    let Some((fields, raw, low_port)) = seen else {
        return;
    };
    let [one, none] = ["0000000000000400", "0000000000000000"];
    assert_eq!(fields, [one, one, one, none, none]);
    assert_eq!(raw, Some(libc::EPERM));
    assert_eq!(low_port, None);
    assert_eq!(status("CapEff:"), before);
}

/// As in a unit that grants what the options need, and refuses to change it.
#[cfg(seccomp)]
#[test]
fn a_process_that_has_no_more_than_stays_changes_nothing() {
    let only = |keep: &[Capability]| Confinement {
        capabilities: Some(keep.to_vec()),
        ..Confinement::default()
    };
    let granted = [Capability::NetRaw, Capability::NetAdmin];
    let attempt = move || {
        let raw = caps::CapsHashSet::from([caps::Capability::CAP_NET_RAW]);
        if caps::set(None, caps::CapSet::Inheritable, &raw).is_err() {
            println!("skipped: only root has capabilities to drop");
            return;
        }
        let calls = Confinement {
            calls: true,
            ..Confinement::default()
        };
        assert!(confine(&calls).is_empty());
        let fields = || ["CapEff:", "CapPrm:", "CapInh:"].map(status);
        let before = fields();
        for keep in [
            granted.as_slice(),
            &[granted.as_slice(), &[Capability::DacReadSearch]].concat(),
        ] {
            let failed = confine(&only(keep));
            assert!(failed.is_empty(), "{failed:?}");
        }
        assert_eq!(fields(), before);
        // What is too much cannot be dropped there, and that is said.
        for keep in [&granted[..1], &granted[1..]] {
            assert_eq!(confine(&only(keep)).len(), 1);
        }
    };
    confined(only(&granted), attempt);
}

#[test]
fn calls_that_a_reflector_never_makes_are_refused_and_threads_and_sockets_are_not() {
    let confinement = Confinement {
        calls: true,
        ..Confinement::default()
    };
    let results = confined(confinement, || {
        let thread = thread::spawn(|| status("Seccomp:")).join().unwrap();
        let udp = Socket::new(Domain::IPV4, Type::DGRAM, None);
        let vsock = Socket::new(Domain::VSOCK, Type::STREAM, None);
        let program = Command::new("/bin/true").spawn();
        let bounding = caps::drop(
            None,
            caps::CapSet::Effective,
            caps::Capability::CAP_SYS_TIME,
        );
        let had = status("CapEff:") != "0000000000000000";
        let file = fs::read_to_string(Path::new("/proc/self/comm"));
        (
            thread,
            udp.is_ok(),
            kind(vsock),
            kind(program),
            had && bounding.is_ok(),
            file.is_ok(),
        )
    });
    let Some((thread, udp, vsock, program, has_changed, file)) = results else {
        return;
    };
    assert_eq!(thread, "2");
    assert!(udp && file && !has_changed);
    assert_eq!(vsock, Some(libc::EPERM));
    assert_eq!(program, Some(libc::EPERM));
}

/// A system call by its number: the error that it ends with.
#[cfg(seccomp)]
fn call(number: libc::c_long, arguments: [libc::c_long; 6]) -> Option<i32> {
    let [one, two, three, four, five, six] = arguments;
    // SAFETY: the calls of these tests change only memory that they map themselves.
    let result = unsafe { libc::syscall(number, one, two, three, four, five, six) };
    kind(if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    })
}

#[cfg(seccomp)]
#[test]
fn memory_that_was_written_is_not_executed() {
    const PAGE: libc::c_long = 4_096;
    let [write, execute] = [libc::PROT_WRITE, libc::PROT_EXEC].map(libc::c_long::from);
    let mapped = libc::c_long::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let map = move |protection| call(libc::SYS_mmap, [0, PAGE, protection, mapped, -1, 0]);
    // There is nothing at 0, nor such a segment, and the filter is before that.
    let change = move |number, protection| call(number, [0, PAGE, protection, -1, 0, 0]);
    let attempt = move || {
        [
            map(write),
            map(execute),
            change(libc::SYS_mprotect, write),
            map(write | execute),
            change(libc::SYS_mprotect, execute),
            change(libc::SYS_mprotect, write | execute),
            change(libc::SYS_pkey_mprotect, execute),
            call(libc::SYS_shmat, [-1, 0, libc::SHM_EXEC.into(), 0, 0, 0]),
            call(libc::SYS_memfd_create, [0; 6]),
        ]
    };
    let before = attempt();
    assert!(!before.contains(&Some(libc::EPERM)), "{before:?}");
    let calls = Confinement {
        calls: true,
        ..Confinement::default()
    };
    let Some(results) = confined(calls, attempt) else {
        return;
    };
    let (allowed, refused) = results.split_at(3);
    assert_eq!(allowed, [None, None, Some(libc::ENOMEM)], "{results:?}");
    assert!(
        refused.iter().all(|it| *it == Some(libc::EPERM)),
        "{results:?}"
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_by_the_numbers_of_x32_are_refused() {
    let getpid = || call(0x4000_0000 + libc::SYS_getpid, [0; 6]);
    // A kernel without x32 knows no such number.
    let before = getpid();
    assert!([None, Some(libc::ENOSYS)].contains(&before), "{before:?}");
    let calls = Confinement {
        calls: true,
        ..Confinement::default()
    };
    let after = confined(calls, move || (getpid(), call(libc::SYS_getpid, [0; 6])));
    if let Some(after) = after {
        assert_eq!(after, (Some(libc::EPERM), None));
    }
}
