//! Cost of one sample: `cargo bench -p twinpath-metrics --bench record`.
//!
//! The allocations that divan prints are those of a warmed-up session: none.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use twinpath_metrics::{Histogram, SessionMetrics};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Samples of one round of a benchmark.
const ROUND: u64 = 65_536;

fn main() {
    divan::main();
}

/// Delays of a busy path: some hundred microseconds, noisy, now and then milliseconds.
fn delay(seq: u64, salt: u64) -> i64 {
    let mixed = (seq ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let noise = i64::try_from(mixed >> 46).unwrap_or(0);
    200_000
        + noise
        + if mixed.is_multiple_of(512) {
            8_000_000
        } else {
            0
        }
}

fn sample(seq: u64) -> Sample {
    let stamp = |ns| Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    };
    let t1 = 1_763_900_000_000_000_000 + i64::try_from(seq).unwrap_or(0) * 10_000;
    let t2 = t1 + delay(seq, 1) + 7_000_000_000;
    let t3 = t2 + delay(seq, 2) / 16;
    Sample {
        seq,
        fate: Fate::Received,
        t1: stamp(t1),
        t2: Some(Wall::from_unix_ns(t2)),
        t3: Some(Wall::from_unix_ns(t3)),
        t4: Some(stamp(t3 + delay(seq, 3) - 7_000_000_000)),
        reflector_seq: u32::try_from(seq & 0xffff_ffff)
            .ok()
            .map(|r| r.wrapping_add(1)),
        ttl_forward: Some(61),
        ttl_backward: Some(62),
        tos_forward: Some(twinpath_wire::Tos(184)),
        tos_backward: Some(twinpath_wire::Tos(184)),
        departure: Delta::from_ns(delay(seq, 4) / 32),
        excluded: None,
    }
}

#[divan::bench]
fn received(bencher: Bencher<'_, '_>) {
    run(bencher, |_| Fate::Received);
}

#[divan::bench]
fn one_in_ten_lost(bencher: Bencher<'_, '_>) {
    run(bencher, |seq| {
        if seq % 10 == 3 {
            Fate::Lost
        } else {
            Fate::Received
        }
    });
}

/// All figures of a session: once per report or refresh of a live view.
#[divan::bench]
fn figures(bencher: Bencher<'_, '_>) {
    let mut metrics = SessionMetrics::new();
    (0..ROUND).for_each(|seq| metrics.record(&sample(seq)));
    bencher.bench_local(|| black_box(&metrics).figures());
}

/// A sample each of many slow sessions, whose memory is in no cache.
#[divan::bench(sample_count = 20)]
fn sessions_in_turn(bencher: Bencher<'_, '_>) {
    let mut sessions = vec![SessionMetrics::new(); 10_000];
    let mut next = 0;
    let mut round = |sessions: &mut Vec<SessionMetrics>| {
        for (salt, metrics) in (0..).zip(sessions) {
            metrics.record(&Sample {
                seq: next,
                ..sample(next + salt * 4096)
            });
        }
        next += 1;
    };
    (0..60).for_each(|_| round(&mut sessions));
    bencher
        .counter(ItemsCount::new(10_000_u64))
        .bench_local(|| round(&mut sessions));
}

/// A copy for a reader, of a session with so many packets.
#[divan::bench(args = [60, 1_000_000])]
fn snapshot(bencher: Bencher<'_, '_>, packets: u64) {
    let mut metrics = SessionMetrics::new();
    (0..packets).for_each(|seq| metrics.record(&sample(seq)));
    bencher.bench_local(|| black_box(&metrics).clone());
}

#[divan::bench]
fn histogram(bencher: Bencher<'_, '_>) {
    let values: Vec<i64> = (0..ROUND).map(|seq| delay(seq, 5)).collect();
    let mut histogram = Histogram::new();
    bencher.counter(ItemsCount::new(ROUND)).bench_local(|| {
        for value in &values {
            histogram.record(black_box(*value));
        }
    });
}

/// A session that continues from round to round; generating the samples is not measured.
fn run(bencher: Bencher<'_, '_>, fate: impl Fn(u64) -> Fate) {
    let mut metrics = SessionMetrics::new();
    let mut next = 0;
    let mut round = move || {
        let first = next;
        next += ROUND;
        let samples = (first..next).map(|seq| Sample {
            fate: fate(seq),
            ..sample(seq)
        });
        samples.collect::<Vec<_>>()
    };
    for _ in 0..20 {
        for sample in round() {
            metrics.record(&sample);
        }
    }
    bencher
        .counter(ItemsCount::new(ROUND))
        .with_inputs(round)
        .bench_local_refs(|samples| {
            for sample in samples {
                metrics.record(black_box(sample));
            }
        });
}
