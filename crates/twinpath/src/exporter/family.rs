//! Metrics as plain data, whatever format they are sent in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use twinpath_metrics::RungCounts;
use twinpath_wire::Rung;

/// All metrics of a process at one time.
pub(crate) type Families = Vec<Family>;

/// A metric, with its samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    /// Without `twinpath_` in front and `_total` or the unit behind.
    pub(crate) name: &'static str,
    /// What it is, in a line.
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// How a metric is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// It is as it is now.
    Gauge,
    /// Likewise, in seconds.
    Seconds,
    /// How many times were how long, in seconds.
    Times,
}

/// Families whose samples have a label more, by which those of several reflectors in one process differ.
#[cfg(feature = "daemon")]
pub(crate) fn labelled(mut families: Families, key: &'static str, value: &str) -> Families {
    let label = (Cow::Borrowed(key), value.to_owned());
    for sample in families.iter_mut().flat_map(|family| &mut family.samples) {
        let labels = std::iter::once(&label).chain(sample.labels.iter());
        sample.labels = labels.cloned().collect();
    }
    families
}

/// Families of several parts as those of one process: each name once.
#[cfg(feature = "daemon")]
pub(crate) fn merged(parts: impl IntoIterator<Item = Families>) -> Families {
    let mut all = Families::new();
    let mut places: BTreeMap<&'static str, usize> = BTreeMap::new();
    for family in parts.into_iter().flatten() {
        let known = places.get(family.name);
        if let Some(known) = known.and_then(|place| all.get_mut(*place)) {
            known.samples.extend(family.samples);
        } else {
            places.insert(family.name, all.len());
            all.push(family);
        }
    }
    all
}

/// Labels that several samples have.
pub(crate) type Labels = Arc<[(Cow<'static, str>, String)]>;

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) labels: Labels,
    /// A label of this metric.
    pub(crate) own: Option<(&'static str, &'static str)>,
    pub(crate) value: Value,
}

/// Counts are exact to the last packet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Count(u64),
    Number(f64),
    Times(Box<Times>),
}

/// Times in buckets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) sum_s: f64,
    /// The upper bound of each bucket and how many are in it, not in those before; what is beyond the last one is
    /// in none.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) native: Native,
}

/// The same times in the buckets of a native histogram: the upper bound of each is 2^(1/16) times that of the one
/// before (4.4 % more), and that of number 0 is 1 s. Negative times have buckets of their own, by their absolute value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Native {
    /// Times of 0.
    pub(crate) zero: u64,
    /// Numbers of buckets, ascending, each with how many are in it.
    pub(crate) negative: Vec<(i32, u64)>,
    pub(crate) positive: Vec<(i32, u64)>,
}

impl Native {
    /// log2 of the buckets for each doubling.
    pub(crate) const SCHEMA: i32 = 4;

    /// Of times in nanoseconds, each with how many there are.
    pub(crate) fn of(times_ns: impl Iterator<Item = (i64, u64)>) -> Self {
        let mut native = Self::default();
        let (mut negative, mut positive) = (BTreeMap::new(), BTreeMap::new());
        for (ns, count) in times_ns {
            let sum = match ns {
                0 => &mut native.zero,
                1.. => positive.entry(Self::number(ns)).or_default(),
                _ => negative.entry(Self::number(ns)).or_default(),
            };
            *sum = u64::saturating_add(*sum, count);
        }
        native.negative = negative.into_iter().collect();
        native.positive = positive.into_iter().collect();
        native
    }

    /// The bucket of a time that is not 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "of 2^63 ns and less it is between -479 and 529"
    )]
    fn number(ns: i64) -> i32 {
        let doublings = seconds(ns.unsigned_abs()).log2();
        (doublings * f64::from(1 << Self::SCHEMA)).ceil() as i32
    }
}

impl Family {
    /// Its name in queries; that of a histogram is the beginning of several there.
    #[cfg(any(feature = "metrics", test))]
    pub(super) fn full_name(&self) -> String {
        let (prefix, name) = ("twinpath", self.name);
        match self.kind {
            Kind::Counter => format!("{prefix}_{name}_total"),
            Kind::Gauge => format!("{prefix}_{name}"),
            Kind::Seconds | Kind::Times => format!("{prefix}_{name}_seconds"),
        }
    }

    pub(crate) fn of(
        kind: Kind,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample>,
    ) -> Self {
        let samples = samples.into_iter().collect();
        Self {
            name,
            help,
            kind,
            samples,
        }
    }

    /// A count since the start.
    pub(crate) fn counter(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::of(Kind::Counter, name, help, [Sample::count(count)])
    }

    /// Counts since the start, one for each value of a label.
    pub(crate) fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        counts: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> Self {
        let counts = counts.into_iter();
        let samples = counts.map(|(value, count)| Sample {
            own: Some((label, value)),
            ..Sample::count(count)
        });
        Self::of(Kind::Counter, name, help, samples)
    }

    /// A number of something now.
    pub(crate) fn gauge(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::of(Kind::Gauge, name, help, [Sample::count(count)])
    }

    /// 1, with labels that say more.
    pub(crate) fn info(
        name: &'static str,
        help: &'static str,
        labels: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let labels = labels.into_iter();
        let labels = labels.map(|(name, value)| (name.into(), value)).collect();
        let one = Sample {
            labels,
            ..Sample::count(1)
        };
        Self::of(Kind::Gauge, name, help, [one])
    }

    /// A time in seconds, as far as it is known.
    pub(crate) fn seconds(
        name: &'static str,
        help: &'static str,
        seconds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let samples = seconds.into_iter().map(Value::Number).map(Sample::of);
        Self::of(Kind::Seconds, name, help, samples)
    }
}

impl Sample {
    fn of(value: Value) -> Self {
        Self {
            labels: Labels::default(),
            own: None,
            value,
        }
    }

    fn count(count: u64) -> Self {
        Self::of(Value::Count(count))
    }
}

/// Nanoseconds in seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a nanosecond counts in times of less than 104 days, for which a double has room"
)]
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Counts of timestamps by the name of their source.
pub(crate) fn rungs(counts: &RungCounts) -> impl Iterator<Item = (&'static str, u64)> {
    [Rung::Hardware, Rung::Kernel, Rung::Queue, Rung::User]
        .into_iter()
        .map(|rung| (rung.name(), counts.of(rung)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_native_bucket_that_has_room_for_it() {
        let times = [
            (1, 1),
            (20_000_000, 2),
            (20_500_000, 3),
            (1_000_000_000, 4),
            (0, 5),
        ];
        let mirrored = times.map(|(ns, count)| (-ns, count));
        let native = Native::of(times.into_iter().chain(mirrored));
        assert_eq!(native.zero, 10);
        assert_eq!(native.negative, native.positive);
        let upper = |number: i32| (f64::from(number) / 16.0).exp2();
        for ((number, count), bound_s) in native.positive.iter().zip([1e-9, 0.02, 0.0205, 1.0]) {
            let (low, high) = (upper(number - 1), upper(*number));
            assert!(
                low < bound_s && bound_s <= high * 1.000_001,
                "{number} {count}"
            );
        }
        assert_eq!(native.positive.last(), Some(&(0, 4)));
    }
}
