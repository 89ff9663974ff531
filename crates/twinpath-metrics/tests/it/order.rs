//! Figures that depend on numbers and on the order of arrival, against the slow twins.

use std::collections::BTreeMap;

use proptest::prelude::*;
use twinpath_metrics::{
    FigureMemory, Figures, MetricsConfig, ReflectorKind, ReorderingFigures, SessionMetrics,
    TtlFigures,
};
use twinpath_wire::{Exclusion, Fate, Sample};

use crate::oracle::{losses, reordering};
use crate::trace::{Event, INTERVAL_NS, TIMEOUT_NS, numbered, received, session, wild};

/// All figures of a random session except for delays.
pub(crate) fn agree(events: &[Event], figures: &Figures) -> Result<(), TestCaseError> {
    loss_periods(events, figures)?;
    copies(events, figures)?;
    let arrivals = || received_of(events);
    let steps = steps(events);
    let times = |number: fn(&Sample, i64) -> i64| -> Vec<(i64, i64)> {
        arrivals()
            .map(|(sample, r)| (number(sample, r), sample.t4.unwrap().at.unix_ns()))
            .collect()
    };
    let round_trip = times(|sample, _| sample.seq as i64);
    reordered(&round_trip, &steps, &figures.reordering)?;
    prop_assert_eq!(figures.reordered, figures.reordering.reordered);
    let counted = events
        .iter()
        .any(|event| event.number.is_some() && !figures.numbers_equal);
    prop_assert_eq!(figures.reordering_backward.is_some(), counted);
    if let (Some(forward), Some(backward)) =
        (figures.reordering_forward, figures.reordering_backward)
    {
        reordered(&times(|_, r| r), &steps, &backward)?;
        let mut on_the_way_out: Vec<(i64, i64, i64)> = arrivals()
            .map(|(sample, r)| (r, sample.seq as i64, sample.t2.unwrap().unix_ns()))
            .collect();
        on_the_way_out.sort_unstable();
        let on_the_way_out: Vec<(i64, i64)> = on_the_way_out
            .into_iter()
            .map(|(_, seq, t2)| (seq, t2))
            .collect();
        reordered(&on_the_way_out, &[], &forward)?;
    }
    for (ttl, of) in [(figures.ttl_forward, 0), (figures.ttl_backward, 1)] {
        let seen: Vec<(u64, u8)> = arrivals()
            .map(|(sample, _)| {
                let ttls = [sample.ttl_forward, sample.ttl_backward];
                (sample.seq, ttls[of].unwrap())
            })
            .collect();
        let expected = seen
            .iter()
            .map(|(_, ttl)| *ttl)
            .min()
            .map(|min| TtlFigures {
                min,
                max: seen.iter().map(|(_, ttl)| *ttl).max().unwrap(),
                changes: losses::ttl_changes(&seen),
            });
        prop_assert_eq!(ttl, expected);
    }
    availability(events, figures)
}

fn received_of(events: &[Event]) -> impl Iterator<Item = (&Sample, i64)> {
    let received = events
        .iter()
        .filter(|event| event.sample.fate == Fate::Received);
    received.map(|event| (&event.sample, event.number.unwrap()))
}

/// How often the sender's clock stepped before each received packet.
fn steps(events: &[Event]) -> Vec<usize> {
    let mut steps = vec![];
    let mut so_far = 0;
    for Event { sample, .. } in events {
        if sample.fate == Fate::Received {
            steps.push(so_far);
        }
        let touched = sample.excluded == Some(Exclusion::ClockStep);
        so_far += usize::from(touched && sample.fate != Fate::Lost);
    }
    steps
}

/// Arrivals (number, time), and how often their clock stepped before each; no steps: never.
fn reordered(
    arrivals: &[(i64, i64)],
    steps: &[usize],
    figures: &ReorderingFigures,
) -> Result<(), TestCaseError> {
    let late = reordering::reordered(arrivals);
    let (runs, in_order) = reordering::free_runs(arrivals);
    prop_assert_eq!(figures.packets, arrivals.len() as u64);
    prop_assert_eq!(figures.reordered, late.len() as u64);
    prop_assert_eq!(
        figures.extent_max,
        late.iter().map(|late| late.extent).max()
    );
    let extents: u64 = late.iter().map(|late| late.extent).sum();
    prop_assert_eq!(figures.extent_sum, u128::from(extents));
    prop_assert_eq!(figures.extent_beyond_window, 0);
    for (n, count) in (1..).zip(figures.n_reordered) {
        prop_assert_eq!(count, late.iter().filter(|late| late.n >= n).count() as u64);
    }
    let largest = late.iter().map(|late| late.n).max().filter(|n| *n > 0);
    prop_assert_eq!(figures.n_largest, largest);
    prop_assert_eq!(figures.free_runs, runs.len() as u64);
    prop_assert_eq!(figures.in_order, in_order);
    let squares: u64 = runs.iter().map(|run| run * run).sum();
    prop_assert_eq!(figures.run_squares, u128::from(squares));
    let in_one_time = |late: &&reordering::Late| {
        let overtaken_by = late.place - late.extent as usize;
        steps.get(late.place) == steps.get(overtaken_by)
    };
    let late: Vec<i64> = late
        .iter()
        .filter(in_one_time)
        .map(|late| late.behind_ns)
        .collect();
    prop_assert_eq!(figures.late_times, late.len() as u64);
    prop_assert_eq!(
        figures.late_time_max_ns,
        late.iter().max().map(|max| max.unsigned_abs())
    );
    prop_assert_eq!(
        figures.late_time_sum_ns,
        u128::from(late.iter().sum::<i64>().unsigned_abs())
    );
    Ok(())
}

