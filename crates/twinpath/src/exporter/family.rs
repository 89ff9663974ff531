//! Metrics as plain data, whatever format they are sent in.

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
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

/// Counts are exact to the last packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Count(u64),
    Number(f64),
}

impl Family {
    fn of(
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
        let samples = counts.map(|(value, count)| Sample::count(count).labelled(label, value));
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
        let labels = labels.into_iter().collect();
        let value = Value::Count(1);
        Self::of(Kind::Gauge, name, help, [Sample { labels, value }])
    }

    /// A time in seconds, as far as it is known.
    pub(crate) fn seconds(
        name: &'static str,
        help: &'static str,
        seconds: impl IntoIterator<Item = f64>,
    ) -> Self {
        let samples = seconds.into_iter().map(|seconds| Sample {
            labels: Vec::new(),
            value: Value::Number(seconds),
        });
        Self::of(Kind::Seconds, name, help, samples)
    }
}

impl Sample {
    fn count(count: u64) -> Self {
        Self {
            labels: Vec::new(),
            value: Value::Count(count),
        }
    }

    fn labelled(mut self, label: &'static str, value: &str) -> Self {
        self.labels.push((label, value.to_owned()));
        self
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
