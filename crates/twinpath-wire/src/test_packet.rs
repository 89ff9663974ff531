//! TWAMP-Test and STAMP packets, both directions.
//!
//! Octets after a header (padding, TLVs) are returned beside the view. Any octets that are long
//! enough are a view.

use core::mem::offset_of;

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::layout::layout;
use crate::{ErrorEstimate, WireTime};

/// The well-known UDP port of TWAMP-Test and STAMP reflectors (RFC 8545, RFC 8762 section 4.1).
pub const TWAMP_TEST_PORT: u16 = 862;
/// The UDP port that twampy's TWAMP Light responder listens on.
pub const LIGHT_PORT: u16 = 20001;
/// The largest UDP payload over IPv4, in octets.
pub const MAX_PAYLOAD_V4: usize = 65_507;
/// The largest UDP payload over IPv6 without jumbograms, in octets.
pub const MAX_PAYLOAD_V6: usize = 65_527;

/// The datagram is too short for the expected layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{have} octets where {need} are needed")]
pub struct Short {
    /// Octets that the header needs.
    pub need: usize,
    /// Octets in the datagram.
    pub have: usize,
}

layout! {
    /// Session-Sender packet, TWAMP unauthenticated: 14 octets, then Packet Padding
    /// (RFC 4656 section 4.1.2, RFC 5357 section 4.1.2).
    pub struct SenderOpen: 14 {
        /// Starts at 0 and grows by one with each packet sent.
        pub seq: U32,
        /// T1.
        pub t1: WireTime,
        /// Error Estimate of T1.
        pub error: ErrorEstimate,
    }

    /// Session-Reflector packet, TWAMP unauthenticated: 41 octets, then Packet Padding
    /// (RFC 5357 section 4.2.1).
    pub struct ReflectorOpen: 41 {
        /// The octets common to all replies, up to the Sender Timestamp.
        pub head: ReplyHead,
        /// Copy of the request's Error Estimate.
        pub sender_error: ErrorEstimate,
        /// Must be zero.
        pub mbz: U16,
        /// TTL or Hop Limit with which the request arrived.
        pub sender_ttl: u8,
    }

    /// The first 36 octets of any unauthenticated reply, TWAMP or STAMP: all that a round trip
    /// needs. Some peers send little more (38 octets).
    pub struct ReplyHead: 36 {
        /// The reflector's own number, or a copy of the sender's if the reflector keeps no state.
        pub seq: U32,
        /// T3.
        pub t3: WireTime,
        /// Error Estimate of T3 and T2.
        pub error: ErrorEstimate,
        /// STAMP Session Identifier (RFC 8972 section 3); must be zero in TWAMP.
        pub ssid: U16,
        /// T2.
        pub t2: WireTime,
        /// Copy of the request's Sequence Number.
        pub sender_seq: U32,
        /// Copy of the request's Timestamp, T1.
        pub sender_t1: WireTime,
    }

    /// Session-Sender packet, STAMP unauthenticated: 44 octets, then TLVs (RFC 8762 section 4.2.1).
    pub struct StampSender: 44 {
        /// Starts at 0 and grows by one with each packet sent.
        pub seq: U32,
        /// T1.
        pub t1: WireTime,
        /// Error Estimate of T1.
        pub error: ErrorEstimate,
        /// STAMP Session Identifier (RFC 8972 section 3); 0 without one.
        pub ssid: U16,
        /// Must be zero.
        pub mbz: [u8; 28],
    }

    /// Session-Reflector packet, STAMP unauthenticated: 44 octets, then TLVs (RFC 8762 section 4.3.1).
    pub struct StampReflector: 44 {
        /// The octets common to all replies, up to the Session-Sender Timestamp.
        pub head: ReplyHead,
        /// Copy of the request's Error Estimate.
        pub sender_error: ErrorEstimate,
        /// Must be zero.
        pub mbz: U16,
        /// TTL or Hop Limit with which the request arrived.
        pub sender_ttl: u8,
        /// Must be zero.
        pub mbz_end: [u8; 3],
    }

    /// Session-Sender packet, STAMP authenticated: 112 octets, then TLVs (RFC 8762 section 4.2.2).
    pub struct StampSenderAuthenticated: 112 {
        /// Starts at 0 and grows by one with each packet sent.
        pub seq: U32,
        /// Must be zero.
        pub mbz: [u8; 12],
        /// T1.
        pub t1: WireTime,
        /// Error Estimate of T1.
        pub error: ErrorEstimate,
        /// STAMP Session Identifier (RFC 8972 section 3); 0 without one.
        pub ssid: U16,
        /// Must be zero.
        pub mbz_end: [u8; 68],
        /// HMAC-SHA-256 of all before it, truncated to 16 octets.
        pub hmac: [u8; 16],
    }

    /// Session-Reflector packet, STAMP authenticated: 112 octets, then TLVs (RFC 8762 section 4.3.2).
    pub struct StampReflectorAuthenticated: 112 {
        /// The reflector's own number, or a copy of the sender's if the reflector keeps no state.
        pub seq: U32,
        /// Must be zero.
        pub mbz: [u8; 12],
        /// T3.
        pub t3: WireTime,
        /// Error Estimate of T3 and T2.
        pub error: ErrorEstimate,
        /// Copy of the request's Session Identifier.
        pub ssid: U16,
        /// Must be zero.
        pub mbz_time: [u8; 4],
        /// T2.
        pub t2: WireTime,
        /// Must be zero.
        pub mbz_arrival: [u8; 8],
        /// Copy of the request's Sequence Number.
        pub sender_seq: U32,
        /// Must be zero.
        pub mbz_sender: [u8; 12],
        /// Copy of the request's Timestamp, T1.
        pub sender_t1: WireTime,
        /// Copy of the request's Error Estimate.
        pub sender_error: ErrorEstimate,
        /// Must be zero.
        pub mbz_sender_time: [u8; 6],
        /// TTL or Hop Limit with which the request arrived.
        pub sender_ttl: u8,
        /// Must be zero.
        pub mbz_end: [u8; 15],
        /// HMAC-SHA-256 of all before it, truncated to 16 octets.
        pub hmac: [u8; 16],
    }

    /// Session-Sender packet, TWAMP authenticated and encrypted: 48 octets, then Packet Padding
    /// (RFC 4656 section 4.1.2), as it is before encryption.
    pub struct SenderSecured: 48 {
        /// Starts at 0 and grows by one with each packet sent.
        pub seq: U32,
        /// Must be zero.
        pub mbz: [u8; 12],
        /// T1.
        pub t1: WireTime,
        /// Error Estimate of T1.
        pub error: ErrorEstimate,
        /// Must be zero.
        pub mbz_time: [u8; 6],
        /// HMAC-SHA1 of the encrypted part, truncated to 16 octets.
        pub hmac: [u8; 16],
    }

    /// Session-Reflector packet, TWAMP authenticated and encrypted: 112 octets, then Packet Padding
    /// (RFC 5357 section 4.2.1, RFC 7750 section 2.2.1), as it is before encryption.
    pub struct ReflectorSecured: 112 {
        /// The reflector's own number.
        pub seq: U32,
        /// Must be zero.
        pub mbz: [u8; 12],
        /// T3.
        pub t3: WireTime,
        /// Error Estimate of T3 and T2.
        pub error: ErrorEstimate,
        /// Must be zero.
        pub mbz_time: [u8; 6],
        /// T2.
        pub t2: WireTime,
        /// Must be zero.
        pub mbz_arrival: [u8; 8],
        /// Copy of the request's Sequence Number.
        pub sender_seq: U32,
        /// Must be zero.
        pub mbz_sender: [u8; 12],
        /// Copy of the request's Timestamp, T1.
        pub sender_t1: WireTime,
        /// Copy of the request's Error Estimate.
        pub sender_error: ErrorEstimate,
        /// Must be zero.
        pub mbz_sender_time: [u8; 6],
        /// TTL or Hop Limit with which the request arrived.
        pub sender_ttl: u8,
        /// ToS or Traffic Class octet with which the request arrived, with DSCP and ECN Monitoring;
        /// else must be zero.
        pub sender_tos: u8,
        /// Must be zero.
        pub mbz_end: [u8; 14],
        /// HMAC-SHA1 of the encrypted part, truncated to 16 octets.
        pub hmac: [u8; 16],
    }
}

