//! How many sessions a server takes at once.

use std::time::Duration;

use twinpath_proto::control::{ClientError, ExpectedAnswer};
use twinpath_runtime::probe::{DialogueEnd, DialogueSeen, Span, run_dialogue};
use twinpath_wire::Mono;
use twinpath_wire::control::SecurityMode;

use super::quirky_server::{HONEST, Quirks, QuirkyServer};
use super::{agreed, refuses};
use crate::doctor::dialogue::{
    ANY_PORT, Adapted, Dialogue, DialogueAsk, DialogueKind, FUTURE, LARGE, OF_CLASS, PAST, SESSION,
    ZERO_ADDRESSES,
};
use crate::doctor::tests::plan;
use crate::doctor::{Answer, Ask, CHECKS, Judged, Keys, Seen, Status};

static KINDS: [&DialogueKind; 7] = [
    &SESSION,
    &ANY_PORT,
    &ZERO_ADDRESSES,
    &OF_CLASS,
    &LARGE,
    &PAST,
    &FUTURE,
];

/// A dialogue from this second to that one.
struct Had {
    from: u64,
    to: u64,
    /// What came of it.
    changed: fn(&mut DialogueSeen),
    /// And of a repeat, alone; `None`: there was none.
    alone: Option<fn(&mut DialogueSeen)>,
}

const fn had(from: u64, to: u64, changed: fn(&mut DialogueSeen)) -> Had {
    Had {
        from,
        to,
        changed,
        alone: None,
    }
}

const fn twice(
    from: u64,
    to: u64,
    changed: fn(&mut DialogueSeen),
    alone: fn(&mut DialogueSeen),
) -> Had {
    Had {
        alone: Some(alone),
        ..had(from, to, changed)
    }
}

fn taken(_: &mut DialogueSeen) {}

/// Refused for want of room.
fn full(seen: &mut DialogueSeen) {
    refuses(seen, 5);
    seen.held = None;
}

/// Refused for what it asks for.
fn unsupported(seen: &mut DialogueSeen) {
    refuses(seen, 3);
    seen.held = None;
}

fn mute(seen: &mut DialogueSeen) {
    ended(seen, DialogueEnd::Mute);
}

fn unanswered(seen: &mut DialogueSeen) {
    let error = ClientError::Silent(ExpectedAnswer::AcceptSession);
    ended(seen, DialogueEnd::Failed(error));
}

fn cut(seen: &mut DialogueSeen) {
    ended(seen, DialogueEnd::CutShort);
}

fn ended(seen: &mut DialogueSeen, end: DialogueEnd) {
    seen.sessions.clear();
    (seen.held, seen.end) = (None, end);
}

fn ask(kind: &'static DialogueKind) -> DialogueAsk {
    DialogueAsk {
        server: "203.0.113.7:862".parse().unwrap(),
        kind,
        mode: SecurityMode::Unauthenticated,
        adapted: Adapted::default(),
    }
}

fn judged(all: &[Had]) -> Judged {
    let mut seen = Seen::new(plan());
    let second = |second: u64| Mono::from_ns(second * 1_000_000_000);
    for (kind, had) in KINDS.iter().zip(all) {
        let ask = ask(kind);
        let (from, to) = (second(had.from), second(had.to));
        let at = |from: Mono, to: Mono, changed: fn(&mut DialogueSeen)| {
            let mut seen = DialogueSeen {
                begun: from,
                held: Some(Span { from, to }),
                took: to.since(from),
                ..agreed(&ask)
            };
            changed(&mut seen);
            seen
        };
        let mut dialogue = Dialogue::new(at(from, to, had.changed));
        if let Some(alone) = had.alone {
            dialogue = dialogue.repeated(at(second(90), second(91), alone));
        }
        seen.add(Ask::Dialogue(ask), Answer::Dialogue(Box::new(dialogue)));
    }
    let check = CHECKS
        .iter()
        .find(|check| check.id() == "control.connections");
    check.unwrap().judge(&seen)
}

