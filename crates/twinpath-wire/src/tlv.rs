//! TLVs behind a STAMP base packet, and sub-TLVs within them (RFC 8972 section 4).

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::layout::layout;

layout! {
    /// Flags of a TLV. A sender sets U alone; a reflector clears it in what it understands.
    pub struct TlvFlags(pub u8);
}

layout! {
    /// Type of a TLV, or of a sub-TLV within its TLV.
    pub struct TlvType(pub u8);
}

layout! {
    /// Header of a TLV or sub-TLV: 4 octets, then `length` octets of value.
    pub struct TlvHeader: 4 {
        /// What became of it.
        pub flags: TlvFlags,
        /// What it is.
        pub kind: TlvType,
        /// Octets of its value.
        pub length: U16,
    }
}

impl TlvFlags {
    /// U: the type is not understood, or was not processed.
    pub const UNRECOGNIZED: Self = Self(0x80);
    /// M: the Length is wrong. What follows was not processed.
    pub const MALFORMED: Self = Self(0x40);
    /// I: the integrity of the chain is not proven. None of its TLVs was processed.
    pub const INTEGRITY: Self = Self(0x20);
    /// C: a Reflected Test Packet Control could not be followed whole (RFC 10052).
    pub const CONFORMANT: Self = Self(0x10);

    /// Whether all bits of `flag` are set.
    pub const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }
}

impl TlvType {
    /// RFC 8972 section 4.1.
    pub const EXTRA_PADDING: Self = Self(1);
    /// RFC 8972 section 4.2.
    pub const LOCATION: Self = Self(2);
    /// RFC 8972 section 4.3.
    pub const TIMESTAMP_INFORMATION: Self = Self(3);
    /// RFC 8972 section 4.4.
    pub const CLASS_OF_SERVICE: Self = Self(4);
    /// RFC 8972 section 4.5.
    pub const DIRECT_MEASUREMENT: Self = Self(5);
    /// RFC 8972 section 4.6.
    pub const ACCESS_REPORT: Self = Self(6);
    /// RFC 8972 section 4.7.
    pub const FOLLOW_UP_TELEMETRY: Self = Self(7);
    /// RFC 8972 section 4.8.
    pub const HMAC: Self = Self(8);
    /// RFC 9503 section 3.
    pub const DESTINATION_NODE_ADDRESS: Self = Self(9);
    /// RFC 9503 section 4.
    pub const RETURN_PATH: Self = Self(10);
    /// RFC 9534 section 3.1.
    pub const MICRO_SESSION_ID: Self = Self(11);
    /// RFC 10052.
    pub const REFLECTED_CONTROL: Self = Self(12);
}

/// A TLV of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Flags, type and Length.
    pub header: TlvHeader,
    /// As long as the header says.
    pub value: &'a [u8],
}

/// A TLV of a chain, in place.
#[derive(Debug)]
pub struct TlvMut<'a> {
    /// Flags, type and Length. The Length is that of the value: to change it breaks the chain.
    pub header: &'a mut TlvHeader,
    /// As long as the header says.
    pub value: &'a mut [u8],
}

/// What ends a chain too soon: octets that are no TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// Its Length runs past the end.
    #[error("a TLV of type {} and {} octets, of which {left} are left", header.kind.0, header.length)]
    PastEnd {
        /// What it says of itself.
        header: TlvHeader,
        /// Octets behind the header.
        left: usize,
    },
    /// Fewer octets than a header has.
    #[error("{left} octets where a TLV header needs {}", TlvHeader::OCTETS)]
    NoHeader {
        /// How many.
        left: usize,
    },
}

/// Walks a chain, each octet once. After a [`BrokenChain`] there is nothing more.
#[derive(Clone, Debug)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// The chain that fills these octets; none if there are none.
    pub const fn new(chain: &'a [u8]) -> Self {
        Self(chain)
    }

    /// Whether the last TLV ends where the octets end.
    pub fn is_whole(chain: &[u8]) -> bool {
        Tlvs::new(chain).all(|tlv| tlv.is_ok())
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, BrokenChain>;

    fn next(&mut self) -> Option<Self::Item> {
        let chain = core::mem::take(&mut self.0);
        if chain.is_empty() {
            return None;
        }
        let Ok((header, behind)) = TlvHeader::read_from_prefix(chain) else {
            return Some(Err(BrokenChain::NoHeader { left: chain.len() }));
        };
        let Some((value, rest)) = behind.split_at_checked(header.length.get().into()) else {
            let left = behind.len();
            return Some(Err(BrokenChain::PastEnd { header, left }));
        };
        self.0 = rest;
        Some(Ok(Tlv { header, value }))
    }
}

/// As [`Tlvs`], to change what is there.
#[derive(Debug)]
pub struct TlvsMut<'a>(&'a mut [u8]);

impl<'a> TlvsMut<'a> {
    /// The chain that fills these octets; none if there are none.
    pub const fn new(chain: &'a mut [u8]) -> Self {
        Self(chain)
    }
}

impl<'a> Iterator for TlvsMut<'a> {
    type Item = Result<TlvMut<'a>, BrokenChain>;

    fn next(&mut self) -> Option<Self::Item> {
        let chain = core::mem::take(&mut self.0);
        match Tlvs::new(chain).next()? {
            Ok(tlv) => {
                let length = tlv.value.len();
                let (header, behind) = TlvHeader::mut_from_prefix(chain).ok()?;
                let (value, rest) = behind.split_at_mut_checked(length)?;
                self.0 = rest;
                Some(Ok(TlvMut { header, value }))
            }
            Err(broken) => Some(Err(broken)),
        }
    }
}

/// Writes a chain as a sender does: each TLV with U alone (row ST-23).
#[derive(Debug)]
pub struct TlvWriter<'a> {
    room: &'a mut [u8],
    written: usize,
}

impl<'a> TlvWriter<'a> {
    /// A chain at the beginning of `room`.
    pub const fn new(room: &'a mut [u8]) -> Self {
        Self { room, written: 0 }
    }

    /// One more TLV with a value of this many octets, which are returned as they were in the room; `None`,
    /// and nothing is written, where there is no room or a Length cannot say it.
    pub fn push(&mut self, kind: TlvType, octets: usize) -> Option<&mut [u8]> {
        let length = U16::new(u16::try_from(octets).ok()?);
        let room = self.room.get_mut(self.written..)?;
        let (header, behind) = TlvHeader::mut_from_prefix(room).ok()?;
        let value = behind.get_mut(..octets)?;
        *header = TlvHeader {
            flags: TlvFlags::UNRECOGNIZED,
            kind,
            length,
        };
        self.written += TlvHeader::OCTETS + octets;
        Some(value)
    }

    /// Octets of the chain so far.
    pub const fn octets(&self) -> usize {
        self.written
    }
}
