//! Every form of a result, where it goes, and what never goes there.

use crate::program::{Responder, run};

#[test]
fn the_text_report_has_the_table_that_users_know_and_no_colour() {
    let responder = Responder::on_loopback();
    let done = run(&format!("sender {} -c 5 -i 2", responder.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.stderr, "", "no progress line into a pipe");
    assert!(!done.stdout.contains('\u{1b}'), "no colour into a pipe");
    for name in [
        "Direction",
        "Outbound",
        "Inbound",
        "Roundtrip",
        "Median",
        "Packets",
    ] {
        let found = done.stdout.lines().any(|line| line.starts_with(name));
        assert!(found, "{name}:\n{}", done.stdout);
    }
}

#[test]
fn a_line_for_each_packet_comes_before_the_report() {
    let responder = Responder::on_loopback();
    let done = run(&format!("sender {} -c 5 -i 2 -v", responder.at));
    let lines: Vec<&str> = done
        .stdout
        .lines()
        .take_while(|line| line.starts_with("seq="))
        .collect();
    assert_eq!(lines.len(), 5, "{}", done.stdout);
    for (seq, line) in lines.iter().enumerate() {
        let keys: Vec<&str> = line
            .split(' ')
            .map(|word| word.split('=').next().unwrap())
            .collect();
        assert_eq!(keys, ["seq", "rtt", "fwd", "bck", "ttl"], "{line}");
        assert!(line.starts_with(&format!("seq={seq} ")), "{line}");
        assert!(line.ends_with(" ttl=255/255"), "{line}");
    }
    assert!(done.stdout.contains("\nDirection "), "{}", done.stdout);
}

#[test]
fn lines_for_people_keep_away_from_results_for_machines() {
    let responder = Responder::on_loopback();
    let done = run(&format!("sender {} -c 3 -i 2 -v --json", responder.at));
    assert_eq!(done.session()["packets"]["received"], 3);
    let lines = done
        .stderr
        .lines()
        .filter(|line| line.starts_with("seq="))
        .count();
    assert_eq!(lines, 3, "{}", done.stderr);
}

#[test]
fn json_lines_end_with_the_document() {
    let responder = Responder::on_loopback();
    let done = run(&format!("sender {} -c 4 -i 2 --output jsonl", responder.at));
    let lines: Vec<serde_json::Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    for (seq, line) in lines[..4].iter().enumerate() {
        assert_eq!(line["seq"], seq);
        assert_eq!(line["fate"], "received");
        let at = |key: &str| line[key].as_i64().unwrap();
        let (t1, t2, t3, t4) = (at("t1_ns"), at("t2_ns"), at("t3_ns"), at("t4_ns"));
        assert_eq!(at("round_trip_ns"), (t4 - t1) - (t3 - t2));
        assert_eq!(at("forward_ns"), t2 - t1);
        assert_eq!(at("backward_ns"), t4 - t3);
    }
    assert_eq!(lines[4]["schema"], "twinpath-report-1");
    assert_eq!(lines[4]["sessions"][0]["packets"]["received"], 4);
}

#[test]
fn csv_has_a_row_for_each_packet_lost_ones_too() {
    let responder = Responder::start("127.0.0.1:0 --max-rate 2");
    let done = run(&format!(
        "sender {} -c 6 -i 1 --timeout 0.3 --output csv",
        responder.at
    ));
    let mut rows: Vec<&str> = done.stdout.lines().collect();
    assert!(rows.remove(0).starts_with("seq,t1_ns,t2_ns,"));
    assert_eq!(rows.len(), 6, "{}", done.stdout);
    let lost = rows
        .iter()
        .filter(|row| row.ends_with(",,,,,,,,,,lost"))
        .count();
    assert!((1..6).contains(&lost), "{}", done.stdout);
}

#[test]
fn warnings_of_machine_output_go_to_stderr_and_quiet_leaves_them_out() {
    let port = crate::program::free_port();
    let line = format!("sender 127.0.0.1:{port} -c 2 -i 1 --timeout 0.2 --json");
    let done = run(&line);
    assert_eq!(done.status, 3);
    assert!(done.stderr.starts_with("warning: "), "{}", done.stderr);
    let note = &done.session()["notes"][0];
    assert_eq!(note["warning"], true);
    assert!(done.stderr.contains(note["line"].as_str().unwrap()));
    let done = run(&format!("{line} -q"));
    assert_eq!((done.status, done.stderr.as_str()), (3, ""));
}

#[test]
fn a_log_file_takes_the_log_and_stderr_stays_empty() {
    let responder = Responder::on_loopback();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let line = format!("sender {} -c 2 -i 1 -d -l {}", responder.at, file.display());
    let done = run(&line);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.contains(" INFO sending sender=127.0.0.1:"), "{log}");
    assert!(log.contains(&format!("far={}", responder.at)), "{log}");
    assert!(
        log.contains(" INFO finished sent=2 received=2 lost=0"),
        "{log}"
    );
    let line = format!(
        "sender {} -c 2 -i 1 -l {}/none/log",
        responder.at,
        folder.path().display()
    );
    let done = run(&line);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .starts_with("twinpath: cannot write the log file"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_log_file_takes_the_last_error_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let line = format!("sender 192.0.2.1 192.0.2.77 -c 1 -l {}", file.display());
    let done = run(&line);
    assert_eq!((done.status, done.stderr.lines().count()), (1, 1));
    let said = done.stderr.trim_end().strip_prefix("twinpath: ").unwrap();
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.trim_end().ends_with(&format!("ERROR {said}")), "{log}");
    let line = "sender 192.0.2.1 192.0.2.77 -c 1";
    assert_eq!(
        run(line).stderr,
        done.stderr,
        "without a file it is said once"
    );
}

