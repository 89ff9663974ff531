use std::fs::File;

use twinpath_metrics::Record;
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::file::Writer;
use super::{Broken, Reader, Row};

fn stamp(ns: i64, rung: Rung) -> Stamp {
    Stamp {
        at: Wall::from_unix_ns(ns),
        rung,
    }
}

/// One row of each kind and each fate, with every field once there and once not.
pub(super) fn rows() -> Vec<Row> {
    let full = Sample {
        seq: u64::from(u32::MAX) + 7,
        fate: Fate::Received,
        t1: stamp(1_795_449_600_250_000_000, Rung::Kernel),
        t2: Some(Wall::from_unix_ns(-5)),
        t3: Some(Wall::from_unix_ns(i64::MAX)),
        t4: Some(stamp(1_795_449_600_251_000_000, Rung::Hardware)),
        reflector_seq: Some(u32::MAX),
        ttl_forward: Some(255),
        ttl_backward: Some(0),
        tos_forward: Some(Tos(0xb8)),
        tos_backward: Some(Tos(255)),
        departure: Delta::from_ns(-3),
        excluded: None,
    };
    let bare = Sample {
        seq: 0,
        fate: Fate::Lost,
        t1: stamp(i64::MIN, Rung::User),
        t2: None,
        t3: None,
        t4: None,
        reflector_seq: None,
        ttl_forward: None,
        ttl_backward: None,
        tos_forward: None,
        tos_backward: None,
        departure: Delta::from_ns(i64::MAX),
        excluded: Some(Exclusion::ClockStep),
    };
    let late = Sample {
        fate: Fate::Late,
        t4: Some(stamp(9, Rung::Queue)),
        excluded: Some(Exclusion::Implausible),
        ..full
    };
    let copy = Sample {
        fate: Fate::Duplicate,
        ..full
    };
    let at = Wall::from_unix_ns(77);
    let records = [
        Record::Begun { at },
        Record::Sample(full),
        Record::NotSent { seq: 3, at },
        Record::Sample(bare),
        Record::ClockStep {
            now: at,
            by: Delta::from_ns(-1_000),
            first_seq: 12,
        },
        Record::Sample(late),
        Record::Missed { count: 9, now: at },
        Record::Sample(copy),
    ];
    (1..)
        .zip(records)
        .map(|(session, record)| Row { session, record })
        .collect()
}

pub(super) fn read(path: &std::path::Path) -> Vec<Row> {
    let mut rows = Vec::new();
    Reader::open(File::open(path).unwrap())
        .unwrap()
        .each(|row| {
            rows.push(row);
            Ok::<(), Broken>(())
        })
        .unwrap();
    rows
}

#[test]
fn every_kind_of_row_comes_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.parquet");
    let facts = vec![("twinpath.format", "1".to_owned())];
    let mut writer = Writer::new(File::create(&path).unwrap(), facts).unwrap();
    assert_eq!(read(&path), [], "a file without a row is whole");
    for (count, row) in (1..).zip(rows()) {
        assert!(!writer.push(row));
        writer.write().unwrap();
        assert_eq!(read(&path), rows()[..count], "whole after row {count}");
        assert_eq!(writer.written(), count as u64);
    }
    writer.tell("twinpath.end", "x".repeat(10_000));
    writer.write().unwrap();
    writer.tell("twinpath.end", "ended".to_owned());
    writer.write().unwrap();
    let reader = Reader::open(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.fact("twinpath.format"), Some("1"));
    assert_eq!(reader.fact("twinpath.end"), Some("ended"));
    assert_eq!(reader.fact("twinpath.other"), None);
    assert_eq!(
        read(&path),
        rows(),
        "a shorter footer leaves nothing behind it"
    );
}

#[test]
fn many_row_groups_keep_the_order_of_their_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.parquet");
    let mut writer = Writer::new(File::create(&path).unwrap(), Vec::new()).unwrap();
    let Record::Sample(sample) = rows()[1].record else {
        panic!()
    };
    let row = |seq: u64| Row {
        session: 1,
        record: Record::Sample(Sample {
            seq,
            reflector_seq: Some(u32::try_from(seq).unwrap()),
            t1: stamp(i64::try_from(seq * 1_000_003).unwrap(), Rung::Kernel),
            ..sample
        }),
    };
    let mut groups = 0;
    for seq in 0..200_000 {
        // Full, or now and then between.
        let full = writer.push(row(seq));
        groups += u32::from(full);
        if full || seq % 30_011 == 0 {
            writer.write().unwrap();
        }
    }
    assert_eq!(groups, 3);
    writer.write().unwrap();
    let found = read(&path);
    assert_eq!(found.len(), 200_000);
    for (seq, found) in (0..).zip(found) {
        assert_eq!(found, row(seq));
    }
    let octets = std::fs::metadata(&path).unwrap().len();
    assert!(octets < 200_000 * 16, "{octets} octets for 200,000 packets");
}
