//! Set-up, commands and HMACs in the secured modes (RFC 4656 sections 3.1 to 3.4 and 6.10, RFC 5618).

use twinpath_proto::security::Passphrase;
use twinpath_wire::control::SecurityMode;

use super::opening::{declined, start_zeros};
use super::{
    ACCEPT_SESSION, READ_SESSION, READ_START, REQUEST, START, START_ACK, accepted, messages,
    not_made, refused,
};
use crate::doctor::strict::form::put;
use crate::doctor::strict::in_mode::{InMode, TOKEN};
use crate::doctor::strict::steps::{PACKET, Step, Transcript};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

/// Bits of modes of which one is chosen.
const SECURITY: u32 = 15;
/// Reads a Start-Ack, or the longer message that says that a command is unknown.
const READ_ANSWER: Step = READ_SESSION;
/// Reads whether the connection is dropped.
const READ_END: Step = Step::Read(1);
const SECOND_REQUEST: Step = Step::Write(messages::second_request);

/// A trial of this mode.
macro_rules! trial {
    ($mode:expr, $id:expr, $section:literal, $sends:literal, $set_up:expr, $steps:expr, $judge:expr) => {
        Trial {
            id: $id,
            rfc: 4656,
            section: $section,
            sends: $sends,
            how: InMode {
                mode: $mode,
                set_up: $set_up,
                steps: $steps,
                judge: $judge,
            },
        }
    };
}

/// The part of a mode. All modes have the same trials: they protect control connections alike.
macro_rules! part {
    ($part:ident, $name:literal, $mode:expr, $prefix:literal) => {
        pub(crate) static $part: Part = Part {
            name: $name,
            trials: Trials::InMode(&[
                trial!(
                    $mode,
                    concat!($prefix, "mode-none"),
                    "3.1",
                    "a Set-Up-Response of Mode 0, with a right KeyID and Token",
                    |draft| draft.mode = 0,
                    &[],
                    declined
                ),
                trial!(
                    $mode,
                    concat!($prefix, "mode-two"),
                    "3.1",
                    "a Set-Up-Response of two security modes, with a right KeyID and Token",
                    |draft| {
                        let other = draft.offered & SECURITY & !draft.mode;
                        let other = if other == 0 {
                            SECURITY & !draft.mode
                        } else {
                            other
                        };
                        draft.mode |= other & other.wrapping_neg();
                    },
                    &[],
                    declined
                ),
                trial!(
                    $mode,
                    concat!($prefix, "token-changed"),
                    "3.1",
                    "a Token with a changed bit in its first block",
                    |draft| {
                        draft.change = |message| {
                            if let Some(octet) = message.get_mut(TOKEN) {
                                *octet ^= 1;
                            }
                        };
                    },
                    &[],
                    not_let_in
                ),
                trial!(
                    $mode,
                    concat!($prefix, "token-challenge"),
                    "3.1",
                    "a Token made with the right key for another Challenge",
                    |draft| draft.challenge = draft.challenge.map(|octet| octet ^ 0xff),
                    &[],
                    not_let_in
                ),
                trial!(
                    $mode,
                    concat!($prefix, "passphrase"),
                    "3.1",
                    "a Token made with another passphrase",
                    |draft| {
                        draft.passphrase =
                            Passphrase::new(b"not the passphrase of this key".to_vec());
                    },
                    &[],
                    not_let_in
                ),
                trial!(
                    $mode,
                    concat!($prefix, "key-unknown"),
                    "3.1",
                    "an unknown KeyID, with the Token of a known one",
                    |draft| put(&mut draft.key_id, 0, b"twinpath-conformance\0"),
                    &[],
                    not_let_in
                ),
                trial!(
                    $mode,
                    concat!($prefix, "key-empty"),
                    "3.1",
                    "a KeyID of zeros, with the Token of a known one",
                    |draft| draft.key_id = [0; 80],
                    &[],
                    not_let_in
                ),
                trial!(
                    $mode,
                    concat!($prefix, "start-zeros"),
                    "3.1",
                    "an ordinary set-up; the MBZ octets of the Server-Start must be zero",
                    |_| {},
                    &[],
                    start_zeros
                ),
                trial!(
                    $mode,
                    concat!($prefix, "answer-hmac"),
                    "3.2",
                    "an ordinary session; the HMACs of Accept-Session and Start-Ack must be right",
                    |_| {},
                    &[REQUEST, READ_SESSION, START, READ_START, PACKET],
                    answer_hmacs
                ),
                trial!(
                    $mode,
                    concat!($prefix, "request-hmac"),
                    "6.10",
                    "a Request-TW-Session whose HMAC has a changed bit",
                    |_| {},
                    &[
                        Step::Changed(messages::request, wrong_hmac),
                        READ_SESSION,
                        READ_END
                    ],
                    |seen| dropped(seen, 0, ACCEPT_SESSION)
                ),
                trial!(
                    $mode,
                    concat!($prefix, "request-changed"),
                    "6.10",
                    "a Request-TW-Session whose Sender Port was changed after its HMAC was made",
                    |_| {},
                    &[
                        Step::Changed(messages::request, |message| {
                            put(message, messages::SENDER_PORT, &[0x77, 0x77]);
                        }),
                        READ_SESSION,
                        READ_END
                    ],
                    |seen| dropped(seen, 0, ACCEPT_SESSION)
                ),
                trial!(
                    $mode,
                    concat!($prefix, "request-plain"),
                    "3.4",
                    "a Request-TW-Session that is not encrypted",
                    |_| {},
                    &[Step::Raw(messages::request), READ_SESSION, READ_END],
                    |seen| dropped(seen, 0, ACCEPT_SESSION)
                ),
                trial!(
                    $mode,
                    concat!($prefix, "start-hmac"),
                    "6.10",
                    "a Start-Sessions whose HMAC has a changed bit",
                    |_| {},
                    &[
                        REQUEST,
                        READ_SESSION,
                        Step::Changed(messages::start, wrong_hmac),
                        READ_ANSWER,
                        READ_END
                    ],
                    |seen| { not_made(seen, 0).unwrap_or_else(|| dropped(seen, 1, START_ACK)) }
                ),
                trial!(
                    $mode,
                    concat!($prefix, "stop-hmac"),
                    "6.10",
                    "a Stop-Sessions whose HMAC has a changed bit, then a request",
                    |_| {},
                    &[
                        REQUEST,
                        READ_SESSION,
                        START,
                        READ_START,
                        Step::Changed(messages::stop, wrong_hmac),
                        SECOND_REQUEST,
                        READ_SESSION,
                        READ_END
                    ],
                    |seen| {
                        not_made(seen, 0).unwrap_or_else(|| dropped(seen, 2, ACCEPT_SESSION))
                    }
                ),
                trial!(
                    $mode,
                    concat!($prefix, "request-replayed"),
                    "6.10",
                    "the octets of an accepted Request-TW-Session once more",
                    |_| {},
                    &[
                        REQUEST,
                        READ_SESSION,
                        Step::Raw(|seen| written(seen, 0)),
                        READ_SESSION,
                        READ_END
                    ],
                    |seen| {
                        not_made(seen, 0).unwrap_or_else(|| dropped(seen, 1, ACCEPT_SESSION))
                    }
                ),
                trial!(
                    $mode,
                    concat!($prefix, "start-replayed"),
                    "6.10",
                    "the octets of an acknowledged Start-Sessions once more",
                    |_| {},
                    &[
                        REQUEST,
                        READ_SESSION,
                        START,
                        READ_START,
                        Step::Raw(|seen| written(seen, 1)),
                        READ_ANSWER,
                        READ_END
                    ],
                    |seen| { not_made(seen, 0).unwrap_or_else(|| dropped(seen, 2, START_ACK)) }
                ),
                trial!(
                    $mode,
                    concat!($prefix, "command-unknown"),
                    "3.3",
                    "a message of the unassigned Command Number 200, with a right HMAC",
                    |_| {},
                    &[Step::Write(|_| messages::command(200, 112)), READ_SESSION],
                    |seen| refused(seen, 0, Some(3))
                ),
            ]),
        };
    };
}

