//! TWAMP Light reflectors (RFC 5357 sections 4.1.2, 4.2 and appendix I).

use super::datagrams::{Datagrams, Gate, open};
use super::form::{Form, Maker, put};
use super::heard::Heard;
use super::{Outcome, Part, Trial, Trials, plain};

/// The shortest request, and the longest reply to one that is shorter than a reply: TWAMP's has 41 octets, STAMP's
/// 44 (RFC 8762 section 4.6).
const SHORTEST: usize = 14;
const REPLY: usize = 41;
const STAMP_REPLY: usize = 44;

pub(super) static PART: Part = Part {
    name: "TWAMP Light",
    trials: Trials::Datagrams(
        Gate {
            form: Form::Light,
            subject: |subjects, _| subjects.light.ok_or("TWAMP Light is not answered"),
            closed: open,
        },
        TRIALS,
    ),
};

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.light.short",
        rfc: 5357,
        section: "4.1.2",
        sends: "payloads of 0 to 13 octets, shorter than any request",
        how: Datagrams {
            packets: |maker| (0..SHORTEST).map(|octets| sized(maker, octets)).collect(),
            judge: |heard| heard.nothing("a payload of less than 14 octets is answered"),
        },
    },
    Trial {
        id: "strict.light.shortest",
        rfc: 5357,
        section: "4.2.1",
        sends: "requests of 14, 15 and 40 octets, shorter than a reply",
        how: Datagrams {
            packets: |maker| [14, 15, 40].map(|octets| sized(maker, octets)).to_vec(),
            judge: whole_reply,
        },
    },
    Trial {
        id: "strict.light.sizes",
        rfc: 5357,
        section: "4.2.1",
        sends: "requests of 41, 42, 43, 44, 100 and 1400 octets",
        how: Datagrams {
            packets: |maker| {
                let sizes = [41, 42, 43, 44, 100, 1400];
                sizes.map(|octets| sized(maker, octets)).to_vec()
            },
            judge: equal_sizes,
        },
    },
    Trial {
        id: "strict.light.large",
        rfc: 5357,
        section: "4.2",
        sends: "requests of 1472, 2000 and 4000 octets, the longer ones in fragments",
        how: Datagrams {
            packets: |maker| {
                [1472, 2000, 4000]
                    .map(|octets| sized(maker, octets))
                    .to_vec()
            },
            judge: large,
        },
    },
    Trial {
        id: "strict.light.number-wrap",
        rfc: 4656,
        section: "4.1.2",
        sends: "Sequence Numbers 2^32 - 2, 2^32 - 1, 0 and 1",
        how: Datagrams {
            packets: plain::wrapped_numbers,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.light.number-order",
        rfc: 5357,
        section: "4.2",
        sends: "Sequence Numbers 7, 5, 6, 1000000 and 8",
        how: Datagrams {
            packets: plain::unordered_numbers,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.light.copies",
        rfc: 5357,
        section: "4.2",
        sends: "the same packet three times",
        how: Datagrams {
            packets: plain::copies,
            judge: plain::each_copy_is_answered,
        },
    },
    Trial {
        id: "strict.light.time",
        rfc: 5357,
        section: "4.2.1",
        sends: "a Timestamp of zeros, one of ones, and the year 2076",
        how: Datagrams {
            packets: plain::odd_times,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.light.multiplier",
        rfc: 4656,
        section: "4.1.2",
        sends: "Error Estimates with a Multiplier of 0",
        how: Datagrams {
            packets: plain::zero_multiplier,
            judge: plain::discarded_or_answered,
        },
    },
    Trial {
        id: "strict.light.error-bits",
        rfc: 8186,
        section: "2.3",
        sends: "S and Z bits in each combination, with times in the format that Z names",
        how: Datagrams {
            packets: plain::error_bits,
            judge: plain::own_format,
        },
    },
    Trial {
        id: "strict.light.reply-multiplier",
        rfc: 4656,
        section: "4.1.2",
        sends: "two packets; the replies' own Multiplier must not be 0",
        how: Datagrams {
            packets: plain::two,
            judge: plain::own_multiplier,
        },
    },
    Trial {
        id: "strict.light.reply-zeros",
        rfc: 5357,
        section: "4.2.1",
        sends: "two packets; the replies' MBZ octets must be zero",
        how: Datagrams {
            packets: plain::two,
            judge: plain::zeros,
        },
    },
    Trial {
        id: "strict.light.loop",
        rfc: 5357,
        section: "4.2",
        sends: "a reply in place of a request",
        how: Datagrams {
            packets: plain::reply_as_request,
            judge: plain::no_loop,
        },
    },
];

/// A packet cut or filled to this size. Its number tells it from the others.
fn sized(maker: &Maker, octets: usize) -> Vec<u8> {
    let mut packet = maker.plain(0);
    packet.resize(octets, 0x5a);
    let number = u32::try_from(octets).unwrap_or(0);
    put(&mut packet, 0, &number.to_be_bytes());
    packet
}

fn whole_reply(heard: &Heard<'_>) -> Outcome {
    heard.each(|request, reply| {
        let (sent, back) = (request.len(), reply.octets.len());
        match back {
            ..REPLY => Err(Outcome::fail(format!(
                "the reply to {sent} octets has {back}, and a reply has at least {REPLY}"
            ))),
            REPLY..=STAMP_REPLY => Ok(()),
            _ => Err(Outcome::unclear(format!(
                "the reply to {sent} octets has {back}: {REPLY} are enough"
            ))),
        }
    })
}

/// Equal sizes are a SHOULD.
fn equal_sizes(heard: &Heard<'_>) -> Outcome {
    heard.each(|request, reply| {
        let (sent, back) = (request.len(), reply.octets.len());
        if back < REPLY {
            return Err(Outcome::fail(format!(
                "the reply to {sent} octets has {back}, and a reply has at least {REPLY}"
            )));
        }
        if back == sent || (sent < STAMP_REPLY && back == STAMP_REPLY) {
            return Ok(());
        }
        Err(Outcome::unclear(format!(
            "the reply to {sent} octets has {back}: equal sizes are a SHOULD"
        )))
    })
}

/// A path may drop fragments.
fn large(heard: &Heard<'_>) -> Outcome {
    let outcome = heard.each(|_, _| Ok(()));
    if outcome.silent_at.is_some() {
        return Outcome::unclear(format!("{}: the path may drop them", outcome.evidence));
    }
    outcome
}
