//! Packets left out of the delays, and restarts of jitter.

use twinpath_metrics::{SessionMetrics, TtlFigures};
use twinpath_wire::{Delta, Dscp, Exclusion, Fate, Rung, Sample, Tos};

use crate::trace::{lost, numbered, received};

#[test]
fn late_lost_and_duplicate_packets_have_no_delay_and_are_counted() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&received(0, 10, 1, 10));
    metrics.record(&Sample {
        fate: Fate::Late,
        ..received(1, 9_000_000_000, 1, 10)
    });
    metrics.record(&lost(2));
    metrics.record(&Sample {
        fate: Fate::Duplicate,
        ..received(0, 500, 1, 10)
    });
    let figures = metrics.figures();
    assert_eq!(
        (
            figures.received,
            figures.lost,
            figures.late,
            figures.duplicates
        ),
        (1, 2, 1, 1)
    );
    let round_trip = figures.round_trip.unwrap();
    assert_eq!((round_trip.count, round_trip.max_ns), (1, 20));
    assert_eq!(figures.departure.unwrap().count, 3);
}

#[test]
fn excluded_packets_are_received_without_a_delay() {
    let mut metrics = SessionMetrics::new();
    let departure = Delta::from_ns(77);
    metrics.record(&received(0, 10, 1, 10));
    let step = Some(Exclusion::ClockStep);
    metrics.record(&Sample {
        excluded: step,
        departure,
        ..received(1, 1 << 50, 1, 10)
    });
    let odd = Some(Exclusion::Implausible);
    metrics.record(&Sample {
        excluded: odd,
        departure,
        ..received(2, 10, -5, 10)
    });
    metrics.record(&Sample {
        excluded: step,
        departure,
        ..lost(3)
    });
    let figures = metrics.figures();
    assert_eq!((figures.received, figures.lost), (3, 1));
    assert_eq!(
        (figures.excluded_clock_step, figures.excluded_implausible),
        (1, 1)
    );
    assert_eq!(figures.round_trip.unwrap().count, 1);
    let departures = figures.departure.unwrap();
    assert_eq!((departures.count, departures.max_ns), (2, 77));
}

#[test]
fn after_a_clock_step_nothing_is_compared_with_earlier_packets() {
    let step = |metrics: &mut SessionMetrics| metrics.record_clock_step();
    let sample = |metrics: &mut SessionMetrics| {
        let excluded = Some(Exclusion::ClockStep);
        metrics.record(&Sample {
            excluded,
            ..received(2, 0, 0, 0)
        });
    };
    let steps: [&dyn Fn(&mut SessionMetrics); 2] = [&step, &sample];
    for told in steps {
        let mut metrics = SessionMetrics::new();
        metrics.record(&received(0, 100, 1, 10));
        metrics.record(&received(1, 116, 1, 10));
        told(&mut metrics);
        metrics.record(&received(3, 1 << 40, 1, 10));
        let forward = metrics.figures().forward.unwrap();
        assert_eq!(
            (forward.jitter_ns, forward.ipdv_mean_abs_ns),
            (None, Some(16))
        );
        metrics.record(&received(2, (1 << 40) + 32, 1, 10));
        let forward = metrics.figures().forward.unwrap();
        assert_eq!(
            (forward.jitter_ns, forward.ipdv_mean_abs_ns),
            (Some(2), Some(24))
        );
    }
}

#[test]
fn an_implausible_packet_is_skipped_and_jitter_continues() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&received(0, 100, 1, 10));
    let excluded = Some(Exclusion::Implausible);
    metrics.record(&Sample {
        excluded,
        ..received(1, 900_000, 1, 10)
    });
    metrics.record(&received(2, 116, 1, 10));
    let forward = metrics.figures().forward.unwrap();
    assert_eq!(
        (forward.jitter_ns, forward.ipdv_mean_abs_ns),
        (Some(1), None)
    );
}

