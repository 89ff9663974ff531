//! Rows that are summed up.

use twinpath_metrics::{Distribution, Value};

use super::*;

fn whole_days(path: &Path) -> usize {
    let layout = Layout::new(path);
    let days = layout.days().unwrap();
    let whole = |day: &Day| layout.files(*day).unwrap().whole_day.is_some();
    days.iter().filter(|day| whole(day)).count()
}

fn hourly() -> Query {
    Query {
        resolution: Some(Duration::from_hours(1)),
        ..all()
    }
}

/// The figures of rows of an hour, from what twinpath-metrics makes of all of its packets at once.
fn check(row: &StoredRow, session: u64, begin: i64, packets: std::ops::Range<u64>) {
    let mut metrics = twinpath_metrics::SessionMetrics::new();
    for seq in packets.clone() {
        let at = begin + i64::try_from(seq).unwrap() * SECOND + SECOND / 2;
        metrics.record(&packet(session, seq, at));
    }
    let expected = metrics.figures();
    let delays = metrics.histograms();
    let count = |column: &str| match row.value(column) {
        Some(Value::Unsigned(count)) => count,
        other => panic!("{column}: {other:?}"),
    };
    assert_eq!(count("sent"), packets.end - packets.start);
    assert_eq!(
        (count("received"), count("lost")),
        (expected.received, expected.lost)
    );
    for (delay, expected) in [
        (Delay::RoundTrip, delays.round_trip),
        (Delay::Forward, delays.forward),
        (Delay::Backward, delays.backward),
    ] {
        let found: Distribution = row.distribution(delay).unwrap();
        assert_eq!(found.count(), expected.count());
        assert_eq!(found.sum_ns(), expected.sum_ns(), "{delay:?}");
        assert_eq!(
            (found.min_ns(), found.max_ns()),
            (expected.min_ns(), expected.max_ns())
        );
        assert_eq!(found.mean_ns(), expected.mean_ns());
        assert!(found.stddev_ns().abs_diff(expected.stddev_ns()) <= 1);
    }
    // A histogram of the values themselves adds up without any loss.
    let found = row.distribution(Delay::RoundTrip).unwrap();
    assert_eq!(
        found.histogram().parts(None),
        delays.round_trip.histogram().parts(None)
    );
    let figures = expected.round_trip.unwrap();
    let p99 = u64::try_from(figures.p99_ns).unwrap();
    assert_eq!(row.value("round_trip_p99_ns"), Some(Value::Unsigned(p99)));
    assert_eq!(row.value("round_trip_jitter_ns"), None);
    let ratio = 0.1;
    assert_eq!(row.value("packets_loss_ratio"), Some(Value::Float(ratio)));
}

#[test]
fn hours_are_the_sums_of_their_intervals_wherever_they_are_read_from() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    // Two days ago, so that the day is over.
    let now = wall().unix_ns();
    let begin = (now / (86_400 * SECOND) - 2) * 86_400 * SECOND;
    let rows = fill(&store, 3, begin, 720);
    wait("rows", || store.counters().rows == rows.len() as u64);
    let check_all = |reader: &StoreReader| {
        let hours = read(reader, &hourly());
        assert_eq!(hours.len(), 6);
        for (row, place) in hours.iter().zip(0..) {
            let (session, hour) = (place / 2, place % 2);
            assert_eq!(row.session, name(session));
            check(row, session, begin, hour * 3_600..(hour + 1) * 3_600);
        }
    };
    check_all(&store.reader());
    let reader = store.reader();
    store.close();
    // The last file is of a day that is over, and so is closed by the next process.
    let store = open(directory.path());
    wait("a file of the day", || whole_days(directory.path()) == 1);
    check_all(&reader);
    let segments = directory
        .path()
        .join(Day::of(Wall::from_unix_ns(begin)).to_string());
    assert!(fs::read_dir(segments).unwrap().count() > 3);
    // Without the rows as measured, the hours are still there.
    let layout = Layout::new(directory.path());
    let of_day = || layout.files(Day::of(Wall::from_unix_ns(begin))).unwrap();
    wait("the files of hours to go", || of_day().hours.is_empty());
    let again = fill(&store, 1, begin + 8 * 3_600 * SECOND, 60);
    assert_eq!(again.len(), 60);
    store.close();
    let store = open(directory.path());
    let day = Day::of(Wall::from_unix_ns(begin));
    wait("the day again", || {
        let files = layout.files(day).unwrap();
        let covered = query::covered(&layout.whole_day(day));
        files.hours.is_empty() && files.segments.keys().eq(&covered)
    });
    assert_eq!(read(&reader, &hourly()).len(), 7);
    for path in layout
        .files(Day::of(Wall::from_unix_ns(begin)))
        .unwrap()
        .segments
        .values()
    {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(read(&reader, &hourly()).len(), 7);
    store.close();
}

