//! What reports of captures say of STAMP's TLVs, as a live run would have.

use serde_json::Value;

use crate::program::{findings, run};
use crate::saved::captures;

/// Where a frame's UDP payload is: on loopback, over IPv4.
pub(crate) const PAYLOAD: usize = 16 + 14 + 20 + 8;

/// The frames of a capture, each with its own header.
pub(crate) fn frames(file: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let octets = std::fs::read(captures().join(file)).unwrap();
    let (header, mut rest) = octets.split_at(24);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let captured = u32::from_le_bytes(*rest[8..].first_chunk().unwrap());
        let (frame, others) = rest.split_at(16 + usize::try_from(captured).unwrap());
        frames.push(frame.to_vec());
        rest = others;
    }
    (header.to_vec(), frames)
}

/// The first session in the report of these frames.
fn session(header: &[u8], frames: &[Vec<u8>]) -> Value {
    document(header, frames, "")["sessions"][0].take()
}

/// The report of these frames.
pub(crate) fn document(header: &[u8], frames: &[Vec<u8>], options: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made.pcap");
    std::fs::write(&path, [header, &frames.concat()].concat()).unwrap();
    let done = run(&format!("report {} --json {options}", path.display()));
    assert_eq!(done.status, 0, "{}", done.stderr);
    done.document()
}

fn facts<const N: usize>(session: &Value, tlv: &str, keys: [&str; N]) -> [String; N] {
    keys.map(|key| session["stamp"][tlv][key].to_string())
}

#[test]
fn each_tlv_of_a_capture_teaches_what_it_taught_the_sender() {
    let (header, all) = frames("stamp-v1-tlv.pcap");
    let from_tlv = session(&header, &all);
    let cos = ["replies", "dscp_asked", "dscp_arrived", "refused"];
    assert_eq!(facts(&from_tlv, "cos", cos), ["5", "46", "46", "false"]);
    let direct = ["sent", "far_received", "forward_lost", "backward_lost"];
    assert_eq!(
        facts(&from_tlv, "direct_measurement", direct),
        ["4", "4", "0", "0"]
    );
    let location = ["source_address", "destination_port"];
    assert_eq!(
        facts(&from_tlv, "location", location),
        ["\"127.0.0.1\"", "28622"]
    );
    let info = ["sync_in", "timestamp_out"];
    let known = ["\"local\"", "\"software\""];
    assert_eq!(facts(&from_tlv, "timestamp_information", info), known);

    let (header, all) = frames("stamp-v1-micro-session.pcap");
    let ids = ["sender_id", "reflector_id"];
    let from_ids = session(&header, &all);
    assert_eq!(facts(&from_ids, "micro_session", ids), ["3", "5"]);

    // Of a reflector that copies all, and of authenticated packets.
    let (header, all) = frames("stamp-v1-no-extensions.pcap");
    let copied = session(&header, &all);
    let processed = ["replies", "not_processed"];
    assert_eq!(facts(&copied, "cos", processed), ["0", "5"]);
    let (header, all) = frames("stamp-v1-authenticated-tlv.pcap");
    let authenticated = session(&header, &all);
    assert_eq!(facts(&authenticated, "cos", processed), ["5", "0"]);

    // Without TLVs there is nothing to say of them.
    let (header, all) = frames("stamp-open.pcap");
    assert!(session(&header, &all)["stamp"].is_null());
}

