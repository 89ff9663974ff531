//! What reports say of their files: of their ends, and of what several have in common.

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
    for _ in 0..600 {
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
fn a_capture_is_described_by_what_was_seen_in_it() {
    let imix = "about every 10 ms, packets of 22, 548 and 1472 octets, DSCP af41, TTL 64";
    for (file, heading) in [
        ("light-twampy-imix.pcap", imix),
        (
            "light-twampy.pcap",
            "about every 20 ms, 41-octet packets, DSCP af41, TTL 64",
        ),
        (
            "mixed.pcap",
            "schedule unknown (median spacing 10 ms), 41-octet packets, DSCP be, TTL 255",
        ),
    ] {
        let text = run(&format!("report {}", captures().join(file).display())).stdout;
        assert_eq!(text.lines().nth(1), Some(heading), "{text}");
        assert!(!text.contains("this host"), "{text}");
    }
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let [one, other] = ["light-twampy-imix.pcap", "light-twampy.pcap"].map(|f| captures().join(f));
    let (one, other) = (one.display(), other.display());
    let subtitle = |files: &str| {
        let done = run(&format!("report {files} -q --html {}", page.display()));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let page = std::fs::read_to_string(&page).unwrap();
        assert!(!page.contains("this host"), "{page}");
        let line = page
            .lines()
            .find(|line| line.starts_with("<p class=\"sub\">"));
        line.unwrap().to_owned()
    };
    let said = subtitle(&one.to_string());
    let seen = ">about every 10 ms; packets of 22, 548 and 1472 octets; DSCP af41; ";
    assert!(said.contains(seen), "{said}");
    // What is not of both is said of neither.
    let both = subtitle(&format!("{one} {other}"));
    assert!(both.contains(">2 sessions; started "), "{both}");
    let json = run(&format!("report {one} --json")).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let seen = |key: &str| {
        json.pointer(&format!("/captures/0/sessions/0/{key}"))
            .unwrap()
    };
    assert_eq!(seen("sizes/each").to_string(), "[22,548,1472]");
    assert_eq!(seen("spacing/is_even"), true);
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
        if report(&killed).status == 0 {
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
fn the_end_of_a_capture_is_told_where_it_hides_something() {
    let octets = std::fs::read(captures().join("stamp-open.pcap")).unwrap();
    let mut ends = vec![24];
    while let Some(header) = octets
        .get(ends[ends.len() - 1]..)
        .and_then(|rest| rest.get(..16))
    {
        let captured = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        ends.push(ends[ends.len() - 1] + 16 + usize::try_from(captured).unwrap());
    }
    assert_eq!(ends.last(), Some(&octets.len()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.pcap");
    let last = ends[ends.len() - 2];
    // Whole; without the last reply; in the middle of it.
    for (length, sent, under_way, broken_off) in [
        (octets.len(), 5, 0, false),
        (last, 4, 1, false),
        (last + 20, 4, 1, true),
    ] {
        std::fs::write(&path, &octets[..length]).unwrap();
        let done = run(&format!("report {} --json", path.display()));
        let session = done.session();
        assert_eq!(session["packets"]["sent"], sent, "{session}");
        assert_eq!(session["packets"]["in_flight"], under_way, "{session}");
        let notes = session["notes"].as_array().unwrap();
        let said = |key: &str| notes.iter().any(|note| note["key"] == key);
        assert_eq!(said("under-way"), under_way > 0, "{notes:?}");
        assert_eq!(said("capture-broken-off"), broken_off, "{notes:?}");
        assert_eq!(
            done.stderr.contains("ends within a packet"),
            broken_off,
            "{}",
            done.stderr
        );
    }
}

/// The records of a capture of microseconds in little-endian order, each with its header.
fn records(octets: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = &octets[24..];
    while let Some(header) = rest.first_chunk::<16>() {
        let captured = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (record, behind) = rest.split_at(16 + usize::try_from(captured).unwrap());
        records.push(record);
        rest = behind;
    }
    records
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

#[test]
fn rotated_captures_are_merged_without_a_loss_at_the_seam() {
    let octets = std::fs::read(captures().join("stamp-open.pcap")).unwrap();
    let records = records(&octets);
    let directory = tempfile::tempdir().unwrap();
    // Between a request and its reply.
    let parts = [&records[..3], &records[3..]].map(|part| [&octets[..24], &part.concat()].concat());
    let [one, other] = [0, 1].map(|part: usize| {
        let path = directory.path().join(format!("part{part}.pcap"));
        std::fs::write(&path, &parts[part]).unwrap();
        path.display().to_string()
    });
    for files in [format!("{one} {other}"), format!("{other} {one}")] {
        let done = run(&format!("report {files} --merge --json"));
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let session = &document["sessions"][0];
        assert_eq!(session["packets"]["received"], 5, "{session}");
        assert_eq!(session["packets"]["in_flight"], 0, "{session}");
        let captures = &document["captures"];
        assert_eq!(captures[0]["files"], serde_json::json!([one, other]));
        assert_eq!(captures[0]["test_packets"], 10);
        let text = run(&format!("report {files} --merge")).stdout;
        assert!(text.contains("note: one session from"), "{text}");
        assert!(!text.contains("differ"), "{text}");
    }
    // Apart, the seam is said.
    let done = run(&format!("report {one} {other} --json"));
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["sessions"][0]["packets"]["in_flight"], 1);
    assert_eq!(document["captures"][1]["unmatched_replies"], 1);
    assert!(
        done.stderr.contains("1 reply without a captured request"),
        "{}",
        done.stderr
    );
}

/// The capture missed the third request, and has the reply to it.
#[test]
fn a_capture_that_lacks_requests_does_not_tell_its_loss() {
    let octets = std::fs::read(captures().join("stamp-open.pcap")).unwrap();
    let mut records = records(&octets);
    records.remove(4);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missed.pcap");
    std::fs::write(&path, [&octets[..24], &records.concat()].concat()).unwrap();
    let path = path.display().to_string();
    let done = run(&format!("report {path} --json"));
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let packets = &document["sessions"][0]["packets"];
    assert_eq!(
        [
            &packets["sent"],
            &packets["received"],
            &packets["lost"],
            &packets["unsent"]
        ],
        [4, 4, 0, 1],
        "{packets}"
    );
    assert!(packets["loss_ratio"].is_null(), "{packets}");
    let session = &document["captures"][0]["sessions"][0];
    assert_eq!(session["missing_requests"], 1);
    assert_eq!(session["answered_missing"], 1);
    let text = run(&format!("report {path}")).stdout;
    for said in [
        "1 of 5 packets not captured; 0% of those captured were lost",
        "1 of 5 numbers between the first captured request and the last have no request in the capture",
        "1 of 5 packets is not in the capture: loss and availability are unknown",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    for other in ["not sent", "be sent", "was sent", "those sent", "departure"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
}

/// From the third request on the capture's clock is 5 s behind, or ahead.
#[test]
fn a_step_of_the_captures_clock_is_said_and_is_neither_the_reflectors_nor_reordering() {
    let octets = std::fs::read(captures().join("stamp-open.pcap")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for by in [-5_i32, 5] {
        let records = records(&octets).into_iter().enumerate();
        let stepped: Vec<u8> = records
            .flat_map(|(place, record)| {
                let mut record = record.to_vec();
                let s = u32::from_le_bytes(record[..4].try_into().unwrap());
                let s = s.wrapping_add_signed(if place < 4 { 0 } else { by });
                record[..4].copy_from_slice(&s.to_le_bytes());
                record
            })
            .collect();
        let path = directory.path().join("stepped.pcap");
        std::fs::write(&path, [&octets[..24], &stepped].concat()).unwrap();
        let path = path.display().to_string();
        let done = run(&format!("report {path} --json"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let session = &document["sessions"][0];
        assert_eq!(session["clock_steps"], 1, "{session}");
        assert_eq!(session["packets"]["received"], 5);
        assert_eq!(session["packets"]["reordered"], 0);
        assert_eq!(session["excluded"]["clock_step"], 0);
        let told = document["captures"][0]["clock_steps_ns"][0]
            .as_i64()
            .unwrap();
        let off = told - i64::from(by) * 1_000_000_000;
        assert!(off.abs() < 1_000_000, "{told}");
        assert_eq!(document["captures"][0]["out_of_order"], 0);
        let text = run(&format!("report {path}")).stdout;
        assert!(
            text.contains("warning: the capture's clock stepped (1): 0 packets"),
            "{text}"
        );
        assert!(!text.contains("reflector's clock stepped"), "{text}");
    }
}

#[test]
fn what_merged_captures_differ_in_is_named_and_what_is_equal_is_not() {
    let files = ["stamp-open.pcap", "light-twampy.pcap"].map(|file| captures().join(file));
    let [one, other] = files.map(|path| path.display().to_string());
    let done = run(&format!("report {one} {other} --merge --json"));
    let session = done.session();
    let notes = session["notes"].as_array().unwrap();
    let merged = notes.iter().find(|note| note["key"] == "merged").unwrap();
    let line = merged["line"].as_str().unwrap();
    assert!(line.contains("protocol (STAMP and TWAMP Light)"), "{line}");
    assert!(!line.contains("interval"), "{line}");
    // The same one twice: every packet was captured twice, and none was sent twice.
    let done = run(&format!("report {one} {one} --merge --json"));
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let packets = &document["sessions"][0]["packets"];
    assert_eq!(
        (&packets["sent"], &packets["duplicates"]),
        (&serde_json::json!(5), &serde_json::json!(0))
    );
    assert_eq!(document["captures"][0]["captured_again"], 10);
}

#[test]
fn a_capture_that_is_cut_too_short_is_an_error_with_the_remedy_and_a_session_in_part_a_warning() {
    let octets = std::fs::read(captures().join("stamp-open.pcap")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.pcap");
    let write = |snap: usize| {
        let mut file = octets[..24].to_vec();
        for record in records(&octets) {
            let kept = (record.len() - 16).min(snap);
            file.extend(&record[..8]);
            file.extend(u32::try_from(kept).unwrap().to_le_bytes());
            file.extend(&record[12..16 + kept]);
        }
        std::fs::write(&path, file).unwrap();
    };
    let report = |options: &str| run(&format!("report {} {options}", path.display()));
    write(60);
    let done = report("");
    assert_eq!(done.status, 1, "{}", done.stdout);
    for words in ["10 packets not read", "tcpdump -s 0"] {
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    // Requests can be read; what became of them cannot.
    let done = report("--port 21862 --timeout 10ms");
    assert!(
        done.stdout
            .contains("5 packets from the reflector cut too short"),
        "{}",
        done.stdout
    );
    // All fields but the last octets of T1, and none of what is behind.
    for snap in [42 + 34, 42 + 36, 42 + 44] {
        write(snap);
        let done = report("--json");
        assert_eq!(done.session()["packets"]["received"], 5, "{snap}");
        assert_eq!(done.stderr, "", "{snap}");
    }
}
