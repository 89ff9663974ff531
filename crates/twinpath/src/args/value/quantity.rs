//! Times, counts and sizes as they are written on a command line.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::args::Advice;

/// The bounds of a time, and how they are written.
pub(super) type Bound = (Duration, &'static str);

/// Nothing here waits or measures longer than this.
pub(super) const LONGEST: Bound = (Duration::from_hours(24 * 365), "365d");

const UNITS: &str = "ns us ms s m h d";

/// No core sends faster: a shorter interval would only be missed.
pub(in crate::args) const SHORTEST_INTERVAL: Duration = Duration::from_micros(1);

/// Time between two departures. A bare number is milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Duration);

/// Any other time. A bare number is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

/// Another time. A bare number is milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Milliseconds(pub(crate) Duration);

/// How many packets: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// A quantity, or no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrEndless<T> {
    /// This much.
    Only(T),
    /// `inf`: until stopped.
    Endless,
}

const ENDLESS: &str = "inf";

/// Octets after the 14-octet header of a Session-Sender packet, or a mix of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaddingSize {
    /// Frames of 64, 590 and 1514 octets, 7:4:1.
    Imix,
    /// This many octets.
    Octets(u16),
}

/// `--padding` of a responder: one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyPadding(pub(crate) u16);

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The first.
    pub(crate) low: u16,
    /// The last.
    pub(crate) high: u16,
}

/// The largest padding that fits UDP over IPv6.
pub(crate) const MAX_PADDING: u16 = 65_513;
/// The same over IPv4, whose header counts.
const MAX_PADDING_V4: u16 = MAX_PADDING - 20;

/// What every number that is too small or too large is answered with.
pub(in crate::args) fn out_of_range(low: impl fmt::Display, high: impl fmt::Display) -> Advice {
    Advice::new(format!("out of range: use {low} to {high}"))
}

/// A decimal number and a unit, exact in nanoseconds, within bounds. A time in other letters or
/// with spaces around it gets an error with the right form.
pub(super) fn time(
    text: &str,
    bare_ns: u128,
    (low, high): (Bound, Bound),
    example: &'static str,
) -> Result<Duration, Advice> {
    let read = |text: &str| plain_time(text, bare_ns, example);
    let time = read(text).map_err(|advice| {
        let plain = text.trim().to_lowercase();
        if plain != text && read(&plain).is_ok() {
            Advice::new(format!("not a time: use {plain}"))
        } else if text
            .strip_prefix('-')
            .is_some_and(|text| read(text).is_ok())
        {
            out_of_range(low.1, high.1)
        } else {
            advice
        }
    })?;
    if (low.0..=high.0).contains(&time) {
        Ok(time)
    } else {
        Err(out_of_range(low.1, high.1))
    }
}

/// What is beyond all bounds is the longest time of all.
fn plain_time(text: &str, bare_ns: u128, example: &'static str) -> Result<Duration, Advice> {
    let wrong = || Advice::new(format!("not a time: use {example} (units: {UNITS})"));
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits_end).ok_or_else(wrong)?;
    let unit_ns: u128 = match unit.trim_start() {
        "" => bare_ns,
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() && fraction.is_empty() && number != "0" || fraction.contains('.') {
        return Err(wrong());
    }
    if fraction.len() > 18 {
        return Err(Advice::new("finer than a nanosecond"));
    }
    // Digits alone: too many of them are a number too large.
    let parse = |digits: &str| match digits {
        "" => 0,
        digits => digits.parse().unwrap_or(u128::MAX),
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let part = parse(fraction) * unit_ns;
    if !part.is_multiple_of(scale) {
        return Err(Advice::new("finer than a nanosecond"));
    }
    let total = parse(whole).saturating_mul(unit_ns);
    let total = total.saturating_add(part / scale);
    Ok(Duration::from_nanos(
        u64::try_from(total).unwrap_or(u64::MAX),
    ))
}

/// Time between packets, at least `low`; a bare number is milliseconds.
pub(in crate::args) fn interval(text: &str, low: Bound) -> Result<Duration, Advice> {
    let example = "100 or 0.5 (milliseconds), 100us, 10ms or 1s";
    time(text, 1_000_000, (low, LONGEST), example)
}

impl FromStr for Interval {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        interval(text, (SHORTEST_INTERVAL, "1us")).map(Self)
    }
}

/// A time whose bare number is seconds, of at least `low`.
pub(in crate::args) fn seconds(text: &str, low: Bound) -> Result<Time, Advice> {
    let example = "2 or 0.5 (seconds), 500ms, 10m or 1d";
    time(text, 1_000_000_000, (low, LONGEST), example).map(Time)
}

/// How many packets, or `inf`.
pub(in crate::args) fn count_or_endless(text: &str) -> Result<OrEndless<Count>, Advice> {
    or_endless(text, str::parse)
}

/// How long to send, or `inf`.
pub(in crate::args) fn time_or_endless(text: &str) -> Result<OrEndless<Time>, Advice> {
    or_endless(text, above_zero)
}

