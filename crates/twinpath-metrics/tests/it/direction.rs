//! Loss by direction: reported directions are true, during and at the end of a run.

use proptest::prelude::*;
use twinpath_metrics::{Figures, ReflectorKind, SessionMetrics};
use twinpath_wire::{Fate, Sample};

use crate::trace::{lost, numbered, orderly, session};

fn split(figures: &Figures) -> [Option<u64>; 3] {
    [
        figures.lost_forward,
        figures.lost_backward,
        figures.lost_unattributed,
    ]
}

proptest! {
    // Figures after every event: fewer cases are enough.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
    #[test]
    fn on_an_orderly_path_every_loss_between_two_replies_has_its_true_direction(
        fortunes in prop::collection::vec(orderly(), 0..300),
    ) {
        let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
        for event in session(&fortunes, (0, 0), 0, None) {
            metrics.record(&event.sample);
        }
        let back = |f: &crate::trace::Fortune| !f.lost_forward && !f.lost_backward;
        let end = fortunes.iter().rposition(back).map_or(0, |last| last + 1);
        let (told, tail) = fortunes.split_at(end);
        let forward = told.iter().filter(|f| f.lost_forward).count() as u64;
        let backward = told.iter().filter(|f| !f.lost_forward && f.lost_backward).count() as u64;
        let figures = metrics.figures();
        if end > 0 {
            prop_assert_eq!(split(&figures), [forward, backward, tail.len() as u64].map(Some));
        } else {
            prop_assert_eq!(split(&figures), [None, None, Some(tail.len() as u64)]);
        }
        prop_assert!(!figures.direction_uncertain);
    }

    #[test]
    fn during_a_run_only_true_directions_are_reported(
        fortunes in prop::collection::vec(orderly(), 1..200),
        restart_at in prop::option::of(17_usize..200),
    ) {
        let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
        let forward = fortunes.iter().filter(|f| f.lost_forward).count() as u64;
        let backward = fortunes.iter().filter(|f| !f.lost_forward && f.lost_backward).count() as u64;
        for event in session(&fortunes, (0, 0), 0, restart_at) {
            metrics.record(&event.sample);
            let figures = metrics.figures();
            let [ours_forward, ours_backward, rest] = split(&figures).map(|n| n.unwrap_or(0));
            prop_assert!(ours_forward <= forward, "{ours_forward} forward of {forward}");
            prop_assert!(ours_backward <= backward, "{ours_backward} backward of {backward}");
            prop_assert_eq!(ours_forward + ours_backward + rest, figures.lost);
        }
    }
}

#[test]
fn losses_before_the_first_reply_have_a_direction_too() {
    let mut metrics = SessionMetrics::new();
    for seq in 0..4 {
        metrics.record(&lost(seq));
    }
    assert_eq!(split(&metrics.figures()), [None, None, Some(4)]);
    metrics.record(&numbered(4, 1));
    assert_eq!(split(&metrics.figures()), [Some(3), Some(1), Some(0)]);
}

#[test]
fn a_counter_left_behind_by_an_earlier_session_loses_nothing() {
    for behind in [3, 100, u32::MAX - 4] {
        let mut metrics = SessionMetrics::new();
        let mut reflected = behind;
        for seq in 0..10 {
            if seq == 5 {
                continue;
            }
            metrics.record(&numbered(seq, reflected));
            reflected = reflected.wrapping_add(1);
        }
        metrics.record(&lost(5));
        assert_eq!(
            split(&metrics.figures()),
            [Some(1), Some(0), Some(0)],
            "from {behind}"
        );
    }
}

