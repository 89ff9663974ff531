//! Rows as gauges of OpenTelemetry: messages of protocol buffers (OTLP 1), without the gRPC around them.

use prost::Message;

use crate::args::Label;
use crate::output::prometheus::user_label;
use crate::store::StoredRow;

use super::series::{SERIES, number};

/// `ExportMetricsServiceRequest`.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

/// `KeyValue`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Text>,
}

/// `AnyValue`, of which only texts are used.
#[derive(Clone, PartialEq, Eq, Message)]
struct Text {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(message, optional, tag = "5")]
    gauge: Option<Gauge>,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(message, repeated, tag = "1")]
    points: Vec<Point>,
}

/// `NumberDataPoint`.
#[derive(Clone, PartialEq, Message)]
struct Point {
    #[prost(fixed64, tag = "2")]
    start_ns: u64,
    #[prost(fixed64, tag = "3")]
    at_ns: u64,
    #[prost(double, optional, tag = "4")]
    value: Option<f64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<Attribute>,
}

fn attribute(key: &str, value: &str) -> Attribute {
    let text = Some(value.to_owned());
    Attribute {
        key: key.to_owned(),
        value: Some(Text { text }),
    }
}

/// A point for each figure of a row, at its end.
pub(super) fn record(row: &StoredRow, host: &str, labels: &[Label]) -> Vec<u8> {
    let path = row.path.map(|path| attribute("path", &path.to_string()));
    let own = [
        attribute("session", &row.session),
        attribute("class", &row.class),
    ];
    let user = labels.iter();
    let user = user.map(|label| attribute(&user_label(&label.key), &label.value));
    let common: Vec<Attribute> = own.into_iter().chain(path).chain(user).collect();
    let ns = |at: twinpath_wire::Wall| u64::try_from(at.unix_ns()).unwrap_or(0);
    let metrics = row.figures().filter_map(|(column, value)| {
        let series = SERIES.get(column)?;
        let mut attributes = common.clone();
        attributes.extend(series.direction.map(|it| attribute("direction", it)));
        let value = number(value);
        let value = if series.is_time { value / 1e9 } else { value };
        let point = Point {
            start_ns: ns(row.start),
            at_ns: ns(row.end),
            value: Some(value),
            attributes,
        };
        Some(Metric {
            name: series.name.clone(),
            unit: if series.is_time { "s" } else { "1" }.to_owned(),
            gauge: Some(Gauge {
                points: vec![point],
            }),
        })
    });
    let scope = Scope {
        name: "twinpath".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let of_host = ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![
                attribute("service.name", "twinpath"),
                attribute("host.name", host),
            ],
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope),
            metrics: metrics.collect(),
        }],
    };
    // Requests one after the other are one with the metrics of all.
    let resource_metrics = vec![of_host];
    Request { resource_metrics }.encode_to_vec()
}
