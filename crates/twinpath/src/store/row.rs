//! A row of a store: an interval of a session, or what rows of several come to.

use std::sync::Arc;

use twinpath_metrics::{
    ClosedInterval, Distribution, DistributionParts, HistogramBin, HistogramParts, IntervalFigures,
    Suspect, Value,
};
use twinpath_wire::{Tos, Wall};

use super::cells::{self, CELLS, Cells};

/// An interval of a session, to be stored.
pub(crate) struct StoredInterval {
    /// The entry of the configuration.
    pub(crate) session: Arc<str>,
    /// Of its packets.
    pub(crate) class: Tos,
    /// Which of several paths it takes, from 1.
    pub(crate) path: Option<u16>,
    pub(crate) row: ClosedInterval,
}

/// The delays that are stored as distributions, in the order of their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    RoundTrip,
    Forward,
    Backward,
}

impl Delay {
    pub(crate) const ALL: [Self; 3] = [Self::RoundTrip, Self::Forward, Self::Backward];

    /// The key in documents.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::RoundTrip => "round_trip",
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }

    pub(super) const fn place(self) -> usize {
        match self {
            Self::RoundTrip => 0,
            Self::Forward => 1,
            Self::Backward => 2,
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredRow {
    /// The entry of the configuration.
    pub(crate) session: Arc<str>,
    /// The DSCP of its packets, by its name.
    pub(crate) class: Arc<str>,
    /// Which of several paths it takes, from 1.
    pub(crate) path: Option<u16>,
    /// Beginning, by the sender's clock as it was then.
    pub(crate) start: Wall,
    /// End, excluded.
    pub(crate) end: Wall,
    pub(super) suspect: Doubts,
    pub(super) cells: Cells,
    pub(super) delays: [Option<Box<Moments>>; 3],
}

/// What a distribution has beside the figures in its row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) sum_ns: i64,
    pub(super) squares_ns2: f64,
    pub(super) ipdv_sum_ns: i64,
    pub(super) ipdv_pairs: i64,
    /// The least value of each bin, and the values in it.
    pub(super) lower_ns: Box<[i64]>,
    pub(super) counts: Box<[i64]>,
}

impl StoredRow {
    /// The row of an interval.
    pub(crate) fn of(interval: &StoredInterval) -> Self {
        let figures = interval.row.figures();
        let mut row = Self::new(interval, &figures);
        if let Some(delays) = interval.row.delays() {
            let known = &figures.figures;
            let delays = [
                (delays.round_trip, known.round_trip.is_some()),
                (delays.forward, known.forward.is_some()),
                (delays.backward, known.backward.is_some()),
            ];
            row.delays = delays.map(|(delay, is_known)| {
                let moments = is_known.then(|| Moments::of(&delay.parts())).flatten();
                moments.map(Box::new)
            });
        }
        row
    }

    fn new(interval: &StoredInterval, figures: &IntervalFigures) -> Self {
        let mut cells = Cells::default();
        cells.reserve(CELLS.len());
        for (place, cell) in CELLS.iter().enumerate() {
            cells.set(place, cell.value(figures));
        }
        Self {
            session: Arc::clone(&interval.session),
            class: interval.class.dscp().to_string().into(),
            path: interval.path,
            start: figures.start,
            end: figures.end,
            suspect: Doubts::of(&figures.suspect),
            cells,
            delays: [None, None, None],
        }
    }

    /// The value in this column of figures: `round_trip_p99_ns`. `None`: it is not known, or was not read.
    pub(crate) fn value(&self, column: &str) -> Option<Value> {
        let place = cells::place(column)?;
        self.cells.value(place)
    }

    /// All figures that are known, by their columns.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let cells = CELLS.iter().enumerate();
        cells.filter_map(|(place, cell)| Some((&*cell.name, self.cells.value(place)?)))
    }

    /// Why the figures are doubtful.
    pub(crate) fn suspect(&self) -> impl Iterator<Item = Suspect> {
        self.suspect.reasons()
    }

    /// All values of these delays. `None`: there are none, or they were not read, or are damaged.
    pub(crate) fn distribution(&self, delay: Delay) -> Option<Distribution> {
        let moments = self.delays.get(delay.place())?.as_deref()?;
        let [count, min, max, reference, bins] = cells::of_distribution(delay);
        let cell = |place: usize| self.cells.get(place);
        let parts = DistributionParts {
            count: u64::try_from(cell(count)?).ok()?,
            min_ns: cell(min)?,
            max_ns: cell(max)?,
            sum_ns: moments.sum_ns.into(),
            squares_ns2: moments.squares_ns2,
            ipdv_sum_ns: u128::try_from(moments.ipdv_sum_ns).ok()?,
            ipdv_pairs: u64::try_from(moments.ipdv_pairs).ok()?,
            histogram: HistogramParts {
                reference_ns: cell(reference),
                bins_per_octave: u32::try_from(cell(bins)?).ok()?,
                bins: moments.bins(u32::try_from(cell(bins)?).ok()?)?,
            },
        };
        Distribution::from_parts(&parts).ok()
    }
}

