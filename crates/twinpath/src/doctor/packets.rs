//! Test packets that trains and ladders send: open, or authenticated with the key of STAMP.

use std::mem::offset_of;
use std::time::Duration;

use twinpath_proto::stamp::StampKey;
use twinpath_wire::{
    ErrorEstimate, ReflectorOpen, ReflectorSecured, SenderOpen, StampSender,
    StampSenderAuthenticated, TimeFormat, TlvHeader, TlvType, TlvWriter, Wall, WireTime,
};

use super::train::{FIRST, SSID};

/// Octets of an HMAC.
const TAG: usize = 16;

/// How test packets are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketSecurity {
    /// Not at all: TWAMP Light, and STAMP without authentication.
    Open,
    /// Authenticated STAMP (RFC 8762 section 4.4, RFC 8972 section 4.8).
    Authenticated,
}

impl PacketSecurity {
    /// Octets of a STAMP base packet, a request's or a reply's.
    pub(crate) const fn base_octets(self) -> usize {
        match self {
            Self::Open => StampSender::OCTETS,
            Self::Authenticated => StampSenderAuthenticated::OCTETS,
        }
    }

    /// Where a request has its Timestamp, T1; its Error Estimate follows.
    pub(crate) const fn t1_at(self) -> usize {
        match self {
            Self::Open => offset_of!(StampSender, t1),
            Self::Authenticated => offset_of!(StampSenderAuthenticated, t1),
        }
    }

    /// Where a reply has the number of its request.
    pub(crate) const fn number_at(self) -> usize {
        match self {
            Self::Open => ReflectorOpen::SENDER_SEQ_AT,
            Self::Authenticated => ReflectorSecured::SENDER_SEQ_AT,
        }
    }
}

/// Writes test packets of a security.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketWriter<'a> {
    /// Of authenticated packets; `None`: they are open.
    key: Option<&'a StampKey>,
}

impl<'a> PacketWriter<'a> {
    pub(crate) const OPEN: Self = Self { key: None };

    pub(crate) const fn authenticated(key: &'a StampKey) -> Self {
        Self { key: Some(key) }
    }

    pub(crate) const fn security(self) -> PacketSecurity {
        match self.key {
            None => PacketSecurity::Open,
            Some(_) => PacketSecurity::Authenticated,
        }
    }

    /// A base packet with the Session Identifier. An open one is TWAMP Light with 30 octets of padding too.
    pub(crate) fn base(self, number: u32, now: Wall) -> Vec<u8> {
        self.with_ssid(number, now, SSID)
    }

    /// A packet of so many octets, if a base packet has no more. An open one has zeros behind it and no
    /// Session Identifier, so that it is TWAMP Light too. An authenticated one has the Extra Padding TLV, which
    /// needs no HMAC where it is the only one (RFC 8972 section 4.8).
    pub(crate) fn padded(self, number: u32, now: Wall, octets: usize) -> Vec<u8> {
        if self.key.is_none() {
            let mut packet = self.with_ssid(number, now, 0);
            packet.resize(octets.max(packet.len()), 0);
            return packet;
        }
        let mut packet = self.base(number, now);
        let value = octets.checked_sub(packet.len() + TlvHeader::OCTETS);
        if let Some(value) = value {
            push(&mut packet, TlvType::EXTRA_PADDING, value);
        }
        packet
    }

    /// A base packet with one TLV, whose value `fill` writes; the HMAC TLV follows in an authenticated one.
    pub(crate) fn with_tlv(
        self,
        (number, now): (u32, Wall),
        kind: TlvType,
        octets: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Vec<u8> {
        let mut packet = self.base(number, now);
        let base = packet.len();
        fill(push(&mut packet, kind, octets));
        if let Some(key) = self.key {
            let number = packet.get(..4).unwrap_or_default();
            let tag = key.sign(&[number, packet.get(base..).unwrap_or_default()]);
            push(&mut packet, TlvType::HMAC, TAG).copy_from_slice(&tag);
        }
        packet
    }

    fn with_ssid(self, number: u32, now: Wall, ssid: u16) -> Vec<u8> {
        let mut octets = vec![0; self.security().base_octets()];
        let (t1, error) = (WireTime::ntp(now), error_estimate());
        let Some(key) = self.key else {
            if let Ok((head, _)) = StampSender::view_mut(&mut octets) {
                head.seq.set(FIRST.wrapping_add(number));
                (head.t1, head.error) = (t1, error);
                head.ssid.set(ssid);
            }
            return octets;
        };
        if let Ok((head, _)) = StampSenderAuthenticated::view_mut(&mut octets) {
            head.seq.set(FIRST.wrapping_add(number));
            (head.t1, head.error) = (t1, error);
            head.ssid.set(ssid);
        }
        key.seal(&mut octets);
        octets
    }
}

/// TWAMP Light of so many octets, with this padding.
pub(crate) fn light(number: u32, now: Wall, octets: usize, padding: u8) -> Vec<u8> {
    let mut octets = vec![padding; octets];
    if let Ok((head, _)) = SenderOpen::view_mut(&mut octets) {
        head.seq.set(FIRST.wrapping_add(number));
        (head.t1, head.error) = (WireTime::ntp(now), error_estimate());
    }
    octets
}

fn error_estimate() -> ErrorEstimate {
    ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_secs(1))
}

/// Adds a TLV whose value is zero, and gives the value.
fn push(packet: &mut Vec<u8>, kind: TlvType, octets: usize) -> &mut [u8] {
    let begin = packet.len();
    packet.resize(begin + TlvHeader::OCTETS + octets, 0);
    let chain = packet.get_mut(begin..).unwrap_or_default();
    TlvWriter::new(chain).push(kind, octets);
    packet
        .get_mut(begin + TlvHeader::OCTETS..)
        .unwrap_or_default()
}
