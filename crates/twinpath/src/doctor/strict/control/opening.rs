//! Greeting, Set-Up-Response and Server-Start (RFC 4656 section 3.1).

use super::messages::set_up;
use super::{ACCEPT_SESSION, READ_SESSION, REQUEST, accepted, messages, open, refused};
use crate::doctor::strict::dialogues::Dialogue;
use crate::doctor::strict::form::put;
use crate::doctor::strict::steps::{Step, Transcript, named};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

/// Feature bits that RFCs define.
const FEATURES: u32 = 16 | 32 | 64 | 256 | 512;
const SECURED: u32 = 2 | 4 | 8;

pub(crate) static PART: Part = Part {
    name: "TWAMP-Control set-up",
    trials: Trials::Dialogues(TRIALS),
};

static TRIALS: &[Trial<Dialogue>] = &[
    Trial {
        id: "strict.control.mode-none",
        rfc: 4656,
        section: "3.1",
        sends: "a Set-Up-Response of Mode 0",
        how: Dialogue {
            opening: |_| Some(set_up(0)),
            steps: &[],
            judge: declined,
        },
    },
    Trial {
        id: "strict.control.mode-several",
        rfc: 4656,
        section: "3.1",
        sends: "a Set-Up-Response of two security modes",
        how: Dialogue {
            opening: |modes| Some(set_up(if modes & 3 == 1 { 1 | 2 } else { 1 | 4 })),
            steps: &[],
            judge: declined,
        },
    },
    Trial {
        id: "strict.control.mode-not-offered",
        rfc: 4656,
        section: "3.1",
        sends: "a Set-Up-Response of a security mode that is not offered",
        how: Dialogue {
            opening: |modes| {
                let mut each = [1, 2, 4, 8].into_iter();
                each.find(|mode| modes & mode == 0).map(set_up)
            },
            steps: &[],
            judge: declined,
        },
    },
    Trial {
        id: "strict.control.mode-unassigned",
        rfc: 4656,
        section: "3.1",
        sends: "the unauthenticated mode with unassigned mode bits, which are ignored",
        how: Dialogue {
            opening: |modes| (modes & 1 != 0).then(|| set_up(1 | 0x4010_0000)),
            steps: &[],
            judge: went_on,
        },
    },
    Trial {
        id: "strict.control.feature-not-offered",
        rfc: 5938,
        section: "3.1",
        sends: "the unauthenticated mode with a feature that is not offered",
        how: Dialogue {
            opening: |modes| {
                let missing = FEATURES & !modes;
                let lowest = missing & missing.wrapping_neg();
                (modes & 1 != 0 && lowest != 0).then(|| set_up(1 | lowest))
            },
            steps: &[],
            judge: |seen| match seen.start_accept() {
                Some(0) => Outcome::unclear(
                    "accepted: the ends may differ in whether the feature is in use",
                ),
                Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                None => declined(seen),
            },
        },
    },
    Trial {
        id: "strict.control.unused-fields",
        rfc: 4656,
        section: "3.1",
        sends: "the unauthenticated mode with KeyID, Token and Client-IV, which are not used",
        how: Dialogue {
            opening: |modes| {
                (modes & 1 != 0).then(|| {
                    let mut message = set_up(1);
                    put(&mut message, 4, &[0xc3; 160]);
                    message
                })
            },
            steps: &[],
            judge: went_on,
        },
    },
    Trial {
        id: "strict.control.unknown-key",
        rfc: 4656,
        section: "3.1",
        sends: "a secured mode with an unknown KeyID and a random Token",
        how: Dialogue {
            opening: |modes| {
                let secured = modes & SECURED;
                (secured != 0).then(|| {
                    let mut message = set_up(secured & secured.wrapping_neg());
                    put(&mut message, 4, b"twinpath-conformance");
                    put(&mut message, 84, &[0x9d; 80]);
                    message
                })
            },
            steps: &[],
            judge: |seen| match seen.start_accept() {
                Some(0) => Outcome::fail("accepted: any Token opens the server"),
                Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
                None => declined(seen),
            },
        },
    },
    Trial {
        id: "strict.control.start-zeros",
        rfc: 4656,
        section: "3.1",
        sends: "an ordinary set-up; the MBZ octets of the Server-Start must be zero",
        how: Dialogue {
            opening: open,
            steps: &[],
            judge: start_zeros,
        },
    },
    Trial {
        id: "strict.control.pieces",
        rfc: 4656,
        section: "3",
        sends: "a Request-TW-Session in three pieces",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| piece(seen, 0, 1)),
                Step::Pause(PIECES_APART),
                Step::Write(|seen| piece(seen, 1, 60)),
                Step::Pause(PIECES_APART),
                Step::Write(|seen| piece(seen, 60, 112)),
                READ_SESSION,
            ],
            judge: |seen| accepted(seen, 0),
        },
    },
    Trial {
        id: "strict.control.together",
        rfc: 4656,
        section: "3.5",
        sends: "two Request-TW-Session messages at once: each is answered, in order",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| {
                    let odd = messages::request_with(seen, messages::CONF_SENDER, &[1]);
                    [odd, messages::request(seen)].concat()
                }),
                READ_SESSION,
                READ_SESSION,
            ],
            judge: in_order,
        },
    },
    Trial {
        id: "strict.control.cut-off",
        rfc: 4656,
        section: "3",
        sends: "half a Request-TW-Session, then the end of the connection",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| piece(seen, 0, 56)),
                Step::CloseHalf,
                Step::Read(1),
            ],
            judge: |seen| match (seen.accept(0), seen.is_closed(0)) {
                (Some(_), _) => Outcome::fail("half a message is answered"),
                (None, true) => Outcome::pass("the connection is closed without an answer"),
                (None, false) => {
                    Outcome::unclear("no answer, and the connection stays open for now")
                }
            },
        },
    },
    Trial {
        id: "strict.control.half-closed",
        rfc: 4656,
        section: "3.5",
        sends: "a whole Request-TW-Session, then the end of this side of the connection",
        how: Dialogue {
            opening: open,
            steps: &[REQUEST, Step::CloseHalf, READ_SESSION],
            judge: |seen| match seen.octets(0).len() {
                ACCEPT_SESSION.. => Outcome::pass("answered"),
                _ if seen.is_closed(0) => {
                    Outcome::unclear("the connection is closed without an answer")
                }
                _ => Outcome::unclear("no answer"),
            },
        },
    },
    Trial {
        id: "strict.control.command-unknown",
        rfc: 5357,
        section: "3.5",
        sends: "a message of the unassigned Command Number 200",
        how: Dialogue {
            opening: open,
            steps: &[Step::Write(|_| messages::command(200, 112)), READ_SESSION],
            judge: |seen| refused(seen, 0, Some(3)),
        },
    },
    Trial {
        id: "strict.control.command-forbidden",
        rfc: 5357,
        section: "3.5",
        sends: "a message of the forbidden Command Number 1, OWAMP's Request-Session",
        how: Dialogue {
            opening: open,
            steps: &[Step::Write(|_| messages::command(1, 112)), READ_SESSION],
            judge: |seen| refused(seen, 0, Some(3)),
        },
    },
    Trial {
        id: "strict.control.command-reserved",
        rfc: 5357,
        section: "3.5",
        sends: "messages of the reserved Command Number 0",
        how: Dialogue {
            opening: open,
            steps: &[Step::Write(|_| messages::command(0, 112)), READ_SESSION],
            judge: |seen| refused(seen, 0, Some(3)),
        },
    },
];