#[test]
fn a_pause_of_more_than_a_minute_restarts_jitter() {
    for (gap, jitter) in [(59_999, Some(1)), (60_002, None)] {
        let mut metrics = SessionMetrics::new();
        metrics.record(&received(0, 100, 1, 10));
        metrics.record(&received(gap, 116, 1, 10));
        assert_eq!(
            metrics.figures().forward.unwrap().jitter_ns,
            jitter,
            "{gap} ms"
        );
    }
}

#[test]
fn one_way_delays_keep_their_sign_and_their_precision_under_an_offset_of_hours() {
    let hours = -11 * 3_600_000_000_000;
    let mut metrics = SessionMetrics::new();
    for n in 0..1000 {
        metrics.record(&received(
            n,
            hours + i64::try_from(n).unwrap(),
            1,
            50 - hours,
        ));
    }
    let figures = metrics.figures();
    let forward = figures.forward.unwrap();
    assert_eq!((forward.p99_ns, forward.p90_ns), (hours + 989, hours + 899));
    assert_eq!(
        (forward.mean_ns, forward.median_ns),
        (hours + 500 - 1, hours + 500 - 1)
    );
    assert_eq!(forward.pdv_p99_ns, Some(989));
    assert_eq!(forward.stddev_ns, 289);
    assert_eq!(figures.backward.unwrap().median_ns, 50 - hours);
}

#[test]
fn a_residence_that_is_never_measured_is_reported() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&received(0, 10, 0, 10));
    assert!(metrics.figures().residence_never_measured);
    metrics.record(&received(1, 10, 3, 10));
    assert!(!metrics.figures().residence_never_measured);
}

#[test]
fn ttl_marking_and_rungs_are_those_of_received_packets() {
    let mut metrics = SessionMetrics::new();
    for (seq, ttl, tos) in [(0, 60, 0xb8), (1, 57, 0xbb), (2, 61, 0x00)] {
        let tos_backward = Some(Tos(tos));
        metrics.record(&Sample {
            ttl_forward: Some(ttl),
            ttl_backward: Some(ttl + 1),
            tos_backward,
            tos_forward: (seq > 0).then_some(Tos(0x2b)),
            ..numbered(seq, 0)
        });
    }
    let mut fallen = Sample {
        ttl_forward: Some(1),
        ..lost(3)
    };
    fallen.t1.rung = Rung::User;
    metrics.record(&fallen);
    let figures = metrics.figures();
    let ttl = |min, max| {
        let changes = 2;
        Some(TtlFigures { min, max, changes })
    };
    assert_eq!(figures.ttl_forward, ttl(57, 61));
    assert_eq!(figures.ttl_backward, ttl(58, 62));
    assert_eq!(figures.dscp_backward, [(Dscp::BE, 1), (Dscp::EF, 2)]);
    assert_eq!(figures.congestion_backward, 1);
    assert_eq!(figures.dscp_forward, [(Dscp::new(10).unwrap(), 2)]);
    assert_eq!(figures.congestion_forward, Some(2));
    let silent = SessionMetrics::new().figures();
    assert_eq!(
        (silent.dscp_forward, silent.congestion_forward),
        (vec![], None)
    );
    assert_eq!(figures.stamps_transmit.best(), Some(Rung::Kernel));
    assert_eq!(
        (
            figures.stamps_transmit.fell_back(),
            figures.stamps_receive.total()
        ),
        (1, 3)
    );
}

#[test]
fn the_mean_of_two_middle_values_may_lie_between_them() {
    let mut metrics = SessionMetrics::new();
    for (seq, departure) in [(0, -4), (1, -1)] {
        metrics.record(&Sample {
            departure: Delta::from_ns(departure),
            ..numbered(seq, 0)
        });
    }
    let departure = metrics.figures().departure.unwrap();
    assert_eq!((departure.median_ns, departure.mean_ns), (-3, -3));
    assert_eq!((departure.p90_ns, departure.stddev_ns), (-1, 2));
}
