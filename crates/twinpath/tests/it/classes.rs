//! Several classes side by side, without a control connection.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::Value;

use crate::program::{Responder, Running, run};

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn each_class_has_a_session_of_its_own_in_the_order_given() {
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} -c 10 -i 2 --dscp ef,be,af41 --seed 3",
        responder.at
    );
    let document = document(&run(&format!("{line} --json")).stdout);
    let sessions = document["sessions"].as_array().unwrap();
    let of = |key: &str| -> Vec<String> {
        sessions
            .iter()
            .map(|session| session[key].to_string())
            .collect()
    };
    assert_eq!(of("dscp"), ["46", "0", "34"]);
    assert_eq!(of("session"), ["1", "2", "3"]);
    assert_eq!(of("seed"), ["3", "4", "5"]);
    let mut ends = of("sender");
    ends.dedup();
    assert_eq!(ends.len(), 3, "{ends:?}");
    for session in sessions {
        let dscp = session["dscp"].to_string();
        assert_eq!(session["packets"]["received"], 10, "{session}");
        assert_eq!(session["dscp_backward"][&dscp], 10, "{session}");
    }
    let text = run(&line).stdout;
    let table = text.split("Round trips and losses by class").nth(1);
    let names: Vec<&str> = table
        .unwrap_or_else(|| panic!("no table in {text}"))
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.chars().next().is_some_and(char::is_lowercase))
        .collect();
    assert_eq!(names, ["ef", "be", "af41"], "{text}");
}

#[test]
fn records_of_several_classes_say_whose_they_are() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} -c 4 -i 2 --dscp be,ef", responder.at);
    let csv = run(&format!("{line} --output csv")).stdout;
    assert!(
        csv.lines().next().unwrap().ends_with(",fate,session"),
        "{csv}"
    );
    for session in ["1", "2"] {
        let end = format!(",received,{session}");
        assert_eq!(
            csv.lines().filter(|row| row.ends_with(&end)).count(),
            4,
            "{csv}"
        );
    }
    let text = run(&format!("{line} -v")).stdout;
    for session in 1..=2 {
        let start = format!("session={session} seq=");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        assert_eq!(lines.count(), 4, "{text}");
    }
    // One class is one session, as ever.
    let one = run(&format!(
        "sender {} -c 1 --dscp ef --output csv",
        responder.at
    ))
    .stdout;
    assert!(!one.contains("session"), "{one}");
}

#[test]
fn a_signal_ends_all_classes_with_their_reports() {
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} --duration 600 -i 10 --dscp be,ef --output jsonl",
        responder.at
    );
    let mut run = Running::start(&line);
    let mut stdout = BufReader::new(run.0.stdout.take().unwrap());
    let mut seen = [false; 2];
    while seen != [true; 2] {
        let mut record = String::new();
        assert!(
            stdout.read_line(&mut record).unwrap() > 0,
            "it ended by itself"
        );
        let session = document(&record)["session"].as_u64().unwrap();
        seen[usize::try_from(session).unwrap() - 1] = true;
    }
    run.signal(&["INT"]);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let done = run.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let last = document(rest.lines().last().unwrap());
    for session in 0..2 {
        let packets = &last["sessions"][session]["packets"];
        assert!(packets["received"].as_u64().unwrap() >= 1, "{last}");
    }
}

#[test]
fn ports_follow_one_another_or_come_from_the_range() {
    let responder = Responder::on_loopback();
    let ports = |options: &str| -> Vec<u16> {
        let line = format!(
            "sender {} 127.0.0.1{options} -c 1 -i 1 --dscp be,ef --json",
            responder.at
        );
        let done = run(&line);
        let document = document(&done.stdout);
        let sessions = document["sessions"].as_array().unwrap();
        sessions
            .iter()
            .map(|session| {
                let sender = session["sender"].as_str().unwrap();
                sender.rsplit(':').next().unwrap().parse().unwrap()
            })
            .collect()
    };
    let low = crate::program::free_port();
    let high = low + 100;
    let range = ports(&format!(" --ports {low}-{high}"));
    assert!(range[0] < range[1], "{range:?}");
    assert!(
        range.iter().all(|port| (low..=high).contains(port)),
        "{range:?}"
    );
}
