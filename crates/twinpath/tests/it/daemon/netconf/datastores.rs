//! What edits and commits do, and that RESTCONF and the file have it.

use std::fs;
use std::time::{Duration, Instant};

use super::super::restconf::of_session;
use super::super::{PATIENCE, finish};
use super::{Daemon, edit, entry, get_config};
use crate::program::twinpath;

const CONFIRMED: &str = "<commit><confirmed/><confirm-timeout>600</confirm-timeout></commit>";

#[test]
fn a_candidate_is_in_force_with_its_commit() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    assert!(
        client
            .ask(&get_config("candidate"))
            .contains("<name>b</name>")
    );
    assert!(
        !client
            .ask(&get_config("running"))
            .contains("<name>b</name>")
    );
    assert_eq!(daemon.served.get(&of_session("b")).status, 404);
    client.ok("<validate><source><candidate/></source></validate>");
    client.ok("<commit/>");
    assert!(
        client
            .ask(&get_config("running"))
            .contains("<name>b</name>")
    );
    assert_eq!(daemon.served.get(&of_session("b")).status, 200);
    let text = daemon.served.text();
    assert!(
        text.contains("name = \"b\"") && text.contains("# The first."),
        "{text}"
    );
    let mut check = twinpath("config check");
    check.arg(daemon.served.daemon.file());
    assert_eq!(finish(check).status, 0);
}

#[test]
fn what_is_discarded_or_wrong_is_not_in_force() {
    let daemon = Daemon::start();
    let before = daemon.served.text();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok("<discard-changes/>");
    client.ok("<commit/>");
    assert!(
        !client
            .ask(&get_config("candidate"))
            .contains("<name>b</name>")
    );
    // No schema refuses this, but the daemon does.
    let responder = daemon.served.responder;
    client.edit(
        "candidate",
        &format!("<responder><name>b</name><address>127.0.0.1:{responder}</address></responder>"),
    );
    assert_eq!(client.refused("<commit/>"), "invalid-value");
    client.ok("<discard-changes/>");
    let tag = client.refused(&edit(
        "candidate",
        "<session><name>b</name><paths>0</paths></session>",
    ));
    assert_eq!(tag, "invalid-value");
    assert_eq!(daemon.served.text(), before);
}

#[test]
fn operations_of_edits_do_what_they_say() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    let create = entry("b", "nc:operation=\"create\"");
    client.edit("running", &create);
    assert_eq!(client.refused(&edit("running", &create)), "data-exists");
    client.edit(
        "running",
        "<session><name>b</name><paths>3</paths></session>",
    );
    let reply = client.ask(&get_config("running"));
    assert!(reply.contains("<paths>3</paths>"), "{reply}");
    client.edit("running", &entry("b", "nc:operation=\"replace\""));
    assert!(!client.ask(&get_config("running")).contains("<paths>"));
    let delete = "<session nc:operation=\"delete\"><name>b</name></session>";
    client.edit("running", delete);
    assert_eq!(client.refused(&edit("running", delete)), "data-missing");
    client.edit("running", &delete.replace("delete", "remove"));
    assert!(!daemon.served.text().contains("name = \"b\""));
    let copy =
        "<copy-config><target><candidate/></target><source><running/></source></copy-config>";
    client.ok(copy);
    let tag = client.refused("<delete-config><target><candidate/></target></delete-config>");
    assert_eq!(tag, "operation-not-supported");
}

/// Waits until a session is in the file, or not.
fn await_session(daemon: &Daemon, name: &str, is_there: bool) {
    let until = Instant::now() + PATIENCE;
    let entry = format!("name = \"{name}\"");
    while daemon.served.text().contains(&entry) != is_there {
        assert!(Instant::now() < until, "{name}: {is_there}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_commit_that_is_not_confirmed_is_undone() {
    let daemon = Daemon::start();
    let before = daemon.served.text();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok("<commit><confirmed/><confirm-timeout>1</confirm-timeout></commit>");
    await_session(&daemon, "b", false);
    assert_eq!(daemon.served.text(), before);
    // It is in the file first.
    let until = Instant::now() + PATIENCE;
    while client
        .ask(&get_config("running"))
        .contains("<name>b</name>")
    {
        assert!(Instant::now() < until);
    }
    // With its session.
    client.edit("candidate", &entry("c", ""));
    client.ok(CONFIRMED);
    assert!(daemon.served.text().contains("name = \"c\""));
    client.ok("<close-session/>");
    await_session(&daemon, "c", false);
}

#[test]
fn a_commit_that_is_confirmed_or_cancelled_is_final() {
    let daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    client.ok("<commit/>");
    client.edit("candidate", &entry("c", ""));
    client.ok(CONFIRMED);
    client.ok("<cancel-commit/>");
    let text = daemon.served.text();
    assert!(
        text.contains("name = \"b\"") && !text.contains("name = \"c\""),
        "{text}"
    );
    // One that persists is confirmed by another session, even if its own has ended.
    client.edit("candidate", &entry("d", ""));
    client.ok("<commit><confirmed/><confirm-timeout>600</confirm-timeout><persist>token</persist></commit>");
    client.ok("<close-session/>");
    assert!(client.is_over());
    let mut other = daemon.session();
    assert_eq!(other.refused("<commit/>"), "in-use");
    other.ok("<commit><persist-id>token</persist-id></commit>");
    drop(other);
    assert!(daemon.served.text().contains("name = \"d\""));
}

/// What undoes a commit would undo other changes too.
#[test]
fn while_a_commit_waits_to_be_confirmed_nothing_else_changes_the_configuration() {
    let mut daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok("<commit><confirmed/><confirm-timeout>600</confirm-timeout><persist>token</persist></commit>");
    let session = daemon.served.session("c");
    let refused = daemon.served.json("PUT", &of_session("c"), &session);
    assert_eq!(
        (refused.status, refused.error().1.as_str()),
        (409, "in-use")
    );
    let mut other = daemon.session();
    let refused = other.refused(&edit("running", &entry("c", "")));
    assert_eq!(refused, "in-use");
    // A file that is changed is read when that is over.
    let before = daemon.served.text();
    let more = "\n[[session]]\nname = \"d\"\naddress = \"127.0.0.1:9\"\n";
    let own = &mut daemon.served.daemon;
    own.reload(&(before.clone() + more));
    own.process().wait_for_error("is not confirmed yet");
    fs::write(own.file(), before).unwrap();
    assert_eq!(daemon.served.get(&of_session("d")).status, 404);
    other.ok("<cancel-commit><persist-id>token</persist-id></cancel-commit>");
    let put = daemon.served.json("PUT", &of_session("c"), &session);
    assert_eq!(put.status, 201, "{put:?}");
}
