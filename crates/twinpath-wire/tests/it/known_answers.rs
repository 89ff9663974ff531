//! Answers computed by hand from the RFCs.

use std::time::Duration;

use serde_json::Value;
use twinpath_wire::{ErrorEstimate, TimeFormat, Wall, WireTime};

use crate::data;

fn answers(section: &str) -> Value {
    let text = std::fs::read_to_string(data("time.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[section].clone()
}

fn hex(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

#[test]
fn unix_time_becomes_ntp_and_back() {
    let rows = answers("unix_ns_to_ntp");
    for row in rows.as_array().unwrap() {
        let at = Wall::from_unix_ns(row["unix_ns"].as_i64().unwrap());
        let stamp = WireTime::ntp(at);
        assert_eq!(stamp.bits(), hex(&row["ntp"]), "{}", row["utc"]);
        assert_eq!(stamp.read(TimeFormat::Ntp, at, 0), at, "{}", row["utc"]);
        let octets: [u8; 8] = zerocopy::transmute!(stamp);
        assert_eq!(u64::from_be_bytes(octets), hex(&row["ntp"]));
    }
    assert_eq!(rows.as_array().unwrap().len(), 6);
}

#[test]
fn ptp_time_is_tai() {
    let row = answers("ptp_truncated")[0].clone();
    let tai = i32::try_from(row["tai_minus_utc"].as_i64().unwrap()).unwrap();
    let at = Wall::from_unix_ns(1_795_443_840_500_000_000);
    assert_eq!(WireTime::ptp(at, tai).bits(), hex(&row["wire"]));
    assert_eq!(WireTime::ptp(at, tai).read(TimeFormat::Ptp, at, tai), at);
}

#[test]
fn error_estimates_are_read() {
    let rows = answers("error_estimate");
    for row in rows.as_array().unwrap() {
        let bits = u16::try_from(hex(&row["hex"])).unwrap();
        let estimate = ErrorEstimate::from_bits(bits);
        assert_eq!(
            u64::from(estimate.synchronized()),
            row["s"].as_u64().unwrap()
        );
        assert_eq!(
            estimate.format() == TimeFormat::Ptp,
            row["z"].as_u64().unwrap() == 1
        );
        assert_eq!(u64::from(estimate.scale()), row["scale"].as_u64().unwrap());
        assert_eq!(
            u64::from(estimate.multiplier()),
            row["multiplier"].as_u64().unwrap()
        );
        let seconds = row["seconds"].as_f64();
        assert_eq!(estimate.error_ns().is_some(), seconds.is_some());
        if let (Some(ns), Some(seconds)) = (estimate.error_ns(), seconds) {
            let ns: f64 = ns.to_string().parse().unwrap();
            assert!(
                (ns - seconds * 1e9).abs() <= 1.0 + seconds,
                "{ns} {seconds}"
            );
        }
    }
    assert_eq!(rows.as_array().unwrap().len(), 5);
}

#[test]
fn error_estimates_are_written() {
    let rows = answers("error_estimate_encode")["cases"].clone();
    for row in rows.as_array().unwrap() {
        let error = Duration::from_secs_f64(row["error_s"].as_f64().unwrap());
        let estimate = ErrorEstimate::new(true, TimeFormat::Ntp, error);
        assert_eq!(u64::from(estimate.bits()), hex(&row["hex_s1"]), "{error:?}");
    }
    assert_eq!(rows.as_array().unwrap().len(), 6);
}

#[test]
fn the_extremes_of_an_error_estimate_are_legal() {
    let none = ErrorEstimate::new(false, TimeFormat::Ptp, Duration::ZERO);
    assert_eq!(none.bits(), 0x4001);
    let all = ErrorEstimate::new(false, TimeFormat::Ntp, Duration::MAX);
    assert_eq!(all.bits(), 0x3fff);
}