#[test]
fn figures_of_summed_rows_are_the_same_with_fewer_columns() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let rows = fill(&store, 2, DAY, 700);
    wait("rows", || store.counters().rows == rows.len() as u64);
    let reader = store.reader();
    for step in [60, 600, 3_600, 86_400] {
        let whole = Query {
            resolution: Some(Duration::from_secs(step)),
            ..all()
        };
        let columns = [
            "round_trip_p99_ns",
            "forward_mean_ns",
            "packets_loss_ratio",
            "lost",
        ];
        let few = Query {
            columns: Some(columns.map(str::to_owned).to_vec()),
            ..whole.clone()
        };
        let (whole, few) = (read(&reader, &whole), read(&reader, &few));
        let expected = 2 * 7_000_u64.div_ceil(step);
        assert_eq!((whole.len() as u64, few.len() as u64), (expected, expected));
        for (whole, few) in whole.iter().zip(&few) {
            for column in columns {
                assert!(whole.value(column).is_some(), "{column}");
                assert_eq!(whole.value(column), few.value(column), "{column}");
            }
            assert_eq!(whole.suspect, few.suspect);
        }
    }
}

#[test]
fn what_a_row_lacks_is_not_made_up() {
    let rows: Vec<StoredRow> = measured(0, DAY, 3)
        .into_iter()
        .map(|row| StoredRow::of(&interval(0, row)))
        .collect();
    let mut lacking = rows.clone();
    lacking[1].delays[0] = None;
    let resolution = cells::place("far_resolution_ns").unwrap();
    for (row, value) in lacking.iter_mut().zip([1_000, 2_000, 1_000]) {
        row.cells.put(resolution, Some(value));
    }
    let sum = |rows: &[StoredRow]| {
        let mut grouping = merge::Grouping::new(60 * SECOND);
        rows.iter().cloned().for_each(|row| grouping.add(row));
        grouping.into_rows().next().unwrap()
    };
    let (whole, lacking) = (sum(&rows), sum(&lacking));
    assert_eq!(whole.value("round_trip_count"), Some(Value::Unsigned(27)));
    assert_eq!(lacking.value("round_trip_count"), Some(Value::Unsigned(27)));
    assert_eq!(
        lacking.value("round_trip_min_ns"),
        whole.value("round_trip_min_ns")
    );
    assert!(whole.value("round_trip_median_ns").is_some());
    assert_eq!(lacking.value("round_trip_median_ns"), None);
    assert_eq!(lacking.value("far_resolution_ns"), None);
    assert!(lacking.distribution(Delay::RoundTrip).is_none());
    assert_eq!(
        lacking.value("forward_median_ns"),
        whole.value("forward_median_ns")
    );
    // One row stays as it is, its jitter too.
    assert_eq!(sum(&rows[..1]), rows[0]);
}

#[test]
fn losses_without_a_direction_are_said_to_be_so() {
    let mut row = StoredRow::of(&interval(0, measured(0, DAY, 1).remove(0)));
    let mut directions = |values: [Option<i64>; 4]| {
        let columns = [
            "lost",
            "lost_forward",
            "lost_backward",
            "packets_lost_unattributed",
        ];
        for (column, value) in columns.into_iter().zip(values) {
            row.cells.put(cells::place(column).unwrap(), value);
        }
        let figures = row.all_figures();
        [
            figures.lost_forward,
            figures.lost_backward,
            figures.lost_unattributed,
        ]
    };
    let known = directions([Some(320), Some(145), Some(146), Some(29)]);
    assert_eq!(known, [Some(145), Some(146), Some(29)]);
    // The far end has never answered.
    let silent = directions([Some(300), None, None, Some(300)]);
    assert_eq!(silent, [None, None, Some(300)]);
    // Of losses before these rows.
    let earlier = directions([Some(3), Some(5), Some(0), Some(-2)]);
    assert_eq!(earlier, [None; 3]);
    assert_eq!(directions([Some(3), None, None, None]), [None; 3]);
}

#[test]
fn time_without_rows_is_unknown_and_rows_without_packets_are_not() {
    let (from, second) = (DAY, |seconds: i64| {
        Wall::from_unix_ns(DAY + seconds * SECOND)
    });
    let mut rows: Vec<StoredRow> = measured(0, from, 4)
        .into_iter()
        .map(|row| StoredRow::of(&interval(0, row)))
        .collect();
    // Then the daemon does not run, and then its network is down.
    let mut idle = rows[0].clone();
    for column in ["sent", "received", "lost", "round_trip_count"] {
        idle.cells.put(cells::place(column).unwrap(), Some(0));
    }
    idle.delays = [None, None, None];
    (idle.start, idle.end) = (second(60), second(90));
    idle.cells.put(cells::place("intervals").unwrap(), Some(3));
    // Then another path.
    let mut other = rows[1].clone();
    (other.start, other.end) = (second(90), second(100));
    let ttl = cells::place("ttl_forward_min").unwrap();
    other.cells.put(ttl, Some(59));
    rows.extend([idle, other]);
    let mut columns = OverTime::new(second(0), second(110), Duration::from_secs(10));
    for row in &rows {
        columns.put(row);
    }
    let columns = columns.into_columns();
    let sent: Vec<u64> = columns.iter().map(|column| column.sent).collect();
    assert_eq!(sent, [10, 10, 10, 10, 0, 0, 0, 0, 0, 10, 0]);
    let unknown = columns.iter().map(|column| column.marks.unknown);
    let unknown: Vec<usize> = (0..)
        .zip(unknown)
        .filter_map(|(at, is)| is.then_some(at))
        .collect();
    assert_eq!(unknown, [4, 5, 10]);
    let changed = columns.iter().map(|column| column.marks.ttl_change);
    assert!(changed.eq((0..11).map(|place| place == 9)));
    assert_eq!(rows[4].interval_length(), Duration::from_secs(10));
}