/// What is said, how many were at once, and the dialogues: the first has none beside it.
type Case = (Status, Option<u64>, &'static str, Vec<Had>);

fn overlaps() -> Vec<Case> {
    let first = || had(0, 1, taken);
    vec![
        (
            Status::Ok,
            Some(3),
            "the server takes 3 sessions of this host at once",
            vec![
                first(),
                had(2, 9, taken),
                had(3, 9, taken),
                had(4, 9, taken),
            ],
        ),
        (
            Status::Skipped,
            None,
            "no two sessions were taken at once",
            vec![first(), had(2, 3, taken), had(4, 5, taken)],
        ),
        // Dialogues at once are no sessions at once.
        (
            Status::Skipped,
            None,
            "no two sessions were taken at once",
            vec![
                first(),
                had(2, 9, unsupported),
                had(2, 9, unsupported),
                had(2, 9, unsupported),
                had(2, 9, taken),
            ],
        ),
        // One that has ended still counts for the server.
        (
            Status::Ok,
            Some(4),
            "the server takes 4 sessions of this host at once",
            vec![
                first(),
                had(2, 5, taken),
                had(2, 9, taken),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(6, 9, full, taken),
            ],
        ),
        // As many as several controllers need.
        (
            Status::Ok,
            Some(4),
            "the server takes 4 sessions of this host at once",
            vec![
                first(),
                had(2, 9, taken),
                had(2, 9, taken),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(2, 9, full, taken),
                twice(2, 9, full, taken),
            ],
        ),
    ]
}

fn failures() -> Vec<Case> {
    let first = || had(0, 1, taken);
    vec![
        (
            Status::Warn,
            Some(3),
            "not take 3 sessions of this host at once, each on a connection of its own: a further one is refused with Accept 5",
            vec![
                first(),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(2, 9, full, taken),
            ],
        ),
        // Refused alone too: it is not for want of room.
        (
            Status::Ok,
            Some(2),
            "the server takes 2 sessions of this host at once",
            vec![
                first(),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(2, 9, full, full),
            ],
        ),
        (
            Status::Unknown,
            Some(3),
            "of 3 sessions at once 1 had no answer, and alone had one",
            vec![
                first(),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(2, 9, mute, taken),
            ],
        ),
        (
            Status::Warn,
            Some(3),
            "each on a connection of its own: a further connection gets no greeting",
            vec![
                first(),
                had(2, 9, taken),
                twice(2, 9, mute, taken),
                twice(2, 9, mute, taken),
            ],
        ),
        (
            Status::Warn,
            Some(3),
            "each on a connection of its own: on a further connection Accept-Session did not arrive in time",
            vec![
                first(),
                had(2, 9, taken),
                twice(2, 9, unanswered, taken),
                twice(2, 9, unanswered, taken),
            ],
        ),
        (
            Status::Unknown,
            Some(3),
            "of 3 sessions at once one failed, and no time was left to see whether it fails alone: a further one is refused with Accept 5",
            vec![
                first(),
                had(2, 9, taken),
                had(2, 9, taken),
                twice(2, 9, full, cut),
            ],
        ),
    ]
}

#[test]
fn sessions_at_once_are_those_that_the_server_had_at_the_same_time() {
    let cases = overlaps().into_iter().chain(failures());
    for (status, at_once, finding, all) in cases {
        let said = judged(&all);
        assert_eq!(said.status, status, "{finding}: {said:?}");
        assert!(said.finding.contains(finding), "{finding}: {said:?}");
        let expected = at_once.map(serde_json::Value::from);
        assert_eq!(said.data.get("at_once"), expected.as_ref(), "{finding}");
    }
}

#[test]
fn a_session_is_held_from_its_acceptance_to_its_last_packet() {
    let of = |quirks: Quirks| {
        let server = QuirkyServer::start(quirks);
        let ask = DialogueAsk {
            server: server.at,
            ..ask(&ANY_PORT)
        };
        let plan = ask.plan(&Keys::default(), Duration::from_mins(1));
        run_dialogue(&plan, &|| true, &|| false)
    };
    let taken = of(HONEST);
    let held = taken.held.unwrap();
    assert!(taken.begun < held.from && held.to <= taken.begun + taken.took);
    // Three packets, one every 10 ms.
    assert!(held.to.since(held.from) >= Duration::from_millis(20));
    let refused = of(Quirks {
        accept: 5,
        ..HONEST
    });
    assert_eq!(refused.held, None);
}
