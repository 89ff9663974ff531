//! A session stays small for any delays.

use std::time::Duration;

use twinpath_metrics::{
    BinEdges, ClockModel, ClosedInterval, FigureMemory, MetricsConfig, Record, Series,
    SeriesConfig, SessionMetrics, Waits,
};
use twinpath_wire::{Delta, Fate, Sample, Wall};

use crate::trace::{lost, numbered, received};

/// The limit of a session's statistics, in octets.
const LIMIT: usize = 256 * 1024;
/// Of them, those of its clocks.
pub(crate) const CLOCKS: usize = 87 * 1024;

/// A sequence that visits all scales: xorshift.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn at_any_scale(state: &mut u64) -> i64 {
    random(state).cast_signed() >> (random(state) % 63)
}

#[test]
fn times_that_a_hostile_reflector_makes_up_stay_within_the_limit() {
    hostile(None, 32);
}

#[test]
fn a_thousand_user_defined_bins_stay_within_the_limit_too() {
    let bins = BinEdges::linear(-5_000_000, 10_000, 999).unwrap();
    hostile(Some(bins), 16);
}

/// With everything that a session may have, and at least this many bins per octave in the end.
fn hostile(bins: Option<BinEdges>, bins_per_octave: u32) {
    let mut metrics = SessionMetrics::with_config(&MetricsConfig {
        bins,
        ..MetricsConfig::default()
    });
    let mut clocks = ClockModel::new();
    let mut state = 88_172_645_463_325_252;
    let mut greatest = 0;
    for seq in 0..45_000 {
        if seq % 3 == 0 {
            metrics.record_not_sent(1_000_000 + 3 * seq, crate::trace::at(3 * seq));
            metrics.record(&Sample {
                fate: Fate::Late,
                ..numbered(1_000_001 + 3 * seq, random(&mut state) as u32)
            });
            let fate = Fate::Duplicate;
            let ttl = Some(random(&mut state) as u8);
            metrics.record(&Sample {
                fate,
                ..numbered(seq, 0)
            });
            metrics.record(&Sample {
                ttl_forward: ttl,
                ttl_backward: ttl,
                ..numbered(2_000_000 + random(&mut state) % 5000, 1)
            });
        }
        let t2 = Wall::from_unix_ns(at_any_scale(&mut state));
        let t3 = t2 + Delta::from_ns(at_any_scale(&mut state));
        let mut sample = Sample {
            t2: Some(t2),
            t3: Some(t3),
            ..numbered(seq, random(&mut state) as u32)
        };
        sample.t1.at = Wall::from_unix_ns(at_any_scale(&mut state));
        sample.t4.as_mut().unwrap().at = Wall::from_unix_ns(at_any_scale(&mut state));
        sample.departure = Delta::from_ns(at_any_scale(&mut state));
        metrics.record(&sample);
        clocks.record(&sample);
        greatest = greatest.max(metrics.memory_octets());
    }
    // The clocks' own tests use worse times that are consistent with each other.
    assert!(clocks.memory_octets() < CLOCKS);
    assert!(greatest + CLOCKS < LIMIT, "{greatest} octets");
    let figures = metrics.figures();
    let departure = figures.departure.unwrap();
    assert_eq!(departure.count, 75_000);
    assert!(
        departure.bins_per_octave >= bins_per_octave,
        "{}",
        departure.bins_per_octave
    );
    assert!(departure.median_ns.abs() < 1 << 40);
}

#[test]
fn a_busy_network_keeps_the_full_resolution_and_then_takes_no_more_memory() {
    let mut metrics = SessionMetrics::new();
    let mut state = 1;
    let mut spread = |centre: i64| {
        let noise: i64 = (0..4)
            .map(|_| (random(&mut state) % 2_000_000) as i64)
            .sum();
        centre + noise - 4_000_000 + i64::from(random(&mut state).is_multiple_of(1000)) * 90_000_000
    };
    let mut after_warming_up = 0;
    for seq in 0..400_000 {
        let residence = spread(4_020_000) / 40;
        let departure = Delta::from_ns(spread(4_000_000) / 80);
        let sample = received(seq, spread(9_000_000), residence, spread(9_000_000));
        let r = seq as u32;
        metrics.record(&Sample {
            departure,
            reflector_seq: Some(r.wrapping_add(7)),
            ..sample
        });
        if seq == 200_000 {
            after_warming_up = metrics.memory_octets();
        }
    }
    let figures = metrics.figures();
    for (kind, delay) in [
        ("round trip", figures.round_trip),
        ("forward", figures.forward),
        ("backward", figures.backward),
        ("residence", figures.residence),
        ("departure", figures.departure),
    ] {
        assert_eq!(delay.unwrap().bins_per_octave, 512, "{kind}");
    }
    assert!(
        metrics.memory_octets() + CLOCKS < LIMIT,
        "{} octets",
        metrics.memory_octets()
    );
    assert!(metrics.memory_octets() < after_warming_up + 10_000);
}

