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
