//! Request-TW-Session with odd fields (RFC 5357 section 3.5).

use super::{
    ACCEPT_SESSION, READ_SESSION, REQUEST, accepted, messages, open, refused, with_features,
};
use crate::doctor::strict::dialogues::Dialogue;
use crate::doctor::strict::form::put;
use crate::doctor::strict::heard::hex;
use crate::doctor::strict::steps::{Step, Transcript, named};
use crate::doctor::strict::{Outcome, Part, Trial, Trials};

const REFLECT_OCTETS: u32 = 32;

pub(crate) static PART: Part = Part {
    name: "TWAMP-Control requests",
    trials: Trials::Dialogues(TRIALS),
};

/// A request with a field of other octets, and its answer.
macro_rules! odd_field {
    ($id:literal, $rfc:literal, $section:literal, $sends:literal, $at:expr, $field:expr, $judge:expr) => {
        Trial {
            id: $id,
            rfc: $rfc,
            section: $section,
            sends: $sends,
            how: Dialogue {
                opening: open,
                steps: &[
                    Step::Write(|seen| messages::request_with(seen, $at, &$field)),
                    READ_SESSION,
                ],
                judge: $judge,
            },
        }
    };
}

static TRIALS: &[Trial<Dialogue>] = &[
    odd_field!(
        "strict.control.conf-sender",
        5357,
        "3.5",
        "a request whose Conf-Sender is 1",
        messages::CONF_SENDER,
        [1],
        |seen| refused(seen, 0, Some(3))
    ),
    odd_field!(
        "strict.control.conf-receiver",
        5357,
        "3.5",
        "a request whose Conf-Receiver is 1",
        messages::CONF_RECEIVER,
        [1],
        |seen| refused(seen, 0, Some(3))
    ),
    odd_field!(
        "strict.control.ipvn",
        4656,
        "3.5",
        "a request of IP version 5",
        messages::IPVN,
        [5],
        |seen| odd_is_refused(
            seen,
            "accepted: zero addresses are of the connection's version"
        )
    ),
    odd_field!(
        "strict.control.slots",
        5357,
        "3.5",
        "a request of 3 schedule slots",
        messages::SLOTS,
        [0, 0, 0, 3],
        |seen| odd_is_refused(
            seen,
            "accepted: the server may wait for the slots, or ignore them"
        )
    ),
    odd_field!(
        "strict.control.packets",
        5357,
        "3.5",
        "a request of 1000 packets, where 0 is due",
        messages::PACKETS,
        [0, 0, 3, 0xe8],
        answered
    ),
    odd_field!(
        "strict.control.request-mbz",
        5357,
        "2",
        "a request whose MBZ octets are not zero",
        messages::MBZ,
        [0xff; 4],
        |seen| accepted(seen, 0)
    ),
    Trial {
        id: "strict.control.request-mbz-first",
        rfc: 5357,
        section: "2",
        sends: "a request whose MBZ bits beside the IP version are not zero",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| {
                    let version = messages::ip_version(seen);
                    messages::request_with(seen, messages::IPVN, &[0xf0 | version])
                }),
                READ_SESSION,
            ],
            judge: |seen| accepted(seen, 0),
        },
    },
    odd_field!(
        "strict.control.hmac-unused",
        4656,
        "3.2",
        "a request of an HMAC that is not zero, in the unauthenticated mode",
        messages::HMAC,
        [0x77; 16],
        |seen| accepted(seen, 0)
    ),
    odd_field!(
        "strict.control.sid",
        5357,
        "3.5",
        "a request with a SID, which the server makes itself",
        messages::SID,
        [0xab; 16],
        own_sid
    ),
    odd_field!(
        "strict.control.padding-huge",
        5357,
        "3.5",
        "a request of 4294967295 octets of padding",
        messages::PADDING,
        [0xff; 4],
        |seen| odd_is_refused(seen, "accepted, and no packet can have so much")
    ),
    odd_field!(
        "strict.control.type-p",
        4656,
        "3.5",
        "a request of a Type-P Descriptor of an undefined kind",
        messages::TYPE_P,
        [0xc0, 0, 0, 0],
        answered
    ),
    odd_field!(
        "strict.control.start-past",
        4656,
        "3.5",
        "a request whose Start Time is in 1970",
        messages::START_TIME,
        [0x83, 0xaa, 0x7e, 0x80],
        answered
    ),
    odd_field!(
        "strict.control.timeout-huge",
        5357,
        "3.5",
        "a request whose Timeout is 136 years",
        messages::TIMEOUT,
        [0xff; 8],
        answered
    ),
    Trial {
        id: "strict.control.receiver-foreign",
        rfc: 4656,
        section: "6.2",
        sends: "a request whose Receiver Address is that of a host that is not concerned",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| messages::request_for(seen, messages::RECEIVER_ADDRESS)),
                READ_SESSION,
            ],
            judge: |seen| refused(seen, 0, None),
        },
    },
    odd_field!(
        "strict.control.port-low",
        5357,
        "3.5",
        "a request for the Receiver Port 1",
        messages::RECEIVER_PORT,
        [0, 1],
        answered
    ),
    odd_field!(
        "strict.control.port-zero",
        5357,
        "3.5",
        "a request whose Sender Port is 0",
        messages::SENDER_PORT,
        [0, 0],
        answered
    ),
    Trial {
        id: "strict.control.after-refusal",
        rfc: 4656,
        section: "3.5",
        sends: "an ordinary request after one that is refused",
        how: Dialogue {
            opening: open,
            steps: &[
                Step::Write(|seen| messages::request_with(seen, messages::CONF_SENDER, &[1])),
                READ_SESSION,
                REQUEST,
                READ_SESSION,
            ],
            judge: |seen| match seen.accept(1) {
                Some(0) => Outcome::pass("accepted"),
                None if seen.is_closed(1) => Outcome::unclear(
                    "the connection is closed after a refusal, which it SHOULD not be",
                ),
                _ => accepted(seen, 1),
            },
        },
    },
    Trial {
        id: "strict.control.accept-zeros",
        rfc: 4656,
        section: "3.5",
        sends: "an ordinary request; the MBZ octets of the Accept-Session must be zero",
        how: Dialogue {
            opening: open,
            steps: &[REQUEST, READ_SESSION],
            judge: accept_zeros,
        },
    },
    Trial {
        id: "strict.control.reflected-octets",
        rfc: 6038,
        section: "4.2",
        sends: "a request of octets to be reflected, in the Reflect Octets mode",
        how: Dialogue {
            opening: |modes| with_features(modes, REFLECT_OCTETS),
            steps: &[
                Step::Write(|seen| {
                    messages::request_with(seen, messages::REFLECTED, &[0xbe, 0xef])
                }),
                READ_SESSION,
            ],
            judge: |seen| match (seen.accept(0), seen.octets(0).get(20..22)) {
                (Some(0), Some([0xbe, 0xef])) => Outcome::pass("they are in the answer"),
                (Some(0), octets) => Outcome::fail(format!(
                    "beef comes back as {}",
                    octets.map_or("nothing".to_owned(), hex)
                )),
                _ => accepted(seen, 0),
            },
        },
    },
    Trial {
        id: "strict.control.reflected-padding",
        rfc: 6038,
        section: "4.3",
        sends: "a request to reflect more padding than its packets have",
        how: Dialogue {
            opening: |modes| with_features(modes, REFLECT_OCTETS),
            steps: &[
                Step::Write(|seen| {
                    let mut message = messages::request(seen);
                    put(&mut message, messages::PADDING, &10_u32.to_be_bytes());
                    put(
                        &mut message,
                        messages::REFLECTED + 2,
                        &500_u16.to_be_bytes(),
                    );
                    message
                }),
                READ_SESSION,
            ],
            judge: |seen| refused(seen, 0, Some(3)),
        },
    },
];

