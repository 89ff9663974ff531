//! The HMAC TLV in unauthenticated mode (RFC 8972 section 4.8).

use twinpath_wire::{TlvFlags, TlvType};

use super::datagrams::{Datagrams, Gate};
use super::form::{Form, Maker, put, tlv};
use super::heard::Heard;
use super::tlv::{GATE, each_has, padding};
use super::{Outcome, Part, Trial, Trials};

const U: u8 = TlvFlags::UNRECOGNIZED.0;
const I: u8 = TlvFlags::INTEGRITY.0;

/// A far end without a key does not understand the HMAC TLV: the same packets tell little.
pub(super) static PART: Part = Part {
    name: "STAMP HMAC TLV",
    trials: Trials::Datagrams(GATE, TRIALS),
};

/// With the far end's key.
pub(super) static KEYED: Part = Part {
    name: "STAMP HMAC TLV with the key",
    trials: Trials::Datagrams(
        Gate {
            form: Form::SignedTlvs,
            subject: |subjects, keys| match subjects.stamp {
                _ if keys.stamp.is_empty() => Err("no key is given (--hmac-key)"),
                None => Err("STAMP is not answered"),
                Some(far) if keys.stamp(far).is_none() => Err("no key is given for this far end"),
                Some(far) => Ok(far),
            },
            closed: no_common_key,
        },
        KEYED_TRIALS,
    ),
};

/// Digests of the given key are not verified there.
fn no_common_key(heard: &Heard<'_>) -> Option<&'static str> {
    let reply = heard.replies.first()?;
    let tlvs = heard.tlvs(&reply.octets);
    let Some(tlv) = tlvs.last().filter(|tlv| tlv.kind == TlvType::HMAC) else {
        return Some("the HMAC TLV does not come back");
    };
    if tlv.flags.has(TlvFlags::UNRECOGNIZED) {
        Some("the far end does not verify HMAC TLVs: it knows none, or has no key for this host")
    } else if tlv.flags.has(TlvFlags::INTEGRITY) {
        Some("the far end refuses HMAC TLVs made with the given key: its key is another one")
    } else {
        None
    }
}

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.tlv.hmac-wrong",
        rfc: 8972,
        section: "4.8",
        sends: "an HMAC TLV of a wrong digest behind Extra Padding and an unknown TLV",
        how: Datagrams {
            packets: |maker| vec![maker.with_chain(500, &wrong(&two()))],
            judge: refused,
        },
    },
    Trial {
        id: "strict.tlv.hmac-position",
        rfc: 8972,
        section: "4.8",
        sends: "an HMAC TLV before another TLV, where it must not be",
        how: Datagrams {
            packets: |maker| vec![maker.with_chain(510, &misplaced())],
            judge: refused,
        },
    },
    Trial {
        id: "strict.tlv.hmac-length",
        rfc: 8972,
        section: "4.8",
        sends: "an HMAC TLV of Length 15",
        how: Datagrams {
            packets: |maker| {
                let chain = [padding(4), tlv(TlvType::HMAC, &[0x4d; 15])].concat();
                vec![maker.with_chain(520, &chain)]
            },
            judge: |heard| {
                heard.each_chain(|_, back| match back.last() {
                    Some(tlv) if tlv.flags.0 != 0 => Ok(()),
                    _ => Err(Outcome::fail("it comes back without U, M or I")),
                })
            },
        },
    },
];