#[test]
fn a_session_takes_what_its_packets_need_and_from_some_number_on_no_more() {
    let mut metrics = SessionMetrics::new();
    let mut state = 5;
    let mut spread = || 100_000 + (random(&mut state) % 900_000) as i64;
    // After so many packets at most this.
    for (packets, most) in [(1, 4_500), (60, 7_000), (1_000, 55_000), (200_000, 140_000)] {
        let known = metrics.figures().received;
        for seq in known..packets {
            metrics.record(&received(seq, spread(), spread() / 10, spread()));
        }
        let octets = metrics.memory_octets();
        assert!(octets < most, "{octets} octets after {packets} packets");
    }
    let before = metrics.memory_octets();
    for seq in 200_000..400_000 {
        let fates = [Fate::Received, Fate::Late, Fate::Duplicate, Fate::Lost];
        let fate = fates[usize::try_from(seq % 4).unwrap()];
        metrics.record(&if fate == Fate::Lost {
            lost(seq)
        } else {
            Sample {
                fate,
                ..numbered(seq, seq as u32)
            }
        });
    }
    let octets = metrics.memory_octets();
    // One window of copied packets, one of delays that have gaps.
    assert!(octets < before + 36_000, "{octets} octets, {before} before");
}

/// As those that a daemon measures for weeks.
#[test]
fn a_long_session_with_little_memory_is_off_by_a_percent_and_its_intervals_are_not() {
    let mut state = 7;
    let mut spread = || 100_000 + (random(&mut state) % 3_000_000) as i64;
    let samples: Vec<Sample> = (0..20_000)
        .map(|seq| received(seq, spread(), spread() / 10, spread()))
        .collect();
    let measured = |memory| {
        let mut series = Series::new(SeriesConfig {
            metrics: MetricsConfig {
                memory,
                ..MetricsConfig::default()
            },
            waits: Waits::default(),
            interval: Some(Duration::from_millis(500)),
            columns: None,
        });
        series.record(&Record::Begun {
            at: samples[0].t1.at,
        });
        let mut rows = Vec::new();
        for sample in &samples {
            series.record(&Record::Sample(*sample));
            let intervals = series.rows().unwrap();
            rows.extend(std::iter::from_fn(|| intervals.close(sample.t1.at)));
        }
        let figures = series.metrics().figures().round_trip.unwrap();
        (series.memory_octets(), figures, rows)
    };
    let (octets, exact, rows) = measured(FigureMemory::default());
    let (fewer, coarse, same) = measured(FigureMemory::small(4));
    assert!(
        octets > 100_000 && fewer < 45_000,
        "{fewer} octets, {octets}"
    );
    assert!(coarse.bins_per_octave < exact.bins_per_octave);
    for (exact, coarse) in [
        (exact.median_ns, coarse.median_ns),
        (exact.p99_ns, coarse.p99_ns),
    ] {
        let error = (coarse - exact).abs();
        assert!(error > 0 && error * 100 < exact, "{coarse}, not {exact}");
    }
    assert!(rows.len() > 10, "{} rows", rows.len());
    let figures = |rows: &[ClosedInterval]| -> Vec<_> {
        rows.iter()
            .map(|row| row.figures().figures.round_trip)
            .collect()
    };
    assert_eq!(figures(&rows), figures(&same));
}

#[test]
fn a_session_of_a_minute_takes_less_than_its_figures() {
    let config = SeriesConfig {
        metrics: MetricsConfig::default(),
        waits: Waits::default(),
        interval: None,
        columns: None,
    };
    let mut series = Series::keeping_records(config, 4_096);
    let mut state = 5;
    let mut spread = || 100_000 + (random(&mut state) % 900_000) as i64;
    // After so many packets at most this.
    for (packets, most) in [(1, 550), (60, 1_600), (150, 4_000), (1_000, 70_000)] {
        let known = series.metrics().figures().received;
        for seq in known..packets {
            let sample = received(seq, spread(), spread() / 10, spread());
            series.record(&Record::Sample(Sample {
                departure: Delta::from_ns(spread() / 5),
                ..sample
            }));
        }
        let octets = series.memory_octets();
        assert!(octets < most, "{octets} octets after {packets} packets");
    }
}
