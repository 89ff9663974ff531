//! Rows of a run that goes on, and how far it is.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::Value;

use crate::program::{Responder, Running, run};

fn documents(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sum(rows: &[Value], key: &str) -> i64 {
    rows.iter()
        .map(|row| row["packets"][key].as_i64().unwrap_or(0))
        .sum()
}

#[test]
fn a_document_for_each_interval_comes_before_the_report_and_they_add_up() {
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 60 -i 20 --timeout 200ms --report-interval 400ms --json",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mut rows = documents(&done.stdout);
    let report = rows.pop().unwrap();
    assert_eq!(report["schema"], "twinpath-report-1");
    assert!(rows.len() >= 3, "{}", done.stdout);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["schema"], "twinpath-interval-1");
        assert_eq!(row["interval"], index, "no interval is left out");
    }
    let packets = &report["sessions"][0]["packets"];
    for key in [
        "sent",
        "received",
        "lost",
        "duplicates",
        "reordered",
        "late",
    ] {
        assert_eq!(sum(&rows, key), packets[key].as_i64().unwrap(), "{key}");
    }
    let delays: i64 = rows
        .iter()
        .map(|row| row["round_trip"]["count"].as_i64().unwrap_or(0))
        .sum();
    assert_eq!(delays, 60);
    let least = rows
        .iter()
        .filter_map(|row| row["round_trip"]["min_ns"].as_i64())
        .min();
    assert_eq!(
        least,
        report["sessions"][0]["round_trip"]["min_ns"].as_i64()
    );
}

#[test]
fn losses_belong_to_the_interval_in_which_they_were_sent() {
    let responder = Responder::on_loopback();
    let at = responder.at;
    let mut sender = Running::start(&format!(
        "sender {at} --duration 60 -i 20 --timeout 1 --report-interval 400ms --output jsonl"
    ));
    let mut stdout = BufReader::new(sender.0.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("\"schema\"") {
        assert!(stdout.read_line(&mut lines).unwrap() > 0, "{lines}");
    }
    drop(responder);
    while !lines.contains("\"lost\"}") {
        assert!(stdout.read_line(&mut lines).unwrap() > 0, "{lines}");
    }
    sender.signal(&["INT"]);
    stdout.read_to_string(&mut lines).unwrap();
    sender.finish();
    let mut rows: Vec<_> = documents(&lines)
        .into_iter()
        .filter(|line| line["schema"].is_string())
        .collect();
    let report = rows.pop().unwrap();
    let packets = &report["sessions"][0]["packets"];
    assert!(packets["lost"].as_i64().unwrap() > 0, "{report}");
    assert_eq!(sum(&rows, "lost"), packets["lost"].as_i64().unwrap());
    assert_eq!(sum(&rows, "sent"), packets["sent"].as_i64().unwrap());
    assert_eq!(rows[0]["packets"]["lost"], 0, "the responder was there yet");
}

#[test]
fn rows_for_people_stand_before_the_table() {
    let responder = Responder::on_loopback();
    let done = run(&format!(
        "sender {} -c 30 -i 20 --timeout 200ms --report-interval 300ms",
        responder.at
    ));
    let heading = done.stdout.find("From (UTC)").expect(&done.stdout);
    let table = done.stdout.find("Direction").expect(&done.stdout);
    assert!(heading < table, "{}", done.stdout);
}

#[test]
fn a_quit_signal_tells_how_far_the_run_is_and_does_not_end_it() {
    let responder = Responder::on_loopback();
    let mut sender = Running::start(&format!(
        "sender {} -c 100 -i 20 --timeout 5 --output jsonl",
        responder.at
    ));
    let mut stdout = BufReader::new(sender.0.stdout.take().unwrap());
    let mut lines = String::new();
    stdout.read_line(&mut lines).unwrap();
    sender.signal(&["QUIT"]);
    stdout.read_to_string(&mut lines).unwrap();
    let done = sender.finish();
    assert!(done.stderr.contains("so far"), "{}", done.stderr);
    assert_eq!(done.status, 0);
    let report = documents(&lines).pop().unwrap();
    assert_eq!(report["sessions"][0]["packets"]["received"], 100);
}
