//! What the far end does with each of STAMP's TLVs (RFC 8972 section 4).

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{StampSender, Tlv, TlvFlags, TlvType, TlvWriter, Tlvs, Tos, Wall};

use crate::doctor::train::{SSID, TrainKind, stamp};
use crate::doctor::{Ask, Check, Cost, Judged, Seen};

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
    packet: |_, number, now| (with_tlv(number, now), Tos(0)),
};

fn with_tlv(number: u32, now: Wall) -> Vec<u8> {
    let mut packet = stamp(number, now, SSID);
    let place = usize::try_from(number).unwrap_or(0) % ASKED.len();
    let asked = ASKED.get(place);
    if let Some((kind, octets, _)) = asked {
        packet.resize(packet.len() + 4 + octets, 0);
        if let Some(chain) = packet.get_mut(StampSender::OCTETS..) {
            let mut writer = TlvWriter::new(chain);
            let value = writer.push(*kind, *octets);
            // The least that a report has: an Access ID and a Return Code of 1.
            if *kind == TlvType::ACCESS_REPORT
                && let Some([access_id, code, ..]) = value
            {
                (*access_id, *code) = (1 << 4, 1);
            }
        }
    }
    packet
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
}

impl Check for OfType {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        vec![(TLVS.name.to_owned(), TLVS.count)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        if seen.speaks_stamp() {
            seen.ask_subject(&TLVS)
        } else {
            Vec::new()
        }
    }

    fn judge(&self, seen: &Seen) -> Judged {
        if !seen.speaks_stamp() {
            return Judged::skipped("STAMP is not answered");
        }
        let (Some(exchange), Some((kind, _, name))) =
            (seen.of_subject(&TLVS), ASKED.get(self.place))
        else {
            return Judged::skipped("no replies");
        };
        let mut both = [self.place, self.place + ASKED.len()].into_iter();
        let reply = both.find_map(|place| exchange.replies_to(place).next());
        if reply.is_none() && seen.is_lossy() {
            return Judged::unknown(format!(
                "no answer with the TLV \"{name}\", and others are lost too"
            ));
        }
        let back = match reply {
            None => Back::NoReply,
            Some((reply, _)) => back(
                reply.octets.get(StampSender::OCTETS..).unwrap_or_default(),
                *kind,
            ),
        };
        let judged = match (*name, back) {
            (_, Back::NoReply) => Judged::warn(format!("a packet with the TLV \"{name}\" is not answered, and others are"))
                .advise("RFC 8972 section 4 wants an answer to each; measure without it"),
            (_, Back::CutOff) => Judged::warn(format!("the TLV \"{name}\" does not come back: replies end before it"))
                .advise("RFC 8972 section 4 wants all TLVs in the reply; the far end may know RFC 8762 alone"),
            (_, Back::Zeros) => Judged::warn(format!("the TLV \"{name}\" does not come back: zeros come in its place"))
                .advise("RFC 8972 section 4 wants all TLVs in the reply; the far end may know RFC 8762 alone"),
            (_, Back::Broken) => Judged::warn(format!("the TLV \"{name}\" does not come back: what replies have in its place is not a whole TLV"))
                .advise("report it to the vendor (RFC 8972 section 4)"),
            (_, Back::Changed) => Judged::fail(format!("another TLV comes back in place of \"{name}\""))
                .advise("report it to the vendor (RFC 8972 section 4)"),
            (name, Back::Flags(flags)) if is_refused(name, flags) => refused(seen, exchange.far),
            ("unknown", Back::Flags(flags)) => if flags.has(TlvFlags::UNRECOGNIZED) {
                Judged::ok("a TLV of an unknown type comes back marked as such")
            } else {
                Judged::fail("a TLV of an unknown type comes back as if it was processed")
                    .advise("trust no TLV of this far end: report it to the vendor (RFC 8972 section 4)")
            },
            ("malformed", Back::Flags(flags)) => if flags.has(TlvFlags::MALFORMED) {
                Judged::ok("a TLV with a wrong Length comes back marked as such")
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

/// The TLV was not looked at for want of a right HMAC (RFC 8972 section 4.8): the reply says no more of it.
fn is_refused(name: &str, flags: TlvFlags) -> bool {
    let is_marked = match name {
        "unknown" => flags.has(TlvFlags::UNRECOGNIZED),
        _ => flags.has(TlvFlags::MALFORMED),
    };
    flags.has(TlvFlags::INTEGRITY) && !is_marked
}

/// The same for each TLV: one row.
fn refused(seen: &Seen, far: SocketAddr) -> Judged {
    let judged = Judged::unknown(
        "TLVs are refused without a right HMAC (flag I): which are supported is not told",
    );
    if seen.stamp_key(far).is_some() {
        let option = &seen.plan.keys.stamp_option;
        return judged.advise(format!("give senders that use TLVs --tlv hmac{option}"));
    }
    judged.advise("use --tlv hmac and the key of this far end")
}

/// What the reflector says of its clock: source of synchronization and method of timestamps on arrival, then
/// those on departure. `None`: it does not.
pub(super) fn timestamp_information(seen: &Seen) -> Option<[u8; 4]> {
    let place = ASKED
        .iter()
        .position(|(kind, ..)| *kind == TlvType::TIMESTAMP_INFORMATION)?;
    let exchange = seen.of_subject(&TLVS)?;
    let mut both = [place, place + ASKED.len()].into_iter();
    let (reply, _) = both.find_map(|place| exchange.replies_to(place).next())?;
    let chain = reply.octets.get(StampSender::OCTETS..)?;
    let Tlv { header, value } = Tlvs::new(chain).next()?.ok()?;
    let is_answered = header.kind == TlvType::TIMESTAMP_INFORMATION && header.flags.0 == 0;
    value.first_chunk().copied().filter(|_| is_answered)
}

fn back(chain: &[u8], kind: TlvType) -> Back {
    match Tlvs::new(chain).next() {
        None => Back::CutOff,
        Some(_) if chain.iter().all(|octet| *octet == 0) => Back::Zeros,
        Some(Err(_)) => Back::Broken,
        Some(Ok(Tlv { header, .. })) if header.kind == kind => Back::Flags(header.flags),
        Some(Ok(_)) => Back::Changed,
    }
}
