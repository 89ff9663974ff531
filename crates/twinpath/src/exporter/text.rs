//! Families as text, of Prometheus and of OpenMetrics, and which of them a client wants.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Families, Kind, Value};

/// A format of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Version 0.0.4.
    Prometheus,
    /// Version 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Format {
    /// The one that an `Accept` header prefers; OpenMetrics only where it is named.
    pub(super) fn of(accept: &str) -> Self {
        let weight = |of: &dyn Fn(&MediaRange<'_>) -> bool| {
            let ranges = accept.split(',').filter_map(MediaRange::parse);
            let weights = ranges.filter(of).map(|range| range.weight);
            weights.fold(0.0, f64::max)
        };
        let open = weight(&|range| {
            range.kind == OPEN_METRICS && matches!(range.version, None | Some("1.0.0"))
        });
        let plain = weight(&|range| {
            range.kind == "text/plain" && matches!(range.version, None | Some("0.0.4"))
        });
        if open > 0.0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The families in this format.
    ///
    /// # Errors
    /// None that memory does not cause.
    pub(super) fn encode(self, families: Arc<Families>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("twinpath");
        registry.register_collector(Box::new(Collected(families)));
        let mut out = String::new();
        match self {
            Self::Prometheus => prometheus_text::encode(&mut out, &registry)?,
            Self::OpenMetrics => text::encode(&mut out, &registry)?,
        }
        Ok(out)
    }
}

/// A part of an `Accept` header (RFC 9110 section 12.5.1).
struct MediaRange<'a> {
    kind: &'a str,
    version: Option<&'a str>,
    weight: f64,
}

impl<'a> MediaRange<'a> {
    /// `None`: it is none.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| !kind.is_empty())?;
        let (mut version, mut weight) = (None, 1.0);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "version" => version = Some(value.trim().trim_matches('"')),
                "q" => weight = value.trim().parse().ok()?,
                _ => {}
            }
        }
        Some(Self {
            kind,
            version,
            weight,
        })
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
        format.encode(Arc::new(families)).unwrap()
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
