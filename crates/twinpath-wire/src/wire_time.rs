//! The 8-octet timestamp of test packets: NTP (RFC 5905 section 6) or truncated `PTPv2` (RFC 8186).
//!
//! The Z bit of the accompanying Error Estimate selects the format. Some peers set that bit
//! wrongly: [`WireTime::read_plausibly`] checks it against the local clock (row TT-46).

use serde::{Deserialize, Serialize};
use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Wall;
use crate::layout::layout;

/// Seconds from 1900-01-01, NTP's prime epoch, to 1970-01-01.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;
const NS_PER_S: i64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * 1_000_000_000;
const YEAR_NS: u64 = 366 * DAY_NS;

/// The two formats that a test packet's timestamp can have (RFC 8186 section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeFormat {
    /// 32 bits of seconds since 1900 and 32 bits of fraction, UTC. Z = 0.
    #[default]
    Ntp,
    /// 32 bits of seconds since 1970 and 32 bits of nanoseconds, TAI. Z = 1.
    Ptp,
}

layout! {
    /// A timestamp in a packet: 8 octets of either format.
    pub struct WireTime(U64);
}

/// T2 and T3 of a reply, as [`WireTime::read_reply`] reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTimes {
    /// T2; `None` (unknown) if all of its bits are zero (RFC 5905 section 6).
    pub t2: Option<Wall>,
    /// T3; `None` as for T2.
    pub t3: Option<Wall>,
    /// The Z bit named the other format.
    pub z_wrong: bool,
}

/// A timestamp's meaning once the Z bit is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The moment, UTC.
    pub at: Wall,
    /// The format it was actually in.
    pub format: TimeFormat,
    /// The Z bit named the other format.
    pub z_wrong: bool,
}

impl WireTime {
    /// From the 64 bits on the wire.
    pub const fn from_bits(bits: u64) -> Self {
        Self(U64::from_bytes(bits.to_be_bytes()))
    }

    /// The 64 bits on the wire.
    pub const fn bits(self) -> u64 {
        u64::from_be_bytes(self.0.to_bytes())
    }

    /// Writes `at` in `format`. `tai_offset_s` is TAI - UTC in seconds (only `PTPv2` uses it).
    pub fn write(at: Wall, format: TimeFormat, tai_offset_s: i32) -> Self {
        match format {
            TimeFormat::Ntp => Self::ntp(at),
            TimeFormat::Ptp => Self::ptp(at, tai_offset_s),
        }
    }

    /// Writes `at` as an NTP timestamp, the fraction rounded to nearest (row TT-52).
    pub fn ntp(at: Wall) -> Self {
        let seconds = at
            .unix_ns()
            .div_euclid(NS_PER_S)
            .wrapping_add(NTP_TO_UNIX_S);
        let ns = at.unix_ns().rem_euclid(NS_PER_S).unsigned_abs();
        let fraction = ((ns << 32) + 500_000_000) / 1_000_000_000;
        Self(U64::new(
            (seconds.cast_unsigned() << 32).wrapping_add(fraction),
        ))
    }

    /// Writes `at` as a truncated `PTPv2` timestamp in TAI (RFC 8186 section 2.1).
    pub fn ptp(at: Wall, tai_offset_s: i32) -> Self {
        let seconds = at
            .unix_ns()
            .div_euclid(NS_PER_S)
            .wrapping_add(i64::from(tai_offset_s))
            .cast_unsigned();
        let ns = at.unix_ns().rem_euclid(NS_PER_S).unsigned_abs();
        Self(U64::new((seconds << 32) | ns))
    }

