//! `--rotate`: when a run goes on in another file.

use std::str::FromStr;
use std::time::Duration;

use super::quantity::{LONGEST, out_of_range, time, whole};
use crate::args::Advice;

/// A time, or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotate {
    /// At whole multiples of this, counted from the Unix epoch: an hour's files begin at the hour.
    Every(Duration),
    /// As soon as the file has about so many octets.
    Octets(u64),
}

const MEGA: u64 = 1_000_000;
/// The largest size.
const MOST: u64 = 1_000_000_000 * MEGA;

impl FromStr for Rotate {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        if let Some(octets) = octets(text) {
            return if (MEGA..=MOST).contains(&octets) {
                Ok(Self::Octets(octets))
            } else {
                Err(out_of_range("1MB", "1000TB"))
            };
        }
        let bounds = ((Duration::from_secs(1), "1s"), LONGEST);
        time(text, 1_000_000_000, bounds, "10m, 1h or 1d")
            .map(Self::Every)
            .map_err(|advice| advice.and(", or a size from 1MB, such as 100MB"))
    }
}

/// A size in octets, whatever it is; `None`: not one.
fn octets(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit.trim_start().to_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => MEGA,
        "gb" => 1_000 * MEGA,
        "tb" => 1_000_000 * MEGA,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let number = if number.is_empty() {
        None
    } else {
        whole(number)
    };
    Some(number?.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_turn_at_times_or_at_sizes() {
        let every = |seconds| Ok(Rotate::Every(Duration::from_secs(seconds)));
        for (text, rotate) in [
            ("1s", every(1)),
            ("90", every(90)),
            ("1.5h", every(5_400)),
            ("1d", every(86_400)),
            ("365d", every(365 * 86_400)),
            ("1MB", Ok(Rotate::Octets(1_000_000))),
            ("1000kB", Ok(Rotate::Octets(1_000_000))),
            ("100 mb", Ok(Rotate::Octets(100_000_000))),
            ("2GiB", Ok(Rotate::Octets(2 << 30))),
        ] {
            assert_eq!(text.parse(), rotate, "{text}");
        }
    }

    #[test]
    fn what_is_neither_or_too_small_says_what_to_write() {
        for (text, said) in [
            (
                "0",
                "out of range: use 1s to 365d, or a size from 1MB, such as 100MB",
            ),
            ("999ms", "out of range: use 1s to 365d, or a size"),
            ("366d", "out of range: use 1s to 365d, or a size"),
            ("999kB", "out of range: use 1MB to 1000TB"),
            ("0B", "out of range: use 1MB to 1000TB"),
            ("99999999999999999999TB", "not a time: use 10m, 1h or 1d"),
            ("1001TB", "out of range: use 1MB to 1000TB"),
            (
                "100M",
                "not a time: use 100m, or a size from 1MB, such as 100MB",
            ),
            ("hourly", "not a time: use 10m, 1h or 1d"),
            ("-1h", "out of range: use 1s to 365d"),
            ("MB", "not a time: use 10m, 1h or 1d"),
            ("", "not a time: use 10m, 1h or 1d"),
        ] {
            let error = text.parse::<Rotate>().unwrap_err().to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
    }
}
