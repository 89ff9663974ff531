//! Rows as gauges of OpenTelemetry.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use twinpath_wire::Wall;

use crate::args::Label;
use crate::exporter::otlp::{attribute, request};
use crate::output::prometheus::user_label;
use crate::store::StoredRow;

use super::series::{SERIES, number};

/// A point for each figure of a row, at its end. Requests one after the other are one with the metrics of all.
pub(super) fn record(row: &StoredRow, host: &str, labels: &[Label]) -> Vec<u8> {
    let common = attributes(row, labels);
    let ns = |at: Wall| u64::try_from(at.unix_ns()).unwrap_or(0);
    let metrics = row.figures().filter_map(|(column, value)| {
        let series = SERIES.get(column)?;
        let mut attributes = common.clone();
        attributes.extend(
            series
                .direction
                .map(|it| attribute("direction", it.to_owned())),
        );
        let value = number(value);
        let (value, unit) = if series.is_time {
            (value / 1e9, "s")
        } else {
            (value, "1")
        };
        let point = NumberDataPoint {
            attributes,
            start_time_unix_nano: ns(row.start),
            time_unix_nano: ns(row.end),
            value: Some(Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let data_points = vec![point];
        Some(Metric {
            name: series.name.clone(),
            unit: unit.to_owned(),
            data: Some(Data::Gauge(Gauge { data_points })),
            ..Metric::default()
        })
    });
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "twinpath".to_owned()),
            attribute("host.name", host.to_owned()),
        ],
        ..Resource::default()
    };
    request(metrics.collect(), &resource).encode_to_vec()
}

/// Whose row it is.
fn attributes(row: &StoredRow, labels: &[Label]) -> Vec<KeyValue> {
    let path = row.path.map(|path| ("path".to_owned(), path.to_string()));
    let own = [("session", &row.session), ("class", &row.class)];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_string()));
    let user = labels.iter();
    let user = user.map(|label| (user_label(&label.key), label.value.clone()));
    let all = own.into_iter().chain(path).chain(user);
    all.map(|(name, value)| attribute(&name, value)).collect()
}