fn or_endless<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Advice>,
) -> Result<OrEndless<T>, Advice> {
    if text == ENDLESS {
        return Ok(OrEndless::Endless);
    }
    read(text)
        .map(OrEndless::Only)
        .map_err(|advice| advice.and(", or inf for no end"))
}

/// A time that is not 0, for options where 0 would do nothing, or end everything at once.
pub(crate) fn above_zero(text: &str) -> Result<Time, Advice> {
    seconds(text, (Duration::from_nanos(1), "1ns"))
}

/// A time of a second or more.
#[cfg(feature = "daemon")]
pub(in crate::args) fn from_one_second(text: &str) -> Result<Time, Advice> {
    seconds(text, (Duration::from_secs(1), "1s"))
}

impl FromStr for Time {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        seconds(text, (Duration::ZERO, "0"))
    }
}

impl FromStr for Milliseconds {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let bounds = ((Duration::ZERO, "0"), (Duration::from_secs(10), "10s"));
        time(text, 1_000_000, bounds, "40 (milliseconds), 40ms or 0.1s").map(Self)
    }
}

/// A time that may be negative, in nanoseconds.
pub(in crate::args) fn signed_time(text: &str) -> Result<i64, Advice> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let time: Time = text.parse()?;
    // A year is far below 2^63 ns.
    let ns = i64::try_from(time.0.as_nanos()).unwrap_or(i64::MAX);
    Ok(sign * ns)
}

impl FromStr for Count {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        at_least_one(text).map(Self)
    }
}

impl FromStr for PaddingSize {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        if text == "-1" {
            return Ok(Self::Imix);
        }
        let octets = padding(text).map_err(|advice| advice.and(", or -1 for IMIX"))?;
        Ok(Self::Octets(octets))
    }
}

fn padding(text: &str) -> Result<u16, Advice> {
    number(text, 0..=MAX_PADDING.into())
        .map_err(|advice| advice.and(&format!(" octets (over IPv4 {MAX_PADDING_V4})")))
}

impl PaddingSize {
    /// `None` is IMIX.
    pub(crate) fn octets(self) -> Option<u16> {
        match self {
            Self::Imix => None,
            Self::Octets(octets) => Some(octets),
        }
    }

    /// As reports have it: -1 is IMIX.
    pub(crate) fn number(self) -> i64 {
        self.octets().map_or(-1, i64::from)
    }
}

impl FromStr for ReplyPadding {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        if text == "-1" {
            return Err(Advice::new(
                "IMIX is chosen by the sender: leave it out, and replies have the size of requests",
            ));
        }
        padding(text).map(Self)
    }
}

impl FromStr for Ports {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        if [low, high].iter().any(|port| whole(port).is_none()) {
            return Err(Advice::new(
                "not a range of ports: use LO-HI, such as 20000-20099",
            ));
        }
        let (low, high) = (port(low, 1)?, port(high, 1)?);
        if low > high {
            return Err(Advice::new(format!(
                "the lower one comes first: use {high}-{low}"
            )));
        }
        Ok(Self { low, high })
    }
}

/// A port, from `low` on, among other things.
pub(super) fn port(text: &str, low: u16) -> Result<u16, Advice> {
    number(text, low.into()..=u16::MAX.into()).map_err(|advice| advice.of("port", text))
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

/// Digits and nothing else.
pub(in crate::args) fn whole(text: &str) -> Option<u64> {
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Digits, perhaps with a minus sign.
pub(in crate::args) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// A whole number within bounds, which `T` holds.
pub(in crate::args) fn number<T: TryFrom<u64>>(
    text: &str,
    bounds: RangeInclusive<u64>,
) -> Result<T, Advice> {
    let number = whole(text).filter(|number| bounds.contains(number));
    if let Some(number) = number.and_then(|number| T::try_from(number).ok()) {
        return Ok(number);
    }
    let wrong = if is_integer(text) {
        "out of range"
    } else {
        "not a whole number"
    };
    let (low, high) = (bounds.start(), bounds.end());
    Err(Advice::new(if *high == u64::MAX && text.len() < 20 {
        format!("{wrong}: use {low} or more")
    } else {
        format!("{wrong}: use {low} to {high}")
    }))
}

/// A whole number of at least one, for options where 0 would switch everything off.
pub(in crate::args) fn at_least_one<T: TryFrom<u64>>(text: &str) -> Result<T, Advice> {
    // All types of options are unsigned.
    let most = u64::MAX >> (u64::BITS - 8 * u32::try_from(size_of::<T>()).unwrap_or(8));
    number(text, 1..=most)
}

/// Whether a part of a list is there: behind `ef, ` the shell ends the list.
pub(in crate::args) fn listed(part: &str) -> Result<(), Advice> {
    if part.trim().is_empty() {
        return Err(Advice::new(
            "a value is missing at a comma: write the list without spaces",
        ));
    }
    Ok(())
}

/// `--seed`: any number of 32 bits, so that people can copy it.
pub(in crate::args) fn seed(text: &str) -> Result<u32, Advice> {
    number(text, 0..=u32::MAX.into())
}

#[cfg(test)]
mod tests;
