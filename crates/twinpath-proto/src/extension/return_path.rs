//! Return Path: which way the reply must take, or that there must be none (RFC 9503 section 4).
//!
//! Sub-TLVs: 1 Control Code 4, 2 Return Address 4 or 16, 3 SR-MPLS label stack 4 n, 4 SRv6 segment
//! list 16 n.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use twinpath_wire::{Tlv, TlvHeader, TlvType, TlvWriter, Tlvs, Tos};

use super::chain::is_first;
use super::destination_node::{address, octets};
use super::learn::Facts;
use super::seen::Seen;
use super::segments::Segments;
use super::sub_tlv::{self, Sub};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct ReturnPath;

const CONTROL_CODE: TlvType = TlvType(1);
const RETURN_ADDRESS: TlvType = TlvType(2);
const SR_MPLS: TlvType = TlvType(3);
const SRV6: TlvType = TlvType(4);
/// Bit 31 of the Control Code: a reply is wanted, on the link that the request came in on.
const REPLY_REQUEST: u32 = 1;

/// What the Control Code that counts, the first, asks for: whether a reply is wanted. `None`: there is
/// none, or it is malformed.
fn control_code(value: &[u8]) -> Option<bool> {
    Tlvs::new(value)
        .map_while(Result::ok)
        .find(|sub| sub.header.kind == CONTROL_CODE)
        .and_then(wants_reply)
}

fn wants_reply(sub: Tlv<'_>) -> Option<bool> {
    let code = u32::from_be_bytes(sub.value.try_into().ok()?);
    Some(code & REPLY_REQUEST != 0)
}

/// Whether it asks for no reply (rows SL-5, SL-23).
pub(super) fn asks_no_reply(value: &[u8]) -> bool {
    control_code(value) == Some(false)
}

/// Whether a request's TLVs ask for no reply.
pub(crate) fn wants_no_reply(chain: &[u8]) -> bool {
    let mut tlvs = Tlvs::new(chain).map_while(Result::ok);
    tlvs.any(|tlv| tlv.header.kind == TlvType::RETURN_PATH && asks_no_reply(tlv.value))
}

/// The address that it asks replies to go to.
pub(super) fn return_address(value: &[u8]) -> Option<IpAddr> {
    let mut subs = Tlvs::new(value).map_while(Result::ok);
    let to = subs.find(|sub| sub.header.kind == RETURN_ADDRESS)?;
    Some(address(to.value)?.to_canonical())
}

/// Whether an address can be that of one host.
fn is_one_host(address: &IpAddr) -> bool {
    let is_broadcast = *address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
}

/// Whether it asks for no reply, or for one to another address than `near` (row SL-31).
pub(super) fn goes_elsewhere(value: &[u8], near: IpAddr) -> bool {
    let to = return_address(value);
    asks_no_reply(value) || to.is_some_and(|to| to != near.to_canonical())
}

/// The way of a reply.
#[derive(Clone, Copy, Default)]
struct Way {
    same_link: bool,
    to: Option<IpAddr>,
    segments: Option<Segments>,
}

impl Way {
    /// What is asked for; `None`: it cannot be had whole (rows SL-4, SL-28).
    fn asked(value: &[u8], exchange: &Exchange<'_>) -> Option<Self> {
        let first = |kind| {
            let mut subs = Tlvs::new(value).map_while(Result::ok);
            subs.find(|sub| sub.header.kind == kind)
        };
        if first(CONTROL_CODE).is_some() {
            return (exchange.arrival.interface != 0).then_some(Self {
                same_link: true,
                ..Self::default()
            });
        }
        let to = first(RETURN_ADDRESS).map(|sub| address(sub.value));
        let segments = first(SRV6).map(|sub| Segments::of(sub.value));
        let way = Self {
            same_link: false,
            to: to.flatten(),
            segments: segments.flatten(),
        };
        let is_whole =
            way.to.is_some() == to.is_some() && way.segments.is_some() == segments.is_some();
        let may_return = way.to.is_none_or(|to| may_return(exchange, to));
        let may_visit = way
            .segments
            .is_none_or(|segments| may_visit(exchange, &segments));
        (is_whole && may_return && may_visit).then_some(way)
    }
}

impl Extension for ReturnPath {
    fn kind(&self) -> TlvType {
        TlvType::RETURN_PATH
    }