/// Worked out by scapy: T3 of each reply but the last, and the time in the next one.
#[test]
fn t3_of_a_capture_is_corrected_by_follow_up_telemetry_as_the_sender_does_it() {
    let keys = ["corrected", "correction_mean_ns", "correction_max_ns"];
    for (file, corrections, least, most) in [
        ("stamp-v1-tlv.pcap", [4, 18_143, 21_670], 4_244, 35_398),
        ("stamp-v1-tlv-hmac.pcap", [4, 19_676, 22_382], 4_815, 21_228),
        (
            "stamp-v1-authenticated-tlv.pcap",
            [4, 26_148, 39_694],
            4_270,
            31_677,
        ),
    ] {
        let (header, all) = frames(file);
        let session = session(&header, &all);
        let told = facts(&session, "follow_up_telemetry", keys);
        assert_eq!(
            told,
            corrections.map(|fact: i64| fact.to_string()),
            "{file}"
        );
        let trip = &session["round_trip"];
        for (key, expected) in [("min_ns", least), ("max_ns", most)] {
            let found = trip[key].as_i64().unwrap();
            assert!((found - expected).abs() <= 2, "{file}: {key} {found}");
        }
    }
    // Each correction is in the record of the reply that it is of.
    let file = captures().join("stamp-v1-tlv.pcap");
    let done = run(&format!("report {} --output jsonl", file.display()));
    let rows = done.stdout.lines().filter(|line| line.contains("\"fate\""));
    let rows: Vec<Value> = rows.map(|row| serde_json::from_str(row).unwrap()).collect();
    let later = rows
        .iter()
        .map(|row| &row["tlvs"]["follow_up_telemetry"]["correction_ns"]);
    let later: Vec<Option<i64>> = later.map(Value::as_i64).collect();
    assert_eq!(later.len(), 5);
    let table = run(&format!("report {} --output csv", file.display())).stdout;
    let columns = "tos_forward,tos_backward,excluded,t3_correction_ns,tlvs_refused,tlv_hmac";
    assert!(table.lines().next().unwrap().ends_with(columns), "{table}");
    for (row, later) in table.lines().skip(1).zip(&later) {
        let later = later.map_or_else(String::new, |ns| ns.to_string());
        assert!(row.ends_with(&format!(",184,184,,{later},,")), "{row}");
    }
    assert!(
        later[..4]
            .iter()
            .all(|later| later.is_some_and(|ns| ns > 0)),
        "{later:?}"
    );
    assert_eq!(later[4], None);
}

#[test]
fn replies_of_another_session_are_not_measured() {
    let (header, all) = frames("stamp-v1-micro-session.pcap");
    let one = session(&header, &all);
    assert_eq!(one["micro_session"]["id"], 3);
    assert_eq!(one["odd_replies"], Value::Null);
    // The IDs are the last of the packet; the SSID is behind the Error Estimate.
    let ids = all[1].len() - 4;
    for (at, kind) in [
        (ids + 1, "micro_session_mismatch"),
        (ids + 3, "micro_session_mismatch"),
        (PAYLOAD + 15, "other_ssid"),
    ] {
        let mut changed = all.clone();
        changed[3][at] ^= 0x40;
        let session = session(&header, &changed);
        let packets = &session["packets"];
        let counts = ["received", "lost"].map(|key| packets[key].as_u64().unwrap());
        assert_eq!(counts, [4, 1], "{kind}: {packets}");
        assert_eq!(session["odd_replies"][kind], 1, "{kind}");
    }
    let mut changed = all.clone();
    changed[3][ids + 1] ^= 0x40;
    assert!(findings(&session(&header, &changed)).contains(&"other-micro-session"));
}

#[test]
fn micro_sessions_with_the_same_ports_are_sessions_of_their_own() {
    let (header, all) = frames("stamp-v1-micro-session.pcap");
    let mut both = Vec::new();
    for exchange in all.chunks(2) {
        both.extend_from_slice(exchange);
        for (frame, t1) in exchange.iter().zip([4, 28]) {
            let mut other = frame.clone();
            // Another T1, and Sender Micro-session ID 4.
            other[PAYLOAD + t1 + 7] ^= 1;
            let id = other.len() - 3;
            assert_eq!(other[id], 3);
            other[id] = 4;
            both.push(other);
        }
    }
    let document = document(&header, &both, "");
    let sessions = document["sessions"].as_array().unwrap().iter();
    let told = sessions.map(|session| {
        let id = session["micro_session"]["id"].as_u64().unwrap();
        (id, session["packets"]["received"].as_u64().unwrap())
    });
    assert_eq!(told.collect::<Vec<_>>(), [(3, 5), (4, 5)]);
}

