//! What files have, and what reading gives.

use std::path::PathBuf;

use twinpath_metrics::Value;

use super::super::segment::Segment;
use super::*;

fn files(path: &Path) -> Vec<PathBuf> {
    let layout = Layout::new(path);
    let days = layout.days().unwrap();
    let files = days
        .iter()
        .flat_map(|day| layout.files(*day).unwrap().segments);
    files.map(|(_, path)| path).collect()
}

fn growing(path: &Path) -> usize {
    let files = files(path);
    files
        .iter()
        .filter(|path| !Segment::open(path).unwrap().is_closed())
        .count()
}

#[test]
fn rows_are_read_as_they_were_measured_while_files_grow_and_when_they_are_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let expected = fill(&store, 7, DAY, 300);
    assert_eq!(expected.len(), 2_100);
    wait("rows", || store.counters().rows == 2_100);
    assert_eq!(read(&store.reader(), &all()), expected);
    // All but the last file are closed.
    wait("closed files", || growing(directory.path()) <= 1);
    assert!(files(directory.path()).len() > 2);
    assert_eq!(read(&store.reader(), &all()), expected);
    let counters = store.close();
    assert_eq!(
        (counters.rows, counters.dropped, counters.error),
        (2_100, 0, None)
    );
    assert_eq!(read(&StoreReader::new(directory.path()), &all()), expected);
    // And by the next process, which goes on with the last file.
    let before = files(directory.path()).len();
    let store = open(directory.path());
    let more = fill(&store, 2, DAY + 400 * INTERVAL, 10);
    store.close();
    let both: Vec<StoredRow> = [expected, more].concat();
    assert_eq!(
        read(&StoreReader::new(directory.path()), &all()).len(),
        both.len()
    );
    assert!(files(directory.path()).len() <= before + 1);
}

#[test]
fn a_row_has_what_its_interval_has() {
    let rows = measured(3, DAY, 3);
    let figures = rows[1].figures();
    let row = StoredRow::of(&interval(3, rows[1].clone()));
    assert_eq!(
        (&*row.session, &*row.class, row.path),
        ("session-0003", "ef", Some(1))
    );
    assert_eq!((row.start, row.end), (figures.start, figures.end));
    let value = |column: &str| row.value(column);
    let trips: Vec<i64> = (10..19).map(|seq| round_trip(3, seq)).collect();
    for (column, expected) in [
        ("sent", Value::Unsigned(10)),
        ("received", Value::Unsigned(9)),
        ("lost", Value::Unsigned(1)),
        ("packets_loss_ratio", Value::Float(0.1)),
        ("intervals", Value::Unsigned(1)),
        ("ttl_forward_min", Value::Unsigned(60)),
        ("residence_max_ns", Value::Unsigned(20_000)),
    ] {
        assert_eq!(value(column), Some(expected), "{column}");
    }
    let nanoseconds = |value: i64| Some(Value::Unsigned(u64::try_from(value).unwrap()));
    assert_eq!(
        value("round_trip_min_ns"),
        nanoseconds(*trips.iter().min().unwrap())
    );
    assert_eq!(
        value("round_trip_max_ns"),
        nanoseconds(*trips.iter().max().unwrap())
    );
    let sum: i64 = trips.iter().sum();
    let distribution = row.distribution(Delay::RoundTrip).unwrap();
    assert_eq!(distribution.sum_ns(), sum.into());
    assert_eq!(
        distribution.figures().unwrap().p99_ns,
        figures.figures.round_trip.unwrap().p99_ns
    );
    // An interval without a packet knows nothing of delays.
    assert_eq!(value("voice"), None);
    let mut lonely = Intervals::new(
        Wall::from_unix_ns(DAY),
        Duration::from_secs(10),
        Waits::default(),
        MetricsConfig::default(),
    );
    lonely.record_missed(3, Wall::from_unix_ns(DAY), Wall::from_unix_ns(DAY + SECOND));
    let row = StoredRow::of(&interval(3, lonely.close_last().unwrap()));
    assert_eq!(row.value("round_trip_count"), None);
    assert_eq!(row.value("packets_loss_ratio"), None);
    assert_eq!(row.value("packets_unsent"), Some(Value::Unsigned(3)));
    assert_eq!(
        row.distribution(Delay::RoundTrip).map(|it| it.count()),
        None
    );
}

