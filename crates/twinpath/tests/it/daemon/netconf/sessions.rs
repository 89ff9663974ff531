//! Locks, and how sessions end.

use super::super::PATIENCE;
use super::super::restconf::of_session;
use super::{Client, Daemon, edit, entry};

const LOCK: &str = "<lock><target><running/></target></lock>";
const UNLOCK: &str = "<unlock><target><running/></target></unlock>";

#[test]
fn a_lock_keeps_others_from_changes() {
    let daemon = Daemon::start();
    let mut owner = daemon.connect("ann");
    let number = Client::number(&owner.hello("1.1"));
    let mut other = daemon.session();
    owner.ok(LOCK);
    let reply = other.ask(LOCK);
    assert!(
        reply.contains("lock-denied") && reply.contains(&format!("<session-id>{number}<")),
        "{reply}"
    );
    assert_eq!(other.refused(&edit("running", &entry("b", ""))), "in-use");
    let put = || {
        daemon
            .served
            .json("PUT", &of_session("b"), &daemon.served.session("b"))
    };
    let answer = put();
    assert_eq!(answer.error().0, 409, "{answer:?}");
    assert_eq!(answer.error().1, "in-use");
    owner.edit("running", &entry("c", ""));
    owner.ok(UNLOCK);
    assert_eq!(put().status, 201);
    other.edit("running", &entry("d", ""));
    assert_eq!(owner.refused(UNLOCK), "operation-failed");
}

#[test]
fn a_lock_ends_with_its_session() {
    let daemon = Daemon::start();
    let mut other = daemon.session();
    // Killed by another session, and gone by itself.
    let mut owner = daemon.connect("ann");
    let number = Client::number(&owner.hello("1.1"));
    owner.ok(LOCK);
    other.ok(&format!(
        "<kill-session><session-id>{number}</session-id></kill-session>"
    ));
    assert!(owner.is_over());
    other.ok(LOCK);
    other.ok(UNLOCK);
    let mut owner = daemon.session();
    owner.ok(LOCK);
    drop(owner);
    let until = std::time::Instant::now() + PATIENCE;
    while !other.ask(LOCK).contains("<ok/>") {
        assert!(std::time::Instant::now() < until);
    }
    let tag = other.refused("<kill-session><session-id>4000</session-id></kill-session>");
    assert_eq!(tag, "invalid-value");
}

#[test]
fn input_that_ends_is_answered_first() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    client.request(&super::get_config("running"));
    client.request("<discard-changes/>");
    client.stdin.take();
    assert!(client.message().contains("<name>a</name>"));
    assert!(client.message().contains("<ok/>"));
    assert!(client.is_over());
}

#[test]
fn sessions_at_once_are_bounded() {
    let daemon = Daemon::with(&["ann"], "max-sessions-per-address = 2\n");
    let first = daemon.session();
    let mut second = daemon.session();
    let mut third = daemon.connect("ann");
    assert!(third.is_over());
    drop(first);
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let mut client = daemon.connect("ann");
        if client.next().is_some() {
            break;
        }
        assert!(std::time::Instant::now() < until);
    }
    second.ok("<discard-changes/>");
    assert_eq!(daemon.served.get("/data").status, 200);
}
