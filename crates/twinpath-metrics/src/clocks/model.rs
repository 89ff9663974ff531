//! Estimates the clocks from samples.

use twinpath_wire::{Delta, Fate, Sample, Wall};

use super::figures::{ClockEstimate, FarStep};
use super::finished_segments::FinishedSegments;
use super::fit::{Fit, Rates};
use super::offset_window::{OffsetStep, OffsetVerdict, OffsetWindow, Outliers};
use super::points::{Pair, Points};
use super::rounding::{Rounding, STAMP_ERROR_NS};
use super::segment::Segment;
use crate::{FigureMemory, round};

/// Differences farther than this from the segment's first one are ignored: 36 years.
const FARTHEST_NS: i64 = 1 << 60;

/// Estimates offset and skew of the reflector's clock against the sender's from the packets of a
/// session, and de-skews its one-way delays, in constant memory (under 87 KB for any input, most of
/// it histograms and hulls).
///
/// Packets may be recorded in any order; the order of arrival is the fastest. Nothing is allocated
/// per packet, except that histograms grow with the octaves of the delays.
///
/// ```
/// use twinpath_metrics::ClockModel;
/// use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};
///
/// let mut clocks = ClockModel::new();
/// for seq in 0..100 {
///     // 200 us each way, the reflector's clock one second ahead and 50 ppm fast.
///     let t1 = i64::try_from(seq).unwrap() * 200_000_000;
///     let t2 = t1 + 200_000 + 1_000_000_000 + t1 / 20_000;
///     let stamp = |ns| Stamp { at: Wall::from_unix_ns(ns), rung: Rung::Kernel };
///     clocks.record(&Sample {
///         seq,
///         fate: Fate::Received,
///         t1: stamp(t1),
///         t2: Some(Wall::from_unix_ns(t2)),
///         t3: Some(Wall::from_unix_ns(t2)),
///         t4: Some(stamp(t1 + 400_000)),
///         reflector_seq: None,
///         ttl_forward: None,
///         ttl_backward: None,
///         tos_forward: None,
///         tos_backward: None,
///         departure: Delta::ZERO,
///         excluded: None,
///     });
/// }
/// let estimate = clocks.estimate().unwrap();
/// assert!((estimate.skew_ppm.unwrap() - 50.0).abs() < 0.01);
/// assert!(estimate.forward.unwrap().delay.max_ns - 200_000 < 10);
/// ```
#[derive(Clone, Debug)]
pub struct ClockModel {
    origin: Option<Origin>,
    segment: Segment,
    offset_window: OffsetWindow,
    /// The assumed range of rates, widened once the packets show more.
    rates: Rates,
    /// `None` while no segment is finished.
    finished: Option<Box<[FinishedSegments; 2]>>,
    last: Wall,
    rounding: Rounding,
    /// The clock stepped: the next packet begins a segment.
    over: bool,
    local_steps: u64,
    far_steps: Vec<FarStep>,
    far_steps_total: u64,
    rate_changes: u64,
    contradicted: bool,
    disregarded: u64,
}

/// The origin of a segment's times and differences: its first T1 and T2 - T1.
#[derive(Clone, Copy, Debug)]
struct Origin {
    at: Wall,
    offset: Delta,
}

/// Of a clock model without a finished segment.
static NO_FINISHED_SEGMENTS: [FinishedSegments; 2] =
    [FinishedSegments::new(), FinishedSegments::new()];

impl Default for ClockModel {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockModel {
    /// The assumed largest error of timestamps, in nanoseconds. Every bound includes it.
    pub const STAMP_ERROR_NS: u64 = STAMP_ERROR_NS.unsigned_abs();
    /// The most steps of the far clock that are listed; further steps are only counted.
    pub const FAR_STEPS: usize = 16;

    /// Two clocks about which nothing is known.
    pub fn new() -> Self {
        Self::within(FigureMemory::default())
    }

