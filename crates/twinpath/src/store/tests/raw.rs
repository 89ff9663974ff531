//! Files of raw packets.

use std::fs::File;

use super::*;

/// Octets of a file of the tests.
const OCTETS: usize = 50_000;

/// A file of raw packets of the hour that began so many hours ago.
fn raw_file(directory: &Path, hours_ago: i64) -> PathBuf {
    let hour = Wall::from_unix_ns((wall().unix_ns() / HOUR_NS - hours_ago) * HOUR_NS);
    let mut time = twinpath_report::words::instant(hour, 0);
    time.retain(|c| !matches!(c, '-' | ':'));
    let raw = directory.join("_more/raw");
    fs::create_dir_all(&raw).unwrap();
    let path = raw.join(format!("packets-{time}.parquet"));
    fs::write(&path, vec![0; OCTETS]).unwrap();
    path
}

#[test]
fn raw_packets_go_when_they_are_old_enough_unless_they_grow() {
    let directory = tempfile::tempdir().unwrap();
    let [ancient, growing, old, young] = [99, 98, 50, 3].map(|ago| raw_file(directory.path(), ago));
    let writer = File::open(&growing).unwrap();
    writer.lock().unwrap();
    let other = directory.path().join("_more/raw/notes.parquet");
    fs::write(&other, "not of the store").unwrap();
    let kept = StoreSettings {
        retention: Some(Duration::from_hours(48)),
        ..settings(directory.path())
    };
    // A clock that is wrong for a moment deletes nothing.
    let doubtful = Pace {
        doubt: Duration::from_hours(1),
        ..QUICK
    };
    let shared = Arc::new(Shared::new(directory.path()));
    Upkeep::new(shared, doubtful, &kept).look(wall()).unwrap();
    assert!(ancient.exists());
    let store = Store::open_at(&kept, QUICK).unwrap();
    wait("old files to go", || !ancient.exists() && !old.exists());
    assert!(growing.exists() && young.exists() && other.exists());
    drop(writer);
    wait("the file that grew to go", || !growing.exists());
    wait("octets", || store.counters().octets == OCTETS as u64);
    assert!(young.exists());
}

#[test]
fn raw_packets_go_before_rows_where_all_is_too_much() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let rows = fill(&store, 4, DAY, 200);
    store.close();
    let store = open(directory.path());
    wait("closed files", || store.counters().octets > 0);
    store.close();
    let store = open(directory.path());
    wait("a look", || store.counters().octets > 0);
    let of_rows = store.close().octets;
    let [first, second, growing] = [9, 8, 7].map(|ago| raw_file(directory.path(), ago));
    let writer = File::open(&growing).unwrap();
    writer.lock().unwrap();
    let octets = OCTETS as u64;
    let bounded = |more: u64| StoreSettings {
        max_octets: Some(of_rows + more),
        ..settings(directory.path())
    };
    let store = Store::open_at(&bounded(2 * octets), QUICK).unwrap();
    wait("the oldest to go", || !first.exists());
    wait("octets", || store.counters().octets <= of_rows + 2 * octets);
    assert_eq!(store.close().deleted_octets, octets);
    assert!(second.exists());
    let store = Store::open_at(&bounded(octets), QUICK).unwrap();
    wait("the next to go", || !second.exists());
    store.close();
    assert!(growing.exists());
    assert_eq!(
        read(&StoreReader::new(directory.path()), &all()).len(),
        rows.len()
    );
}

#[test]
fn what_a_crash_left_of_raw_packets_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let whole = raw_file(directory.path(), 1);
    let half = directory.path().join("_more/raw/.twinpath-Ab12Cd");
    fs::write(&half, "half").unwrap();
    open(directory.path()).close();
    assert!(!half.exists() && whole.exists());
}