fn loss_periods(events: &[Event], figures: &Figures) -> Result<(), TestCaseError> {
    let mut fates: BTreeMap<u64, bool> = BTreeMap::new();
    for Event { sample, .. } in events {
        match sample.fate {
            Fate::Received => fates.insert(sample.seq, false),
            Fate::Lost | Fate::Late => fates.insert(sample.seq, true),
            Fate::Duplicate | Fate::Unawaited => None,
        };
    }
    let fates: Vec<bool> = fates.into_values().collect();
    compare_periods(&fates, figures)
}

/// The fates of all packets that were sent, in the order of their numbers.
pub(crate) fn compare_periods(fates: &[bool], figures: &Figures) -> Result<(), TestCaseError> {
    let twin = losses::loss_runs(fates);
    let periods = &figures.loss_periods;
    prop_assert_eq!(periods.losses, twin.distances.len() as u64);
    prop_assert_eq!(periods.periods, twin.lengths.len() as u64);
    prop_assert_eq!(
        periods.longest,
        twin.lengths.iter().copied().max().unwrap_or(0)
    );
    prop_assert_eq!(periods.inter_sum, twin.inter_lengths.iter().sum::<u64>());
    let noticeable = |distance: &&u64| (1..=periods.delta).contains(*distance);
    let noticeable = twin.distances.iter().filter(noticeable).count() as u64;
    prop_assert_eq!(periods.noticeable, noticeable);
    prop_assert_eq!(periods.unplaced, 0);
    let mut told = 0;
    for (least, greatest, count) in periods.lengths() {
        let within = twin
            .lengths
            .iter()
            .filter(|length| (least..=greatest).contains(*length));
        prop_assert_eq!(count, within.count() as u64, "{} to {}", least, greatest);
        told += count;
    }
    prop_assert_eq!(told, periods.periods);
    Ok(())
}

fn copies(events: &[Event], figures: &Figures) -> Result<(), TestCaseError> {
    let replies: Vec<(u64, i64)> = events
        .iter()
        .filter_map(|event| Some((event.sample.seq, event.number?)))
        .collect();
    let packets: Vec<u64> = replies.iter().map(|(s, _)| *s).collect();
    let (answered, copies, replicated) = losses::copies(&packets);
    let duplication = &figures.duplication;
    prop_assert_eq!(duplication.answered, answered);
    prop_assert_eq!(duplication.copies, copies);
    prop_assert_eq!(figures.duplicates, copies);
    prop_assert_eq!(duplication.replicated, replicated);
    let known = copies == 0 || !figures.numbers_equal;
    let (forward, backward) = losses::copies_by_direction(&replies);
    prop_assert_eq!(duplication.forward, known.then_some(forward));
    prop_assert_eq!(duplication.backward, known.then_some(backward));
    Ok(())
}

fn availability(events: &[Event], figures: &Figures) -> Result<(), TestCaseError> {
    let Some(first) = events.first() else {
        prop_assert_eq!(figures.availability, None);
        return Ok(());
    };
    let zero = first.sample.t1.at.unix_ns();
    let packets: Vec<(i64, bool)> = events
        .iter()
        .filter(|event| event.sample.fate != Fate::Duplicate)
        .map(|event| {
            let at = event.sample.t1.at.unix_ns() - zero;
            (at, event.sample.fate != Fate::Received)
        })
        .collect();
    let availability = figures.availability.unwrap();
    let block_ns = i64::try_from(availability.block_ns).unwrap();
    let told = [
        availability.blocks,
        availability.bad_blocks,
        availability.unavailable_blocks,
        availability.outages,
        availability.longest_outage_blocks,
    ];
    prop_assert_eq!(told, losses::availability(&packets, block_ns));
    prop_assert_eq!(availability.unplaced, 0);
    Ok(())
}

#[test]
fn an_extent_beyond_the_window_is_counted_as_that_of_the_window() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    for seq in (1..=3000).chain([0, 3002, 3001]) {
        metrics.record(&numbered(seq, seq as u32));
    }
    let figures = metrics.figures();
    for reordering in [figures.reordering, figures.reordering_backward.unwrap()] {
        assert_eq!((reordering.packets, reordering.reordered), (3003, 2));
        assert_eq!(reordering.extent_max, Some(1024));
        assert_eq!(
            (reordering.extent_sum, reordering.extent_beyond_window),
            (1025, 1)
        );
        assert_eq!(reordering.n_largest, Some(100));
        assert_eq!(reordering.n_reordered, [2, 1, 1]);
    }
    // The reflector counted them in their order.
    assert_eq!(figures.reordering_forward.unwrap().reordered, 0);
}

