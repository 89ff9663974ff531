//! Availability: outages, steps of the sender's clock, and slow sessions.

use std::time::Duration;

use twinpath_metrics::{
    AvailabilityFigures, AvailabilityRule, MetricsConfig, SessionMetrics, SettledBlocks,
};
use twinpath_wire::{Delta, Exclusion, Fate, Sample};

use crate::trace::{lost, numbered};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1000 * MS;
const START: i64 = 1_763_900_000 * SECOND;

/// A packet of a session with this interval; `None` is lost.
fn sent(seq: u64, interval: i64, answered: bool, clock: i64) -> Sample {
    let t1 = START + i64::try_from(seq).unwrap() * interval + clock;
    let mut sample = if answered {
        numbered(seq, seq as u32)
    } else {
        lost(seq)
    };
    let shift = Delta::from_ns(t1 - sample.t1.at.unix_ns());
    for stamp in [Some(&mut sample.t1), sample.t4.as_mut()]
        .into_iter()
        .flatten()
    {
        stamp.at = stamp.at + shift;
    }
    sample
}

fn session(interval: i64) -> SessionMetrics {
    let interval = Duration::from_nanos(interval.unsigned_abs());
    SessionMetrics::with_config(&MetricsConfig {
        availability: AvailabilityRule::for_interval(interval),
        ..MetricsConfig::default()
    })
}

/// Runs `count` packets, those in `outage` lost; a loss is known 4 s after its packet.
fn run(
    interval: i64,
    count: u64,
    outage: impl Fn(u64) -> bool,
    clock: impl Fn(u64) -> i64,
) -> AvailabilityFigures {
    let mut metrics = session(interval);
    let patience = (4 * SECOND / interval).unsigned_abs();
    let mut told = clock(0);
    for step in 0..count + patience {
        // The clock steps before this packet is sent; those in flight are marked.
        if step < count && clock(step) != told {
            told = clock(step);
            metrics.record_clock_step();
        }
        if step < count && !outage(step) {
            metrics.record(&sent(step, interval, true, clock(step)));
        }
        if let Some(seq) = step.checked_sub(patience).filter(|seq| outage(*seq)) {
            metrics.record(&sent(seq, interval, false, clock(seq)));
        }
    }
    metrics.figures().availability.unwrap()
}

#[test]
fn ten_bad_seconds_in_a_row_are_an_outage_and_nine_are_not() {
    let no_step = |_| 0;
    let short = run(100 * MS, 600, |seq| (100..190).contains(&seq), no_step);
    assert_eq!((short.blocks, short.bad_blocks, short.outages), (60, 9, 0));
    assert_eq!(short.ratio(), Some(1.0));
    let long = run(100 * MS, 600, |seq| (100..200).contains(&seq), no_step);
    assert_eq!((long.bad_blocks, long.outages), (10, 1));
    assert_eq!(
        (long.unavailable_blocks, long.longest_outage_blocks),
        (10, 10)
    );
    assert_eq!(long.ratio(), Some(50.0 / 60.0));
    assert_eq!(long.unplaced, 0);
}

#[test]
fn good_seconds_within_an_outage_end_it_only_ten_in_a_row() {
    let outage = |seq: u64| matches!(seq / 10, 5..16 | 20..22);
    let figures = run(100 * MS, 400, outage, |_| 0);
    // 5 to 21 is one outage: 16 to 19 are four good ones.
    assert_eq!((figures.outages, figures.unavailable_blocks), (1, 17));
    assert_eq!(figures.bad_blocks, 13);
    let outage = |seq: u64| matches!(seq / 10, 5..16 | 26..27);
    let figures = run(100 * MS, 400, outage, |_| 0);
    assert_eq!((figures.outages, figures.longest_outage_blocks), (1, 11));
    assert_eq!(figures.unavailable_blocks, 11);
}

#[test]
fn settled_blocks_never_become_fewer_and_end_as_all_blocks_do() {
    let mut metrics = session(100 * MS);
    let mut before = SettledBlocks::default();
    let mut greatest = 0;
    // An outage with two good seconds within, then eighteen good ones. Losses are recorded two seconds late.
    let is_lost = |seq| matches!(seq / 10, 5..16 | 18..22);
    for seq in 0..420 {
        if !is_lost(seq) {
            metrics.record(&sent(seq, 100 * MS, true, 0));
        }
        if let Some(seq) = seq.checked_sub(20).filter(|seq| is_lost(*seq)) {
            metrics.record(&sent(seq, 100 * MS, false, 0));
        }
        let now = metrics
            .settled_blocks(Some(Duration::from_secs(2)))
            .unwrap();
        assert!(now.blocks >= before.blocks && now.unavailable >= before.unavailable);
        before = now;
        let figures = metrics.figures().availability.unwrap();
        greatest = greatest.max(figures.unavailable_blocks);
    }
    // Those of the figures do.
    assert!(greatest > 17, "{greatest}");
    let end = SettledBlocks {
        blocks: 42,
        unavailable: 17,
    };
    assert_eq!(metrics.settled_blocks(None), Some(end));
    assert_eq!(before, SettledBlocks { blocks: 39, ..end });
}

