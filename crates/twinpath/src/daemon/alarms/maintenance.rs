//! Times in which no alert is raised or cleared.

use std::time::Duration;

use jiff::Timestamp;
use twinpath_wire::Wall;

use crate::selector::Selector;

/// A time, once or again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct Maintenance {
    pub(super) selector: Selector,
    from_ns: i64,
    /// Excluded.
    to_ns: i64,
    /// It begins again so long after its beginning.
    every_ns: Option<i64>,
}

impl Maintenance {
    /// `from` and `to` as in RFC 3339.
    ///
    /// # Errors
    /// What to write instead.
    pub(in crate::daemon) fn new(
        selector: Selector,
        from: &str,
        to: &str,
        every: Option<Duration>,
    ) -> Result<Self, String> {
        let (from_ns, to_ns) = (time("from", from)?, time("to", to)?);
        if to_ns <= from_ns {
            return Err(format!("to {to}: write a time after {from}"));
        }
        let every_ns = every.map(|every| i64::try_from(every.as_nanos()).unwrap_or(i64::MAX));
        if every_ns.is_some_and(|every| every < to_ns.saturating_sub(from_ns)) {
            return Err(
                "every: write a time that is not shorter than from one to the next".to_owned(),
            );
        }
        Ok(Self {
            selector,
            from_ns,
            to_ns,
            every_ns,
        })
    }

    /// Whether a part of this time is within it.
    pub(super) fn overlaps(&self, start: Wall, end: Wall) -> bool {
        let (start, end) = (start.unix_ns(), end.unix_ns());
        // The first of them that ends after `start`.
        let passed = start.saturating_sub(self.to_ns);
        let shift = match self.every_ns {
            Some(every) if passed >= 0 => (passed / every.max(1))
                .saturating_add(1)
                .saturating_mul(every),
            Some(_) | None => 0,
        };
        start < self.to_ns.saturating_add(shift) && end > self.from_ns.saturating_add(shift)
    }
}

fn time(leaf: &str, text: &str) -> Result<i64, String> {
    let time: Result<Timestamp, _> = text.parse();
    let ns = time.ok().map(|time| {
        let ns = time.as_nanosecond();
        // Clocks of 64 bits end in 2262.
        i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
    });
    ns.ok_or_else(|| format!("{leaf} {text}: write a time as in 2026-12-01T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str, every: Option<Duration>) -> Result<Maintenance, String> {
        Maintenance::new(Selector::new("*"), from, to, every)
    }

    fn at(text: &str) -> Wall {
        Wall::from_unix_ns(time("at", text).unwrap())
    }

    #[test]
    fn a_window_is_once_or_every_day() {
        let (from, to) = ("2026-12-01T02:00:00Z", "2026-12-01T05:00:00+01:00");
        let once = window(from, to, None).unwrap();
        let daily = window(from, to, Some(Duration::from_hours(24))).unwrap();
        for (start, end, is_once, is_daily) in [
            ("2026-11-30T02:30:00Z", "2026-11-30T02:30:10Z", false, false),
            ("2026-12-01T01:59:50Z", "2026-12-01T02:00:00Z", false, false),
            ("2026-12-01T01:59:55Z", "2026-12-01T02:00:05Z", true, true),
            ("2026-12-01T03:59:55Z", "2026-12-01T04:00:05Z", true, true),
            ("2026-12-01T04:00:00Z", "2026-12-01T04:00:10Z", false, false),
            ("2026-12-02T01:59:50Z", "2026-12-02T02:00:00Z", false, false),
            ("2026-12-02T02:00:00Z", "2026-12-02T02:00:10Z", false, true),
            ("2027-12-02T03:59:59Z", "2027-12-02T04:00:10Z", false, true),
            ("2027-12-02T04:00:00Z", "2027-12-02T04:00:10Z", false, false),
        ] {
            let (start_at, end_at) = (at(start), at(end));
            assert_eq!(once.overlaps(start_at, end_at), is_once, "{start}");
            assert_eq!(daily.overlaps(start_at, end_at), is_daily, "{start}");
        }
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let (from, to) = ("2026-12-01T02:00:00Z", "2026-12-01T04:00:00Z");
        assert!(window(to, from, None).unwrap_err().contains("a time after"));
        assert!(window(from, "2999-12-01T04:00:00Z", None).is_ok());
        assert!(window("soon", to, None).unwrap_err().contains("from soon"));
        assert!(window(from, to, Some(Duration::from_hours(1))).is_err());
        assert!(window(from, to, Some(Duration::from_hours(2))).is_ok());
    }
}
