//! Commits of NETCONF that are to be confirmed (RFC 6241 section 8.4).

use std::time::Duration;

use twinpath_yang::netconf::events::ConfirmEvent;
use twinpath_yang::netconf::{Datastore, Effect};

use crate::netconf_datastores::{A1, A2, Server, on};
use crate::netconf_requests::parse;

const CONFIRMED: &str = "<commit><confirmed/><confirm-timeout>120</confirm-timeout></commit>";

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn a_commit_that_is_not_confirmed_is_rolled_back() {
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    assert_eq!(it.ask(1, CONFIRMED), "ok");
    assert_eq!(
        (it.running(), it.datastores.poll_timeout()),
        (A2.into(), Some(seconds(1120)))
    );
    it.now = seconds(1119);
    assert_eq!(it.poll(), None);
    // The time begins again, also without changes, and what was first in force is kept.
    assert_eq!(it.ask(1, CONFIRMED), "ok");
    assert_eq!(it.datastores.poll_timeout(), Some(seconds(1239)));
    it.set(1, "candidate", "<b>3</b>");
    assert_eq!(it.ask(1, "<commit><confirmed/></commit>"), "ok");
    assert_eq!(it.datastores.poll_timeout(), Some(seconds(1719)));
    it.now = seconds(1719);
    assert_eq!(it.ask(1, "<commit/>"), "in-use protocol -");
    assert_eq!(it.poll(), Some("ok".into()));
    assert_eq!(it.running(), A1);
    assert_eq!((it.poll(), it.datastores.poll_timeout()), (None, None));
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, CONFIRMED);
    assert_eq!(it.ask(1, "<commit/>"), "ok");
    it.now = seconds(9999);
    assert_eq!((it.poll(), it.running()), (None, A2.into()));
}

#[test]
fn the_end_of_its_session_rolls_a_commit_back() {
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, CONFIRMED);
    assert_eq!(it.ask(2, "<commit/>"), "in-use protocol -");
    assert_eq!(it.ask(2, "<cancel-commit/>"), "in-use protocol -");
    assert_eq!(
        it.ask(2, "<commit><persist-id>x</persist-id></commit>"),
        "invalid-value protocol -"
    );
    assert_eq!(
        it.ask(2, &on("lock", "running")),
        "lock-denied protocol - session 1"
    );
    assert_eq!(it.ask(1, &on("lock", "running")), "ok");
    it.datastores.close(2);
    assert_eq!(it.poll(), None);
    it.datastores.close(1);
    assert_eq!(it.ask(3, "<commit/>"), "in-use protocol -");
    assert_eq!(it.poll(), Some("ok".into()));
    assert_eq!(it.running(), A1);
    assert_eq!(it.ask(3, "<commit/>"), "ok");
}

#[test]
fn a_commit_undoes_nothing_that_others_did_meanwhile() {
    let copy =
        "<copy-config><target><running/></target><source><candidate/></source></copy-config>";
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    it.set(2, "running", "<b>1</b>");
    let with = it.running();
    for commit in ["<commit/>", CONFIRMED, copy] {
        assert_eq!(it.ask(1, commit), "operation-failed protocol -", "{commit}");
        assert_eq!(it.running(), with, "{commit}");
    }
    it.ask(1, "<discard-changes/>");
    it.set(1, "candidate", "<a>2</a>");
    assert_eq!(it.ask(1, "<commit/>"), "ok");
    assert_eq!(it.running(), r#"{"m:c":{"a":"2","b":"1"}}"#);
    // Nor is in force again what was undone.
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, CONFIRMED);
    it.set(2, "candidate", "<b>1</b>");
    it.datastores.close(1);
    assert_eq!(it.poll(), Some("ok".into()));
    assert_eq!(it.ask(2, "<commit/>"), "operation-failed protocol -");
    assert_eq!(it.running(), A1);
    // Edits by the session that committed go on from there.
    it.ask(2, "<discard-changes/>");
    it.set(2, "candidate", "<a>2</a>");
    it.ask(2, CONFIRMED);
    it.set(2, "candidate", "<b>1</b>");
    assert_eq!(it.ask(2, "<commit/>"), "ok");
}

