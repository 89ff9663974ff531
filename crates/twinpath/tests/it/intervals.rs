//! Rows of a run that goes on, and how far it is.

use std::io::{BufRead as _, BufReader, Read as _};

use serde_json::Value;

#[cfg(feature = "report")]
use crate::observed::Reflector;
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
        "sender {} -c 60 -i 20 --timeout 10 --report-interval 400ms --json",
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
        "sender {at} --duration 60 -i 20 --timeout 2 --report-interval 400ms --output jsonl"
    ));
    let mut stdout = BufReader::new(sender.0.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("\"schema\"") {
        assert!(stdout.read_line(&mut lines).unwrap() > 0, "{lines}");
    }
    drop(responder);
    // A row of losses and a record of one, whichever comes first.
    let has_losses = |line: &Value| line["packets"]["lost"].as_i64() > Some(0);
    while !lines.contains("\"lost\"}") || !documents(&lines).iter().any(has_losses) {
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
    sender.wait_for("\"received\"");
    sender.signal(&["QUIT"]);
    let done = sender.finish();
    assert!(done.stderr.contains("so far"), "{}", done.stderr);
    assert_eq!(done.status, 0);
    assert_eq!(done.session()["packets"]["received"], 100);
}

#[cfg(feature = "report")]
#[test]
fn rows_of_a_run_are_those_of_its_file() {
    // Losses, copies and late replies; the latter come in later intervals than their packets left.
    let reflector = Reflector::with(|number| match number % 25 {
        3 => Vec::new(),
        7 => vec![0, 0],
        11 => vec![0, 160],
        17 => vec![260],
        _ => vec![0],
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let rows = |line: &str| {
        let done = run(line);
        // On a busy host departures may be late by more than the program passes over.
        assert!(done.status <= 1, "{}", done.stderr);
        let mut rows = documents(&done.stdout);
        let report = rows.pop().unwrap();
        (rows, report["sessions"][0]["packets"].clone())
    };
    let (live, packets) = rows(&format!(
        "sender {} 127.0.0.1:0 -c 210 -i 10 --timeout 0.2 --report-interval 100ms --json \
         --reflector stateful --save {}",
        reflector.at,
        file.display()
    ));
    assert!(packets["late"].as_u64().unwrap() > 0, "{packets}");
    for key in [
        "sent",
        "lost",
        "duplicates",
        "late",
        "lost_forward",
        "lost_backward",
    ] {
        assert_eq!(sum(&live, key), packets[key].as_i64().unwrap(), "{key}");
    }
    let lengths = |row: &Value| {
        let at = |key: &str| {
            row[key]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
        };
        at("end").duration_since(at("start"))
    };
    let asked = jiff::SignedDuration::from_millis(100);
    let (last, whole) = live.split_last().unwrap();
    assert!(
        whole.iter().all(|row| lengths(row) == asked),
        "the interval asked for"
    );
    assert!(lengths(last) <= asked, "up to what was measured");
    let (saved, _) = rows(&format!(
        "report {} --report-interval 100ms --json --reflector stateful",
        file.display()
    ));
    for (live, saved) in live.iter().zip(&saved) {
        assert_eq!(live, saved);
    }
    assert_eq!(live.len(), saved.len());
}

#[test]
fn an_interval_that_rows_cannot_have_is_refused_and_says_why() {
    for line in [
        "sender 127.0.0.1:9 --report-interval 100us",
        "sender 127.0.0.1:9 --report-interval 35ms",
        "sender 127.0.0.1:9 --report-interval 300ms --timeout 30",
        #[cfg(feature = "control")]
        "controller 127.0.0.1:9 --report-interval 100us",
    ] {
        let done = run(line);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{line}");
        let said = &done.stderr;
        assert!(said.contains("too short: with a timeout of"), "{said}");
        assert!(said.contains("use --report-interval"), "{said}");
    }
}

#[test]
fn odd_intervals_are_the_ones_asked_for() {
    let responder = Responder::on_loopback();
    // Longer than the run, not a divisor of it, shorter than the gap between packets.
    for (options, expected) in [
        ("-c 10 -i 10 --report-interval 1d", vec![10]),
        ("-c 10 -i 10 --report-interval 7s", vec![10]),
        ("-c 10 -i 400 --report-interval 1400ms", vec![4, 3, 3]),
        ("-c 3 -i 3s --report-interval 1s", vec![1, 0, 0, 1, 0, 0, 1]),
    ] {
        let done = run(&format!(
            "sender {} 127.0.0.1:0 --timeout 5 {options} --json",
            responder.at
        ));
        let mut rows = documents(&done.stdout);
        rows.pop().unwrap();
        assert_eq!(rows.len(), expected.len(), "{options}: {}", done.stdout);
        let sent: i64 = rows
            .iter()
            .map(|row| row["packets"]["sent"].as_i64().unwrap())
            .sum();
        assert_eq!(sent, expected.iter().sum::<i64>(), "{options}");
    }
}

/// A capture (pcap, nanoseconds) of exchanges that begin at these seconds of Unix time.
#[cfg(feature = "report")]
fn capture(times: &[u32]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, seconds) in (0_u32..).zip(times) {
        let ntp = |fraction: u32| {
            let seconds = seconds.wrapping_add(2_208_988_800).to_be_bytes();
            [seconds, fraction.to_be_bytes()].concat()
        };
        let mut request = [&number.to_be_bytes()[..], &ntp(0), &[0x80, 1]].concat();
        request.resize(41, 0);
        let reply = [
            &number.to_be_bytes()[..],
            &ntp(400_000),
            &[0x80, 1, 0, 0],
            &ntp(200_000),
            &request[..14],
            &[0, 0, 64],
        ]
        .concat();
        for (reply, payload) in [(false, request), (true, reply)] {
            let (from, to) = if reply { (2, 1) } else { (1, 2) };
            let (source, destination) = if reply {
                (20_001, 20_000)
            } else {
                (20_000, 20_001_u16)
            };
            let udp_octets = u16::try_from(8 + payload.len()).unwrap();
            let mut frame = [&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from][..], &[8, 0]].concat();
            frame.extend([0x45, 0]);
            frame.extend((20 + udp_octets).to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
            frame.extend(u16::to_be_bytes(source));
            frame.extend(destination.to_be_bytes());
            frame.extend(udp_octets.to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(&payload);
            let octets = u32::try_from(frame.len()).unwrap();
            let ns = if reply { 200_000 } else { 0 };
            for word in [*seconds, ns, octets, octets] {
                file.extend(word.to_le_bytes());
            }
            file.extend(frame);
        }
    }
    file
}

#[cfg(feature = "report")]
#[test]
fn what_is_printed_follows_what_happened_and_not_the_times_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ages.pcap");
    // Ten exchanges, a second apart, a day apart, and years.
    let times = [
        1_700_000_000,
        1_700_000_001,
        1_700_000_005,
        1_700_000_090,
        1_700_086_400,
        1_700_172_800,
        1_750_000_000,
        1_800_000_000,
        1_850_000_000,
        4_000_000_000,
    ];
    std::fs::write(&file, capture(&times)).unwrap();
    let file = file.display();
    let done = run(&format!("report {file} --report-interval 50ms --json"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let mut rows = documents(&done.stdout);
    rows.pop().unwrap();
    assert!(rows.len() < 200, "{} rows", rows.len());
    assert!(done.stdout.len() < 200_000, "{} octets", done.stdout.len());
    assert_eq!(sum(&rows, "received"), 10);
    // No time is left out: each row begins where the one before ended.
    let mut next = 0;
    for row in &rows {
        assert_eq!(row["interval"], next);
        next += row["intervals"].as_u64().unwrap();
        if row["intervals"] != 1 {
            assert_eq!(row["packets"]["sent"], 0, "{row}");
        }
    }
    let text = run(&format!("report {file} --report-interval 50ms")).stdout;
    assert!(text.contains(" intervals without a packet, to "), "{text}");
    assert!(text.lines().count() < 400, "{text}");
}