part!(
    AUTHENTICATED,
    "TWAMP-Control, authenticated",
    SecurityMode::Authenticated,
    "strict.control-authenticated."
);
part!(
    ENCRYPTED,
    "TWAMP-Control, encrypted",
    SecurityMode::Encrypted,
    "strict.control-encrypted."
);
part!(
    MIXED,
    "TWAMP-Control, mixed",
    SecurityMode::Mixed,
    "strict.control-mixed."
);

/// Changes a bit of a message's HMAC.
fn wrong_hmac(message: &mut [u8]) {
    if let Some(last) = message.last_mut() {
        *last ^= 1;
    }
}

/// What was written, by its place.
fn written(seen: &Transcript, place: usize) -> Vec<u8> {
    seen.written.get(place).cloned().unwrap_or_default()
}

/// A client without the right key is not let in.
fn not_let_in(seen: &Transcript) -> Outcome {
    match seen.start_accept() {
        Some(0) => Outcome::fail("accepted: a client needs no key"),
        _ => declined(seen),
    }
}

/// Accept-Session and Start-Ack have right HMACs; the first covers the end of Server-Start too.
fn answer_hmacs(seen: &Transcript) -> Outcome {
    let octets = [seen.octets(0).len(), seen.octets(1).len()];
    if octets == [ACCEPT_SESSION, START_ACK] {
        return match seen.hmacs[..] {
            [true, true] => Outcome::pass("both are right"),
            [false, _] => Outcome::fail("the HMAC of the Accept-Session is wrong"),
            _ => Outcome::fail("the HMAC of the Start-Ack is wrong"),
        };
    }
    not_made(seen, 0).unwrap_or_else(|| accepted(seen, 1))
}

/// The connection is dropped instead of an answer of so many octets to a message of a wrong HMAC.
fn dropped(seen: &Transcript, place: usize, octets: usize) -> Outcome {
    let is_answered = seen.octets(place).len() == octets && seen.hmacs.get(place) == Some(&true);
    match seen.accept(place) {
        Some(0) if is_answered => Outcome::fail("answered with Accept 0, as if the HMAC was right"),
        _ if seen.is_closed(place) || seen.is_closed(place + 1) => {
            Outcome::pass("the connection is dropped")
        }
        Some(_) => {
            Outcome::fail("answered, and the connection goes on: it must be dropped").by_silence()
        }
        None => Outcome::fail("no answer, and the connection stays open: it must be dropped")
            .by_silence(),
    }
}
