//! STAMP's authenticated mode, with the far end's key (RFC 8762 sections 4.2.2, 4.3.2 and 4.4).

use twinpath_wire::{TlvFlags, TlvType};

use super::datagrams::{Datagrams, Gate, open};
use super::form::{Form, Maker, put, tlv};
use super::heard::{Heard, same_length};
use super::tlv::{each_has, padding};
use super::tlv_hmac::{all_failed, wrong};
use super::{Outcome, Part, Trial, Trials, plain};

const U: u8 = TlvFlags::UNRECOGNIZED.0;

pub(super) static PART: Part = Part {
    name: "STAMP, authenticated",
    trials: Trials::Datagrams(
        Gate {
            form: Form::Authenticated,
            subject: |subjects, keys| {
                let far = subjects
                    .authenticated
                    .filter(|far| keys.stamp(*far).is_some());
                far.ok_or("no key is given (--hmac-key)")
            },
            closed: open,
        },
        TRIALS,
    ),
};

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.authenticated.wrong-hmac",
        rfc: 8762,
        section: "4.4",
        sends: "packets whose HMAC is zero, and differs in its first and its last bit",
        how: Datagrams {
            packets: |maker| {
                let flipped = |number, at: usize, bit: u8| {
                    let mut packet = maker.base(number);
                    if let Some(octet) = packet.get_mut(at) {
                        *octet ^= bit;
                    }
                    packet
                };
                vec![
                    maker.unsealed(600),
                    flipped(601, 96, 0x80),
                    flipped(602, 111, 1),
                ]
            },
            judge: |heard| unproven(heard, "a wrong HMAC is not verified"),
        },
    },
    Trial {
        id: "strict.authenticated.changed",
        rfc: 8762,
        section: "4.4",
        sends: "packets whose number, MBZ, time, Error Estimate, SSID and last octet were changed after the HMAC was made",
        how: Datagrams {
            packets: |maker| {
                let changed = |(number, at)| {
                    let mut packet = maker.base(number);
                    put(&mut packet, at, &[0xee]);
                    packet
                };
                [
                    (610, 0),
                    (611, 8),
                    (612, 17),
                    (613, 25),
                    (614, 27),
                    (615, 95),
                ]
                .map(changed)
                .to_vec()
            },
            judge: |heard| unproven(heard, "the HMAC does not cover all of the packet"),
        },
    },
    Trial {
        id: "strict.authenticated.short",
        rfc: 8762,
        section: "4.2.2",
        sends: "authenticated packets cut to 96 and 111 octets",
        how: Datagrams {
            packets: |maker| {
                let cut = |(number, octets)| {
                    let mut packet = maker.base(number);
                    packet.truncate(octets);
                    packet
                };
                [(620, 96), (621, 111)].map(cut).to_vec()
            },
            judge: |heard| unproven(heard, "answered without an HMAC"),
        },
    },
    Trial {
        id: "strict.authenticated.mbz",
        rfc: 8762,
        section: "4.2.2",
        sends: "a packet of a right HMAC whose MBZ octets are not zero",
        how: Datagrams {
            packets: |maker| vec![maker.changed(630, |packet| put(packet, 28, &[0xb7; 68]))],
            judge: |heard| heard.each(same_length),
        },
    },
    Trial {
        id: "strict.authenticated.reply-hmac",
        rfc: 8762,
        section: "4.4",
        sends: "two packets; the replies' own HMAC must be right",
        how: Datagrams {
            packets: plain::two,
            judge: sealed,
        },
    },
    Trial {
        id: "strict.authenticated.copies",
        rfc: 8762,
        section: "4.3",
        sends: "the same packet three times",
        how: Datagrams {
            packets: plain::copies,
            judge: |heard| match heard.replies.len() {
                0 => Outcome::fail("not answered, plain packets are").by_silence(),
                replies => Outcome::pass(format!(
                    "{replies} replies to {} copies: the RFC leaves replays open",
                    heard.requests.len()
                )),
            },
        },
    },
    Trial {
        id: "strict.authenticated.number-wrap",
        rfc: 8762,
        section: "4.3.2",
        sends: "Sequence Numbers 2^32 - 2, 2^32 - 1, 0 and 1",
        how: Datagrams {
            packets: plain::wrapped_numbers,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.authenticated.time",
        rfc: 8762,
        section: "4.3.2",
        sends: "a Timestamp of zeros, one of ones, and the year 2076",
        how: Datagrams {
            packets: plain::odd_times,
            judge: plain::each_is_answered,
        },
    },
    Trial {
        id: "strict.authenticated.reply-zeros",
        rfc: 8762,
        section: "4.3.2",
        sends: "two packets; the replies' MBZ octets must be zero",
        how: Datagrams {
            packets: plain::two,
            judge: plain::zeros,
        },
    },
    Trial {
        id: "strict.authenticated.loop",
        rfc: 8762,
        section: "4.3",
        sends: "a reply in place of a request, with a right HMAC",
        how: Datagrams {
            packets: plain::reply_as_request,
            judge: plain::no_loop,
        },
    },
    Trial {
        id: "strict.authenticated.padding-alone",
        rfc: 8972,
        section: "4.8",
        sends: "one Extra Padding TLV, which needs no HMAC TLV",
        how: Datagrams {
            packets: |maker| vec![maker.with_chain(640, &padding(8))],
            judge: |heard| heard.each_chain(|_, back| each_has(back, &[0])),
        },
    },
    Trial {
        id: "strict.authenticated.no-hmac-tlv",
        rfc: 8972,
        section: "4.8",
        sends: "an unknown TLV without an HMAC TLV, which it needs",
        how: Datagrams {
            packets: |maker| vec![maker.with_chain(650, &tlv(TlvType(200), &[0x3c; 4]))],
            judge: |heard| {
                heard.each_chain(|_, back| match back.first() {
                    Some(tlv) if tlv.flags.has(TlvFlags::INTEGRITY) => Ok(()),
                    Some(tlv) if tlv.flags.0 == U => Err(Outcome::unclear(
                        "it comes back with U: what lacks its HMAC is not said to have failed",
                    )),
                    _ => Err(Outcome::unclear(
                        "it comes back as if it was verified: the RFC does not say what becomes of it",
                    )),
                })
            },
        },
    },
    Trial {
        id: "strict.authenticated.hmac-tlv",
        rfc: 8972,
        section: "4.8",
        sends: "an unknown TLV and its HMAC TLV",
        how: Datagrams {
            packets: |maker| vec![maker.with_signed_chain(660, &tlv(TlvType(200), &[0x3c; 4]))],
            judge: |heard| heard.each_chain(|_, back| each_has(back, &[U, 0])),
        },
    },
    Trial {
        id: "strict.authenticated.wrong-hmac-tlv",
        rfc: 8972,
        section: "4.8",
        sends: "an unknown TLV and an HMAC TLV of a wrong digest",
        how: Datagrams {
            packets: |maker: &Maker| {
                vec![maker.with_chain(670, &wrong(&tlv(TlvType(200), &[0x3c; 4])))]
            },
            judge: all_failed,
        },
    },
];

/// No authenticated reply. What is answered as an unauthenticated packet was not taken for an authenticated one.
fn unproven(heard: &Heard<'_>, what: &str) -> Outcome {
    let mut requests = heard.requests.iter();
    if requests.any(|request| heard.replies_to(request).next().is_some()) {
        return Outcome::fail(format!("{what}: an authenticated reply came"));
    }
    match heard.replies.len() {
        0 => Outcome::pass("no answer").by_silence(),
        replies => Outcome::pass(format!(
            "no authenticated answer; {replies} of {} answered as unauthenticated packets",
            heard.requests.len()
        )),
    }
}

/// Each reply's own HMAC is right.
fn sealed(heard: &Heard<'_>) -> Outcome {
    heard.each(|_, reply| match heard.key {
        Some(key) if key.opens(&reply.octets) => Ok(()),
        Some(_) => Err(Outcome::fail("the reply's HMAC is wrong")),
        None => Err(Outcome::unclear("no key")),
    })
}