impl Moments {
    /// `None`: sums that no column holds.
    pub(super) fn of(parts: &DistributionParts) -> Option<Self> {
        let bins = &parts.histogram.bins;
        let counts = bins.iter().map(|bin| i64::try_from(bin.count));
        Some(Self {
            sum_ns: i64::try_from(parts.sum_ns).ok()?,
            squares_ns2: parts.squares_ns2,
            ipdv_sum_ns: i64::try_from(parts.ipdv_sum_ns).ok()?,
            ipdv_pairs: i64::try_from(parts.ipdv_pairs).ok()?,
            lower_ns: bins.iter().map(|bin| bin.lower_ns).collect(),
            counts: counts.collect::<Result<_, _>>().ok()?,
        })
    }

    fn bins(&self, bins_per_octave: u32) -> Option<Vec<HistogramBin>> {
        if self.lower_ns.len() != self.counts.len() {
            return None;
        }
        let pairs = self.lower_ns.iter().zip(&self.counts);
        let bins = pairs.map(|(lower, count)| {
            Some(HistogramBin {
                lower_ns: *lower,
                upper_ns: upper_ns(*lower, bins_per_octave)?,
                count: u64::try_from(*count).ok()?,
            })
        });
        bins.collect()
    }
}

/// The greatest value of the bin whose least one is this: a bin is as wide as the power of two at or below its
/// distance from zero, divided by the bins per octave; one nanosecond below 512.
fn upper_ns(lower_ns: i64, bins_per_octave: u32) -> Option<i64> {
    let distance = lower_ns.unsigned_abs();
    if distance < 512 {
        return Some(lower_ns);
    }
    let octave = distance.ilog2();
    let shift = octave.checked_sub(bins_per_octave.checked_ilog2()?)?;
    lower_ns.checked_add((1_i64.checked_shl(shift)?) - 1)
}

/// Why figures are doubtful: one bit for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubts(u8);

const REASONS: [Suspect; 6] = [
    Suspect::FewPackets,
    Suspect::ClockStep,
    Suspect::FarStep,
    Suspect::LowerRung,
    Suspect::NotSent,
    Suspect::Strays,
];

impl Doubts {
    pub(super) fn of(reasons: &[Suspect]) -> Self {
        let mut doubts = Self::default();
        for reason in reasons {
            doubts.set(*reason, true);
        }
        doubts
    }

    pub(super) fn set(&mut self, reason: Suspect, holds: bool) {
        let bits = (0..8).zip(REASONS);
        for (bit, known) in bits.filter(|(_, known)| *known == reason) {
            debug_assert_eq!(known, reason);
            self.0 = self.0 & !(1 << bit) | u8::from(holds) << bit;
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn reasons(self) -> impl Iterator<Item = Suspect> {
        let reasons = (0..8).zip(REASONS);
        reasons.filter_map(move |(bit, reason)| (self.0 & 1 << bit != 0).then_some(reason))
    }

    /// Their names, separated by commas.
    pub(super) fn names(self) -> String {
        let names: Vec<&str> = self.reasons().map(Suspect::name).collect();
        names.join(",")
    }

    /// Unknown names are of a later version.
    pub(super) fn named(names: &str) -> Self {
        let known = |name: &str| REASONS.into_iter().find(|reason| reason.name() == name);
        let reasons: Vec<Suspect> = names.split(',').filter_map(known).collect();
        Self::of(&reasons)
    }
}
