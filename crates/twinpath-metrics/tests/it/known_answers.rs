//! The worked examples of the RFCs.

use serde_json::Value;
use twinpath_metrics::{
    DelayFigures, Figures, Histogram, MetricsConfig, ReflectorKind, SessionMetrics,
};
use twinpath_wire::{Delta, Fate, Sample, Wall};

use crate::trace::{lost, numbered, received};

pub(crate) fn data(key: &str) -> Value {
    let all: Value =
        serde_json::from_str(include_str!("../../../../testdata/metrics.json")).unwrap();
    all[key].clone()
}

fn integers(list: &Value) -> Vec<i64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_i64().unwrap())
        .collect()
}

fn departures(values: &[i64]) -> DelayFigures {
    let mut metrics = SessionMetrics::new();
    for (seq, value) in (0..).zip(values) {
        metrics.record(&Sample {
            departure: Delta::from_ns(*value),
            ..numbered(seq, 0)
        });
    }
    metrics.figures().departure.unwrap()
}

#[test]
fn reordering_is_that_of_rfc_4737() {
    let mut seen = 0;
    for case in data("reordering").as_array().unwrap() {
        let mut metrics = SessionMetrics::new();
        for seq in integers(&case["arrivals"]) {
            metrics.record(&numbered(u64::try_from(seq).unwrap(), 0));
        }
        let figures = metrics.figures();
        let told = figures.reordering;
        let late = integers(&case["reordered"]);
        assert_eq!(figures.reordered, late.len() as u64, "{case}");
        assert!((told.ratio().unwrap() - case["ratio"].as_f64().unwrap()).abs() < 1e-12);
        let extents: Vec<u64> = late
            .iter()
            .map(|seq| case["extent"][seq.to_string()].as_u64().unwrap())
            .collect();
        assert_eq!(told.extent_max, extents.iter().copied().max(), "{case}");
        assert_eq!(
            told.extent_sum,
            extents.into_iter().map(u128::from).sum::<u128>()
        );
        let n = case["n_reordering"].as_object().unwrap();
        for (place, count) in (1..).zip(told.n_reordered) {
            let expected = n
                .get(&format!("{place}"))
                .map_or(0, |count| count.as_u64().unwrap());
            assert_eq!(count, expected, "{place}-reordering, {case}");
        }
        let largest = n.keys().map(|n| n.parse().unwrap()).max();
        assert_eq!(told.n_largest, largest, "{case}");
        let runs = integers(&case["free_runs"]);
        assert_eq!(told.free_runs, runs.len() as u64, "{case}");
        assert_eq!(told.in_order, case["a"].as_u64().unwrap(), "{case}");
        assert_eq!(
            told.run_squares,
            u128::from(case["q"].as_u64().unwrap()),
            "{case}"
        );
        seen += 1;
    }
    assert_eq!(seen, 4);
}

/// In RFC 4737 section 7, packets leave every 20 ms, and the arrival times of late ones are given.
#[test]
fn late_times_are_those_of_rfc_4737() {
    let cases = data("reordering");
    let times: [&[i64]; 3] = [
        &[68, 88, 108, 148, 168, 188, 208, 210, 228, 248],
        &[68, 88, 108, 128, 188, 189, 190, 208, 228, 248],
        &[68, 88, 108, 188, 208, 228, 248, 250, 252, 256, 268],
    ];
    for (case, times) in cases.as_array().unwrap().iter().zip(times) {
        let mut metrics = SessionMetrics::new();
        for (seq, ms) in integers(&case["arrivals"]).into_iter().zip(times) {
            let mut sample = numbered(u64::try_from(seq).unwrap(), 0);
            sample.t4.as_mut().unwrap().at = Wall::from_unix_ns(ms * 1_000_000);
            metrics.record(&sample);
        }
        let told = metrics.figures().reordering;
        let late: Vec<u64> = case["late_time_ms"]
            .as_object()
            .unwrap()
            .values()
            .map(|ms| ms.as_u64().unwrap() * 1_000_000)
            .collect();
        assert_eq!(told.late_time_max_ns, late.iter().copied().max(), "{case}");
        assert_eq!(
            told.late_time_sum_ns,
            u128::from(late.iter().sum::<u64>()),
            "{case}"
        );
        assert_eq!(told.late_times, late.len() as u64);
    }
}

