//! A process that is killed at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::*;

/// Where a child stores; unset in the tests themselves.
const DIRECTORY: &str = "TWINPATH_TEST_STORE";
/// From which interval on.
const FIRST: &str = "TWINPATH_TEST_FIRST";
const SESSIONS: u64 = 4;

/// Not a test by itself: stores one interval of each session after the other, and says which are on the disk.
#[test]
fn a_child_that_stores_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let first: i64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let pace = Pace {
        segment_rows: 60,
        ..QUICK
    };
    let store = Store::open_at(&settings(Path::new(&directory)), pace).unwrap();
    let mut out = std::io::stdout().lock();
    let mut rows = 0;
    for place in first..first + 100_000 {
        for session in 0..SESSIONS {
            let row = measured(session, DAY + place * INTERVAL, 1).remove(0);
            add(&store, session, vec![row]);
        }
        rows += SESSIONS;
        wait("rows", || store.counters().rows == rows);
        writeln!(out, "stored {place}").unwrap();
        out.flush().unwrap();
    }
}

fn child(directory: &Path, first: i64) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "a_child_that_stores_until_it_is_killed",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

#[test]
fn a_process_killed_again_and_again_loses_no_row_that_was_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let reader = StoreReader::new(directory.path());
    let mut known = BTreeSet::new();
    for turn in 0..25_u64 {
        let next = known.last().map_or(0, |last| last + 1);
        let (mut child, out) = child(directory.path(), next);
        // Some die at once, some with files being closed.
        let most = usize::try_from(turn * turn % 40 + 1).unwrap();
        let said = out.lines().map_while(Result::ok);
        let said = said.filter_map(|line| {
            let (_, place) = line.split_once("stored ")?;
            place.parse::<i64>().ok()
        });
        known.extend(said.take(most));
        thread::sleep(Duration::from_micros(turn * 379 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut seen: BTreeMap<(i64, Arc<str>), u32> = BTreeMap::new();
        for row in reader.rows(&all()).unwrap() {
            let row = row.unwrap();
            let place = (row.start.unix_ns() - DAY) / INTERVAL;
            *seen.entry((place, row.session)).or_default() += 1;
        }
        assert!(
            seen.values().all(|count| *count == 1),
            "turn {turn}: {seen:?}"
        );
        for place in &known {
            for session in 0..SESSIONS {
                let is_there = seen.contains_key(&(*place, name(session)));
                assert!(is_there, "turn {turn}: interval {place} of {session}");
            }
        }
        // What was written and not said yet; the next process begins behind it.
        let whole = seen.keys().map(|(place, _)| *place);
        let last = whole.max().unwrap_or(-1);
        let hours = sent(&reader, Some(Duration::from_hours(1)));
        assert_eq!(sent(&reader, None), hours, "turn {turn}");
        for place in next..=last {
            let count = (0..SESSIONS)
                .filter(|it| seen.contains_key(&(place, name(*it))))
                .count();
            if count as u64 == SESSIONS {
                known.insert(place);
            }
        }
        if let Some(torn) = (next..=last).find(|place| !known.contains(place)) {
            assert_eq!(
                torn, last,
                "turn {turn}: only the last interval may lack sessions"
            );
            let store = open(directory.path());
            for session in (0..SESSIONS).filter(|it| !seen.contains_key(&(torn, name(*it)))) {
                add(&store, session, measured(session, DAY + torn * INTERVAL, 1));
            }
            store.close();
            known.insert(torn);
        }
    }
    let layout = Layout::new(directory.path());
    let files = layout.files(Day::of(Wall::from_unix_ns(DAY))).unwrap();
    assert!(files.segments.len() > 3, "files were closed, too");
    assert!(files.damaged.is_empty());
}

/// Packets of all rows.
fn sent(reader: &StoreReader, resolution: Option<Duration>) -> u64 {
    let query = Query {
        resolution,
        columns: Some(vec!["sent".to_owned()]),
        ..all()
    };
    let rows = reader
        .rows(&query)
        .unwrap()
        .map(|row| row.unwrap().value("sent"));
    let counts = rows.map(|count| match count {
        Some(twinpath_metrics::Value::Unsigned(count)) => count,
        other => panic!("{other:?}"),
    });
    counts.sum()
}
