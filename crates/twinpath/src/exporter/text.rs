//! Families as text, of Prometheus and of OpenMetrics, and which format a client wants.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Families, Kind, Value};
use super::protobuf;

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text, version 0.0.4.
    Prometheus,
    /// OpenMetrics' text, version 1.0.0.
    OpenMetrics,
    /// Prometheus' messages, with native histograms.
    Protobuf,
}

/// The name of Prometheus' messages.
const MESSAGE: &str = "io.prometheus.client.MetricFamily";

impl Format {
    /// The one that an `Accept` header prefers; another than Prometheus' text only where it is named.
    pub(super) fn of(accept: &str) -> Self {
        let weight = |of: Self| {
            let ranges = accept.split(',').filter_map(MediaRange::parse);
            let weights = ranges
                .filter(|range| range.is(of))
                .map(|range| range.weight);
            weights.fold(0.0, f64::max)
        };
        let plain = weight(Self::Prometheus);
        let (open, messages) = (weight(Self::OpenMetrics), weight(Self::Protobuf));
        if messages > 0.0 && messages >= open && messages >= plain {
            Self::Protobuf
        } else if open > 0.0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The families in this format.
    ///
    /// # Errors
    /// None that memory does not cause.
    pub(super) fn encode(self, families: Arc<Families>) -> Result<Vec<u8>, fmt::Error> {
        let registered = |families| {
            let mut registry = Registry::with_prefix("twinpath");
            registry.register_collector(Box::new(Collected(families)));
            registry
        };
        let mut out = String::new();
        match self {
            Self::Prometheus => prometheus_text::encode(&mut out, &registered(families))?,
            Self::OpenMetrics => text::encode(&mut out, &registered(families))?,
            Self::Protobuf => return Ok(protobuf::encode(&families)),
        }
        Ok(out.into_bytes())
    }
}

/// A part of an `Accept` header (RFC 9110 section 12.5.1).
struct MediaRange<'a> {
    kind: &'a str,
    version: Option<&'a str>,
    /// Of messages: which.
    proto: Option<&'a str>,
    /// Of messages: how they are delimited.
    encoding: Option<&'a str>,
    weight: f64,
}

impl<'a> MediaRange<'a> {
    /// `None`: it is none.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| !kind.is_empty())?;
        let mut range = Self {
            kind,
            version: None,
            proto: None,
            encoding: None,
            weight: 1.0,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                "version" => range.version = Some(value),
                "proto" => range.proto = Some(value),
                "encoding" => range.encoding = Some(value),
                "q" => range.weight = value.parse().ok()?,
                _ => {}
            }
        }
        Some(range)
    }

    /// It names this format.
    fn is(&self, format: Format) -> bool {
        match format {
            Format::Prometheus => {
                self.kind == "text/plain" && matches!(self.version, None | Some("0.0.4"))
            }
            Format::OpenMetrics => {
                let versions = matches!(self.version, None | Some("1.0.0"));
                self.kind == "application/openmetrics-text" && versions
            }
            Format::Protobuf => {
                self.kind == "application/vnd.google.protobuf"
                    && self.proto == Some(MESSAGE)
                    && self.encoding == Some("delimited")
            }
        }
    }
}

#[derive(Debug)]
struct Collected(Arc<Families>);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let with_samples = self.0.iter().filter(|family| !family.samples.is_empty());
        for family in with_samples {
            let (kind, unit) = match family.kind {
                Kind::Counter => (MetricType::Counter, None),
                Kind::Gauge => (MetricType::Gauge, None),
                Kind::Seconds => (MetricType::Gauge, Some(&Unit::Seconds)),
                Kind::Times => (MetricType::Histogram, Some(&Unit::Seconds)),
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, unit, kind)?;
            for sample in &family.samples {
                let labels = (&*sample.labels, sample.own.as_slice());
                if labels.0.is_empty() && labels.1.is_empty() {
                    write(&mut metric, family.kind, &sample.value)?;
                } else {
                    let mut metric = metric.encode_family(&labels)?;
                    write(&mut metric, family.kind, &sample.value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(metric: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(count, None)
        }
        (Kind::Counter, Value::Number(number)) => {
            metric.encode_counter::<NoLabelSet, _, f64>(number, None)
        }
        (_, Value::Count(count)) => metric.encode_gauge(count),
        (_, Value::Number(number)) => metric.encode_gauge(number),
        (_, Value::Times(times)) => {
            metric.encode_histogram::<NoLabelSet>(times.sum_s, times.count, &times.buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::family::Family;
    use crate::exporter::fixtures;

    fn text(format: Format, families: Families) -> String {
        String::from_utf8(format.encode(Arc::new(families)).unwrap()).unwrap()
    }

    #[test]
    fn counts_are_exact_and_what_has_no_sample_is_omitted() {
        let families = vec![
            Family::counter("packets", "a \\ b", u64::MAX),
            Family::counters("by", "help", "reason", [("a", 1), ("b", 0)]),
            Family::seconds("unknown", "help", None),
            Family::seconds("time", "help", [1.5]),
            Family::info("info", "help", [("version", "a\"b\\c\nd".to_owned())]),
        ];
        assert_eq!(
            text(Format::Prometheus, families.clone()),
            "# HELP twinpath_packets_total a \\\\ b\n\
             # TYPE twinpath_packets_total counter\n\
             twinpath_packets_total 18446744073709551615\n\
             # HELP twinpath_by_total help\n\
             # TYPE twinpath_by_total counter\n\
             twinpath_by_total{reason=\"a\"} 1\n\
             twinpath_by_total{reason=\"b\"} 0\n\
             # HELP twinpath_time_seconds help\n\
             # TYPE twinpath_time_seconds gauge\n\
             twinpath_time_seconds 1.5\n\
             # HELP twinpath_info help\n\
             # TYPE twinpath_info gauge\n\
             twinpath_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"
        );
        let open = text(Format::OpenMetrics, families);
        assert!(
            open.contains("\n# UNIT twinpath_time_seconds seconds\n"),
            "{open}"
        );
        assert!(open.ends_with("\n# EOF\n"), "{open}");
    }

    /// Each metric as a row of a table.
    fn rows(families: Families) -> Vec<String> {
        let text = text(Format::Prometheus, families);
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("# "));
        let mut rows = Vec::new();
        while let (Some(help), Some(kind)) = (lines.next(), lines.next()) {
            let (name, help) = help.strip_prefix("HELP ").unwrap().split_once(' ').unwrap();
            let kind = kind.rsplit_once(' ').unwrap().1;
            rows.push(format!("| `{name}` | {kind} | {help} |"));
        }
        rows
    }

    #[test]
    fn every_metric_is_documented() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rows = rows(fixtures::all());
        assert!(rows.len() > 30);
        let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
        assert!(missing.is_empty(), "{missing:#?}");
        let documented = page.lines().filter(|line| line.starts_with("| `twinpath_"));
        let unknown: Vec<&str> = documented
            .filter(|line| !rows.iter().any(|row| row == line))
            .collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
    }
}
