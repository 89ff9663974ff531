//! The time that a page shows, and in which steps.

use std::time::Duration;

use twinpath_runtime::wall;
use twinpath_wire::Wall;

use super::Query;
use crate::args::{Moment, above_zero};
use crate::store::column_length;

/// Columns of a picture at most.
const MOST_COLUMNS: u64 = 370;
/// What is shown unless a query says otherwise, and what links lead to.
pub(super) const SPANS: [(&str, u64); 7] = [
    ("10 minutes", 600),
    ("1 hour", 3_600),
    ("6 hours", 21_600),
    ("1 day", 86_400),
    ("7 days", 604_800),
    ("30 days", 2_592_000),
    ("1 year", 31_536_000),
];
/// Two years are the longest.
const LONGEST_S: i64 = 2 * 31_536_000;
/// Times are in this millennium.
const LATEST_S: i64 = 32_503_680_000;
const HOUR_S: i64 = 3_600;
const SECOND_NS: i64 = 1_000_000_000;

/// From one time to another, excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeRange {
    /// Both in seconds of Unix time.
    from_s: i64,
    to_s: i64,
    /// It ends now.
    is_latest: bool,
}

impl TimeRange {
    /// What a query asks for: `from` and `to`, or the `last` seconds up to now; else the last hour, or ten minutes of a daemon
    /// that runs for so long. Times are seconds of Unix time or as in RFC 3339.
    ///
    /// # Errors
    /// What is none of it.
    pub(super) fn of(query: &Query, now: Wall, uptime: Duration) -> Result<Self, String> {
        // The second that has begun is shown too.
        let now_s = now.unix_ns().div_euclid(SECOND_NS) + 1;
        let latest = |last| Self {
            from_s: now_s - last,
            to_s: now_s,
            is_latest: true,
        };
        match (query.get("last"), query.get("from"), query.get("to")) {
            (None, None, None) if uptime < Duration::from_mins(10) => Ok(latest(600)),
            (None, None, None) => Ok(latest(3_600)),
            (Some(last), None, None) => Ok(latest(seconds(last)?)),
            (None, Some(from), to) => {
                let from_s = time("from", from)?;
                let to_s = to.map_or(Ok(now_s), |to| time("to", to))?;
                let is_some = (1..=LONGEST_S).contains(&(to_s - from_s));
                let range = Self {
                    from_s,
                    to_s,
                    is_latest: to_s >= now_s,
                };
                let remedy =
                    "from, to: use two times, the first before the second and at most two years";
                is_some.then_some(range).ok_or_else(|| remedy.to_owned())
            }
            (_, _, _) => Err("use last, or from and to".to_owned()),
        }
    }

    pub(super) fn from(self) -> Wall {
        Wall::from_unix_ns(self.from_s * SECOND_NS)
    }

    pub(super) fn to(self) -> Wall {
        Wall::from_unix_ns(self.to_s * SECOND_NS)
    }

    /// With the whole of its first hour and of its last one.
    pub(super) fn in_whole_hours(self) -> Self {
        Self {
            from_s: self.from_s - self.from_s.rem_euclid(HOUR_S),
            to_s: self.to_s + (-self.to_s).rem_euclid(HOUR_S),
            ..self
        }
    }

    pub(super) fn is_latest(self) -> bool {
        self.is_latest
    }

    /// Its length in seconds.
    pub(super) fn length_s(self) -> u64 {
        u64::try_from(self.to_s - self.from_s).unwrap_or(1)
    }

    /// The length of a column: at least that of an interval.
    pub(super) fn step(self, interval: Duration) -> Duration {
        column_length(Duration::from_secs(self.length_s()), MOST_COLUMNS, interval)
    }

