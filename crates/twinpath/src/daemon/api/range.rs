//! The time that a page shows, and in which steps.

use std::time::Duration;

use twinpath_wire::{Delta, Wall};

use super::Query;

/// Columns of a picture at most.
const MOST_COLUMNS: u64 = 370;
/// Lengths of columns: parts of a day each.
const STEPS_S: [u64; 16] = [
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
];
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
    /// What a query asks for: `from` and `to` in seconds of Unix time, or the `last` so many seconds; else the last
    /// hour, or ten minutes of a daemon that runs for so long.
    pub(super) fn of(query: &Query, now: Wall, uptime: Duration) -> Self {
        // The second that has begun is shown too.
        let now_s = now.unix_ns().div_euclid(SECOND_NS) + 1;
        let number = |name| query.get(name).and_then(|text| text.parse::<i64>().ok());
        let last = number("last").filter(|last| (1..=LONGEST_S).contains(last));
        let is_young = uptime < Duration::from_mins(10);
        let last = last.unwrap_or(if is_young { 600 } else { 3_600 });
        match (number("from"), number("to")) {
            (Some(from_s), Some(to_s))
                if from_s >= 0
                    && to_s > from_s
                    && to_s - from_s <= LONGEST_S
                    && to_s <= now_s + LONGEST_S =>
            {
                Self {
                    from_s,
                    to_s,
                    is_latest: to_s >= now_s,
                }
            }
            _ => Self {
                from_s: now_s - last,
                to_s: now_s,
                is_latest: true,
            },
        }
    }

    pub(super) fn from(self) -> Wall {
        Wall::from_unix_ns(self.from_s * SECOND_NS)
    }

    pub(super) fn to(self) -> Wall {
        Wall::from_unix_ns(self.to_s * SECOND_NS)
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
        let least = self
            .length_s()
            .div_ceil(MOST_COLUMNS)
            .max(interval.as_secs());
        let step = STEPS_S.into_iter().find(|step| *step >= least);
        Duration::from_secs(step.unwrap_or(86_400))
    }

    /// The beginnings of all columns of this length.
    pub(super) fn columns(self, step: Duration) -> impl Iterator<Item = Wall> {
        let step_ns = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
        let first = self.from().unix_ns().div_euclid(step_ns) * step_ns;
        let end = self.to().unix_ns();
        let first = Wall::from_unix_ns(first);
        let many = (end - first.unix_ns()).div_euclid(step_ns) + 1;
        (0..many)
            .map(move |number| first + Delta::from_ns(number * step_ns))
            .filter(move |at| at.unix_ns() < end)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn range(query: &str, now_s: i64) -> TimeRange {
        let uri = format!("/session/a?{query}").parse().unwrap();
        let now = Wall::from_unix_ns(now_s * SECOND_NS);
        TimeRange::of(&Query::of(&uri), now, Duration::from_hours(1))
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
        for nonsense in [
            "last=0",
            "last=-1",
            "last=x",
            "from=5",
            "from=9&to=8",
            "from=-9&to=8",
            "last=99999999999",
        ] {
            assert_eq!(range(nonsense, now), latest(3_600), "{nonsense}");
        }
        let some = range("from=1000&to=4600", now);
        assert_eq!(
            (some.from_s, some.to_s, some.is_latest),
            (1_000, 4_600, false)
        );
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
            let columns: Vec<Wall> = range.columns(step).collect();
            assert!(
                (60..=MOST_COLUMNS + 1).contains(&(columns.len() as u64)),
                "{span}: {}",
                columns.len()
            );
            assert!(columns[0] <= range.from() && *columns.last().unwrap() < range.to());
        }
    }
}