/// Between pieces of a message, so that they are pieces on the wire.
const PIECES_APART: std::time::Duration = std::time::Duration::from_millis(60);

/// A part of a request.
fn piece(seen: &Transcript, from: usize, to: usize) -> Vec<u8> {
    let message = messages::request(seen);
    message.get(from..to).unwrap_or_default().to_vec()
}

/// The server does not go on: it closes, or refuses.
pub(super) fn declined(seen: &Transcript) -> Outcome {
    match seen.start_accept() {
        Some(0) => Outcome::fail("accepted"),
        Some(accept) => Outcome::pass(format!("refused with Accept {}", named(accept))),
        None if seen.start.is_closed => Outcome::pass("the connection is closed"),
        None => Outcome::unclear("no answer, and the connection stays open for now"),
    }
}

/// The server accepts.
fn went_on(seen: &Transcript) -> Outcome {
    match seen.start_accept() {
        Some(0) => Outcome::pass("accepted"),
        Some(accept) => Outcome::fail(format!("refused with Accept {}", named(accept))),
        None if seen.start.is_closed => Outcome::fail("the connection is closed"),
        None => Outcome::fail("no answer").by_silence(),
    }
}

pub(super) fn start_zeros(seen: &Transcript) -> Outcome {
    if seen.start_accept() != Some(0) {
        return went_on(seen);
    }
    let octets = &seen.start.octets;
    let mut fields = [octets.get(..15), octets.get(40..48)].into_iter();
    let is_zero = |field: &[u8]| field.iter().all(|octet| *octet == 0);
    if fields.all(|field| field.is_some_and(is_zero)) {
        Outcome::pass("all are zero")
    } else {
        Outcome::fail("MBZ octets of the Server-Start are not zero")
    }
}

/// The first is refused, the second accepted.
fn in_order(seen: &Transcript) -> Outcome {
    match (seen.accept(0), seen.accept(1)) {
        (Some(0), _) => Outcome::fail("the first answer accepts what must be refused"),
        (Some(_), Some(0)) => Outcome::pass("both are answered, in order"),
        (Some(_), Some(_)) if seen.ordinary != Some(0) => {
            Outcome::unclear("ordinary requests are not accepted either")
        }
        (Some(_), Some(accept)) => Outcome::fail(format!(
            "the second request is refused with Accept {}",
            named(accept)
        )),
        (Some(_), None) if seen.is_closed(1) => Outcome::unclear(
            "the connection is closed after the first was refused, which it SHOULD not be",
        ),
        (None, _) | (_, None) => Outcome::fail("not each request is answered").by_silence(),
    }
}
