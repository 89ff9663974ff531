//! Cost of one sample with intervals and columns: `cargo bench -p twinpath-metrics --bench series`.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use twinpath_metrics::{
    ClockModel, Intervals, MetricsConfig, Record, ReflectorKind, Series, SeriesConfig, Timeline,
    Waits,
};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Samples of one round of a benchmark.
const ROUND: u64 = 65_536;

fn main() {
    divan::main();
}

/// Some hundred microseconds, noisy.
fn delay(seq: u64, salt: u64) -> i64 {
    let mixed = (seq ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    200_000 + i64::try_from((mixed ^ (mixed >> 29)) >> 46).unwrap_or(0)
}

fn sample(seq: u64) -> Sample {
    let stamp = |ns| Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    };
    let t1 = 1_763_900_000_000_000_000 + i64::try_from(seq).unwrap_or(0) * 1_000_000;
    let t2 = t1 + delay(seq, 1) + 7_000_000_000;
    let t3 = t2 + 2_000;
    Sample {
        seq,
        fate: Fate::Received,
        t1: stamp(t1),
        t2: Some(Wall::from_unix_ns(t2)),
        t3: Some(Wall::from_unix_ns(t3)),
        t4: Some(stamp(t3 + delay(seq, 3) - 7_000_000_000)),
        reflector_seq: None,
        ttl_forward: Some(61),
        ttl_backward: Some(62),
        tos_forward: None,
        tos_backward: None,
        departure: Delta::ZERO,
        excluded: None,
    }
}

#[divan::bench]
fn clocks(bencher: Bencher<'_, '_>) {
    let mut model = ClockModel::new();
    run(bencher, |sample| model.record(sample));
}

#[divan::bench]
fn timeline(bencher: Bencher<'_, '_>) {
    let width = std::time::Duration::from_millis(1);
    let mut timeline = Timeline::new(sample(0).t1.at, width, Timeline::COLUMNS);
    run(bencher, |sample| timeline.record(sample));
}

/// Packets of a session whose records are kept.
const KEPT: u64 = 400;

fn keeping() -> Series {
    let config = SeriesConfig {
        metrics: MetricsConfig::default(),
        waits: Waits::default(),
        interval: None,
        columns: None,
    };
    Series::keeping_records(config, usize::MAX)
}

/// A sample that is kept.
#[divan::bench]
fn kept(bencher: Bencher<'_, '_>) {
    let mut series = keeping();
    run(bencher, |sample| {
        if sample.seq.is_multiple_of(KEPT) {
            series = keeping();
        }
        series.record(&Record::Sample(*sample));
    });
}

/// Once per report of a session whose records are kept, and when they are counted.
#[divan::bench]
fn counted(bencher: Bencher<'_, '_>) {
    let mut series = keeping();
    (0..KEPT).for_each(|seq| series.record(&Record::Sample(sample(seq))));
    let counter = ItemsCount::new(KEPT);
    let bencher = bencher.counter(counter);
    bencher.bench_local(|| drop(black_box(&series).counted()));
}

/// Including the total, which replaces the session's own metrics.
#[divan::bench]
fn intervals(bencher: Bencher<'_, '_>) {
    let second = std::time::Duration::from_secs(1);
    let origin = sample(0).t1.at;
    let waits = Waits {
        fates: 2 * second,
        records: 4 * second,
        ..Waits::default()
    };
    let mut intervals = Intervals::new(origin, second, waits, ReflectorKind::Undeclared);
    run(bencher, |sample| {
        intervals.record(sample);
        if sample.seq % 1000 == 0 {
            black_box(intervals.poll(sample.t1.at));
        }
    });
}

/// Once per report or refresh of a live view.
#[divan::bench]
fn estimate(bencher: Bencher<'_, '_>) {
    let mut model = ClockModel::new();
    for seq in 0..20 * ROUND {
        model.record(&sample(seq));
    }
    bencher.bench_local(|| black_box(&model).estimate());
}

/// A session that continues from round to round; generating the samples is not measured.
fn run(bencher: Bencher<'_, '_>, mut record: impl FnMut(&Sample)) {
    let mut next = 0;
    let mut round = move || {
        let first = next;
        next += ROUND;
        (first..next).map(sample).collect::<Vec<_>>()
    };
    for _ in 0..20 {
        for sample in round() {
            record(&sample);
        }
    }
    bencher
        .counter(ItemsCount::new(ROUND))
        .with_inputs(round)
        .bench_local_refs(|samples| {
            for sample in samples {
                record(black_box(sample));
            }
        });
}
