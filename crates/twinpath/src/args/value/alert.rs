//! `FIGURE=RANGE`: which figure of a report is judged, and which of its values raise an alert (Monitoring
//! Plugins Development Guidelines, "Threshold and Ranges").

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use strsim::osa_distance;
use twinpath_metrics::Unit;
use twinpath_report::document::{METRICS, Metric};

use super::quantity::{listed, signed_time};
use crate::args::Advice;

/// The most names that an unknown one is answered with.
const MOST_SUGGESTIONS: usize = 3;

/// A name in which more letters are wrong is another one.
#[cfg(feature = "daemon")]
const MOST_TYPOS: usize = 3;

/// A figure of the report by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFigure {
    /// As it was typed.
    pub(crate) name: String,
    /// Its place in the table of figures.
    place: usize,
}

impl NamedFigure {
    /// Its row in the table of figures.
    pub(crate) fn metric(&self) -> Option<&'static Metric> {
        METRICS.get(self.place)
    }

    /// One value of it, with its unit: in nanoseconds, as a share of 1, or a number. `None`: it is none.
    #[cfg(feature = "daemon")]
    pub(crate) fn value(&self, text: &str) -> Option<f64> {
        let unit = self.metric().map_or(Unit::Number, |row| row.about.unit);
        let end = End::parse(text, unit)?;
        end.is_clear.then_some(end.number)
    }

    /// The one of these figures whose name is much like what was typed.
    #[cfg(feature = "daemon")]
    pub(crate) fn nearest(typed: &str, is_meant: impl Fn(&Metric) -> bool) -> Option<Self> {
        let near = near(typed, is_meant);
        let (is_other, typos, name) = near.first()?;
        // Of a short word, fewer letters make another one.
        let is_near = !is_other || *typos <= MOST_TYPOS.min(typed.len() / 3);
        is_near.then(|| name.parse().ok()).flatten()
    }

    /// Whether both are one figure, whatever they are called.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl FromStr for NamedFigure {
    type Err = Advice;

    fn from_str(name: &str) -> Result<Self, Advice> {
        let place = NAMES.get(name).copied();
        place
            .map(|place| Self {
                name: name.to_owned(),
                place,
            })
            .ok_or_else(|| unknown(name))
    }
}

/// All names of all figures, and their places.
static NAMES: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    let metrics = METRICS.iter().enumerate();
    let named = metrics.flat_map(|(place, metric)| {
        let names = names(&metric.path).into_iter();
        names.map(move |name| (name, place))
    });
    named.collect()
});

/// The path in JSON, without `packets.` and `_ns`, and with shorter words.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    let shorter: [fn(&str) -> Option<String>; 5] = [
        |name| name.strip_prefix("packets.").map(str::to_owned),
        |name| name.strip_suffix("_ns").map(str::to_owned),
        |name| {
            let rest = name.strip_prefix("round_trip.")?;
            Some(format!("rtt_{rest}"))
        },
        |name| Some(name.replace("loss_ratio", "loss")),
        |name| name.strip_suffix("_cqe").map(str::to_owned),
    ];
    for shorter in shorter {
        let more: Vec<String> = names.iter().filter_map(|name| shorter(name)).collect();
        let new = more.into_iter().filter(|name| !names.contains(name));
        let new: Vec<String> = new.collect();
        names.extend(new);
    }
    names
}

/// What an unknown name is answered with.
fn unknown(typed: &str) -> Advice {
    let near = near(typed, |_| true).into_iter().take(MOST_SUGGESTIONS);
    let near: Vec<&str> = near.map(|(.., name)| name).collect();
    let shown = if typed.is_empty() { "\"\"" } else { typed };
    let names = match near.split_last() {
        Some((last, others @ [_, ..])) => format!("{} or {last}", others.join(", ")),
        Some((last, [])) => (*last).to_owned(),
        None => String::new(),
    };
    Advice::new(format!("no figure is called {shown}: use {names}"))
}

