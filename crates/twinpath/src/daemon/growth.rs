//! How large a store becomes with the sessions that are measured.

use std::time::Duration;

use twinpath_report::words::time;

use crate::output::units::count;
use crate::store::StoreSettings;

/// Octets of a raw packet, of many sessions in a file; of a single one they are 18.
const RAW_PACKET: u64 = 25;

/// Sessions, and the rows that they make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    sessions: u64,
    rows_per_day: u64,
    /// Packets that are saved one by one.
    raw_per_day: u64,
}

impl Growth {
    /// With so many more sessions, each with a row for each interval.
    pub(super) fn with(self, sessions: u64, interval: Duration) -> Self {
        let rows = sessions.saturating_mul(per_day(interval));
        Self {
            sessions: self.sessions.saturating_add(sessions),
            rows_per_day: self.rows_per_day.saturating_add(rows),
            ..self
        }
    }

    /// With raw packets of so many of the sessions, each with one after such a time.
    pub(super) fn with_raw(self, sessions: u64, interval: Duration) -> Self {
        let packets = sessions.saturating_mul(per_day(interval));
        Self {
            raw_per_day: self.raw_per_day.saturating_add(packets),
            ..self
        }
    }

    /// What that takes, with rows of so many octets.
    pub(super) fn in_words(self, row_octets: u64, settings: &StoreSettings) -> String {
        if self.sessions == 0 {
            return "no session to be stored".to_owned();
        }
        let of_packets = self.raw_per_day.saturating_mul(RAW_PACKET);
        let day = self.rows_per_day.saturating_mul(row_octets);
        let day = day.saturating_add(of_packets);
        let raw = match self.raw_per_day {
            0 => String::new(),
            packets => format!(" and {packets} raw packets ({})", size(of_packets)),
        };
        let retained = settings.retention.map(|retention| {
            let octets = u128::from(day) * u128::from(retention.as_secs()) / 86_400;
            let octets = u64::try_from(octets).unwrap_or(u64::MAX);
            let retention = time(retention);
            format!(", and {} in the {retention} of retention", size(octets))
        });
        let bounded = settings.max_octets.map(|most| {
            let days = match most / day.max(1) {
                0 => "less than a day".to_owned(),
                days => count(days, "day", "days"),
            };
            format!("; max-size {} has {days}", size(most))
        });
        format!(
            "{}, {} rows{raw} a day, about {}{}{}",
            count(self.sessions, "session", "sessions"),
            self.rows_per_day,
            size(day),
            retained.unwrap_or_default(),
            bounded.unwrap_or_default()
        )
    }
}

/// How often this time passes in a day.
fn per_day(interval: Duration) -> u64 {
    let day = Duration::from_hours(24).as_nanos();
    u64::try_from(day / interval.as_nanos().max(1)).unwrap_or(u64::MAX)
}

/// Octets to two digits or more.
fn size(octets: u64) -> String {
    let units = [
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    let unit = units.into_iter().find(|(_, unit)| octets >= *unit);
    let (name, unit) = unit.unwrap_or(("kB", 1_000));
    let tenths = (octets.saturating_mul(10) / unit).max(1);
    match (tenths / 10, tenths % 10) {
        (whole @ 0..10, tenth) => format!("{whole}.{tenth} {name}"),
        (whole, _) => format!("{whole} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_grows_by_the_rows_of_all_sessions() {
        let growth = Growth::default()
            .with(1_000, Duration::from_secs(10))
            .with(8, Duration::from_mins(1));
        let mut settings = StoreSettings {
            path: "/s".into(),
            retention: Some(Duration::from_hours(90 * 24)),
            max_octets: None,
        };
        assert_eq!(
            growth.in_words(100, &settings),
            "1008 sessions, 8651520 rows a day, about 865 MB, and 77 GB in the 90 d of retention"
        );
        settings.retention = None;
        settings.max_octets = Some(10_000_000_000);
        let line = growth.in_words(100, &settings);
        assert!(
            line.ends_with("about 865 MB; max-size 10 GB has 11 days"),
            "{line}"
        );
        let one = Growth::default().with(1, Duration::from_secs(10));
        assert_eq!(
            one.in_words(
                120,
                &StoreSettings {
                    max_octets: None,
                    ..settings.clone()
                }
            ),
            "1 session, 8640 rows a day, about 1.0 MB"
        );
        let raw = one.with_raw(4, Duration::from_millis(100));
        assert_eq!(
            raw.in_words(100, &settings),
            "1 session, 8640 rows and 3456000 raw packets (86 MB) a day, about 87 MB; max-size 10 GB has 114 days"
        );
        let none = Growth::default().in_words(100, &settings);
        assert_eq!(none, "no session to be stored");
    }
}
