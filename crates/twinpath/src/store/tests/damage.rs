//! Files that a disk, a copy or a person damaged.

use std::path::PathBuf;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::super::columns::Intervals as Format;
use super::super::segment::Segment;
use super::*;
use crate::saved::{Sync, Writer};

/// The files of a store with this extension.
fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let layout = Layout::new(path);
    let days = layout.days().unwrap().into_iter();
    let files = days.flat_map(|day| fs::read_dir(layout.day(day)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

/// Rows that can be read, and the errors.
fn rows_and_errors(path: &Path) -> (usize, Vec<String>) {
    let rows = StoreReader::new(path).rows(&all()).unwrap();
    let (rows, errors): (Vec<_>, Vec<_>) = rows.partition(Result::is_ok);
    let errors = errors.into_iter().filter_map(Result::err);
    (rows.len(), errors.map(|error| error.to_string()).collect())
}

#[test]
fn a_growing_file_with_a_damaged_end_stays_as_it_is_under_another_name() {
    let running = tempfile::tempdir().unwrap();
    let store = open(running.path());
    // Of today: the next process would go on with its file.
    let now = wall().unix_ns();
    fill(&store, 4, now - now % (86_400 * SECOND), 50);
    wait("rows", || store.counters().rows == 200);
    // As a process that is killed leaves it.
    let file = files(running.path(), "parquet").remove(0);
    let whole = fs::read(&file).unwrap();
    let name = file.strip_prefix(running.path()).unwrap();
    let cut = |octets: usize| whole[..whole.len() - octets].to_vec();
    let mut overwritten = whole.clone();
    let at = whole.len() - 300;
    overwritten[at..at + 4].copy_from_slice(b"####");
    for (what, octets) in [
        ("4 octets less", cut(4)),
        ("100 octets less", cut(100)),
        ("half", cut(whole.len() / 2)),
        ("overwritten", overwritten),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &octets).unwrap();
        let (_, errors) = rows_and_errors(directory.path());
        let is_said = |said| errors.iter().all(|error: &String| error.contains(said));
        assert!(
            !errors.is_empty() && is_said("0001.parquet: "),
            "{what}: {errors:?}"
        );
        let store = open(directory.path());
        wait("a damaged file", || store.counters().damaged == 1);
        store.close();
        let aside = files(directory.path(), "damaged");
        assert_eq!(aside.len(), 1, "{what}");
        assert!(fs::read(&aside[0]).unwrap() == octets, "{what}");
        let (rows, errors) = rows_and_errors(directory.path());
        assert!(rows <= 200, "{what}: {rows}");
        assert!(
            errors.len() == 1 && errors[0].contains("was set aside"),
            "{what}: {errors:?}"
        );
        let source = StoreSource::directory(directory.path());
        let (_, unread) = source.totals(&(Wall::from_unix_ns(0)..wall())).unwrap();
        assert_eq!(unread.count, 1, "{what}: a report says it");
    }
    store.close();
}

#[test]
fn whole_row_groups_of_a_damaged_file_are_read_and_take_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let day = directory.path().join("2026-11-30");
    fs::create_dir_all(&day).unwrap();
    let path = day.join("0001.parquet");
    let facts = vec![(FORMAT_KEY, FORMAT.to_owned())];
    let file = File::create(&path).unwrap();
    let mut writer = Writer::of(Format, file, facts).unwrap().of_groups(40);
    let mut rows = Vec::new();
    let mut ends = Vec::new();
    for row in measured(3, DAY, 120) {
        let row = StoredRow::of(&interval(3, row));
        rows.push(row.clone());
        if writer.push(row) {
            writer.write(Sync::Memory).unwrap();
            ends.push(Segment::open(&path).unwrap().groups());
        }
    }
    writer.finish().unwrap();
    assert_eq!(ends, [1, 2, 3]);
    let mut octets = fs::read(&path).unwrap();
    let about = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let second = about.metadata().row_group(1).file_offset().unwrap();
    let middle = usize::try_from(second).unwrap() + 100;
    octets[middle..middle + 4].copy_from_slice(b"####");
    fs::write(&path, &octets).unwrap();
    let (count, errors) = rows_and_errors(directory.path());
    assert_eq!((count, errors.len()), (80, 1), "{errors:?}");
    // One of that name is there from before.
    fs::write(day.join("0001.damaged"), "older").unwrap();
    let store = open(directory.path());
    wait("a damaged file", || store.counters().damaged == 1);
    store.close();
    assert_eq!(fs::read(day.join("0001.damaged")).unwrap(), b"older");
    assert!(fs::read(day.join("0001.2.damaged")).unwrap() == octets);
    rows.drain(40..80);
    let reader = StoreReader::new(directory.path());
    let found = reader.rows(&all()).unwrap().filter_map(Result::ok);
    assert_eq!(found.collect::<Vec<_>>(), rows);
    assert!(Segment::open(&path).unwrap().is_closed());
}
