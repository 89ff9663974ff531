//! Documents of reports built by hand.

use std::time::Duration;

use serde_json::json;
use twinpath_proto::sender::Schedule;
use twinpath_report::document::SessionDocument;
use twinpath_report::{Requested, SessionReport};
use twinpath_wire::Tos;
use twinpath_wire::control::SecurityMode;

use twinpath_report::document::METRICS;

use super::*;
use crate::output::fixtures;

fn document(report: SessionReport) -> String {
    let mut out = Vec::new();
    Json::new(&mut out, fixtures::meta())
        .report([report].as_slice().into())
        .unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn keys_and_their_order_are_a_contract() {
    insta::assert_snapshot!("json_quiet_path", document(fixtures::quiet_path()));
    insta::assert_snapshot!("json_loss", document(fixtures::loss()));
    insta::assert_snapshot!(
        "json_nothing_came_back",
        document(fixtures::nothing_came_back())
    );
}

#[test]
fn a_ratio_with_a_denominator_of_zero_is_null() {
    let mut report = fixtures::nothing_came_back();
    (report.counters.sent, report.counters.lost) = (0, 0);
    let document: serde_json::Value = serde_json::from_str(&document(report)).unwrap();
    assert!(document["sessions"][0]["packets"]["loss_ratio"].is_null());
}

fn session(report: &SessionReport, requested: Requested) -> serde_json::Value {
    let meta = Meta {
        requested,
        ..fixtures::meta()
    };
    let reports = [report.clone()];
    let document = Document::new(&meta, reports.as_slice().into());
    let mut document = serde_json::to_value(document).unwrap();
    document["sessions"][0].take()
}

#[test]
fn a_rough_path_has_its_known_answers() {
    let requested = Requested {
        with_loss: true,
        ..Requested::default()
    };
    let found = session(&fixtures::rough_path(), requested);
    let is = |pointer: &str, expected: serde_json::Value| {
        assert_eq!(found.pointer(pointer), Some(&expected), "{pointer}");
    };
    is("/packets/loss_ratio_forward", json!(0.02));
    is("/packets/loss_ratio_backward", json!(1.0 / 196.0));
    is("/loss_periods/losses", json!(5));
    is("/loss_periods/periods", json!(3));
    is("/loss_periods/longest", json!(3));
    is("/loss_periods/mean_length", json!(5.0 / 3.0));
    // From 12 to 50 and from 50 to 60.
    is("/loss_periods/mean_inter_length", json!(24.0));
    is(
        "/loss_periods/lengths",
        json!([{"from": 1, "to": 1, "periods": 2}, {"from": 3, "to": 4, "periods": 1}]),
    );
    // 11 and 12, 50 and 60 are within 99 packets of the loss before.
    is("/loss_periods/delta", json!(99));
    is("/loss_periods/noticeable", json!(4));
    is("/loss_periods/noticeable_rate", json!(0.8));
    is("/duplication/answered", json!(195));
    is("/duplication/copies", json!(2));
    is("/duplication/copies_forward", json!(1));
    is("/duplication/copies_backward", json!(1));
    is("/duplication/fraction", json!(2.0 / 195.0));
    is("/duplication/replicated", json!(2));
    is("/duplication/replicated_rate", json!(2.0 / 195.0));
    is("/reordering/round_trip/reordered", json!(1));
    is("/reordering/round_trip/ratio", json!(1.0 / 195.0));
    is("/reordering/round_trip/extent_max", json!(2));
    // 90 came 250.61 ms after it was due, 91 100 ms and 1.29 ms after that.
    is(
        "/reordering/round_trip/late_time_max_ns",
        json!(149_320_000),
    );
    is("/reordering/round_trip/n_largest", json!(2));
    let degree = |n: u8, packets: u8| json!({"n": n, "packets": packets, "ratio": f64::from(packets) / 195.0});
    is(
        "/reordering/round_trip/n_reordered",
        json!([degree(1, 1), degree(2, 1), degree(3, 0)]),
    );
    is("/reordering/forward/reordered", json!(0));
    is("/reordering/backward/reordered", json!(1));
    is(
        "/ttl_forward",
        json!({"min": 251, "max": 251, "changes": 0, "hops_min": 4, "hops_max": 4}),
    );
    is(
        "/ttl_backward",
        json!({"min": 248, "max": 250, "changes": 1, "hops_min": 5, "hops_max": 7}),
    );
    is("/marking/forward", json!(null));
    is("/marking/backward/remarked_dscp", json!(5));
    is("/marking/backward/expected_tos", json!(184));
    is("/availability/ratio", json!(1.0));
    is("/availability/blocks", json!(20));
    // 600 us and 590 us is every 15th packet's, 60 and 90 aside.
    is(
        "/bins/round_trip/0",
        json!({"from_ns": null, "to_ns": 1_200_000, "count": 12}),
    );
    is(
        "/bins/round_trip/4",
        json!({"from_ns": 2_000_000, "to_ns": null, "count": 1}),
    );
    is("/percentiles_with_loss/round_trip/undefined", json!(5));
    is("/percentiles_with_loss/round_trip/p99_ns", json!(null));
    is("/percentiles_with_loss/forward/undefined", json!(4));
    is("/one_way/basis", json!("unsynchronized"));
    is("/one_way/forward/raw/error_bound_ns", json!(null));
    is("/histograms/round_trip/count", json!(195));
    is("/registry", json!({}));
}

#[test]
fn a_call_over_a_rough_path_has_its_known_quality() {
    let found = session(&fixtures::rough_path(), Requested::default());
    let voice = |key: &str| found.pointer(&format!("/voice/{key}")).unwrap().clone();
    assert_eq!(voice("codec"), "G.711 with PLC");
    assert_eq!(voice("jitter_buffer_ns"), 40_000_000);
    assert_eq!(voice("packet_ns"), 20_000_000);
    for (way, lost, sent) in [("forward", 4.0, 200.0), ("backward", 2.0, 196.0)] {
        let of = |key: &str| voice(&format!("{way}/{key}"));
        let number = |key: &str| of(key).as_f64().unwrap();
        assert_eq!(of("delay_from_round_trip"), true);
        assert_eq!(of("loss_from_round_trip"), false);
        // Half of 1.19 ms, the buffer and the packet.
        assert_eq!(of("mouth_to_ear_ns"), 60_595_000);
        let loss: f64 = 100.0 * lost / sent;
        assert!((number("loss_ratio") - loss / 100.0).abs() < 1e-9, "{way}");
        // By hand: ITU-T G.107 with Ie 0 and Bpl 25.1, of periods of 5/3 packets.
        let burst_ratio = 5.0 / 3.0 * (1.0 - loss / 100.0);
        let r = 93.2 - 0.024 * 60.595 - 95.0 * loss / (loss / burst_ratio + 25.1);
        assert!((number("burst_ratio") - burst_ratio).abs() < 1e-9, "{way}");
        assert!((number("r_factor") - r).abs() < 1e-9, "{way} {r}");
        let mos = 1.0 + 0.035 * r + 7e-6 * r * (r - 60.0) * (100.0 - r);
        assert!((number("mos_cqe") - mos).abs() < 1e-9, "{way} {mos}");
    }
}

#[test]
fn clocks_that_drift_apart_are_reported_within_their_bounds() {
    let found = session(&fixtures::rough_path(), Requested::default());
    let number = |pointer: &str| found.pointer(pointer).unwrap().as_f64().unwrap();
    let clocks = |key: &str| number(&format!("/one_way/clocks/{key}"));
    let skew = clocks("skew_ppm");
    assert!(
        (skew - 20.0).abs() <= clocks("skew_error_bound_ppm"),
        "{skew}"
    );
    assert!((skew - 20.0).abs() < 1.0, "{skew}");
    // At the last packet, by 5 ms and 20 us a second for 19.9 s.
    let offset = clocks("offset_ns");
    assert!(
        (offset - 5_398_000.0).abs() <= clocks("offset_error_bound_ns") + 100.0,
        "{offset}"
    );
    for (direction, least, greatest) in [
        ("forward", 600_000.0, 800_000.0),
        ("backward", 590_000.0, 250_000_000.0),
    ] {
        let of = |key: &str| number(&format!("/one_way/{direction}/{key}"));
        let bound = of("deskewed/error_bound_ns");
        assert!(
            (of("deskewed/min_ns") - least).abs() <= bound,
            "{direction}"
        );
        assert!(
            (of("deskewed/max_ns") - greatest).abs() <= bound,
            "{direction}"
        );
        let bound = of("variation/error_bound_ns");
        let range = greatest - least;
        assert!(
            (of("variation/max_ns") - range).abs() <= bound,
            "{direction}"
        );
        // Raw delays measure the clocks.
        assert!(
            (of("raw/min_ns") - least).abs() > 4_000_000.0,
            "{direction}"
        );
    }
}

#[test]
fn histograms_of_the_document_are_whole() {
    let report = fixtures::rough_path();
    let found = session(&report, Requested::default());
    let of = |key: &str| {
        found
            .pointer(&format!("/histograms/forward/{key}"))
            .unwrap()
            .clone()
    };
    let list = |key: &str| serde_json::from_value::<Vec<i64>>(of(key)).unwrap();
    let bins = list("lower_ns")
        .into_iter()
        .zip(list("upper_ns"))
        .zip(list("counts"));
    let parts = twinpath_metrics::DistributionParts {
        count: of("count").as_u64().unwrap(),
        min_ns: of("min_ns").as_i64().unwrap(),
        max_ns: of("max_ns").as_i64().unwrap(),
        sum_ns: of("sum_ns").as_i64().unwrap().into(),
        squares_ns2: of("squares_ns2").as_f64().unwrap(),
        ipdv_sum_ns: of("ipdv_sum_ns").as_u64().unwrap().into(),
        ipdv_pairs: of("ipdv_pairs").as_u64().unwrap(),
        histogram: twinpath_metrics::HistogramParts {
            reference_ns: of("reference_ns").as_i64(),
            bins_per_octave: u32::try_from(of("bins_per_octave").as_u64().unwrap()).unwrap(),
            bins: bins
                .map(
                    |((lower_ns, upper_ns), count)| twinpath_metrics::HistogramBin {
                        lower_ns,
                        upper_ns,
                        count: count.unsigned_abs(),
                    },
                )
                .collect(),
        },
    };
    assert_eq!(parts, report.delays.forward.parts());
    let again = twinpath_metrics::Distribution::from_parts(&parts).unwrap();
    let figures = again.figures().unwrap();
    assert_eq!(figures.p99_ns, report.figures.forward.unwrap().p99_ns);
}

#[test]
fn automatic_bins_hold_every_packet() {
    let requested = Requested {
        automatic_bins: true,
        ..Requested::default()
    };
    let found = session(&fixtures::rough_path(), requested);
    for direction in ["round_trip", "forward", "backward"] {
        let bins = found["bins"][direction].as_array().unwrap();
        let sum: u64 = bins.iter().filter_map(|bin| bin["count"].as_u64()).sum();
        assert_eq!(sum, 195, "{direction}");
        assert!(bins.len() <= 23, "{direction}: {}", bins.len());
    }
}

#[test]
fn figures_of_a_registered_metric_have_its_name() {
    let mut report = fixtures::quiet_path();
    assert_eq!(
        session(&report, Requested::default())["registry"],
        json!({})
    );
    // 142 octets, one every 20 ms, begun within a second, a timeout of 3 s, unmarked, TTL 255.
    (report.identity.padding, report.identity.tos) = (128, Tos(0));
    report.identity.schedule = Schedule::every(Duration::from_millis(20));
    report.identity.timeout = Duration::from_secs(3);
    report.identity.start_within = Duration::from_secs(1);
    let found = session(&report, Requested::default());
    let names = found["registry"].as_object().unwrap();
    assert_eq!(
        names["forward.p95_ns"],
        "OWDelay_Active_IP-UDP-Periodic20m-Payload142B_RFC8912sec8_Seconds_95Percentile"
    );
    for key in names.keys() {
        // Without a series there is no figure of the clocks; all others have one.
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(found.pointer(&pointer).is_some(), "{key}");
    }
    let mut poisson = report.clone();
    poisson.identity.padding = 236;
    poisson.identity.schedule = Schedule::Poisson {
        mean: Duration::from_secs(1),
    };
    assert_eq!(
        session(&poisson, Requested::default())["registry"]["forward.p95_ns"],
        "OWDelay_Active_IP-UDP-Poisson-Payload250B_RFC8912sec7_Seconds_95Percentile"
    );
    poisson.identity.schedule = Schedule::Uniform {
        least: Duration::ZERO,
        most: Duration::from_secs(2),
    };
    assert_eq!(
        session(&poisson, Requested::default())["registry"],
        json!({})
    );
    report.identity.wire.security = SecurityMode::Encrypted;
    assert_eq!(
        session(&report, Requested::default())["registry"],
        json!({})
    );
}

/// Entries of a document that are not figures: the parameters of a session.
const PARAMETERS: [&str; 23] = [
    "availability.bad_above",
    "availability.block_ns",
    "availability.in_a_row",
    "dscp",
    "interval_ns",
    "marking.backward.expected_tos",
    "marking.forward.expected_tos",
    "padding",
    "payload_octets",
    "schedule_parameters.interval_ns",
    "seed",
    "session",
    "ssid",
    "start_within_ns",
    "timeout_ns",
    "tos",
    "ttl",
    "voice.advantage",
    "voice.equipment_impairment",
    "voice.jitter_buffer_ns",
    "voice.look_ahead_ns",
    "voice.loss_robustness",
    "voice.packet_ns",
];

/// Objects whose keys are data, by kind, class or size.
const MAPS: [&str; 5] = [
    "bins",
    "dscp_backward",
    "dscp_forward",
    "histograms",
    "odd_replies",
];

/// Numbers of a document by path, except for those in lists.
fn numbers(value: &serde_json::Value, path: &str, found: &mut Vec<(String, serde_json::Value)>) {
    match value {
        serde_json::Value::Object(map) if !MAPS.contains(&path) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                numbers(value, &path, found);
            }
        }
        serde_json::Value::Number(_) => found.push((path.to_owned(), value.clone())),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => {}
    }
}

