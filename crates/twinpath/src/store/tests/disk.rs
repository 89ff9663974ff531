//! Disks that are full or gone, and rows whose time is up.

use std::process::Command;

use super::*;

fn segments(path: &Path) -> usize {
    let layout = Layout::new(path);
    let days = layout.days().unwrap();
    days.iter()
        .map(|day| layout.files(*day).unwrap().segments.len())
        .sum()
}

/// The same in a directory of a disk with room for this many octets, as root alone can have it.
fn on_small_disk(octets: u32, test: impl FnOnce(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={octets}"),
            "twinpath-test",
        ])
        .arg(directory.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: a small disk takes root and mount(8)");
        return;
    }
    let tested = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(directory.path())));
    let unmounted = Command::new("umount").arg(directory.path()).status();
    if let Err(failed) = tested {
        std::panic::resume_unwind(failed);
    }
    assert!(unmounted.unwrap().success());
}

#[test]
fn a_full_disk_takes_the_latest_rows_when_there_is_room_again() {
    on_small_disk(2 << 20, |directory| {
        let ballast = directory.join("ballast");
        let path = directory.join("store");
        let store = open(&path);
        let first = fill(&store, 5, DAY, 40);
        wait("rows", || store.counters().rows == 200);
        // As much as there is room for.
        let mut full = File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut full, &[0; 4_096]).is_ok() {}
        while std::io::Write::write_all(&mut full, &[0]).is_ok() {}
        drop(full);
        let second = fill(&store, 5, DAY + 50 * INTERVAL, 100);
        wait("an error", || store.counters().error.is_some());
        let error = store.counters().error.unwrap();
        assert!(error.contains("No space left"), "{error}");
        assert!(store.counters().rows < 700);
        // What was there is still read.
        let there = read(&store.reader(), &all());
        assert!(first.iter().all(|row| there.contains(row)));
        fs::remove_file(&ballast).unwrap();
        wait("rows", || store.counters().rows == 700);
        let counters = store.close();
        assert_eq!((counters.dropped, counters.error), (0, None));
        let mut expected: Vec<StoredRow> = [first, second].concat();
        expected.sort_by(|one, other| closed::key(one).cmp(&closed::key(other)));
        assert_eq!(read(&StoreReader::new(&path), &all()), expected);
    });
}

#[test]
fn a_directory_that_is_deleted_is_made_again_with_the_rows_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    let first = fill(&store, 2, DAY, 40);
    wait("rows", || store.counters().rows == 80);
    fs::remove_dir_all(path.join("2026-11-30")).unwrap();
    let second = fill(&store, 2, DAY + 50 * INTERVAL, 40);
    let expected = first.len() + second.len();
    wait("rows", || read(&store.reader(), &all()).len() == expected);
    // Rows that are written again are not counted again.
    wait("counts", || store.counters().rows == 160);
    assert_eq!(store.close().rows, 160);
}

#[test]
fn octets_of_a_day_that_is_deleted_are_not_counted_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 2, DAY, 40);
    wait("octets", || {
        let counters = store.counters();
        counters.rows == 80 && counters.octets > 0
    });
    fs::remove_dir_all(directory.path().join("2026-11-30")).unwrap();
    wait("no octets", || store.counters().octets == 0);
    store.close();
}

#[test]
fn octets_are_known_without_a_look_at_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let pace = Pace {
        look: Duration::from_hours(1),
        ..QUICK
    };
    let store = Store::open_at(&settings(directory.path()), pace).unwrap();
    fill(&store, 2, DAY, 40);
    wait("rows", || store.counters().rows == 80);
    let path = directory.path().join("2026-11-30/0001.parquet");
    assert_eq!(store.counters().octets, upkeep::octets_of(&path));
    // When it is closed, a look has the size of what takes its place, and of its hours.
    fill(&store, 5, DAY + 50 * INTERVAL, 100);
    let layout = Layout::new(directory.path());
    let on_disk = || {
        let files = layout.files(Day::of(Wall::from_unix_ns(DAY))).unwrap();
        let (months, days) = layout.day_sums().unwrap();
        let sums = months
            .iter()
            .chain(&days)
            .map(|path| upkeep::octets_of(path));
        let has_hours = files.whole_day.is_some() || !files.hours.is_empty();
        has_hours.then(|| upkeep::octets(&files) + sums.sum::<u64>())
    };
    wait("rows", || store.counters().rows == 580);
    wait("a file that is closed", || {
        on_disk() == Some(store.counters().octets)
    });
    store.close();
}

#[test]
fn a_store_that_is_deleted_has_its_lock_and_labels_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    let labels = BTreeMap::from([("site".to_owned(), "fra".to_owned())]);
    let labels = BTreeMap::from([("session-0001".to_owned(), labels)]);
    store.describe(&labels);
    fill(&store, 2, DAY, 40);
    wait("rows", || store.counters().rows == 80);
    fs::remove_dir_all(&path).unwrap();
    let second = fill(&store, 2, DAY + 50 * INTERVAL, 40);
    let end = second.last().map(|row| row.start);
    wait("rows", || {
        read(&store.reader(), &all()).last().map(|row| row.start) == end
    });
    let refused = Store::open(&settings(&path)).unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
    assert_eq!(labels::read(&path), labels);
    // One that another process has taken meanwhile gets nothing.
    fs::remove_file(path.join("_lock")).unwrap();
    let other = Store::open_at(&settings(&path), QUICK).unwrap();
    fill(&store, 1, DAY + 900 * INTERVAL, 10);
    wait("an error", || store.counters().error.is_some());
    let error = store.counters().error.unwrap();
    assert!(error.contains("another process"), "{error}");
    other.close();
    wait("rows", || store.counters().error.is_none());
    store.close();
}

