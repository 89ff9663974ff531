//! The messages, field by field.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Accept, Modes};
use crate::layout::layout;
use crate::{Dscp, Short, WireTime};

/// First octet of a client's message after the Set-Up-Response (RFC 5357 section 3.4, RFC 5938).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// 2, Start-Sessions.
    StartSessions = 2,
    /// 3, Stop-Sessions.
    StopSessions = 3,
    /// 5, Request-TW-Session.
    RequestSession = 5,
    /// 7, Start-N-Sessions (RFC 5938).
    StartMany = 7,
    /// 8, Start-N-Ack (RFC 5938).
    StartManyAck = 8,
    /// 9, Stop-N-Sessions (RFC 5938).
    StopMany = 9,
    /// 10, Stop-N-Ack (RFC 5938).
    StopManyAck = 10,
}

impl Command {
    /// From the octet on the wire; `None` for one that is reserved, forbidden or unknown.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            2 => Self::StartSessions,
            3 => Self::StopSessions,
            5 => Self::RequestSession,
            7 => Self::StartMany,
            8 => Self::StartManyAck,
            9 => Self::StopMany,
            10 => Self::StopManyAck,
            _ => return None,
        })
    }

    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        self as u8
    }
}

layout! {
    /// Session Identifier, made by the Server (RFC 5357 section 3.5).
    #[derive(Hash)]
    pub struct Sid(pub [u8; 16]);
}

impl core::fmt::Display for Sid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

layout! {
    /// A span of time as control messages carry it: 32 bits of seconds, 32 of fraction.
    pub struct WireInterval(U64);
}

impl WireInterval {
    /// Rounded to nearest; at most 2^32 seconds less a fraction.
    pub fn from_duration(span: Duration) -> Self {
        let units = (span.as_nanos() << 32) + 500_000_000;
        Self(U64::new(
            u64::try_from(units / 1_000_000_000).unwrap_or(u64::MAX),
        ))
    }

    /// The span, rounded to nanoseconds.
    pub fn duration(self) -> Duration {
        let units = u128::from(self.0.get()) * 1_000_000_000 + (1 << 31);
        Duration::from_nanos(u64::try_from(units >> 32).unwrap_or(u64::MAX))
    }
}

layout! {
    /// Type-P Descriptor: how the session's packets are marked (RFC 4656 section 3.5).
    pub struct TypeP(U32);
}

impl TypeP {
    /// From a DSCP: two zero bits, then the code point.
    pub fn dscp(dscp: Dscp) -> Self {
        Self(U32::new(u32::from(dscp.value()) << 24))
    }

    /// The DSCP; `None` for a PHB identifier and reserved kinds.
    pub fn as_dscp(self) -> Option<Dscp> {
        // Two bits of kind above six of code point: more than six bits are not a DSCP.
        Dscp::new(self.0.to_bytes()[0]).ok()
    }
}