/// The RFC wants an answer, and leaves open which.
fn answered(seen: &Transcript) -> Outcome {
    match seen.accept(0) {
        Some(0) => Outcome::pass("accepted"),
        Some(_) => refused(seen, 0, None),
        None if seen.is_closed(0) => Outcome::unclear("the connection is closed without an answer"),
        None => Outcome::fail("no answer").by_silence(),
    }
}

/// A refusal is right; the RFC does not demand it.
fn odd_is_refused(seen: &Transcript, if_accepted: &str) -> Outcome {
    if seen.accept(0) == Some(0) {
        return Outcome::unclear(if_accepted);
    }
    refused(seen, 0, None)
}

fn own_sid(seen: &Transcript) -> Outcome {
    match seen.accept(0) {
        Some(0) if seen.sid(0) == [0xab; 16] => {
            Outcome::fail("the session has the SID that the request brought")
        }
        Some(0) if seen.sid(0) == [0; 16] => Outcome::fail("the session has the SID 0"),
        Some(0) => Outcome::pass("the session has a SID of the server"),
        Some(accept) => Outcome::unclear(format!("refused with Accept {}", named(accept))),
        None => accepted(seen, 0),
    }
}

fn accept_zeros(seen: &Transcript) -> Outcome {
    let octets = seen.octets(0);
    if seen.accept(0) != Some(0) || octets.len() < ACCEPT_SESSION {
        return accepted(seen, 0);
    }
    let odd: Vec<usize> = std::iter::once(1)
        .chain(20..ACCEPT_SESSION)
        .filter(|at| octets.get(*at).is_some_and(|octet| *octet != 0))
        .collect();
    match odd.first() {
        None => Outcome::pass("all are zero"),
        Some(at) => Outcome::fail(format!("octet {at} of the Accept-Session is not zero")),
    }
}