    /// The same, in so much memory.
    pub fn within(memory: FigureMemory) -> Self {
        Self {
            origin: None,
            segment: Segment::new(Rates::ORDINARY, memory.clock_octets),
            offset_window: OffsetWindow::new(Rates::ORDINARY),
            rates: Rates::ORDINARY,
            finished: None,
            last: Wall::default(),
            rounding: Rounding::default(),
            over: false,
            local_steps: 0,
            far_steps: Vec::new(),
            far_steps_total: 0,
            rate_changes: 0,
            contradicted: false,
            disregarded: 0,
        }
    }

    /// Records one packet's fate. Only first copies received in time and not excluded count (rows
    /// M-11, M-55).
    pub fn record(&mut self, sample: &Sample) {
        if sample.fate != Fate::Received || sample.excluded.is_some() {
            return;
        }
        let (Some(forward), Some(backward), Some(t4)) =
            (sample.forward(), sample.backward(), sample.t4)
        else {
            return;
        };
        if std::mem::take(&mut self.over) {
            self.begin_segment();
        }
        let origin = *self.origin.get_or_insert(Origin {
            at: sample.t1.at,
            offset: forward,
        });
        let pair = Pair {
            x: [(sample.t1.at - origin.at).ns(), (t4.at - origin.at).ns()],
            y: [
                (forward - origin.offset).ns(),
                (backward + origin.offset).ns(),
            ],
        };
        let far = |value: &i64| value.unsigned_abs() > FARTHEST_NS.unsigned_abs();
        self.rounding.record(sample);
        let error = self.rounding.error_at_most();
        if round::float(pair.round_trip()) < -2.0 * error || pair.x.iter().chain(&pair.y).any(far) {
            self.disregarded += 1;
            return;
        }
        match self.offset_window.pass(&pair, error, &mut self.segment) {
            OffsetVerdict::Agrees => self.accept(&pair, sample.t1.at),
            OffsetVerdict::Decided { agreeing, dropped } => {
                self.disregarded += dropped;
                for pair in agreeing.pairs() {
                    if !self.segment.agrees(pair, error) {
                        self.segment.give_up_line();
                    }
                    self.accept(pair, origin.at + Delta::from_ns(pair.x[0]));
                }
            }
            OffsetVerdict::Stepped(shift) => self.step_far(&shift, origin),
            OffsetVerdict::Runs(rates, pairs) => self.adopt_rates(rates, &pairs, origin),
            OffsetVerdict::RateChanged(rates, pairs) => {
                self.rate_changes += 1;
                self.rates = rates;
                self.begin_with(&pairs, origin);
            }
        }
    }

    /// The sender's clock stepped: later packets form a new segment (row M-55).
    pub fn record_clock_step(&mut self) {
        self.local_steps += 1;
        self.over = true;
    }

    /// The sender's host was suspended and its clock set on resume: later packets form a new
    /// segment.
    pub fn record_suspension(&mut self) {
        self.over = true;
    }

    /// Steps of the far clock so far (row M-56): for display during the run.
    pub fn far_steps_total(&self) -> u64 {
        self.far_steps_total
    }

    /// The estimate from the packets so far, for the clocks since the last step that a received
    /// packet followed; `None` without a packet. Walks histograms and searches for lines (about ten
    /// milliseconds): for reports and displays, not for every packet.
    pub fn estimate(&self) -> Option<ClockEstimate> {
        let origin = self.origin?;
        let (points, fit) = self.segment.fit()?;
        let at = round::float((self.last - origin.at).ns());
        let figures = |direction: usize| {
            let settled = self.finished.as_deref().unwrap_or(&NO_FINISHED_SEGMENTS);
            let settled = settled.get(direction)?;
            settled.figures(direction, Some((&self.segment, &points, &fit)))
        };
        let ppm = 1e6;
        Some(ClockEstimate {
            reference: self.last,
            offset_ns: origin
                .offset
                .ns()
                .saturating_add(round::nearest(fit.line.at(at))),
            skew_ppm: fit.skewed.then_some(fit.line.slope * ppm),
            skew_bound_ppm: fit.slope_bound * ppm,
            error_bound_ns: round::whole(fit.bound.ceil()),
            contradicted: fit.contradicted || self.contradicted,
            path_change: fit.path_change,
            local_steps: self.local_steps,
            far_steps: self.far_steps.clone(),
            far_steps_total: self.far_steps_total,
            rate_changes: self.rate_changes,
            disregarded: self.disregarded + self.offset_window.waiting(),
            forward: figures(0),
            backward: figures(1),
        })
    }

