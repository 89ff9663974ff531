//! The five kinds of delay of a session, within one limit of memory.

use twinpath_wire::{Exclusion, Fate, Sample, Wall};

use crate::bins::Binned;
use crate::delay::Delay;
use crate::distribution::{Binning, Distribution};
use crate::ipdv::Neighbours;
use crate::{BinEdges, BinFigures, DelayFigures};

/// Heap memory that the five histograms may have together, in octets, with bins of the user's own
/// and what [`Delays::leave_room`] takes of it.
const HISTOGRAM_OCTETS: usize = 83 * 1024;
/// Numbers that a reply may be overtaken by and still meet its neighbours' delays.
const PATH_WINDOW: u16 = 256;
/// Numbers that a packet's fate may come late and its departure still meet its neighbours': those of
/// lost ones come a timeout late.
const DEPARTURE_WINDOW: u16 = 512;
/// A silence after which neither jitter nor IPDV compares (row M-22).
const LONG_SILENCE_NS: i64 = 60_000_000_000;

/// Delays of a session. Nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    /// Round trip, forward, backward, residence.
    paths: [Delay; 4],
    departure: Delay,
    path_neighbours: Neighbours<4>,
    departure_neighbours: Neighbours<1>,
    last_arrival: Option<Wall>,
    /// Round trip, forward, backward.
    bins: Option<Box<[Binned; 3]>>,
    /// Memory that others have of the histograms'.
    elsewhere_octets: usize,
}

/// The delays of a session by kind. Nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Histograms<'a> {
    /// (T4 - T1) - (T3 - T2).
    pub round_trip: &'a Distribution,
    /// T2 - T1 across two clocks.
    pub forward: &'a Distribution,
    /// T4 - T3 across two clocks.
    pub backward: &'a Distribution,
    /// T3 - T2.
    pub residence: &'a Distribution,
    /// Actual departure minus schedule.
    pub departure: &'a Distribution,
}

/// The delays of a session by kind, on their own: for what is made of them after it. Nanoseconds.
#[derive(Clone, Debug)]
pub struct Distributions {
    /// (T4 - T1) - (T3 - T2).
    pub round_trip: Distribution,
    /// T2 - T1 across two clocks.
    pub forward: Distribution,
    /// T4 - T3 across two clocks.
    pub backward: Distribution,
    /// T3 - T2.
    pub residence: Distribution,
    /// Actual departure minus schedule.
    pub departure: Distribution,
}

impl Histograms<'_> {
    /// A copy that outlives the session.
    pub fn cloned(&self) -> Distributions {
        Distributions {
            round_trip: self.round_trip.clone(),
            forward: self.forward.clone(),
            backward: self.backward.clone(),
            residence: self.residence.clone(),
            departure: self.departure.clone(),
        }
    }
}

impl Distributions {
    /// Adds the delays of another run.
    pub fn merge(&mut self, other: &Self) {
        self.round_trip.merge(&other.round_trip);
        self.forward.merge(&other.forward);
        self.backward.merge(&other.backward);
        self.residence.merge(&other.residence);
        self.departure.merge(&other.departure);
    }

    /// To look at.
    pub fn histograms(&self) -> Histograms<'_> {
        Histograms {
            round_trip: &self.round_trip,
            forward: &self.forward,
            backward: &self.backward,
            residence: &self.residence,
            departure: &self.departure,
        }
    }
}

/// The figures of [`Delays`].
pub(crate) struct DelaysFigures {
    pub(crate) round_trip: Option<DelayFigures>,
    pub(crate) forward: Option<DelayFigures>,
    pub(crate) backward: Option<DelayFigures>,
    pub(crate) residence: Option<DelayFigures>,
    pub(crate) departure: Option<DelayFigures>,
}

impl Delays {
    pub(crate) fn new(bins: Option<&BinEdges>) -> Self {
        let bins = bins.map(|edges| {
            let one = Binned::new(edges);
            Box::new([one.clone(), one.clone(), one])
        });
        Self {
            paths: [
                Delay::new(Binning::AsTheyAre),
                Delay::new(Binning::FromTheFirst),
                Delay::new(Binning::FromTheFirst),
                Delay::new(Binning::AsTheyAre),
            ],
            departure: Delay::new(Binning::AsTheyAre),
            path_neighbours: Neighbours::new(PATH_WINDOW),
            departure_neighbours: Neighbours::new(DEPARTURE_WINDOW),
            last_arrival: None,
            bins,
            elsewhere_octets: 0,
        }
    }

