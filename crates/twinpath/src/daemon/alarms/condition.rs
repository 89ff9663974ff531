//! The condition of an alert: `round-trip.p95 > 50ms for 3 of 5`, `silent for 2 of 2`.

mod limits;
mod reading;

use std::cmp::Ordering;

use twinpath_metrics::{IntervalFigures, TtlFigures, Unit, Value};

use crate::output::units;
use crate::store;

/// The most intervals that a condition looks at.
pub(super) const MOST_INTERVALS: usize = 100;

/// The share of packets that are lost.
const LOSS: &str = "packets.loss_ratio";

/// What has to hold of how many intervals.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::daemon) struct Condition {
    /// As it was written.
    pub(super) text: String,
    test: Test,
    /// The alert is raised when this many of the last intervals are bad.
    pub(super) bad: usize,
    /// The number of these last intervals.
    pub(super) of: usize,
}

/// What is asked of one interval.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    Figure {
        /// Its place in the rows of the store.
        place: usize,
        unit: Unit,
        operator: Operator,
        bound: f64,
        /// It is the share of packets that are lost.
        is_loss: bool,
    },
    Word(Word),
}

/// Conditions without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Silent,
    Remarked,
    HopsChanged,
    ClockUnsynchronized,
}

const WORDS: [(&str, Word); 4] = [
    ("silent", Word::Silent),
    ("remarked", Word::Remarked),
    ("hops changed", Word::HopsChanged),
    ("clock unsynchronized", Word::ClockUnsynchronized),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Other,
}

/// The longer ones come first.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Other),
    (">", Operator::Above),
    ("<", Operator::Below),
];

/// What an interval is by a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Bad,
    Good,
    /// The figure is not known.
    Unknown,
}

/// A verdict, and the figure that it was made by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) value: Option<Value>,
}

/// Least and greatest TTL of the last interval in which replies came, forward and backward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hops([Option<(u8, u8)>; 2]);

impl Condition {
    /// What this interval is. `is_synchronized`: the clock of this host.
    pub(super) fn judge(
        &self,
        interval: &IntervalFigures,
        hops: &mut Hops,
        is_synchronized: bool,
    ) -> Judged {
        if interval.is_cut && !self.test.is_of_any_length() {
            return Judged::UNKNOWN;
        }
        match &self.test {
            Test::Figure {
                place,
                operator,
                bound,
                is_loss,
                ..
            } => {
                let value = if *is_loss && was_not_sent(interval) {
                    Some(Value::Float(1.0))
                } else {
                    store::figure_at(*place, interval)
                };
                let is_bad = value.map(|value| operator.holds(number(value), *bound));
                let judged = Judged::of(is_bad, value);
                // What was not measured is not good.
                if judged.verdict == Verdict::Good && was_not_sent(interval) {
                    return Judged::UNKNOWN;
                }
                judged
            }
            Test::Word(word) => word.judge(interval, hops, is_synchronized),
        }
    }

    /// A figure of it with its unit.
    pub(super) fn words(&self, value: Value) -> String {
        let unit = match &self.test {
            Test::Figure { unit, .. } => *unit,
            Test::Word(_) => Unit::Number,
        };
        match (unit, value) {
            (Unit::Nanoseconds, Value::Unsigned(ns)) => {
                units::delay(i64::try_from(ns).unwrap_or(i64::MAX))
            }
            (Unit::Nanoseconds, Value::Signed(ns)) => units::delay(ns),
            (Unit::Ratio, value) => format!("{:.2}%", number(value) * 100.0),
            (_, Value::Unsigned(count)) => count.to_string(),
            (_, Value::Signed(count)) => count.to_string(),
            (_, Value::Float(value)) => value.to_string(),
        }
    }
}

impl Test {
    /// Whether it can be judged by less than a whole interval: a count of it says nothing of the rest, and a packet
    /// without a reply is no silence yet.
    fn is_of_any_length(&self) -> bool {
        match self {
            Self::Figure { unit, .. } => match unit {
                Unit::Nanoseconds
                | Unit::Ratio
                | Unit::PacketsPerSecond
                | Unit::PartsPerMillion
                | Unit::Hops
                | Unit::Number => true,
                Unit::Packets | Unit::Events | Unit::Blocks => false,
            },
            Self::Word(word) => match word {
                Word::Silent => false,
                Word::Remarked | Word::HopsChanged | Word::ClockUnsynchronized => true,
            },
        }
    }
}