layout! {
    /// Server Greeting, 64 octets, in the clear (RFC 4656 section 3.1).
    pub struct ServerGreeting: 64 {
        /// Unused.
        pub unused: [u8; 12],
        /// What the Server offers: [`Modes`].
        pub modes: U32,
        /// Random, never repeated.
        pub challenge: [u8; 16],
        /// For PBKDF2.
        pub salt: [u8; 16],
        /// PBKDF2 iterations, a power of 2, at least 1024.
        pub count: U32,
        /// Must be zero.
        pub mbz: [u8; 12],
    }

    /// Set-Up-Response, 164 octets, in the clear except for the token (RFC 4656 section 3.1).
    pub struct SetUpResponse: 164 {
        /// What the client chose: [`Modes`].
        pub mode: U32,
        /// UTF-8, padded with zeros; zero in the unauthenticated mode.
        pub key_id: [u8; 80],
        /// Challenge and session keys, encrypted; zero in the unauthenticated mode.
        pub token: [u8; 64],
        /// Zero in the unauthenticated mode.
        pub client_iv: [u8; 16],
    }

    /// Server-Start, 48 octets (RFC 4656 section 3.1). Encryption starts at the last 16.
    pub struct ServerStart: 48 {
        /// Must be zero.
        pub mbz: [u8; 15],
        /// [`Accept`].
        pub accept: u8,
        /// Zero in the unauthenticated mode.
        pub server_iv: [u8; 16],
        /// When this Server started; zero where `accept` is not 0.
        pub start_time: WireTime,
        /// Must be zero.
        pub mbz_end: [u8; 8],
    }

    /// Request-TW-Session, 112 octets (RFC 5357 section 3.5, RFC 6038 section 4.2).
    pub struct RequestSession: 112 {
        /// [`Command::RequestSession`].
        pub command: u8,
        /// IP version in the low four bits: 4 or 6.
        pub ipvn: u8,
        /// 0 in TWAMP.
        pub conf_sender: u8,
        /// 0 in TWAMP.
        pub conf_receiver: u8,
        /// 0 in TWAMP.
        pub schedule_slots: U32,
        /// 0 in TWAMP.
        pub packets: U32,
        /// UDP port that test packets come from.
        pub sender_port: U16,
        /// UDP port requested at the reflector.
        pub receiver_port: U16,
        /// IPv4 in the first four octets; all zero: the client's own.
        pub sender_address: [u8; 16],
        /// As above; all zero: the Server's own.
        pub receiver_address: [u8; 16],
        /// 0: the Server chooses it.
        pub sid: Sid,
        /// Octets of Packet Padding in each of the sender's packets.
        pub padding_length: U32,
        /// When to start; 0 or a time in the past: at once.
        pub start_time: WireTime,
        /// How long the reflector goes on after Stop.
        pub timeout: WireInterval,
        /// Marking of the packets.
        pub type_p: TypeP,
        /// Any value, returned by the Server; with [`Modes::REFLECT_OCTETS`] only.
        pub octets_to_reflect: U16,
        /// Octets of padding to reflect; with [`Modes::REFLECT_OCTETS`] only.
        pub padding_to_reflect: U16,
        /// Must be zero.
        pub mbz: [u8; 4],
        /// Zero in the unauthenticated mode.
        pub hmac: [u8; 16],
    }

    /// Accept-Session, 48 octets (RFC 4656 section 3.5, RFC 6038 section 4.3).
    pub struct AcceptSession: 48 {
        /// [`Accept`].
        pub accept: u8,
        /// Must be zero.
        pub mbz: u8,
        /// Port that the reflector listens on; 0 where `accept` is not 0.
        pub port: U16,
        /// The session's identifier; zero where `accept` is not 0.
        pub sid: Sid,
        /// Copy of the request's octets to be reflected; with [`Modes::REFLECT_OCTETS`] only.
        pub reflected_octets: U16,
        /// Octets that the sender puts first into its padding to reflect; 0: none.
        pub server_octets: U16,
        /// Must be zero.
        pub mbz_end: [u8; 8],
        /// Zero in the unauthenticated mode.
        pub hmac: [u8; 16],
    }

    /// Start-Sessions, 32 octets (RFC 4656 section 3.7).
    pub struct StartSessions: 32 {
        /// [`Command::StartSessions`].
        pub command: u8,
        /// Must be zero.
        pub mbz: [u8; 15],
        /// Zero in the unauthenticated mode.
        pub hmac: [u8; 16],
    }

    /// Start-Ack, 32 octets (RFC 4656 section 3.7).
    pub struct StartAck: 32 {
        /// [`Accept`].
        pub accept: u8,
        /// Must be zero.
        pub mbz: [u8; 15],
        /// Zero in the unauthenticated mode.
        pub hmac: [u8; 16],
    }

    /// Stop-Sessions, 32 octets (RFC 5357 section 3.8).
    pub struct StopSessions: 32 {
        /// [`Command::StopSessions`].
        pub command: u8,
        /// [`Accept`]: 0 for an ordinary end.
        pub accept: u8,
        /// Must be zero.
        pub mbz: U16,
        /// Sessions started and not stopped.
        pub sessions: U32,
        /// Must be zero.
        pub mbz_end: [u8; 8],
        /// Zero in the unauthenticated mode.
        pub hmac: [u8; 16],
    }

    /// First block of Start-N-Sessions, Start-N-Ack, Stop-N-Sessions and Stop-N-Ack: the given
    /// number of SIDs follows, then an HMAC (RFC 5938 sections 3.2 to 3.5).
    pub struct ManySessions: 16 {
        /// [`Command`].
        pub command: u8,
        /// [`Accept`] in the acknowledgements, else zero.
        pub accept: u8,
        /// Must be zero.
        pub mbz: [u8; 10],
        /// How many SIDs follow, at least one.
        pub sessions: U32,
    }
}

impl ServerStart {
    /// Octets before the encrypted part.
    pub const CLEAR: usize = 32;
}

macro_rules! messages {
    ($($message:ident)*) => {$(
        impl $message {
            /// The message at the start of `octets`, in place.
            ///
            /// # Errors
            /// [`Short`] when there are too few octets.
            pub fn view(octets: &[u8]) -> Result<&Self, Short> {
                Self::ref_from_prefix(octets)
                    .map(|(message, _)| message)
                    .map_err(|_| Short { need: Self::OCTETS, have: octets.len() })
            }
        }
    )*};
}

messages! {
    ServerGreeting SetUpResponse ServerStart RequestSession AcceptSession StartSessions StartAck
    StopSessions ManySessions
}

impl ManySessions {
    /// Length of the whole message with its SIDs and HMAC; `None` for more than `most` sessions.
    pub fn message_octets(&self, most: u32) -> Option<usize> {
        let sessions = self.sessions.get();
        (sessions <= most).then(|| 32 + 16 * sessions as usize)
    }
}

impl RequestSession {
    /// An address field; `None` where it is zero (`::ffff:0.0.0.0` too), or `ipvn` is neither 4 nor 6.
    pub fn address(field: [u8; 16], ipvn: u8) -> Option<IpAddr> {
        let [a, b, c, d, ..] = field;
        let address = match ipvn & 0x0f {
            4 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            6 => Ipv6Addr::from(field).to_canonical(),
            _ => return None,
        };
        (!address.is_unspecified()).then_some(address)
    }

    /// An address as a field: IPv4 first, zeros after it.
    pub fn field(address: IpAddr) -> [u8; 16] {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            }
            IpAddr::V6(v6) => v6.octets(),
        }
    }
}

impl ServerGreeting {
    /// What the Server offers.
    pub fn offers(&self) -> Modes {
        Modes::from_bits(self.modes.get())
    }
}

impl AcceptSession {
    /// The Server's answer.
    pub fn answer(&self) -> Accept {
        Accept::from_octet(self.accept)
    }
}
