//! Points in time as they are written on a command line and in addresses of pages.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use twinpath_wire::{Wall, nanoseconds};

use super::quantity::time;
use crate::args::Advice;

/// Digits of seconds of Unix time at least: shorter numbers are a mistake.
const LEAST_DIGITS: usize = 9;
/// The farthest that a time is from now, in both directions.
const FARTHEST: (Duration, &str) = (Duration::from_hours(24 * 36_500), "36500d");
const NONE: (Duration, &str) = (Duration::ZERO, "0s");
const EXAMPLE: &str = "use 2026-11-30T14:00:00Z, 2026-11-30, -24h or now";

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// That one.
    At(Wall),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// Which one it is.
    pub(crate) fn at(self, now: Wall) -> Wall {
        match self {
            Self::At(at) => at,
            Self::Ago(time) => {
                let ns = i64::try_from(nanoseconds::of(time)).unwrap_or(i64::MAX);
                Wall::from_unix_ns(now.unix_ns().saturating_sub(ns))
            }
        }
    }
}

impl FromStr for Moment {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let text = text.trim();
        if let Some(at) = absolute(text) {
            return Ok(Self::At(at));
        }
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        let ago = text.strip_suffix("ago").unwrap_or(text).trim();
        let ago = ago.strip_prefix('-').unwrap_or(ago);
        let has_unit = ago.ends_with(|c: char| c.is_ascii_alphabetic());
        let ago = has_unit.then(|| time(ago, 0, (NONE, FARTHEST), "24h"));
        match ago {
            Some(Ok(ago)) => Ok(Self::Ago(ago)),
            Some(Err(_)) | None => Err(Advice::new(format!("not a time: {EXAMPLE}"))),
        }
    }
}

/// With its zone, without one in UTC, a day from its beginning, or seconds of Unix time.
fn absolute(text: &str) -> Option<Wall> {
    let is_number = text.len() >= LEAST_DIGITS && text.bytes().all(|c| c.is_ascii_digit());
    let at = if is_number {
        Timestamp::from_second(text.parse().ok()?).ok()?
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else {
        let at: DateTime = text.parse().ok()?;
        Offset::UTC.to_timestamp(at).ok()?
    };
    i64::try_from(at.as_nanosecond())
        .ok()
        .map(Wall::from_unix_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of Unix time.
    const NOON: i64 = 1_796_040_000;

    fn at(text: &str) -> Result<i64, Advice> {
        let moment: Moment = text.parse()?;
        let now = Wall::from_unix_ns(NOON * 1_000_000_000);
        Ok(moment.at(now).unix_ns() / 1_000_000_000 - NOON)
    }

    #[test]
    fn times_have_a_zone_or_are_utc_or_before_now() {
        for (text, seconds) in [
            ("2026-11-30T12:00:00Z", 0),
            ("2026-11-30T13:00:00+01:00", 0),
            ("2026-11-30T12:00", 0),
            ("2026-11-30 12:00:01", 1),
            ("2026-11-30", -43_200),
            ("1796040000", 0),
            ("now", 0),
            ("-24h", -86_400),
            ("24h", -86_400),
            ("24h ago", -86_400),
            ("90d", -90 * 86_400),
        ] {
            assert_eq!(at(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "24", "yesterday", "2026-13-01", "--1h", "1x", "ago"] {
            assert!(at(text).is_err(), "{text}");
        }
    }
}
