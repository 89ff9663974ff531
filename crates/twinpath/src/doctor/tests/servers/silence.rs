//! Servers whose sessions are not answered, or lose packets: what that says of requests and features, and what not.

use twinpath_runtime::probe::{DialogueEnd, DialogueSeen};

use super::logins::a_key;
use super::{ALL_OPEN, agreed, erring, found, of_server_with};
use crate::doctor::Status;
use crate::doctor::dialogue::{
    AUTHENTICATED, Dialogue, FUTURE, INDIVIDUAL, LARGE, PTP, SESSION, SYMMETRICAL,
};

/// No packet of a session is answered.
fn deaf(seen: &mut DialogueSeen) {
    for session in &mut seen.sessions {
        if let Some(train) = &mut session.train {
            train.opening.1.replies.clear();
            train.paced.1.replies.clear();
        }
    }
}

#[test]
fn where_no_session_is_reflected_neither_features_nor_modes_are_said_to_fail() {
    let (checks, verdict) = of_server_with(a_key(), ALL_OPEN | 2 | 4 | 8, |ask| {
        let mut seen = agreed(ask);
        deaf(&mut seen);
        Dialogue::new(seen)
    });
    assert_eq!(found(&checks, "control.session").status, Status::Fail);
    let of_others = checks.iter().filter(|checked| {
        checked.id == "control.start-time.future"
            || checked.id.starts_with("control.feature.")
            || checked.id.starts_with("control.mode.")
    });
    let of_others: Vec<_> = of_others.collect();
    assert_eq!(of_others.len(), 9);
    for checked in of_others {
        assert_eq!(checked.judged.status, Status::Unknown, "{checked:?}");
    }
    // No command measures it, and the ports to open are known.
    assert_eq!(verdict.command, None);
    assert!(verdict.firewall.words().is_some());
}

#[test]
fn a_session_that_is_to_start_later_and_breaks_is_said_to_break() {
    let (checks, _) = erring(1, |ask, seen| {
        if ask.kind.name == FUTURE.name {
            deaf(seen);
            seen.end = DialogueEnd::Ended;
        }
    });
    let future = found(&checks, "control.start-time.future");
    assert_eq!(future.status, Status::Warn);
    assert!(future.finding.starts_with("the server ends the connection"));
}

#[test]
fn losses_of_sessions_are_not_taken_for_what_a_server_does_not_support() {
    let (checks, _) = of_server_with(a_key(), ALL_OPEN | 2, |ask| {
        let mut seen = agreed(ask);
        let kind = ask.kind.name;
        if [&LARGE, &SYMMETRICAL, &PTP, &FUTURE, &AUTHENTICATED]
            .iter()
            .any(|silent| silent.name == kind)
        {
            deaf(&mut seen);
        } else if kind == SESSION.name {
            let train = seen.sessions[0].train.as_mut().unwrap();
            train.paced.1.replies.truncate(7);
        } else if kind == INDIVIDUAL.name {
            let train = seen.sessions[1].train.as_mut().unwrap();
            train.paced.1.replies.clear();
        }
        Dialogue::new(seen)
    });
    for id in [
        "control.padding",
        "control.start-time.future",
        "control.feature.individual-control",
        "control.feature.symmetrical-size",
        "control.feature.ptp-timestamps",
        "control.mode.authenticated",
    ] {
        let judged = found(&checks, id);
        assert_eq!(judged.status, Status::Unknown, "{id}: {judged:?}");
        assert!(judged.finding.contains("are lost too"), "{id}: {judged:?}");
    }
}
