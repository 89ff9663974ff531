//! The series that figures of rows are samples of.

use std::collections::HashMap;
use std::sync::LazyLock;

use twinpath_metrics::Value;

use crate::store::{figure_columns, is_figure};

/// Words of columns that are a label of their series.
const DIRECTIONS: [&str; 3] = ["round_trip", "forward", "backward"];
/// What histograms need and no series does.
const PARTS: [&str; 2] = ["bins_per_octave", "reference_ns"];

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) direction: Option<&'static str>,
    /// Its values are seconds.
    pub(super) is_time: bool,
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
pub(super) fn number(value: Value) -> f64 {
    match value {
        Value::Unsigned(count) => count as f64,
        Value::Signed(count) => count as f64,
        Value::Float(value) => value,
    }
}

/// The series of all columns that have one.
pub(super) static SERIES: LazyLock<HashMap<&'static str, Series>> = LazyLock::new(|| {
    figure_columns()
        .filter_map(|column| Some((column, series(column)?)))
        .collect()
});

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
