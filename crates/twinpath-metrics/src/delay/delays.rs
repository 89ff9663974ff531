//! The five kinds of delay of a session, within one memory limit.

use twinpath_wire::{Exclusion, Fate, Sample, Wall};

use crate::delay::bins::Binned;
use crate::delay::distribution::{Binning, Distribution};
use crate::delay::first::FirstWays;
use crate::delay::ipdv::Neighbours;
use crate::delay::kind::Delay;
use crate::{BinCounts, BinEdges, BinFigures, DelayFigures, FarTimes};

/// The most heap memory that the five histograms may claim together, in octets, including
/// user-defined bins and what [`Delays::leave_room`] reserves.
pub(crate) const HISTOGRAM_OCTETS: usize = 81 * 1024;
/// How many numbers may overtake a reply before its neighbours' delays are forgotten.
const PATH_WINDOW: usize = 256;
/// How many numbers late a packet's fate may come before its neighbours' departures are forgotten:
/// fates of lost packets come a timeout late.
const DEPARTURE_WINDOW: usize = 512;
/// What [`TotalRoundTrips`] claims beside its histogram and bins, in octets: itself and a full window.
const WHOLE_OCTETS: usize = 368 + PATH_WINDOW * 16;
/// Used in place of unavailable delays.
static NONE: Distribution = Distribution::new(Binning::AsTheyAre);
/// Fewest bins per octave: below that, delays of doubtful times are dropped in favour of the
/// others.
const COARSE: u64 = 64;
/// The most packets remembered by T4 - T1 because their T2 and T3 may later prove wrong.
const FIRST: usize = 100;
/// A pause after which jitter and IPDV start again (row M-22).
const LONG_SILENCE_NS: i64 = 60_000_000_000;

/// Delays of a session, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    /// Round trip, forward, backward, residence.
    paths: [Delay; 4],
    departure: Delay,
    /// Number and T4 - T1 of the first packets, whose T2 and T3 are not confirmed yet.
    first: FirstWays,
    /// There were more.
    many: bool,
    /// T4 - T1, kept from the first packet that casts doubt on T2 and T3.
    whole: Option<Box<TotalRoundTrips>>,
    /// The others were dropped for lack of room.
    only_whole: bool,
    path_neighbours: Neighbours<4, PATH_WINDOW>,
    departure_neighbours: Neighbours<1, DEPARTURE_WINDOW>,
    last_arrival: Option<Wall>,
    /// Round trip, forward, backward.
    bins: Option<Box<[Binned; 3]>>,
    /// Memory reserved from the histograms for other uses.
    elsewhere_octets: usize,
    /// What the histograms may claim in any case.
    most_octets: usize,
}

/// Round trips that include the reflector's own time.
#[derive(Clone, Debug)]
struct TotalRoundTrips {
    delay: Delay,
    neighbours: Neighbours<1, PATH_WINDOW>,
    bins: Option<Binned>,
}

impl TotalRoundTrips {
    /// True if memory was allocated.
    fn record(&mut self, seq: u64, value: i64) -> bool {
        let delay = &mut self.delay;
        self.neighbours.record(seq, [value], |[other]| {
            delay.record_pair(value, *other);
        });
        let grown = self.bins.as_mut().is_some_and(|bins| bins.record(value));
        self.delay.record(value) | grown
    }
}

/// One value per kind of delay.
#[derive(Clone, Copy, Debug)]
pub struct ByKind<T> {
    /// (T4 - T1) - (T3 - T2).
    pub round_trip: T,
    /// T2 - T1 across two clocks.
    pub forward: T,
    /// T4 - T3 across two clocks.
    pub backward: T,
    /// T3 - T2.
    pub residence: T,
    /// Actual departure minus schedule.
    pub departure: T,
}

/// The delays of a session by kind.
pub type Histograms<'a> = ByKind<&'a Distribution>;

/// An owned copy of the delays of a session by kind, for use after the session.
pub type Distributions = ByKind<Distribution>;

impl Default for Distributions {
    /// Without a packet.
    fn default() -> Self {
        crate::SessionMetrics::new().histograms().cloned()
    }
}