#[test]
fn overtaking_on_the_way_out_is_told_from_overtaking_on_the_way_back() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    // 2 overtook 1 outbound, and 5 overtook 4 inbound, 6 both.
    for (s, r) in [
        (0, 0),
        (2, 1),
        (1, 2),
        (3, 3),
        (5, 5),
        (4, 4),
        (8, 6),
        (6, 8),
        (7, 7),
    ] {
        metrics.record(&numbered(s, r));
    }
    let figures = metrics.figures();
    assert_eq!(figures.reordered, 4);
    assert_eq!(figures.reordering_forward.unwrap().reordered, 3);
    assert_eq!(figures.reordering_backward.unwrap().reordered, 2);
    // Without a counter, the direction is unknown.
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateless.into());
    for s in [0, 2, 1] {
        metrics.record(&numbered(s, s as u32));
    }
    let figures = metrics.figures();
    assert_eq!(figures.reordered, 1);
    assert_eq!(figures.reordering_forward, None);
    assert_eq!(figures.reordering_backward, None);
}

#[test]
fn a_reply_from_before_the_wrap_may_come_after_one_from_behind_it() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    for (s, r) in [(1, 0), (0, u32::MAX), (2, 1)] {
        metrics.record(&numbered(s, r));
    }
    let figures = metrics.figures();
    let forward = figures.reordering_forward.unwrap();
    assert_eq!((forward.packets, forward.reordered), (3, 0));
    let backward = figures.reordering_backward.unwrap();
    assert_eq!((backward.packets, backward.reordered), (3, 1));
}

#[test]
fn a_restart_of_the_reflector_reorders_nothing() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    for seq in 0..40_u32 {
        metrics.record(&numbered(u64::from(seq), seq % 20));
    }
    let figures = metrics.figures();
    assert_eq!(figures.reflector_restarts, 1);
    for reordering in [
        figures.reordering,
        figures.reordering_forward.unwrap(),
        figures.reordering_backward.unwrap(),
    ] {
        assert_eq!((reordering.packets, reordering.reordered), (40, 0));
    }
}

#[test]
fn a_late_time_does_not_reach_over_a_step_of_the_clock() {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    metrics.record(&received(1, 10, 1, 10));
    metrics.record_clock_step();
    metrics.record(&received(0, 1 << 50, 1, 10));
    metrics.record(&received(3, 10, 1, 10));
    metrics.record(&received(2, INTERVAL_NS + 11, 1, 10));
    let reordering = metrics.figures().reordering;
    assert_eq!((reordering.reordered, reordering.late_times), (2, 1));
    assert_eq!(reordering.late_time_max_ns, Some(1));
    assert_eq!(reordering.late_time_mean_ns(), Some(1));
}

proptest! {
    // Windows are longer than these sessions: the twins search all.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 32))]
    #[test]
    fn a_long_wild_session_has_the_order_of_the_slow_twins(
        fortunes in prop::collection::vec(wild(), 1100..1700),
    ) {
        let events = session(&fortunes, (0, 7), 0, None);
        let in_flight = u64::try_from(TIMEOUT_NS / INTERVAL_NS).unwrap();
        // And in a window as long as what can be on its way.
        for memory in [FigureMemory::default(), FigureMemory::small(in_flight)] {
            let mut metrics = SessionMetrics::with_config(&MetricsConfig {
                memory,
                ..MetricsConfig::default()
            });
            for event in &events {
                metrics.record(&event.sample);
            }
            agree(&events, &metrics.figures())?;
        }
    }

    /// A reply counted before a restart that arrives after it belongs to neither count.
    #[test]
    fn a_restart_leaves_the_order_of_the_round_trip_alone(
        fortunes in prop::collection::vec(wild(), 60..200),
        restart_at in 20_usize..60,
    ) {
        let events = session(&fortunes, (0, 3), 0, Some(restart_at));
        let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
        for event in &events {
            metrics.record(&event.sample);
        }
        let figures = metrics.figures();
        let round_trip: Vec<(i64, i64)> = received_of(&events)
            .map(|(sample, _)| (sample.seq as i64, sample.t4.unwrap().at.unix_ns()))
            .collect();
        reordered(&round_trip, &steps(&events), &figures.reordering)?;
        loss_periods(&events, &figures)?;
        availability(&events, &figures)?;
        for way in [figures.reordering_forward, figures.reordering_backward].into_iter().flatten() {
            prop_assert!(way.packets <= figures.received);
            prop_assert_eq!(way.packets, way.reordered + way.in_order);
        }
    }
}
