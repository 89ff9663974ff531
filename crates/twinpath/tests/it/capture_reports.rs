//! What reports say of captures.

use crate::program::run;
use crate::saved::captures;

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
    let text = run(&format!("report {path}")).unwrapped();
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
