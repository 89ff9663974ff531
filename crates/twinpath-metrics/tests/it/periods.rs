//! Loss periods over numbers that were never sent, late packets and long runs.

use proptest::prelude::*;
use twinpath_metrics::{MetricsConfig, SessionMetrics};
use twinpath_wire::{Fate, Sample};

use crate::order::compare_periods;
use crate::trace::{lost, numbered};

fn late(seq: u64) -> Sample {
    Sample {
        fate: Fate::Late,
        ..numbered(seq, seq as u32)
    }
}

proptest! {
    /// Each number is received, lost, late or never sent; the late are known some packets before
    /// the lost ones around them.
    #[test]
    fn numbers_that_were_never_sent_do_not_exist_for_loss_periods(
        kinds in prop::collection::vec(prop_oneof![6 => Just(0), 3 => Just(1), 2 => Just(2), 2 => Just(3)], 0..400),
        ahead in 0_usize..60,
        delta in 1_u64..6,
    ) {
        let mut metrics = SessionMetrics::with_config(&MetricsConfig {
            noticeable_distance: delta,
            ..MetricsConfig::default()
        });
        for step in 0..kinds.len() + 2 * ahead {
            if let Some(kind) = kinds.get(step) {
                match kind {
                    0 => metrics.record(&numbered(step as u64, step as u32)),
                    3 => metrics.record_not_sent(step as u64, crate::trace::at(step as u64)),
                    _ => {}
                }
            }
            if let Some(step) = step.checked_sub(ahead)
                && kinds.get(step) == Some(&2)
            {
                metrics.record(&late(step as u64));
            }
            if let Some(step) = step.checked_sub(2 * ahead)
                && kinds.get(step) == Some(&1)
            {
                metrics.record(&lost(step as u64));
            }
        }
        let fates: Vec<bool> =
            kinds.iter().filter(|kind| **kind != 3).map(|kind| *kind == 1 || *kind == 2).collect();
        compare_periods(&fates, &metrics.figures())?;
    }
}

#[test]
fn a_run_that_is_lost_as_a_whole_is_one_period() {
    let mut metrics = SessionMetrics::new();
    for seq in 0..100_000 {
        metrics.record(&lost(seq));
    }
    let periods = metrics.figures().loss_periods;
    assert_eq!((periods.periods, periods.longest), (1, 100_000));
    assert_eq!(periods.mean_length(), Some(100_000.0));
    assert_eq!(periods.mean_inter_length(), None);
    let lengths: Vec<(u64, u64, u64)> = periods.lengths().collect();
    assert_eq!(lengths, [(65_537, 131_072, 1)]);
}

#[test]
fn by_default_losses_within_99_packets_of_each_other_are_noticeable() {
    for (distance, noticeable) in [(98, 1), (99, 1), (100, 0)] {
        let mut metrics = SessionMetrics::new();
        for seq in 0..300 {
            metrics.record(&match seq {
                10 => lost(seq),
                _ if seq == 10 + distance => lost(seq),
                _ => numbered(seq, seq as u32),
            });
        }
        let periods = metrics.figures().loss_periods;
        assert_eq!((periods.delta, periods.losses), (99, 2));
        assert_eq!(periods.noticeable, noticeable, "{distance}");
        assert_eq!(periods.noticeable_rate(), Some(noticeable as f64 / 2.0));
    }
}

#[test]
fn without_a_loss_there_is_no_rate_and_no_mean() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    let periods = metrics.figures().loss_periods;
    assert_eq!(
        (periods.losses, periods.periods, periods.longest),
        (0, 0, 0)
    );
    assert_eq!(periods.mean_length(), None);
    assert_eq!(periods.noticeable_rate(), None);
}

#[test]
fn a_loss_that_is_told_too_late_is_counted_and_in_no_period() {
    let mut metrics = SessionMetrics::new();
    for seq in [5, 9, 7] {
        metrics.record(&lost(seq));
    }
    let periods = metrics.figures().loss_periods;
    assert_eq!(
        (periods.losses, periods.unplaced, periods.periods),
        (3, 1, 2)
    );
    assert_eq!(periods.mean_length(), Some(1.0));
}

#[test]
fn any_number_of_late_packets_and_gaps_takes_bounded_memory() {
    let mut metrics = SessionMetrics::new();
    for seq in 0..1000 {
        metrics.record_not_sent(3 * seq, crate::trace::at(3 * seq));
        metrics.record(&late(3 * seq + 1));
    }
    let before = metrics.memory_octets();
    for seq in 1000..100_000 {
        metrics.record_not_sent(3 * seq, crate::trace::at(3 * seq));
        metrics.record(&late(3 * seq + 1));
    }
    assert!(metrics.memory_octets() < before + 16 * 1024);
    // Every third packet was lost, of two that were sent.
    let periods = metrics.figures().loss_periods;
    assert_eq!((periods.losses, periods.periods), (100_000, 100_000));
    // Of the gaps beyond the last loss only the newest are remembered one by one.
    assert!((periods.mean_inter_length().unwrap() - 2.0).abs() < 0.02);
}
