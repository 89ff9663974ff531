//! A timeline's columns as those of a screen: as many as fit, and one-way delays as what can be
//! known of them.

use std::time::Duration;

use twinpath_metrics::{ClockEstimate, Column, Smoke, Timeline, variation};
use twinpath_wire::{Delta, Wall};

/// Columns of a strip, far more than a timeline has: a clock that stepped must not fill the memory.
const MOST: usize = 1_000;

/// A session over time, in the columns that were kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Strip {
    pub(super) columns: Vec<Column>,
    /// Where the first column of all begins.
    pub(super) origin: Option<Wall>,
    /// The width of a column.
    pub(super) width: Duration,
    /// The end of the last column, since the session began.
    pub(super) reach: Duration,
    /// Until when the fate of every packet is known, since the session began.
    pub(super) settled: Duration,
    /// The last columns are shown; if not, all of them.
    pub(super) recent: bool,
}

/// What is drawn of one direction in a column. Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) count: u64,
    pub(super) min: i64,
    pub(super) median: i64,
    pub(super) p95: i64,
    pub(super) max: i64,
}

/// One column of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) sent: u64,
    pub(super) lost: u64,
    /// Nothing was sent; if this is false too, nothing is known yet.
    pub(super) silent: bool,
    /// A clock stepped or the reflector began anew.
    pub(super) marked: bool,
    pub(super) round_trip: Option<Band>,
    pub(super) forward: Option<Band>,
    pub(super) backward: Option<Band>,
}

/// How one-way delays are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum OneWay<'a> {
    /// As they are: both clocks are synchronised.
    Delay,
    /// As variation: the offset cancels out, the skew is taken out.
    Variation(Option<&'a ClockEstimate>),
}

impl Strip {
    /// The columns of a timeline, its own or those of a window.
    pub(super) fn of(timeline: &Timeline, settled: Duration, recent: bool) -> Self {
        Self {
            columns: timeline.columns().collect(),
            origin: Some(timeline.origin()),
            width: timeline.width(),
            reach: timeline.reach(),
            settled,
            recent,
        }
    }

    /// A packet that was sent `at` is counted lost, and no record of it has come yet.
    pub(super) fn lose(&mut self, at: Wall) {
        let width = Delta::from_duration(self.width);
        if self.columns.is_empty() {
            self.columns.extend(self.origin.map(Column::silent));
            self.reach = self.width;
        }
        while let Some(last) = self.columns.last()
            && last.start + width <= at
            && self.columns.len() < MOST
        {
            let start = last.start + width;
            self.columns.push(Column::silent(start));
            self.reach = self.reach.saturating_add(self.width);
        }
        let place = self.columns.partition_point(|column| column.start <= at);
        if let Some(column) = self.columns.get_mut(place.saturating_sub(1)) {
            column.sent += 1;
            column.lost += 1;
        }
    }

    /// How much time each slot is where `room` slots fit.
    pub(super) fn time_of_a_slot(&self, room: usize) -> Duration {
        let together = if self.recent {
            1
        } else {
            self.columns.len().div_ceil(room.max(1)).max(1)
        };
        let together = u32::try_from(together).unwrap_or(u32::MAX);
        self.width.saturating_mul(together)
    }

    /// As many slots as fit into `room`, or fewer; and how much time each is.
    pub(super) fn fit(&self, room: usize, one_way: OneWay<'_>) -> (Vec<Slot>, Duration) {
        let slots = self.slots(room, one_way);
        let room = room.max(1);
        if self.recent {
            let skipped = slots.len().saturating_sub(room);
            return (
                slots.get(skipped..).unwrap_or_default().to_vec(),
                self.width,
            );
        }
        let together = slots.len().div_ceil(room).max(1);
        let merged = slots.chunks(together).map(Slot::of_all).collect();
        let together = u32::try_from(together).unwrap_or(u32::MAX);
        (merged, self.width.saturating_mul(together))
    }

    /// A slot for each column, and silence after them as far as it is known; at most twice `room`
    /// of that.
    fn slots(&self, room: usize, one_way: OneWay<'_>) -> Vec<Slot> {
        let raw = |pick: fn(&Column) -> Option<Smoke>| self.columns.iter().map(pick).collect();
        let [forward, backward] = match one_way {
            OneWay::Delay => [raw(|column| column.forward), raw(|column| column.backward)],
            OneWay::Variation(clocks) => variation(&self.columns, self.width, clocks),
        };
        let count = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let mut end = self.reach.saturating_sub(self.width.saturating_mul(count));
        let mut slots = Vec::with_capacity(self.columns.len());
        for ((column, forward), backward) in self.columns.iter().zip(forward).zip(backward) {
            end = end.saturating_add(self.width);
            let marks = column.marks;
            slots.push(Slot {
                sent: column.sent,
                lost: column.lost,
                silent: column.sent == 0 && end <= self.settled,
                marked: marks.part_offsets() || marks.source_change || marks.restart,
                round_trip: column.round_trip.map(Band::from),
                forward: forward.map(Band::from),
                backward: backward.map(Band::from),
            });
        }
        for _ in 0..room.saturating_mul(2) {
            end = end.saturating_add(self.width);
            if self.width.is_zero() || end > self.settled {
                break;
            }
            slots.push(Slot {
                silent: true,
                ..Slot::default()
            });
        }
        slots
    }
}

impl Band {
    /// Of both: median and percentile are means by weight, for the eye alone.
    fn with(self, other: Self) -> Self {
        let mean = |a: i64, b: i64| {
            let (one, two) = (i128::from(self.count), i128::from(other.count));
            let sum = i128::from(a) * one + i128::from(b) * two;
            narrow(sum / (one + two).max(1))
        };
        Self {
            count: self.count.saturating_add(other.count),
            min: self.min.min(other.min),
            median: mean(self.median, other.median),
            p95: mean(self.p95, other.p95),
            max: self.max.max(other.max),
        }
    }
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl From<Smoke> for Band {
    fn from(smoke: Smoke) -> Self {
        Self {
            count: smoke.count,
            min: smoke.min_ns,
            median: smoke.median_ns,
            p95: smoke.p95_ns,
            max: smoke.max_ns,
        }
    }
}

impl Slot {
    fn of_all(slots: &[Self]) -> Self {
        slots.iter().copied().fold(Self::default(), Self::with)
    }

    fn with(self, other: Self) -> Self {
        let both = |one: Option<Band>, other: Option<Band>| match (one, other) {
            (Some(one), Some(other)) => Some(one.with(other)),
            (one, other) => one.or(other),
        };
        Self {
            sent: self.sent.saturating_add(other.sent),
            lost: self.lost.saturating_add(other.lost),
            silent: self.silent || other.silent,
            marked: self.marked || other.marked,
            round_trip: both(self.round_trip, other.round_trip),
            forward: both(self.forward, other.forward),
            backward: both(self.backward, other.backward),
        }
    }

    /// Something was sent, and all of it is lost.
    pub(super) fn is_dead(&self) -> bool {
        self.sent > 0 && self.lost == self.sent
    }
}
