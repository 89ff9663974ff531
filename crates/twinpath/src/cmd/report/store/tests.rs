//! Reports over stores.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use crate::args::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::store::Store;
use crate::store::tests::{SECOND, fill, name, open, round_trip, wait};

const HOUR: i64 = 3_600 * SECOND;
/// Rows of each session: two hours.
const ROWS: i64 = 720;

#[derive(Clone, Default)]
struct Stream(Rc<RefCell<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn report(words: &[&str]) -> (Result<Exit, Failure>, String) {
    let words = ["twinpath", "report"].iter().chain(words);
    let Command::Report(args) = Cli::read(words).unwrap().command else {
        panic!("another command");
    };
    let out = Stream::default();
    let done = super::super::on(&args, Box::new(out.clone()));
    let text = String::from_utf8(out.0.take()).unwrap();
    (done, text)
}

fn documents(words: &[&str]) -> Vec<Value> {
    let (done, text) = report(words);
    assert_eq!(done.unwrap(), Exit::Done, "{text}");
    let values = serde_json::Deserializer::from_str(&text).into_iter();
    values.map(Result::unwrap).collect()
}

fn document(words: &[&str]) -> Value {
    documents(words).pop().unwrap()
}

/// Two days ago, so that the day is over.
fn day() -> i64 {
    let now = twinpath_runtime::wall().unix_ns();
    (now / (24 * HOUR) - 2) * 24 * HOUR
}

fn time(ns: i64) -> String {
    twinpath_report::words::instant(twinpath_wire::Wall::from_unix_ns(ns), 0)
}

/// Three sessions over two hours, as measured and by the hour.
fn filled(path: &Path) -> Store {
    let store = open(path);
    let rows = fill(&store, 3, day(), ROWS).len() as u64;
    wait("rows", || store.counters().rows == rows);
    store
}

/// Has the next process close the files, and sum them up by the hour.
fn close(store: &mut Store, path: &Path) {
    let elsewhere = tempfile::tempdir().unwrap();
    std::mem::replace(store, open(elsewhere.path())).close();
    *store = open(path);
    let day = day_of(path);
    let is_alone = || {
        let hours = crate::store::StoreSource::files_in(&day).unwrap_or_default();
        hours == [day.join("day.parquet")]
    };
    wait("hours", is_alone);
}

/// The delays of packets of a session, least first.
fn delays(session: u64, packets: std::ops::Range<u64>) -> Vec<i64> {
    let received = packets.filter(|seq| seq % 10 != 9);
    let mut delays: Vec<i64> = received.map(|seq| round_trip(session, seq)).collect();
    delays.sort_unstable();
    delays
}

fn check(session: &Value, number: u64, packets: std::ops::Range<u64>) {
    let delays = delays(number, packets.clone());
    let sent = packets.end - packets.start;
    assert_eq!(session["target"]["name"], *name(number));
    assert_eq!(session["packets"]["sent"], sent);
    assert_eq!(session["packets"]["received"], delays.len() as u64);
    assert_eq!(session["packets"]["lost"], sent - delays.len() as u64);
    let trip = &session["round_trip"];
    assert_eq!(trip["count"], delays.len() as u64);
    assert_eq!(trip["min_ns"], delays[0]);
    assert_eq!(trip["max_ns"], *delays.last().unwrap());
    let sum: i64 = delays.iter().sum();
    let mean = sum / i64::try_from(delays.len()).unwrap();
    assert!((trip["mean_ns"].as_i64().unwrap() - mean).abs() <= 1);
    let p99 = delays[(delays.len() * 99).div_ceil(100) - 1];
    let bins = trip["bins_per_octave"].as_i64().unwrap();
    let error = (trip["p99_ns"].as_i64().unwrap() - p99).abs();
    assert!(error <= p99 / (2 * bins), "{error} of {p99}");
}

#[test]
fn a_report_adds_up_all_rows_of_a_store_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = filled(directory.path());
    let path = directory.path().to_str().unwrap();
    for turn in 0..2 {
        if turn == 1 {
            close(&mut store, directory.path());
        }
        let document = document(&[path, "--json"]);
        let sessions = document["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 3);
        for (session, number) in sessions.iter().zip(0..) {
            check(session, number, 0..7_200);
            for unknown in ["protocol", "reflector", "interval_ns", "reordering", "ttl"] {
                assert_eq!(session[unknown], Value::Null, "{unknown}");
            }
            assert_eq!(session["class"], "ef");
            // The last packet departs half a second before the end of its interval.
            let measured = ROWS * 10 * SECOND - SECOND / 2 + 1;
            assert_eq!(session["duration_ns"], measured);
            assert_eq!(session["findings"][0]["key"], "from-store");
        }
    }
    let (_, text) = report(&[path]);
    let last = text.lines().rev().find(|line| line.contains("10.00%"));
    assert!(last.is_some(), "{text}");
    store.close();
}

#[test]
fn a_time_has_the_rows_that_begin_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = filled(directory.path());
    let path = directory.path().to_str().unwrap();
    let second = |seconds: i64| time(day() + seconds * SECOND);
    for turn in 0..2 {
        for (from, to, packets) in [
            (1_805, 5_405, 1_810..5_410),
            (0, 3_600, 0..3_600),
            (3_600, 7_200, 3_600..7_200),
            (10, 20, 10..20),
            (3_595, 3_605, 3_600..3_610),
        ] {
            let (from, to) = (second(from), second(to));
            let document = document(&[path, "--json", "--from", &from, "--to", &to]);
            check(&document["sessions"][1], 1, packets);
        }
        if turn == 0 {
            close(&mut store, directory.path());
        }
    }
    store.close();
}