/// Whether packets were due in an interval and none was sent: the session could not run, or the network refused them.
fn was_not_sent(interval: &IntervalFigures) -> bool {
    interval.figures.sent() == 0 && interval.not_sent > 0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times below 104 days and counts below 2^53 are exact"
)]
fn number(value: Value) -> f64 {
    match value {
        Value::Unsigned(count) => count as f64,
        Value::Signed(count) => count as f64,
        Value::Float(value) => value,
    }
}

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        let order = value.partial_cmp(&bound);
        match self {
            Self::Above => order == Some(Ordering::Greater),
            Self::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Below => order == Some(Ordering::Less),
            Self::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Equal => order == Some(Ordering::Equal),
            Self::Other => order != Some(Ordering::Equal),
        }
    }
}

impl Judged {
    /// Of an interval that is not judged.
    pub(super) const UNKNOWN: Self = Self {
        verdict: Verdict::Unknown,
        value: None,
    };

    fn of(is_bad: Option<bool>, value: Option<Value>) -> Self {
        let verdict = match is_bad {
            Some(true) => Verdict::Bad,
            Some(false) => Verdict::Good,
            None => Verdict::Unknown,
        };
        Self { verdict, value }
    }
}

impl Word {
    fn judge(self, interval: &IntervalFigures, hops: &mut Hops, is_synchronized: bool) -> Judged {
        let figures = &interval.figures;
        match self {
            Self::Silent => {
                let is_known = figures.sent() > 0 || interval.not_sent > 0;
                let received = is_known.then_some(figures.received);
                let is_bad = received.map(|received| received == 0);
                Judged::of(is_bad, received.map(Value::Unsigned))
            }
            Self::Remarked => {
                let directions = [figures.remarked_forward, figures.remarked_backward];
                let known = directions.into_iter().flatten().map(|counts| counts.dscp);
                let changed = known.reduce(u64::saturating_add);
                Judged::of(changed.map(|count| count > 0), changed.map(Value::Unsigned))
            }
            Self::HopsChanged => {
                let changes = hops.changes([figures.ttl_forward, figures.ttl_backward]);
                Judged::of(changes.map(|count| count > 0), changes.map(Value::Unsigned))
            }
            Self::ClockUnsynchronized => Judged::of(Some(!is_synchronized), None),
        }
    }
}

