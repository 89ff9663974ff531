//! Reports of several runs as one.

use proptest::prelude::*;
use twinpath_metrics::{Figures, ReflectorKind, ReplyStatus, SessionMetrics, SessionState};
use twinpath_wire::Fate;

use crate::trace::{Event, lost, numbered, received, session, wild};

fn figures(events: &[Event]) -> Figures {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    for event in events {
        metrics.record(&event.sample);
    }
    metrics.figures()
}

proptest! {
    #[test]
    fn losses_at_the_end_are_those_behind_the_last_answer(
        fortunes in prop::collection::vec(wild(), 1..80),
    ) {
        let events = session(&fortunes, (0, 0), 0, None);
        let found = figures(&events);
        let samples = || events.iter().map(|event| &event.sample);
        let answered = samples().filter(|it| matches!(it.fate, Fate::Received | Fate::Late));
        let last = answered.max_by_key(|it| it.seq);
        let is_behind = |seq| last.is_none_or(|last| seq > last.seq);
        let behind = samples().filter(|it| it.fate == Fate::Lost && is_behind(it.seq));
        prop_assert_eq!(found.reply_status.answered_until, last.map(|it| it.t1.at));
        let lost_since = behind.count() as u64;
        prop_assert_eq!(found.reply_status.lost_since, lost_since);
        let state = match (last, lost_since) {
            (_, ReplyStatus::FAILED_AFTER..) => SessionState::Failed,
            (Some(_), _) => SessionState::Active,
            (None, _) => SessionState::Idle,
        };
        prop_assert_eq!(found.reply_status.state, state);
    }

    #[test]
    fn counts_of_merged_runs_are_sums_and_nothing_reaches_over_the_seam(
        one in prop::collection::vec(wild(), 1..80),
        other in prop::collection::vec(wild(), 1..80),
    ) {
        let runs = [one, other].map(|fortunes| figures(&session(&fortunes, (0, 0), 0, None)));
        let mut sum = runs[0].clone();
        sum.merge(&runs[1]);
        let total = |count: fn(&Figures) -> u64| runs.iter().map(count).sum::<u64>();
        prop_assert_eq!(sum.received, total(|run| run.received));
        prop_assert_eq!(sum.lost, total(|run| run.lost));
        prop_assert_eq!(sum.duplicates, total(|run| run.duplicates));
        prop_assert_eq!(sum.loss_periods.periods, total(|run| run.loss_periods.periods));
        prop_assert_eq!(sum.loss_periods.losses, sum.lost);
        let longest = runs.iter().map(|run| run.loss_periods.longest).max();
        prop_assert_eq!(Some(sum.loss_periods.longest), longest);
        prop_assert_eq!(sum.reordering.reordered, total(|run| run.reordering.reordered));
        prop_assert_eq!(sum.duplication.copies, sum.duplicates);
        prop_assert_eq!(
            sum.stamps_transmit.total(),
            total(|run| run.stamps_transmit.total())
        );
        prop_assert_eq!(
            sum.availability.map(|a| a.blocks),
            Some(total(|run| run.availability.map_or(0, |a| a.blocks)))
        );
        if let (Some(forward), Some(backward)) = (sum.lost_forward, sum.lost_backward) {
            prop_assert_eq!(sum.lost_unattributed, Some(sum.lost - forward - backward));
        } else {
            prop_assert_eq!(sum.lost_unattributed, Some(sum.lost));
        }
        let changes = runs.iter().map(|run| run.ttl_forward.map(|ttl| ttl.changes));
        prop_assert_eq!(sum.ttl_forward.map(|ttl| ttl.changes), changes.sum::<Option<u64>>());
        // The later run's end is that of both.
        let ends = runs.each_ref().map(|run| run.reply_status);
        let (one, other) = (ends[0].answered_until, ends[1].answered_until);
        if one.is_some() && other.is_some() {
            prop_assert_eq!(sum.reply_status, if other > one { ends[1] } else { ends[0] });
        } else {
            prop_assert_eq!((sum.reply_status.answered_until, sum.reply_status.lost_since), (None, 0));
        }
        // Delays are merged from their distributions, where both runs have some.
        let departures = runs.iter().filter_map(|run| run.departure);
        prop_assert_eq!(sum.departure.is_some(), departures.count() == 1);
    }
}

#[test]
fn a_run_without_a_packet_changes_nothing() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&received(0, 10, 1, 10));
    metrics.record(&lost(1));
    let figures = metrics.figures();
    let empty = SessionMetrics::new().figures();
    let mut sum = figures.clone();
    sum.merge(&empty);
    assert_eq!(sum, figures);
    let mut sum = empty;
    sum.merge(&figures);
    assert_eq!(sum, figures);
}

#[test]
fn what_one_run_does_not_know_the_sum_does_not_know() {
    let run = |kind: ReflectorKind| {
        let mut metrics = SessionMetrics::with_config(&kind.into());
        metrics.record(&numbered(0, 0));
        metrics.record(&lost(1));
        metrics.record(&numbered(2, 1));
        metrics.figures()
    };
    let (known, unknown) = (run(ReflectorKind::Stateful), run(ReflectorKind::Stateless));
    let mut sum = known.clone();
    sum.merge(&unknown);
    assert_eq!((sum.lost_forward, sum.lost_unattributed), (None, Some(2)));
    assert_eq!(sum.reordering_forward, None);
    let mut sum = known.clone();
    sum.merge(&known);
    assert_eq!(
        (sum.lost_forward, sum.lost_unattributed),
        (Some(2), Some(0))
    );
    assert_eq!(sum.reordering_forward.unwrap().packets, 4);
}

#[test]
fn counts_that_a_file_makes_up_are_added_without_a_panic() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&numbered(0, 0));
    let mut figures = metrics.figures();
    for count in [
        &mut figures.received,
        &mut figures.loss_periods.periods,
        &mut figures.duplication.copies,
        &mut figures.reordering.packets,
        &mut figures.stamps_transmit.kernel,
        &mut figures.availability.as_mut().unwrap().unavailable_blocks,
    ] {
        *count = u64::MAX;
    }
    figures.reordering.run_squares = u128::MAX;
    let mut sum = figures.clone();
    sum.merge(&figures);
    assert_eq!(
        (sum.received, sum.stamps_transmit.kernel),
        (u64::MAX, u64::MAX)
    );
    assert_eq!(sum.availability.unwrap().ratio(), Some(0.0));
}

#[test]
fn what_could_not_be_sent_stays_when_runs_are_added_up_in_whatever_order() {
    let mut whole = SessionMetrics::new();
    for seq in 0..3_000 {
        whole.record(&numbered(seq, seq as u32));
    }
    // A run in which nothing could be sent has no packets but still counts.
    let mut down = SessionMetrics::new();
    for seq in 0..3_000 {
        down.record_not_sent(seq, crate::trace::at(seq));
    }
    let (whole, down) = (whole.figures(), down.figures());
    for [one, other] in [[&whole, &down], [&down, &whole]] {
        let mut sum = one.clone();
        sum.merge(other);
        assert_eq!((sum.received, sum.not_sent), (3_000, 3_000));
        assert_eq!(sum.unmeasured_blocks, 3);
        let blocks = sum.availability.unwrap();
        assert_eq!((blocks.blocks, blocks.unmeasured_blocks), (3, 3));
        assert_eq!(blocks.ratio(), None);
        assert_eq!(sum.round_trip, whole.round_trip, "the only one there is");
    }
}
