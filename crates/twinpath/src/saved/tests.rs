use std::fs::File;
use std::io;
use std::sync::Arc;

use twinpath_metrics::Record;
use twinpath_proto::extension::{HmacResult, ReplyTlvs};
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::file::{Store, Sync, Writer};
use super::{Reader, Row, Unreadable};

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
            suspended: false,
        },
        Record::ClockStep {
            now: at,
            by: Delta::from_ns(3_600_000_000_000),
            first_seq: 13,
            suspended: true,
        },
        Record::Sample(late),
        Record::SourceChange { at },
        Record::Missed {
            count: 9,
            since: at - Delta::from_ns(5_000_000_000),
            now: at,
        },
        Record::Sample(copy),
    ];
    (1..)
        .zip(records)
        .map(|(session, record)| Row {
            session,
            record,
            tlvs: tlvs(session, &record),
        })
        .collect()
}

/// Some replies have some.
fn tlvs(session: u32, record: &Record) -> Option<Box<ReplyTlvs>> {
    let Record::Sample(sample) = record else {
        return None;
    };
    let hmac = HmacResult::named;
    let (octets, correction, hmac) = match session {
        2 => (
            vec![0, 4, 0, 4, 184, 0, 0, 0],
            Some(Delta::from_ns(-7)),
            None,
        ),
        7 => (Vec::new(), Some(Delta::from_ns(4_200)), hmac("verified")),
        10 => (vec![0x80, 3, 0, 0], None, hmac("unchecked")),
        11 => (Vec::new(), None, hmac("no_key")),
        _ => return None,
    };
    ReplyTlvs::from_record(sample.seq, octets, correction, hmac).map(Box::new)
}

fn read(path: &std::path::Path) -> Vec<Row> {
    try_read(path).unwrap().0
}

/// The rows of a file, and whether its end is missing.
fn try_read(path: &std::path::Path) -> Result<(Vec<Row>, bool), Unreadable> {
    let mut rows = Vec::new();
    let reader = Reader::open(File::open(path).unwrap())?;
    reader.each(|row| {
        rows.push(row);
        Ok::<(), Unreadable>(())
    })?;
    Ok((rows, reader.octets_behind() > 0))
}

/// A row of an endless session.
pub(super) fn row(seq: u64) -> Row {
    let Record::Sample(sample) = rows()[1].record else {
        panic!()
    };
    Row {
        session: 1,
        record: Record::Sample(Sample {
            seq,
            reflector_seq: Some(u32::try_from(seq).unwrap()),
            t1: stamp(i64::try_from(seq * 1_000_003).unwrap(), Rung::Kernel),
            ..sample
        }),
        tlvs: None,
    }
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
        writer.write(Sync::Memory).unwrap();
        assert_eq!(read(&path), rows()[..count], "whole after row {count}");
        assert_eq!(writer.written(), count as u64);
    }
    writer.set_metadata("twinpath.end", "x".repeat(10_000));
    writer.write(Sync::Memory).unwrap();
    writer.set_metadata("twinpath.end", "ended".to_owned());
    writer.write(Sync::Memory).unwrap();
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
    let mut groups = 0;
    for seq in 0..200_000 {
        // Full, or now and then between.
        let full = writer.push(row(seq));
        groups += u32::from(full);
        if full || seq % 30_011 == 0 {
            writer.write(Sync::Memory).unwrap();
        }
    }
    assert_eq!(groups, 3);
    writer.finish().unwrap();
    let found = read(&path);
    assert_eq!(found.len(), 200_000);
    for (seq, found) in (0..).zip(found) {
        assert_eq!(found, row(seq));
    }
    let octets = std::fs::metadata(&path).unwrap().len();
    assert!(octets < 200_000 * 16, "{octets} octets for 200,000 packets");
}

/// A file in memory, and what a process that is killed may leave of each change to it.
#[derive(Default)]
struct Killed {
    octets: Vec<u8>,
    left: Vec<Vec<u8>>,
}

