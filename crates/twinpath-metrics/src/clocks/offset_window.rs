//! Steps of the far clock, found from the packets alone (row M-56).
//!
//! Times may also leave the predicted interval because a clock runs unusually fast: a step is
//! reported only if no constant rate explains the packets. After a pause the interval is wide, and
//! a step may be within it: what tells then is that no line fits the packets before and after it,
//! nor two lines that meet.

use super::fit::{Lines, Rates};
use super::hull::Point;
use super::points::Pair;
use super::segment::Segment;
use crate::round;

/// Packets that prove a step.
const PROOF: usize = 3;
/// The most that are set aside: those that prove it, and those between that agree with either side.
const ASIDE: usize = 7;

/// The verdict on a packet's times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OffsetVerdict {
    /// They agree with the others.
    Agrees,
    /// It is set aside until later packets decide, or decides about those set aside before:
    /// `agreeing` agree after all, and `dropped` is how many are discarded.
    Decided { agreeing: Outliers, dropped: u64 },
    /// This packet and those set aside prove a step.
    Stepped(OffsetStep),
    /// They show a rate outside the assumed range: all packets so far fit one line at these rates.
    Runs(Rates, Outliers),
    /// They show that the rate changed: they continue from the last packet that agreed, at these
    /// rates.
    RateChanged(Rates, Outliers),
}

/// Consecutive packets, from the first that does not agree up to the one that decides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outliers {
    pairs: [Pair; ASIDE],
    count: usize,
    /// Those that do not agree.
    against: usize,
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

    fn with(mut self, pair: &Pair, is_against: bool) -> Self {
        if let Some(slot) = self.pairs.get_mut(self.count) {
            *slot = *pair;
            self.count += 1;
            self.against += usize::from(is_against);
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
        let [above, below] = self.points(before);
        Rates::shown(&above, &below, error)
    }

    fn points(&self, before: Option<&Pair>) -> [Vec<Point>; 2] {
        let of = |direction: usize| {
            let pairs = before.into_iter().chain(self.pairs());
            pairs.map(|pair| pair.point(direction)).collect()
        };
        [of(0), of(1)]
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

    /// Judges one packet, whose delays may be off by `error`, in nanoseconds, after those that
    /// agree, which are in `segment`.
    #[inline]
    pub(crate) fn pass(&mut self, pair: &Pair, error: f64, segment: &mut Segment) -> OffsetVerdict {
        let own = Interval::of(pair, error, self.rates);
        let Some(running) = self.running else {
            self.least_round_trip = pair.round_trip();
            self.agree(own, pair);
            return OffsetVerdict::Agrees;
        };
        let predicted = running.widened(own.at, self.rates);
        let cut = predicted.cut(own).filter(|_| segment.agrees(pair, error));
        match cut {
            Some(cut) if self.aside.count == 0 => {
                self.agree(cut, pair);
                OffsetVerdict::Agrees
            }
            Some(_) => self.agree_again(pair, error, segment),
            None => self.contradict(predicted, pair, error, segment),
        }
    }

    /// Number of packets set aside that may be wrong.
    pub(crate) fn waiting(&self) -> u64 {
        round::count(self.aside.against)
    }

    /// Judges a packet that agrees, after others that do not.
    #[cold]
    fn agree_again(&mut self, pair: &Pair, error: f64, segment: &Segment) -> OffsetVerdict {
        let all = self.aside.with(pair, false);
        let alone = all.rates(Some(&self.last), error);
        if let Some(rates) = alone.and_then(|_| segment.rates_with(all.pairs(), error)) {
            self.aside = Outliers::default();
            return OffsetVerdict::Runs(rates, all);
        }
        if all.count <= ASIDE - PROOF && all.rates(None, error).is_some() {
            self.aside = all;
            return OffsetVerdict::Decided {
                agreeing: Outliers::default(),
                dropped: 0,
            };
        }
        self.decide_for(all, error)
    }

    /// Of these, those that agree do so, and the others are wrong.
    fn decide_for(&mut self, all: Outliers, error: f64) -> OffsetVerdict {
        self.aside = Outliers::default();
        let mut agreeing = Outliers::default();
        for pair in all.pairs() {
            let own = Interval::of(pair, error, self.rates);
            let predicted = self.running.map(|it| it.widened(own.at, self.rates));
            if let Some(cut) = predicted.and_then(|predicted| predicted.cut(own)) {
                self.agree(cut, pair);
                agreeing = agreeing.with(pair, false);
            }
        }
        OffsetVerdict::Decided {
            agreeing,
            dropped: round::count(all.count - agreeing.count),
        }
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
        segment: &Segment,
    ) -> OffsetVerdict {
        let is_beyond = predicted
            .cut(Interval::of(pair, error, self.rates))
            .is_none();
        // Times that no step explains: the packet has wrong timestamps and is skipped.
        if is_beyond && !self.is_ordinary(pair.round_trip(), error) {
            return OffsetVerdict::Decided {
                agreeing: Outliers::default(),
                dropped: 1,
            };
        }
        // The packets set aside must agree with this one; otherwise it starts a new set.
        let all = self.aside.with(pair, true);
        if all.rates(None, error).is_none() {
            let decided = self.decide_for(self.aside, error);
            self.aside = Outliers::default().with(pair, true);
            return decided;
        }
        self.aside = all;
        if all.against < PROOF {
            return OffsetVerdict::Decided {
                agreeing: Outliers::default(),
                dropped: 0,
            };
        }
        self.aside = Outliers::default();
        let onwards = all.rates(Some(&self.last), error);
        if let Some(rates) = onwards.and_then(|_| segment.rates_with(all.pairs(), error)) {
            return OffsetVerdict::Runs(rates, all);
        }
        if !is_beyond {
            if !self.leaps(&all, error, segment) {
                return self.decide_for(all, error);
            }
        } else if let Some(rates) = onwards.filter(|_| all.follow(&self.last)) {
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

    /// Whether the far clock jumped before these packets: the lines through them reach neither the
    /// offset that the last packet before showed, nor the lines through all before, and clocks that
    /// none corrects would not have drifted so far in between.
    fn leaps(&self, all: &Outliers, error: f64, segment: &Segment) -> bool {
        let [above, below] = all.points(None);
        let (Some(running), Some(first)) = (self.running, all.pairs().first()) else {
            return false;
        };
        let begin = first.point(0).x;
        let (Some(onwards), Some(before)) = (
            Lines::of(&above, &below, error, self.rates),
            segment.at(begin, error),
        ) else {
            return false;
        };
        let drifted = running.widened(begin, Rates::STEADY);
        let (earlier, then) = (onwards.at(running.at), onwards.at(begin));
        earlier.0 > running.high && then.0 > before.1.max(drifted.high)
            || earlier.1 < running.low && then.1 < before.0.min(drifted.low)
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