impl ReflectorOpen {
    /// Where unauthenticated replies, TWAMP or STAMP, have the number of their request, in octets.
    pub const SENDER_SEQ_AT: usize = offset_of!(Self, head.sender_seq);
}

impl ReflectorSecured {
    /// Where replies of the other modes, TWAMP or STAMP, have the number of their request, in octets.
    pub const SENDER_SEQ_AT: usize = offset_of!(Self, sender_seq);
}

const _: () = {
    assert!(ReflectorOpen::SENDER_SEQ_AT == offset_of!(StampReflector, head.sender_seq));
    assert!(ReflectorSecured::SENDER_SEQ_AT == offset_of!(StampReflectorAuthenticated, sender_seq));
};

macro_rules! views {
    ($($packet:ident)*) => {$(
        impl $packet {
            /// The header and what follows it, in place.
            ///
            /// # Errors
            /// [`Short`] when there are too few octets.
            pub fn view(datagram: &[u8]) -> Result<(&Self, &[u8]), Short> {
                let have = datagram.len();
                Self::ref_from_prefix(datagram).map_err(|_| Short { need: Self::OCTETS, have })
            }

            /// The header and what follows it, in place and mutable.
            ///
            /// # Errors
            /// [`Short`] when there are too few octets.
            pub fn view_mut(datagram: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Short> {
                let have = datagram.len();
                Self::mut_from_prefix(datagram).map_err(|_| Short { need: Self::OCTETS, have })
            }
        }
    )*};
}

views! {
    SenderOpen SenderSecured ReflectorOpen ReflectorSecured ReplyHead
    StampSender StampReflector StampSenderAuthenticated StampReflectorAuthenticated
}

/// The fields of a reply from any peer, as far as it is long enough: at least those of
/// [`ReplyHead`].
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The fields that a round trip needs.
    pub head: ReplyHead,
    /// Copy of the request's Error Estimate, if the reply is long enough.
    pub sender_error: Option<ErrorEstimate>,
    /// Sender TTL, if the reply is long enough.
    pub sender_ttl: Option<u8>,
    /// S-DSCP-ECN (RFC 7750 section 2.2.1), if the reply is long enough. Meaningful only if DSCP
    /// and ECN Monitoring was negotiated.
    pub sender_tos: Option<u8>,
}