#[test]
fn loss_periods_and_distances_are_those_of_rfc_3357() {
    let case = data("loss_periods");
    let lost_ones = integers(&case["lost"]);
    let mut metrics = SessionMetrics::with_config(&MetricsConfig {
        noticeable_distance: 2,
        ..MetricsConfig::default()
    });
    for seq in 1..=case["total_packets"].as_i64().unwrap() {
        let number = u64::try_from(seq).unwrap();
        metrics.record(&if lost_ones.contains(&seq) {
            lost(number)
        } else {
            numbered(number, 0)
        });
    }
    let told = metrics.figures().loss_periods;
    assert_eq!(told.periods, case["periods"].as_u64().unwrap());
    let lengths = integers(&case["lengths"]);
    assert_eq!(told.longest, lengths.iter().max().unwrap().unsigned_abs());
    assert_eq!(told.mean_length(), Some(1.25));
    assert_eq!(told.lengths().collect::<Vec<_>>(), [(1, 1, 3), (2, 2, 1)]);
    let inter: i64 = integers(&case["inter_lengths"]).iter().sum();
    assert_eq!(told.inter_sum, inter.unsigned_abs());
    assert_eq!(told.mean_inter_length(), Some(7.0 / 3.0));
    let rate = case["noticeable_rate_delta2"].as_f64();
    assert_eq!(told.noticeable_rate(), rate);
}

