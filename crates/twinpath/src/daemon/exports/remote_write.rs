//! Rows as samples of Prometheus' remote write, version 1: messages of protocol buffers, compressed by Snappy.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message;
use twinpath_metrics::Value;

use crate::args::Label;
use crate::daemon::store::{StoredRow, is_figure};
use crate::output::prometheus::user_label;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    /// Unix time in milliseconds.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// Words of columns that are a label of their series.
const DIRECTIONS: [&str; 3] = ["round_trip", "forward", "backward"];
/// What histograms need and no series does.
const PARTS: [&str; 2] = ["bins_per_octave", "reference_ns"];

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Series {
    name: String,
    direction: Option<&'static str>,
    is_time: bool,
}

/// The series of a column; `None`: it has none.
fn series(column: &str) -> Option<Series> {
    if PARTS.iter().any(|part| column.ends_with(part)) {
        return None;
    }
    let (figure, direction) = figure(column);
    let figure = figure.strip_prefix("packets_").unwrap_or(&figure);
    let (figure, unit) = match (figure.strip_suffix("_ns"), figure.strip_suffix("_count")) {
        (Some(figure), _) => (figure, "_seconds"),
        // By convention `_count` is a histogram's.
        (None, Some(figure)) => (figure, "_packets"),
        (None, None) => (figure, ""),
    };
    Some(Series {
        name: format!("twinpath_interval_{figure}{unit}"),
        direction,
        is_time: unit == "_seconds",
    })
}

/// A column without the direction in its name.
fn figure(column: &str) -> (String, Option<&'static str>) {
    for direction in DIRECTIONS {
        let rest = column.strip_prefix(direction);
        if let Some(rest) = rest.filter(|rest| rest.starts_with('_')) {
            return (format!("delay{rest}"), Some(direction));
        }
        let word = format!("_{direction}");
        if column.contains(&word) {
            let figure = column.replacen(&word, "", 1);
            // The sum of both directions has the shorter name.
            let suffix = if is_figure(&figure) { "_one_way" } else { "" };
            return (format!("{figure}{suffix}"), Some(direction));
        }
    }
    (column.to_owned(), None)
}

/// As doubles are: counts are exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
fn number(value: Value) -> f64 {
    match value {
        Value::Unsigned(count) => count as f64,
        Value::Signed(count) => count as f64,
        Value::Float(value) => value,
    }
}

/// The samples of a row, at its end.
pub(super) fn record(row: &StoredRow, host: &str, labels: &[Label]) -> Vec<u8> {
    let pair = |name: &str, value: &str| LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let path = row.path.map(|path| pair("path", &path.to_string()));
    let own = [
        pair("class", &row.class),
        pair("host", host),
        pair("session", &row.session),
    ];
    let user = labels.iter();
    let user = user.map(|label| pair(&user_label(&label.key), &label.value));
    // A label without a value is no label, and one of a name has a place.
    let common = own.into_iter().chain(path).chain(user);
    let mut common: Vec<LabelPair> = common.filter(|it| !it.value.is_empty()).collect();
    common.sort_by(|a, b| a.name.cmp(&b.name));
    common.dedup_by(|b, a| a.name == b.name);
    let timestamp = row.end.unix_ns().div_euclid(1_000_000);
    let series = row.figures().filter_map(|(column, value)| {
        let series = SERIES.get(column)?;
        let mut labels = common.clone();
        labels.push(pair("__name__", &series.name));
        labels.extend(series.direction.map(|it| pair("direction", it)));
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        let value = number(value);
        let value = if series.is_time { value / 1e9 } else { value };
        let samples = vec![Sample { value, timestamp }];
        Some(TimeSeries { labels, samples })
    });
    let timeseries = series.collect();
    // Requests one after the other are one with the series of all.
    WriteRequest { timeseries }.encode_to_vec()
}

/// The series of all columns that have one.
static SERIES: LazyLock<HashMap<&'static str, Series>> = LazyLock::new(|| {
    let columns = crate::daemon::store::figure_columns();
    columns
        .filter_map(|column| Some((column, series(column)?)))
        .collect()
});

/// A batch.
pub(super) fn body(content: &[u8]) -> Vec<u8> {
    // Content of gigabytes alone is too large.
    let compressed = snap::raw::Encoder::new().compress_vec(content);
    compressed.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_column_has_a_series_of_its_own() {
        for (column, expected, direction) in [
            ("sent", "twinpath_interval_sent", None),
            ("lost", "twinpath_interval_lost", None),
            (
                "lost_forward",
                "twinpath_interval_lost_one_way",
                Some("forward"),
            ),
            ("packets_loss_ratio", "twinpath_interval_loss_ratio", None),
            (
                "round_trip_p99_ns",
                "twinpath_interval_delay_p99_seconds",
                Some("round_trip"),
            ),
            (
                "backward_count",
                "twinpath_interval_delay_packets",
                Some("backward"),
            ),
            (
                "ttl_forward_min",
                "twinpath_interval_ttl_min",
                Some("forward"),
            ),
            (
                "residence_max_ns",
                "twinpath_interval_residence_max_seconds",
                None,
            ),
        ] {
            let series = series(column).unwrap();
            assert_eq!(series.name, expected, "{column}");
            assert_eq!(series.direction, direction, "{column}");
        }
        let mut known = HashSet::new();
        for series in SERIES.values() {
            let is_new = known.insert((&series.name, series.direction));
            assert!(is_new, "{series:?}");
        }
        assert!(known.len() > 80, "{}", known.len());
        assert_eq!(series("forward_bins_per_octave"), None);
    }
}
