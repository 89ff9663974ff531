//! Delays by size, for machines: in user-defined bins, and as histograms that can be added over
//! many runs. Each list of numbers is on one line.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::to_raw_value;
use twinpath_metrics::{BinCounts, BinFigures, Distribution, Distributions};

/// On one line, however the document is laid out.
pub(super) struct OnOneLine<T>(T);

impl<T: Serialize> Serialize for OnOneLine<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = to_raw_value(&self.0).map_err(S::Error::custom)?;
        line.serialize(serializer)
    }
}

/// Counted exactly between edges.
#[derive(Serialize)]
pub(super) struct Bins {
    round_trip: Vec<OnOneLine<Bin>>,
    forward: Vec<OnOneLine<Bin>>,
    backward: Vec<OnOneLine<Bin>>,
}

/// Delays of at least `from_ns` and less than `to_ns`; `null`: unbounded.
#[derive(Serialize)]
struct Bin {
    from_ns: Option<i64>,
    to_ns: Option<i64>,
    count: u64,
}

impl From<&BinFigures> for Bins {
    fn from(figures: &BinFigures) -> Self {
        Self {
            round_trip: bins(&figures.round_trip),
            forward: bins(&figures.forward),
            backward: bins(&figures.backward),
        }
    }
}

fn bins(counts: &BinCounts) -> Vec<OnOneLine<Bin>> {
    let bins = counts.bins();
    bins.map(|(from_ns, to_ns, count)| {
        OnOneLine(Bin {
            from_ns,
            to_ns,
            count,
        })
    })
    .collect()
}

/// All stored data of the delays, without loss.
#[derive(Serialize)]
pub(super) struct Histograms {
    round_trip: Option<Histogram>,
    forward: Option<Histogram>,
    backward: Option<Histogram>,
    residence: Option<Histogram>,
    departure: Option<Histogram>,
}

impl From<&Distributions> for Histograms {
    fn from(delays: &Distributions) -> Self {
        Self {
            round_trip: Histogram::of(&delays.round_trip),
            forward: Histogram::of(&delays.forward),
            backward: Histogram::of(&delays.backward),
            residence: Histogram::of(&delays.residence),
            departure: Histogram::of(&delays.departure),
        }
    }
}

#[derive(Serialize)]
struct Histogram {
    count: u64,
    min_ns: i64,
    max_ns: i64,
    sum_ns: i128,
    squares_ns2: f64,
    ipdv_sum_ns: u128,
    ipdv_pairs: u64,
    reference_ns: Option<i64>,
    bins_per_octave: u32,
    lower_ns: OnOneLine<Vec<i64>>,
    upper_ns: OnOneLine<Vec<i64>>,
    counts: OnOneLine<Vec<u64>>,
}

impl Histogram {
    /// `None` without a value.
    fn of(values: &Distribution) -> Option<Self> {
        let parts = values.parts();
        let bins = &parts.histogram.bins;
        (parts.count > 0).then(|| Self {
            count: parts.count,
            min_ns: parts.min_ns,
            max_ns: parts.max_ns,
            sum_ns: parts.sum_ns,
            squares_ns2: parts.squares_ns2,
            ipdv_sum_ns: parts.ipdv_sum_ns,
            ipdv_pairs: parts.ipdv_pairs,
            reference_ns: parts.histogram.reference_ns,
            bins_per_octave: parts.histogram.bins_per_octave,
            lower_ns: OnOneLine(bins.iter().map(|bin| bin.lower_ns).collect()),
            upper_ns: OnOneLine(bins.iter().map(|bin| bin.upper_ns).collect()),
            counts: OnOneLine(bins.iter().map(|bin| bin.count).collect()),
        })
    }
}
