//! Where the fields of test packets are: open ones of TWAMP and STAMP alike, authenticated ones of
//! STAMP. Those of TWAMP are encrypted where it matters.

use std::mem::offset_of;

use twinpath_wire::{
    ErrorEstimate, ReflectorOpen, ReplyHead, ReplyTimes, SenderOpen, StampReflector,
    StampReflectorAuthenticated, StampSender, StampSenderAuthenticated, TimeFormat, TlvFlags, Wall,
    WireTime,
};

/// Where fields are: not all of them need to have been captured.
macro_rules! at {
    ($packet:ident: $($($field:ident).+),+) => {
        [$(offset_of!($packet, $($field).+)),+]
    };
}

/// One of the two layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// RFC 5357 section 4.1.2 and 4.2.1, RFC 8762 section 4.2.1 and 4.3.1.
    Open,
    /// RFC 8762 section 4.2.2 and 4.3.2.
    StampAuthenticated,
}

/// What identifies a packet: its number and its T1, as in the packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) seq: u32,
    pub(super) t1: u64,
    /// The bits of T1 that were captured.
    known: u64,
}

impl Name {
    /// Whether both are of one packet, as far as both are known.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.seq == other.seq && (self.t1 ^ other.t1) & self.known & other.known == 0
    }

    /// All zeros identify no packet.
    pub(super) fn is_zero(&self) -> bool {
        self.seq == 0 && self.t1 == 0
    }
}

/// The fields of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// Of the request that it answers.
    pub(super) name: Name,
    pub(super) reflector_seq: u32,
    pub(super) t2: u64,
    pub(super) t3: u64,
    pub(super) error: ErrorEstimate,
    pub(super) ttl: Option<u8>,
}

impl Layout {
    /// Base packets have an HMAC.
    pub(super) fn is_authenticated(self) -> bool {
        self == Self::StampAuthenticated
    }

    /// The fewest octets of a request.
    pub(super) fn request_octets(self) -> usize {
        match self {
            Self::Open => SenderOpen::OCTETS,
            Self::StampAuthenticated => StampSenderAuthenticated::OCTETS,
        }
    }

    /// Octets of a reply at least: the shortest open ones are twampy's, without a Sender TTL.
    pub(super) fn reply_octets(self) -> usize {
        match self {
            Self::Open => ReplyHead::OCTETS,
            Self::StampAuthenticated => StampReflectorAuthenticated::OCTETS,
        }
    }

    /// The TLVs of a STAMP request, as far as they were captured; none where no TLV as a sender writes it
    /// is behind its base (RFC 8972 section 4.2).
    pub(super) fn request_tlvs(self, payload: &[u8]) -> &[u8] {
        let base = match self {
            Self::Open => StampSender::OCTETS,
            Self::StampAuthenticated => StampSenderAuthenticated::OCTETS,
        };
        let chain = payload.get(base..).unwrap_or_default();
        let flags = chain.first().copied().map(TlvFlags);
        let is_chain = flags.is_some_and(|flags| flags.has(TlvFlags::UNRECOGNIZED));
        if is_chain { chain } else { &[] }
    }

    /// What is behind the base of a STAMP reply, as far as it was captured.
    pub(super) fn reply_tlvs(self, payload: &[u8]) -> &[u8] {
        let base = match self {
            Self::Open => StampReflector::OCTETS,
            Self::StampAuthenticated => StampReflectorAuthenticated::OCTETS,
        };
        payload.get(base..).unwrap_or_default()
    }

    /// The name of a request of `octets`, of which `payload` was captured.
    pub(super) fn request(self, payload: &[u8], octets: usize) -> Option<Name> {
        let t1 = match self {
            Self::Open => offset_of!(SenderOpen, t1),
            Self::StampAuthenticated => offset_of!(StampSenderAuthenticated, t1),
        };
        if octets < self.request_octets() {
            return None;
        }
        name(payload, 0, t1)
    }

    /// The format of a request's T1, by its Z bit; that of most where it was not captured.
    pub(super) fn time_format(self, payload: &[u8]) -> TimeFormat {
        let error = match self {
            Self::Open => offset_of!(SenderOpen, error),
            Self::StampAuthenticated => offset_of!(StampSenderAuthenticated, error),
        };
        let error = be16(payload, error).map(ErrorEstimate::from_bits);
        error.map_or(TimeFormat::Ntp, ErrorEstimate::format)
    }

