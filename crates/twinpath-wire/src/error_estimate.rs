//! The Error Estimate of a timestamp (RFC 4656 section 4.1.2, Z bit by RFC 8186 section 2.3).

use core::time::Duration;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::TimeFormat;
use crate::layout::layout;

const S: u8 = 0x80;
const Z: u8 = 0x40;
const SCALE: u8 = 0x3f;

layout! {
    /// Two octets: S, Z, Scale (6 bits), Multiplier (8 bits); error = Multiplier * 2^(Scale - 32) s.
    #[derive(Serialize, Deserialize)]
    #[serde(from = "u16", into = "u16")]
    pub struct ErrorEstimate([u8; 2]);
}

impl From<u16> for ErrorEstimate {
    fn from(bits: u16) -> Self {
        Self::from_bits(bits)
    }
}

impl From<ErrorEstimate> for u16 {
    fn from(estimate: ErrorEstimate) -> Self {
        estimate.bits()
    }
}

impl ErrorEstimate {
    /// From the 16 bits on the wire.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits.to_be_bytes())
    }

    /// The 16 bits on the wire.
    pub const fn bits(self) -> u16 {
        u16::from_be_bytes(self.0)
    }

    /// From what the clock's discipline reports. The error is rounded up, never understated, capped
    /// at what the field can hold, and the Multiplier is never 0 (rows TT-50, TT-51).
    pub fn new(synchronized: bool, format: TimeFormat, error: Duration) -> Self {
        let units = (error.as_nanos() << 32).div_ceil(1_000_000_000);
        let mut scale = 0_u8;
        let mut multiplier = units;
        while multiplier > 255 && scale < SCALE {
            scale += 1;
            multiplier = units.div_ceil(1_u128 << scale);
        }
        let flags = if synchronized { S } else { 0 }
            | match format {
                TimeFormat::Ntp => 0,
                TimeFormat::Ptp => Z,
            };
        Self([
            flags | scale,
            u8::try_from(multiplier.max(1)).unwrap_or(u8::MAX),
        ])
    }

    /// S: the clock is synchronized to UTC by an external source.
    pub const fn synchronized(self) -> bool {
        self.0[0] & S != 0
    }

    /// Z: the format of the timestamps that this estimate covers.
    pub const fn format(self) -> TimeFormat {
        if self.0[0] & Z == 0 {
            TimeFormat::Ntp
        } else {
            TimeFormat::Ptp
        }
    }

    /// Scale, 0 to 63.
    pub const fn scale(self) -> u8 {
        self.0[0] & SCALE
    }

    /// Multiplier; RFC 4656 does not allow 0, but some peers send it.
    pub const fn multiplier(self) -> u8 {
        self.0[1]
    }

    /// The claimed error in nanoseconds, rounded up; `None` (unknown) if the Multiplier is 0.
    pub fn error_ns(self) -> Option<u128> {
        if self.multiplier() == 0 {
            return None;
        }
        let units = u128::from(self.multiplier()) << self.scale();
        Some((units * 1_000_000_000).div_ceil(1 << 32))
    }
}
