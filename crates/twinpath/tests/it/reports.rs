//! What reports say of saved runs: of their ends, and of what several have in common.

use crate::program::{Responder, Running, run, taken_port};
use crate::saved::{captures, saved};

#[test]
fn a_run_that_has_no_fate_to_tell_yet_is_said_to_have_just_begun() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    // Somebody has the port and never answers: nothing is lost before its timeout.
    let (_held, port) = taken_port();
    let sender = Running::start(&format!(
        "sender 127.0.0.1:{port} --duration 600 --timeout 600 -q --save {}",
        file.display()
    ));
    for _ in 0..1_500 {
        if std::fs::metadata(&file).is_ok_and(|about| about.len() > 1_000) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let report = || run(&format!("report {} -q", file.display()));
    let done = report();
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("its run has just begun; try again"),
        "{}",
        done.stderr
    );
    sender.signal(&["KILL"]);
    drop(sender);
    let done = report();
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("its run was killed soon after it began"),
        "{}",
        done.stderr
    );
}

#[test]
fn what_is_for_captures_is_refused_for_saved_runs() {
    let directory = tempfile::tempdir().unwrap();
    let file = saved(directory.path(), "run.parquet", "");
    let capture = captures().join("stamp-open.pcap");
    for option in ["--port 862", "--timeout 0.02"] {
        for line in [
            format!("report {file} {option}"),
            format!("report --compare {file} {file} {option}"),
        ] {
            let done = run(&line);
            assert_eq!(
                (done.status, done.stdout.as_str()),
                (2, ""),
                "{line}: {}",
                done.stderr
            );
            assert!(done.stderr.contains("is for captures"), "{}", done.stderr);
            assert!(done.stderr.contains("; leave it out"), "{}", done.stderr);
        }
    }
    let both = run(&format!(
        "report {file} {} --timeout 0.5 --json",
        capture.display()
    ));
    assert_eq!(
        both.status, 0,
        "there is a capture to take it: {}",
        both.stderr
    );
}

#[test]
fn one_run_that_is_named_twice_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = saved(directory.path(), "run.parquet", "");
    let other = saved(directory.path(), "other.parquet", "");
    let merged = |files: &str| run(&format!("report --merge --json {files}"));
    let twice = "contains packets of another one";
    let same = merged(&format!("{file} {file}"));
    assert!(same.stderr.contains(twice), "{}", same.stderr);
    assert_eq!(same.session()["packets"]["sent"], 120);
    let different = merged(&format!("{file} {other}"));
    assert!(!different.stderr.contains(twice), "{}", different.stderr);
    let compared = run(&format!("report --compare {file} {file}"));
    assert!(
        compared
            .stdout
            .contains("Warning: both contain the same packets"),
        "{}",
        compared.stdout
    );
    let compared = run(&format!("report --compare {file} {file} --json"));
    assert!(
        compared
            .stderr
            .contains("warning: both contain the same packets"),
        "{}",
        compared.stderr
    );
    let compared = run(&format!("report --compare {file} {other}"));
    assert!(
        !compared.stdout.contains("same packets"),
        "{}",
        compared.stdout
    );
    assert!(
        compared.stdout.contains("chance and * account for all"),
        "{}",
        compared.stdout
    );
}