    /// The one before it, the one behind it, its middle half, and twice as much around it: as queries.
    pub(super) fn others(self) -> [(&'static str, i64, i64); 4] {
        let (from, to) = (self.from_s, self.to_s);
        let length = to - from;
        let quarter = (length / 4).max(1);
        [
            ("earlier", from - length, from),
            ("later", to, to + length),
            (
                "closer",
                from + quarter,
                (to - quarter).max(from + quarter + 1),
            ),
            ("wider", (from - length / 2).max(0), to + length / 2),
        ]
    }
}

/// Seconds of a stretch of time: a number, or one with its unit.
fn seconds(text: &str) -> Result<i64, String> {
    let with_unit = || above_zero(text).ok().map(|time| time.0.as_secs());
    let number = text.parse().ok().or_else(with_unit);
    let seconds = number.and_then(|number| i64::try_from(number).ok());
    let seconds = seconds.filter(|seconds| (1..=LONGEST_S).contains(seconds));
    seconds
        .ok_or_else(|| "last: use seconds, or a time as in 6h or 30d, up to two years".to_owned())
}

/// A time in seconds of Unix time.
fn time(name: &str, text: &str) -> Result<i64, String> {
    let moment = || {
        let moment: Moment = text.parse().ok()?;
        Some(moment.at(wall()).unix_ns().div_euclid(SECOND_NS))
    };
    let time = text.parse().ok().or_else(moment);
    let time = time.filter(|time| (0..=LATEST_S).contains(time));
    time.ok_or_else(|| {
        format!("{name}: use a time as in 2026-11-30T14:00:00Z, or seconds of Unix time")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, now_s: i64) -> Result<TimeRange, String> {
        let uri = format!("/session/a?{query}").parse().unwrap();
        let now = Wall::from_unix_ns(now_s * SECOND_NS);
        TimeRange::of(&Query::of(&uri), now, Duration::from_hours(1))
    }

    fn range(query: &str, now_s: i64) -> TimeRange {
        asked(query, now_s).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_shown_else_the_last_hour() {
        let now = 1_800_000_000;
        let latest = |length| TimeRange {
            from_s: now + 1 - length,
            to_s: now + 1,
            is_latest: true,
        };
        assert_eq!(range("", now), latest(3_600));
        assert_eq!(range("last=86400", now), latest(86_400));
        assert_eq!(range("last=1d", now), latest(86_400));
        let some = range("from=1000&to=4600", now);
        assert_eq!(
            (some.from_s, some.to_s, some.is_latest),
            (1_000, 4_600, false)
        );
        let times = "from=2027-01-15T08:00:00%2B01:00&to=2027-01-15T07:30:00Z";
        assert_eq!(range(times, now).length_s(), 1_800);
        let since = range("from=1799999000", now);
        assert_eq!((since.to_s, since.is_latest), (now + 1, true));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (nonsense, name) in [
            ("last=0", "last"),
            ("last=-1", "last"),
            ("last=x", "last"),
            ("last=99999999999", "last"),
            ("last=6h&from=5", "use last"),
            ("to=5", "use last"),
            ("from=9&to=8", "from"),
            ("from=-9&to=8", "from"),
            ("from=5&to=tomorrow", "to"),
        ] {
            let why = asked(nonsense, 1_800_000_000).unwrap_err();
            assert!(why.starts_with(name), "{nonsense}: {why}");
        }
    }

    #[test]
    fn columns_are_few_and_no_shorter_than_an_interval() {
        let now = 1_800_000_000;
        let step = |query, interval| {
            range(query, now)
                .step(Duration::from_secs(interval))
                .as_secs()
        };
        assert_eq!(step("", 10), 10);
        assert_eq!(step("", 60), 60);
        assert_eq!(step("last=86400", 10), 300);
        assert_eq!(step("last=31536000", 10), 86_400);
        for (_, span) in SPANS {
            let range = range(&format!("last={span}"), now);
            let step = range.step(Duration::from_secs(10));
            let columns = crate::store::OverTime::new(range.from(), range.to(), step);
            let columns = columns.into_columns().into_iter();
            let columns: Vec<Wall> = columns.map(|column| column.start).collect();
            assert!(
                (60..=MOST_COLUMNS + 1).contains(&(columns.len() as u64)),
                "{span}: {}",
                columns.len()
            );
            assert!(columns[0] <= range.from() && *columns.last().unwrap() < range.to());
        }
    }
}
