//! Errors in TLVs.

use super::*;

/// Where the first TLV begins.
const BASE: usize = 44;

/// Flags of the TLV at this offset behind the base packet, in a request to which this reply belongs.
fn flags(reply: &mut [u8], at: usize) -> &mut u8 {
    &mut reply[BASE + at]
}

fn is_type(request: &[u8], at: usize, kind: u8) -> bool {
    has_tlvs(request) && request.get(BASE + at + 1) == Some(&kind)
}

/// Length of the first TLV.
fn length(request: &[u8]) -> usize {
    let octets = request
        .get(BASE + 2..)
        .and_then(<[u8]>::first_chunk)
        .copied();
    octets.map_or(0, u16::from_be_bytes).into()
}

/// Takes a wrong Length of this type for right.
fn careless_with(kind: u8, right: usize, id: &'static [&'static str]) -> Error {
    fails(
        "takes a wrong Length for right",
        id,
        changing(move |request, reply| {
            if is_type(request, 0, kind) && length(request) != right && request.len() < 80 {
                *flags(reply, 0) = 0;
            }
        }),
    )
}

pub(super) fn all() -> Vec<Error> {
    let mut all = flags_of_tlvs();
    all.extend(chains_of_tlvs());
    all.extend(values());
    all.extend(lengths());
    all
}

fn flags_of_tlvs() -> Vec<Error> {
    vec![
        fails(
            "takes an unassigned type for understood",
            &["strict.tlv.unknown"],
            changing(|request, reply| {
                if is_type(request, 0, 175) {
                    *flags(reply, 0) = 0;
                }
            }),
        ),
        fails(
            "changes the value of an unknown TLV",
            &["strict.tlv.unknown"],
            changing(|request, reply| {
                if is_type(request, 0, 245) {
                    reply[BASE + 5] = 0;
                }
            }),
        ),
        fails(
            "sets U only where the sender did",
            &["strict.tlv.unknown-without-u"],
            changing(|request, reply| {
                if is_type(request, 0, 200) && request[BASE] == 0 {
                    *flags(reply, 0) = 0;
                }
            }),
        ),
        fails(
            "returns the sender's reserved flags",
            &["strict.tlv.flags"],
            changing(|request, reply| {
                if is_type(request, 0, 1) {
                    *flags(reply, 0) |= request[BASE] & 1;
                }
            }),
        ),
        fails(
            "returns zeros for long padding",
            &["strict.tlv.padding"],
            changing(|request, reply| {
                if is_type(request, 0, 1) && length(request) == 1000 {
                    reply[BASE + 4..].fill(0);
                }
            }),
        ),
        fails(
            "takes a Length of 0 for wrong",
            &["strict.tlv.empty", "strict.tlv.many"],
            changing(|request, reply| {
                if is_type(request, 0, 1) && length(request) == 0 {
                    *flags(reply, 0) = 0x40;
                }
            }),
        ),
    ]
}

fn chains_of_tlvs() -> Vec<Error> {
    vec![
        fails(
            "takes a second TLV of a type for unknown",
            &["strict.tlv.repeated"],
            changing(|request, reply| {
                if is_type(request, 0, 1) && is_type(request, 8, 1) && length(request) == 4 {
                    *flags(reply, 8) = 0x80;
                }
            }),
        ),
        fails(
            "stops at an unknown TLV",
            &["strict.tlv.between"],
            changing(|request, reply| {
                if is_type(request, 8, 200) && is_type(request, 17, 1) {
                    *flags(reply, 17) = 0x80;
                }
            }),
        ),
        fails(
            "cannot take many TLVs",
            &["strict.tlv.many"],
            silent_to(|request| has_tlvs(request) && request.len() == BASE + 1200),
        ),
        unclear(
            "sends as many replies as it is asked for",
            &["strict.tlv.many-replies"],
            Box::new(|request, replies| {
                let times = if is_type(request, 0, 12) { 4 } else { 1 };
                (0..times).flat_map(|_| replies.clone()).collect()
            }),
        ),
        fails(
            "does not answer a type that it does not allow",
            &["strict.tlv.many-replies"],
            silent_to(|request| is_type(request, 0, 12)),
        ),
    ]
}

fn values() -> Vec<Error> {
    vec![
        fails(
            "leaves its counters as they come",
            &["strict.tlv.counters"],
            changing(|request, reply| {
                if is_type(request, 0, 5) && length(request) == 12 {
                    reply[BASE + 8..].copy_from_slice(&request[BASE + 8..]);
                }
            }),
        ),
        fails(
            "returns Reserved octets of Class of Service",
            &["strict.tlv.cos-reserved"],
            changing(|request, reply| {
                if is_type(request, 0, 4) && length(request) == 4 {
                    reply[BASE + 6..].copy_from_slice(&request[BASE + 6..]);
                }
            }),
        ),
        fails(
            "changes a Return Code",
            &["strict.tlv.access-report"],
            changing(|request, reply| {
                if is_type(request, 0, 6) && length(request) == 4 {
                    reply[BASE + 5] = 1;
                }
            }),
        ),
    ]
}

fn lengths() -> Vec<Error> {
    vec![
        fails(
            "cuts a TLV that runs past the end",
            &["strict.tlv.past-end"],
            changing(|request, reply| {
                if is_type(request, 0, 1) && length(request) == 60_008 {
                    *flags(reply, 0) = 0;
                }
            }),
        ),
        unclear(
            "looks at no Length of an unknown type",
            &["strict.tlv.unknown-past-end"],
            changing(|request, reply| {
                if is_type(request, 0, 200) && length(request) == 100 {
                    *flags(reply, 0) = 0x80;
                }
            }),
        ),
        fails(
            "goes on after a malformed TLV",
            &["strict.tlv.after-malformed"],
            changing(|request, reply| {
                if is_type(request, 8, 4) {
                    *flags(reply, 15) = 0;
                }
            }),
        ),
        fails(
            "fills what has no header with zeros",
            &["strict.tlv.no-header"],
            changing(|request, reply| {
                if is_type(request, 0, 1) && request.len() == BASE + 10 {
                    reply[BASE + 8..].fill(0);
                }
            }),
        ),
        careless_with(2, 4, &["strict.tlv.location-length"]),
        careless_with(3, 4, &["strict.tlv.timestamp-information-length"]),
        careless_with(4, 4, &["strict.tlv.cos-length"]),
        careless_with(5, 12, &["strict.tlv.direct-measurement-length"]),
        careless_with(6, 4, &["strict.tlv.access-report-length"]),
        careless_with(7, 16, &["strict.tlv.follow-up-length"]),
    ]
}
