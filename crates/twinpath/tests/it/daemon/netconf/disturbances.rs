//! What must not disturb others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::super::{is_running, received};
use super::{BASE, Daemon, edit, entry, get_config};

/// Messages that are no requests, or wrong ones.
const BAD: [&str; 10] = [
    "",
    "<rpc",
    "<rpc/>",
    "<other xmlns=\"urn:other\"/>",
    "\u{0}\u{1}",
    "<!DOCTYPE rpc [<!ENTITY a \"a\">]><rpc>&a;</rpc>",
    "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"/>",
    "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"><get-config/></rpc>",
    "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\" message-id=\"1\"><reboot/></rpc>",
    "<rpc xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><get/></rpc>",
];

#[test]
fn a_thousand_bad_messages_disturb_nothing() {
    let daemon = Daemon::start();
    let before = daemon.served.text();
    let mut good = daemon.session();
    let mut bad = daemon.session();
    for round in 0..100 {
        for message in BAD.iter().filter(|it| !it.is_empty()) {
            bad.send(&format!("\n#{}\n{message}\n##\n", message.len()));
            let reply = bad.message();
            assert!(reply.contains("<rpc-error>"), "{message}: {reply}");
        }
        if round % 10 == 0 {
            good.ok("<discard-changes/>");
        }
    }
    bad.ok("<discard-changes/>");
    // Wrong framing ends the session, of which the number was counted.
    for framing in ["\n#0\n", "\n#4294967296\n", "#5\nhello", "\n##\n", "<rpc>"] {
        let mut client = daemon.session();
        client.send(framing);
        client.send("\n\n\n\n");
        assert!(client.is_over(), "{framing:?}");
    }
    // As does a first message that is no hello.
    for hello in ["<rpc/>", "", &format!("<hello xmlns=\"{BASE}\"/>")] {
        let mut client = daemon.connect("ann");
        client.message();
        client.send(&format!("{hello}]]>]]>"));
        assert!(client.is_over(), "{hello:?}");
    }
    assert_eq!(daemon.served.text(), before);
    let reply = good.ask("<get><filter><netconf-state xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring\"/></filter></get>");
    assert!(reply.contains("<in-bad-hellos>3<"), "{reply}");
    let document = daemon
        .served
        .daemon
        .status_when(|it| is_running(it, "a") && received(it, "a") > 0);
    assert!(received(&document, "a") > 0);
}

#[test]
fn octets_that_are_not_ssh_disturb_nothing() {
    let daemon = Daemon::start();
    let mut streams = Vec::new();
    for octets in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4_096],
        b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x00",
        b"",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).unwrap();
        let _refused = stream.write_all(octets);
        streams.push(stream);
    }
    // More of one address than may wait: the oldest ends.
    for _ in 0..40 {
        streams.push(TcpStream::connect(("127.0.0.1", daemon.port)).unwrap());
    }
    let mut first = streams.remove(3);
    let mut octets = Vec::new();
    let _reset = first.read_to_end(&mut octets);
    let mut client = daemon.session();
    client.ok("<close-session/>");
}

#[test]
fn a_client_that_does_not_read_delays_no_other() {
    let daemon = Daemon::start();
    let mut good = daemon.session();
    let many: String = (0..2_000).map(|it| entry(&format!("s{it}"), "")).collect();
    good.ok(&edit("candidate", &many));
    let mut slow = daemon.connect("ann");
    slow.hello("1.1");
    // Its replies are not read: the pipe, the window of SSH and then the server's queue are full.
    drop(std::mem::replace(
        &mut slow.octets,
        std::sync::mpsc::channel().1,
    ));
    for _ in 0..200 {
        slow.request(&get_config("candidate"));
    }
    for _ in 0..5 {
        let reply = good.ask(&get_config("candidate"));
        assert!(reply.contains("<name>s1999</name>"));
    }
    good.ok("<discard-changes/>");
    good.edit("running", &entry("b", ""));
    let document = daemon.served.daemon.status_when(|it| received(it, "a") > 0);
    assert!(received(&document, "a") > 0);
}

/// Version 1.0 has no error for it (RFC 6241 appendix A).
#[test]
fn why_a_message_ends_a_session_of_version_1_0_is_in_the_log() {
    let mut daemon = Daemon::start();
    let nested = "<a>".repeat(5_000) + &"</a>".repeat(5_000);
    let messages = ["<rpc", "<!DOCTYPE rpc><rpc/>", &nested];
    for message in messages {
        let mut client = daemon.connect("ann");
        client.hello("1.0");
        client.write(message);
        assert!(client.is_over());
        let own = &mut daemon.served.daemon;
        own.process().wait_for_error(" of NETCONF ends: ");
        own.process().wait_for_error("could not be read");
    }
    let mut client = daemon.session();
    client.write(&nested);
    let reply = client.message();
    assert!(reply.contains("malformed-message"), "{reply}");
    client.ok("<discard-changes/>");
}
