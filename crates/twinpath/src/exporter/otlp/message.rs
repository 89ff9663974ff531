//! Families as messages of OTLP. Names are those that Prometheus has, with the unit beside them, so that queries,
//! dashboard and alerts find them wherever a collector stores them.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::super::family::{self, Family, Kind, Sample, Value};
use crate::output::host_name;

/// The most octets of a request, unless one family has more: collectors take 4 MB and more.
const MOST_OCTETS: usize = 2 << 20;
/// From the start of the process.
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// When the counts began and when they were read, in nanoseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) start_ns: u64,
    pub(super) now_ns: u64,
}

/// The process that reports: what is given about it, and what is known.
pub(super) fn resource(given: Vec<(String, String)>) -> Resource {
    let host = host_name().unwrap_or_else(|| "localhost".to_owned());
    let known = [
        ("service.name", "twinpath".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        // Two on one host are told apart.
        (
            "service.instance.id",
            format!("{host}:{}", std::process::id()),
        ),
        ("host.name", host),
    ];
    let known = known
        .into_iter()
        .filter(|(name, _)| given.iter().all(|(it, _)| it != name));
    let known: Vec<KeyValue> = known.map(|(name, value)| attribute(name, value)).collect();
    let given = given
        .into_iter()
        .map(|(name, value)| attribute(&name, value));
    Resource {
        attributes: given.chain(known).collect(),
        ..Resource::default()
    }
}

/// All families that have samples, in requests of bounded size.
pub(super) fn requests(
    families: &[Family],
    resource: &Resource,
    times: Times,
) -> Vec<ExportMetricsServiceRequest> {
    let mut requests = Vec::new();
    let (mut metrics, mut octets) = (Vec::new(), 0);
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let metric = metric(family, times);
        let length = metric.encoded_len();
        if octets > 0 && octets + length > MOST_OCTETS {
            requests.push(request(std::mem::take(&mut metrics), resource));
            octets = 0;
        }
        octets += length;
        metrics.push(metric);
    }
    if !metrics.is_empty() {
        requests.push(request(metrics, resource));
    }
    requests
}

/// Metrics of a resource.
pub(crate) fn request(metrics: Vec<Metric>, resource: &Resource) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: "twinpath".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = ScopeMetrics {
        scope: Some(scope),
        metrics,
        ..ScopeMetrics::default()
    };
    let of_resource = ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![of_resource],
    }
}

fn metric(family: &Family, times: Times) -> Metric {
    let samples = family.samples.iter();
    let numbers = || samples.clone().filter_map(|it| number(it, times)).collect();
    let (data, unit) = match family.kind {
        Kind::Counter => {
            let sum = Sum {
                data_points: numbers(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            };
            (Data::Sum(sum), "")
        }
        Kind::Gauge | Kind::Seconds => {
            let unit = if family.kind == Kind::Gauge { "" } else { "s" };
            let data_points = numbers();
            (Data::Gauge(Gauge { data_points }), unit)
        }
        Kind::Times => {
            let points = samples.filter_map(|it| histogram(it, times));
            let histogram = Histogram {
                data_points: points.collect(),
                aggregation_temporality: CUMULATIVE,
            };
            (Data::Histogram(histogram), "s")
        }
    };
    Metric {
        name: family.full_name(),
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(sample: &Sample, times: Times) -> Option<NumberDataPoint> {
    let value = match &sample.value {
        Value::Count(count) => Number::AsInt(i64::try_from(*count).unwrap_or(i64::MAX)),
        Value::Number(number) => Number::AsDouble(*number),
        Value::Times(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: times.start_ns,
        time_unix_nano: times.now_ns,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn histogram(sample: &Sample, times: Times) -> Option<HistogramDataPoint> {
    let Value::Times(histogram) = &sample.value else {
        return None;
    };
    let family::Times {
        count,
        sum_s,
        buckets,
        native,
    } = &**histogram;
    let bounded = buckets.iter().map(|(_, count)| *count);
    let beyond = bounded.clone().fold(*count, u64::saturating_sub);
    Some(HistogramDataPoint {
        attributes: attributes(sample),
        start_time_unix_nano: times.start_ns,
        time_unix_nano: times.now_ns,
        count: *count,
        // With negative times it may fall, which receivers take for a restart.
        sum: native.negative.is_empty().then_some(*sum_s),
        bucket_counts: bounded.chain([beyond]).collect(),
        explicit_bounds: buckets.iter().map(|(bound_s, _)| *bound_s).collect(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    let labels = sample.labels.iter();
    let labels = labels.map(|(name, value)| attribute(name, value.clone()));
    let own = sample
        .own
        .map(|(name, value)| attribute(name, value.to_owned()));
    labels.chain(own).collect()
}

/// A name with a text.
pub(crate) fn attribute(name: &str, value: String) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Any::StringValue(value)),
        }),
        ..KeyValue::default()
    }
}
