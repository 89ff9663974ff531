//! The reflector's counter restarts during the run (row M-29).

use twinpath_metrics::SessionMetrics;
use twinpath_wire::Sample;

use crate::trace::{lost, numbered};

fn run(replies: impl IntoIterator<Item = (u64, u32)>, lost_ones: &[u64]) -> SessionMetrics {
    let mut metrics = SessionMetrics::new();
    for (s, r) in replies {
        metrics.record(&numbered(s, r));
    }
    for seq in lost_ones {
        metrics.record(&lost(*seq));
    }
    metrics
}

#[test]
fn losses_around_a_restart_have_no_direction_and_those_beside_it_do() {
    let before = [(0, 0), (2, 1), (3, 2), (5, 4)]; // 1 forward, 4 backward
    let after = [(9, 0), (11, 2), (13, 3)]; // 6 to 8 unknown, 10 backward, 12 forward
    let figures = run(before.into_iter().chain(after), &[1, 4, 6, 7, 8, 10, 12]).figures();
    assert_eq!(figures.reflector_restarts, 1);
    assert_eq!(figures.lost_forward, Some(2));
    assert_eq!(figures.lost_backward, Some(2));
    assert_eq!(figures.lost_unattributed, Some(3));
    assert!(!figures.direction_uncertain);
}

#[test]
fn a_small_first_number_means_that_the_counter_started_at_zero() {
    let before = (0..50).map(|n| (n, u32::try_from(n).unwrap()));
    let figures = run(before.chain([(57, 3)]), &[50, 51, 52, 53, 54, 55, 56]).figures();
    assert_eq!(figures.reflector_restarts, 1);
    assert_eq!(
        (figures.lost_forward, figures.lost_backward),
        (Some(0), Some(3))
    );
    assert_eq!(figures.lost_unattributed, Some(4));
}

#[test]
fn a_first_number_over_16_tells_nothing_of_where_the_counter_started() {
    // 50 to 79 are lost, and the new counter's first reply has this number.
    let lost: Vec<u64> = (50..80).collect();
    for (number, backward) in [(15, 15), (16, 16), (17, 0), (18, 0)] {
        let before = (0..50).map(|n| (n, u32::try_from(n).unwrap()));
        let figures = run(before.chain([(80, number)]), &lost).figures();
        assert_eq!(figures.reflector_restarts, 1, "{number}");
        assert_eq!(figures.lost_backward, Some(backward), "{number}");
        assert_eq!(figures.lost_unattributed, Some(30 - backward), "{number}");
    }
}

#[test]
fn many_restarts_take_no_more_memory_than_none() {
    let (mut metrics, mut without) = (SessionMetrics::new(), SessionMetrics::new());
    for seq in 0..5000 {
        metrics.record(&numbered(seq, u32::try_from(seq % 10).unwrap()));
        without.record(&numbered(seq, u32::try_from(seq).unwrap()));
    }
    let figures = metrics.figures();
    assert_eq!(figures.reflector_restarts, 499);
    assert_eq!(figures.lost_backward, Some(0));
    assert!(metrics.memory_octets() <= without.memory_octets());
}

#[test]
fn a_packet_overtaken_on_the_way_back_is_no_restart() {
    let mut metrics = run(
        (0..20)
            .chain(21..40)
            .map(|n| (n, u32::try_from(n + 3).unwrap())),
        &[],
    );
    metrics.record(&numbered(20, 23));
    let figures = metrics.figures();
    assert_eq!((figures.reflector_restarts, figures.reordered), (0, 1));
    assert_eq!(figures.lost_backward, Some(0));
}

#[test]
fn a_reply_from_before_the_restart_that_comes_after_it_counts_for_the_old_counter() {
    let metrics = run(
        [(0, 100), (1, 101), (2, 102), (4, 0), (5, 1), (3, 103)],
        &[],
    );
    let figures = metrics.figures();
    assert_eq!((figures.reflector_restarts, figures.lost), (1, 0));
    assert_eq!(
        (figures.lost_forward, figures.lost_backward),
        (Some(0), Some(0))
    );
    assert!(!figures.direction_uncertain);
}

#[test]
fn a_restart_starts_jitter_and_ipdv_anew_but_not_those_of_the_departure() {
    let mut metrics = SessionMetrics::new();
    for (s, r) in [(0, 50), (1, 51), (2, 52)] {
        metrics.record(&numbered(s, r));
    }
    let wild = Sample {
        reflector_seq: Some(0),
        ..crate::trace::received(3, 9_000_000, 0, 0)
    };
    metrics.record(&wild);
    let figures = metrics.figures();
    assert_eq!(figures.reflector_restarts, 1);
    let forward = figures.forward.unwrap();
    assert_eq!(
        (forward.jitter_ns, forward.ipdv_mean_abs_ns),
        (None, Some(0))
    );
    assert_eq!(figures.departure.unwrap().jitter_ns, Some(0));
}

#[test]
fn a_counter_that_falls_over_half_of_its_range_is_a_restart_too() {
    let far = 3_000_000_000;
    let replies = (0..10).map(|n| (n, far + u32::try_from(n).unwrap()));
    let figures = run(replies.chain([(10, 0), (12, 2)]), &[11]).figures();
    assert_eq!(figures.reflector_restarts, 1);
    assert_eq!(
        (figures.lost_forward, figures.lost_backward),
        (Some(0), Some(1))
    );
}

#[test]
fn another_source_address_is_no_restart_and_losses_around_the_change_have_no_direction() {
    // 1 forward, 4 backward; 6 to 8 around the change; 10 backward, 12 forward.
    let after: [[(u64, u32); 3]; 3] = [
        [(9, 0), (11, 2), (13, 3)],
        // So few numbers were seen before that these may look like a continuation or repetition.
        [(9, 3), (11, 5), (13, 6)],
        [(9, 4), (11, 6), (13, 7)],
    ];
    for after in after {
        let mut metrics = run([(0, 0), (2, 1), (3, 2), (5, 4)], &[1, 4]);
        metrics.record_source_change();
        for (s, r) in after {
            metrics.record(&numbered(s, r));
        }
        for seq in [6, 7, 8, 10, 12] {
            metrics.record(&lost(seq));
        }
        let figures = metrics.figures();
        assert_eq!(figures.reflector_restarts, 0, "{after:?}");
        assert_eq!(figures.lost_forward, Some(2), "{after:?}");
        assert_eq!(figures.lost_backward, Some(2), "{after:?}");
        assert_eq!(figures.lost_unattributed, Some(3), "{after:?}");
        assert!(!figures.direction_uncertain, "{after:?}");
    }
}

#[test]
fn a_reflector_that_starts_again_after_another_source_address_is_counted() {
    let mut metrics = run((0..40).map(|n| (n, u32::try_from(n).unwrap())), &[]);
    metrics.record_source_change();
    for (s, r) in (40..80).chain(80..90).zip((0..40).chain(0..10)) {
        metrics.record(&numbered(s, r));
    }
    assert_eq!(metrics.figures().reflector_restarts, 1);
}