#[test]
fn a_small_bound_closes_the_file_that_grows_early() {
    let directory = tempfile::tempdir().unwrap();
    let most = 1 << 20;
    let bounded = StoreSettings {
        max_octets: Some(most),
        ..settings(directory.path())
    };
    let pace = Pace {
        segment_rows: 1 << 16,
        ..QUICK
    };
    let store = Store::open_at(&bounded, pace).unwrap();
    let layout = Layout::new(directory.path());
    let mut greatest = 0;
    for turn in 0..25 {
        fill(&store, 20, DAY + turn * 10 * INTERVAL, 10);
        wait("rows", || {
            store.counters().rows == (u64::try_from(turn).unwrap() + 1) * 200
        });
        for day in layout.days().unwrap() {
            let files = layout.files(day).unwrap();
            let growing = files.segments.last_key_value().map(|(_, path)| path);
            greatest = greatest.max(growing.map_or(0, |path| upkeep::octets_of(path)));
        }
    }
    assert!(segments(directory.path()) > 0);
    // With what a write adds.
    assert!(greatest < most / 2, "{greatest}");
    let counters = store.close();
    assert!(counters.deleted_octets > 0, "{counters:?}");
}

#[test]
fn of_rows_that_no_disk_takes_the_latest_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    let rows = fill(&store, 1, DAY, 10);
    assert_eq!(rows.len(), 10);
    wait("rows", || store.counters().rows == 10);
    // A file where the directory of another day has to be, which is not today.
    fs::write(path.join("2026-11-29"), "").unwrap();
    fill(&store, 1, DAY - 86_400 * SECOND, 10);
    wait("an error", || store.counters().error.is_some());
    fs::remove_file(path.join("2026-11-29")).unwrap();
    wait("rows", || store.counters().rows == 20);
    assert_eq!(store.close().error, None);
    assert_eq!(read(&StoreReader::new(&path), &all()).len(), 20);
}

#[test]
fn days_go_when_they_are_old_enough_and_files_when_there_are_too_many() {
    let directory = tempfile::tempdir().unwrap();
    let now = wall().unix_ns();
    let today = now / (86_400 * SECOND) * 86_400 * SECOND;
    let day = |ago: i64| today - ago * 86_400 * SECOND;
    let store = open(directory.path());
    for ago in [9, 5, 3, 1] {
        fill(&store, 4, day(ago), 200);
    }
    store.close();
    let store = open(directory.path());
    let layout = Layout::new(directory.path());
    let is_gathered = |ago: i64| {
        let files = layout.files(Day::of(Wall::from_unix_ns(day(ago)))).unwrap();
        files.whole_day.is_some() && files.hours.is_empty()
    };
    wait("days", || [9, 5, 3, 1].into_iter().all(is_gathered));
    store.close();
    let kept = StoreSettings {
        retention: Some(Duration::from_hours(4 * 24)),
        ..settings(directory.path())
    };
    let store = Store::open_at(&kept, QUICK).unwrap();
    wait("old days to go", || layout.days().unwrap().len() <= 3);
    let reader = store.reader();
    let oldest = read(&reader, &all())
        .iter()
        .map(|row| row.start)
        .min()
        .unwrap();
    assert_eq!(oldest.unix_ns(), day(3));
    // A clock that is wrong for a moment deletes nothing.
    store.close();
    let doubtful = Pace {
        doubt: Duration::from_hours(1),
        ..QUICK
    };
    let shared = Arc::new(Shared::new(directory.path()));
    let mut upkeep = Upkeep::new(shared, doubtful, &kept);
    upkeep.look(Wall::from_unix_ns(day(-400))).unwrap();
    assert_eq!(read(&reader, &all()).len(), 1_600);
    // Rows as measured go first.
    let octets = upkeep::octets(&layout.files(Day::of(Wall::from_unix_ns(day(1)))).unwrap());
    let bounded = StoreSettings {
        max_octets: Some(octets),
        ..settings(directory.path())
    };
    let store = Store::open_at(&bounded, QUICK).unwrap();
    wait("files to go", || store.counters().deleted_octets > 0);
    let counters = store.close();
    assert!(counters.octets <= octets, "{counters:?}");
    assert!(segments(directory.path()) > 0);
    let hourly = Query {
        resolution: Some(Duration::from_hours(1)),
        ..all()
    };
    let of_third = |rows: &[StoredRow]| {
        rows.iter()
            .filter(|row| row.start.unix_ns() < day(2))
            .count()
    };
    assert_eq!(of_third(&read(&reader, &all())), 0);
    assert_eq!(of_third(&read(&reader, &hourly)), 4);
}
