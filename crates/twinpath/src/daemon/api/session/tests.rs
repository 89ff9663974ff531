//! What is shown of rows that are gone.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::super::Query;
use super::*;
use crate::store::tests::{fill, name, open, wait};

/// 2026-11-30T00:00:00Z.
const DAY_S: i64 = 1_795_996_800;
const SECOND: i64 = 1_000_000_000;

fn history(reader: &StoreReader, query: &str) -> History {
    let uri = format!("/session/a?{query}").parse().unwrap();
    let now = twinpath_wire::Wall::from_unix_ns((DAY_S + 100_000) * SECOND);
    let range = TimeRange::of(&Query::of(&uri), now, Duration::from_hours(1)).unwrap();
    History::read(reader, &name(1), range, &[]).unwrap()
}

fn json(reader: &StoreReader, query: &str) -> Json {
    serde_json::from_slice(&history(reader, query).json("a")).unwrap()
}

fn packets(document: &Json) -> u64 {
    let rows = document["rows"].as_array().unwrap().iter();
    rows.map(|row| row["received"].as_u64().unwrap() + row["lost"].as_u64().unwrap())
        .sum()
}

fn is_summed_up(hours: &Path) -> bool {
    hours.join("0001.parquet").exists() || hours.join("day.parquet").exists()
}

#[test]
fn hours_take_the_place_of_rows_that_were_deleted_and_a_note_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store, 4, DAY_S * SECOND, 720);
    let hours = directory.path().join("_hours/2026-11-30");
    wait("sums", || is_summed_up(&hours));
    let reader = store.reader();
    let query = format!("from={DAY_S}&to={}", DAY_S + 7_200);
    wait("rows", || packets(&json(&reader, &query)) == 7_200);
    store.close();
    let whole = json(&reader, &query);
    assert_eq!(
        (&whole["complete"], &whole["notes"]),
        (&Json::from(true), &Json::from([""; 0]))
    );
    fs::remove_file(directory.path().join("2026-11-30/0001.parquet")).unwrap();
    let left = json(&reader, &query);
    assert_eq!(packets(&left), 7_200, "{left:#}");
    assert_eq!(left["resolution_ns"], 3_600 * SECOND);
    assert_eq!(left["complete"], false);
    assert!(
        left["notes"][0].as_str().unwrap().contains("max-size"),
        "{left:#}"
    );
    let page = history(&reader, &query).page("a", None, &[]);
    assert!(page.contains("whole hours are shown"), "{page}");
    // A part of an hour is not drawn, and not said to be without packets either.
    let part = json(&reader, &format!("from={DAY_S}&to={}", DAY_S + 300));
    assert_eq!(part["complete"], false);
    // Other hours are as they were.
    let later = json(
        &reader,
        &format!("from={}&to={}", DAY_S + 5_400, DAY_S + 7_200),
    );
    assert_eq!(
        (packets(&later), &later["complete"]),
        (1_800, &Json::from(true))
    );
}

#[test]
fn rows_that_wait_in_memory_are_a_note_on_the_latest_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let reader = store.reader();
    for (query, is_said) in [("last=600", true), ("from=1000&to=2000", false)] {
        let mut history = history(&reader, query);
        history.note_unwritten(Some("No space left on device"));
        assert_eq!(history.notes().len(), usize::from(is_said), "{query}");
    }
}