/// The directory of the hours of the day.
fn day_of(root: &Path) -> std::path::PathBuf {
    let day = time(day());
    root.join("_hours").join(day.split_once('T').unwrap().0)
}

#[test]
fn sessions_are_chosen_by_name_pattern_and_label() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let labels = [("site".to_owned(), "fra".to_owned())].into();
    store.describe(&[(name(2).to_string(), labels)].into());
    let path = directory.path().to_str().unwrap();
    for (chosen, expected) in [
        ("session-0001", &[1][..]),
        ("*-000*", &[0, 1, 2]),
        ("site=f*", &[2]),
    ] {
        let document = document(&[path, "--json", "--session", chosen]);
        let sessions = document["sessions"].as_array().unwrap();
        let names = sessions.iter().map(|session| &session["target"]["name"]);
        let names = names.map(|name| name.as_str().unwrap().to_owned());
        let expected = expected.iter().map(|number| name(*number).to_string());
        assert!(names.eq(expected), "{chosen}");
    }
    let labelled = document(&[path, "--json", "--session", "site=fra"]);
    assert_eq!(labelled["sessions"][0]["target"]["labels"]["site"], "fra");
    let failure = report(&[path, "--session", "nothing"]).0.unwrap_err();
    assert!(
        failure.line.ends_with("has no rows of nothing"),
        "{failure}"
    );
    store.close();
}

#[test]
fn intervals_are_sums_that_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let path = directory.path().to_str().unwrap();
    for (interval, expected) in [("30m", 4), ("1h", 2), ("10s", 720), ("1d", 1)] {
        let mut all = documents(&[path, "--json", "--report-interval", interval]);
        let total = all.pop().unwrap();
        assert_eq!(total["schema"], "twinpath-report-1");
        let of_first = all.iter().filter(|row| row["session"] == 1);
        let of_first: Vec<&Value> = of_first.collect();
        assert_eq!(of_first.len(), expected, "{interval}");
        let sum: u64 = of_first
            .iter()
            .map(|row| row["packets"]["sent"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, 7_200);
        let numbers = of_first.iter().map(|row| row["interval"].as_u64().unwrap());
        assert!(numbers.eq(0..expected as u64), "{interval}");
        assert_eq!(of_first[0]["target"]["address"], Value::Null);
    }
    store.close();
}

#[test]
fn what_a_store_does_not_have_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let path = directory.path().to_str().unwrap();
    for (words, line) in [
        (&["--output", "csv"][..], "--output csv"),
        (&["--merge"], "--merge"),
        (&["--port", "862"], "--port"),
        (&["--report-interval", "7m"], "--report-interval"),
        (&["--from", "now", "--to", "-1h"], "--to"),
        (&["--from", "-1h"], "the store"),
    ] {
        let failure = report(&[&[path], words].concat()).0.unwrap_err();
        assert!(failure.line.starts_with(line), "{failure}");
        assert!(failure.remedy.is_some(), "{failure}");
    }
    store.close();
    let nothing = tempfile::tempdir().unwrap();
    let failure = report(&[nothing.path().to_str().unwrap()]).0.unwrap_err();
    assert!(failure.line.ends_with("is not the directory of a store"));
}

#[test]
fn files_of_a_store_are_read_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = filled(directory.path());
    close(&mut store, directory.path());
    store.close();
    let hours = day_of(directory.path());
    let day = directory.path().join(hours.file_name().unwrap());
    let whole = hours.join("day.parquet");
    for path in [&day, &whole] {
        let document = document(&[path.to_str().unwrap(), "--json"]);
        check(&document["sessions"][2], 2, 0..7_200);
    }
    let first = day.join("0001.parquet");
    let [first, whole] = [&first, &whole].map(|path| path.to_str().unwrap());
    let failure = report(&[first, whole]).0.unwrap_err();
    assert!(failure.line.starts_with("some files"), "{failure}");
    let failure = report(&[first, first]).0.unwrap_err();
    assert!(failure.line.ends_with("given twice"), "{failure}");
    // A part of an hour is not to be had of hours.
    let from = time(self::day() + 1_800 * SECOND);
    let document = document(&[whole, "--json", "--from", &from]);
    check(&document["sessions"][0], 0, 3_600..7_200);
    let findings = document["sessions"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|it| it["key"] == "store-deleted"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = filled(directory.path());
    close(&mut store, directory.path());
    store.close();
    let path = directory.path().to_str().unwrap();
    let hours = day_of(directory.path());
    let day = directory.path().join(hours.file_name().unwrap());
    let keys = |words: &[&str]| {
        let document = document(&[&[path, "--json"], words].concat());
        let findings = document["sessions"][0]["findings"].as_array().unwrap();
        let keys = findings
            .iter()
            .map(|it| it["key"].as_str().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(keys(&[]), ["from-store"]);
    // As if the disk had been too small for the first file.
    std::fs::remove_file(day.join("0001.parquet")).unwrap();
    let from = time(self::day() + 1_800 * SECOND);
    assert_eq!(keys(&["--from", &from]), ["store-deleted", "from-store"]);
    assert_eq!(keys(&[]), ["from-store"]);
    std::fs::write(day.join("0099.parquet"), b"nothing of it").unwrap();
    assert_eq!(keys(&[]), ["store-unread", "from-store"]);
}

#[cfg(feature = "pictures")]
#[test]
fn a_store_is_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path());
    let path = directory.path().to_str().unwrap();
    let page = directory.path().join("page.html");
    let chosen = [path, "--session", "session-0001", "--html"];
    let (done, _) = report(&[&chosen[..], &[page.to_str().unwrap()]].concat());
    assert_eq!(done.unwrap(), Exit::Done);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("session-0001") && page.contains("<svg"));
    assert!(!page.contains("0.0.0.0"), "an address that is not known");
    store.close();
}
