//! Notifications (RFC 5277, RFC 6470).

use super::super::restconf::of_session;
use super::{Client, Daemon, entry};

const NOTIFICATION: &str = "urn:ietf:params:xml:ns:netconf:notification:1.0";

fn subscribe(more: &str) -> String {
    format!("<create-subscription xmlns=\"{NOTIFICATION}\">{more}</create-subscription>")
}

/// The next notification with this in it.
fn notified(client: &mut Client, part: &str) -> String {
    loop {
        let message = client.message();
        assert!(message.starts_with("<notification"), "{message}");
        if message.contains(part) {
            return message;
        }
    }
}

#[test]
fn changes_and_sessions_are_notified() {
    let daemon = Daemon::with(&["ann", "bob"], "");
    let mut client = daemon.session();
    client.ok(&subscribe(""));
    let created = daemon
        .served
        .json("PUT", &of_session("b"), &daemon.served.session("b"));
    assert_eq!(created.status, 201);
    let message = notified(&mut client, "<netconf-config-change");
    assert!(message.contains(">anonymous<"), "{message}");
    assert!(
        message.contains("session[tpm:name=&apos;b&apos;]"),
        "{message}"
    );
    assert!(message.contains(">create<"), "{message}");
    let message = notified(&mut client, "<session-state-changed");
    assert!(message.contains(">b</session>"), "{message}");
    let mut bob = daemon.session_of("bob");
    let message = notified(&mut client, "<netconf-session-start");
    assert!(message.contains(">bob<"), "{message}");
    bob.edit("candidate", &entry("c", ""));
    bob.ok("<commit><confirmed/></commit>");
    notified(&mut client, ">start<");
    drop(bob);
    notified(&mut client, ">dropped<");
    // Requests go on, and one subscription is enough.
    client.request("<discard-changes/>");
    while !client.message().contains("<ok/>") {}
    client.request(&subscribe(""));
    while !client.message().contains("operation-failed") {}
}

#[test]
fn what_has_happened_is_sent_again() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("running", &entry("b", ""));
    let start = "<startTime>2026-01-01T00:00:00Z</startTime>";
    let filter = "<filter type=\"subtree\"><netconf-config-change xmlns=\"urn:ietf:params:xml:ns:yang:ietf-netconf-notifications\"/></filter>";
    client.ok(&subscribe(&format!(
        "<stream>NETCONF</stream>{filter}{start}<stopTime>2026-01-02T00:00:00Z</stopTime>"
    )));
    assert!(client.message().contains("<replayComplete"));
    assert!(client.message().contains("<notificationComplete"));
    client.ok(&subscribe(&format!("{filter}{start}")));
    let message = client.message();
    assert!(
        message.contains(">ann<") && message.contains("<netconf-config-change"),
        "{message}"
    );
    assert!(client.message().contains("<replayComplete"));
}

#[test]
fn streams_and_times_that_there_are_not_are_refused() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    for wrong in [
        "<stream>other</stream>",
        "<startTime>2126-01-01T00:00:00Z</startTime>",
        "<startTime>yesterday</startTime>",
    ] {
        assert_eq!(client.refused(&subscribe(wrong)), "bad-element", "{wrong}");
    }
}
