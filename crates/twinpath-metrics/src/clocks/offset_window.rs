//! Steps of the far clock, by the packets alone (row M-56).
//!
//! Times may also leave what was predicted because a clock runs faster than clocks should: a step is
//! told only where no constant rate explains the packets.

use super::fit::Rates;
use super::hull::Point;
use super::points::Pair;
use crate::round;

/// Packets in a row that show a step.
const IN_A_ROW: usize = 3;

/// What became of a packet's times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Passed {
    /// They agree with the others.
    Agrees,
    /// They do not, and are set aside until the next packets tell more; `dropped` is how many that
    /// were aside are so for good.
    Waits { dropped: u64 },
    /// They do, and what was set aside before them was wrong.
    AgreesAgain { dropped: u64 },
    /// This one and those before, set aside, show a step.
    Stepped(Shift),
    /// They show a rate that was not believed: all that was fits one line at these rates.
    Runs(Rates, Aside),
    /// They show that the rate changed: they go on from the last that agreed, at these rates.
    RateChanged(Rates, Aside),
}

/// Packets in a row that leave what was predicted, and the one that brought the decision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aside {
    pairs: [Pair; IN_A_ROW],
    count: usize,
}

/// A step: the packets that show it, by how much and how exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub(crate) aside: Aside,
    pub(crate) size: f64,
    pub(crate) bound: f64,
}

/// The interval in which the offset must be: cut with that of every packet, widened by what the
/// believed rates come to in the time in between. Relative to the segment's origin; nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct OffsetWindow {
    rates: Rates,
    running: Option<Interval>,
    /// The last one that agreed.
    last: Pair,
    least_round_trip: i64,
    aside: Aside,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    at: f64,
    low: f64,
    high: f64,
}

impl Aside {
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

    /// No pause lies between that packet and these, in which a step would look like a rate.
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
            aside: Aside::default(),
        }
    }

    /// One packet, whose delays may be off by `error`, in nanoseconds; `explain` tells the rates at
    /// which one line fits all that agreed and some more.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        pair: &Pair,
        error: f64,
        explain: impl Fn(&[Pair]) -> Option<Rates>,
    ) -> Passed {
        let own = Interval::of(pair, error, self.rates);
        let Some(running) = self.running else {
            self.least_round_trip = pair.round_trip();
            self.agree(own, pair);
            return Passed::Agrees;
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
                return Passed::Runs(rates, all);
            }
        }
        self.agree(cut, pair);
        match round::count(aside.count) {
            0 => Passed::Agrees,
            dropped => Passed::AgreesAgain { dropped },
        }
    }

    /// Packets that are set aside.
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
    ) -> Passed {
        // Times that no step explains: a packet whose stamps are wrong. It interrupts nothing.
        if !self.is_ordinary(pair.round_trip(), error) {
            return Passed::Waits { dropped: 1 };
        }
        // Those aside must agree with it; if not, it begins again.
        let mut all = self.aside.with(pair);
        let mut dropped = 0;
        if all.rates(None, error).is_none() {
            dropped = self.waiting();
            all = Aside::default().with(pair);
        }
        self.aside = all;
        if all.count < IN_A_ROW {
            return Passed::Waits { dropped };
        }
        self.aside = Aside::default();
        let onwards = all.rates(Some(&self.last), error);
        if let Some(rates) = onwards.and_then(|_| explain(all.pairs())) {
            return Passed::Runs(rates, all);
        }
        if let Some(rates) = onwards.filter(|_| all.follow(&self.last)) {
            return Passed::RateChanged(rates, all);
        }
        let own = all
            .pairs()
            .iter()
            .map(|pair| Interval::of(pair, error, self.rates));
        let common =
            own.reduce(|common, own| common.widened(own.at, self.rates).cut(own).unwrap_or(own));
        let common = common.unwrap_or(predicted);
        Passed::Stepped(Shift {
            aside: all,
            size: common.middle() - predicted.middle(),
            bound: f64::midpoint(common.width(), predicted.width()),
        })
    }

    /// A long way makes the interval wide, and stamps that are late at our end do too: neither
    /// contradicts. One that is too short has stamps that are wrong, or a step within it.
    fn is_ordinary(&self, round_trip: i64, error: f64) -> bool {
        round::float(round_trip) >= round::float(self.least_round_trip / 2) - 2.0 * error
    }
}

impl Interval {
    /// The certain interval of row M-50, give or take `error`: T3 - T4 is certain at T4, the
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
