//! Which conditions always or never hold, by the values that a figure can have.

use twinpath_metrics::Unit;
use twinpath_report::document::Metric;

use super::{OPERATORS, Operator};
use crate::args::Spelling;

/// Counts of intervals that may be lower than 0: what was found out later is taken back.
const CHANGES: [&str; 3] = [
    "packets.lost_forward",
    "packets.lost_backward",
    "packets.lost_unattributed",
];
/// Delays by one clock, which never come before what they follow.
const OF_ONE_CLOCK: [&str; 2] = ["round_trip", "residence"];
/// Figures of delays that are distances.
const DISTANCES: [&str; 5] = [
    "stddev_ns",
    "jitter_ns",
    "pdv_p99_ns",
    "ipdv_mean_abs_ns",
    "mad_ns",
];
/// Of the header of IP.
const MOST_TTL: f64 = 255.0;

/// A limit as it is written.
pub(super) fn with_unit(value: f64, unit: Unit) -> String {
    match Spelling::of(unit) {
        Spelling::Time => format!("{value}ms"),
        Spelling::Share => format!("{}%", value * 100.0),
        Spelling::Number => value.to_string(),
    }
}

/// The least and the greatest value that a figure of an interval can have.
pub(super) fn limits(metric: &Metric) -> [Option<f64>; 2] {
    let path = &*metric.path;
    if path.starts_with("ttl_") && metric.about.unit == Unit::Number {
        return [Some(0.0), Some(MOST_TTL)];
    }
    let (kind, key) = path.rsplit_once('.').unwrap_or(("", path));
    let is_delay = metric.about.unit == Unit::Nanoseconds;
    let is_signed = CHANGES.contains(&path)
        || is_delay
            && !OF_ONE_CLOCK.contains(&kind)
            && !DISTANCES.contains(&key)
            && !kind.is_empty();
    [(!is_signed).then_some(0.0), metric.most()]
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        let all = OPERATORS.iter();
        let mut own = all.filter(|(_, operator)| *operator == self);
        own.next().map_or("", |(sign, _)| *sign)
    }

    /// With its sides exchanged.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Equal | Self::Other => self,
        }
    }

    /// A test that always or never holds between these limits; `None`: it depends on the value.
    pub(super) fn constant(self, bound: f64, [least, most]: [Option<f64>; 2]) -> Option<Constant> {
        let beneath = least.filter(|least| bound < *least);
        let beyond = most.filter(|most| bound > *most);
        let at_least = least.filter(|least| bound <= *least);
        let at_most = most.filter(|most| bound >= *most);
        let of = |holds, nearest, is_most| {
            move |limit| Constant {
                holds,
                nearest,
                limit,
                is_most,
            }
        };
        let (low, high) = match self {
            Self::Above => (
                beneath.map(of(true, Self::Above, false)),
                at_most.map(of(false, Self::AtLeast, true)),
            ),
            Self::AtLeast => (
                at_least.map(of(true, Self::Above, false)),
                beyond.map(of(false, Self::AtLeast, true)),
            ),
            Self::Below => (
                at_least.map(of(false, Self::AtMost, false)),
                beyond.map(of(true, Self::Below, true)),
            ),
            Self::AtMost => (
                beneath.map(of(false, Self::AtMost, false)),
                at_most.map(of(true, Self::Below, true)),
            ),
            Self::Equal => (
                beneath.map(of(false, Self::Equal, false)),
                beyond.map(of(false, Self::Equal, true)),
            ),
            Self::Other => (
                beneath.map(of(true, Self::Other, false)),
                beyond.map(of(true, Self::Other, true)),
            ),
        };
        low.or(high)
    }
}

/// A test with one result whatever the value is.
pub(super) struct Constant {
    pub(super) holds: bool,
    /// The nearest test that depends on the value has this operator, and the limit as its bound.
    pub(super) nearest: Operator,
    /// The least or the greatest value.
    pub(super) limit: f64,
    pub(super) is_most: bool,
}