impl Histograms<'_> {
    /// A copy that outlives the session.
    pub fn cloned(&self) -> Distributions {
        self.map(|kind| (*kind).clone())
    }
}

impl<T> ByKind<T> {
    fn map<'a, U>(&'a self, of: impl Fn(&'a T) -> U) -> ByKind<U> {
        ByKind {
            round_trip: of(&self.round_trip),
            forward: of(&self.forward),
            backward: of(&self.backward),
            residence: of(&self.residence),
            departure: of(&self.departure),
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

    /// By reference.
    pub fn histograms(&self) -> Histograms<'_> {
        self.map(|kind| kind)
    }
}

impl Delays {
    /// `most_octets`: what the histograms may claim together.
    pub(crate) fn new(bins: Option<&BinEdges>, most_octets: usize) -> Self {
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
            first: FirstWays::default(),
            many: false,
            whole: None,
            only_whole: false,
            path_neighbours: Neighbours::new(),
            departure_neighbours: Neighbours::new(),
            last_arrival: None,
            bins,
            elsewhere_octets: 0,
            most_octets,
        }
    }

    /// Records one packet's fate: the departure of every packet sent, the other delays only of
    /// first copies received in time and not excluded (row M-11).
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
            if sample.excluded != Some(Exclusion::ClockStep) {
                grown |= self.record_whole(sample);
            }
            if sample.excluded.is_none() {
                grown |= self.record_paths(sample);
            }
        }
        if grown {
            self.stay_within();
        }
    }

    /// Reserves this many octets of the histograms' memory for state that grows only on a bad path.
    pub(crate) fn leave_room(&mut self, octets: usize) {
        if self.elsewhere_octets != octets {
            self.elsewhere_octets = octets;
            self.stay_within();
        }
    }

    /// A new epoch of the reflector, or a pause: jitter and IPDV of the path's delays start again
    /// (row M-22).
    pub(crate) fn reset_paths(&mut self) {
        self.paths.iter_mut().for_each(Delay::reset);
        self.path_neighbours.reset();
        if let Some(whole) = &mut self.whole {
            whole.delay.reset();
            whole.neighbours.reset();
        }
    }

    /// Whether T2 and T3 were so implausible that nothing is kept of them.
    pub(crate) fn has_only_total_round_trips(&self) -> bool {
        self.only_whole
    }

    /// Drops delays of doubtful times if they would make all delays coarse; true if there were any.
    fn drop_doubtful(&mut self) -> bool {
        let bins = |delay: &Delay| u64::from(delay.distribution().histogram().bins_per_octave());
        let coarse = self.paths.iter().any(|path| bins(path) <= COARSE);
        let gives_up = coarse && self.whole.is_some() && !self.only_whole;
        if gives_up {
            self.only_whole = true;
            self.paths = [(); 4].map(|()| Delay::new(Binning::AsTheyAre));
            self.path_neighbours = Neighbours::new();
        }
        gives_up
    }

    /// From now on, also keeps round trips that include the reflector's time. If there were many
    /// packets before, which cast no doubt, their round trips without it are used.
    pub(crate) fn record_total_round_trips(&mut self) {
        if self.whole.is_some() {
            return;
        }
        let [round_trip, ..] = &self.paths;
        let bins = self.bins.as_deref().map(|[round_trip, ..]| round_trip);
        let mut whole = TotalRoundTrips {
            delay: round_trip.clone(),
            neighbours: Neighbours::new(),
            bins: bins.cloned(),
        };
        if !self.many {
            whole.delay = Delay::new(Binning::AsTheyAre);
            whole.bins = bins.map(Binned::emptied);
            for (seq, value) in self.first.iter() {
                whole.record(seq, value);
            }
        }
        self.whole = Some(Box::new(whole));
        self.stay_within();
    }

    /// The local clock stepped: the variation of departures starts again too.
    pub(crate) fn reset(&mut self) {
        self.reset_paths();
        self.departure.reset();
        self.departure_neighbours.reset();
    }

    /// If T2 and T3 cannot be used: only round trips as T4 - T1.
    pub(crate) fn figures(&self, far_times: FarTimes) -> ByKind<Option<DelayFigures>> {
        self.kinds(far_times)
            .map(|delay| delay.and_then(Delay::figures))
    }

    pub(crate) fn histograms(&self, far_times: FarTimes) -> Histograms<'_> {
        self.kinds(far_times)
            .map(|delay| delay.map_or(&NONE, Delay::distribution))
    }

    fn kinds(&self, far_times: FarTimes) -> ByKind<Option<&Delay>> {
        let [_, forward, backward, residence] = &self.paths;
        let usable = far_times.are_usable();
        ByKind {
            round_trip: Some(self.round_trip(far_times)),
            forward: usable.then_some(forward),
            backward: usable.then_some(backward),
            residence: usable.then_some(residence),
            departure: Some(&self.departure),
        }
    }

    pub(crate) fn bins(&self, far_times: FarTimes) -> Option<BinFigures> {
        let [round_trip, forward, backward] = self.bins.as_deref()?;
        if far_times.are_usable() {
            return Some(BinFigures {
                round_trip: round_trip.value(),
                forward: forward.value(),
                backward: backward.value(),
            });
        }
        let whole = self.whole.as_deref().and_then(|whole| whole.bins.as_ref());
        Some(BinFigures {
            round_trip: whole.unwrap_or(round_trip).value(),
            forward: BinCounts::none(round_trip.value()),
            backward: BinCounts::none(round_trip.value()),
        })
    }

    fn round_trip(&self, far_times: FarTimes) -> &Delay {
        let [round_trip, ..] = &self.paths;
        match &self.whole {
            Some(whole) if !far_times.are_usable() => &whole.delay,
            _ => round_trip,
        }
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.bin_octets()
            + self
                .histograms_kept()
                .map(Delay::heap_octets)
                .sum::<usize>()
            + self.whole.as_deref().map_or(0, |whole| {
                size_of::<TotalRoundTrips>() + whole.neighbours.octets()
            })
            + self.path_neighbours.octets()
            + self.departure_neighbours.octets()
            + self.first.octets()
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
        if self.only_whole {
            return false;
        }
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

    /// T4 - T1.
    fn record_whole(&mut self, sample: &Sample) -> bool {
        let Some(t4) = sample.t4 else {
            return false;
        };
        let value = (t4.at - sample.t1.at).ns();
        match &mut self.whole {
            Some(whole) => whole.record(sample.seq, value),
            None if self.first.len() < FIRST => {
                self.first.push(sample.seq, value);
                false
            }
            None => {
                self.many = true;
                false
            }
        }
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
        let whole = self.whole.iter().filter_map(|whole| whole.bins.as_ref());
        bins.chain(whole).map(Binned::heap_octets).sum()
    }

    fn histograms_kept(&self) -> impl Iterator<Item = &Delay> {
        let whole = self.whole.iter().map(|whole| &whole.delay);
        self.paths.iter().chain([&self.departure]).chain(whole)
    }

    fn claimed_octets(&self) -> usize {
        self.histograms_kept().map(Delay::claimed_octets).sum()
    }

    /// Halves the resolution of the largest histogram until all fit.
    #[cold]
    fn stay_within(&mut self) {
        let whole = self.whole.as_ref().map_or(0, |_| WHOLE_OCTETS);
        let others = self.bin_octets() + whole + self.elsewhere_octets;
        let octets = HISTOGRAM_OCTETS.saturating_sub(others);
        let octets = octets.min(self.most_octets);
        while self.claimed_octets() > octets {
            if self.drop_doubtful() {
                continue;
            }
            let whole = self.whole.iter_mut().map(|whole| &mut whole.delay);
            let own = self.paths.iter_mut().chain([&mut self.departure]);
            let mut all: Vec<&mut Delay> = own.chain(whole).collect();
            all.sort_by_key(|delay| std::cmp::Reverse(delay.claimed_octets()));
            if !all.into_iter().any(Delay::coarsen) {
                break;
            }
        }
    }
}