#[test]
fn half_of_a_block_lost_is_not_bad_and_one_more_is() {
    let half = run(100 * MS, 300, |seq| seq % 2 == 1, |_| 0);
    assert_eq!((half.bad_blocks, half.blocks), (0, 30));
    let more = run(100 * MS, 300, |seq| seq % 10 > 3, |_| 0);
    assert_eq!((more.bad_blocks, more.ratio()), (30, Some(0.0)));
}

#[test]
fn a_slow_session_has_blocks_of_ten_intervals() {
    let figures = run(5 * SECOND, 400, |seq| (100..200).contains(&seq), |_| 0);
    assert_eq!(figures.block_ns, 50 * SECOND.unsigned_abs());
    assert_eq!((figures.blocks, figures.outages), (40, 1));
    let figures = run(SECOND, 40, |_| false, |_| 0);
    assert_eq!(
        (figures.block_ns, figures.blocks),
        (SECOND.unsigned_abs(), 40)
    );
}

#[test]
fn a_step_of_the_clock_opens_no_block_and_closes_none() {
    for step in [-3600 * SECOND, 3600 * SECOND, -20 * SECOND, 20 * SECOND] {
        // On an available path, and in the middle of an outage.
        for at in [300, 150] {
            let clock = |seq: u64| if seq < at { 0 } else { step };
            let figures = run(100 * MS, 600, |seq| (100..220).contains(&seq), clock);
            assert_eq!(
                (figures.blocks, figures.bad_blocks),
                (60, 12),
                "{step} at {at}"
            );
            assert_eq!(
                (figures.outages, figures.unavailable_blocks),
                (1, 12),
                "{step} at {at}"
            );
            assert_eq!(figures.unplaced, 0, "{step} at {at}");
        }
    }
}

#[test]
fn a_packet_in_flight_at_the_step_belongs_before_it() {
    let mut metrics = session(100 * MS);
    let step = -3600 * SECOND;
    for seq in 0..50 {
        metrics.record(&sent(seq, 100 * MS, true, 0));
    }
    metrics.record_clock_step();
    for seq in 55..100 {
        metrics.record(&sent(seq, 100 * MS, true, step));
    }
    for seq in 50..55 {
        let excluded = Some(Exclusion::ClockStep);
        let in_flight = sent(seq, 100 * MS, true, 0);
        metrics.record(&Sample {
            excluded,
            ..in_flight
        });
    }
    let figures = metrics.figures().availability.unwrap();
    assert_eq!(
        (figures.blocks, figures.bad_blocks, figures.unplaced),
        (10, 0, 0)
    );
}

#[test]
fn late_packets_count_as_lost_and_copies_do_not_count() {
    let mut metrics = session(100 * MS);
    for seq in 0..20 {
        let fate = if seq < 10 { Fate::Late } else { Fate::Received };
        let sample = sent(seq, 100 * MS, true, 0);
        metrics.record(&Sample { fate, ..sample });
        let fate = Fate::Duplicate;
        metrics.record(&Sample { fate, ..sample });
    }
    let figures = metrics.figures().availability.unwrap();
    assert_eq!((figures.blocks, figures.bad_blocks), (2, 1));
}

#[test]
fn a_fate_that_comes_after_its_block_was_judged_is_counted_separately() {
    let mut metrics = session(100 * MS);
    metrics.record(&sent(0, 100 * MS, true, 0));
    metrics.record(&sent(3000, 100 * MS, true, 0));
    metrics.record(&sent(1, 100 * MS, false, 0));
    let figures = metrics.figures().availability.unwrap();
    assert_eq!(
        (figures.blocks, figures.bad_blocks, figures.unplaced),
        (2, 0, 1)
    );
}

/// A session that sends ten packets a second for `seconds`, of which the network refuses `refused`;
/// returns its blocks: measured and not measured.
fn refused(seconds: u64, refused: impl Fn(u64) -> bool) -> (AvailabilityFigures, u64) {
    let interval = SECOND / 10;
    let mut metrics = session(interval);
    for seq in 0..10 * seconds {
        let packet = sent(seq, interval, true, 0);
        if refused(seq) {
            metrics.record_not_sent(seq, packet.t1.at);
        } else {
            metrics.record(&packet);
        }
    }
    let figures = metrics.figures();
    (figures.availability.unwrap(), figures.unmeasured_blocks)
}