    /// One packet's end. Departures of all packets that were sent; the rest of those received in
    /// time, first copies, not excluded (row M-11).
    pub(crate) fn record(&mut self, sample: &Sample) {
        if sample.fate == Fate::Duplicate {
            return;
        }
        let mut grown = false;
        if sample.excluded != Some(Exclusion::ClockStep) {
            grown |= self.record_departure(sample);
        }
        if sample.fate == Fate::Received {
            self.notice_silence(sample);
            if sample.excluded.is_none() {
                grown |= self.record_paths(sample);
            }
        }
        if grown {
            self.stay_within();
        }
    }

    /// So many octets of the histograms' memory are another's: what grows only where the path is
    /// bad.
    pub(crate) fn leave_room(&mut self, octets: usize) {
        if self.elsewhere_octets != octets {
            self.elsewhere_octets = octets;
            self.stay_within();
        }
    }

    /// A new epoch of the reflector, or a silence: what travelled starts anew (row M-22).
    pub(crate) fn reset_paths(&mut self) {
        self.paths.iter_mut().for_each(Delay::reset);
        self.path_neighbours.reset();
    }

    /// The local clock stepped: departures start anew too.
    pub(crate) fn reset(&mut self) {
        self.reset_paths();
        self.departure.reset();
        self.departure_neighbours.reset();
    }

    pub(crate) fn figures(&self) -> DelaysFigures {
        let [round_trip, forward, backward, residence] = &self.paths;
        DelaysFigures {
            round_trip: round_trip.figures(),
            forward: forward.figures(),
            backward: backward.figures(),
            residence: residence.figures(),
            departure: self.departure.figures(),
        }
    }

    pub(crate) fn histograms(&self) -> Histograms<'_> {
        let [round_trip, forward, backward, residence] = &self.paths;
        Histograms {
            round_trip: round_trip.distribution(),
            forward: forward.distribution(),
            backward: backward.distribution(),
            residence: residence.distribution(),
            departure: self.departure.distribution(),
        }
    }

    pub(crate) fn bins(&self) -> Option<BinFigures> {
        let [round_trip, forward, backward] = self.bins.as_deref()?;
        Some(BinFigures {
            round_trip: round_trip.value(),
            forward: forward.value(),
            backward: backward.value(),
        })
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.bin_octets()
            + self.histogram_octets()
            + self.path_neighbours.octets()
            + self.departure_neighbours.octets()
    }

    fn record_departure(&mut self, sample: &Sample) -> bool {
        let value = sample.departure.ns();
        let departure = &mut self.departure;
        self.departure_neighbours
            .record(sample.seq, [value], |[neighbour]| {
                departure.record_pair(value, *neighbour);
            });
        departure.record(value)
    }

    fn record_paths(&mut self, sample: &Sample) -> bool {
        let (Some(round_trip), Some(forward), Some(backward), Some(residence)) = (
            sample.round_trip(),
            sample.forward(),
            sample.backward(),
            sample.residence(),
        ) else {
            return false;
        };
        let values = [round_trip.ns(), forward.ns(), backward.ns(), residence.ns()];
        let paths = &mut self.paths;
        self.path_neighbours
            .record(sample.seq, values, |neighbour| {
                for ((path, value), other) in paths.iter_mut().zip(values).zip(neighbour) {
                    path.record_pair(value, *other);
                }
            });
        let mut grown = false;
        if let Some(bins) = &mut self.bins {
            for (bins, value) in bins.iter_mut().zip(values) {
                grown |= bins.record(value);
            }
        }
        paths
            .iter_mut()
            .zip(values)
            .fold(grown, |grown, (path, value)| path.record(value) | grown)
    }

    fn notice_silence(&mut self, sample: &Sample) {
        let Some(arrival) = sample.t4 else { return };
        if self
            .last_arrival
            .is_some_and(|last| (arrival.at - last).ns() > LONG_SILENCE_NS)
        {
            self.reset_paths();
        }
        self.last_arrival = Some(arrival.at);
    }

    fn bin_octets(&self) -> usize {
        let bins = self.bins.iter().flat_map(|bins| bins.iter());
        bins.map(Binned::heap_octets).sum()
    }

    fn histogram_octets(&self) -> usize {
        self.paths
            .iter()
            .chain([&self.departure])
            .map(Delay::heap_octets)
            .sum()
    }

    /// Halves the resolution of the largest histogram until all fit.
    #[cold]
    fn stay_within(&mut self) {
        let octets = HISTOGRAM_OCTETS.saturating_sub(self.bin_octets() + self.elsewhere_octets);
        while self.histogram_octets() > octets {
            let mut all: Vec<&mut Delay> =
                self.paths.iter_mut().chain([&mut self.departure]).collect();
            all.sort_by_key(|delay| std::cmp::Reverse(delay.heap_octets()));
            if !all.into_iter().any(Delay::coarsen) {
                break;
            }
        }
    }
}
