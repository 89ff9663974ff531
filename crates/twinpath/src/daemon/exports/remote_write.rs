//! Rows as samples of Prometheus' remote write, version 1: messages of protocol buffers, compressed by Snappy.

use prost::Message;

use crate::args::Label;
use crate::output::prometheus::user_label;
use crate::store::StoredRow;

use super::series::{SERIES, number};

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

/// A batch.
pub(super) fn body(content: &[u8]) -> Vec<u8> {
    // Content of gigabytes alone is too large.
    let compressed = snap::raw::Encoder::new().compress_vec(content);
    compressed.unwrap_or_default()
}