#[test]
fn a_second_with_packets_that_want_no_reply_is_one_in_which_packets_were_sent() {
    let mut metrics = session(SECOND / 10);
    for seq in 0..100 {
        let packet = sent(seq, SECOND / 10, true, 0);
        // All of the last second are refused, and one of each other second.
        if seq % 10 == 3 || seq >= 90 {
            metrics.record_not_sent(seq, packet.t1.at);
        } else {
            metrics.record(&Sample {
                fate: Fate::Unawaited,
                ..Sample::lost(seq, packet.t1)
            });
        }
    }
    let figures = metrics.figures();
    assert_eq!(figures.unmeasured_blocks, 1);
    assert_eq!(figures.availability, None, "without replies it is unknown");
}

#[test]
fn seconds_in_which_nothing_could_be_sent_make_availability_unknown() {
    let down = |from: u64, to: u64| move |seq: u64| (10 * from..10 * to).contains(&seq);
    for (from, to) in [(0, 14), (1, 15), (2, 16), (7, 8)] {
        let (figures, unmeasured) = refused(16, down(from, to));
        assert_eq!(figures.blocks + unmeasured, 16, "{from} to {to}");
        assert_eq!(unmeasured, to - from, "{from} to {to}");
        assert_eq!(figures.ratio(), None, "{from} to {to}");
    }
    let (figures, unmeasured) = refused(16, |seq| seq % 10 < 9);
    assert_eq!((figures.blocks, unmeasured), (16, 0), "one in ten was sent");
    assert_eq!(figures.ratio(), Some(1.0));
    let (figures, unmeasured) = refused(600, down(10, 590));
    assert_eq!(
        (figures.blocks, unmeasured),
        (20, 580),
        "beyond what is open"
    );
    let mut metrics = session(SECOND / 10);
    metrics.record_not_sent(0, sent(0, SECOND / 10, true, 0).t1.at);
    let figures = metrics.figures().availability.unwrap();
    assert_eq!((figures.blocks, figures.unmeasured_blocks), (0, 1));
}

#[test]
fn departures_that_were_missed_leave_their_seconds_unmeasured_unlike_those_made_up_for_later() {
    let interval = SECOND / 10;
    for (stalled, skipped, expected) in
        [(5_u64, 30_u64, 3), (5, 0, 0), (5, 45, 4), (400, 3_990, 399)]
    {
        let mut metrics = session(interval);
        for seq in 0..50 {
            metrics.record(&sent(seq, interval, true, 0));
        }
        // The sender is suspended; on resume it sends the packets that it may still catch up with,
        // late.
        let asleep = i64::try_from(stalled).unwrap() * SECOND;
        let due = |slot: u64| sent(50 + slot, interval, true, 0).t1.at;
        if skipped > 0 {
            metrics.record_missed(skipped, due(0), due(skipped - 1));
        }
        let awake = due(0) + Delta::from_ns(asleep);
        for slot in skipped..10 * stalled + 50 {
            let packet = sent(50 + slot, interval, true, 0);
            let late = (awake - packet.t1.at).ns().max(0);
            let mut packet = sent(50 + slot, interval, true, late);
            packet.departure = Delta::from_ns(late);
            metrics.record(&packet);
        }
        let figures = metrics.figures().availability.unwrap();
        let found = (figures.blocks, figures.unmeasured_blocks);
        assert_eq!(found, (10, expected), "{stalled} s, {skipped} skipped");
    }
}

/// `count` packets are handed to the system when they are due and wait there until the time `until`,
/// those of `refused` are refused when they are due; a packet is lost if `lost`.
fn held(
    interval: i64,
    count: u64,
    until: impl Fn(u64) -> i64,
    refused: impl Fn(u64) -> bool,
    lost: impl Fn(u64) -> bool,
) -> AvailabilityFigures {
    let mut metrics = session(interval);
    let mut fates = Vec::new();
    for seq in 0..count {
        let due = i64::try_from(seq).unwrap() * interval;
        let late = (until(seq) - due).max(0);
        if refused(seq) {
            fates.push((due, seq, None));
        } else {
            let mut packet = sent(seq, interval, !lost(seq), late);
            packet.departure = Delta::from_ns(late);
            let patience = if lost(seq) { 2 * SECOND } else { MS };
            fates.push((due + late + patience, seq, Some(packet)));
        }
    }
    fates.sort_by_key(|(at, seq, _)| (*at, *seq));
    for (_, seq, packet) in fates {
        match packet {
            Some(packet) => metrics.record(&packet),
            None => metrics.record_not_sent(seq, sent(seq, interval, true, 0).t1.at),
        }
    }
    metrics.figures().availability.unwrap()
}

