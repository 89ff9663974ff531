//! Tests of the store.

mod alarms;
mod crash;
mod damage;
mod disk;
mod files;
mod lost;
mod others;
mod raw;
mod sums;
mod year;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_metrics::{ClosedInterval, Intervals, MetricsConfig, Waits};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Tos, Wall};

use twinpath_runtime::wall;

use super::layout::Day;
use super::*;

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(super) const INTERVAL: i64 = 10 * SECOND;
/// 2026-11-30T00:00:00Z.
pub(super) const DAY: i64 = 1_795_996_800 * SECOND;

/// Quick, and of small files.
const QUICK: Pace = Pace {
    flush: Duration::from_millis(5),
    segment_age: Duration::from_hours(1),
    segment_rows: 500,
    segment_octets: u64::MAX,
    look: Duration::from_millis(20),
    doubt: Duration::ZERO,
};

pub(super) fn settings(path: &Path) -> StoreSettings {
    StoreSettings {
        path: path.to_owned(),
        retention: None,
        max_octets: None,
    }
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open_at(&settings(path), QUICK).unwrap()
}

/// The round trip of a packet of a session: some milliseconds, of which no two are alike.
pub(crate) fn round_trip(session: u64, seq: u64) -> i64 {
    let mixed = (session << 32 | seq).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    10_000_000 + i64::try_from(mixed % 4_000_000).unwrap()
}

/// A packet sent then, the tenth of which are lost.
pub(super) fn packet(session: u64, seq: u64, at: i64) -> Sample {
    let t1 = Stamp {
        at: Wall::from_unix_ns(at),
        rung: Rung::Kernel,
    };
    if seq % 10 == 9 {
        return Sample::lost(seq, t1);
    }
    let trip = round_trip(session, seq);
    let t2 = at + trip / 2 + 777;
    Sample {
        fate: Fate::Received,
        t2: Some(Wall::from_unix_ns(t2)),
        t3: Some(Wall::from_unix_ns(t2 + 20_000)),
        t4: Some(Stamp {
            at: Wall::from_unix_ns(at + trip + 20_000),
            rung: Rung::Kernel,
        }),
        reflector_seq: Some(u32::try_from(seq - seq / 10).unwrap()),
        ttl_forward: Some(60),
        ttl_backward: Some(61),
        departure: Delta::from_ns(i64::try_from(seq % 7).unwrap() * 1_000),
        ..Sample::lost(seq, t1)
    }
}

/// The intervals of a session with a packet a second, from then on.
pub(super) fn measured(session: u64, begin: i64, count: i64) -> Vec<ClosedInterval> {
    let waits = Waits {
        records: Duration::from_secs(1),
        ..Waits::default()
    };
    let length = Duration::from_secs(10);
    let origin = Wall::from_unix_ns(begin);
    let mut intervals = Intervals::new(origin, length, waits, MetricsConfig::default());
    let mut rows = Vec::new();
    for seq in 0..u64::try_from(count * 10).unwrap() {
        let at = begin + i64::try_from(seq).unwrap() * SECOND + SECOND / 2;
        intervals.record(&packet(session, seq, at));
        rows.extend(intervals.close(Wall::from_unix_ns(at)));
    }
    while let Some(row) = intervals.close_last() {
        rows.push(row);
    }
    rows
}

pub(super) fn interval(session: u64, row: ClosedInterval) -> StoredInterval {
    StoredInterval {
        session: name(session),
        class: Tos(0xb8),
        path: (session % 2 == 1).then_some(1),
        row,
    }
}

pub(crate) fn name(session: u64) -> Arc<str> {
    format!("session-{session:04}").into()
}

/// Adds them, however slow the disk is.
pub(super) fn add(store: &Store, session: u64, rows: Vec<ClosedInterval>) {
    for row in rows {
        add_row(store, || interval(session, row.clone()));
    }
}

fn add_row(store: &Store, again: impl Fn() -> StoredInterval) {
    while !store.add(Arc::new(again())) {
        thread::sleep(Duration::from_millis(1));
        store.shared.dropped.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Rows of several sessions, and the same added to the store.
pub(crate) fn fill(store: &Store, sessions: u64, begin: i64, count: i64) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    let mut all: Vec<_> = (0..sessions)
        .map(|session| (session, measured(session, begin, count).into_iter()))
        .collect();
    // As they come: an interval of each session, then the next of each.
    loop {
        let mut is_over = true;
        for (session, intervals) in &mut all {
            if let Some(row) = intervals.next() {
                is_over = false;
                rows.push(StoredRow::of(&interval(*session, row.clone())));
                add(store, *session, vec![row]);
            }
        }
        if is_over {
            rows.sort_by(|one, other| closed::key(one).cmp(&closed::key(other)));
            return rows;
        }
    }
}

pub(super) fn all() -> Query {
    Query {
        session: None,
        from: Wall::from_unix_ns(i64::MIN),
        to: Wall::from_unix_ns(i64::MAX),
        resolution: None,
        columns: None,
    }
}

pub(super) fn read(store: &StoreReader, query: &Query) -> Vec<StoredRow> {
    let rows = store.rows(query).unwrap();
    let mut rows: Vec<StoredRow> = rows.map(|row| row.unwrap()).collect();
    rows.sort_by(|one, other| closed::key(one).cmp(&closed::key(other)));
    rows
}

/// Waits for something that a thread does.
pub(crate) fn wait(what: &str, is_done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < Duration::from_mins(2), "no {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
