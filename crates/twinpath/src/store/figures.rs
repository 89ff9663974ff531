//! Rows as reports and pictures have figures. What takes each packet is not known.

use std::time::Duration;

use twinpath_metrics::{
    Column, DelayFigures, Distribution, Distributions, EcnCounts, Figures, IntervalFigures,
    LossChange, Marks, RemarkCounts, Smoke, Suspect, TtlFigures, Value,
};
use twinpath_wire::{Delta, Wall, nanoseconds};

use super::row::{Delay, StoredRow};

/// Lengths of columns in seconds: parts of a day each.
const STEPS_S: [u64; 16] = [
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
];

/// Packets that arrived with another marking.
const REMARKED: [&str; 4] = [
    "marking_forward_remarked_dscp",
    "marking_forward_remarked_ecn",
    "marking_backward_remarked_dscp",
    "marking_backward_remarked_ecn",
];

/// The length of at most so many columns over this time, and at least this: a part of a day.
pub(crate) fn column_length(time: Duration, most: u64, least: Duration) -> Duration {
    let needed = time
        .as_secs()
        .div_ceil(most.max(1))
        .max(least.as_secs().max(1));
    let step = STEPS_S.into_iter().find(|step| *step >= needed);
    Duration::from_secs(step.unwrap_or(86_400))
}

/// The beginnings of all columns of this length in this time: multiples of it.
fn column_starts(from: Wall, to: Wall, length: Duration) -> impl Iterator<Item = Wall> {
    let length = i64::try_from(nanoseconds::of(length))
        .unwrap_or(i64::MAX)
        .max(1);
    let first = from
        .unix_ns()
        .saturating_sub(from.unix_ns().rem_euclid(length));
    let span = to.unix_ns().saturating_sub(first).max(0);
    let many = span / length + i64::from(span % length > 0);
    (0..many).map(move |number| Wall::from_unix_ns(first) + Delta::from_ns(number * length))
}

/// A session over time, in columns of equal length.
#[derive(Clone, Debug)]
pub(crate) struct OverTime {
    begin: Wall,
    length_ns: i64,
    columns: Vec<Column>,
    /// TTL of packets on arrival so far, outbound and inbound.
    ttl: [Option<u64>; 2],
}

impl OverTime {
    /// Nothing is known of any.
    pub(crate) fn new(from: Wall, to: Wall, length: Duration) -> Self {
        let columns: Vec<Column> = column_starts(from, to, length)
            .map(Column::unknown)
            .collect();
        Self {
            begin: columns.first().map_or(from, |first| first.start),
            length_ns: i64::try_from(nanoseconds::of(length))
                .unwrap_or(i64::MAX)
                .max(1),
            columns,
            ttl: [None; 2],
        }
    }

    /// Puts a row into the column in which it begins. Rows come in the order of time.
    pub(crate) fn put(&mut self, row: &StoredRow) {
        let ttl = ["ttl_forward_min", "ttl_backward_min"].map(|column| row.count(column));
        let pairs = self.ttl.iter().zip(&ttl);
        let mut pairs = pairs.filter_map(|(before, now)| before.zip(*now));
        let has_changed = pairs.any(|(before, now)| before != now);
        for (known, now) in self.ttl.iter_mut().zip(ttl) {
            *known = now.or(*known);
        }
        let place = (row.start - self.begin).ns().div_euclid(self.length_ns);
        let Ok(place) = usize::try_from(place) else {
            return;
        };
        if let Some(column) = self.columns.get_mut(place) {
            *column = row.column(column.start);
            column.marks.ttl_change |= has_changed;
        }
        // Of several intervals without a packet there is one row.
        let length = Delta::from_ns(self.length_ns);
        let later = self.columns.iter_mut().skip(place + 1);
        for column in later.take_while(|column| column.start + length <= row.end) {
            if column.marks.unknown {
                *column = Column::silent(column.start);
            }
        }
    }

    /// All of them.
    pub(crate) fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}

impl StoredRow {
    /// How long one of its intervals is.
    pub(crate) fn interval_length(&self) -> Duration {
        let length = u64::try_from((self.end - self.start).ns()).unwrap_or(0);
        Duration::from_nanos(length / self.count("intervals").unwrap_or(1).max(1))
    }

    /// A count; `None`: it is not known.
    pub(crate) fn count(&self, column: &str) -> Option<u64> {
        match self.value(column)? {
            Value::Unsigned(count) => Some(count),
            Value::Signed(count) => u64::try_from(count).ok(),
            Value::Float(_) => None,
        }
    }

    fn signed(&self, column: &str) -> Option<i64> {
        match self.value(column)? {
            Value::Unsigned(value) => i64::try_from(value).ok(),
            Value::Signed(value) => Some(value),
            Value::Float(_) => None,
        }
    }

    /// As a column of a picture that begins then.
    pub(crate) fn column(&self, start: Wall) -> Column {
        let of = |column| self.count(column).unwrap_or(0);
        let (received, lost) = (of("received"), of("lost"));
        let smoke = |delay| self.distribution(delay).as_ref().and_then(smoke);
        Column {
            sent: received
                .saturating_add(lost)
                .saturating_add(of("packets_unawaited")),
            received,
            lost,
            late: of("late"),
            duplicates: of("duplicates"),
            reordered: of("reordered"),
            round_trip: smoke(Delay::RoundTrip),
            forward: smoke(Delay::Forward),
            backward: smoke(Delay::Backward),
            marks: self.marks(),
            ..Column::silent(start)
        }
    }

