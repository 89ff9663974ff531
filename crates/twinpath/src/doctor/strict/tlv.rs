//! STAMP's TLVs: their flags, unknown types, chains of many (RFC 8972 section 4).

use twinpath_wire::{TlvFlags, TlvType};

use super::datagrams::{Datagrams, Gate};
use super::form::{Form, raw_tlv, tlv};
use super::heard::{Heard, SeenTlv};
use super::{Outcome, Part, Trial, Trials};

const U: u8 = TlvFlags::UNRECOGNIZED.0;

/// Not assigned, for experiments, reserved (RFC 8972 section 5.1).
const UNKNOWN: [TlvType; 5] = [
    TlvType(175),
    TlvType(200),
    TlvType(245),
    TlvType(0),
    TlvType(255),
];
/// TLVs of a long chain.
const MANY: usize = 300;
/// Replies that are asked for at once: little, should they come.
const ASKED_REPLIES: u16 = 4;

pub(super) static PART: Part = Part {
    name: "STAMP TLVs",
    trials: Trials::Datagrams(GATE, TRIALS),
};

pub(super) const GATE: Gate = Gate {
    form: Form::Tlvs,
    subject: |subjects, _| subjects.stamp.ok_or("STAMP is not answered"),
    closed,
};

/// A reflector without extensions copies TLVs as they come (RFC 8972 section 4); one that demands an HMAC
/// processes none without (section 4.8).
fn closed(heard: &Heard<'_>) -> Option<&'static str> {
    let reply = heard.replies.first()?;
    match heard.tlvs(&reply.octets).first() {
        None => Some("replies end before their TLVs"),
        Some(tlv) if tlv.flags.has(TlvFlags::UNRECOGNIZED) => {
            Some("TLVs are copied and not processed")
        }
        Some(tlv) if tlv.flags.has(TlvFlags::INTEGRITY) => {
            Some("TLVs are refused without a right HMAC (flag I)")
        }
        Some(_) => None,
    }
}

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.tlv.unknown",
        rfc: 8972,
        section: "4",
        sends: "TLVs of the unknown types 175, 200, 245, 0 and 255",
        how: Datagrams {
            packets: |maker| {
                let each = (200..).zip(UNKNOWN);
                each.map(|(number, kind)| maker.with_chain(number, &tlv(kind, &[0x3c; 8])))
                    .collect()
            },
            judge: all_unknown,
        },
    },
    Trial {
        id: "strict.tlv.unknown-without-u",
        rfc: 8972,
        section: "4",
        sends: "a TLV of an unknown type whose U flag is 0",
        how: Datagrams {
            packets: |maker| {
                vec![maker.with_chain(210, &raw_tlv(0, TlvType(200), 4, &[1, 2, 3, 4]))]
            },
            judge: all_unknown,
        },
    },
    Trial {
        id: "strict.tlv.flags",
        rfc: 8972,
        section: "4",
        sends: "Extra Padding with the flags M, I, and the reserved ones set",
        how: Datagrams {
            packets: |maker| {
                let each = (220..).zip([0xc0, 0xa0, 0x81, 0xe0]);
                each.map(|(number, flags)| {
                    let padding = raw_tlv(flags, TlvType::EXTRA_PADDING, 4, &[9; 4]);
                    maker.with_chain(number, &padding)
                })
                .collect()
            },
            judge: |heard| heard.each_chain(|_, back| each_has(back, &[0])),
        },
    },
    Trial {
        id: "strict.tlv.padding",
        rfc: 8972,
        section: "4.1",
        sends: "Extra Padding of 1, 64 and 1000 octets that are not zero",
        how: Datagrams {
            packets: |maker| {
                let each = (230..).zip([1, 64, 1000]);
                each.map(|(number, octets)| maker.with_chain(number, &padding(octets)))
                    .collect()
            },
            judge: |heard| heard.each_chain(|sent, back| copied_with(sent, back, &[0])),
        },
    },
    Trial {
        id: "strict.tlv.empty",
        rfc: 8972,
        section: "4",
        sends: "Extra Padding of Length 0, then an unknown TLV of Length 0",
        how: Datagrams {
            packets: |maker| {
                let chain = [padding(0), tlv(TlvType(200), &[])].concat();
                vec![maker.with_chain(240, &chain)]
            },
            judge: |heard| heard.each_chain(|sent, back| copied_with(sent, back, &[0, U])),
        },
    },
    Trial {
        id: "strict.tlv.repeated",
        rfc: 8972,
        section: "4",
        sends: "three Extra Padding TLVs in one packet",
        how: Datagrams {
            packets: |maker| {
                let chain = [padding(4), padding(12), padding(1)].concat();
                vec![maker.with_chain(250, &chain)]
            },
            judge: |heard| heard.each_chain(|sent, back| copied_with(sent, back, &[0, 0, 0])),
        },
    },
    Trial {
        id: "strict.tlv.between",
        rfc: 8972,
        section: "4",
        sends: "an unknown TLV between two known ones: the second is processed",
        how: Datagrams {
            packets: |maker| {
                let chain = [padding(4), tlv(TlvType(200), &[7; 5]), padding(8)].concat();
                vec![maker.with_chain(260, &chain)]
            },
            judge: |heard| heard.each_chain(|sent, back| copied_with(sent, back, &[0, U, 0])),
        },
    },
    Trial {
        id: "strict.tlv.many",
        rfc: 8972,
        section: "4",
        sends: "300 TLVs of Length 0 in one packet, known and unknown by turns",
        how: Datagrams {
            packets: |maker| {
                let pair = [padding(0), tlv(TlvType(200), &[])].concat();
                vec![maker.with_chain(270, &pair.repeat(MANY / 2))]
            },
            judge: |heard| heard.each_chain(|sent, back| copied_with(sent, back, &[0, U])),
        },
    },
    Trial {
        id: "strict.tlv.counters",
        rfc: 8972,
        section: "4.5",
        sends: "Direct Measurement whose reflector counters are not zero",
        how: Datagrams {
            packets: |maker| {
                let value = [[0, 0, 0, 77], [0xee; 4], [0xee; 4]].concat();
                vec![maker.with_chain(280, &tlv(TlvType::DIRECT_MEASUREMENT, &value))]
            },
            judge: |heard| supported(heard, own_counters),
        },
    },
    Trial {
        id: "strict.tlv.cos-reserved",
        rfc: 8972,
        section: "4.4",
        sends: "Class of Service whose Reserved field is not zero",
        how: Datagrams {
            packets: |maker| {
                let value = [0, 0, 0xff, 0xff];
                vec![maker.with_chain(290, &tlv(TlvType::CLASS_OF_SERVICE, &value))]
            },
            judge: |heard| supported(heard, |_, back| zero_from(back, 2)),
        },
    },
    Trial {
        id: "strict.tlv.access-report",
        rfc: 8972,
        section: "4.6",
        sends: "an Access Report with a Return Code and Reserved fields that are not zero",
        how: Datagrams {
            packets: |maker| {
                let value = [0x1f, 2, 0xff, 0xff];
                vec![maker.with_chain(300, &tlv(TlvType::ACCESS_REPORT, &value))]
            },
            judge: |heard| supported(heard, same_report),
        },
    },
    Trial {
        id: "strict.tlv.many-replies",
        rfc: 10_052,
        section: "5",
        sends: "Reflected Test Packet Control that asks for 4 replies, without authentication",
        how: Datagrams {
            packets: |maker| {
                let mut value = vec![0, 100];
                value.extend(ASKED_REPLIES.to_be_bytes());
                value.extend(1_000_000_u32.to_be_bytes());
                value.extend([0, 0, 0, 0]);
                vec![maker.with_chain(310, &tlv(TlvType::REFLECTED_CONTROL, &value))]
            },
            judge: one_reply,
        },
    },
];