    fn name(&self) -> &'static str {
        "return-path"
    }

    fn takes(&self, octets: usize) -> bool {
        octets >= TlvHeader::OCTETS
    }

    fn is_single(&self) -> bool {
        true
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        let control = control_code(value);
        if exchange.is_contradictory() {
            return Ok(Outcome::NotUsed);
        }
        if control == Some(false) {
            return Err(Ignored::NoReplyWanted);
        }
        let way = Way::asked(value, exchange);
        let can_be_used = way.is_some();
        let mut seen = 0;
        let mut is_used = false;
        let is_whole = sub_tlv::each(value, |sub| {
            let octets = sub.value.len();
            let is_wellformed = match sub.header.kind {
                CONTROL_CODE => octets == 4,
                RETURN_ADDRESS => address(sub.value).is_some(),
                SR_MPLS => octets > 0 && octets.is_multiple_of(4),
                SRV6 => octets > 0 && octets.is_multiple_of(16),
                _ => return Sub::NotUsed,
            };
            if !is_wellformed {
                return Sub::Malformed;
            }
            let is_first = is_first(sub.header.kind, &mut seen);
            // A Control Code excludes the others; the first of a kind counts (rows SL-4, SL-22). Label
            // stacks need a network that has them: not done.
            let is_excluded = control.is_some() != (sub.header.kind == CONTROL_CODE);
            if !is_first || is_excluded || !can_be_used || sub.header.kind == SR_MPLS {
                return Sub::NotUsed;
            }
            is_used = true;
            Sub::Used
        });
        let Some(way) = way.filter(|_| is_whole && is_used) else {
            return Ok(Outcome::NotUsed);
        };
        let from = exchange.arrival.from.ip();
        exchange.effects.same_link = way.same_link;
        exchange.effects.destination = way.to.filter(|to| *to != from);
        if let Some(segments) = way.segments {
            exchange.effects.over_segments = true;
            exchange.segments = segments;
        }
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let (kind, octets) = match text? {
            "no-reply" => (CONTROL_CODE, vec![0; 4]),
            "same-link" => (CONTROL_CODE, REPLY_REQUEST.to_be_bytes().to_vec()),
            text => match text.strip_prefix("srv6:") {
                Some(list) => (SRV6, segment_list(list)?),
                None => (
                    RETURN_ADDRESS,
                    octets(text.parse().ok().filter(is_one_host)?),
                ),
            },
        };
        let mut value = vec![0; TlvHeader::OCTETS + octets.len()];
        let mut writer = TlvWriter::new(&mut value);
        writer.push(kind, octets.len())?.copy_from_slice(&octets);
        Some(value)
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let path = match (seen.processed, seen.unrecognized) {
            (0, 0) => return,
            (0, _) => "not used",
            (_, 0) => "used",
            _ => "used by some replies",
        };
        facts.push(("path", path.into()));
    }

    fn takes_text(&self) -> &'static str {
        "no-reply, same-link, the address that replies must go to, or the segments that they must visit (srv6:SID,SID)"
    }
}

/// The segment list of SIDs between commas.
fn segment_list(text: &str) -> Option<Vec<u8>> {
    let sids = text.split(',').map(|sid| sid.parse::<Ipv6Addr>().ok());
    let list: Option<Vec<[u8; 16]>> = sids.map(|sid| Some(sid?.octets())).collect();
    let list = list?.concat();
    Segments::of(&list)?;
    Some(list)
}

/// Whether a reply may visit these. Several replies to a request do not (rows SL-28, SL-64).
fn may_visit(exchange: &Exchange<'_>, segments: &Segments) -> bool {
    let mut sids = segments.sids().iter();
    exchange.arrival.from.is_ipv6()
        && !(exchange.request.asks_replies && exchange.allows_control())
        && sids.all(|sid| !sid.is_multicast() && exchange.policy.segments.permits((*sid).into()))
}

/// Whether a reply may go there (rows SL-6, SL-26).
fn may_return(exchange: &Exchange<'_>, to: IpAddr) -> bool {
    let from = exchange.arrival.from.ip();
    if to == from {
        return true;
    }
    let is_broadcast = matches!(to, IpAddr::V4(to) if to.is_broadcast());
    to.is_ipv4() == from.is_ipv4()
        && !(to.is_unspecified() || to.is_multicast() || is_broadcast)
        && (!to.is_loopback() || from.is_loopback())
        && !exchange.is_own(to)
        && exchange.policy.return_addresses.permits(to)
}