    /// Memory in octets, including the heap.
    pub fn memory_octets(&self) -> usize {
        size_of::<Self>()
            + self.segment.heap_octets()
            + self.finished.as_deref().map_or(0, |settled| {
                let heap: usize = settled.iter().map(FinishedSegments::heap_octets).sum();
                size_of_val(settled) + heap
            })
            + self.far_steps.capacity() * size_of::<FarStep>()
    }

    #[inline]
    fn accept(&mut self, pair: &Pair, at: Wall) {
        self.last = at;
        if let Some(closed) = self.segment.record(pair, self.rounding.error()) {
            self.rate_changes += 1;
            self.add_segment(&closed);
        }
    }

    /// Continues the segment at the rates that its packets have shown.
    #[cold]
    fn adopt_rates(&mut self, rates: Rates, aside: &Outliers, origin: Origin) {
        self.rates = rates;
        self.segment.adopt_rates(rates);
        self.offset_window = OffsetWindow::new(rates);
        for pair in aside.pairs() {
            let error = self.rounding.error_at_most();
            self.offset_window.pass(pair, error, &mut self.segment);
            self.accept(pair, origin.at + Delta::from_ns(pair.x[0]));
        }
    }

    #[cold]
    fn step_far(&mut self, shift: &OffsetStep, origin: Origin) {
        self.far_steps_total += 1;
        if self.far_steps.len() < Self::FAR_STEPS {
            let first = shift.aside.pairs().first();
            self.far_steps.push(FarStep {
                at: first.map_or(origin.at, |pair| origin.at + Delta::from_ns(pair.x[0])),
                size_ns: round::nearest(shift.size),
                bound_ns: round::whole(shift.bound.ceil()),
            });
        }
        self.begin_with(&shift.aside, origin);
    }

    /// Begins a segment with the packets that showed a step or another rate.
    #[cold]
    fn begin_with(&mut self, aside: &Outliers, origin: Origin) {
        self.begin_segment();
        let first = aside.pairs().first().copied().unwrap_or_default();
        let (later, jump) = (first.x[0], first.y[0]);
        let at = origin.at + Delta::from_ns(later);
        self.origin = Some(Origin {
            at,
            offset: origin.offset + Delta::from_ns(jump),
        });
        for mut pair in aside.pairs().iter().copied() {
            pair.x = pair.x.map(|x| x.saturating_sub(later));
            pair.y = [
                pair.y[0].saturating_sub(jump),
                pair.y[1].saturating_add(jump),
            ];
            let error = self.rounding.error_at_most();
            self.offset_window.pass(&pair, error, &mut self.segment);
            self.accept(&pair, at + Delta::from_ns(pair.x[0]));
        }
    }

    fn begin_segment(&mut self) {
        let next = self.segment.followed_by(self.rates);
        let over = std::mem::replace(&mut self.segment, next);
        self.add_segment(&over);
        self.offset_window = OffsetWindow::new(self.rates);
        self.origin = None;
    }

    fn add_segment(&mut self, over: &Segment) {
        let Some((points, fit)): Option<(Points, Fit)> = over.fit() else {
            return;
        };
        self.contradicted |= fit.contradicted;
        let settled = self
            .finished
            .get_or_insert_with(|| Box::new([FinishedSegments::new(), FinishedSegments::new()]));
        for (direction, settled) in settled.iter_mut().enumerate() {
            settled.add_segment(direction, over, &points, &fit);
        }
    }
}
