//! What the far end does with each of STAMP's TLVs (RFC 8972 section 4).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_runtime::probe::Reply;
use twinpath_wire::{self as wire, Tlv, TlvFlags, TlvType, Tlvs, Tos, Wall};

use super::copies::lost_too;
use crate::doctor::keyed::TlvsBack;
use crate::doctor::packets::PacketWriter;
use crate::doctor::train::TrainKind;
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};

/// Type, octets of its value, name: two packets for each, in this order.
const ASKED: [(TlvType, usize, &str); 9] = [
    (TlvType::EXTRA_PADDING, 16, "extra-padding"),
    (TlvType::LOCATION, 4, "location"),
    (TlvType::TIMESTAMP_INFORMATION, 4, "timestamp-information"),
    (TlvType::CLASS_OF_SERVICE, 4, "cos"),
    (TlvType::DIRECT_MEASUREMENT, 12, "direct-measurement"),
    (TlvType::ACCESS_REPORT, 4, "access-report"),
    (TlvType::FOLLOW_UP_TELEMETRY, 16, "follow-up-telemetry"),
    // Not assigned: RFC 8972 section 5.1.
    (TlvType(200), 4, "unknown"),
    // Its Length is wrong.
    (TlvType::CLASS_OF_SERVICE, 3, "malformed"),
];

static TLVS: TrainKind = TrainKind {
    name: "tlvs",
    count: 2 * ASKED.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |writer, number, now| (with_tlv(writer, number, now), Tos(0)),
};

fn with_tlv(writer: PacketWriter<'_>, number: u32, now: Wall) -> Vec<u8> {
    let place = usize::try_from(number).unwrap_or(0) % ASKED.len();
    let Some((kind, octets, _)) = ASKED.get(place).copied() else {
        return writer.base(number, now);
    };
    writer.with_tlv((number, now), kind, octets, |value| {
        // The least that a report has: an Access ID and a Return Code of 1.
        if kind == TlvType::ACCESS_REPORT
            && let [access_id, code, ..] = value
        {
            (*access_id, *code) = (1 << 4, 1);
        }
    })
}

/// One TLV, by its place in [`ASKED`].
pub(super) struct OfType {
    pub(super) id: &'static str,
    pub(super) place: usize,
}

/// What came back of a TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    NoReply,
    /// The reply ends before it.
    CutOff,
    /// It came back with these flags.
    Flags(TlvFlags),
    /// Octets that are no whole TLV came back in its place.
    Broken,
    /// Octets that are all zero came back in its place.
    Zeros,
    /// Another TLV came back in its place.
    Changed,
    /// The HMAC of the TLVs of an authenticated reply is missing or wrong.
    Unproven(&'static str),
}

impl Check for OfType {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        vec![(TLVS.name.to_owned(), TLVS.count)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        if seen.has_extensions() {
            seen.ask_subject(&TLVS)
        } else {
            Vec::new()
        }
    }

    fn judge(&self, seen: &Seen) -> Judged {
        if !seen.has_extensions() {
            return Judged::skipped("STAMP is not answered, or not with its Session Identifier");
        }
        let sent = seen.subject().and_then(|far| seen.train(far, &TLVS));
        let (Some(exchange), Some((kind, _, name))) = (sent, ASKED.get(self.place)) else {
            return Judged::skipped("no replies");
        };
        if !exchange.is_answered() {
            return silent(seen);
        }
        let mut both = [self.place, self.place + ASKED.len()].into_iter();
        let reply = both.find_map(|place| exchange.replies_to(place).next());
        let what = match *name {
            "unknown" => "a TLV of an unknown type".to_owned(),
            "malformed" => "a TLV with a wrong Length".to_owned(),
            name => format!("the TLV \"{name}\""),
        };
        if reply.is_none() && seen.is_lossy() {
            return lost_too(seen, &format!("no answer with {what}"));
        }
        let back = match reply {
            None => Back::NoReply,
            Some((reply, said)) => back(&exchange, (reply, &said), *kind),
        };
        let judged = match (*name, back) {
            (_, Back::NoReply) => Judged::warn(format!("a packet with {what} is not answered, and others are"))
                .advise("RFC 8972 section 4 wants an answer to each; measure without it"),
            (_, Back::CutOff) => Judged::warn(format!("{what} does not come back: replies end before it"))
                .advise("RFC 8972 section 4 wants all TLVs in the reply; the far end may know RFC 8762 alone"),
            (_, Back::Zeros) => Judged::warn(format!("{what} does not come back: zeros come in its place"))
                .advise("RFC 8972 section 4 wants all TLVs in the reply; the far end may know RFC 8762 alone"),
            (_, Back::Broken) => Judged::warn(format!("{what} does not come back: what replies have in its place is not a whole TLV"))
                .advise("report it to the vendor (RFC 8972 section 4)"),
            (_, Back::Changed) => Judged::fail(format!("another TLV comes back in place of \"{name}\""))
                .advise("report it to the vendor (RFC 8972 section 4)"),
            (_, Back::Unproven(why)) => Judged::unknown(format!("TLVs come back {why}: which are supported is not told"))
                .advise("what they say cannot be trusted: report it to the vendor (RFC 8972 section 4.8)"),
            (name, Back::Flags(flags)) if is_refused(name, flags) => refused(seen, &exchange),
            ("unknown", Back::Flags(flags)) => if flags.has(TlvFlags::UNRECOGNIZED) {
                Judged::ok("a TLV of an unknown type comes back marked as such")
            } else {
                Judged::fail("a TLV of an unknown type comes back as if it was processed")
                    .advise("trust no TLV of this far end: report it to the vendor (RFC 8972 section 4)")
            },
            ("malformed", Back::Flags(flags)) => if flags.has(TlvFlags::MALFORMED) {
                Judged::ok("a TLV with a wrong Length comes back marked as such")
            } else if flags.has(TlvFlags::UNRECOGNIZED) && !is_class_of_service_supported(seen) {
                // Which Length is right only a reflector can tell that knows the type.
                Judged::skipped("the TLV that is sent with a wrong Length is not supported")
            } else {
                Judged::warn("a TLV with a wrong Length comes back without the M flag")
                    .advise("report it to the vendor (RFC 8972 section 4)")
            },
            (_, Back::Flags(flags)) if flags.has(TlvFlags::MALFORMED) => {
                Judged::fail(format!("a well-formed TLV \"{name}\" comes back marked as malformed"))
                    .advise("report it to the vendor (RFC 8972 section 4)")
            }
            (_, Back::Flags(flags)) if flags.has(TlvFlags::UNRECOGNIZED) => {
                Judged::ok(format!("the TLV \"{name}\" is not supported"))
            }
            (_, Back::Flags(_)) => Judged::ok(format!("the TLV \"{name}\" is supported")),
        };
        let is_supported = matches!(back, Back::Flags(flags) if flags.0 == 0);
        judged.with("supported", is_supported)
    }
}

