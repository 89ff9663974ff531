//! Reflected Test Packet Control: how many replies, how long and how far apart (RFC 10052). Disabled
//! unless the operator allows it by prefix: it makes more traffic than it costs.
//!
//! ```text
//! 0 Length of the Reflected Packet 2, 2 Number of the Reflected Packets 2,
//! 4 Interval Between the Reflected Packets 4 (nanoseconds), 8 sub-TLVs
//! ```
//! Sub-TLVs: 10 Layer 2 Address Group (mask, then group), 11 Layer 3 Address Group (Prefix Length 1,
//! reserved 3, prefix).

use ipnet::IpNet;
use twinpath_wire::{TlvHeader, TlvMut, TlvType, Tos};
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::destination_node::address;
use super::exchange::{ControlAnswer, Replies, RequestShape};
use super::granted::{Proof, Verdict};
use super::learn::{Facts, Observation};
use super::seen::Seen;
use super::sub_tlv::{self, Sub};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct ReflectedControl;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
struct Fields {
    octets: U16,
    count: U16,
    interval_ns: U32,
}

const LEAST: usize = size_of::<Fields>() + TlvHeader::OCTETS;
/// Replies are as long as a multiple of it.
const ALIGNMENT: usize = 4;
const FILLER: TlvType = TlvType(0);
const LAYER_2_GROUP: TlvType = TlvType(10);
const LAYER_3_GROUP: TlvType = TlvType(11);
/// Octets of IP and UDP headers.
const AROUND_V4: usize = 20 + 8;
const AROUND_V6: usize = 40 + 8;

/// Whether it asks for one reply or more.
pub(super) fn asks_replies(value: &[u8]) -> bool {
    Fields::ref_from_prefix(value).is_ok_and(|(fields, _)| fields.count.get() > 0)
}

/// The replies that a value asks for.
pub(super) fn asked(value: &[u8]) -> Option<Replies> {
    let (fields, _) = Fields::ref_from_prefix(value).ok()?;
    Some(Replies {
        count: fields.count.get(),
        interval_ns: fields.interval_ns.get(),
        octets: fields.octets.get().into(),
    })
}

impl Extension for ReflectedControl {
    fn kind(&self) -> TlvType {
        TlvType::REFLECTED_CONTROL
    }

    fn name(&self) -> &'static str {
        "reflected-control"
    }

    fn takes(&self, octets: usize) -> bool {
        octets >= LEAST
    }

    fn is_single(&self) -> bool {
        true
    }

    // Replies may go elsewhere, or be asked not to come.
    fn is_last(&self) -> bool {
        true
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        if !exchange.allows_control() {
            return Ok(refuse(exchange, ControlAnswer::NotAllowed));
        }
        let Some((fields, subs)) = value.split_at_mut_checked(size_of::<Fields>()) else {
            return Ok(Outcome::NotUsed);
        };
        let Ok(fields) = Fields::read_from_bytes(fields) else {
            return Ok(Outcome::NotUsed);
        };
        let mut matches = true;
        let is_whole = sub_tlv::each(subs, |sub| {
            let Some(is_met) = group_matches(sub, exchange) else {
                return Sub::Malformed;
            };
            matches &= is_met != Group::Missed;
            match is_met {
                Group::Met | Group::Missed | Group::Filler => Sub::Used,
                Group::Unknown => Sub::NotUsed,
            }
        });
        if !is_whole {
            return Ok(Outcome::NotUsed);
        }
        if !matches {
            return Err(Ignored::OtherGroup);
        }
        if fields.count.get() == 0 {
            return Err(Ignored::CountZero);
        }
        if exchange.is_contradictory() {
            return Ok(refuse(exchange, ControlAnswer::Contradictory));
        }
        if exchange.request.is_malformed {
            return Ok(Outcome::NotUsed);
        }
        let grant = Grant::within_limits(fields, exchange);
        // A request that is over a limit, and whose reply is no longer than itself, is not followed: it is not
        // remembered, and moves no mark.
        // Of a request to a group one reply from each member is more.
        let is_followed = exchange.is_to_group() || grant.is_more_than(&exchange.request);
        // Before the session's mark, which a replay must not move.
        match verdict(exchange, is_followed) {
            Verdict::New => {}
            Verdict::Repeated => return Ok(refuse(exchange, ControlAnswer::Repeated)),
            Verdict::Full => return Ok(refuse(exchange, ControlAnswer::TableFull)),
        }
        if !is_later(exchange, is_followed) {
            return Ok(refuse(exchange, ControlAnswer::Repeated));
        }
        Ok(grant.take(exchange))
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let mut parts = text?.splitn(3, ':');
        let octets: u16 = parts.next()?.parse().ok()?;
        let count: u16 = parts.next()?.parse().ok()?;
        let interval_ns = nanoseconds(parts.next()?)?;
        let mut value = vec![0; LEAST];
        let (fields, _) = Fields::mut_from_prefix(&mut value).ok()?;
        fields.octets.set(octets);
        fields.count.set(count);
        fields.interval_ns.set(interval_ns);
        Some(value)
    }

    fn takes_text(&self) -> &'static str {
        "LENGTH:COUNT:INTERVAL, octets (up to 65535), number (up to 65535) and distance (up to 4294ms; a bare number is milliseconds) of the replies to one request, as in 200:3:1ms"
    }

    fn observe(&self, value: &[u8], observation: &mut Observation) {
        observation.replies = asked(value);
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if seen.processed > 0 {
            facts.push(("unmet", seen.unmet.into()));
        }
    }
}