#[test]
fn a_commit_with_a_token_outlives_its_session() {
    let mut it = Server::new();
    assert_eq!(
        it.ask(1, "<commit><persist-id>IQ,d4668</persist-id></commit>"),
        "invalid-value protocol -"
    );
    it.set(1, "candidate", "<a>2</a>");
    assert_eq!(
        it.ask(
            1,
            "<commit><confirmed/><persist>IQ,d4668</persist></commit>"
        ),
        "ok"
    );
    it.datastores.close(1);
    assert_eq!(it.poll(), None);
    assert_eq!(
        it.ask(2, &on("lock", "running")),
        "lock-denied protocol - session 0"
    );
    assert_eq!(it.ask(2, "<commit/>"), "in-use protocol -");
    assert_eq!(
        it.ask(2, "<commit><persist-id>other</persist-id></commit>"),
        "invalid-value protocol -"
    );
    assert_eq!(
        it.ask(
            2,
            "<cancel-commit><persist-id>other</persist-id></cancel-commit>"
        ),
        "invalid-value protocol -"
    );
    it.set(2, "candidate", "<b>1</b>");
    assert_eq!(
        it.ask(
            2,
            "<commit><confirmed/><persist-id>IQ,d4668</persist-id></commit>"
        ),
        "ok"
    );
    it.datastores.close(2);
    assert_eq!(
        it.ask(3, "<commit><persist-id>IQ,d4668</persist-id></commit>"),
        "ok"
    );
    it.now = seconds(9999);
    assert_eq!(
        (it.poll(), it.running()),
        (None, r#"{"m:c":{"a":"2","b":"1"}}"#.into())
    );
}

#[test]
fn a_commit_is_cancelled() {
    let mut it = Server::new();
    assert_eq!(it.ask(1, "<cancel-commit/>"), "operation-failed protocol -");
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, "<commit><confirmed/></commit>");
    assert_eq!(it.ask(1, "<cancel-commit/>"), "ok");
    assert_eq!(
        (it.running(), it.datastores.poll_timeout()),
        (A1.into(), None)
    );
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, "<commit><confirmed/><persist>t</persist></commit>");
    assert_eq!(
        it.ask(
            2,
            "<cancel-commit><persist-id>t</persist-id></cancel-commit>"
        ),
        "ok"
    );
    assert_eq!(it.running(), A1);
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, "<commit><confirmed/></commit>");
    it.refuses = true;
    assert_eq!(
        it.ask(1, "<cancel-commit/>"),
        "rollback-failed application -"
    );
    assert_eq!((it.running(), it.poll()), (A2.into(), None));
    // It can be asked for again.
    it.refuses = false;
    assert_eq!(it.ask(1, "<cancel-commit/>"), "ok");
    assert_eq!(it.running(), A1);
}

#[test]
fn a_rollback_that_fails_is_tried_again() {
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, CONFIRMED);
    it.now += Duration::from_mins(2);
    it.refuses = true;
    for wait in [2, 4, 8, 16, 32, 60, 60] {
        let failed = "rollback-failed application -";
        assert_eq!(it.poll().as_deref(), Some(failed));
        let next = it.now + Duration::from_secs(wait);
        assert_eq!(
            (it.poll(), it.datastores.poll_timeout()),
            (None, Some(next))
        );
        // Too late to be confirmed.
        assert_eq!(it.ask(1, "<commit/>"), "in-use protocol -");
        it.now = next;
    }
    it.refuses = false;
    assert_eq!(it.poll(), Some("ok".into()));
    assert_eq!(
        (it.running(), it.datastores.poll_timeout()),
        (A1.into(), None)
    );
}

#[test]
fn nothing_changes_while_a_commit_is_put_in_force() {
    let mut it = Server::new();
    it.set(1, "candidate", "<a>2</a>");
    let operation = parse(&it.schema, CONFIRMED);
    let Ok(Effect::Commit(commit)) = it.perform(1, &operation) else {
        panic!()
    };
    assert_eq!(it.set(2, "running", "<b>1</b>"), "in-use protocol -");
    assert_eq!(it.set(2, "candidate", "<b>1</b>"), "in-use protocol -");
    assert_eq!(it.ask(2, "<commit/>"), "in-use protocol -");
    assert_eq!(
        it.ask(2, &on("lock", "running")),
        "lock-denied protocol - session 0"
    );
    assert!(
        it.datastores
            .check_change(None, Datastore::Running)
            .is_err()
    );
    // Its session ends before the result is known.
    it.datastores.close(1);
    assert_eq!(it.poll(), None);
    assert_eq!(it.finish(commit), "ok");
    assert_eq!(it.running(), A2);
    assert_eq!(it.poll(), Some("ok".into()));
    assert_eq!(it.running(), A1);
}

#[test]
fn events_say_what_happened() {
    let mut it = Server::new();
    let minutes = Duration::from_mins;
    it.set(1, "candidate", "<a>2</a>");
    it.ask(1, CONFIRMED);
    it.ask(1, "<commit><confirmed/></commit>");
    it.ask(1, "<commit/>");
    let expected = [
        (1, ConfirmEvent::Start(minutes(2))),
        (1, ConfirmEvent::Extend(minutes(10))),
        (1, ConfirmEvent::Complete),
    ];
    assert_eq!(it.datastores.take_events(), expected);
    it.set(1, "candidate", "<a>3</a>");
    it.ask(1, CONFIRMED);
    it.ask(1, "<cancel-commit/>");
    it.ask(2, CONFIRMED);
    it.datastores.close(2);
    it.poll();
    it.ask(3, CONFIRMED);
    it.now += minutes(2);
    it.poll();
    it.ask(3, "<commit/>");
    let start = ConfirmEvent::Start(minutes(2));
    let expected = [
        (1, start),
        (1, ConfirmEvent::Cancel),
        (2, start),
        (2, ConfirmEvent::Cancel),
        (3, start),
        (3, ConfirmEvent::Timeout),
    ];
    assert_eq!(it.datastores.take_events(), expected);
}
