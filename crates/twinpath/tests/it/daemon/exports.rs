//! Exports: what a receiver gets, whatever it answers and whatever becomes of the daemon.

#[cfg(feature = "tls")]
mod https;
mod receiver;
mod servers;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

use super::{Daemon, PATIENCE, Place};
use crate::program::{Running, free_port};
use receiver::{Answer, Receiver};

#[cfg(feature = "tls")]
pub(super) use https::certificates;
#[cfg(feature = "tls")]
pub(super) use servers::python;

/// A session of intervals of half a second, with its responder, a store, and this export.
fn configuration(place: &Path, port: u16, export: &str) -> String {
    format!(
        "[store]
path = '{store}'

[[responder]]
name = \"light\"
address = \"127.0.0.1:{port}\"

[[session]]
name = \"a\"
address = \"127.0.0.1:{port}\"
interval = \"20ms\"
timeout = \"2s\"
report-interval = \"500ms\"
labels = {{ site = \"fra\" }}

[[export]]
name = \"e\"
batch-age = \"400ms\"
{export}
",
        store = place.join("store").display(),
    )
}

/// Where each row of the store begins: Unix time in nanoseconds.
fn stored(store: &Path) -> Vec<i64> {
    let mut starts = Vec::new();
    for day in fs::read_dir(store).unwrap() {
        let day = day.unwrap();
        let is_hidden = day.file_name().to_str().unwrap().starts_with('_');
        if is_hidden || !day.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(day.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|it| it != "parquet") {
                continue;
            }
            let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
            let columns = reader
                .metadata()
                .file_metadata()
                .schema_descr()
                .columns()
                .to_vec();
            let column = columns.iter().position(|it| it.name() == "start").unwrap();
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).unwrap();
                let rows = usize::try_from(group.metadata().num_rows()).unwrap();
                let ColumnReader::Int64ColumnReader(mut values) =
                    group.get_column_reader(column).unwrap()
                else {
                    panic!("times have 64 bits");
                };
                values.read_records(rows, None, None, &mut starts).unwrap();
            }
        }
    }
    starts
}

/// Where a row of a document begins.
fn start(row: &Value) -> i64 {
    let text = row["start"].as_str().unwrap();
    let at: jiff::Timestamp = text.parse().unwrap();
    at.as_nanosecond().try_into().unwrap()
}

fn export(document: &Value) -> &Value {
    &document["exports"][0]
}

fn count(document: &Value, key: &str) -> u64 {
    export(document)[key].as_u64().unwrap_or(0)
}

#[test]
fn every_row_is_exported_once_whatever_the_receiver_does_also_over_kills() {
    let place = tempfile::tempdir().unwrap();
    let receiver = Receiver::reserve();
    let lines = format!(
        "kind = \"clickhouse\"\nurl = \"http://{}/?database=x\"",
        receiver.at
    );
    let text = configuration(place.path(), free_port(), &lines);
    // The receiver is dead.
    let daemon = Daemon::start(&text);
    let document = daemon.status_when(|it| count(it, "waiting") >= 4);
    assert!(export(&document)["error"].is_string(), "{document:#}");
    assert_eq!(count(&document, "sent"), 0);
    // The process has no time for anything.
    drop(daemon);
    let receiver = receiver.start(&[
        Answer::Status(500),
        Answer::TakeAndSayNothing,
        Answer::Status(503),
        Answer::Late,
        Answer::Status(429),
        Answer::TakeAndSayNothing,
    ]);
    let daemon = Daemon::start(&text);
    let document =
        daemon.status_when(|it| count(it, "sent") >= 8 && it["exports"][0]["error"].is_null());
    assert!(
        export(&document)["last_success"].is_string(),
        "{document:#}"
    );
    assert!(export(&document)["last_error"].is_string(), "{document:#}");
    drop(daemon);
    let daemon = Daemon::start(&text);
    let document = daemon.status_when(|it| count(it, "sent") >= 4);
    assert_eq!(
        document["entries"][1]["measures"][0]["lost"], 0,
        "{document:#}"
    );
    assert_eq!(count(&document, "dropped") + count(&document, "refused"), 0);
    assert_eq!(document["store"]["dropped"], 0);
    let done = daemon.stop();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let batches = receiver.batches();
    // Each attempt has the same token and the same rows.
    let attempts: usize = batches.iter().map(|batch| batch.attempts).sum();
    assert!(attempts >= batches.len() + 5, "{attempts}");
    let rows: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.body.lines())
        .map(|line| start(&serde_json::from_str(line).unwrap()))
        .collect();
    let known: BTreeSet<i64> = rows.iter().copied().collect();
    assert_eq!(known.len(), rows.len(), "no row is in two batches");
    let stored = stored(&place.path().join("store"));
    assert!(stored.len() > 10, "{}", stored.len());
    let missing = stored.iter().filter(|start| !known.contains(start));
    assert_eq!(missing.count(), 0);
    let head = &batches[0].head;
    for part in [
        "POST /?database=x&query=INSERT%20INTO%20intervals%20FORMAT%20JSONEachRow&",
        "&insert_deduplication_token=",
        "&async_insert=0",
    ] {
        assert!(head.contains(part), "{head}");
    }
    let row: Value = serde_json::from_str(batches[0].body.lines().next().unwrap()).unwrap();
    assert_eq!(row["session"], "a");
    assert_eq!(row["labels"]["site"], "fra");
    assert!(row["round_trip_median_ns"].as_i64() > Some(0), "{row:#}");
    assert!(row["histograms_round_trip_counts"].is_array(), "{row:#}");
    // What is not known is missing.
    assert!(
        row.as_object().unwrap().values().all(|it| !it.is_null()),
        "{row:#}"
    );
}

