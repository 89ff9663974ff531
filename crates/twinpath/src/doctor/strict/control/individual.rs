//! Individual Session Control (RFC 5938).

use super::{READ_SESSION, REQUEST, messages, not_made, with_features};
use crate::doctor::strict::dialogues::Dialogue;
use crate::doctor::strict::steps::{PACKET, Step, Transcript, UNANSWERED, named};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

const INDIVIDUAL: u32 = 16;
/// A session that does not exist.
const UNKNOWN: [u8; 16] = [0xd0; 16];
/// An acknowledgement about one session, and its parts.
const ACK: usize = 48;
const START_ACK: u8 = 8;
const STOP_ACK: u8 = 10;

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
            steps: &[
                REQUEST,
                READ_SESSION,
                Step::Write(|seen| messages::about(7, &[seen.sid(0)])),
                Step::Read(ACK),
                PACKET,
            ],
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
                Step::Write(|seen| messages::about(7, &[seen.sid(0)])),
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

/// `None` where the answer at this place acknowledges the session, or refuses it, as it must.
fn acknowledged(
    seen: &Transcript,
    place: usize,
    command: u8,
    sid: [u8; 16],
    is_affirmed: bool,
) -> Option<Outcome> {
    let octets = seen.octets(place);
    let (Some(found), Some(accept)) = (octets.first(), octets.get(1)) else {
        return Some(if seen.is_closed(place) && !is_affirmed {
            Outcome::unclear("the connection is closed without an answer")
        } else {
            Outcome::fail("no acknowledgement").by_silence()
        });
    };
    if octets.len() < ACK {
        return Some(Outcome::fail(format!(
            "an acknowledgement of {} octets, and {ACK} are due",
            octets.len()
        )));
    }
    if *found != command {
        return Some(Outcome::fail(format!(
            "an answer of Command Number {found}, not {command}"
        )));
    }
    if octets.get(16..32) != Some(&sid[..]) {
        return Some(Outcome::fail(
            "the acknowledgement is about another session",
        ));
    }
    if (*accept == 0) != is_affirmed {
        return Some(Outcome::fail(format!(
            "acknowledged with Accept {}",
            named(*accept)
        )));
    }
    None
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
