//! Runs of raw packets, without sessions that are measured.

use std::fs::{self, File};
use std::path::Path;

use twinpath_report::{Identity, Target};
use twinpath_wire::Tos;

use super::*;
use crate::saved::{FileSizes, FooterPart, Reader, Row, Unreadable};

fn setup_of(name: &str) -> SessionSetup {
    let target = Target {
        name: name.to_owned(),
        labels: std::collections::BTreeMap::new(),
        has_moved: false,
        is_listed: true,
    };
    SessionSetup::of_others(Identity::unknown(1, target, Tos(0), None))
}

fn begun(ns: i64) -> Record {
    Record::Begun {
        at: Wall::from_unix_ns(ns),
    }
}

/// Saves a record of a session of this name.
fn put(raw: &RawPackets, session: &mut RawSession, name: &str, ns: i64) {
    let setup = || Some(setup_of(name));
    raw.state().record(session, setup, &begun(ns), None, wall());
}

/// Of a file: names of sessions, session and time of each row, and which part it is.
type Contents = (Vec<String>, Vec<(u32, i64)>, FooterPart);

/// The files of a directory, by their names.
fn files(place: &Path) -> Vec<Contents> {
    let paths = fs::read_dir(place).unwrap();
    let mut paths: Vec<_> = paths.map(|path| path.unwrap().path()).collect();
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        let reader = Reader::open(File::open(path).unwrap()).unwrap();
        let (run, end) = reader.facts().unwrap();
        assert!(end.is_none(), "{}", path.display());
        let name = |setup: SessionSetup| setup.identity.target.unwrap().name;
        let mut rows = Vec::new();
        let read: Result<(), Unreadable> = reader.each(|row: Row| {
            let Record::Begun { at } = row.record else {
                panic!("{row:?}")
            };
            rows.push((row.session, at.unix_ns()));
            Ok(())
        });
        read.unwrap();
        let names = run.sessions.into_iter().map(name).collect();
        (names, rows, reader.part().unwrap().unwrap())
    };
    paths.iter().map(file).collect()
}

fn raw_packets(place: &Path) -> RawPackets {
    RawPackets::new(RawPlace {
        path: place.join("_more/raw").join("packets.parquet"),
        most_octets: None,
        sizes: FileSizes::default(),
    })
}

#[test]
fn sessions_have_numbers_as_they_begin_and_one_that_begins_again_another_one() {
    let place = tempfile::tempdir().unwrap();
    let raw = raw_packets(place.path());
    assert_eq!(raw.counters(), None);
    let [mut a, mut b, mut again] = [(); 3].map(|()| RawSession::default());
    put(&raw, &mut a, "a", 1);
    put(&raw, &mut b, "b", 2);
    put(&raw, &mut a, "a", 3);
    put(&raw, &mut again, "a", 4);
    raw.close();
    let saved = RawCounters {
        records: 4,
        dropped: 0,
    };
    assert_eq!(raw.counters(), Some(saved));
    let files = files(&place.path().join("_more/raw"));
    let rows: Vec<_> = files.iter().flat_map(|(_, rows, _)| rows.clone()).collect();
    assert_eq!(rows, [(1, 1), (2, 2), (1, 3), (3, 4)]);
    let (names, _, part) = files.last().unwrap();
    assert_eq!(*names, ["a", "b", "a"]);
    assert!(part.is_last && part.until.is_some(), "{part:?}");
    // It is over.
    put(&raw, &mut a, "a", 5);
    assert_eq!(raw.counters().unwrap().dropped, 1);
}

#[test]
fn a_run_with_as_many_sessions_as_may_be_is_followed_by_another_one() {
    let place = tempfile::tempdir().unwrap();
    let raw = raw_packets(place.path());
    let mut lasting = RawSession::default();
    put(&raw, &mut lasting, "lasting", 0);
    for _ in 1..MOST_SESSIONS {
        put(&raw, &mut RawSession::default(), "short", 1);
    }
    // Not at once: else more sessions than that would make runs without end.
    put(&raw, &mut RawSession::default(), "early", 2);
    assert_eq!(raw.counters().unwrap().dropped, 1);
    raw.state().begun = None;
    put(&raw, &mut RawSession::default(), "next", 3);
    put(&raw, &mut lasting, "lasting", 4);
    raw.close();
    let saved = RawCounters {
        records: MOST_SESSIONS as u64 + 2,
        dropped: 1,
    };
    assert_eq!(raw.counters(), Some(saved));
    let files = files(&place.path().join("_more/raw"));
    let (names, rows, part) = files.last().unwrap();
    assert_eq!(*names, ["next", "lasting"]);
    assert_eq!(*rows, [(1, 3), (2, 4)]);
    let (_, _, before) = files.first().unwrap();
    assert_ne!(part.run, before.run);
    let mut of_first = files.iter().filter(|(.., part)| part.run == before.run);
    let all: usize = of_first.clone().map(|(_, rows, _)| rows.len()).sum();
    assert_eq!(all, MOST_SESSIONS);
    assert!(of_first.next_back().unwrap().2.is_last);
}

#[test]
fn what_cannot_be_written_is_counted() {
    let place = tempfile::tempdir().unwrap();
    fs::write(
        place.path().join("_more"),
        "a file where the directory is to be",
    )
    .unwrap();
    let raw = raw_packets(place.path());
    let mut a = RawSession::default();
    put(&raw, &mut a, "a", 1);
    put(&raw, &mut a, "a", 2);
    raw.close();
    let saved = RawCounters {
        records: 0,
        dropped: 2,
    };
    assert_eq!(raw.counters(), Some(saved));
}
