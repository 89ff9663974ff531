//! What a benchmark found: rows of figures beside their limits, as a table or as JSON.

use serde::{Serialize, Serializer};

use crate::machine::Machine;
use crate::statistics::median;

/// What one figure counts.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Nanoseconds,
    PacketsPerSecond,
    Packets,
    Octets,
    SessionOctets,
    CpuSeconds,
    Share,
}

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// At most this many times the limit.
    AtMostTimes(f64),
    /// At least this many times the limit.
    AtLeastTimes(f64),
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// Told, not judged.
    Open,
}

/// One figure over all runs, twinpath's beside the limit's.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) unit: Unit,
    pub(crate) twinpath: Vec<f64>,
    pub(crate) limit: Vec<f64>,
    pub(crate) bar: Bar,
}

impl Row {
    pub(crate) fn new(figure: impl Into<String>, unit: Unit, bar: Bar) -> Self {
        Self {
            figure: figure.into(),
            unit,
            twinpath: Vec::new(),
            limit: Vec::new(),
            bar,
        }
    }

    /// Median over the median of the limit.
    fn ratio(&self) -> Option<f64> {
        Some(median(&self.twinpath)? / median(&self.limit)?)
    }

    /// `None` where there is nothing to judge or to judge by.
    fn met(&self) -> Option<bool> {
        match self.bar {
            Bar::AtMostTimes(bar) => Some(self.ratio()? <= bar),
            Bar::AtLeastTimes(bar) => Some(self.ratio()? >= bar),
            Bar::AtMost(bar) => Some(median(&self.twinpath)? <= bar),
            Bar::AtLeast(bar) => Some(median(&self.twinpath)? >= bar),
            Bar::Open => None,
        }
    }

    fn verdict(&self) -> String {
        let met = match self.met() {
            Some(true) => "met",
            Some(false) => "NOT met",
            None => "",
        };
        match self.bar {
            Bar::AtMostTimes(bar) => format!("at most {bar} times: {met}"),
            Bar::AtLeastTimes(bar) => format!("at least {bar} times: {met}"),
            Bar::AtMost(bar) => format!("at most {}: {met}", self.unit.show(bar)),
            Bar::AtLeast(bar) => format!("at least {}: {met}", self.unit.show(bar)),
            Bar::Open => String::new(),
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            figure: &'a str,
            unit: Unit,
            twinpath: Option<f64>,
            limit: Option<f64>,
            ratio: Option<f64>,
            bar: Option<f64>,
            met: Option<bool>,
            twinpath_runs: &'a [f64],
            limit_runs: &'a [f64],
        }
        let bar = match self.bar {
            Bar::AtMostTimes(bar)
            | Bar::AtLeastTimes(bar)
            | Bar::AtMost(bar)
            | Bar::AtLeast(bar) => Some(bar),
            Bar::Open => None,
        };
        View {
            figure: &self.figure,
            unit: self.unit,
            twinpath: median(&self.twinpath),
            limit: median(&self.limit),
            ratio: self.ratio(),
            bar,
            met: self.met(),
            twinpath_runs: &self.twinpath,
            limit_runs: &self.limit,
        }
        .serialize(serializer)
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => format!("{:.1} µs", value / 1e3),
            Self::PacketsPerSecond => format!("{value:.0} /s"),
            Self::Packets => format!("{value:.0}"),
            Self::Octets => format!("{:.1} MB", value / 1e6),
            Self::SessionOctets => format!("{value:.0} octets"),
            Self::CpuSeconds => format!("{value:.2} s CPU"),
            Self::Share => format!("{:.3} %", value * 100.0),
        }
    }
}

/// A whole benchmark's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) benchmark: &'static str,
    /// What the limit is, in a word or two.
    pub(crate) limit: &'static str,
    pub(crate) machine: Machine,
    pub(crate) version: String,
    pub(crate) runs: u32,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    pub(crate) fn print(&self) {
        println!("{}", self.machine);
        println!(
            "{}: {}, medians of {} runs",
            self.benchmark, self.version, self.runs
        );
        println!(
            "{:44} {:>13} {:>15} {:>6}",
            "", "twinpath", self.limit, "ratio"
        );
        let show = |row: &Row, values: &[f64]| {
            median(values).map_or_else(|| "-".to_owned(), |value| row.unit.show(value))
        };
        for row in &self.rows {
            let ratio = row
                .ratio()
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            println!(
                "{:44} {:>13} {:>15} {ratio:>6}  {}",
                row.figure,
                show(row, &row.twinpath),
                show(row, &row.limit),
                row.verdict()
            );
        }
        for note in &self.notes {
            println!("note: {note}");
        }
    }

    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string_pretty(self)?);
        Ok(())
    }
}