/// Rows in the files that wait.
fn in_files(directory: &Path) -> u64 {
    let names = fs::read_dir(directory).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    let rows = names.filter_map(|name| {
        let rows = name.strip_suffix(".webhook")?.rsplit('-').next()?;
        rows.parse::<u64>().ok()
    });
    rows.sum()
}

#[test]
fn beyond_its_bound_an_export_drops_and_counts_rows_and_nothing_else_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let receiver = Receiver::reserve();
    let lines = format!(
        "kind = \"webhook\"\nspool = \"1MB\"\nurl = \"http://{}/\"",
        receiver.at
    );
    let sessions = "interval = \"20ms\"\npaths = 8\nclasses = [0, 8, 16, 24]";
    let text = configuration(place.path(), free_port(), &lines);
    let text = text.replacen("interval = \"20ms\"", sessions, 1);
    let daemon = Daemon::start(&text);
    let document = daemon.status_when(|it| count(it, "dropped") > 100);
    assert!(
        count(&document, "waiting_octets") <= 1_000_000,
        "{document:#}"
    );
    let receiver = receiver.start(&[]);
    let document = daemon.status_when(|it| count(it, "sent") > 200);
    let dropped = count(&document, "dropped");
    let measures = document["entries"][1]["measures"].as_array().unwrap();
    assert_eq!(measures.len(), 32);
    assert!(measures.iter().all(|it| it["lost"] == 0), "{document:#}");
    assert_eq!(document["store"]["dropped"], 0);
    assert_eq!(daemon.stop().status, 0);
    let taken = receiver.batches();
    let taken = taken.iter().map(|batch| {
        let document: Value = serde_json::from_str(&batch.body).unwrap();
        document["rows"].as_array().unwrap().len() as u64
    });
    let waiting = in_files(&place.path().join("store/_exports/e.webhook"));
    let stored = stored(&place.path().join("store")).len() as u64;
    assert_eq!(taken.sum::<u64>() + waiting + dropped, stored);
}