#[test]
fn labels_are_carried_into_every_output() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} -c 2 -i 1 --label site=lab", responder.at);
    assert!(run(&line).stdout.contains("\nsite=lab\n"));
    let csv = run(&format!("{line} --output csv")).stdout;
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].ends_with(",fate,site"), "{csv}");
    assert!(
        rows[1..].iter().all(|row| row.ends_with(",received,lab")),
        "{csv}"
    );
    for line in run(&format!("{line} --output jsonl")).stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["labels"]["site"], "lab", "{line}");
    }
}

#[test]
fn the_dscp_table_has_octets_as_they_are_on_the_wire() {
    let done = run("dscptable");
    assert_eq!(done.status, 0);
    let ef = done
        .stdout
        .lines()
        .find(|line| line.starts_with("ef "))
        .unwrap();
    let words: Vec<&str> = ef.split_whitespace().collect();
    assert_eq!(words, ["ef", "46", "10111000", "0xb8", "184"]);
    let json: serde_json::Value = serde_json::from_str(&run("dscptable --json").stdout).unwrap();
    assert_eq!(json["schema"], "twinpath-dscptable-1");
}

#[test]
fn a_selftest_says_what_the_host_can_do_and_measures() {
    let done = run("selftest -c 20 -i 2");
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    for name in ["Timestamps", "Clock", "Receive buffer", "Roundtrip"] {
        assert!(
            done.stdout.contains(&format!("\n{name} ")),
            "{name}:\n{}",
            done.stdout
        );
    }
    let done = run("selftest -c 20 -i 2 --json");
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["schema"], "twinpath-report-1");
    assert!(document["survey"]["transmit"].is_array());
    for session in document["sessions"].as_array().unwrap() {
        assert_eq!(session["packets"]["received"], 20);
        // Both ends read one clock, and no correction adds to it.
        for direction in ["round_trip", "forward", "backward"] {
            let least = session[direction]["min_ns"].as_i64();
            assert!(least.is_some_and(|ns| ns >= 0), "{direction}: {session}");
        }
    }
}