/// Extra Padding of octets that are not zero.
pub(super) fn padding(octets: usize) -> Vec<u8> {
    let value: Vec<u8> = (1..=251).cycle().take(octets).collect();
    tlv(TlvType::EXTRA_PADDING, &value)
}

/// The flags are these, over and over.
pub(super) fn each_has(back: &[SeenTlv<'_>], flags: &[u8]) -> Result<(), Outcome> {
    let mut each = back.iter().zip(flags.iter().cycle());
    each.try_for_each(|(tlv, flags)| tlv.has_flags(*flags))
}

/// All values come back, with these flags.
pub(super) fn copied_with(
    sent: &[SeenTlv<'_>],
    back: &[SeenTlv<'_>],
    flags: &[u8],
) -> Result<(), Outcome> {
    each_has(back, flags)?;
    let mut each = back.iter().zip(sent);
    each.try_for_each(|(tlv, sent)| tlv.has_value_of(sent))
}

fn all_unknown(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|sent, back| copied_with(sent, back, &[U]))
}

/// As `wrong` says, unless the TLV is not supported.
fn supported(
    heard: &Heard<'_>,
    wrong: fn(&SeenTlv<'_>, &SeenTlv<'_>) -> Result<(), Outcome>,
) -> Outcome {
    heard.each_chain(|sent, back| match (sent.first(), back.first()) {
        (_, Some(back)) if back.flags.has(TlvFlags::UNRECOGNIZED) => {
            Err(Outcome::skipped("the TLV is not supported"))
        }
        (Some(sent), Some(back)) => {
            back.has_flags(0)?;
            wrong(sent, back)
        }
        _ => Err(Outcome::fail("the TLV does not come back")),
    })
}

/// S_TxC is copied, and the reflector's own are not what the sender wrote there.
fn own_counters(sent: &SeenTlv<'_>, back: &SeenTlv<'_>) -> Result<(), Outcome> {
    if back.value.get(..4) != sent.value.get(..4) {
        return Err(Outcome::fail("the sender's counter comes back changed"));
    }
    if back.value.get(4..8) == sent.value.get(4..8)
        || back.value.get(8..12) == sent.value.get(8..12)
    {
        return Err(Outcome::fail(
            "the reflector's counters come back as the sender wrote them",
        ));
    }
    Ok(())
}

fn same_report(sent: &SeenTlv<'_>, back: &SeenTlv<'_>) -> Result<(), Outcome> {
    let access = |tlv: &SeenTlv<'_>| tlv.value.first().map(|octet| octet >> 4);
    if access(sent) != access(back) || sent.value.get(1) != back.value.get(1) {
        return Err(Outcome::fail("Access ID or Return Code come back changed"));
    }
    zero_from(back, 2)
}

/// Reserved octets are zero on transmission.
fn zero_from(back: &SeenTlv<'_>, at: usize) -> Result<(), Outcome> {
    let reserved = back.value.get(at..).unwrap_or_default();
    if reserved.iter().all(|octet| *octet == 0) {
        return Ok(());
    }
    Err(Outcome::fail(format!(
        "the Reserved octets of the TLV of type {} come back as {}",
        back.kind.0,
        super::heard::hex(reserved)
    )))
}

/// It is disabled by default: one reply, unless an operator enabled it for this host.
fn one_reply(heard: &Heard<'_>) -> Outcome {
    let Some(request) = heard.requests.first() else {
        return Outcome::unclear("nothing was sent");
    };
    match heard.replies_to(request).count() {
        0 => Outcome::fail("not answered, plain packets are").by_silence(),
        1 => Outcome::pass("one reply"),
        replies => Outcome::unclear(format!(
            "{replies} replies: enabled without authentication, and forged sources can use it"
        )),
    }
}
