//! Individual Session Control (RFC 5938).

use super::{READ_SESSION, REQUEST, messages, not_made, with_features};
use crate::doctor::strict::dialogues::Dialogue;
use crate::doctor::strict::exchange::{DUE, Packet};
use crate::doctor::strict::steps::{PACKET, Step, Transcript, UNANSWERED, named};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

const INDIVIDUAL: u32 = 16;
/// A session that does not exist.
const UNKNOWN: [u8; 16] = [0xd0; 16];
/// An acknowledgement about one session, and its parts.
const ACK: usize = 48;
const SID: usize = 16;
const START_ACK: u8 = 8;
const STOP_ACK: u8 = 10;

const START_FIRST: Step = Step::Write(|seen| messages::about(7, &[seen.sid(0)]));
const STOP_FIRST: Step = Step::Write(|seen| messages::about(9, &[seen.sid(0)]));
/// A packet of the second session.
const OTHER: Step = Step::Packet(Packet {
    session: 1,
    to: 1,
    from: 1,
    ..DUE
});

pub(crate) static PART: Part = Part {
    name: "TWAMP-Control of individual sessions",
    trials: Trials::Dialogues(TRIALS),
};

fn individual(modes: u32) -> Option<Vec<u8>> {
    with_features(modes, INDIVIDUAL)
}

static TRIALS: &[Trial<Dialogue>] = &[
    Trial {
        id: "strict.individual.start",
        rfc: 5938,
        section: "3.3",
        sends: "Start-N-Sessions of an accepted session, and a test packet of it",
        how: Dialogue {
            opening: individual,
            steps: &[REQUEST, READ_SESSION, START_FIRST, Step::Read(ACK), PACKET],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| {
                    acknowledged(seen, 1, START_ACK, seen.sid(0), true).unwrap_or_else(|| {
                        if seen.packets == [true] {
                            Outcome::pass("acknowledged, and the packet is answered")
                        } else {
                            Outcome::fail("acknowledged, and the packet is not answered")
                                .by_silent_packets()
                        }
                    })
                })
            },
        },
    },
    Trial {
        id: "strict.individual.start-again",
        rfc: 5938,
        section: "3.3",
        sends: "Start-N-Sessions of a session twice, and a test packet of it",
        how: Dialogue {
            opening: individual,
            steps: &[
                REQUEST,
                READ_SESSION,
                START_FIRST,
                Step::Read(ACK),
                START_FIRST,
                Step::Read(ACK),
                PACKET,
            ],
            judge: start_again,
        },
    },
    Trial {
        id: "strict.individual.stop-again",
        rfc: 5938,
        section: "3.5",
        sends: "Stop-N-Sessions of a started session twice",
        how: Dialogue {
            opening: individual,
            steps: &[
                REQUEST,
                READ_SESSION,
                START_FIRST,
                Step::Read(ACK),
                STOP_FIRST,
                Step::Read(ACK),
                STOP_FIRST,
                Step::Read(ACK),
            ],
            judge: stop_again,
        },
    },
    Trial {
        id: "strict.individual.stop-one",
        rfc: 5938,
        section: "3.4",
        sends: "Stop-N-Sessions of one of two started sessions, and a test packet of the other before and after",
        how: Dialogue {
            opening: individual,
            steps: &[
                REQUEST,
                READ_SESSION,
                Step::Write(messages::second_request),
                READ_SESSION,
                Step::Write(|seen| messages::about(7, &[seen.sid(0), seen.sid(1)])),
                Step::Read(ACK + SID),
                OTHER,
                STOP_FIRST,
                Step::Read(ACK),
                OTHER,
            ],
            judge: stop_one,
        },
    },
    Trial {
        id: "strict.individual.start-unknown",
        rfc: 5938,
        section: "3.3",
        sends: "Start-N-Sessions of an unknown session",
        how: Dialogue {
            opening: individual,
            steps: &[
                Step::Write(|_| messages::about(7, &[UNKNOWN])),
                Step::Read(ACK),
            ],
            judge: |seen| {
                acknowledged(seen, 0, START_ACK, UNKNOWN, false)
                    .unwrap_or_else(|| Outcome::pass("refused"))
            },
        },
    },
    Trial {
        id: "strict.individual.stop-unknown",
        rfc: 5938,
        section: "3.5",
        sends: "Stop-N-Sessions of an unknown session",
        how: Dialogue {
            opening: individual,
            steps: &[
                Step::Write(|_| messages::about(9, &[UNKNOWN])),
                Step::Read(ACK),
            ],
            judge: |seen| {
                acknowledged(seen, 0, STOP_ACK, UNKNOWN, false)
                    .unwrap_or_else(|| Outcome::pass("refused"))
            },
        },
    },
    Trial {
        id: "strict.individual.none",
        rfc: 5938,
        section: "3.2",
        sends: "Start-N-Sessions of 0 sessions",
        how: Dialogue {
            opening: individual,
            steps: &[Step::Write(|_| messages::about(7, &[])), Step::Read(32)],
            judge: not_affirmed,
        },
    },
    Trial {
        id: "strict.individual.huge",
        rfc: 5938,
        section: "3.2",
        sends: "the beginning of a Start-N-Sessions of 4294967295 sessions",
        how: Dialogue {
            opening: individual,
            steps: &[
                Step::Write(|_| {
                    let mut message = messages::command(7, 12);
                    message.extend([0xff; 4]);
                    message
                }),
                Step::Listen,
                Step::CloseHalf,
                Step::Read(32),
            ],
            judge: |seen| {
                if seen.accept(0).is_some() {
                    return not_affirmed(seen);
                }
                Outcome::pass(if seen.is_closed(0) {
                    "the connection is closed"
                } else {
                    "no answer to a message that is not whole"
                })
            },
        },
    },
    Trial {
        id: "strict.individual.start-sessions",
        rfc: 5938,
        section: "3.1",
        sends: "Start-Sessions, which must not be used in this mode",
        how: Dialogue {
            opening: individual,
            steps: &[
                REQUEST,
                READ_SESSION,
                Step::Write(messages::start),
                Step::Read(32),
                UNANSWERED,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match (seen.accept(1), &seen.packets[..]) {
                    (_, [true]) => Outcome::fail("the session is started by it"),
                    (Some(0), _) => Outcome::fail("answered with Accept 0"),
                    (Some(accept), _) => {
                        Outcome::pass(format!("refused with Accept {}", named(accept)))
                    }
                    (None, _) if seen.is_closed(1) => Outcome::pass("the connection is closed"),
                    (None, _) => Outcome::unclear("no answer"),
                })
            },
        },
    },
    Trial {
        id: "strict.individual.request-started",
        rfc: 5938,
        section: "3.1",
        sends: "a request while a session is started, which this mode allows",
        how: Dialogue {
            opening: individual,
            steps: &[
                REQUEST,
                READ_SESSION,
                START_FIRST,
                Step::Read(ACK),
                Step::Write(messages::second_request),
                READ_SESSION,
            ],
            judge: |seen| {
                not_made(seen, 0).unwrap_or_else(|| match seen.accept(2) {
                    Some(0) => Outcome::pass("accepted"),
                    Some(accept @ (4 | 5)) => {
                        Outcome::unclear(format!("refused with Accept {}", named(accept)))
                    }
                    Some(accept) => Outcome::fail(format!("refused with Accept {}", named(accept))),
                    None => Outcome::fail("no answer").by_silence(),
                })
            },
        },
    },
];