#[test]
fn a_late_packet_is_lost_in_neither_direction() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    metrics.record(&lost(1));
    metrics.record(&numbered(3, 2));
    metrics.record(&Sample {
        fate: Fate::Late,
        ..numbered(2, 1)
    });
    let figures = metrics.figures();
    assert_eq!((figures.lost, figures.late), (2, 1));
    assert_eq!(split(&figures), [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_number_that_was_never_sent_is_not_missed() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    metrics.record_not_sent(1, crate::trace::at(1));
    metrics.record(&numbered(3, 2));
    metrics.record(&lost(2));
    assert_eq!(split(&metrics.figures()), [Some(0), Some(1), Some(0)]);

    let mut unaware = SessionMetrics::new();
    unaware.record(&numbered(0, 0));
    unaware.record(&numbered(3, 2));
    unaware.record(&lost(2));
    assert_eq!(split(&unaware.figures()), [Some(0), Some(0), Some(1)]);
}

#[test]
fn copies_made_on_the_way_out_do_not_count_as_loss() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    metrics.record(&Sample {
        fate: Fate::Duplicate,
        ..numbered(0, 1)
    });
    metrics.record(&Sample {
        fate: Fate::Duplicate,
        ..numbered(0, 1)
    });
    metrics.record(&lost(1));
    metrics.record(&numbered(2, 2));
    let figures = metrics.figures();
    assert_eq!(split(&figures), [Some(1), Some(0), Some(0)]);
    assert_eq!(
        (figures.duplicates, figures.direction_uncertain),
        (2, false)
    );

    metrics.record(&numbered(4, 4));
    metrics.record(&lost(3));
    assert!(metrics.figures().direction_uncertain);
}

#[test]
fn a_lost_packet_that_was_overtaken_before_the_first_reply_makes_the_split_uncertain() {
    let mut metrics = SessionMetrics::new();
    for (seq, r) in [(102, 501), (103, 503)] {
        metrics.record(&numbered(seq, r)); // 502 was 101, whose reply was lost
    }
    metrics.record(&lost(100));
    metrics.record(&lost(101));
    let figures = metrics.figures();
    assert_eq!(split(&figures), [Some(0), Some(0), Some(2)]);
    assert!(figures.direction_uncertain);
}

#[test]
fn a_counter_seen_across_its_wrap_did_not_start_with_the_session() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(1, 0));
    metrics.record(&numbered(3, u32::MAX)); // reflected before 1; 0 met the number before that
    metrics.record(&lost(0));
    metrics.record(&lost(2));
    assert_eq!(split(&metrics.figures()), [Some(1), Some(0), Some(1)]);
}

#[test]
fn a_blackout_has_no_direction_until_a_later_packet_is_answered() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&lost(0));
    metrics.record(&numbered(1, 0));
    for seq in 2..1002 {
        metrics.record(&lost(seq));
    }
    assert_eq!(split(&metrics.figures()), [Some(1), Some(0), Some(1000)]);
    metrics.record(&numbered(1002, 401));
    assert_eq!(split(&metrics.figures()), [Some(601), Some(400), Some(0)]);
}

#[test]
fn without_a_reply_no_loss_has_a_direction() {
    let empty = SessionMetrics::new().figures();
    assert_eq!(split(&empty), [None, None, Some(0)]);
    assert!(empty.round_trip.is_none() && empty.departure.is_none());
    assert!(!empty.numbers_equal && !empty.residence_never_measured);
}

proptest! {
    // Figures after every event: fewer cases are enough.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
    #[test]
    fn any_numbers_of_a_reflector_keep_the_sum(
        replies in prop::collection::vec((0_u64..64, any::<u32>(), 0_usize..4, any::<i64>()), 0..200),
    ) {
        let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
        for (seq, r, fate, t3) in replies {
            let fate = [Fate::Received, Fate::Lost, Fate::Late, Fate::Duplicate][fate];
            let t3 = Some(twinpath_wire::Wall::from_unix_ns(t3));
            metrics.record(&Sample { fate, t3, t2: t3, ..numbered(seq, r) });
            let figures = metrics.figures();
            let sum: u64 = split(&figures).into_iter().flatten().sum();
            prop_assert_eq!(sum, figures.lost);
        }
    }
}
