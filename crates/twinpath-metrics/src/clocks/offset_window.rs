//! Steps of the far clock, found from the packets alone (row M-56).
//!
//! Times may also leave the predicted interval because a clock runs unusually fast: a step is
//! reported only if no constant rate explains the packets.

use super::fit::Rates;
use super::hull::Point;
use super::points::Pair;
use crate::round;

/// Consecutive packets that prove a step.
const IN_A_ROW: usize = 3;

/// The verdict on a packet's times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OffsetVerdict {
    /// They agree with the others.
    Agrees,
    /// They do not, and are set aside until later packets decide; `dropped` is how many earlier
    /// ones are discarded.
    Waits { dropped: u64 },
    /// They agree, and those set aside before them were wrong.
    AgreesAgain { dropped: u64 },
    /// This packet and those set aside prove a step.
    Stepped(OffsetStep),
    /// They show a rate outside the assumed range: all packets so far fit one line at these rates.
    Runs(Rates, Outliers),
    /// They show that the rate changed: they continue from the last packet that agreed, at these
    /// rates.
    RateChanged(Rates, Outliers),
}

/// Consecutive packets outside the predicted interval, up to the one that decides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outliers {
    pairs: [Pair; IN_A_ROW],
    count: usize,
}

/// A step: the packets that show it, its size and error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OffsetStep {
    pub(crate) aside: Outliers,
    pub(crate) size: f64,
    pub(crate) bound: f64,
}

/// The interval that contains the offset: intersected with that of every packet, and widened by the
/// assumed rates over the time between. Relative to the segment's origin, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct OffsetWindow {
    rates: Rates,
    running: Option<Interval>,
    /// The last one that agreed.
    last: Pair,
    least_round_trip: i64,
    aside: Outliers,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    at: f64,
    low: f64,
    high: f64,
}

impl Outliers {
    pub(crate) fn pairs(&self) -> &[Pair] {
        self.pairs.get(..self.count).unwrap_or_default()
    }

    fn with(mut self, pair: &Pair) -> Self {
        if let Some(slot) = self.pairs.get_mut(self.count) {
            *slot = *pair;
            self.count += 1;
        }
        self
    }

    /// Whether no pause precedes these packets, in which a step would look like a rate.
    fn follow(&self, before: &Pair) -> bool {
        let at = |pair: Option<&Pair>| pair.map_or(0, |pair| pair.x[0]);
        let (first, last) = (at(self.pairs().first()), at(self.pairs().last()));
        first.abs_diff(before.x[0]) <= first.abs_diff(last)
    }

    /// The rates of the lines that fit them, together with the packet before.
    fn rates(&self, before: Option<&Pair>, error: f64) -> Option<Rates> {
        let (mut above, mut below) = (
            [Point::default(); IN_A_ROW + 1],
            [Point::default(); IN_A_ROW + 1],
        );
        let mut count = 0;
        let slots = above.iter_mut().zip(&mut below);
        for (pair, (above, below)) in before.into_iter().chain(self.pairs()).zip(slots) {
            (*above, *below) = (pair.point(0), pair.point(1));
            count += 1;
        }
        Rates::shown(above.get(..count)?, below.get(..count)?, error)
    }
}