#[test]
fn what_a_file_does_not_tell_is_null_and_not_0() {
    let of_end = [
        "/packets/stale",
        "/packets/largest_burst",
        "/odd_replies",
        "/icmp",
        "/receive_drops",
        "/records_dropped",
        "/timestamps/clock_synchronized",
    ];
    let of_sender = [
        "/seed",
        "/packets/send_errors",
        "/packets/slots_skipped",
        "/clock_steps",
    ];
    let directory = tempfile::tempdir().unwrap();
    let whole = saved(directory.path(), "run.parquet", "");
    let killed = directory.path().join("killed.parquet");
    let responder = Responder::on_loopback();
    let sender = Running::start(&format!(
        "sender {} --duration 600 -i 1 --timeout 0.1 -q --save {}",
        responder.at,
        killed.display()
    ));
    let report = |file: &str| run(&format!("report {file} --json"));
    let killed = killed.display().to_string();
    for _ in 0..600 {
        // Whatever its status: a busy host sends late, or not all.
        let so_far = report(&killed);
        if !so_far.stdout.is_empty() && so_far.session()["packets"]["received"].as_u64() > Some(100)
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    sender.signal(&["KILL"]);
    drop(sender);
    let capture = captures().join("stamp-open.pcap").display().to_string();
    for (file, has_end, has_sender, in_flight) in [
        (&whole, true, true, true),
        (&killed, false, true, false),
        (&capture, false, false, true),
    ] {
        let session = report(file).session();
        let told = |key: &str| !session.pointer(key).unwrap().is_null();
        assert!(
            of_end.iter().all(|key| told(key) == has_end),
            "{file}: {session}"
        );
        assert!(
            of_sender.iter().all(|key| told(key) == has_sender),
            "{file}: {session}"
        );
        assert_eq!(told("/packets/in_flight"), in_flight, "{file}: {session}");
        let text = run(&format!("report {file}")).stdout;
        // Of the local clock; both ends are one host here.
        let clocks = text
            .lines()
            .find(|line| line.starts_with("Clocks"))
            .unwrap();
        assert_eq!(clocks.contains("synchronized"), has_end, "{clocks}");
    }
}

#[test]
fn a_remark_on_one_of_the_sessions_that_are_merged_is_said_of_that_one() {
    let directory = tempfile::tempdir().unwrap();
    let good = saved(directory.path(), "good.parquet", "");
    let dead = directory.path().join("dead.parquet");
    let dead = dead.display();
    let (_held, port) = taken_port();
    let done = run(&format!(
        "sender 127.0.0.1:{port} -c 30 -i 2 --timeout 100ms -q --save {dead}"
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let lines = |files: &str| -> Vec<String> {
        let notes = run(&format!("report {files} --json")).session()["notes"].clone();
        let notes = notes.as_array().unwrap().iter();
        let lines = notes.filter(|note| note["key"] != "merged");
        lines
            .map(|note| note["line"].as_str().unwrap().to_owned())
            .collect()
    };
    let (of_good, of_dead) = (lines(&good), lines(&dead.to_string()));
    let merged = lines(&format!("--merge {good} {dead}"));
    assert!(of_dead.iter().any(|line| !of_good.contains(line)));
    for (name, own, other) in [
        ("good.parquet", &of_good, &of_dead),
        ("dead.parquet", &of_dead, &of_good),
    ] {
        for line in own {
            let of_both = other.contains(line);
            assert_eq!(merged.contains(line), of_both, "{line}: {merged:?}");
            let named = format!("{name}: {line}");
            assert_eq!(merged.contains(&named), !of_both, "{named}: {merged:?}");
        }
    }
    let text = run(&format!("report --merge {good} {dead}")).stdout;
    assert!(text.contains("warning: dead.parquet: no reply"), "{text}");
}

#[test]
fn octets_behind_a_run_that_came_to_its_end_tear_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = saved(directory.path(), "run.parquet", "");
    let before = run(&format!("report {file} --json")).session();
    let octets = std::fs::read(&file).unwrap();
    for behind in [
        vec![0; 4_096],
        b"\n".to_vec(),
        octets[..octets.len() / 2].to_vec(),
    ] {
        std::fs::write(&file, [&octets, &behind].map(Vec::as_slice).concat()).unwrap();
        let session = run(&format!("report {file} --json")).session();
        assert_eq!(session["packets"], before["packets"]);
        let notes = session["notes"].as_array().unwrap();
        let of = |key: &str| notes.iter().find(|note| note["key"] == key);
        assert!(of("file-torn").is_none(), "{notes:?}");
        let note = of("octets-behind").unwrap();
        assert_eq!(note["warning"], false);
        let line = note["line"].as_str().unwrap();
        assert!(
            line.starts_with(&format!("{} octet", behind.len())),
            "{line}"
        );
    }
}
