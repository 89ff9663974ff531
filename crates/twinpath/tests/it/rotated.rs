//! Runs that are saved in one file after the other (`--rotate`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Responder, Running, run};
use crate::saved::document;

/// The files of a run that was saved as `run.parquet` there, in the order of their names. One that is
/// being made has no such name yet.
fn files(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some());
    files.sort();
    files
}

fn list<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let names: Vec<String> = files
        .into_iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(" ")
}

/// The numbers of the packets of a file.
fn seqs(file: &Path) -> Vec<String> {
    let csv = run(&format!("report {} --output csv", file.display())).stdout;
    let mut lines = csv.lines();
    // One with the beginning of the run alone has no packet.
    let head = lines.next().unwrap_or_default();
    let seq = head.split(',').position(|name| name == "seq");
    let seq = |line: &str| line.split(',').nth(seq.unwrap()).unwrap().to_owned();
    lines.map(seq).collect()
}

fn keys(document: &Value) -> BTreeSet<&str> {
    let notes = document["sessions"][0]["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|note| note["key"].as_str().unwrap())
        .collect()
}

#[test]
fn each_packet_is_in_one_file_and_together_they_are_the_run_figure_for_figure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 800 -i 4 --dscp be,ef --timeout 200ms --json --save {path}/run.parquet --rotate 1s",
        responder.at
    ));
    let saved: Value = serde_json::from_str::<Value>(&done.stdout).unwrap()["saved"].take();
    let measured = document(&done);
    let files = files(directory.path());
    assert!(files.len() >= 4, "{files:?}");
    assert_eq!(saved["files"], files.len());
    assert_eq!(saved["path"], format!("{path}/run-*.parquet"));
    assert_eq!(saved["records"], saved["records_of_run"]);
    let reversed = list(files.iter().rev());
    assert_eq!(
        document(&run(&format!("report {reversed} --json"))),
        measured
    );

    let mut all: Vec<String> = files.iter().flat_map(|file| seqs(file)).collect();
    all.sort_unstable();
    let mut expected: Vec<String> = (0..800)
        .flat_map(|seq| [seq.to_string(), seq.to_string()])
        .collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn a_part_is_reported_as_such_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 800 -i 4 --timeout 200ms -q --save {path}/run.parquet --rotate 1s",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let files = files(directory.path());
    let report = |files: &[&PathBuf]| {
        document(&run(&format!(
            "report {} --json",
            list(files.iter().copied())
        )))
    };

    let part = report(&[&files[1]]);
    assert!(keys(&part).contains("run-part"), "{:?}", keys(&part));
    assert!(!keys(&part).contains("parts-missing"));
    let sent = part["sessions"][0]["packets"]["sent"].as_u64().unwrap();
    assert!((1..800).contains(&sent), "{sent}");
    assert!(part["sessions"][0]["packets"]["asked"].is_null());

    // All up to one that was closed: a run that was killed then leaves the same.
    let (_, first) = files.split_last().unwrap();
    let first = report(&first.iter().collect::<Vec<_>>());
    let notes = first["sessions"][0]["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["key"] == "run-part").unwrap();
    assert_eq!(note["warning"], true, "{note}");
    let line = note["line"].as_str().unwrap();
    assert!(line.contains("without the end of the run"), "{line}");
    let part_of = |document: &Value| {
        let findings = document["sessions"][0]["findings"].as_array().unwrap();
        let part = findings.iter().find(|finding| finding["key"] == "run-part");
        part.unwrap()["has_end"].clone()
    };
    assert_eq!(part_of(&first), false);
    let last = report(&files.iter().skip(1).collect::<Vec<_>>());
    assert_eq!(part_of(&last), true);

    let sum: usize = files.iter().map(|file| seqs(file).len()).sum();
    assert_eq!(sum, 800);

    let gap = report(&[&files[0], &files[2]]);
    let found = keys(&gap);
    assert!(
        found.contains("parts-missing") && found.contains("run-part"),
        "{found:?}"
    );
    assert!(gap["sessions"][0]["achieved_pps"].is_null());
    let finding = |finding: &&Value| finding["key"] == "parts-missing";
    let missing = gap["sessions"][0]["findings"].as_array().unwrap();
    let missing = missing.iter().find(finding).unwrap();
    assert_eq!(missing["count"], 1);

    let twice = run(&format!(
        "report {}",
        list([&files[1], &files[0], &files[1]])
    ));
    assert_eq!(twice.status, 2);
    assert!(
        twice.stderr.contains("are the same part of a run"),
        "{}",
        twice.stderr
    );
    assert_eq!(twice.stderr.lines().count(), 1);

    let compared = run(&format!(
        "report --compare {}",
        list([&files[1], &files[2]])
    ));
    assert_eq!(compared.status, 0, "{}", compared.stderr);
}