/// One ordinary reply; why, where some client may use it.
fn refuse(exchange: &mut Exchange<'_>, why: ControlAnswer) -> Outcome {
    exchange.effects.control = exchange.policy.control.as_ref().map(|_| why);
    Outcome::NotUsed
}

/// What a sub-TLV says of this host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    /// An address of this host is in the group.
    Met,
    /// None is.
    Missed,
    /// Four zero octets that make the TLV as long as it must be (row SL-47).
    Filler,
    Unknown,
}

/// `None`: its Length is wrong (rows SL-59, SL-60).
fn group_matches(sub: &TlvMut<'_>, exchange: &Exchange<'_>) -> Option<Group> {
    let of = |is_met| if is_met { Group::Met } else { Group::Missed };
    match sub.header.kind {
        FILLER if sub.value.is_empty() && sub.header.flags.0 == 0 => Some(Group::Filler),
        LAYER_2_GROUP if matches!(sub.value.len(), 4 | 12 | 16) => {
            let (mask, group) = sub.value.split_at_checked(sub.value.len() / 2)?;
            let mut own = exchange.host.macs().iter();
            Some(of(own.any(|mac| {
                let masked = mac.iter().zip(mask).map(|(octet, mask)| octet & mask);
                mac.len() == mask.len() && masked.eq(group.iter().copied())
            })))
        }
        LAYER_3_GROUP => {
            let (head, prefix) = sub.value.split_first_chunk::<4>()?;
            let [length, ..] = *head;
            let group = IpNet::new(address(prefix)?, length).ok()?;
            // Nothing has bits beyond the mask.
            let is_masked = group.addr() == group.network();
            Some(of(is_masked && exchange.host.has_any_in(&group)))
        }
        LAYER_2_GROUP => None,
        _ => Some(Group::Unknown),
    }
}

/// Whether a signed request was followed before, in any session (row SL-14); if it will be now, it is
/// remembered. Where no HMAC is required, an attacker has no need to replay a request.
fn verdict(exchange: &Exchange<'_>, is_followed: bool) -> Verdict {
    let control = exchange.policy.control.as_ref();
    match (exchange.proof, control.filter(|it| !it.unauthenticated)) {
        (Some(proof), Some(control)) if is_followed => control.granted.take(proof, exchange.now),
        (Some(_) | None, _) => Verdict::New,
    }
}

/// Whether the request's number is beyond that of the last request that asked for replies and was followed
/// (RFC 10052 section 5; rows SL-14, SL-68), or its T1 is, which a sender that begins again says in authenticated
/// mode. A session without state passes.
fn is_later(exchange: &mut Exchange<'_>, is_followed: bool) -> bool {
    let (seq, t1) = (exchange.seq, exchange.proof.and_then(Proof::t1));
    // Where no HMAC is asked for, nothing else can tell that the session begins again.
    let restarts = exchange.restarts_session;
    let Some(session) = exchange.state() else {
        return true;
    };
    if restarts {
        session.forget_mark();
    }
    let is_later = session
        .control_mark
        .is_none_or(|(mark, at)| (seq != mark && seq.wrapping_sub(mark) < 1 << 31) || t1 > at);
    if is_later && is_followed {
        session.control_mark = Some((seq, t1));
    }
    is_later
}

/// What of a request can be had (rows SL-10, SL-11, SL-51, SL-52).
struct Grant {
    answer: ControlAnswer,
    replies: Replies,
    /// Octets of a reply that is no longer than it must be.
    least: usize,
}