/// The answer to a repeated command is about the session too; whether it is affirmed is left open.
fn start_again(seen: &Transcript) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    if acknowledged(seen, 1, START_ACK, seen.sid(0), true).is_some() {
        return Outcome::unclear("the session is not started");
    }
    match about(seen, 2, START_ACK, seen.sid(0)) {
        Err(outcome) => outcome,
        Ok(accept) if seen.packets == [true] => Outcome::pass(format!(
            "the second is answered with Accept {}, and the session goes on",
            named(accept)
        )),
        Ok(_) => Outcome::fail("the session's packet is not answered").by_silent_packets(),
    }
}

fn stop_again(seen: &Transcript) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    if acknowledged(seen, 1, START_ACK, seen.sid(0), true).is_some() {
        return Outcome::unclear("the session is not started");
    }
    if let Some(outcome) = acknowledged(seen, 2, STOP_ACK, seen.sid(0), true) {
        return outcome;
    }
    about(seen, 3, STOP_ACK, seen.sid(0)).map_or_else(
        |outcome| outcome,
        |accept| {
            Outcome::pass(format!(
                "the second is answered with Accept {}",
                named(accept)
            ))
        },
    )
}

fn stop_one(seen: &Transcript) -> Outcome {
    if let Some(outcome) = not_made(seen, 0) {
        return outcome;
    }
    match (seen.accept(1), &seen.packets[..]) {
        (Some(0), [true, true]) => Outcome::pass("the other session goes on"),
        (Some(0), [true, false]) => {
            Outcome::fail("the other session is stopped too").by_silent_packets()
        }
        (Some(0), _) => Outcome::unclear("the other session is not answered before either"),
        (Some(_) | None, _) => Outcome::skipped("the server makes no second session"),
    }
}

/// `None` where the answer at this place acknowledges the session, or refuses it, as it must.
fn acknowledged(
    seen: &Transcript,
    place: usize,
    command: u8,
    sid: [u8; 16],
    is_affirmed: bool,
) -> Option<Outcome> {
    if seen.octets(place).is_empty() && seen.is_closed(place) && !is_affirmed {
        return Some(Outcome::unclear(
            "the connection is closed without an answer",
        ));
    }
    match about(seen, place, command, sid) {
        Err(outcome) => Some(outcome),
        Ok(accept) if (accept == 0) != is_affirmed => Some(Outcome::fail(format!(
            "acknowledged with Accept {}",
            named(accept)
        ))),
        Ok(_) => None,
    }
}

/// The Accept of the answer at this place, if that is whole and about the session.
fn about(seen: &Transcript, place: usize, command: u8, sid: [u8; 16]) -> Result<u8, Outcome> {
    let octets = seen.octets(place);
    let (Some(found), Some(accept)) = (octets.first(), octets.get(1)) else {
        return Err(Outcome::fail("no acknowledgement").by_silence());
    };
    if octets.len() < ACK {
        return Err(Outcome::fail(format!(
            "an acknowledgement of {} octets, and {ACK} are due",
            octets.len()
        )));
    }
    if *found != command {
        return Err(Outcome::fail(format!(
            "an answer of Command Number {found}, not {command}"
        )));
    }
    if octets.get(16..32) != Some(&sid[..]) {
        return Err(Outcome::fail(
            "the acknowledgement is about another session",
        ));
    }
    Ok(*accept)
}

/// A command about no session is not affirmed.
fn not_affirmed(seen: &Transcript) -> Outcome {
    let octets = seen.octets(0);
    match (octets.first(), octets.get(1)) {
        (Some(&START_ACK), Some(0)) => Outcome::fail("acknowledged with Accept 0"),
        (Some(_), _) => Outcome::pass("refused"),
        (None, _) if seen.is_closed(0) => Outcome::pass("the connection is closed"),
        (None, _) => Outcome::unclear("no answer"),
    }
}