/// The sums of days as they are read, and as all rows come to.
fn check_days(reader: &StoreReader, from: i64, to: i64) {
    let query = |resolution| Query {
        from: Wall::from_unix_ns(from),
        to: Wall::from_unix_ns(to),
        resolution,
        ..all()
    };
    let mut expected = merge::Grouping::new(layout::DAY_NS);
    for row in read(reader, &query(None)) {
        expected.add(row);
    }
    let day = Some(Duration::from_hours(24));
    let found = read(reader, &query(day));
    let expected: Vec<StoredRow> = expected.into_rows().collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.start, found.end), (expected.start, expected.end));
        for column in ["sent", "received", "lost", "intervals", "round_trip_max_ns"] {
            assert_eq!(found.value(column), expected.value(column), "{column}");
        }
        let [found, expected] = [found, expected].map(|row| row.distribution(Delay::RoundTrip));
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert_eq!(
            found.histogram().parts(None),
            expected.histogram().parts(None)
        );
        assert_eq!(found.sum_ns(), expected.sum_ns());
    }
}

#[test]
fn days_are_summed_up_and_gathered_by_the_month() {
    const DAYS: i64 = 11;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let first = DAY - 60 * layout::DAY_NS;
    let begin = |day: i64| first + day * layout::DAY_NS;
    let mut store = open(path);
    for day in 0..DAYS {
        fill(&store, 2, begin(day) + 9 * 3_600 * SECOND, 12);
    }
    let layout = Layout::new(path);
    let again = |store: Store| {
        store.close();
        open(path)
    };
    let has_all = |count: usize| {
        let sums = days::DaySums::read(&layout).unwrap();
        let (_, own) = layout.day_sums().unwrap();
        own.len() <= 1 && sums.iter().count() == count
    };
    store = again(store);
    wait("months", || has_all(11));
    let (months, _) = layout.day_sums().unwrap();
    assert!((1..=2).contains(&months.len()), "{months:?}");
    let reader = store.reader();
    let whole = || check_days(&reader, begin(0), begin(DAYS));
    whole();
    // Half of a day is read from its hours.
    check_days(&reader, begin(1) + 12 * 3_600 * SECOND, begin(4));
    check_days(&reader, begin(1), begin(4) + 9 * 3_600 * SECOND);
    // Rows that come to a day later are in it before it is summed up again, and after.
    fill(&store, 1, begin(3) + 15 * 3_600 * SECOND, 24);
    wait("rows", || store.counters().rows == 24);
    whole();
    store = again(store);
    let is_new = || {
        let sums = days::DaySums::read(&layout).unwrap();
        let day = Day::of(Wall::from_unix_ns(begin(3)));
        sums.get(day).is_some_and(|sum| sum.numbers.len() > 1)
    };
    wait("the day again", is_new);
    whole();
    store.close();
    // An older store does not have them, and gets them.
    fs::remove_dir_all(path.join("_more/days")).unwrap();
    whole();
    store = open(path);
    wait("months again", || has_all(11));
    whole();
    store.close();
    // Whatever is in one.
    let (months, _) = layout.day_sums().unwrap();
    fs::write(&months[0], b"PAR1 is not all of it").unwrap();
    whole();
}

#[test]
fn sums_by_the_day_go_with_their_days() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = open(path);
    for day in 0..3 {
        fill(&store, 1, DAY - (60 - day) * layout::DAY_NS, 12);
    }
    store.close();
    let store = open(path);
    let layout = Layout::new(path);
    let count = || {
        let (months, days) = layout.day_sums().unwrap();
        months.len() + days.len()
    };
    wait("a month", || count() == 1);
    store.close();
    let settings = StoreSettings {
        retention: Some(Duration::from_hours(24)),
        ..settings(path)
    };
    let store = Store::open_at(&settings, QUICK).unwrap();
    // But for today.
    wait("nothing", || {
        count() == 0 && layout.days().unwrap().len() <= 1
    });
    store.close();
}