#[test]
fn packets_that_waited_in_this_host_and_left_together_leave_no_second_unmeasured() {
    let none = |_| false;
    for (interval, count, until, blocks) in [
        // The first packets, all packets, packets in the middle of the run, one at a time.
        (50 * MS, 5, 1_005 * MS, 1),
        (50 * MS, 100, 1_005 * MS, 4),
        (MS, 5_000, 2_900 * MS, 3),
        (SECOND, 20, 3_500 * MS, 16),
    ] {
        let figures = held(interval, count, |_| until, none, none);
        assert_eq!(
            (figures.blocks, figures.unmeasured_blocks),
            (blocks, 0),
            "{interval} {count}"
        );
        assert_eq!(figures.ratio(), Some(1.0));
    }
    let middle = |seq| if seq < 100 { 0 } else { 13_700 * MS };
    let figures = held(100 * MS, 200, middle, none, none);
    assert_eq!((figures.blocks, figures.unmeasured_blocks), (17, 0));
    // Each waits a little longer than the one before, as in a queue that is too slow.
    let figures = held(
        10 * MS,
        600,
        |seq| i64::try_from(seq).unwrap() * 30 * MS,
        none,
        none,
    );
    assert_eq!((figures.blocks, figures.unmeasured_blocks), (18, 0));
}

#[test]
fn a_refused_packet_among_waiting_ones_leaves_its_second_measured_unlike_refused_ones_alone() {
    let figures = held(
        100 * MS,
        100,
        |_| 2_500 * MS,
        |seq| seq % 10 == 3,
        |seq| seq % 10 == 7,
    );
    assert_eq!(figures.unmeasured_blocks, 0);
    // All of the first second is refused, those of the next two wait.
    let figures = held(100 * MS, 100, |_| 3_000 * MS, |seq| seq < 10, |_| false);
    assert_eq!((figures.blocks, figures.unmeasured_blocks), (7, 1));
    // A packet that waits from one block to the next, with a fate that comes much later.
    let figures = held(
        400 * MS,
        50,
        |seq| if seq == 2 { 1_100 * MS } else { 0 },
        |seq| seq == 1 || seq == 0,
        |seq| seq == 2,
    );
    assert_eq!(figures.unmeasured_blocks, 0);
}

#[test]
fn packets_slightly_late_or_after_a_step_of_the_clock_leave_no_second_unmeasured() {
    // One packet a second, around the blocks' borders: some blocks have two, some none.
    let mut metrics = session(SECOND);
    for seq in 0..60 {
        let late = if seq % 2 == 0 { 0 } else { 30 * MS };
        let mut packet = sent(seq, SECOND, true, late - 10 * MS);
        packet.departure = Delta::from_ns(late);
        metrics.record(&packet);
    }
    assert_eq!(metrics.figures().unmeasured_blocks, 0);
    // A departure moved by a step is not late.
    let interval = SECOND / 10;
    let mut metrics = session(interval);
    for seq in 0..100 {
        if seq == 50 {
            metrics.record_clock_step();
        }
        let mut packet = sent(
            seq,
            interval,
            true,
            if seq < 50 { 0 } else { 3600 * SECOND },
        );
        if (48..50).contains(&seq) {
            packet.excluded = Some(Exclusion::ClockStep);
            packet.departure = Delta::from_ns(3600 * SECOND);
        }
        metrics.record(&packet);
    }
    metrics.record_missed(
        2,
        sent(89, interval, true, 3600 * SECOND).t1.at,
        sent(91, interval, true, 3600 * SECOND).t1.at,
    );
    assert_eq!(metrics.figures().unmeasured_blocks, 0);
}

#[test]
fn extreme_times_of_a_file_are_counted_quickly() {
    let ends = [i64::MIN, -1, 0, START, i64::MAX].map(twinpath_wire::Wall::from_unix_ns);
    for since in ends {
        for until in ends {
            for count in [0, 1, 1 << 40, u64::MAX] {
                let mut metrics = session(SECOND / 10);
                metrics.record(&sent(0, SECOND / 10, true, 0));
                metrics.record_missed(count, since, until);
                metrics.record_not_sent(1, until);
                let figures = metrics.figures().availability.unwrap();
                assert_eq!(figures.blocks, 1);
            }
        }
    }
}