impl Reply {
    /// Reads any unauthenticated reply, TWAMP or STAMP (row TT-60).
    ///
    /// # Errors
    /// [`Short`] under 36 octets.
    pub fn view(datagram: &[u8]) -> Result<Self, Short> {
        let (head, rest) = ReplyHead::view(datagram)?;
        let sender_error = ErrorEstimate::read_from_prefix(rest)
            .ok()
            .map(|(error, _)| error);
        Ok(Self {
            head: *head,
            sender_error,
            sender_ttl: rest.get(4).copied(),
            sender_tos: rest.get(5).copied(),
        })
    }
}

impl From<&StampReflectorAuthenticated> for Reply {
    fn from(packet: &StampReflectorAuthenticated) -> Self {
        Self {
            head: ReplyHead {
                seq: packet.seq,
                t3: packet.t3,
                error: packet.error,
                ssid: packet.ssid,
                t2: packet.t2,
                sender_seq: packet.sender_seq,
                sender_t1: packet.sender_t1,
            },
            sender_error: Some(packet.sender_error),
            sender_ttl: Some(packet.sender_ttl),
            sender_tos: None,
        }
    }
}

impl From<&ReflectorSecured> for Reply {
    fn from(packet: &ReflectorSecured) -> Self {
        Self {
            head: ReplyHead {
                seq: packet.seq,
                t3: packet.t3,
                error: packet.error,
                ssid: U16::ZERO,
                t2: packet.t2,
                sender_seq: packet.sender_seq,
                sender_t1: packet.sender_t1,
            },
            sender_error: Some(packet.sender_error),
            sender_ttl: Some(packet.sender_ttl),
            sender_tos: Some(packet.sender_tos),
        }
    }
}
