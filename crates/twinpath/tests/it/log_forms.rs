//! Log lines of services: as JSON, and in the journal of systemd.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Running, free_port, twinpath};

/// Longer than anything here takes on a busy host.
const PATIENCE: Duration = Duration::from_mins(1);
/// A responder that says what it ignores, and ignores everything.
const OPTIONS: &str = "--verbose --allow 192.0.2.0/24";

/// Sends something that is ignored.
fn probe(port: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&[0; 41], ("127.0.0.1", port)).unwrap();
}

#[test]
fn each_line_is_an_object_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    for logfile in [None, Some(&log)] {
        let port = free_port();
        let to_file = logfile.map(|log| format!("--logfile {}", log.display()));
        let line = format!(
            "responder 127.0.0.1:{port} {OPTIONS} --log-format json {}",
            to_file.unwrap_or_default()
        );
        let mut responder = Running::start(&line);
        let mut said = responder.wait_for_error("listening on ");
        probe(port);
        if logfile.is_none() {
            said += &responder.wait_for_error("not_allowed");
        } else {
            let until = Instant::now() + PATIENCE;
            while !std::fs::read_to_string(&log)
                .unwrap()
                .contains("not_allowed")
            {
                assert!(Instant::now() < until);
                std::thread::sleep(Duration::from_millis(20));
            }
            said += &std::fs::read_to_string(&log).unwrap();
        }
        responder.signal(&["TERM"]);
        said += &responder.finish().stderr;
        let lines: Vec<Value> = said
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect();
        for line in &lines {
            for key in ["timestamp", "level", "message"] {
                assert!(line[key].is_string(), "{key}: {line}");
            }
        }
        let of = |message: &str| {
            let mut lines = lines.iter();
            lines.find(|line| line["message"].as_str().unwrap().starts_with(message))
        };
        let ignored = of("ignored").unwrap();
        assert_eq!(ignored["kind"], "not_allowed");
        assert_eq!(ignored["packets"], 1);
        assert_eq!(ignored["level"], "INFO");
        let note = of("answers 192.0.2.0/24 only").unwrap();
        assert_eq!(note["level"], "INFO");
    }
}

#[test]
fn under_systemd_lines_go_to_the_journal_with_their_fields() {
    let directory = tempfile::tempdir().unwrap();
    let journal = UnixDatagram::bind(directory.path().join("socket")).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = free_port();
    let program = twinpath(&format!("responder 127.0.0.1:{port} {OPTIONS}"));
    let program = [program.get_program()]
        .into_iter()
        .chain(program.get_args());
    let script = format!(
        "mount -t tmpfs none /run && mkdir /run/systemd && ln -s {} /run/systemd/journal || exit 77; \
         export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec \"$@\"",
        directory.path().display()
    );
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &script, "sh"])
        .args(program);
    let mut responder = Running::spawn(command);
    std::thread::sleep(Duration::from_millis(100));
    if let Some(status) = responder.0.try_wait().unwrap() {
        println!("skipped: only root has a /run of its own here ({status})");
        return;
    }
    // What is no log line has its priority before it, which the service manager takes off.
    let said = responder.wait_for_error("listening on ");
    assert!(said.starts_with("<6>listening on "), "{said}");
    responder.wait_for_error("<6>note: answers 192.0.2.0/24 only");
    probe(port);
    let mut octets = [0; 4_096];
    let until = Instant::now() + PATIENCE;
    let entry = loop {
        let count = journal.recv(&mut octets).unwrap();
        let entry = String::from_utf8_lossy(&octets[..count]).into_owned();
        if entry.contains("not_allowed") {
            break entry;
        }
        assert!(Instant::now() < until, "{entry}");
    };
    for field in [
        // Notice, after the length of the value.
        "PRIORITY\n\u{1}\0\0\0\0\0\0\x005\n",
        "SYSLOG_IDENTIFIER",
        "twinpath",
        "MESSAGE",
        "ignored",
        "KIND",
        "PACKETS",
    ] {
        assert!(entry.contains(field), "{field}: {entry:?}");
    }
    responder.signal(&["TERM"]);
    let done = responder.finish();
    assert!(!done.stderr.contains("ignored"), "{}", done.stderr);
}
