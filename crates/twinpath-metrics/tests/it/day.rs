//! A day at a hundred packets per second, in simulated time: the figures are those of a whole trace
//! in memory, without drift or overflow.

use twinpath_metrics::{Figures, ReflectorKind, SessionMetrics};
use twinpath_wire::{Delta, Fate, Sample, Stamp, Wall};

use crate::oracle::{delays, losses, reordering};
use crate::trace::{lost, numbered};

const INTERVAL_NS: i64 = 10_000_000;
/// A loss is known this many packets later.
const PATIENCE: u64 = 400;
const START_NS: i64 = 1_763_900_000_000_000_000;
const OUTAGE: std::ops::Range<u64> = 20_000..23_000;

/// splitmix64.
fn random(seq: u64, salt: u64) -> u64 {
    let mut z = (seq ^ salt << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The fate of a packet: 0.2 % are lost, some in a row, and all in some minutes of every hour.
fn is_lost(seq: u64) -> bool {
    random(seq, 1).is_multiple_of(1000)
        || random(seq / 7, 2).is_multiple_of(7000)
        || OUTAGE.contains(&(seq % 360_000))
}

fn delay(seq: u64, salt: u64) -> i64 {
    let noise = i64::try_from(random(seq, salt) >> 44).unwrap();
    let slow = i64::from(random(seq, salt + 10).is_multiple_of(300)) * 25_000_000;
    300_000 + noise + slow
}

fn sample(seq: u64) -> Sample {
    let stamp = |ns| Stamp {
        at: Wall::from_unix_ns(ns),
        rung: twinpath_wire::Rung::Kernel,
    };
    let departure = i64::try_from(random(seq, 5) % 50_000).unwrap();
    let t1 = START_NS + i64::try_from(seq).unwrap() * INTERVAL_NS + departure;
    let t2 = t1 + delay(seq, 3) - 3_000_000_000;
    Sample {
        t1: stamp(t1),
        t2: Some(Wall::from_unix_ns(t2)),
        t3: Some(Wall::from_unix_ns(t2 + 20_000)),
        t4: Some(stamp(t2 + 20_000 + delay(seq, 4) + 3_000_000_000)),
        departure: Delta::from_ns(departure),
        ttl_forward: Some(if random(seq / 50_000, 6).is_multiple_of(3) {
            57
        } else {
            60
        }),
        ..numbered(seq, seq as u32)
    }
}

/// The whole trace, in the form that the slow twins need.
#[derive(Default)]
struct Trace {
    /// Numbers and T4, in order of arrival.
    arrivals: Vec<(i64, i64)>,
    round_trips: Vec<i64>,
    ttls: Vec<(u64, u8)>,
    departures: Vec<i64>,
    /// T1 and whether it was lost, of all packets.
    fates: Vec<(i64, bool)>,
}

/// Packets in simulated time: replies that overtake each other, losses known once they are no
/// longer awaited.
fn simulate(packets: u64) -> (SessionMetrics, Trace) {
    let mut metrics = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
    let mut trace = Trace::default();
    let mut halfway = 0;
    let mut waiting: Vec<Sample> = vec![];
    for step in 0..packets + PATIENCE {
        if step < packets {
            let sample = sample(step);
            trace.departures.push(sample.departure.ns());
            trace.fates.push((sample.t1.at.unix_ns(), is_lost(step)));
            if !is_lost(step) {
                waiting.push(sample);
            }
        }
        let now = START_NS + i64::try_from(step).unwrap() * INTERVAL_NS;
        waiting.sort_by_key(|sample| sample.t4.unwrap().at);
        while waiting
            .first()
            .is_some_and(|first| step >= packets || first.t4.unwrap().at.unix_ns() < now)
        {
            let sample = waiting.remove(0);
            metrics.record(&sample);
            let t4 = sample.t4.unwrap().at.unix_ns();
            trace.arrivals.push((sample.seq as i64, t4));
            trace.round_trips.push(sample.round_trip().unwrap().ns());
            trace.ttls.push((sample.seq, sample.ttl_forward.unwrap()));
        }
        if let Some(seq) = step.checked_sub(PATIENCE).filter(|seq| is_lost(*seq)) {
            let Sample { t1, departure, .. } = sample(seq);
            let fate = Fate::Lost;
            metrics.record(&Sample {
                fate,
                t1,
                departure,
                ..lost(seq)
            });
        }
        if step == packets / 2 {
            halfway = metrics.memory_octets();
        }
    }
    assert!(metrics.memory_octets() < 256 * 1024);
    assert!(metrics.memory_octets() < halfway + 32 * 1024, "{halfway}");
    (metrics, trace)
}

fn run(packets: u64) {
    let (metrics, trace) = simulate(packets);
    let figures = metrics.figures();
    compare_delays(&figures, &trace);
    compare_losses(&figures, &trace);
    compare_order(&figures, &trace);
}

fn compare_delays(figures: &Figures, trace: &Trace) {
    let values = &trace.round_trips;
    let round_trip = figures.round_trip.unwrap();
    assert_eq!(round_trip.count, values.len() as u64);
    assert_eq!(round_trip.mean_ns, delays::mean(values));
    assert!((round_trip.stddev_ns as f64 - delays::stddev(values)).abs() < 1.0);
    let mut sorted = values.clone();
    sorted.sort_unstable();
    for (told, permille) in [(round_trip.p90_ns, 900), (round_trip.p999_ns, 999)] {
        let exact = sorted[(values.len() * permille).div_ceil(1000) - 1];
        let error = told.abs_diff(exact);
        assert!(error <= exact.unsigned_abs() / 1000, "{told} for {exact}");
    }
    let jitter = delays::jitter(&silence_parted(&trace.arrivals, values)).unwrap();
    assert!((round_trip.jitter_ns.unwrap() as f64 - jitter).abs() < 1.0);
    let departure = figures.departure.unwrap();
    assert_eq!(departure.count, trace.departures.len() as u64);
    assert_eq!(departure.mean_ns, delays::mean(&trace.departures));
}

/// Transits in order of arrival; jitter restarts after a minute without an arrival.
fn silence_parted(arrivals: &[(i64, i64)], values: &[i64]) -> Vec<Option<i64>> {
    let mut transits = vec![];
    let mut last = arrivals[0].1;
    for ((_, at), value) in arrivals.iter().zip(values) {
        if at - last > 60_000_000_000 {
            transits.push(None);
        }
        last = *at;
        transits.push(Some(*value));
    }
    transits
}

fn compare_losses(figures: &Figures, trace: &Trace) {
    let fates: Vec<bool> = trace.fates.iter().map(|(_, lost)| *lost).collect();
    let runs = losses::loss_runs(&fates);
    let told = figures.loss_periods;
    assert_eq!(figures.lost, runs.distances.len() as u64);
    assert_eq!(told.periods, runs.lengths.len() as u64);
    assert_eq!(told.longest, runs.lengths.iter().copied().max().unwrap());
    assert_eq!(told.inter_sum, runs.inter_lengths.iter().sum::<u64>());

    // Blocks are counted from the first packet that arrived.
    let first = usize::try_from(trace.arrivals[0].0).unwrap();
    let zero = trace.fates[first].0;
    let packets: Vec<(i64, bool)> = trace
        .fates
        .iter()
        .map(|(t1, lost)| (t1 - zero, *lost))
        .collect();
    let told = figures.availability.unwrap();
    let twin = losses::availability(&packets, 1_000_000_000);
    assert!(twin[3] > 0, "no outage");
    assert_eq!(
        [
            told.blocks,
            told.bad_blocks,
            told.unavailable_blocks,
            told.outages,
            told.longest_outage_blocks
        ],
        twin
    );
    assert_eq!(told.unplaced, 0);
}

fn compare_order(figures: &Figures, trace: &Trace) {
    // No packet is more than a few hundred arrivals behind the greatest, so parts of the trace that
    // overlap by that many contain everything that the definitions search for.
    let arrivals = &trace.arrivals;
    let mut late = vec![];
    for start in (0..arrivals.len()).step_by(2000) {
        let from = start.saturating_sub(500);
        let part = &arrivals[from..(start + 2000).min(arrivals.len())];
        let known = reordering::reordered(&arrivals[from..start]).len();
        late.extend(reordering::reordered(part).into_iter().skip(known));
    }
    assert!(!late.is_empty());
    let told = figures.reordering;
    assert_eq!(told.packets, arrivals.len() as u64);
    assert_eq!(told.reordered, late.len() as u64);
    assert_eq!(told.extent_max, late.iter().map(|late| late.extent).max());
    let extents = late.iter().map(|late| u128::from(late.extent));
    assert_eq!(told.extent_sum, extents.sum::<u128>());
    let times = || late.iter().map(|late| late.behind_ns.unsigned_abs());
    assert_eq!(told.late_time_max_ns, times().max());
    assert_eq!(told.late_time_sum_ns, times().map(u128::from).sum::<u128>());
    let changes = losses::ttl_changes(&trace.ttls);
    assert_eq!(figures.ttl_forward.unwrap().changes, changes);
}

#[test]
fn some_minutes_at_a_hundred_packets_per_second_are_those_of_the_slow_twin() {
    run(60_000);
}

#[test]
#[ignore = "a day of packets: some 20 s with --release"]
fn a_day_at_a_hundred_packets_per_second_is_that_of_the_slow_twin() {
    run(24 * 3600 * 100);
}