impl Hops {
    /// How often the TTL changed in this interval and since the last one; `None`: it is not known.
    fn changes(&mut self, interval: [Option<TtlFigures>; 2]) -> Option<u64> {
        let mut sum = None;
        for (known, now) in self.0.iter_mut().zip(interval) {
            let Some(now) = now else { continue };
            let range = (now.min, now.max);
            let earlier = known.replace(range);
            let since = u64::from(earlier.is_some_and(|earlier| earlier != range));
            let changes = now.changes.max(since);
            sum = Some(sum.unwrap_or(0_u64).saturating_add(changes));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use twinpath_metrics::{Figures, LossChange, RemarkCounts};
    use twinpath_wire::Wall;

    use super::*;

    #[test]
    fn conditions_are_figures_with_bounds_or_words() {
        for (text, bad, of) in [
            ("round-trip.p95 > 50ms for 3 of 5", 3, 5),
            ("rtt_p95>=50 ms", 1, 1),
            ("forward.p99 > 20ms for 3 of 5", 3, 5),
            ("loss > 1%", 1, 1),
            ("packets.loss_ratio != 0%", 1, 1),
            ("lost > 10 for 2 of 100", 2, 100),
            ("silent for 2 of 2", 2, 2),
            ("remarked", 1, 1),
            ("hops  changed", 1, 1),
            ("clock unsynchronized", 1, 1),
        ] {
            let condition =
                Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((condition.bad, condition.of), (bad, of), "{text}");
        }
        let [short, long] = ["rtt_p95 > 50ms", "round-trip.p95_ns > 0.05s"]
            .map(|text| Condition::parse(text).unwrap().test);
        assert_eq!(short, long);
    }

    #[test]
    fn operators_are_those_of_arithmetic() {
        for (sign, operator) in OPERATORS {
            let holds = [1.0, 2.0, 3.0].map(|value| operator.holds(value, 2.0));
            let expected = match sign {
                ">" => [false, false, true],
                ">=" => [false, true, true],
                "<" => [true, false, false],
                "<=" => [true, true, false],
                "==" => [false, true, false],
                _ => [true, false, true],
            };
            assert_eq!(holds, expected, "{sign}");
        }
    }

    #[test]
    fn words_and_figures_judge_an_interval() {
        let empty = IntervalFigures {
            index: 0,
            intervals: 1,
            start: Wall::from_unix_ns(0),
            end: Wall::from_unix_ns(1),
            is_cut: false,
            figures: Figures::default(),
            loss: LossChange::default(),
            not_sent: 0,
            missed: 0,
            strays: 0,
            suspect: Vec::new(),
        };
        let counts = |received, lost, remarked: Option<u64>| {
            let mut interval = empty.clone();
            interval.figures.received = received;
            interval.figures.lost = lost;
            let remarks = |dscp| RemarkCounts { dscp, ecn: 9 };
            interval.figures.remarked_backward = remarked.map(remarks);
            interval
        };
        let (bad, good, unknown) = (Verdict::Bad, Verdict::Good, Verdict::Unknown);
        for (text, (received, lost, remarked), verdict) in [
            ("silent", (0, 10, None), bad),
            ("silent", (1, 9, None), good),
            ("silent", (0, 0, None), unknown),
            ("remarked", (1, 0, Some(1)), bad),
            ("remarked", (1, 0, Some(0)), good),
            ("remarked", (1, 0, None), unknown),
            ("hops changed", (1, 0, None), unknown),
            ("clock unsynchronized", (1, 0, None), bad),
            ("lost >= 5", (5, 5, None), bad),
            ("lost > 5", (5, 5, None), good),
            ("loss > 49%", (5, 5, None), bad),
            ("loss > 50%", (5, 5, None), good),
            ("loss > 50%", (0, 0, None), unknown),
            ("round-trip.p95 > 50ms", (5, 5, None), unknown),
        ] {
            let condition = Condition::parse(text).unwrap();
            let interval = counts(received, lost, remarked);
            let judged = condition.judge(&interval, &mut Hops::default(), false);
            assert_eq!(judged.verdict, verdict, "{text}: {judged:?}");
        }
        // Packets were due, and none was sent.
        let unsent = IntervalFigures {
            not_sent: 1,
            ..empty.clone()
        };
        for (text, verdict) in [
            ("silent", bad),
            ("loss > 99%", bad),
            ("loss < 1%", unknown),
            ("lost > 5", unknown),
            ("lost < 5", bad),
            ("round-trip.p95 > 50ms", unknown),
            ("remarked", unknown),
        ] {
            let condition = Condition::parse(text).unwrap();
            let judged = condition.judge(&unsent, &mut Hops::default(), true);
            assert_eq!(judged.verdict, verdict, "{text}: {judged:?}");
        }
    }

    #[test]
    fn counts_and_silence_of_an_interval_that_was_cut_are_not_judged() {
        let cut = IntervalFigures {
            index: 0,
            intervals: 1,
            start: Wall::from_unix_ns(0),
            end: Wall::from_unix_ns(1),
            is_cut: true,
            figures: Figures {
                lost: 2,
                ..Figures::default()
            },
            loss: LossChange::default(),
            not_sent: 0,
            missed: 0,
            strays: 0,
            suspect: Vec::new(),
        };
        for (text, verdict) in [
            ("received < 1000", Verdict::Unknown),
            ("lost > 1", Verdict::Unknown),
            ("silent", Verdict::Unknown),
            ("loss > 50%", Verdict::Bad),
            ("clock unsynchronized", Verdict::Bad),
        ] {
            let condition = Condition::parse(text).unwrap();
            let judged = condition.judge(&cut, &mut Hops::default(), false);
            assert_eq!(judged.verdict, verdict, "{text}");
            let whole = IntervalFigures {
                is_cut: false,
                ..cut.clone()
            };
            let judged = condition.judge(&whole, &mut Hops::default(), false);
            assert_eq!(judged.verdict, Verdict::Bad, "{text}");
        }
    }

    #[test]
    fn hops_change_within_an_interval_and_between_two() {
        let ttl = |min, max, changes| Some(TtlFigures { min, max, changes });
        let mut hops = Hops::default();
        for (interval, changes) in [
            ([None, None], None),
            ([ttl(60, 60, 0), None], Some(0)),
            ([ttl(60, 60, 0), ttl(61, 61, 0)], Some(0)),
            ([None, None], None),
            ([ttl(59, 59, 0), ttl(61, 61, 0)], Some(1)),
            ([ttl(59, 60, 4), ttl(61, 61, 0)], Some(4)),
            ([None, ttl(62, 62, 0)], Some(1)),
        ] {
            assert_eq!(hops.changes(interval), changes);
        }
    }
}
