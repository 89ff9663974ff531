//! Messages of alerts as rsyslog and others read them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::alarms::{configuration, far_end};
use super::{Daemon, Place, wait_for};
use crate::program::{Running, free_port};

/// rsyslog with a socket of datagrams, UDP and TCP, which writes the fields of each message to a file; `None`: it is
/// missing.
fn rsyslog(place: &Path, udp: u16, tcp: u16) -> Option<Running> {
    let fields = "%inputname% %pri% %timereported:::date-rfc3339% %hostname% %app-name% %msgid% %structured-data% %msg%\\n";
    let text = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"off\")
module(load=\"imudp\")
module(load=\"imtcp\")
input(type=\"imuxsock\" Socket=\"{place}/log\" UseSpecialParser=\"off\" ParseHostname=\"on\" Annotate=\"off\")
input(type=\"imudp\" address=\"127.0.0.1\" port=\"{udp}\")
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\")
template(name=\"fields\" type=\"string\" string=\"{fields}\")
action(type=\"omfile\" file=\"{place}/messages\" template=\"fields\")
",
        place = place.display()
    );
    let file = place.join("rsyslog.conf");
    fs::write(&file, text).unwrap();
    let started = Command::new("rsyslogd")
        .args(["-n", "-i"])
        .arg(place.join("pid"))
        .arg("-f")
        .arg(file)
        .stdin(Stdio::null())
        .spawn();
    match started {
        Ok(process) => Some(Running::of(process)),
        Err(error) => {
            println!("skipped: rsyslogd: {error}");
            None
        }
    }
}

#[test]
fn rsyslog_reads_the_fields_of_a_message_by_each_transport() {
    let place = tempfile::tempdir().unwrap();
    let [udp, tcp] = [free_port(), free_port()];
    let Some(_server) = rsyslog(place.path(), udp, tcp) else {
        return;
    };
    let socket = place.path().join("log");
    wait_for("a socket", || socket.exists());
    let far = far_end(&Arc::default());
    let more = format!(
        "
[daemon]
name = \"probe1\"

[[alert]]
name = \"dead\"
when = \"silent for 2 of 2\"
actions = [
  {{ syslog = \"{}\" }},
  {{ syslog = \"udp://127.0.0.1:{udp}\", facility = \"local3\" }},
  {{ syslog = \"tcp://localhost:{tcp}\" }},
]
",
        socket.display()
    );
    let daemon = Daemon::start(&configuration(&far, place.path(), &more));
    let messages = || fs::read_to_string(place.path().join("messages")).unwrap_or_default();
    wait_for("messages", || messages().lines().count() >= 3);
    let done = daemon.stop();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let messages = messages();
    // 8 times the facility, and a warning.
    for (input, priority) in [("imuxsock", 28), ("imudp", 156), ("imtcp", 28)] {
        let line = messages.lines().find(|line| line.starts_with(input));
        let line = line.unwrap_or_else(|| panic!("{input}: {messages}"));
        let words: Vec<&str> = line.splitn(7, ' ').collect();
        assert_eq!(words[1], priority.to_string(), "{line}");
        assert!(words[2].starts_with("20"), "{line}");
        assert_eq!(words[3..6], ["probe1", "twinpath", "alarm"], "{line}");
        for part in [
            "[twinpath@32473 alert=\"dead\" state=\"raised\" session=\"a\" class=\"be\" since=\"20",
            " when=\"silent for 2 of 2\" evidence=\"[{\\\"start\\\":\\\"20",
            "}\\]\"]",
            "alert dead: raised for session a: silent for 2 of 2 (0, 0)",
        ] {
            assert!(words[6].contains(part), "{part}: {line}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_message_by_tls_has_its_length_before_it() {
    let place = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let path = |name: &str| place.path().join(name);
    fs::write(path("certificate"), certificate.pem()).unwrap();
    fs::write(path("key"), key.serialize_pem()).unwrap();
    let port = free_port();
    let output = fs::File::create(path("output")).unwrap();
    let started = Command::new("openssl")
        .args(["s_server", "-quiet", "-accept", &port.to_string(), "-cert"])
        .arg(path("certificate"))
        .arg("-key")
        .arg(path("key"))
        .stdin(Stdio::piped())
        .stdout(output)
        .spawn();
    let Ok(server) = started else {
        println!("skipped: openssl is missing");
        return;
    };
    let _server = Running::of(server);
    let far = far_end(&Arc::default());
    let more = format!(
        "
[[alert]]
name = \"dead\"
when = \"silent for 2 of 2\"
actions = [{{ syslog = \"tls://127.0.0.1:{port}\", ca = '{}' }}]
",
        path("certificate").display()
    );
    let daemon = Daemon::start(&configuration(&far, place.path(), &more));
    let read = || fs::read_to_string(path("output")).unwrap();
    wait_for("a message", || read().contains("alert dead: raised"));
    assert_eq!(daemon.stop().status, 0);
    let text = read();
    let (length, message) = text.split_once(' ').unwrap();
    let length: usize = length.parse().unwrap();
    assert!(message.starts_with("<28>1 20"), "{text}");
    assert!(message[..length].ends_with("(0, 0)"), "{text}");
}

#[test]
fn what_is_wrong_with_an_action_is_said_at_its_line() {
    let of = |action: &str| {
        let text =
            format!("[[alert]]\nname = \"a\"\nwhen = \"silent\"\nactions = [{{ {action} }}]\n");
        Place::of(&text).config("check").stderr
    };
    for (action, said) in [
        (
            "syslog = \"dev/log\"",
            ":4: syslog: dev/log: write the path of a socket, as in /dev/log, or udp://HOST",
        ),
        (
            "syslog = \"udp://a:x\"",
            ":4: syslog udp://a:x: write the path",
        ),
        (
            "syslog = \"udp://a\", ca = \"/etc/ca.pem\"",
            ":4: ca: only for tls://: leave it out",
        ),
        (
            "syslog = \"/dev/log\", user = \"a\"",
            ":4: user: not for syslog: leave it out",
        ),
        (
            "syslog = \"/dev/log\", facility = \"kern\"",
            ":4: facility: ",
        ),
        (
            "alertmanager = [\"a.example:9093\"]",
            ":4: alertmanager: a.example:9093: write http://HOST:PORT/PATH",
        ),
        (
            "alertmanager = [\"http://a/\"], syslog = \"/dev/log\"",
            ":4: ",
        ),
    ] {
        let stderr = of(action);
        assert!(stderr.contains(said), "{action}: {stderr}");
    }
}