static KEYED_TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.tlv.hmac-right",
        rfc: 8972,
        section: "4.8",
        sends: "an HMAC TLV of the right digest behind Extra Padding and an unknown TLV",
        how: Datagrams {
            packets: |maker| vec![maker.with_signed_chain(530, &two())],
            judge: |heard| heard.each_chain(|_, back| each_has(back, &[0, U, 0])),
        },
    },
    Trial {
        id: "strict.tlv.hmac-reply",
        rfc: 8972,
        section: "4.8",
        sends: "a right HMAC TLV; the reply's own digest must be right",
        how: Datagrams {
            packets: |maker| vec![maker.with_signed_chain(535, &two())],
            judge: signed,
        },
    },
    Trial {
        id: "strict.tlv.hmac-wrong-digest",
        rfc: 8972,
        section: "4.8",
        sends: "an HMAC TLV of a wrong digest, to a far end that has the key",
        how: Datagrams {
            packets: |maker| vec![maker.with_chain(540, &wrong(&two()))],
            judge: all_failed,
        },
    },
    Trial {
        id: "strict.tlv.hmac-changed",
        rfc: 8972,
        section: "4.8",
        sends: "TLVs and Sequence Numbers that were changed after the digest was made",
        how: Datagrams {
            packets: changed,
            judge: all_failed,
        },
    },
    Trial {
        id: "strict.tlv.hmac-before-other",
        rfc: 8972,
        section: "4.8",
        sends: "a right digest before another TLV, where it must not be",
        how: Datagrams {
            packets: |maker| {
                let mut packet = maker.with_signed_chain(560, &padding(4));
                packet.extend(tlv(TlvType(200), &[1, 2, 3, 4]));
                vec![packet]
            },
            judge: all_failed,
        },
    },
    Trial {
        id: "strict.tlv.hmac-then-padding",
        rfc: 8972,
        section: "4.8",
        sends: "a right digest before Extra Padding, where it may be",
        how: Datagrams {
            packets: |maker| {
                let mut packet = maker.with_signed_chain(570, &tlv(TlvType(200), &[5; 4]));
                packet.extend(padding(8));
                vec![packet]
            },
            judge: |heard| heard.each_chain(|_, back| each_has(back, &[U, 0, 0])),
        },
    },
    Trial {
        id: "strict.tlv.hmac-twice",
        rfc: 8972,
        section: "4.8",
        sends: "two HMAC TLVs, of which the first is right",
        how: Datagrams {
            packets: |maker| {
                let mut packet = maker.with_signed_chain(580, &padding(4));
                packet.extend(tlv(TlvType::HMAC, &[0x11; 16]));
                vec![packet]
            },
            judge: all_failed,
        },
    },
];

/// Extra Padding and a TLV of an unknown type.
fn two() -> Vec<u8> {
    [padding(8), tlv(TlvType(200), &[0x3c; 4])].concat()
}

/// The chain with a wrong digest behind it.
pub(super) fn wrong(chain: &[u8]) -> Vec<u8> {
    [chain, &tlv(TlvType::HMAC, &[0xd1; 16])].concat()
}

fn misplaced() -> Vec<u8> {
    let hmac = tlv(TlvType::HMAC, &[0xd1; 16]);
    [padding(4), hmac, tlv(TlvType(200), &[0x3c; 4])].concat()
}

/// In a TLV that the digest covers, and in the number that it covers too.
fn changed(maker: &Maker) -> Vec<Vec<u8>> {
    let base = maker.form.layout().base;
    let mut value = maker.with_signed_chain(550, &two());
    put(&mut value, base + 4, &[0xff]);
    let mut number = maker.with_signed_chain(551, &two());
    put(&mut number, 0, &552_u32.to_be_bytes());
    vec![value, number]
}

/// The reply's digest is over its own Sequence Number and all TLVs before it.
fn signed(heard: &Heard<'_>) -> Outcome {
    heard.each(|_, reply| {
        let base = heard.layout.base;
        let digest_at = reply.octets.len().saturating_sub(16);
        let parts = (
            reply.octets.get(..4),
            reply.octets.get(base..digest_at.saturating_sub(4)),
            reply.octets.get(digest_at..).and_then(<[u8]>::first_chunk),
        );
        let (Some(key), (Some(number), Some(covered), Some(digest))) = (heard.key, parts) else {
            return Err(Outcome::fail("the reply has no HMAC TLV"));
        };
        if key.verify(&[number, covered], digest) {
            Ok(())
        } else {
            Err(Outcome::fail("the digest of the reply's HMAC TLV is wrong"))
        }
    })
}

/// I in each TLV, and their values as they came.
pub(super) fn all_failed(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|sent, back| {
        let marked = back.iter().find(|tlv| !tlv.flags.has(TlvFlags::INTEGRITY));
        if let Some(tlv) = marked {
            tlv.has_flags(I)?;
        }
        let mut each = back.iter().zip(sent);
        each.try_for_each(|(back, sent)| back.has_value_of(sent))
    })
}

/// I in each TLV, or the HMAC TLV is not understood for want of a key. As if it was right: fail.
fn refused(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|sent, back| {
        let hmac = back.iter().find(|tlv| tlv.kind == TlvType::HMAC);
        match hmac {
            Some(tlv) if tlv.flags.has(TlvFlags::INTEGRITY) => {
                let missing = back.iter().find(|tlv| !tlv.flags.has(TlvFlags::INTEGRITY));
                missing.map_or(Ok(()), |tlv| tlv.has_flags(I))
            }
            Some(tlv) if tlv.flags.has(TlvFlags::UNRECOGNIZED) => {
                let mut each = back.iter().zip(sent);
                each.try_for_each(|(back, sent)| back.has_value_of(sent))
            }
            Some(_) => Err(Outcome::fail(
                "the HMAC TLV comes back with neither I nor U, as if its digest was right",
            )),
            None => Err(Outcome::fail("the HMAC TLV does not come back")),
        }
    })
}