/// The names of these figures, those most like what was typed first: whether no part of them is what was typed, how
/// many letters differ.
fn near(typed: &str, is_meant: impl Fn(&Metric) -> bool) -> Vec<(bool, usize, &'static str)> {
    let lower = typed.to_lowercase();
    let lower = lower.replace("average", "mean").replace("avg", "mean");
    let is_short = |name: &str| !name.starts_with("packets.") && !name.ends_with("_ns");
    let is_meant = |place: &usize| METRICS.get(*place).is_some_and(&is_meant);
    let mut near: Vec<(bool, usize, &str)> = NAMES
        .iter()
        .filter(|(name, place)| is_short(name) && is_meant(place))
        .map(|(name, _)| {
            let is_part = !lower.is_empty() && name.split(['.', '_']).any(|part| part == lower);
            (!is_part, osa_distance(&lower, name), &**name)
        })
        .collect();
    near.sort_unstable();
    near
}

/// A figure, and the values of it that raise an alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alert {
    pub(crate) figure: NamedFigure,
    pub(crate) range: AlertRange,
    /// The range as it was typed.
    pub(crate) text: String,
}

impl FromStr for Alert {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        listed(text)?;
        let Some((figure, range)) = text.split_once('=') else {
            return Err(Advice::new(
                "not FIGURE=RANGE: use loss=1% or rtt_p95=50ms, with commas between several",
            ));
        };
        let figure: NamedFigure = figure.trim().parse()?;
        let metric = figure.metric();
        let unit = metric.map_or(Unit::Number, |row| row.about.unit);
        let text = range.trim().to_owned();
        let range = AlertRange::parse(&text, unit)?;
        if let Some(most) = metric.and_then(Metric::most)
            && [range.low, range.high]
                .iter()
                .any(|end| end.is_finite() && *end > most)
        {
            let name = &figure.name;
            let advice = format!("{name} is 100% at most: use a range up to that");
            return Err(Advice::new(advice));
        }
        Ok(Self {
            figure,
            range,
            text,
        })
    }
}

/// Values that raise an alert: those outside the range, or inside. Both ends belong to it. In
/// nanoseconds, or as a share of 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AlertRange {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) inside: bool,
    /// In which unit a time was typed.
    pub(crate) unit: Option<TimeUnit>,
}

/// Units of times in performance data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Microseconds,
    Milliseconds,
    Seconds,
}

/// Where a value is that raises an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    Above,
    Below,
    Inside,
}

impl AlertRange {
    /// Whether this value raises an alert, and how.
    pub(crate) fn alert(&self, value: f64) -> Option<Beyond> {
        let (below, above) = (value < self.low, value > self.high);
        match (self.inside, below, above) {
            (true, false, false) => Some(Beyond::Inside),
            (false, true, _) => Some(Beyond::Below),
            (false, _, true) => Some(Beyond::Above),
            (true, ..) | (false, false, false) => None,
        }
    }

    fn parse(text: &str, unit: Unit) -> Result<Self, Advice> {
        let wrong = || not_a_range(unit);
        let (inside, ends) = match text.strip_prefix('@') {
            Some(ends) => (true, ends),
            None => (false, text),
        };
        if ends.starts_with('/') {
            return Err(Advice::new(
                "the shell made a path of ~: quote it, as in 'rtt_jitter=~:10ms'",
            ));
        }
        let (first, second) = ends.split_once(':').unwrap_or(("", ends));
        if first.is_empty() && second.is_empty() {
            return Err(wrong());
        }
        let low = match first {
            "" => End::without(0.0),
            "~" => End::without(f64::NEG_INFINITY),
            first => End::parse(first, unit).ok_or_else(wrong)?,
        };
        let high = match second {
            "" => End::without(f64::INFINITY),
            second => End::parse(second, unit).ok_or_else(wrong)?,
        };
        let (low, high) = End::both(low, high, unit)?;
        if low.number > high.number {
            let at = if inside { "@" } else { "" };
            let first = if first.is_empty() { "~" } else { first };
            let range = match first {
                "~" => format!("{at}~:{second}"),
                first => format!("{at}{second}:{first}"),
            };
            let advice = format!("the lower end comes first: use {range}");
            return Err(Advice::new(advice));
        }
        Ok(Self {
            low: low.number,
            high: high.number,
            inside,
            unit: low.unit.or(high.unit).and_then(time_unit),
        })
    }
}

