//! A stretch of the run in which neither clock stepped.

use super::fit::{Fit, Line, Lines, Rates, SIGN, fits};
use super::pair_list::PairList;
use super::points::{Pair, Points};
use super::rounding::STAMP_ERROR;
use super::slice::Slice;
use super::spread::Item;

/// Packets held unbinned until a trend is known.
const HELD: usize = 256;
/// The most slices of a segment; then neighbours merge and the width doubles.
const SLICES: usize = 4;
/// The most vertices of the hulls of all earlier points, and of the slice in progress, which is
/// shorter, so that dropped vertices matter less.
const VERTICES: usize = 256;
const VERTICES_OF_SLICE: usize = 64;
/// The narrowest slice, in nanoseconds.
const NARROWEST_NS: f64 = 1e6;

/// Points and delays since the last step.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// The first packets, before there are slices.
    pairs: PairList,
    /// All but the slice in progress.
    past: Points,
    /// The slice in progress.
    present: Option<Box<Points>>,
    /// The last one is in progress.
    slices: Vec<Slice>,
    /// The most heap memory that their histograms may claim.
    most_octets: usize,
    width: f64,
    ends: f64,
    /// The error of delays, in nanoseconds.
    error: f64,
    rates: Rates,
    /// One that fits all packets; `None` once none does, or at unusual rates.
    line: Option<Line>,
}

impl Segment {
    pub(crate) fn new(rates: Rates, most_octets: usize) -> Self {
        Self {
            pairs: PairList::default(),
            past: Points::new(VERTICES),
            present: None,
            slices: Vec::new(),
            most_octets,
            width: NARROWEST_NS,
            ends: f64::NEG_INFINITY,
            error: STAMP_ERROR,
            rates,
            line: Some(Line::default()),
        }
    }

    /// An empty one in as much memory.
    pub(crate) fn followed_by(&self, rates: Rates) -> Self {
        Self::new(rates, self.most_octets)
    }

    /// The rates at which one line fits all of this and `pairs` too; `None`: no rate does.
    #[cold]
    pub(crate) fn rates_with(&self, pairs: &[Pair], error: f64) -> Option<Rates> {
        let mut points = self.points();
        for pair in pairs {
            points.record(pair);
        }
        let [forward, backward] = points.low();
        Rates::shown(forward.vertices(), backward.vertices(), error)
    }

    /// Whether one line fits this and `pair` too, or none fits this alone.
    #[inline]
    pub(crate) fn agrees(&mut self, pair: &Pair, error: f64) -> bool {
        self.line
            .is_none_or(|line| line.fits(pair, error) || self.finds_line(pair, error))
    }

    /// Lines are found seldom: those so far fit most packets.
    #[cold]
    fn finds_line(&mut self, pair: &Pair, error: f64) -> bool {
        let mut points = self.points();
        points.record(pair);
        let [forward, backward] = points.low();
        let lines = Lines::of(forward.vertices(), backward.vertices(), error, self.rates);
        lines.is_some_and(|lines| {
            self.line = Some(lines.middle());
            true
        })
    }

    /// The least and greatest offset that the lines through all packets give a later time; `None` if
    /// no line fits them.
    #[cold]
    pub(crate) fn at(&self, x: f64, error: f64) -> Option<(f64, f64)> {
        let points = self.points();
        let [forward, backward] = points.low();
        let lines = Lines::of(forward.vertices(), backward.vertices(), error, self.rates)?;
        Some(lines.at(x))
    }

    /// A packet is part of this that no line fits: the rate changes.
    pub(crate) fn give_up_line(&mut self) {
        self.line = None;
    }

    fn points(&self) -> Points {
        let mut points = self.past.clone();
        points.merge_some(self.present.as_deref());
        points
    }

    /// The error that a single packet's timestamps add to the line's, in nanoseconds: their
    /// rounding, if it exceeds the error assumed for all timestamps.
    pub(crate) fn rounding(&self) -> f64 {
        if self.error > STAMP_ERROR {
            self.error
        } else {
            0.0
        }
    }

    /// Sets the rates that the packets have shown.
    pub(crate) fn adopt_rates(&mut self, rates: Rates) {
        self.rates = rates;
        self.line = None;
    }