    /// The moment nearest to `clock` that these octets can mean in `format`: 32-bit seconds count
    /// from the start of the nearest era (RFC 5905 section 6; row TT-53).
    pub fn read(self, format: TimeFormat, clock: Wall, tai_offset_s: i32) -> Wall {
        let bits = self.0.get();
        let (epoch_s, ns) = match format {
            TimeFormat::Ntp => (
                -NTP_TO_UNIX_S,
                ((bits & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32,
            ),
            TimeFormat::Ptp => (-i64::from(tai_offset_s), bits & 0xffff_ffff),
        };
        let era_seconds = (bits >> 32).cast_signed() + epoch_s;
        let clock_s = clock.unix_ns().div_euclid(NS_PER_S);
        // The difference modulo 2^32, read as signed, leads to the nearest such second.
        #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is the point")]
        let way = era_seconds.wrapping_sub(clock_s) as i32;
        let seconds = clock_s + i64::from(way);
        // `ns` is at most 2^32 (in an invalid PTP timestamp), so the sum fits or saturates.
        Wall::from_unix_ns(
            seconds
                .saturating_mul(NS_PER_S)
                .saturating_add(ns.cast_signed()),
        )
    }

    /// Whether all bits are zero: the moment is unknown (RFC 5905 section 6).
    pub const fn is_unset(self) -> bool {
        self.bits() == 0
    }

    /// Whether these octets can be a time in `format`: PTP nanoseconds are below a second.
    const fn can_be(self, format: TimeFormat) -> bool {
        match format {
            TimeFormat::Ntp => true,
            TimeFormat::Ptp => self.bits() & 0xffff_ffff < 1_000_000_000,
        }
    }

    /// T2 and T3, which share a clock and a format: the one that `z` names, unless the bit is wrong
    /// (see [`Self::read_plausibly`]). A value with too many nanoseconds is not a PTP timestamp,
    /// whatever the bit says. If the bit is wrong, `PTPv2` timestamps are taken for TAI or UTC,
    /// whichever is nearer to `clock`.
    pub fn read_reply(
        [t2, t3]: [Self; 2],
        z: TimeFormat,
        clock: Wall,
        tai_offset_s: i32,
    ) -> ReplyTimes {
        let set = |stamp: &Self| !stamp.is_unset();
        let possible = |format| [t2, t3].iter().all(|stamp| stamp.can_be(format));
        let judged = Some(t3).filter(set).unwrap_or(t2);
        let away = |offset_s| (judged.read(TimeFormat::Ptp, clock, offset_s) - clock).abs_ns();
        let mut offset_s = tai_offset_s;
        let reading = if possible(TimeFormat::Ptp) {
            if z == TimeFormat::Ntp && away(0) < away(tai_offset_s) {
                offset_s = 0;
            }
            judged.read_plausibly(z, clock, offset_s)
        } else {
            let at = judged.read(TimeFormat::Ntp, clock, tai_offset_s);
            Reading {
                at,
                format: TimeFormat::Ntp,
                z_wrong: z == TimeFormat::Ptp && (at - clock).abs_ns() <= DAY_NS,
            }
        };
        let read = |stamp: Self| stamp.read(reading.format, clock, offset_s);
        ReplyTimes {
            t2: Some(t2).filter(set).map(read),
            t3: Some(t3).filter(set).map(read),
            z_wrong: reading.z_wrong,
        }
    }

    /// Reads in the format that `z` names, unless the result is more than a year from `clock` and
    /// the other format is within a day of it: then the bit is wrong (row TT-46).
    pub fn read_plausibly(self, z: TimeFormat, clock: Wall, tai_offset_s: i32) -> Reading {
        let named = self.read(z, clock, tai_offset_s);
        if (named - clock).abs_ns() <= YEAR_NS {
            return Reading {
                at: named,
                format: z,
                z_wrong: false,
            };
        }
        let other = match z {
            TimeFormat::Ntp => TimeFormat::Ptp,
            TimeFormat::Ptp => TimeFormat::Ntp,
        };
        let at = self.read(other, clock, tai_offset_s);
        if (at - clock).abs_ns() <= DAY_NS {
            Reading {
                at,
                format: other,
                z_wrong: true,
            }
        } else {
            Reading {
                at: named,
                format: z,
                z_wrong: false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T00:00:00Z.
    const NOW: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);

    #[test]
    fn every_sampled_nanosecond_survives_ntp() {
        for step in 0..200_000_i64 {
            let at = Wall::from_unix_ns(NOW.unix_ns() + step * 4_999);
            assert_eq!(WireTime::ntp(at).read(TimeFormat::Ntp, NOW, 0), at);
        }
    }

    #[test]
    fn the_ntp_era_ends_in_february_2036() {
        let turn_s = 2_085_978_496_i64; // 2036-02-07T06:28:16Z
        for offset_ns in [-1_i64, 0, 1, 999_999_999, -NS_PER_S] {
            let at = Wall::from_unix_ns(turn_s * NS_PER_S + offset_ns);
            for clock_s in [turn_s - 3600, turn_s, turn_s + 3600] {
                let clock = Wall::from_unix_ns(clock_s * NS_PER_S);
                assert_eq!(
                    WireTime::ntp(at).read(TimeFormat::Ntp, clock, 0),
                    at,
                    "{offset_ns}"
                );
            }
        }
        assert_eq!(
            WireTime::ntp(Wall::from_unix_ns(turn_s * NS_PER_S)).bits(),
            0
        );
    }

    #[test]
    fn the_largest_fraction_carries_into_the_next_second() {
        let stamp = WireTime::from_bits((0xeeae_8517 << 32) | 0xffff_ffff);
        let next = WireTime::from_bits(0xeeae_8518 << 32);
        let read = |stamp: WireTime| stamp.read(TimeFormat::Ntp, NOW, 0);
        assert_eq!(read(stamp), read(next));
    }

    #[test]
    fn a_wrong_z_bit_is_noticed() {
        let ptp = WireTime::ptp(NOW, 37);
        let reading = ptp.read_plausibly(TimeFormat::Ntp, NOW, 37);
        assert_eq!(
            reading,
            Reading {
                at: NOW,
                format: TimeFormat::Ptp,
                z_wrong: true
            }
        );
        let ntp = WireTime::ntp(NOW);
        let reading = ntp.read_plausibly(TimeFormat::Ptp, NOW, 37);
        assert_eq!(
            reading,
            Reading {
                at: NOW,
                format: TimeFormat::Ntp,
                z_wrong: true
            }
        );
        let true_ntp = ntp.read_plausibly(TimeFormat::Ntp, NOW, 37);
        assert!(!true_ntp.z_wrong);
    }
}