    fn marks(&self) -> Marks {
        let has = |column: &str| self.count(column).unwrap_or(0) > 0;
        let is = |reason: Suspect| self.suspect().any(|known| known == reason);
        Marks {
            clock_step: is(Suspect::ClockStep),
            far_step: is(Suspect::FarStep),
            lower_rung: is(Suspect::LowerRung),
            not_sent: is(Suspect::NotSent),
            restart: has("reflector_restarts"),
            ttl_change: has("ttl_forward_changes") || has("ttl_backward_changes"),
            remarked: REMARKED.into_iter().any(has),
            ..Marks::default()
        }
    }

    /// As a row of intervals, the first of which has number 0.
    pub(crate) fn interval(&self, index: u64) -> IntervalFigures {
        let of = |column| self.count(column).unwrap_or(0);
        IntervalFigures {
            index,
            intervals: 1,
            start: self.start,
            end: self.end,
            is_cut: false,
            loss: self.loss(),
            not_sent: of("packets_send_errors"),
            missed: of("packets_slots_skipped"),
            strays: of("strays"),
            suspect: self.suspect().collect(),
            figures: Figures {
                lost_forward: None,
                lost_backward: None,
                lost_unattributed: None,
                ..self.all_figures()
            },
        }
    }

    fn loss(&self) -> LossChange {
        LossChange {
            forward: self.signed("lost_forward"),
            backward: self.signed("lost_backward"),
            unattributed: self.signed("packets_lost_unattributed").unwrap_or(0),
        }
    }

    /// The distributions of its delays; those that are not known are empty.
    pub(crate) fn distributions(&self) -> Distributions {
        let empty = Distributions::default();
        let of = |delay| self.distribution(delay);
        Distributions {
            round_trip: of(Delay::RoundTrip).unwrap_or(empty.round_trip),
            forward: of(Delay::Forward).unwrap_or(empty.forward),
            backward: of(Delay::Backward).unwrap_or(empty.backward),
            ..empty
        }
    }

    /// All figures that follow from it.
    pub(crate) fn all_figures(&self) -> Figures {
        let count = |column| self.count(column);
        let of = |column| count(column).unwrap_or(0);
        let mut figures = Figures {
            received: of("received"),
            lost: of("lost"),
            late: of("late"),
            duplicates: of("duplicates"),
            unawaited: of("packets_unawaited"),
            reordered: of("reordered"),
            not_sent: of("packets_send_errors"),
            excluded_clock_step: of("excluded_clock_step"),
            excluded_implausible: of("excluded_implausible"),
            excluded_unstamped: of("excluded_unstamped"),
            implausible: of("implausible"),
            congestion_forward: count("congestion_forward"),
            congestion_backward: of("congestion_backward"),
            reflector_restarts: of("reflector_restarts"),
            far_resolution_ns: count("far_resolution_ns"),
            round_trip: self.delay(Delay::RoundTrip),
            forward: self.delay(Delay::Forward),
            backward: self.delay(Delay::Backward),
            ttl_forward: self.ttl("forward"),
            ttl_backward: self.ttl("backward"),
            ecn_forward: self.ecn("forward"),
            ecn_backward: self.ecn("backward"),
            remarked_forward: self.remarked("forward"),
            remarked_backward: self.remarked("backward"),
            ..Figures::default()
        };
        self.put_directions(&mut figures);
        figures
    }

    /// Losses by direction. A change may be that of earlier losses: then it is not known which of these were where.
    fn put_directions(&self, figures: &mut Figures) {
        let columns = ["lost_forward", "lost_backward", "packets_lost_unattributed"];
        let [forward, backward, unattributed] = columns.map(|column| self.count(column));
        // Losses of far ends that never answered have no direction.
        let with_direction = [forward, backward].into_iter().flatten();
        let sum = with_direction.fold(unattributed, |sum, count| sum?.checked_add(count));
        let is_all = sum == Some(figures.lost);
        figures.lost_forward = forward.filter(|_| is_all);
        figures.lost_backward = backward.filter(|_| is_all);
        figures.lost_unattributed = unattributed.filter(|_| is_all);
    }

    fn delay(&self, delay: Delay) -> Option<DelayFigures> {
        let figures = self.distribution(delay)?.figures()?;
        let jitter = format!("{}_jitter_ns", delay.key());
        Some(DelayFigures {
            jitter_ns: self.count(&jitter),
            ..figures
        })
    }

    fn ttl(&self, direction: &str) -> Option<TtlFigures> {
        let of = |key| self.count(&format!("ttl_{direction}_{key}"));
        let hop_limit = |key| u8::try_from(of(key)?).ok();
        Some(TtlFigures {
            min: hop_limit("min")?,
            max: hop_limit("max")?,
            changes: of("changes")?,
        })
    }

    fn ecn(&self, direction: &str) -> Option<EcnCounts> {
        let of = |key| self.count(&format!("marking_{direction}_{key}"));
        Some(EcnCounts {
            not_ect: of("not_ect")?,
            ect_0: of("ect_0")?,
            ect_1: of("ect_1")?,
            ce: of("ce")?,
        })
    }

    fn remarked(&self, direction: &str) -> Option<RemarkCounts> {
        let of = |key| self.count(&format!("marking_{direction}_remarked_{key}"));
        Some(RemarkCounts {
            dscp: of("dscp")?,
            ecn: of("ecn")?,
        })
    }
}

/// The spread of delays.
fn smoke(delays: &Distribution) -> Option<Smoke> {
    Some(Smoke {
        count: delays.count(),
        min_ns: delays.min_ns()?,
        p5_ns: delays.quantile(0.05)?,
        p25_ns: delays.quantile(0.25)?,
        median_ns: delays.median()?,
        p75_ns: delays.quantile(0.75)?,
        p95_ns: delays.quantile(0.95)?,
        max_ns: delays.max_ns()?,
    })
}