impl Store for &mut Killed {
    fn put(&mut self, at: u64, octets: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).unwrap();
        let before = self.octets.clone();
        let with = |part: &[u8]| {
            let mut now = before.clone();
            now.resize(before.len().max(at + part.len()), 0);
            now[at..at + part.len()].copy_from_slice(part);
            now
        };
        // Eight octets within eight are written or not.
        if octets.len() > 8 || at % 8 != 0 {
            let step = (octets.len() / 7).max(1);
            let parts = (1..octets.len()).step_by(step);
            self.left.extend(parts.map(|part| with(&octets[..part])));
        }
        self.octets = with(octets);
        self.left.push(self.octets.clone());
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.octets.resize(usize::try_from(length).unwrap(), 0);
        self.left.push(self.octets.clone());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_few_octets_that_claim_to_be_many_packets_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dense.parquet");
    for (rows, refused) in [(60_000, false), (150_000, true)] {
        let file = File::create(&path).unwrap();
        let mut writer = Writer::new(file, vec![("twinpath.format", "2".to_owned())]).unwrap();
        for _ in 0..rows {
            if writer.push(row(7)) {
                writer.write(Sync::Memory).unwrap();
            }
        }
        writer.finish().unwrap();
        drop(writer);
        let octets = std::fs::metadata(&path).unwrap().len();
        assert!(octets < 30_000, "{octets}");
        match Reader::open(File::open(&path).unwrap()) {
            Err(Unreadable::TooDense) => assert!(refused, "{rows}"),
            Err(error) => panic!("{rows}: {error}"),
            Ok(_) => assert!(!refused, "{rows}"),
        }
    }
}

#[test]
fn a_process_that_is_killed_anywhere_leaves_a_file_that_others_read_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.parquet");
    let facts = vec![("twinpath.format", "1".to_owned())];
    let mut killed = Killed::default();
    drop(Writer::new(&mut killed, facts.clone()).unwrap());
    killed.left.clear();
    let mut states = 0;
    let (mut most, mut last) = (0, 0);
    let mut check = |killed: &mut Killed, before: usize, now: usize| {
        for left in killed.left.drain(..) {
            std::fs::write(&path, &left).unwrap();
            let (found, torn) = try_read(&path).unwrap();
            assert!(!torn, "whole to readers that do not look for an end");
            assert!(
                [before, now].contains(&found.len()),
                "{before} {now} {}",
                found.len()
            );
            for (seq, found) in (0..).zip(found) {
                assert_eq!(found, row(seq));
            }
            states += 1;
            most = most.max(left.len());
            last = left.len();
        }
    };
    // More than a row group, written at moments of all kinds.
    let mut rows = 0;
    let mut before = 0;
    let mut writer = Writer::new(&mut killed, facts).unwrap().of_groups(600);
    writer.store().left.clear();
    for more in [1, 10, 50, 2, 100, 200, 300, 700, 7, 900] {
        for _ in 0..more {
            if writer.push(row(rows)) {
                writer.write(Sync::Memory).unwrap();
                check(writer.store(), before, usize::try_from(rows).unwrap() + 1);
                before = usize::try_from(rows).unwrap() + 1;
            }
            rows += 1;
        }
        writer.write(Sync::Disk).unwrap();
        check(writer.store(), before, usize::try_from(rows).unwrap());
        before = usize::try_from(rows).unwrap();
    }
    writer.set_metadata("twinpath.end", "ended".to_owned());
    writer.finish().unwrap();
    check(writer.store(), before, before);
    assert!(states > 100, "{states}");
    assert!(
        last < most,
        "nothing that does not count is left: {last} of {most}"
    );
    drop(writer);
    std::fs::write(&path, &killed.octets).unwrap();
    let reader = Reader::open(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.fact("twinpath.end"), Some("ended"));
}