impl OffsetWindow {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            rates,
            running: None,
            last: Pair::default(),
            least_round_trip: 0,
            aside: Outliers::default(),
        }
    }

    /// Judges one packet, whose delays may be off by `error`, in nanoseconds; `explain` returns the
    /// rates at which one line fits all agreeing packets and the given ones.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        pair: &Pair,
        error: f64,
        explain: impl Fn(&[Pair]) -> Option<Rates>,
    ) -> OffsetVerdict {
        let own = Interval::of(pair, error, self.rates);
        let Some(running) = self.running else {
            self.least_round_trip = pair.round_trip();
            self.agree(own, pair);
            return OffsetVerdict::Agrees;
        };
        let predicted = running.widened(own.at, self.rates);
        let Some(cut) = predicted.cut(own) else {
            return self.contradict(predicted, pair, error, explain);
        };
        let aside = std::mem::take(&mut self.aside);
        if aside.count > 0 {
            let all = aside.with(pair);
            let alone = all.rates(Some(&self.last), error);
            if let Some(rates) = alone.and_then(|_| explain(all.pairs())) {
                return OffsetVerdict::Runs(rates, all);
            }
        }
        self.agree(cut, pair);
        match round::count(aside.count) {
            0 => OffsetVerdict::Agrees,
            dropped => OffsetVerdict::AgreesAgain { dropped },
        }
    }

    /// Number of packets set aside.
    pub(crate) fn waiting(&self) -> u64 {
        round::count(self.aside.count)
    }

    fn agree(&mut self, interval: Interval, pair: &Pair) {
        self.running = Some(interval);
        self.last = *pair;
        self.least_round_trip = self.least_round_trip.min(pair.round_trip());
    }

    #[cold]
    fn contradict(
        &mut self,
        predicted: Interval,
        pair: &Pair,
        error: f64,
        explain: impl Fn(&[Pair]) -> Option<Rates>,
    ) -> OffsetVerdict {
        // Times that no step explains: the packet has wrong timestamps and is skipped.
        if !self.is_ordinary(pair.round_trip(), error) {
            return OffsetVerdict::Waits { dropped: 1 };
        }
        // The packets set aside must agree with this one; otherwise it starts a new set.
        let mut all = self.aside.with(pair);
        let mut dropped = 0;
        if all.rates(None, error).is_none() {
            dropped = self.waiting();
            all = Outliers::default().with(pair);
        }
        self.aside = all;
        if all.count < IN_A_ROW {
            return OffsetVerdict::Waits { dropped };
        }
        self.aside = Outliers::default();
        let onwards = all.rates(Some(&self.last), error);
        if let Some(rates) = onwards.and_then(|_| explain(all.pairs())) {
            return OffsetVerdict::Runs(rates, all);
        }
        if let Some(rates) = onwards.filter(|_| all.follow(&self.last)) {
            return OffsetVerdict::RateChanged(rates, all);
        }
        let own = all
            .pairs()
            .iter()
            .map(|pair| Interval::of(pair, error, self.rates));
        let common =
            own.reduce(|common, own| common.widened(own.at, self.rates).cut(own).unwrap_or(own));
        let common = common.unwrap_or(predicted);
        OffsetVerdict::Stepped(OffsetStep {
            aside: all,
            size: common.middle() - predicted.middle(),
            bound: f64::midpoint(common.width(), predicted.width()),
        })
    }

    /// A long round trip makes the interval wide, as do late timestamps at this end: neither is a
    /// contradiction. Too short an interval means wrong timestamps, or a step within it.
    fn is_ordinary(&self, round_trip: i64, error: f64) -> bool {
        round::float(round_trip) >= round::float(self.least_round_trip / 2) - 2.0 * error
    }
}

impl Interval {
    /// The certain interval of row M-50, widened by `error`: T3 - T4 is certain at T4, but the
    /// interval is for T1.
    fn of(pair: &Pair, error: f64, rates: Rates) -> Self {
        let (forward, backward) = (pair.point(0), pair.point(1));
        let at_t4 = Self {
            at: backward.x,
            low: -backward.y - error,
            high: f64::INFINITY,
        };
        Self {
            high: forward.y + error,
            ..at_t4.widened(forward.x, rates)
        }
    }

    fn widened(self, at: f64, rates: Rates) -> Self {
        let (one, other) = (
            (at - self.at) * rates.least,
            (at - self.at) * rates.greatest,
        );
        Self {
            at,
            low: self.low + one.min(other),
            high: self.high + one.max(other),
        }
    }

    fn cut(self, other: Self) -> Option<Self> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Self { low, high, ..other })
    }

    fn middle(self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    fn width(self) -> f64 {
        self.high - self.low
    }
}
