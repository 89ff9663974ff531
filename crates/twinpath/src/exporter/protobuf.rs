//! Families as messages of Prometheus (`io.prometheus.client.MetricFamily`, each with its length before it). They
//! alone have native histograms.

use std::iter::once;

use prost::Message;

use super::family::{Families, Family, Kind, Native, Sample, Times, Value};

/// The numbers of `MetricType`.
const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
const HISTOGRAM: i32 = 4;
/// Values nearer to 0 are in the zero bucket: only 0 is. It also says that a histogram without values is a native one.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39; // 2^-128

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, boxed, tag = "7")]
    histogram: Option<Box<Histogram>>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A `Gauge` or a `Counter`.
#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "10")]
    negative_delta: Vec<i64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
}

/// Of a classic histogram.
#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

/// Buckets in a row of a native histogram.
#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    /// From the end of the span before, of the first one from bucket 0.
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// All families that have samples.
pub(super) fn encode(families: &Families) -> Vec<u8> {
    let mut octets = Vec::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        octets.extend(message(family).encode_length_delimited_to_vec());
    }
    octets
}

fn message(family: &Family) -> MetricFamily {
    let (kind, unit) = match family.kind {
        Kind::Counter => (COUNTER, ""),
        Kind::Gauge => (GAUGE, ""),
        Kind::Seconds => (GAUGE, "seconds"),
        Kind::Times => (HISTOGRAM, "seconds"),
    };
    MetricFamily {
        name: family.full_name(),
        // As the text formats have it.
        help: family.help.to_owned(),
        kind,
        metric: family.samples.iter().map(|it| metric(kind, it)).collect(),
        unit: unit.to_owned(),
    }
}

fn metric(kind: i32, sample: &Sample) -> Metric {
    let pair = |name: &str, value: &str| LabelPair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let labels = sample.labels.iter().map(|(name, value)| pair(name, value));
    let own = sample.own.iter().map(|(name, value)| pair(name, value));
    let mut metric = Metric {
        label: labels.chain(own).collect(),
        ..Metric::default()
    };
    let number = match &sample.value {
        Value::Count(count) => double(*count),
        Value::Number(number) => *number,
        Value::Times(times) => {
            metric.histogram = Some(Box::new(histogram(times)));
            return metric;
        }
    };
    let number = Some(Number { value: number });
    if kind == COUNTER {
        metric.counter = number;
    } else {
        metric.gauge = number;
    }
    metric
}

/// The format has no other numbers; Prometheus stores none.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts are doubles wherever they are read"
)]
fn double(count: u64) -> f64 {
    count as f64
}

fn histogram(times: &Times) -> Histogram {
    let mut below = 0_u64;
    let buckets = times.buckets.iter().map(|(upper_bound, count)| {
        below = below.saturating_add(*count);
        Bucket {
            cumulative_count: below,
            upper_bound: *upper_bound,
        }
    });
    let bucket = buckets.collect();
    let (negative_span, negative_delta) = spans(&times.native.negative);
    let (positive_span, positive_delta) = spans(&times.native.positive);
    Histogram {
        sample_count: times.count,
        sample_sum: times.sum_s,
        bucket,
        schema: Native::SCHEMA,
        zero_threshold: ZERO_THRESHOLD,
        zero_count: times.native.zero,
        negative_span,
        negative_delta,
        positive_span,
        positive_delta,
    }
}

/// Where buckets are, and by how much the count of each is greater than that of the one before.
fn spans(buckets: &[(i32, u64)]) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0;
    for (index, _) in buckets {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            Some(_) | None => spans.push(BucketSpan {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
    }
    let counts = buckets.iter().map(|(_, count)| count.cast_signed());
    let before = once(0).chain(counts.clone());
    let deltas = counts
        .zip(before)
        .map(|(count, before)| count.wrapping_sub(before));
    (spans, deltas.collect())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn buckets_in_a_row_share_a_span() {
        let (found, deltas) = spans(&[(-5, 3), (-4, 1), (2, 7), (3, 7)]);
        let span = |offset, length| BucketSpan { offset, length };
        assert_eq!(found, [span(-5, 2), span(5, 2)]);
        assert_eq!(deltas, [3, -2, 6, 0]);
        assert_eq!(spans(&[]), (vec![], vec![]));
    }

    /// By the format's definition: a tag is the field's number and kind, 2 has a length.
    #[test]
    fn a_family_is_a_message_with_its_length_before_it() {
        let family = Family::counters("by", "help", "reason", [("a", 3)]);
        let octets = encode(&vec![family.clone()]);
        let name = b"\x0a\x11twinpath_by_total";
        let help = b"\x12\x04help";
        // Labels are field 1 of the metric, the counter its field 3; 3.0 in little endian.
        let label = b"\x0a\x0b\x0a\x06reason\x12\x01a";
        let counter = b"\x1a\x09\x09\x00\x00\x00\x00\x00\x00\x08\x40";
        let metric = [&b"\x22\x18"[..], label, counter].concat();
        let message = [&name[..], help, &metric].concat();
        let length = u8::try_from(message.len()).unwrap();
        assert_eq!(octets, [&[length], &message[..]].concat());
        let none = Family {
            samples: Vec::new(),
            ..family
        };
        assert!(encode(&vec![none]).is_empty());
    }

    #[test]
    fn all_families_are_there_and_all_values_in_some_bucket() {
        let all = fixtures::all();
        let octets = encode(&all);
        let mut left = &octets[..];
        let mut names = Vec::new();
        while !left.is_empty() {
            let family = MetricFamily::decode_length_delimited(&mut left).unwrap();
            for histogram in family.metric.iter().filter_map(|it| it.histogram.as_ref()) {
                let total = |deltas: &[i64]| {
                    let mut count = 0;
                    let counts = deltas.iter().map(|delta| {
                        count += delta;
                        count
                    });
                    counts.sum::<i64>().cast_unsigned()
                };
                let (negative, positive) = (&histogram.negative_delta, &histogram.positive_delta);
                let in_buckets = total(negative) + total(positive) + histogram.zero_count;
                assert_eq!(in_buckets, histogram.sample_count, "{}", family.name);
                assert!(histogram.sample_count > 0);
            }
            names.push(family.name);
        }
        assert_eq!(names.len(), all.len());
        assert!(names.contains(&"twinpath_round_trip_delay_seconds".to_owned()));
        assert!(names.contains(&"twinpath_reflector_replies_total".to_owned()));
    }
}