/// No packet with a TLV is answered: one row.
fn silent(seen: &Seen) -> Judged {
    if seen.is_lossy() {
        return lost_too(seen, "no packet with a TLV is answered");
    }
    Judged::warn("packets with TLVs are not answered, and others are")
        .advise("measure without --tlv; RFC 8972 section 4 wants an answer to each")
}

/// The TLV was not looked at for want of a right HMAC (RFC 8972 section 4.8): the reply says no more of it.
fn is_refused(name: &str, flags: TlvFlags) -> bool {
    let is_marked = match name {
        "unknown" => flags.has(TlvFlags::UNRECOGNIZED),
        _ => flags.has(TlvFlags::MALFORMED),
    };
    flags.has(TlvFlags::INTEGRITY) && !is_marked
}

/// The same for each TLV: one row.
fn refused(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    if exchange.key.is_some() {
        return Judged::unknown(
            "TLVs are refused for their HMAC, which is right (flag I): which are supported is not told",
        )
        .advise("measure without --tlv, and report it to the vendor (RFC 8972 section 4.8)");
    }
    let judged = Judged::unknown(
        "TLVs are refused without a right HMAC (flag I): which are supported is not told",
    );
    if seen.stamp_key(exchange.far).is_some() {
        let option = &seen.plan.keys.stamp_option;
        return judged.advise(format!("give senders that use TLVs --tlv hmac{option}"));
    }
    judged.advise("use --tlv hmac and the key of this far end")
}

/// What the reflector says of its clock: source of synchronization and method of timestamps on arrival, then
/// those on departure. `None`: it does not.
pub(super) fn timestamp_information(seen: &Seen) -> Option<[u8; 4]> {
    answered(seen, TlvType::TIMESTAMP_INFORMATION)?
        .first_chunk()
        .copied()
}

/// The reflector fills in the Class of Service TLV.
pub(super) fn is_class_of_service_supported(seen: &Seen) -> bool {
    answered(seen, TlvType::CLASS_OF_SERVICE).is_some()
}

/// The value that a TLV of [`ASKED`] came back with; `None`: it was not processed.
fn answered(seen: &Seen, kind: TlvType) -> Option<Vec<u8>> {
    let place = ASKED.iter().position(|(asked, ..)| *asked == kind)?;
    let exchange = seen.of_subject(&TLVS)?;
    let mut both = [place, place + ASKED.len()].into_iter();
    let (reply, said) = both.find_map(|place| exchange.replies_to(place).next())?;
    processed(&exchange, (reply, &said), kind).map(<[u8]>::to_vec)
}

/// The value of a reply's first TLV, if it is of this type, was processed, and has the right HMAC in authenticated
/// mode.
pub(super) fn processed<'a>(
    exchange: &Exchange<'_>,
    (reply, said): (&'a Reply, &wire::Reply),
    kind: TlvType,
) -> Option<&'a [u8]> {
    if unproven(exchange, (reply, said)).is_some() {
        return None;
    }
    let Tlv { header, value } = Tlvs::new(exchange.chain(reply)?).next()?.ok()?;
    (header.kind == kind && header.flags.0 == 0).then_some(value)
}

fn back(exchange: &Exchange<'_>, reply: (&Reply, &wire::Reply), kind: TlvType) -> Back {
    let chain = exchange.chain(reply.0).unwrap_or_default();
    match Tlvs::new(chain).next() {
        None => Back::CutOff,
        Some(_) if chain.iter().all(|octet| *octet == 0) => Back::Zeros,
        Some(Err(_)) => Back::Broken,
        // The HMAC TLV after it is a copy (RFC 8972 section 4).
        Some(Ok(Tlv { header, .. }))
            if header.kind == kind && header.flags.has(TlvFlags::MALFORMED) =>
        {
            Back::Flags(header.flags)
        }
        Some(Ok(Tlv { header, .. })) => match unproven(exchange, reply) {
            Some(why) => Back::Unproven(why),
            None if header.kind == kind => Back::Flags(header.flags),
            None => Back::Changed,
        },
    }
}

/// Why TLVs of a reply say nothing, in authenticated mode.
fn unproven(exchange: &Exchange<'_>, reply: (&Reply, &wire::Reply)) -> Option<&'static str> {
    match exchange.tlvs_back(reply)? {
        // What comes back as it was sent has the flag U.
        TlvsBack::Right | TlvsBack::Refused | TlvsBack::Unchanged => None,
        TlvsBack::NoHmac => Some("without an HMAC"),
        TlvsBack::WrongHmac => Some("with a wrong HMAC"),
    }
}