impl Grant {
    /// Within the operator's limits, and what the budget has now.
    fn within_limits(fields: Fields, exchange: &Exchange<'_>) -> Self {
        let around = if exchange.arrival.from.is_ipv4() {
            AROUND_V4
        } else {
            AROUND_V6
        };
        let largest = exchange
            .host
            .mtu(exchange.arrival.interface)
            .saturating_sub(around);
        let least = exchange.request.unpadded_octets;
        let asked = usize::from(fields.octets.get()).next_multiple_of(ALIGNMENT);
        // Only an Extra Padding TLV makes a packet longer, and it has a header.
        let wanted = match asked.saturating_sub(least) {
            0 => least,
            gap => least + gap.max(TlvHeader::OCTETS),
        };
        let octets = match largest.saturating_sub(least) {
            room if room < TlvHeader::OCTETS => least,
            room => wanted.min(least + room),
        };
        let (count, interval_ns) = (fields.count.get(), fields.interval_ns.get());
        let grant = |answer, count, octets| Self {
            answer,
            replies: Replies {
                count,
                interval_ns,
                octets,
            },
            least,
        };
        let all = grant(ControlAnswer::Granted, count, octets);
        let per_s = octets as u64 * 1_000_000_000 / u64::from(interval_ns.max(1));
        let is_within = exchange.policy.control.as_ref().is_some_and(|limits| {
            let is_slow = interval_ns > 0 && per_s <= limits.octets_per_s;
            let is_one = count == 1 || (is_slow && octets <= exchange.copy_room);
            count <= limits.replies && is_one && wanted <= largest
        });
        if is_within && all.is_in_budget(exchange) {
            return all;
        }
        let answer = if wanted > largest {
            ControlAnswer::OverMtu
        } else {
            ControlAnswer::OverLimit
        };
        // A single reply is no longer than its request where the budget does not have the rest of it.
        let one = grant(answer, 1, octets);
        if one.is_in_budget(exchange) {
            one
        } else {
            grant(answer, 1, least)
        }
    }

    /// What it takes of the budget.
    fn cost(&self) -> u64 {
        let Replies { count, octets, .. } = self.replies;
        if self.answer != ControlAnswer::Granted && octets == self.least {
            return 0;
        }
        octets as u64 * u64::from(count)
    }

    fn is_in_budget(&self, exchange: &Exchange<'_>) -> bool {
        let limits = exchange.policy.control.as_ref();
        limits.is_some_and(|limits| limits.budget.has(self.cost(), limits, exchange.now))
    }

    /// Whether it is more than a request gets without asking: then it is followed once.
    fn is_more_than(&self, request: &RequestShape) -> bool {
        self.answer == ControlAnswer::Granted || self.replies.octets > request.octets
    }

    /// Takes it from the budget, of which another thread may have taken some meanwhile.
    fn take(mut self, exchange: &mut Exchange<'_>) -> Outcome {
        let limits = exchange.policy.control.as_ref();
        let cost = self.cost();
        let is_paid = cost == 0
            || limits.is_some_and(|limits| limits.budget.take(cost, limits, exchange.now));
        if !is_paid {
            if self.answer == ControlAnswer::Granted {
                self.answer = ControlAnswer::OverLimit;
            }
            (self.replies.count, self.replies.octets) = (1, self.least);
        }
        exchange.effects.control = Some(self.answer);
        exchange.effects.replies = Some(self.replies);
        if self.answer == ControlAnswer::Granted {
            Outcome::Used
        } else {
            Outcome::Unmet
        }
    }
}

/// A time with its unit, `ns`, `us`, `ms` or `s`, or a bare number of milliseconds; of at most 4.29 s.
fn nanoseconds(text: &str) -> Option<u32> {
    let is_unit = |c: char| !c.is_ascii_digit() && c != '.';
    let (number, unit) = match text.find(is_unit) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "ms"),
    };
    let unit_ns = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    let ns = (number.parse::<f64>().ok()? * unit_ns).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within its range"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&ns)
        .then_some(ns as u32)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use twinpath_wire::{Arrival, Mono, Rung, Stamp, Wall};

    use super::*;
    use crate::extension::granted::Proof;
    use crate::extension::{ControlPolicy, ExtensionPolicy, Host};
    use crate::reflector::Access;

    #[test]
    fn a_request_that_cannot_be_remembered_is_told_from_one_over_a_limit() {
        let control = ControlPolicy::within(Access::new(&[]));
        let now = Mono::from_ns(1_000_000_000);
        let mut others = 0_u128..;
        while control
            .granted
            .take(Proof::Tlvs(others.next().unwrap()), now)
            != Verdict::Full
        {}
        let policy = ExtensionPolicy {
            control: Some(control),
            ..ExtensionPolicy::default()
        };
        let stamp = Stamp {
            at: Wall::from_unix_ns(0),
            rung: Rung::Kernel,
        };
        let arrival = Arrival::new(stamp, (IpAddr::from([192, 0, 2, 1]), 5_000).into());
        let host = Host::default();
        let answer = |count, now| {
            let mut exchange = Exchange::new(&arrival, &policy, &host, None, (1, 1));
            exchange.set_authentic(true);
            exchange.proof = Some(Proof::Tlvs(u128::MAX));
            exchange.now = now;
            (exchange.request.octets, exchange.request.unpadded_octets) = (80, 60);
            let mut value = [0, 0, 0, count, 0, 15, 0x42, 0x40, 0, 0, 0, 0];
            let outcome = ReflectedControl.reflect(&mut value, &mut exchange);
            (outcome.unwrap(), exchange.effects.control.unwrap())
        };
        assert_eq!(answer(3, now), (Outcome::NotUsed, ControlAnswer::TableFull));
        let too_many = answer(11, now);
        assert_eq!(too_many, (Outcome::Unmet, ControlAnswer::OverLimit));
        let later = now + Duration::from_hours(1);
        assert_eq!(answer(3, later), (Outcome::Used, ControlAnswer::Granted));
    }
}
