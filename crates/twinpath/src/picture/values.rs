//! Delays and shares in words, as short as they can be read.

/// The units of axes, with their length in nanoseconds.
const UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")];

/// A unit in which the greatest of some values has one to three digits before the point.
pub(super) fn unit_for(greatest_ns: f64) -> (f64, &'static str) {
    let mut fitting = (1.0, "ns");
    for (length, name) in UNITS {
        if greatest_ns.abs() >= length {
            fitting = (length, name);
        }
    }
    fitting
}

/// A delay with three digits and its unit: `1.24 ms`, `843 us`.
pub(super) fn delay(ns: f64) -> String {
    let (length, name) = unit_for(ns);
    let value = ns / length;
    let decimals = match value.abs() {
        0.0 => 0,
        size if length <= 1.0 || size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.trim_start_matches(['-', '0', '.']).is_empty() {
        "0"
    } else {
        text.as_str()
    };
    format!("{text} {name}")
}
