//! Base layouts: what a request is read as, and what its reply is laid out as.

use twinpath_wire::{
    StampReflector, StampReflectorAuthenticated, StampSender, StampSenderAuthenticated,
};

use super::{Class, Tail};
use crate::features::TestFeatures;

/// The layout of a request and its reply, as far as the octets of the base packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// TWAMP with the features of its session; TWAMP Light has none.
    Twamp(TestFeatures),
    /// STAMP unauthenticated.
    Stamp { ssid: u16, tail: Tail },
    /// STAMP authenticated.
    StampAuthenticated { ssid: u16, tail: Tail },
}

impl From<Class> for Form {
    fn from(class: Class) -> Self {
        match class {
            Class::TwampLight => Self::Twamp(TestFeatures::default()),
            Class::Stamp { ssid, tail } => Self::Stamp { ssid, tail },
            Class::StampAuthenticated { ssid, tail } => Self::StampAuthenticated { ssid, tail },
        }
    }
}

impl Form {
    /// Octets of a request before its padding or TLVs.
    pub(super) fn request_base(self) -> usize {
        match self {
            Self::Twamp(features) => features.padding_from(),
            Self::Stamp { .. } => StampSender::OCTETS,
            Self::StampAuthenticated { .. } => StampSenderAuthenticated::OCTETS,
        }
    }

    /// Octets of a reply before its padding or TLVs.
    pub(super) fn reply_base(self) -> usize {
        match self {
            Self::Twamp(features) => features.reply_header(),
            Self::Stamp { .. } => StampReflector::OCTETS,
            Self::StampAuthenticated { .. } => StampReflectorAuthenticated::OCTETS,
        }
    }

    /// As long as the request and no shorter than the base packet (rows TT-20, ST-6, ST-7).
    pub(super) fn reply_octets(self, received: usize) -> usize {
        match self {
            Self::Twamp(features) => features.reply_octets(received),
            Self::Stamp { .. } | Self::StampAuthenticated { .. } => received.max(self.reply_base()),
        }
    }

    /// STAMP Session Identifier (RFC 8972 section 3); 0 without one.
    pub(super) fn ssid(self) -> u16 {
        match self {
            Self::Twamp(_) => 0,
            Self::Stamp { ssid, .. } | Self::StampAuthenticated { ssid, .. } => ssid,
        }
    }

    /// Whether the base packets have an HMAC.
    pub(super) fn is_authenticated(self) -> bool {
        matches!(self, Self::StampAuthenticated { .. })
    }

    /// Whether TLVs follow the base packet, or what is meant as such.
    pub(super) fn has_tlvs(self) -> bool {
        match self {
            Self::Twamp(_) => false,
            Self::Stamp { tail, .. } | Self::StampAuthenticated { tail, .. } => tail != Tail::None,
        }
    }

    /// A chain of TLVs comes back whole: truncated or padded it would be malformed.
    pub(super) fn may_be_resized(self) -> bool {
        !self.has_tlvs()
    }
}