/// An end of a range.
#[derive(Clone, Copy)]
struct End<'a> {
    /// In the figure's own unit, or without one as typed.
    number: f64,
    /// As typed; `None`: the end has none.
    unit: Option<&'a str>,
    /// The digits before it.
    digits: &'a str,
    /// Nothing has to be said of its unit.
    is_clear: bool,
}

impl<'a> End<'a> {
    const fn without(number: f64) -> Self {
        Self {
            number,
            unit: None,
            digits: "",
            is_clear: true,
        }
    }

    fn parse(text: &'a str, unit: Unit) -> Option<Self> {
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
        let digits = text.trim_end_matches(|c| !is_digit(c));
        let suffix = text.strip_prefix(digits)?.trim_start();
        if !digits.chars().all(is_digit) {
            return None;
        }
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let bare = number(digits)?;
        let number = if suffix.is_empty() {
            bare
        } else {
            with_unit(digits, suffix, unit)?
        };
        let takes_unit = matches!(unit, Unit::Nanoseconds | Unit::Ratio);
        Some(Self {
            number,
            unit: (!suffix.is_empty()).then_some(suffix),
            digits,
            is_clear: !takes_unit || !suffix.is_empty() || bare == 0.0,
        })
    }

    /// An end without a unit has the other's.
    fn both(low: Self, high: Self, unit: Unit) -> Result<(Self, Self), Advice> {
        let (of_low, of_high) = (low.unit, high.unit);
        Ok((low.with(of_high, unit)?, high.with(of_low, unit)?))
    }

    fn with(self, other: Option<&str>, unit: Unit) -> Result<Self, Advice> {
        if self.is_clear {
            return Ok(self);
        }
        let digits = self.digits;
        match other.and_then(|other| with_unit(digits, other, unit)) {
            Some(number) => Ok(Self { number, ..self }),
            None if unit == Unit::Ratio => Err(Advice::new(format!(
                "{digits} has no unit: use {digits}% for a share"
            ))),
            None => Err(Advice::new(format!(
                "{digits} has no unit: use {digits}ms, {digits}us or {digits}s"
            ))),
        }
    }
}

fn number(digits: &str) -> Option<f64> {
    digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

#[expect(clippy::cast_precision_loss, reason = "times below 104 days are exact")]
fn with_unit(digits: &str, suffix: &str, unit: Unit) -> Option<f64> {
    match (unit, suffix) {
        (Unit::Nanoseconds, _) => {
            let ns = signed_time(&format!("{digits}{suffix}")).ok()?;
            Some(ns as f64)
        }
        // The number nearest to what was typed, as a share of packets is the nearest to theirs.
        (Unit::Ratio, "%") => number(&format!("{digits}e-2")),
        _ => None,
    }
}

fn time_unit(suffix: &str) -> Option<TimeUnit> {
    match suffix {
        "" | "%" => None,
        "ns" | "us" | "µs" | "μs" => Some(TimeUnit::Microseconds),
        "ms" => Some(TimeUnit::Milliseconds),
        _ => Some(TimeUnit::Seconds),
    }
}

/// How values in a unit are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// With a unit of time, as 50ms.
    Time,
    /// In percent, as 5%.
    Share,
    /// As a number alone.
    Number,
}

impl Spelling {
    pub(crate) fn of(unit: Unit) -> Self {
        match unit {
            Unit::Nanoseconds => Self::Time,
            Unit::Ratio => Self::Share,
            Unit::Packets
            | Unit::Events
            | Unit::PacketsPerSecond
            | Unit::PartsPerMillion
            | Unit::Blocks
            | Unit::Hops
            | Unit::Number => Self::Number,
        }
    }
}

/// How a range of such a figure is written.
fn not_a_range(unit: Unit) -> Advice {
    let (low, high) = match Spelling::of(unit) {
        Spelling::Time => ("1ms", "50ms"),
        Spelling::Share => ("1%", "5%"),
        Spelling::Number => ("1", "4"),
    };
    Advice::new(format!(
        "not a range: use {high} (alert above it), {low}: (below it), {low}:{high} (outside) or \
         @{low}:{high} (inside)"
    ))
}

#[cfg(test)]
mod tests;