#[test]
fn each_number_of_a_session_has_a_row_in_the_table_of_figures_with_its_value() {
    let requested = Requested {
        with_loss: true,
        ..Requested::default()
    };
    let mut odd = fixtures::rough_path();
    odd.clocks = None;
    (odd.figures.lost_forward, odd.figures.lost_backward) = (None, None);
    odd.figures.ecn_forward = odd.figures.ecn_backward;
    (odd.counters.stamped, odd.counters.own_wait_ns) = (2, 3_000);
    let mut seen = std::collections::BTreeSet::new();
    let reports: Vec<SessionReport> = vec![
        fixtures::quiet_path(),
        fixtures::loss(),
        fixtures::nothing_came_back(),
        fixtures::rough_path(),
        odd,
    ];
    for report in reports {
        let document = SessionDocument::new(&report, None, &requested);
        let session = session(&report, requested);
        let mut found = Vec::new();
        numbers(&session, "", &mut found);
        let mut found: std::collections::BTreeMap<_, _> = found.into_iter().collect();
        for metric in METRICS.iter() {
            let value = metric.get(&document).map(|value| json!(value));
            assert_eq!(found.remove(&metric.path), value, "{}", metric.path);
            let pointer = format!("/{}", metric.path.replace('.', "/"));
            seen.extend(session.pointer(&pointer).map(|_| &metric.path));
        }
        found.retain(|path, _| !PARAMETERS.contains(&&**path));
        assert!(found.is_empty(), "no figure and no parameter: {found:?}");
    }
    let unseen = METRICS.iter().filter(|metric| !seen.contains(&metric.path));
    let unseen: Vec<&str> = unseen.map(|metric| &*metric.path).collect();
    assert_eq!(unseen, [""; 0], "never seen");
}
