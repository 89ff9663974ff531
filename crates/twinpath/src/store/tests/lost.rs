//! Files that grow while their directory goes away.

use std::path::PathBuf;

use super::*;

/// Rows of a row group that is finished, and some more.
const ROWS: i64 = 9_000;

/// A store that is written without threads: its directory, and what writes.
fn begun(directory: &Path) -> (PathBuf, Arc<Shared>, Keeper) {
    let path = directory.join("store");
    let shared = Arc::new(Shared::new(&path));
    shared.lock.take(&shared.layout).unwrap();
    let keeper = Keeper::new(Arc::clone(&shared), Pace::USUAL, channel().0);
    (path, shared, keeper)
}

/// Writes the rows of a session with these places.
fn put(keeper: &mut Keeper, places: std::ops::Range<i64>) {
    let row = StoredRow::of(&interval(2, measured(2, DAY, 1).remove(0)));
    for place in places {
        let mut row = row.clone();
        row.start = Wall::from_unix_ns(DAY + place * SECOND);
        row.end = Wall::from_unix_ns(DAY + (place + 1) * SECOND);
        keeper.add(row);
    }
    keeper.flush();
}

/// The places of the rows that are read.
fn places(path: &Path) -> Vec<i64> {
    let rows = read(&StoreReader::new(path), &all());
    let place = |row: &StoredRow| (row.start.unix_ns() - DAY) / SECOND;
    rows.iter().map(place).collect()
}

fn counts(shared: &Shared) -> (u64, u64, bool) {
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let is_failing = shared.error.lock().unwrap().is_some();
    (count(&shared.rows), count(&shared.dropped), is_failing)
}

#[test]
fn a_store_that_is_moved_is_begun_again_with_all_rows_of_the_file_that_grew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, shared, mut keeper) = begun(directory.path());
    put(&mut keeper, 0..ROWS);
    let moved = directory.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    put(&mut keeper, ROWS..ROWS + 10);
    assert!(places(&path).into_iter().eq(0..ROWS + 10));
    assert!(places(&moved).into_iter().eq(0..ROWS));
    assert_eq!(counts(&shared), (9_010, 0, false));
    let file = path.join("2026-11-30/0001.parquet");
    assert_eq!(shared.sizes.octets(), upkeep::octets_of(&file));
    assert!(shared.sizes.is_growing(&file));
    let refused = Store::open(&settings(&path)).unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
}

#[test]
fn rows_of_a_file_that_cannot_be_read_any_more_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (path, shared, mut keeper) = begun(directory.path());
    put(&mut keeper, 0..ROWS);
    fs::rename(&path, directory.path().join("moved")).unwrap();
    let file = directory.path().join("moved/2026-11-30/0001.parquet");
    File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(0)
        .unwrap();
    put(&mut keeper, ROWS..ROWS + 10);
    let left = places(&path);
    let lost = ROWS + 10 - i64::try_from(left.len()).unwrap();
    assert!(lost > 0 && left.into_iter().eq(lost..ROWS + 10));
    let lost = u64::try_from(lost).unwrap();
    assert_eq!(counts(&shared), (9_010, lost, false));
}

#[test]
fn a_store_whose_place_is_taken_waits_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (path, shared, mut keeper) = begun(directory.path());
    put(&mut keeper, 0..20);
    let moved = directory.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, "").unwrap();
    put(&mut keeper, 20..30);
    assert_eq!(counts(&shared), (20, 0, true));
    fs::remove_file(&path).unwrap();
    fs::rename(&moved, &path).unwrap();
    put(&mut keeper, 30..40);
    assert_eq!(counts(&shared), (40, 0, false));
    assert!(places(&path).into_iter().eq(0..40));
    // The file of before has them all.
    assert_eq!(fs::read_dir(path.join("2026-11-30")).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_moved_is_not_closed_without_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let shared = Arc::new(Shared::new(&path));
    let pace = Pace {
        segment_age: Duration::ZERO,
        ..Pace::USUAL
    };
    let mut keeper = Keeper::new(Arc::clone(&shared), pace, channel().0);
    put(&mut keeper, 0..20);
    fs::rename(&path, directory.path().join("moved")).unwrap();
    keeper.close_those_due();
    assert_eq!(keeper.wait(), Duration::ZERO);
    keeper.flush();
    assert!(places(&path).into_iter().eq(0..20));
    assert_eq!(counts(&shared), (20, 0, false));
}