#[test]
fn a_file_whose_end_is_missing_is_read_up_to_its_last_whole_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.parquet");
    let facts = vec![("twinpath.format", "1".to_owned())];
    let mut writer = Writer::new(File::create(&path).unwrap(), facts).unwrap();
    let mut seq = 0;
    let mut lengths: Vec<(u64, u64)> = Vec::new();
    // Until a write follows the one before it, and not in the place of older ones.
    while lengths.len() < 4 || lengths[lengths.len() - 2].0 > lengths[lengths.len() - 1].0 {
        for _ in 0..40 {
            writer.push(row(seq));
            seq += 1;
        }
        writer.write(Sync::Memory).unwrap();
        lengths.push((std::fs::metadata(&path).unwrap().len(), seq));
        assert!(lengths.len() < 20);
    }
    let whole = std::fs::read(&path).unwrap();
    let &[.., (before, rows_before), (now, rows_now)] = lengths.as_slice() else {
        panic!()
    };
    for length in before..=now {
        let octets = &whole[..usize::try_from(length).unwrap()];
        std::fs::write(&path, octets).unwrap();
        let (found, torn) = try_read(&path).unwrap();
        let expected = if length == now { rows_now } else { rows_before };
        assert_eq!(
            found.len() as u64,
            expected,
            "{length} of {before} to {now}"
        );
        assert_eq!(torn, length != now && length != before, "{length}");
    }
    // A power cut may leave the length and not what was to stand there.
    let mut octets = whole.clone();
    octets[usize::try_from(before).unwrap()..].fill(0);
    std::fs::write(&path, &octets).unwrap();
    let (found, torn) = try_read(&path).unwrap();
    assert_eq!((found.len() as u64, torn), (rows_before, true));
}

/// A hostile file: a raw file with octets changed, many of them in counts and lengths.
#[test]
fn damaged_files_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.parquet");
    let facts = vec![("twinpath.format", "1".to_owned())];
    let mut writer = Writer::new(File::create(&path).unwrap(), facts).unwrap();
    for seq in 0..50 {
        writer.push(row(seq));
    }
    for row in rows() {
        writer.push(row);
    }
    writer.finish().unwrap();
    // Its checksums would keep all of it from the reader, and a stranger can write fitting ones.
    let whole = super::checksum::tests::without(&std::fs::read(&path).unwrap());
    let mut state: u64 = 0x5eed;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).unwrap()
    };
    let mut refused = 0;
    for turn in 0..6_000 {
        let mut octets = whole.clone();
        for _ in 0..=below(3) {
            // Everywhere, or in the footer.
            let from = if turn % 2 == 0 {
                4
            } else {
                whole.len() * 6 / 10
            };
            let at = from + below(octets.len() - from);
            match below(4) {
                0 => octets[at] = 0xff,
                1 => octets[at] ^= 1 << below(8),
                2 => octets[at] = u8::try_from(below(256)).unwrap(),
                _ => {
                    let to = (at + 5).min(octets.len());
                    octets[at..to].fill(0xff);
                }
            }
        }
        std::fs::write(&path, &octets).unwrap();
        refused += u32::from(try_read(&path).is_err());
    }
    assert!(refused > 1_000, "{refused} of 6,000");
}

#[test]
fn times_in_another_unit_are_not_taken_for_nanoseconds() {
    use parquet::basic::{LogicalType, TimeUnit};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    let ours = super::schema::schema().unwrap();
    for (unit, read) in [
        (TimeUnit::NANOS, true),
        (TimeUnit::MICROS, false),
        (TimeUnit::MILLIS, false),
    ] {
        let fields = ours.get_fields().iter().map(|field| {
            if field.name() != "t3_ns" {
                return Arc::clone(field);
            }
            let again = Type::primitive_type_builder("t3_ns", field.get_physical_type())
                .with_logical_type(Some(LogicalType::timestamp(true, unit)))
                .with_repetition(field.get_basic_info().repetition());
            Arc::new(again.build().unwrap())
        });
        let schema = Type::group_type_builder("other").with_fields(fields.collect());
        let file = tempfile::tempfile().unwrap();
        let properties = Arc::new(WriterProperties::default());
        let schema = Arc::new(schema.build().unwrap());
        let writer = SerializedFileWriter::new(file.try_clone().unwrap(), schema, properties);
        writer.unwrap().close().unwrap();
        let opened = Reader::open(file);
        let refused = matches!(opened, Err(Unreadable::Unit("t3_ns")));
        assert_eq!((opened.is_ok(), refused), (read, !read), "{unit:?}");
    }
}
