//! Times of subscriptions (RFC 3339, as RFC 5277 has them).

/// A moment: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i128);

const SECOND: i128 = 1_000_000_000;

impl Time {
    /// Reads a date and time with its offset, such as `2026-11-30T14:00:00.5+01:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't'])?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let offset_at = time.find(['Z', 'z', '+', '-'])?;
        let (clock, offset) = time.split_at_checked(offset_at)?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
            return None;
        }
        // A leap second is the first one of the next minute.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days(year, month, day);
        let seconds = i128::from(days) * 86_400 + i128::from(hour * 3600 + minute * 60 + second);
        let at = (seconds - i128::from(offset_of(offset)?)) * SECOND;
        Some(Self(at + nanoseconds(fraction)?))
    }
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        let is_number = part.len() == width && part.bytes().all(|it| it.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(found)
}

/// Seconds east of Greenwich.
fn offset_of(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let [hour, minute] = numbers(text.get(1..)?, ':', [2, 2])?;
    (hour < 24 && minute < 60).then_some(sign * (hour * 3600 + minute * 60))
}

fn nanoseconds(fraction: &str) -> Option<i128> {
    if fraction.is_empty() || !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    digits.parse().ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let of_years = (year - 1970) * 365 + leaps(before) - leaps(1969);
    let of_months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    of_years + of_months + day - 1
}
