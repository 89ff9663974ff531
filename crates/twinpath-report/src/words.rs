//! Counts and times as text: one wording for reports, notes and errors.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_wire::Wall;

/// Whether a character shows as itself: it is no control character, breaks no line, turns no text around
/// and is not invisible.
pub fn is_plain(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !is_format
}

/// `1 packet`, `2 packets`.
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A time as the command line accepts it, in the largest unit that needs no more digits: `100 ms`,
/// `1.5 s`, `15 min`, `1 d`.
pub fn time(time: Duration) -> String {
    const SECOND: u128 = 1_000_000_000;
    let ns = time.as_nanos();
    for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "min")] {
        let unit = unit * SECOND;
        if ns >= unit && ns.is_multiple_of(unit) {
            return format!("{} {name}", ns / unit);
        }
    }
    let (unit, name) = match ns {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..SECOND => (1_000_000, "ms"),
        _ => (SECOND, "s"),
    };
    let fraction = format!("{:09}", (ns % unit) * (SECOND / unit));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} {name}", ns / unit)
}

/// `192.0.2.1:862`, `[2001:db8::1]:862`, `[fe80::1%eth0]:862`: zones by the `name` of their interface.
pub fn endpoint(address: SocketAddr, name: impl Fn(u32) -> Option<String>) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => match name(v6.scope_id()) {
            Some(zone) => format!("[{}%{zone}]:{}", v6.ip(), v6.port()),
            None => address.to_string(),
        },
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.to_string(),
    }
}

/// RFC 3339, UTC, to the microsecond at most.
pub fn rfc3339(at: Wall) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.unix_ns()) / 1_000 * 1_000) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{} ns", at.unix_ns()),
    }
}

/// RFC 3339, UTC, cut to this many digits of a second: as many in all times of a text.
pub fn instant(at: Wall, digits: u8) -> String {
    let digits = digits.min(9);
    let step = 10_i128.pow(9 - u32::from(digits));
    match jiff::Timestamp::from_nanosecond(i128::from(at.unix_ns()).div_euclid(step) * step) {
        Ok(timestamp) => format!("{timestamp:.0$}", usize::from(digits)),
        Err(_) => format!("{} ns", at.unix_ns()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_a_text_has_its_digits_whatever_they_are() {
        for (ns, digits, text) in [
            (1_795_449_600_500_000_000, 0, "2026-11-23T16:00:00Z"),
            (1_795_449_600_500_000_000, 3, "2026-11-23T16:00:00.500Z"),
            (1_795_449_600_000_000_000, 3, "2026-11-23T16:00:00.000Z"),
            (1_795_449_600_999_999_999, 3, "2026-11-23T16:00:00.999Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (i64::MIN, 0, "1677-09-21T00:12:43Z"),
        ] {
            assert_eq!(instant(Wall::from_unix_ns(ns), digits), text);
        }
    }

    #[test]
    fn one_takes_the_singular() {
        let packets = |number| count(number, "packet", "packets");
        assert_eq!(
            [0, 1, 2].map(packets),
            ["0 packets", "1 packet", "2 packets"]
        );
    }

    #[test]
    fn a_time_has_the_unit_in_which_it_is_shortest() {
        for (ns, text) in [
            (0, "0 ns"),
            (250, "250 ns"),
            (100_000, "100 us"),
            (500_500, "500.5 us"),
            (100_000_000, "100 ms"),
            (1_500_000_000, "1.5 s"),
            (59_000_000_000, "59 s"),
            (60_000_000_000, "1 min"),
            (60_000_000_001, "60.000000001 s"),
            (90_000_000_000, "90 s"),
            (900_000_000_000, "15 min"),
            (7_200_000_000_000, "2 h"),
            (86_400_000_000_000, "1 d"),
            (90_000_000_000_000, "25 h"),
            (31_536_000_000_000_000, "365 d"),
        ] {
            assert_eq!(time(Duration::from_nanos(ns)), text);
        }
    }
}