#[test]
fn a_query_gives_the_rows_and_columns_that_it_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    // Over midnight.
    let begin = DAY + 86_400 * SECOND - 150 * INTERVAL;
    let expected = fill(&store, 5, begin, 300);
    wait("rows", || store.counters().rows == 1_500);
    wait("closed files", || growing(directory.path()) <= 2);
    let reader = store.reader();
    assert_eq!(
        fs::read_dir(directory.path().join("2026-12-01"))
            .unwrap()
            .count(),
        2
    );
    let from = Wall::from_unix_ns(begin + 140 * INTERVAL);
    let to = Wall::from_unix_ns(begin + 160 * INTERVAL);
    let query = Query {
        session: Some(name(3)),
        from,
        to,
        ..all()
    };
    let found = read(&reader, &query);
    let wanted = expected
        .iter()
        .filter(|row| row.session == name(3) && row.start >= from && row.start < to);
    assert_eq!(found, wanted.cloned().collect::<Vec<_>>());
    assert_eq!(found.len(), 20);
    let columns = Some(vec!["round_trip_p99_ns".to_owned(), "sent".to_owned()]);
    let few = read(
        &reader,
        &Query {
            columns,
            ..query.clone()
        },
    );
    assert_eq!(few.len(), 20);
    for (few, row) in few.iter().zip(&found) {
        assert_eq!(
            few.value("round_trip_p99_ns"),
            row.value("round_trip_p99_ns")
        );
        assert_eq!(few.value("sent"), row.value("sent"));
        assert_eq!(few.value("round_trip_p95_ns"), None);
        assert_eq!(
            few.distribution(Delay::RoundTrip).map(|it| it.count()),
            None
        );
    }
    let unknown = Query {
        session: Some("unknown".into()),
        ..all()
    };
    assert!(read(&reader, &unknown).is_empty());
    let never = Query { to: from, ..query };
    assert!(read(&reader, &never).is_empty());
    let span = reader.span().unwrap().unwrap();
    assert_eq!(
        span.end().unix_ns() - span.start().unix_ns(),
        2 * 86_400 * SECOND
    );
}

#[test]
fn rows_go_to_their_day_also_when_the_clock_steps() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut expected = Vec::new();
    // Forward by days, back again, and within a day.
    for begin in [0, 3 * 86_400, -86_400, 1_000, 0] {
        expected.extend(fill(&store, 2, DAY + begin * SECOND, 20));
    }
    wait("rows", || store.counters().rows == 200);
    let layout = Layout::new(directory.path());
    let days: Vec<String> = layout.days().unwrap().iter().map(Day::to_string).collect();
    for day in ["2026-11-29", "2026-11-30", "2026-12-03"] {
        assert!(days.iter().any(|it| it == day), "{day}");
    }
    for path in files(directory.path()) {
        let day = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        for row in read_one(&path).unwrap() {
            assert_eq!(Day::of(row.start).to_string(), day);
        }
    }
    expected.sort_by(|one, other| closed::key(one).cmp(&closed::key(other)));
    assert_eq!(read(&store.reader(), &all()), expected);
}

/// A file of a store with octets changed, many of them in counts and lengths.
#[test]
fn damaged_files_do_no_harm_and_are_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 3, DAY, 200);
    store.close();
    let store = open(directory.path());
    wait("closed files", || {
        growing(directory.path()) == 0 || files(directory.path()).len() > 1
    });
    store.close();
    let mut refused = 0;
    for path in files(directory.path()) {
        let whole = fs::read(&path).unwrap();
        let is_closed = Segment::open(&path).unwrap().is_closed();
        let mut state: u64 = 0x5eed;
        let mut below = |most: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % most as u64).unwrap()
        };
        let expected = read_one(&path).unwrap();
        for turn in 0..1_500 {
            let mut octets = whole.clone();
            let from = if turn % 2 == 0 {
                4
            } else {
                whole.len() * 7 / 10
            };
            let at = from + below(octets.len() - from);
            octets[at] ^= 1 << below(8);
            if turn % 5 == 0 {
                let to = (at + 5).min(octets.len());
                octets[at..to].fill(0xff);
            }
            let changed = directory.path().join("changed.parquet");
            fs::write(&changed, &octets).unwrap();
            match read_one(&changed) {
                Ok(found) => assert!(!is_closed || found == expected, "octet {at}"),
                Err(_) => refused += 1,
            }
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    }
    assert!(refused > 1_000, "{refused}");
    fs::remove_file(directory.path().join("changed.parquet")).unwrap();
    let store = open(directory.path());
    wait("damaged files", || store.counters().damaged > 0);
    let rows = store.reader().rows(&all()).unwrap();
    assert!(rows.filter_map(Result::ok).count() < 600);
}

fn read_one(path: &Path) -> Result<Vec<StoredRow>, crate::saved::Unreadable> {
    let mut rows = Vec::new();
    Segment::open(path)?.each(&filter::Filter::ALL, &cursor::Wanted::All, |row| {
        rows.push(row);
        Ok::<(), crate::saved::Unreadable>(())
    })?;
    Ok(rows)
}

#[test]
fn two_processes_do_not_write_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let refused = Store::open(&settings(directory.path())).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("another process is writing to it"),
        "{refused}"
    );
    store.close();
    open(directory.path());
}

#[test]
fn a_row_is_written_before_the_next_one_of_its_session_comes() {
    let directory = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared::new(directory.path()));
    let mut keeper = Keeper::new(shared, Pace::USUAL, channel().0);
    let mut row = StoredRow::of(&interval(3, measured(3, DAY, 1).remove(0)));
    keeper.add(row.clone());
    assert!(keeper.wait() > Duration::from_millis(300));
    row.end = row.start + Delta::from_ns(SECOND * 3 / 10);
    keeper.add(row);
    assert!(keeper.wait() <= Duration::from_millis(300));
}