#[test]
fn a_capture_of_one_direction_is_said_to_be_one() {
    let (header, all) = frames("stamp-v1-tlv.pcap");
    let directory = tempfile::tempdir().unwrap();
    let [requests, replies] = [0, 1].map(|first| {
        let path = directory.path().join(format!("{first}.pcap"));
        let frames: Vec<_> = all.iter().skip(first).step_by(2).cloned().collect();
        std::fs::write(&path, [&*header, &frames.concat()].concat()).unwrap();
        path.display().to_string()
    });
    let [to, from] =
        [PAYLOAD - 6, PAYLOAD - 8].map(|at| u16::from_be_bytes([all[0][at], all[0][at + 1]]));
    let done = run(&format!(
        "report {requests} --port {to} --timeout 1us --json"
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let session = done.session();
    assert!(
        findings(&session).contains(&"capture-only-requests"),
        "{session}"
    );
    assert_eq!(session["stamp"], serde_json::json!({}));
    let done = run(&format!("report {replies}"));
    assert_eq!(done.status, 1);
    let way = format!("from 127.0.0.1:{to} to 127.0.0.1:{from}");
    assert!(done.stderr.contains(&way), "{}", done.stderr);
    assert!(
        done.stderr.contains("capture both directions"),
        "{}",
        done.stderr
    );
}

#[test]
fn tlvs_of_each_reply_are_in_its_record() {
    let file = captures().join("stamp-v1-micro-session.pcap");
    let done = run(&format!("report {} --output jsonl", file.display()));
    let rows = done.stdout.lines().filter(|line| line.contains("\"fate\""));
    let rows: Vec<Value> = rows.map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 5, "{}", done.stderr);
    for row in rows {
        assert_eq!(row["tlvs"]["micro_session"]["reflector_id"], 5, "{row}");
    }
}

#[test]
fn further_replies_are_counted_apart_and_copies_of_them_are_duplicates() {
    let (header, all) = frames("stamp-v1-reflected-control.pcap");
    // A request and three replies.
    assert_eq!(all.len(), 20);
    let counts = |frames: &[Vec<u8>]| {
        let session = session(&header, frames);
        let packets = &session["packets"];
        let count = |key: &str| packets[key].as_u64().unwrap();
        let [copies, lost] = facts(&session, "reflected_control", ["copies", "copies_lost"]);
        assert!(
            !findings(&session).contains(&"direction-uncertain"),
            "{session}"
        );
        assert!(packets["lost_forward"].is_null(), "{packets}");
        (count("received"), count("duplicates"), copies, lost)
    };
    let text = |number: u32| number.to_string();
    assert_eq!(counts(&all), (5, 0, text(10), text(0)));
    let mut less = all.clone();
    less.remove(2);
    assert_eq!(counts(&less), (5, 0, text(9), text(1)));
    // The network sends a further reply twice, and a first one.
    for at in [1, 2] {
        let mut more = all.clone();
        more.insert(at + 1, all[at].clone());
        assert_eq!(counts(&more), (5, 1, text(10), text(0)), "{at}");
    }
}

#[test]
fn requests_that_want_no_reply_are_a_session_and_are_not_lost() {
    let (header, all) = frames("stamp-v1-return-path.pcap");
    let not_used = session(&header, &all);
    assert!(
        findings(&not_used).contains(&"return-path-not-used"),
        "{not_used}"
    );
    let requests = all.into_iter().step_by(2).map(|mut frame| {
        // Control Code: no reply.
        frame[PAYLOAD + 44 + 5] = 1;
        frame[PAYLOAD + 44 + 8..].fill(0);
        frame
    });
    let requests: Vec<Vec<u8>> = requests.collect();
    let one_way = session(&header, &requests);
    let packets = &one_way["packets"];
    let counts = ["sent", "unawaited", "received", "lost"].map(|key| packets[key].as_u64());
    assert_eq!(counts, [Some(5), Some(5), Some(0), Some(0)], "{packets}");
    assert!(
        findings(&one_way).contains(&"figures-at-far-end"),
        "{one_way}"
    );
}