    /// T1 of a request, nearest to when it was captured; `None` where it has none, or not all of it is there.
    pub(super) fn departure(self, payload: &[u8], name: &Name, captured: Wall) -> Option<Wall> {
        let error = match self {
            Self::Open => offset_of!(SenderOpen, error),
            Self::StampAuthenticated => offset_of!(StampSenderAuthenticated, error),
        };
        let z = ErrorEstimate::from_bits(be16(payload, error)?).format();
        let t1 = WireTime::from_bits(name.t1);
        let is_known = name.known == u64::MAX && !t1.is_unset();
        is_known.then(|| t1.read_plausibly(z, captured, 0).at)
    }

    /// A reply of `octets`, of which `payload` was captured.
    pub(super) fn reply(self, payload: &[u8], octets: usize) -> Option<Reply> {
        let [t3, error, t2, seq, t1, ttl] = match self {
            Self::Open => {
                at!(ReflectorOpen: head.t3, head.error, head.t2, head.sender_seq, head.sender_t1, sender_ttl)
            }
            Self::StampAuthenticated => {
                at!(StampReflectorAuthenticated: t3, error, t2, sender_seq, sender_t1, sender_ttl)
            }
        };
        if octets < self.reply_octets() {
            return None;
        }
        Some(Reply {
            name: name(payload, seq, t1)?,
            reflector_seq: be32(payload, 0)?,
            t2: be64(payload, t2)?,
            t3: be64(payload, t3)?,
            error: ErrorEstimate::from_bits(be16(payload, error)?),
            // The TTL of twampy's short replies is not there; 0 is none that a packet has.
            ttl: payload.get(ttl).copied().filter(|ttl| *ttl > 0),
        })
    }

    /// Whether a packet that can be of either layout is of this one: authenticated ones have zeros
    /// where open ones have a time.
    pub(super) fn fits(self, payload: &[u8]) -> bool {
        let zeros = payload.get(4..16).is_some_and(|octets| octets == [0; 12]);
        zeros == (self == Self::StampAuthenticated)
    }

    /// The SSID of a STAMP packet (RFC 8972 section 3), request or reply, as far as it was captured.
    pub(super) fn ssid(self, payload: &[u8]) -> u16 {
        let at = match self {
            Self::Open => offset_of!(StampSender, ssid),
            Self::StampAuthenticated => offset_of!(StampSenderAuthenticated, ssid),
        };
        be16(payload, at).unwrap_or(0)
    }
}

/// A number, and of T1 what was captured: its seconds at least.
fn name(payload: &[u8], seq: usize, t1: usize) -> Option<Name> {
    let seq = be32(payload, seq)?;
    let captured = payload.get(t1..)?;
    let captured = captured.get(..8).unwrap_or(captured);
    if captured.len() < 4 {
        return None;
    }
    let mut octets = [0; 8];
    let mut known = [0; 8];
    for (place, octet) in captured.iter().enumerate() {
        *octets.get_mut(place)? = *octet;
        *known.get_mut(place)? = 0xff;
    }
    Some(Name {
        seq,
        t1: u64::from_be_bytes(octets),
        known: u64::from_be_bytes(known),
    })
}

impl Reply {
    /// T2 and T3, nearest to when the reply was captured. Both in the format of the reply's Z bit,
    /// where that makes sense; those of PTP in TAI or, as some reflectors have it, in UTC: whichever
    /// is nearer to the capture's clock.
    pub(super) fn times(&self, captured: Wall) -> ReplyTimes {
        self.read(captured).0
    }

    /// How far ahead of UTC PTP timestamps of its sender are, in seconds.
    pub(super) fn tai_offset_s(&self, captured: Wall) -> i32 {
        self.read(captured).1
    }

    fn read(&self, captured: Wall) -> (ReplyTimes, i32) {
        let z: TimeFormat = self.error.format();
        let stamps = [self.t2, self.t3].map(WireTime::from_bits);
        let read = |offset_s| {
            (
                WireTime::read_reply(stamps, z, captured, offset_s),
                offset_s,
            )
        };
        let (tai, utc) = (read(TAI_UTC_S), read(0));
        let away = |(times, _): (ReplyTimes, i32)| {
            let told = times.t3.or(times.t2);
            told.map_or(0, |told| (told - captured).abs_ns())
        };
        if away(utc) < away(tai) { utc } else { tai }
    }
}

/// TAI - UTC since 2017, which PTP timestamps are ahead of the capture's clock by.
const TAI_UTC_S: i32 = 37;

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

fn be32(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

fn be64(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}
