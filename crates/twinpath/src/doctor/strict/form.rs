//! The forms of test packets, and how trials make them.

use std::time::Duration;

use twinpath_proto::stamp::StampKey;
use twinpath_wire::{
    ErrorEstimate, ReflectorOpen, ReflectorSecured, TimeFormat, TlvFlags, TlvType, Wall, WireTime,
};

/// Padding that no sender of zeros has: what is kept of it shows.
const PADDING: u8 = 0x5a;
/// Octets of TWAMP Light's plain packets, so that replies can be as long.
const LIGHT_OCTETS: usize = 41;
/// The SSID of STAMP's packets.
pub(super) const SSID: u16 = 0x5e1d;

/// A form of test packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// TWAMP Light: 41 octets (RFC 5357 section 4.1.2).
    Light,
    /// STAMP, unauthenticated: 44 octets (RFC 8762 section 4.2.1).
    Stamp,
    /// The same with an Extra Padding TLV (RFC 8972 section 4.1).
    Tlvs,
    /// The same with an HMAC TLV behind it (RFC 8972 section 4.8).
    SignedTlvs,
    /// STAMP, authenticated: 112 octets (RFC 8762 section 4.2.2).
    Authenticated,
}

/// Where fields of a packet are, in octets from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Of the base packet, and of a reply.
    pub(super) base: usize,
    pub(super) t1: usize,
    pub(super) error: usize,
    pub(super) ssid: usize,
    /// In replies.
    pub(super) t2: usize,
    pub(super) sender_number: usize,
    pub(super) sender_t1: usize,
    pub(super) sender_error: usize,
    /// Octets of replies that must be zero: offset and number.
    pub(super) reply_zeros: &'static [(usize, usize)],
}

/// RFC 5357 section 4.2.1.
const LIGHT: Layout = Layout {
    base: 41,
    t1: 4,
    error: 12,
    ssid: 14,
    t2: 16,
    sender_number: ReflectorOpen::SENDER_SEQ_AT,
    sender_t1: 28,
    sender_error: 36,
    reply_zeros: &[(14, 2), (38, 2)],
};

/// RFC 8762 section 4.3.1.
const STAMP: Layout = Layout {
    base: 44,
    reply_zeros: &[(38, 2), (41, 3)],
    ..LIGHT
};

/// RFC 8762 section 4.3.2.
const AUTHENTICATED: Layout = Layout {
    base: 112,
    t1: 16,
    error: 24,
    ssid: 26,
    t2: 32,
    sender_number: ReflectorSecured::SENDER_SEQ_AT,
    sender_t1: 64,
    sender_error: 72,
    reply_zeros: &[(4, 12), (28, 4), (40, 8), (52, 12), (74, 6), (81, 15)],
};

/// Packets of a TWAMP session: unauthenticated, and opened ones of the authenticated and encrypted modes (RFC
/// 5357 section 4.2.1).
pub(super) const OPEN_SESSION: Layout = LIGHT;
pub(super) const SECURED_SESSION: Layout = Layout {
    reply_zeros: &[(4, 12), (26, 6), (40, 8), (52, 12), (74, 6), (81, 15)],
    ..AUTHENTICATED
};

impl Form {
    pub(super) const fn layout(self) -> Layout {
        match self {
            Self::Light => LIGHT,
            Self::Stamp | Self::Tlvs | Self::SignedTlvs => STAMP,
            Self::Authenticated => AUTHENTICATED,
        }
    }
}

/// Makes packets of a form.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    pub(super) form: Form,
    pub(super) now: Wall,
    /// Of authenticated STAMP, and of the HMAC TLV.
    pub(super) key: Option<StampKey>,
}

impl Maker {
    /// A packet as the far end must answer it.
    pub(super) fn plain(&self, number: u32) -> Vec<u8> {
        match self.form {
            Form::Light | Form::Stamp | Form::Authenticated => self.base(number),
            Form::Tlvs => self.with_chain(number, &tlv(TlvType::EXTRA_PADDING, &[0xa5; 8])),
            Form::SignedTlvs => {
                self.with_signed_chain(number, &tlv(TlvType::EXTRA_PADDING, &[0xa5; 8]))
            }
        }
    }

    /// A base packet without TLVs, sealed where the form has an HMAC.
    pub(super) fn base(&self, number: u32) -> Vec<u8> {
        let mut packet = self.unsealed(number);
        self.seal(&mut packet);
        packet
    }

    /// A base packet whose HMAC is zero.
    pub(super) fn unsealed(&self, number: u32) -> Vec<u8> {
        let layout = self.form.layout();
        let mut packet = match self.form {
            Form::Light => vec![PADDING; LIGHT_OCTETS],
            Form::Stamp | Form::Tlvs | Form::SignedTlvs | Form::Authenticated => {
                vec![0; layout.base]
            }
        };
        let error = ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_secs(1));
        put(&mut packet, 0, &number.to_be_bytes());
        put(&mut packet, layout.t1, &self.time().bits().to_be_bytes());
        put(&mut packet, layout.error, &error.bits().to_be_bytes());
        if self.form != Form::Light {
            put(&mut packet, layout.ssid, &SSID.to_be_bytes());
        }
        packet
    }

    /// Makes the HMAC of a base packet right, where the form has one.
    pub(super) fn seal(&self, packet: &mut [u8]) {
        if self.form == Form::Authenticated
            && let Some(key) = &self.key
        {
            key.seal(packet);
        }
    }

    /// A packet that `change` changed before it was sealed.
    pub(super) fn changed(&self, number: u32, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut packet = self.unsealed(number);
        change(&mut packet);
        self.seal(&mut packet);
        packet
    }

    /// A packet with these octets behind its base.
    pub(super) fn with_chain(&self, number: u32, chain: &[u8]) -> Vec<u8> {
        let mut packet = self.base(number);
        packet.extend(chain);
        packet
    }

    /// As [`Self::with_chain`], with an HMAC TLV behind the chain, right where there is a key.
    pub(super) fn with_signed_chain(&self, number: u32, chain: &[u8]) -> Vec<u8> {
        let sign = |key: &StampKey| key.sign(&[&number.to_be_bytes(), chain]);
        let digest = self.key.as_ref().map_or([0; 16], sign);
        let chain = [chain, &tlv(TlvType::HMAC, &digest)].concat();
        self.with_chain(number, &chain)
    }

    /// T1 as NTP.
    pub(super) fn time(&self) -> WireTime {
        WireTime::ntp(self.now)
    }
}

/// Writes a field; one that is past the end is left out.
pub(super) fn put(packet: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = packet.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

/// A TLV as a sender sends it.
pub(super) fn tlv(kind: TlvType, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    raw_tlv(TlvFlags::UNRECOGNIZED.0, kind, length, value)
}

/// A TLV with any flags and any Length.
pub(super) fn raw_tlv(flags: u8, kind: TlvType, length: u16, value: &[u8]) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut octets = vec![flags, kind.0, high, low];
    octets.extend(value);
    octets
}