#[test]
fn duplicates_are_those_of_rfc_5560() {
    let mut seen = 0;
    for case in data("duplicates").as_array().unwrap() {
        let mut metrics = SessionMetrics::new();
        let mut known = Vec::new();
        for seq in integers(&case["arrivals"]) {
            let fate = if known.contains(&seq) {
                Fate::Duplicate
            } else {
                Fate::Received
            };
            known.push(seq);
            metrics.record(&Sample {
                fate,
                ..numbered(u64::try_from(seq).unwrap(), 0)
            });
        }
        let figures = metrics.figures();
        let told = figures.duplication;
        assert_eq!(
            told.fraction(),
            case["duplication_fraction"].as_f64(),
            "{case}"
        );
        assert_eq!(
            told.replicated_rate(),
            case["replicated_rate"].as_f64(),
            "{case}"
        );
        assert_eq!(figures.round_trip.unwrap().count, figures.received);
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn variation_of_the_delays_of_rfc_5481_is_as_computed_there_and_by_rfc_3550() {
    let case = data("delay_variation");
    let jitter = case["rfc3550_jitter"].as_array().unwrap();
    let mut metrics = SessionMetrics::new();
    for (seq, (delay, jitter)) in (0..).zip(integers(&case["delays"]).into_iter().zip(jitter)) {
        metrics.record(&received(
            seq,
            delay * 1_000_000 - 7_000_000,
            3_000,
            7_000_000,
        ));
        let figures = metrics.figures();
        let expected = (jitter.as_f64().unwrap() * 1e6).round() as u64;
        for delay in [figures.round_trip.unwrap(), figures.forward.unwrap()] {
            assert_eq!(
                delay.jitter_ns,
                (seq > 0).then_some(expected),
                "packet {seq}"
            );
        }
        assert_eq!(figures.backward.unwrap().jitter_ns, (seq > 0).then_some(0));
    }
    let figures = metrics.figures().round_trip.unwrap();
    assert_eq!(figures.ipdv_mean_abs_ns, Some(7_500_000));
    assert_eq!(figures.mean_ns, 19_000_000);
    assert_eq!(figures.stddev_ns, 4_898_979);
    assert_eq!((figures.min_ns, figures.max_ns), (10_000_000, 25_000_000));
    assert!(figures.median_ns.abs_diff(20_000_000) <= 20_000_000 / 1024);
    assert_eq!(figures.pdv_p99_ns, Some(15_000_000));
}

#[test]
fn percentiles_and_medians_are_those_of_rfc_2330() {
    let case = data("percentiles");
    let values = integers(&case["values"]);
    let mut histogram = Histogram::new();
    for value in &values {
        histogram.record(*value);
    }
    let expected = ["p25", "p50", "p100"].map(|key| case[key].as_i64().unwrap());
    assert_eq!(histogram.at_ranks([2, 3, 6]), expected);

    let tenfold: Vec<i64> = values.iter().map(|value| value * 10).collect();
    assert_eq!(departures(&tenfold).median_ns, 55);
    assert_eq!(departures(&values).median_ns, 6);
    let received = integers(&case["conditional"]["values"]);
    assert_eq!(departures(&received).median_ns, 100);
    assert_eq!(departures(&received).p90_ns, 110);
}

#[test]
fn four_timestamps_of_rfc_5905_give_its_round_trip() {
    let case = data("offset");
    let at = |key: &str| Wall::from_unix_ns(case[key].as_i64().unwrap());
    let mut sample = received(0, 0, 0, 0);
    (sample.t1.at, sample.t2, sample.t3) = (at("t1"), Some(at("t2")), Some(at("t3")));
    sample.t4.as_mut().unwrap().at = at("t4");
    let mut metrics = SessionMetrics::new();
    metrics.record(&sample);
    let figures = metrics.figures();
    assert_eq!(
        figures.round_trip.unwrap().min_ns,
        case["delta"].as_i64().unwrap()
    );
    assert_eq!(figures.forward.unwrap().min_ns, 4300);
    assert_eq!(figures.backward.unwrap().min_ns, -4260);
    assert_eq!(figures.residence.unwrap().min_ns, 10);
}

fn direction(case: &Value, kind: ReflectorKind) -> Figures {
    let mut metrics = SessionMetrics::with_config(&kind.into());
    let first = case["replies"][0][0].as_u64().unwrap();
    let sent = case["sent"].as_u64().unwrap_or(4);
    let mut answered = Vec::new();
    for reply in case["replies"].as_array().unwrap() {
        let (s, r) = (reply[0].as_u64().unwrap(), reply[1].as_u64().unwrap());
        let s = if s < first { s + (1 << 32) } else { s };
        answered.push(s);
        metrics.record(&numbered(s, u32::try_from(r).unwrap()));
    }
    for seq in (first..first + sent).filter(|seq| !answered.contains(seq)) {
        metrics.record(&lost(seq));
    }
    metrics.figures()
}

#[test]
fn losses_have_the_direction_that_the_reflectors_numbers_show() {
    let mut seen = 0;
    for case in data("direction_of_loss").as_array().unwrap() {
        let figures = direction(case, ReflectorKind::Undeclared);
        assert_eq!(figures.lost, case["lost"].as_u64().unwrap(), "{case}");
        assert_eq!(
            figures.lost_forward,
            case["lost_forward"].as_u64(),
            "{case}"
        );
        assert_eq!(
            figures.lost_backward,
            case["lost_backward"].as_u64(),
            "{case}"
        );
        let unattributed = case["lost_unattributed"].as_u64().unwrap_or(figures.lost);
        assert_eq!(figures.lost_unattributed, Some(unattributed), "{case}");
        assert!(!figures.direction_uncertain, "{case}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn a_declared_counter_gives_equal_numbers_a_direction() {
    let cases = data("direction_of_loss");
    for (case, expected) in [(2, [0, 1, 0]), (4, [0, 1, 0])] {
        let figures = direction(&cases[case], ReflectorKind::Stateful);
        let split = [
            figures.lost_forward,
            figures.lost_backward,
            figures.lost_unattributed,
        ];
        assert_eq!(split, expected.map(Some), "{}", cases[case]);
        assert!(figures.numbers_equal);
    }
    let figures = direction(&cases[0], ReflectorKind::Stateless);
    assert_eq!((figures.lost_forward, figures.lost_backward), (None, None));
    assert_eq!(figures.lost_unattributed, Some(5));
}

#[test]
fn the_median_absolute_deviation_is_the_middle_distance_from_the_median() {
    for (values, expected) in [
        (&[7][..], 0),
        (&[1, 1, 2, 2, 4, 6, 9], 1),
        (&[9, 6, 4, 2, 2, 1, 1], 1),
        (&[-10, 0, 10, 1_000], 10),
        (&[0, 10], 5),
    ] {
        assert_eq!(departures(values).mad_ns, expected, "{values:?}");
    }
}
