//! Figures as a check names them, and their values for people and as performance data.

use std::ops::RangeInclusive;

use twinpath_metrics::Unit;
use twinpath_report::document::Metric;

use crate::args::{AlertRange, Beyond, TimeUnit};

/// The name of a figure in words: `round trip p95`.
pub(super) fn name(path: &str) -> String {
    let path = path.strip_prefix("packets.").unwrap_or(path);
    let path = path.strip_suffix("_ns").unwrap_or(path);
    let path = path.replace("loss_ratio", "loss").replace("_cqe", "");
    let words = path.split(['.', '_']).map(|word| match word {
        "forward" => "outbound",
        "backward" => "inbound",
        "p999" => "p99.9",
        "pdv" => "PDV",
        "ipdv" => "IPDV",
        "mos" => "MOS",
        "ttl" => "TTL",
        "ect" => "ECT",
        "ce" => "CE",
        "dscp" => "DSCP",
        "ecn" => "ECN",
        word => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A value, in as many digits as tell it from `other`.
pub(super) fn amount(metric: &Metric, value: f64, other: Option<f64>) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "infinite" } else { "none" }.to_owned();
    }
    let is_share = metric.about.unit == Unit::Ratio;
    // What it must not seem to be.
    let others = [Some(0.0), is_share.then_some(1.0), other];
    let others: Vec<f64> = others
        .into_iter()
        .flatten()
        .filter(|it| it.total_cmp(&value).is_ne())
        .collect();
    let in_digits = |scale: f64, decimals: RangeInclusive<usize>| {
        let most = *decimals.end();
        let mut step = scale * 10_f64.powi(i32::try_from(*decimals.start()).unwrap_or(0));
        let mut fits = decimals.filter(|decimals| {
            let text = |value: f64| decimal(value * scale, *decimals);
            // Two digits of a share.
            let is_fine = !is_share || value == 0.0 || (value * step).abs() >= 9.5;
            step *= 10.0;
            is_fine && others.iter().all(|other| text(*other) != text(value))
        });
        decimal(value * scale, fits.next().unwrap_or(most))
    };
    match metric.about.unit {
        Unit::Nanoseconds => match value.abs() {
            0.0 => "0 ms".to_owned(),
            ..1e6 => format!("{} us", in_digits(1e-3, 1..=3)),
            ..1e9 => format!("{} ms", in_digits(1e-6, 3..=6)),
            _ => format!("{} s", in_digits(1e-9, 3..=9)),
        },
        Unit::Ratio => format!("{} %", in_digits(1e2, 2..=12)),
        Unit::PacketsPerSecond => format!("{} packets/s", in_digits(1.0, 2..=6)),
        Unit::PartsPerMillion => format!("{} ppm", in_digits(1.0, 2..=6)),
        Unit::Packets | Unit::Events | Unit::Blocks | Unit::Hops | Unit::Number => {
            in_digits(1.0, 2..=9)
        }
    }
}

/// Without zeros that say nothing, and never `-0`.
fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// What was crossed: `> 50 ms`.
pub(super) fn crossed(metric: &Metric, range: &AlertRange, beyond: Beyond) -> String {
    match beyond {
        Beyond::Above => format!("> {}", amount(metric, range.high, None)),
        Beyond::Below => format!("< {}", amount(metric, range.low, None)),
        Beyond::Inside => described(metric, range),
    }
}

/// When a range raises an alert: `above 50 ms`.
pub(super) fn described(metric: &Metric, range: &AlertRange) -> String {
    let (low, high) = (range.low.is_finite(), range.high.is_finite());
    let from = amount(metric, range.low, None);
    let to = amount(metric, range.high, None);
    match (range.inside, low, high) {
        (true, true, true) => format!("within {from} to {to}"),
        (true, true, false) => format!("at least {from}"),
        (true, false, true) => format!("at most {to}"),
        (true, false, false) => "always".to_owned(),
        (false, true, true) if range.low == 0.0 => format!("above {to}"),
        (false, true, true) => format!("outside {from} to {to}"),
        (false, true, false) => format!("below {from}"),
        (false, false, true) => format!("above {to}"),
        (false, false, false) => "never".to_owned(),
    }
}

/// How a figure is written in performance data: always alike, or its history could not be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    /// Behind the value.
    pub(super) unit: &'static str,
    /// Of the figure's own unit in this.
    divisor: f64,
    /// The least and the greatest value that there can be.
    bounds: (&'static str, &'static str),
}

impl Measure {
    /// Of a figure whose ranges have times in this unit.
    pub(super) fn of(metric: &Metric, unit: Option<TimeUnit>) -> Self {
        let least = if can_be_negative(metric) { "" } else { "0" };
        // Only a share has one: 100 %.
        let most = metric.most().map_or("", |_| "100");
        let (unit, divisor) = match (metric.about.unit, unit) {
            (Unit::Nanoseconds, Some(TimeUnit::Seconds)) => ("s", 1e9),
            (Unit::Nanoseconds, Some(TimeUnit::Microseconds)) => ("us", 1e3),
            (Unit::Nanoseconds, Some(TimeUnit::Milliseconds) | None) => ("ms", 1e6),
            (Unit::Ratio, _) => ("%", 1e-2),
            _ => ("", 1.0),
        };
        Self {
            unit,
            divisor,
            bounds: (least, most),
        }
    }

    pub(super) fn number(&self, value: f64) -> String {
        // A share in percent is no nearer to what was meant than this.
        decimal(value / self.divisor, 9)
    }

    /// `VALUE;WARN;CRIT;MIN;MAX` without the fields at the end that are empty.
    pub(super) fn fields(
        &self,
        value: f64,
        warn: Option<&AlertRange>,
        crit: Option<&AlertRange>,
    ) -> String {
        let range =
            |range: Option<&AlertRange>| range.map_or_else(String::new, |it| self.range(it));
        let (least, most) = self.bounds;
        let fields = format!(
            "{}{};{};{};{least};{most}",
            self.number(value),
            self.unit,
            range(warn),
            range(crit)
        );
        fields.trim_end_matches(';').to_owned()
    }

    fn range(&self, range: &AlertRange) -> String {
        let at = if range.inside { "@" } else { "" };
        let low = match range.low {
            low if low.is_infinite() => "~:".to_owned(),
            0.0 if range.high.is_finite() => String::new(),
            low => format!("{}:", self.number(low)),
        };
        let high = if range.high.is_finite() {
            self.number(range.high)
        } else {
            String::new()
        };
        format!("{at}{low}{high}")
    }
}

/// One-way delays and what is made of two clocks may be below zero.
fn can_be_negative(metric: &Metric) -> bool {
    let path = &metric.path;
    let of_one_way = ["forward.", "backward.", "departure.", "one_way."];
    of_one_way.iter().any(|of| path.starts_with(of))
        || matches!(metric.about.unit, Unit::PartsPerMillion)
}
