//! Servers whose sessions are not answered, or lose packets: what that says of requests and features, and what not.

use twinpath_runtime::probe::{DialogueEnd, DialogueSeen};

use super::logins::a_key;
use super::{ALL_OPEN, agreed, erring, found, of_server_with, refuses};
use crate::doctor::Status;
use crate::doctor::dialogue::{
    AUTHENTICATED, Dialogue, FUTURE, INDIVIDUAL, LARGE, PTP, SESSION, SYMMETRICAL, ZERO_ADDRESSES,
};

/// No packet of a session is answered.
pub(super) fn deaf(seen: &mut DialogueSeen) {
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
fn a_server_that_answers_no_session_through_nat_needs_an_option_of_its_own() {
    let (checks, verdict) = erring(ALL_OPEN, |ask, seen| {
        deaf(seen);
        if ask.kind.name != ZERO_ADDRESSES.name && !ask.adapted.zero_addresses {
            refuses(seen, 3);
        }
    });
    let session = found(&checks, "control.session");
    assert_eq!(session.status, Status::Fail);
    let said = "one with zero addresses is accepted, and its packets are not answered";
    assert!(session.finding.ends_with(said), "{session:?}");
    let advice = session.advice.as_deref().unwrap();
    assert!(advice.contains("the server --nat too"), "{advice}");
    // The other refusal is about the addresses too.
    let any_port = found(&checks, "control.any-port");
    assert_eq!(any_port.status, Status::Skipped, "{any_port:?}");
    assert_eq!(verdict.exit, crate::failure::Exit::AllLost);
    assert_eq!(verdict.command, None);
}

#[test]
fn a_mode_whose_sessions_alone_are_silent_may_meet_a_firewall() {
    let (checks, _) = of_server_with(a_key(), ALL_OPEN | 2, |ask| {
        let mut seen = agreed(ask);
        if ask.kind.name == AUTHENTICATED.name {
            deaf(&mut seen);
        }
        Dialogue::new(seen)
    });
    let mode = found(&checks, "control.mode.authenticated");
    assert_eq!(mode.status, Status::Fail);
    let advice = mode.advice.as_deref().unwrap();
    assert!(mode.finding.contains("to UDP port 40000 is"), "{mode:?}");
    assert!(advice.contains("firewall"), "{advice}");
    assert!(advice.contains("UDP port 40000"), "{advice}");
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