#[test]
fn a_run_that_is_killed_leaves_all_files_readable() {
    // One that is killed between two files leaves whole ones only: another is killed later.
    let is_interrupted = |ended: Ended| ended == Ended::WithinAFile;
    assert!((0..10).map(kill_a_run).any(is_interrupted));
}

#[derive(PartialEq)]
enum Ended {
    WithinAFile,
    BetweenFiles,
}

/// Kills a run that saves files so many tenths of a second after it began its third one. Whatever it leaves
/// is read.
fn kill_a_run(tenths: u64) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let responder = Responder::on_loopback();
    let mut running = Running::start(&format!(
        "sender {} -c inf -i 5 -q --save {path}/run.parquet --rotate 1s",
        responder.at
    ));
    let patience = Instant::now() + Duration::from_secs(20);
    while files(directory.path()).len() < 3 {
        assert!(Instant::now() < patience);
        thread::sleep(Duration::from_millis(20));
    }
    let growing = document(&run(&format!(
        "report {} --json",
        list(&files(directory.path()))
    )));
    thread::sleep(Duration::from_millis(tenths * 100));
    running.signal(&["KILL"]);
    running.ended();
    let files = files(directory.path());
    let whole = document(&run(&format!("report {} --json", list(&files))));
    let received = |document: &Value| document["sessions"][0]["packets"]["received"].as_u64();
    assert!(received(&growing) > Some(0) && received(&whole) >= received(&growing));
    assert!(!keys(&growing).contains("interrupted"));
    if keys(&whole).contains("interrupted") {
        return Ended::WithinAFile;
    }
    // The rest of the run is missing, and that is said.
    assert!(keys(&whole).contains("run-part"), "{:?}", keys(&whole));
    Ended::BetweenFiles
}

#[cfg(feature = "control")]
#[test]
fn a_part_alone_knows_what_was_agreed_on_with_the_server() {
    use crate::secured::{keys as key_file, secured_server};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let secrets = key_file("alice secret");
    let server = secured_server(&secrets, "");
    let done = run(&format!(
        "controller {} --keys {} --key-id alice --mode authenticated -c 60 -i 50 --dscp be,ef --timeout 200ms \
         --json --save {path}/run.parquet --rotate 1s",
        server.at,
        secrets.path().display()
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let whole = document(&done);
    let files = files(directory.path());
    let middle = files[1].display();
    let part = document(&run(&format!("report {middle} --json")));
    let sessions = |document: &Value| {
        let sessions = document["sessions"].as_array().unwrap().iter();
        let facts = ["mode", "sid", "sender", "reflector", "target", "padding"];
        let facts = sessions.map(|one| facts.map(|fact| one[fact].clone()));
        facts.collect::<Vec<_>>()
    };
    assert_eq!(sessions(&part).len(), 2);
    assert_eq!(sessions(&part), sessions(&whole));
    assert_eq!(whole["sessions"][0]["mode"], "authenticated");
    assert!(keys(&part).contains("run-part"), "{:?}", keys(&part));
    let warnings = part["sessions"][0]["notes"].as_array().unwrap().iter();
    let warnings: Vec<_> = warnings.filter(|note| note["warning"] == true).collect();
    let of_whole = whole["sessions"][0]["notes"].to_string();
    for warning in warnings {
        assert!(
            of_whole.contains(warning["key"].as_str().unwrap()),
            "{warning}"
        );
    }
}
