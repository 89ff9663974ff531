//! A packet of a session as it was seen: as a request, as a reply, or as either.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use twinpath_wire::{SenderOpen, StampSender, TWAMP_TEST_PORT, TimeFormat, TlvFlags, Tos, Wall};

use super::super::frame::Datagram;
use super::super::layout::{Layout, Name, Reply};
use super::super::order::Timed;
use super::super::session::Kind;
use super::super::steps::Shift;
use super::hmacs::Judged;
use super::tlvs::Asks;

/// Octets of a packet that two copies of it are compared by.
const COMPARED: usize = 64;

/// How a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// By the capture's clock before its steps.
    pub(super) at: Wall,
    pub(super) shift: Shift,
    pub(super) interface: u32,
    pub(super) ttl: u8,
    pub(super) tos: Tos,
    /// Of its first octets, and how many of them were captured.
    pub(super) digest: u64,
    pub(super) digested: usize,
    pub(super) octets: usize,
}

impl Sighting {
    pub(super) fn new((at, shift): (Wall, Shift), interface: u32, datagram: &Datagram<'_>) -> Self {
        let payload = datagram.payload;
        let first = payload.get(..COMPARED).unwrap_or(payload);
        let mut hasher = DefaultHasher::new();
        first.hash(&mut hasher);
        Self {
            at: at - shift.by,
            shift,
            interface,
            ttl: datagram.ttl,
            tos: datagram.tos,
            digest: hasher.finish(),
            digested: first.len(),
            octets: datagram.octets,
        }
    }

    /// When it was captured, by the capture's clock.
    pub(super) fn captured(&self) -> Wall {
        self.at + self.shift.by
    }

    /// Whether its octets are those of the other, as far as both were captured.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.octets == other.octets
            && (self.digested != other.digested || self.digest == other.digest)
    }

    /// Whether a router passed the other one on, or is about to.
    pub(super) fn is_a_hop_from(&self, other: &Self) -> bool {
        self.ttl.abs_diff(other.ttl) == 1
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct AsRequest {
    pub(super) flow: usize,
    pub(super) layout: Layout,
    pub(super) kind: Kind,
    /// Of its T1.
    pub(super) time_format: TimeFormat,
    pub(super) name: Name,
    pub(super) asks: Asks,
    pub(super) hmacs: Judged,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct AsReply {
    pub(super) flow: usize,
    pub(super) layout: Layout,
    pub(super) ssid: u16,
    pub(super) reply: Reply,
}

impl AsReply {
    /// The request that it answers.
    pub(super) fn of(&self) -> AsRequest {
        AsRequest {
            flow: self.flow,
            layout: self.layout,
            kind: Kind::Light,
            time_format: TimeFormat::Ntp,
            name: self.reply.name,
            asks: Asks::default(),
            hmacs: Judged::default(),
        }
    }
}

/// A packet of a session, as either or both.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) sighting: Sighting,
    pub(super) request: Option<AsRequest>,
    pub(super) reply: Option<AsReply>,
    /// What is behind its base if it is a reply of STAMP.
    pub(super) tlvs: Box<[u8]>,
    /// Its HMACs, as a reply.
    pub(super) hmacs: Judged,
    /// It looks as if it could not be read as a reply for what was cut off.
    pub(super) is_cut: bool,
    /// It was too short for any packet of its flow.
    pub(super) is_short: bool,
    /// The flow that it would have been a reply in.
    pub(super) cut_reply: Option<usize>,
}

impl Timed for Seen {
    fn at(&self) -> Wall {
        self.sighting.at
    }

    fn rank(&self) -> u8 {
        u8::from(self.reply.is_some())
    }
}

/// STAMP by its layout, or by its zeros and, behind them, nothing or a TLV as a sender writes it
/// (RFC 8972 section 4.2); TWAMP sessions that were agreed on look like those of TWAMP Light.
pub(super) fn is_stamp(layout: Layout, datagram: &Datagram<'_>) -> bool {
    let payload = datagram.payload;
    if layout.is_authenticated() {
        return true;
    }
    let behind = payload.get(SenderOpen::OCTETS + 2..).unwrap_or_default();
    let octets = StampSender::OCTETS - SenderOpen::OCTETS - 2;
    let zeros = behind.get(..octets).unwrap_or(behind);
    let zeros = !zeros.is_empty() && zeros.iter().all(|octet| *octet == 0);
    let flags = payload.get(StampSender::OCTETS);
    let tlv = flags.is_some_and(|flags| TlvFlags(*flags).has(TlvFlags::UNRECOGNIZED));
    let ends_there = datagram.octets == StampSender::OCTETS;
    let on_port = datagram.to.port() == TWAMP_TEST_PORT && datagram.octets >= StampSender::OCTETS;
    zeros && (ends_there || tlv || on_port)
}