    /// Records one packet, with delays that may be off by `error`, in nanoseconds. If no line fits
    /// both the earlier points and the slice that ends now, returns the part before that slice: the
    /// clocks' rates changed.
    #[inline]
    pub(crate) fn record(&mut self, pair: &Pair, error: f64) -> Option<Self> {
        self.error = error;
        if self.slices.is_empty() {
            self.past.record(pair);
            self.pairs.push(pair);
            if self.pairs.len() == HELD {
                self.begin_slices();
            }
            return None;
        }
        let x = pair.point(0).x;
        let closed = if x >= self.ends { self.turn(x) } else { None };
        let present = self
            .present
            .get_or_insert_with(|| Box::new(Points::new(VERTICES_OF_SLICE)));
        present.record(pair);
        if self
            .slices
            .last_mut()
            .is_some_and(|slice| slice.record(pair))
        {
            self.stay_within();
        }
        closed
    }

    /// All points and the line that fits them; `None` without a packet.
    pub(crate) fn fit(&self) -> Option<(Points, Fit)> {
        let points = self.points();
        let fit = Fit::of(&points, self.error, self.rates)?;
        Some((points, fit))
    }

    /// The delays of one direction, given the fit.
    pub(crate) fn items(&self, direction: usize, fit: &Fit) -> Vec<Item> {
        let sign = SIGN.get(direction).copied().unwrap_or(1.0);
        let exact = self.pairs.pairs().map(|pair| {
            let point = pair.point(direction);
            Item {
                value: point.y - sign * fit.line.at(point.x),
                error: 0.0,
                width: 0.0,
                share: 0.0,
                count: 1,
            }
        });
        let mut items: Vec<Item> = exact.collect();
        for slice in &self.slices {
            slice.items(direction, fit.line, &mut items);
        }
        items
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.pairs.octets()
            + self.slices.capacity() * size_of::<Slice>()
            + self.slices.iter().map(Slice::heap_octets).sum::<usize>()
            + self.past.heap_octets()
            + self
                .present
                .as_deref()
                .map_or(0, |present| size_of_val(present) + present.heap_octets())
    }

    /// The first line is known: bins the held packets against it.
    #[cold]
    fn begin_slices(&mut self) {
        let Some(fit) = Fit::of(&self.past, self.error, self.rates) else {
            return;
        };
        let mut slice = Slice::new(fit.line, &self.past);
        for pair in std::mem::take(&mut self.pairs).pairs() {
            slice.record(&pair);
        }
        self.slices.push(slice);
        let (a, b) = self.past.span();
        self.width = (b - a).max(NARROWEST_NS);
        self.stay_within();
    }

    /// Ends a slice and begins the next one.
    #[cold]
    fn turn(&mut self, x: f64) -> Option<Self> {
        let both = self.points();
        let present = self.present.as_deref();
        let is_empty = present.is_none_or(|present| present.count() == 0);
        let closed = if is_empty || fits(&both, self.error, self.rates) {
            self.past = both;
            None
        } else {
            Some(self.split())
        };
        if let Some(present) = &mut self.present {
            present.clear();
        }
        if self.slices.len() == SLICES {
            self.merge_slices();
        }
        let fit = Fit::of(&self.past, self.error, self.rates)?;
        self.slices.push(Slice::new(fit.line, &self.past));
        self.ends = x + self.width;
        closed
    }

    /// Keeps the slice in progress and returns everything before it.
    fn split(&mut self) -> Self {
        let last = self.slices.pop();
        let mut before = Self {
            pairs: PairList::default(),
            past: Points::new(VERTICES),
            present: None,
            slices: std::mem::replace(&mut self.slices, Vec::with_capacity(SLICES)),
            ..*self
        };
        std::mem::swap(&mut before.past, &mut self.past);
        // The slice becomes all earlier points and gets their capacity.
        self.past.merge_some(self.present.as_deref());
        self.slices.extend(last);
        // Avoids a search for each packet if no line fits the clocks.
        self.width *= 2.0;
        before
    }

    fn merge_slices(&mut self) {
        let mut slices = std::mem::take(&mut self.slices).into_iter();
        self.slices.reserve_exact(SLICES);
        while let Some(earlier) = slices.next() {
            let Some(mut later) = slices.next() else {
                self.slices.push(earlier);
                break;
            };
            later.merge_earlier(&earlier);
            self.slices.push(later);
        }
        self.width *= 2.0;
        self.stay_within();
    }

    fn claimed_octets(&self) -> usize {
        self.slices.iter().map(Slice::claimed_octets).sum()
    }

    #[cold]
    fn stay_within(&mut self) {
        while self.claimed_octets() > self.most_octets {
            let largest = self
                .slices
                .iter_mut()
                .max_by_key(|slice| slice.claimed_octets());
            if !largest.is_some_and(Slice::coarsen) {
                break;
            }
        }
    }
}
