//! Steps of the far clock, by the packets alone (row M-56).

use super::body::Pair;
use super::fit::GREATEST_SKEW;
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
}

/// A step: the packets that show it, by how much and how exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub(crate) pairs: [Pair; IN_A_ROW],
    pub(crate) size: f64,
    pub(crate) bound: f64,
}

/// The interval in which the offset must be: cut with that of every packet, widened by 500 ppm of
/// the time in between. Relative to the segment's origin; nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    running: Option<Interval>,
    least_round_trip: i64,
    aside: [Pair; IN_A_ROW],
    waiting: usize,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    at: f64,
    low: f64,
    high: f64,
}

impl Guard {
    #[inline]
    /// One packet, whose delays may be off by `error`, in nanoseconds.
    pub(crate) fn pass(&mut self, pair: &Pair, error: f64) -> Passed {
        let own = Interval::of(pair, error);
        let Some(running) = self.running else {
            self.least_round_trip = pair.round_trip();
            self.agree(own, pair);
            return Passed::Agrees;
        };
        let predicted = running.widened(own.at);
        if let Some(cut) = predicted.cut(own) {
            let dropped = round::count(std::mem::take(&mut self.waiting));
            self.agree(cut, pair);
            return if dropped == 0 {
                Passed::Agrees
            } else {
                Passed::AgreesAgain { dropped }
            };
        }
        self.contradict(predicted, pair, error)
    }

    /// Packets that are set aside.
    pub(crate) fn waiting(&self) -> u64 {
        round::count(self.waiting)
    }

    fn agree(&mut self, interval: Interval, pair: &Pair) {
        self.running = Some(interval);
        self.least_round_trip = self.least_round_trip.min(pair.round_trip());
    }

    #[cold]
    fn contradict(&mut self, predicted: Interval, pair: &Pair, error: f64) -> Passed {
        // Times that no step explains: a packet whose stamps are wrong. It interrupts nothing.
        if !self.is_ordinary(pair.round_trip(), error) {
            return Passed::Waits { dropped: 1 };
        }
        let waiting = self.aside.get(..self.waiting).unwrap_or_default();
        let mut common = Interval::of(pair, error);
        let mut agree = true;
        for other in waiting {
            match Interval::of(other, error).widened(common.at).cut(common) {
                Some(cut) => common = cut,
                None => agree = false,
            }
        }
        // Those aside must tell the same story; if not, it begins anew.
        let dropped = if agree {
            0
        } else {
            round::count(std::mem::take(&mut self.waiting))
        };
        if let Some(slot) = self.aside.get_mut(self.waiting) {
            *slot = *pair;
        }
        self.waiting += 1;
        if self.waiting < IN_A_ROW {
            return Passed::Waits { dropped };
        }
        Passed::Stepped(Shift {
            pairs: self.aside,
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
    /// The certain interval of row M-50, give or take `error`.
    fn of(pair: &Pair, error: f64) -> Self {
        Self {
            at: pair.point(0).x,
            low: -pair.point(1).y - error,
            high: pair.point(0).y + error,
        }
        .aligned(pair)
    }

    /// T3 - T4 is certain at T4, the interval is for T1.
    fn aligned(self, pair: &Pair) -> Self {
        let apart = pair.point(1).x - self.at;
        Self {
            low: self.low - apart.abs() * GREATEST_SKEW,
            ..self
        }
    }

    fn widened(self, at: f64) -> Self {
        let more = (at - self.at).abs() * GREATEST_SKEW;
        Self {
            at,
            low: self.low - more,
            high: self.high + more,
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