#[test]
fn a_batch_that_is_refused_is_put_aside_and_others_follow() {
    let place = tempfile::tempdir().unwrap();
    let receiver = Receiver::reserve();
    let token = place.path().join("token");
    fs::write(&token, "secret\n").unwrap();
    crate::program::shell(&format!("chmod 600 {}", token.display()));
    let lines = format!(
        "kind = \"webhook\"\nurl = \"http://{}/rows\"\ntoken = '{}'",
        receiver.at,
        token.display()
    );
    let receiver = receiver.start(&[Answer::Status(422)]);
    let port = free_port();
    let daemon = Daemon::start(&configuration(place.path(), port, &lines));
    let document = daemon.status_when(|it| count(it, "refused") > 0 && count(it, "sent") > 1);
    let last = export(&document)["last_error"].as_str().unwrap();
    assert!(last.contains("422"), "{document:#}");
    assert!(export(&document)["error"].is_null(), "{document:#}");
    let aside = place.path().join("store/_exports/e.webhook/refused");
    assert_eq!(fs::read_dir(aside).unwrap().count(), 1);
    // Another receiver: what waits goes there.
    let other = Receiver::reserve();
    let at = other.at;
    let other = other.start(&[]);
    let mut daemon = daemon;
    let changed = lines.replace(&receiver.at.to_string(), &at.to_string());
    daemon.reload(&configuration(place.path(), port, &changed));
    daemon.status_when(|it| count(it, "refused") == 0 && count(it, "sent") > 1);
    assert_eq!(daemon.stop().status, 0);
    for batch in receiver.batches().iter().chain(&other.batches()) {
        let document: Value = serde_json::from_str(&batch.body).unwrap();
        assert_eq!(document["schema"], "twinpath-rows-1");
        assert_eq!(document["export"], "e");
        let id = document["batch"].as_str().unwrap();
        let head = batch.head.to_ascii_lowercase();
        assert!(
            head.contains(&format!("idempotency-key: {id}\r\n")),
            "{head}"
        );
        assert!(batch.head.contains("Bearer secret\r\n"), "{head}");
        for row in document["rows"].as_array().unwrap() {
            assert!(row["end"].as_str().unwrap().ends_with('Z'), "{row}");
        }
    }
    assert!(!other.batches().is_empty());
}

#[test]
fn a_program_has_batches_as_its_input_again_until_it_takes_them() {
    let place = tempfile::tempdir().unwrap();
    let (file, mark) = (place.path().join("rows"), place.path().join("mark"));
    let script = format!(
        "if [ -e {mark} ]; then exec cat >> {file}; else touch {mark}; echo not yet; exit 1; fi",
        mark = mark.display(),
        file = file.display()
    );
    let lines = format!("kind = \"exec\"\nexec = [\"/bin/sh\", \"-c\", '{script}']");
    let daemon = Daemon::start(&configuration(place.path(), free_port(), &lines));
    let document = daemon.status_when(|it| count(it, "sent") > 2);
    let last = export(&document)["last_error"].as_str().unwrap();
    assert!(last.ends_with("exit status: 1: not yet"), "{document:#}");
    assert_eq!(daemon.stop().status, 0);
    let text = fs::read_to_string(file).unwrap();
    let documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let rows = documents.flat_map(|it| it.unwrap()["rows"].as_array().unwrap().clone());
    let starts: Vec<i64> = rows.map(|row| start(&row)).collect();
    let mut stored = stored(&place.path().join("store"));
    stored.sort_unstable();
    assert_eq!(starts, stored, "in their order, each once");
}

#[test]
fn what_is_wrong_with_an_export_is_said_at_its_line() {
    let of = |lines: &str| {
        let text = format!("[[export]]\nname = \"e\"\nspool-path = \"/tmp\"\n{lines}\n");
        Place::of(&text).config("check").stderr
    };
    for (lines, said) in [
        ("kind = \"webhook\"", ":4: kind webhook: add url"),
        (
            "kind = \"webhook\"\nurl = \"ftp://a.example/\"",
            ":5: url: ftp://a.example/: write http://HOST:PORT/PATH or https://HOST:PORT/PATH",
        ),
        (
            "kind = \"exec\"\nexec = [\"page\"]",
            ":5: exec page: write the whole path",
        ),
        (
            "kind = \"webhook\"\nurl = \"http://a/\"\ntable = \"t\"",
            ":6: table: not for kind webhook: leave it out",
        ),
        (
            "kind = \"clickhouse\"\nurl = \"http://a/\"\ntable = \"t; DROP TABLE t\"",
            ":6: table: ",
        ),
        ("kind = \"kafka\"", ":4: kind: kafka is not allowed"),
    ] {
        let stderr = of(lines);
        assert!(stderr.contains(said), "{lines}: {stderr}");
    }
    let nowhere = Place::of("[[export]]\nname = \"e\"\nkind = \"webhook\"\nurl = \"http://a/\"\n");
    let stderr = nowhere.config("check").stderr;
    assert!(stderr.contains("add spool-path, or [store]"), "{stderr}");
}
