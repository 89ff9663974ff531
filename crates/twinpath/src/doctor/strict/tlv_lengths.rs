//! STAMP's TLVs with a wrong Length (RFC 8972 sections 4 and 6).

use twinpath_wire::{TlvFlags, TlvType};

use super::datagrams::Datagrams;
use super::form::{Maker, raw_tlv, tlv};
use super::heard::{Heard, SeenTlv, same_length};
use super::tlv::{GATE, padding};
use super::{Outcome, Part, Trial, Trials};

const U: u8 = TlvFlags::UNRECOGNIZED.0;
const M: u8 = TlvFlags::MALFORMED.0;

pub(super) static PART: Part = Part {
    name: "STAMP TLVs of a wrong Length",
    trials: Trials::Datagrams(GATE, TRIALS),
};

/// A trial of a TLV with these Lengths, none of which its type allows.
macro_rules! wrong_length {
    ($id:literal, $section:literal, $sends:literal, $kind:expr, $first:literal, $lengths:expr) => {
        Trial {
            id: $id,
            rfc: 8972,
            section: $section,
            sends: $sends,
            how: Datagrams {
                packets: |maker| of_lengths(maker, $kind, $first, &$lengths),
                judge: malformed,
            },
        }
    };
}

static TRIALS: &[Trial<Datagrams>] = &[
    Trial {
        id: "strict.tlv.past-end",
        rfc: 8972,
        section: "4",
        sends: "TLVs whose Length runs past the end, by 1 octet and by 60000",
        how: Datagrams {
            packets: |maker| {
                let with = |(number, length)| {
                    let broken = raw_tlv(U, TlvType::EXTRA_PADDING, length, &[0x66; 8]);
                    maker.with_chain(number, &broken)
                };
                [(400, 9), (401, 60_008)].map(with).to_vec()
            },
            judge: malformed,
        },
    },
    Trial {
        id: "strict.tlv.unknown-past-end",
        rfc: 8972,
        section: "4",
        sends: "a TLV of an unknown type whose Length runs past the end",
        how: Datagrams {
            packets: |maker| {
                vec![maker.with_chain(405, &raw_tlv(U, TlvType(200), 100, &[0x66; 8]))]
            },
            judge: malformed_or_unknown,
        },
    },
    Trial {
        id: "strict.tlv.after-malformed",
        rfc: 8972,
        section: "4",
        sends: "a malformed TLV after a right one and before another",
        how: Datagrams {
            packets: |maker| {
                let broken = tlv(TlvType::CLASS_OF_SERVICE, &[1, 2, 3]);
                let chain = [padding(4), broken, padding(8)].concat();
                vec![maker.with_chain(410, &chain)]
            },
            judge: rest_copied,
        },
    },
    Trial {
        id: "strict.tlv.no-header",
        rfc: 8972,
        section: "4",
        sends: "1, 2 and 3 octets behind a TLV, too few for another",
        how: Datagrams {
            packets: |maker| {
                let with = |(number, octets)| {
                    let rest: Vec<u8> = vec![U; octets];
                    maker.with_chain(number, &[padding(4), rest].concat())
                };
                [(420, 1), (421, 2), (422, 3)].map(with).to_vec()
            },
            judge: |heard| {
                heard.each(|request, reply| {
                    same_length(request, reply)?;
                    let behind = heard.layout.base + 8;
                    if request.get(behind..) == reply.octets.get(behind..) {
                        return Ok(());
                    }
                    Err(Outcome::fail("the octets behind the TLV come back changed"))
                })
            },
        },
    },
    wrong_length!(
        "strict.tlv.location-length",
        "4.2",
        "Location of Length 0 and 3, too short",
        TlvType::LOCATION,
        430,
        [0, 3]
    ),
    wrong_length!(
        "strict.tlv.timestamp-information-length",
        "4.3",
        "Timestamp Information of Length 0 and 3, too short",
        TlvType::TIMESTAMP_INFORMATION,
        440,
        [0, 3]
    ),
    wrong_length!(
        "strict.tlv.cos-length",
        "4.4",
        "Class of Service of Length 0, 3 and 5, not 4",
        TlvType::CLASS_OF_SERVICE,
        450,
        [0, 3, 5]
    ),
    wrong_length!(
        "strict.tlv.direct-measurement-length",
        "4.5",
        "Direct Measurement of Length 0, 11 and 13, not 12",
        TlvType::DIRECT_MEASUREMENT,
        460,
        [0, 11, 13]
    ),
    wrong_length!(
        "strict.tlv.access-report-length",
        "4.6",
        "an Access Report of Length 0, 3 and 5, not 4",
        TlvType::ACCESS_REPORT,
        470,
        [0, 3, 5]
    ),
    wrong_length!(
        "strict.tlv.follow-up-length",
        "4.7",
        "Follow-Up Telemetry of Length 0, 15 and 17, not 16",
        TlvType::FOLLOW_UP_TELEMETRY,
        480,
        [0, 15, 17]
    ),
];

fn of_lengths(maker: &Maker, kind: TlvType, first: u32, lengths: &[usize]) -> Vec<Vec<u8>> {
    let each = (first..).zip(lengths);
    each.map(|(number, octets)| maker.with_chain(number, &tlv(kind, &vec![0; *octets])))
        .collect()
}

/// M in each TLV; a type that is not supported has U, and its Length is not known to be wrong.
fn malformed(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|_, back| match back.first() {
        Some(tlv) if tlv.length <= tlv.value.len() && tlv.flags.0 == U => {
            Err(Outcome::skipped("the TLV is not supported"))
        }
        Some(tlv) => is_malformed(tlv),
        None => Err(Outcome::fail("the TLV does not come back")),
    })
}

fn malformed_or_unknown(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|sent, back| {
        let both = back.iter().zip(sent);
        for (back, sent) in both {
            back.has_value_of(sent)?;
            if back.flags.0 & (U | M) == 0 {
                return Err(Outcome::fail("it comes back with neither U nor M"));
            }
            if !back.flags.has(TlvFlags::MALFORMED) {
                return Err(Outcome::unclear(
                    "it comes back with U alone, and its Length is wrong too",
                ));
            }
        }
        Ok(())
    })
}

/// M is set. Whether U is beside it is left open.
fn is_malformed(tlv: &SeenTlv<'_>) -> Result<(), Outcome> {
    if tlv.flags.0 & !U == M {
        return Ok(());
    }
    tlv.has_flags(M)
}

/// What follows a malformed TLV is copied as it came.
fn rest_copied(heard: &Heard<'_>) -> Outcome {
    heard.each_chain(|sent, back| {
        let [first, broken, rest] = back else {
            return Err(Outcome::fail("the TLVs do not come back"));
        };
        if broken.flags.0 == U {
            return Err(Outcome::skipped("Class of Service is not supported"));
        }
        first.has_flags(0)?;
        is_malformed(broken)?;
        if let Some(sent) = sent.last() {
            rest.has_flags(sent.flags.0)?;
            rest.has_value_of(sent)?;
        }
        Ok(())
    })
}
