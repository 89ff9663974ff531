//! A timeline's columns as those of a screen: as many as fit, with one-way delays as far as they
//! are known.

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
    /// Whether only the last columns are shown.
    pub(super) recent: bool,
}

/// One column of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) sent: u64,
    pub(super) lost: u64,
    /// Nothing was sent. If false, nothing is known yet.
    pub(super) silent: bool,
    /// A clock stepped or the reflector restarted.
    pub(super) marked: bool,
    pub(super) round_trip: Option<Smoke>,
    pub(super) forward: Option<Smoke>,
    pub(super) backward: Option<Smoke>,
}

/// How one-way delays are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum OneWay<'a> {
    /// As they are: both clocks are synchronized.
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

    /// Records a packet that was sent `at`, is counted lost, and has no record yet.
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
                round_trip: column.round_trip,
                forward,
                backward,
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

fn together(one: Option<Smoke>, other: Option<Smoke>) -> Option<Smoke> {
    one.into_iter().chain(other).reduce(both)
}

/// Merges both: medians and percentiles become weighted means, which is enough for display.
fn both(one: Smoke, other: Smoke) -> Smoke {
    let mean = |of: fn(&Smoke) -> i64| {
        let (first, second) = (i128::from(one.count), i128::from(other.count));
        let sum = i128::from(of(&one)) * first + i128::from(of(&other)) * second;
        let mean = sum / (first + second).max(1);
        i64::try_from(mean).unwrap_or(if mean < 0 { i64::MIN } else { i64::MAX })
    };
    Smoke {
        count: one.count.saturating_add(other.count),
        min_ns: one.min_ns.min(other.min_ns),
        p5_ns: mean(|it| it.p5_ns),
        p25_ns: mean(|it| it.p25_ns),
        median_ns: mean(|it| it.median_ns),
        p75_ns: mean(|it| it.p75_ns),
        p95_ns: mean(|it| it.p95_ns),
        max_ns: one.max_ns.max(other.max_ns),
    }
}

impl Slot {
    fn of_all(slots: &[Self]) -> Self {
        slots.iter().copied().fold(Self::default(), Self::with)
    }

    fn with(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            lost: self.lost.saturating_add(other.lost),
            silent: self.silent || other.silent,
            marked: self.marked || other.marked,
            round_trip: together(self.round_trip, other.round_trip),
            forward: together(self.forward, other.forward),
            backward: together(self.backward, other.backward),
        }
    }

    /// Whether packets were sent and all are lost.
    pub(super) fn is_dead(&self) -> bool {
        self.sent > 0 && self.lost == self.sent
    }
}
