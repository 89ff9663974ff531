//! TTL, DSCP and ECN as packets arrived, copies by direction, and the far end's resolution.

use twinpath_metrics::{
    EcnCounts, MetricsConfig, ReflectorKind, RemarkCounts, SessionMetrics, TtlFigures,
};
use twinpath_wire::{Fate, Sample, Tos, Wall};

use crate::trace::{lost, numbered, received};

#[test]
fn a_change_of_the_ttl_is_one_whatever_the_order_of_arrival() {
    let arrivals = [
        (0, 60),
        (1, 60),
        (4, 57),
        (2, 60),
        (3, 57),
        (9, 57),
        (7, 60),
    ];
    let mut metrics = SessionMetrics::new();
    for (seq, ttl) in arrivals {
        metrics.record(&Sample {
            ttl_forward: Some(ttl),
            ..numbered(seq, 0)
        });
    }
    let figures = metrics.figures();
    let (min, max, changes) = (57, 60, 3);
    assert_eq!(figures.ttl_forward, Some(TtlFigures { min, max, changes }));
    assert_eq!(figures.ttl_backward, None);
}

#[test]
fn changes_of_the_ttl_are_counted_over_gaps_longer_than_the_window() {
    let mut metrics = SessionMetrics::new();
    for (seq, ttl) in [
        (0, 60),
        (5000, 60),
        (10_000, 50),
        (9_999, 60),
        (9_000, 1),
        (3, 9),
    ] {
        metrics.record(&Sample {
            ttl_backward: Some(ttl),
            ..numbered(seq, 0)
        });
    }
    // 9,999 is put between 5,000 and 10,000, and 9,000 before it; 3 is too old for any place.
    let (min, max, changes) = (1, 60, 3);
    assert_eq!(
        metrics.figures().ttl_backward,
        Some(TtlFigures { min, max, changes })
    );
}

#[test]
fn packets_are_counted_by_ecn_field_and_remarks_against_what_was_sent() {
    let mut metrics = SessionMetrics::with_config(&MetricsConfig {
        tos_forward: Some(Tos(0xb8 | 2)),
        tos_backward: Some(Tos(0)),
        ..MetricsConfig::default()
    });
    // As sent; congestion met; DSCP bleached; ECN bleached; ECT(0) to ECT(1); unknown.
    let forward = [
        Some(0xba),
        Some(0xbb),
        Some(0x02),
        Some(0xb8),
        Some(0xb9),
        None,
    ];
    for (seq, tos) in (0..).zip(forward) {
        metrics.record(&Sample {
            tos_forward: tos.map(Tos),
            tos_backward: Some(Tos(if seq == 3 { 0x03 } else { 0x00 })),
            ..numbered(seq, 0)
        });
    }
    let figures = metrics.figures();
    let ecn = EcnCounts {
        not_ect: 1,
        ect_0: 2,
        ect_1: 1,
        ce: 1,
    };
    assert_eq!(figures.ecn_forward, Some(ecn));
    assert_eq!(
        figures.remarked_forward,
        Some(RemarkCounts { dscp: 1, ecn: 2 })
    );
    // A packet that is not ECN-capable cannot be marked for congestion.
    assert_eq!(
        figures.remarked_backward,
        Some(RemarkCounts { dscp: 0, ecn: 1 })
    );
    assert_eq!(figures.ecn_backward.unwrap().not_ect, 5);
}

#[test]
fn without_an_expected_or_received_marking_nothing_is_remarked() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&Sample {
        tos_backward: Some(Tos(0xb8)),
        ..numbered(0, 0)
    });
    assert_eq!(metrics.figures().remarked_backward, None);
    let mut metrics = SessionMetrics::with_config(&MetricsConfig {
        tos_forward: Some(Tos(0xb8)),
        ..MetricsConfig::default()
    });
    metrics.record(&numbered(0, 0));
    let figures = metrics.figures();
    assert_eq!(
        (figures.remarked_forward, figures.ecn_forward),
        (None, None)
    );
}

#[test]
fn a_copys_number_shows_where_it_was_made() {
    let duplicate = |s, r| Sample {
        fate: Fate::Duplicate,
        ..numbered(s, r)
    };
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    metrics.record(&duplicate(0, 0));
    let duplication = metrics.figures().duplication;
    assert_eq!((duplication.forward, duplication.backward), (None, None));
    metrics.record(&duplicate(0, 1));
    metrics.record(&numbered(1, 2));
    metrics.record(&duplicate(1, 2));
    metrics.record(&duplicate(1, 2));
    metrics.record(&lost(2));
    let duplication = metrics.figures().duplication;
    assert_eq!(
        (duplication.forward, duplication.backward),
        (Some(1), Some(3))
    );
    assert_eq!((duplication.answered, duplication.replicated), (2, 2));
    assert_eq!(duplication.fraction(), Some(2.0));
    assert_eq!(duplication.replicated_rate(), Some(1.0));

    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateless.into());
    assert_eq!(metrics.figures().duplication.fraction(), None);
    metrics.record(&numbered(0, 0));
    let duplication = metrics.figures().duplication;
    assert_eq!(
        (duplication.forward, duplication.backward),
        (Some(0), Some(0))
    );
}

#[test]
fn a_reflector_with_times_in_milliseconds_is_detected() {
    let run = |grid: i64| {
        let mut metrics = SessionMetrics::new();
        for seq in 0..100 {
            let mut sample = received(seq, 123_457 * seq as i64 % 1_000_003, 40_021, 90_000);
            for stamp in [&mut sample.t2, &mut sample.t3] {
                let at = stamp.unwrap().unix_ns();
                *stamp = Some(Wall::from_unix_ns(at - at % grid));
            }
            metrics.record(&sample);
        }
        metrics.figures().far_resolution_ns
    };
    assert_eq!(run(1_000_000), Some(1_000_000));
    assert_eq!(run(10_000), Some(10_000));
    assert_eq!(run(1), None);
}
