//! Numbers for people: delays with a unit, shares that never round to 0.

use std::time::Duration;

pub(crate) use twinpath_report::words::{count, time};

/// The unit of a table: one for all of its cells, so that they can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// With one decimal.
    Microseconds,
    /// With three decimals.
    Milliseconds,
    /// With six decimals.
    Seconds,
}

impl Unit {
    /// The unit in which a delay of this size is read most easily.
    pub(crate) fn fit(ns: u64) -> Self {
        match ns {
            0..1_000_000 => Self::Microseconds,
            1_000_000..10_000_000_000 => Self::Milliseconds,
            _ => Self::Seconds,
        }
    }

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    /// A delay with its unit.
    pub(crate) fn delay(self, ns: i64) -> String {
        let (step, decimals) = match self {
            Self::Microseconds => (100, 1),
            Self::Milliseconds => (1_000, 3),
            Self::Seconds => (1_000, 6),
        };
        let name = self.name();
        let steps = (i128::from(ns.unsigned_abs()) + step / 2) / step;
        let scale = 10_i128.pow(decimals);
        let sign = if ns < 0 && steps > 0 { "-" } else { "" };
        let decimals = decimals as usize;
        format!("{sign}{}.{:0decimals$}{name}", steps / scale, steps % scale)
    }
}

/// A single delay, in the unit that fits it.
pub(crate) fn delay(ns: i64) -> String {
    Unit::fit(ns.unsigned_abs()).delay(ns)
}

/// A delay that cannot be negative.
pub(crate) fn span(ns: u64) -> String {
    delay(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// A duration, in seconds to the tenth or better.
pub(crate) fn took(time: Duration) -> String {
    let rounded = |step: u128| (time.as_nanos() + step / 2) / step;
    let (ms, tenths) = (rounded(1_000_000), rounded(100_000_000));
    if ms < 1_000 {
        format!("{ms} ms")
    } else {
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

/// `part` of `whole` in percent: 0% means none, 100% means all; otherwise two decimals, or as many
/// as two significant digits need.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    if part == 0 {
        return "0%".to_owned();
    }
    if part >= whole {
        return "100%".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    for decimals in 2..20 {
        let scale = 10_u128.pow(decimals);
        let steps = (part * 100 * scale + whole / 2) / whole;
        let all = 100 * scale;
        if steps >= 10 && steps < all {
            let decimals = decimals as usize;
            let digits = format!("{}.{:0decimals$}", steps / scale, steps % scale);
            return format!("{digits}%");
        }
    }
    format!("{part} of {whole}")
}

/// A rate without needless digits.
pub(crate) fn rate(pps: f64) -> String {
    let text = if pps >= 1_000.0 {
        format!("{pps:.0}")
    } else {
        format!("{pps:.2}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The most columns of a line for people.
pub(crate) const WIDTH: usize = 79;

/// A text in so many columns: its beginning and its end. That of a name may be a class and a path, that of
/// a failure its remedy.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let begin = width / 2;
    let end = width.saturating_sub(begin + 1);
    let first = text.chars().take(begin);
    let last = text.chars().skip(count - end);
    first.chain(['…']).chain(last).collect()
}

/// The text in lines of at most [`WIDTH`] columns, all but the first indented. A longer word, such
/// as a path, is not broken.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    wrapped_to(text, indent, WIDTH)
}

/// The same in lines of at most `width` columns.
pub(crate) fn wrapped_to(text: &str, indent: usize, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    // The first words may be empty: spaces before a line stay.
    for (place, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if place > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_between_words_and_indented() {
        let text = format!("{} {} end", "a".repeat(40), "b".repeat(40));
        let expected = format!("{}\n    {} end", "a".repeat(40), "b".repeat(40));
        assert_eq!(wrapped(&text, 4), expected);
        assert_eq!(wrapped("a  b", 4), "a  b");
        assert_eq!(wrapped("  a  b", 4), "  a  b");
        let long = "c".repeat(100);
        assert_eq!(
            wrapped(&format!("before {long} b"), 2),
            format!("before\n  {long}\n  b")
        );
    }

    #[test]
    fn delays_are_signed_rounded_once_and_never_minus_zero() {
        for (unit, ns, text) in [
            (Unit::Microseconds, 77_049, "77.0us"),
            (Unit::Microseconds, 77_050, "77.1us"),
            (Unit::Microseconds, -49, "0.0us"),
            (Unit::Microseconds, -51, "-0.1us"),
            (Unit::Milliseconds, 1_204_499, "1.204ms"),
            (Unit::Milliseconds, -3_600_000_000_123, "-3600000.000ms"),
            (Unit::Seconds, 12_345_678_900, "12.345679s"),
            (Unit::Milliseconds, i64::MIN, "-9223372036854.776ms"),
        ] {
            assert_eq!(unit.delay(ns), text);
        }
        assert_eq!(delay(-1_500_000), "-1.500ms");
        assert_eq!(span(u64::MAX), "9223372036.854776s");
    }

    #[test]
    fn a_share_never_rounds_to_0_or_100_percent() {
        for (part, whole, text) in [
            (0, 0, "-"),
            (0, 100, "0%"),
            (1, 100, "1.00%"),
            (1, 3, "33.33%"),
            (2, 3, "66.67%"),
            (100, 100, "100%"),
            (999_999, 1_000_000, "99.9999%"),
            (1, 200, "0.50%"),
            (1, 1_000_000, "0.00010%"),
            (1, 10_000_000_000, "0.000000010%"),
            (12_345, 100_000_000, "0.012%"),
            (999_999_999, 1_000_000_000, "99.9999999%"),
        ] {
            assert_eq!(percent(part, whole), text, "{part}/{whole}");
        }
    }

    #[test]
    fn times_and_rates_are_short() {
        for (us, text) in [
            (0, "0 ms"),
            (12_400, "12 ms"),
            (12_500, "13 ms"),
            (999_499, "999 ms"),
            (999_500, "1.0 s"),
            (1_990_000, "2.0 s"),
            (7_988_000, "8.0 s"),
            (9_949_000, "9.9 s"),
        ] {
            assert_eq!(took(Duration::from_micros(us)), text, "{us} us");
        }
        assert_eq!(
            (rate(10.0), rate(998.237), rate(99_998.7)),
            ("10".into(), "998.24".into(), "99999".into())
        );
    }
}
