//! STAMP's TLVs from end to end: what the sender asks, what the responder answers, what the report says.

use serde_json::{Value, json};

use crate::hosts::{Hosts, ip};
use crate::program::{Responder, run};
use crate::responders::last_words;

const KEY: &str = "00112233445566778899aabbccddeeff";

fn measured(responder: &Responder, options: &str) -> Value {
    let done = run(&format!(
        "sender {} --stamp -c 5 -i 20 --timeout 20 --json {options}",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    assert_eq!(session["packets"]["received"], 5);
    assert_eq!(session["odd_replies"], json!({}));
    session
}

#[test]
fn every_tlv_that_is_asked_for_is_in_the_report() {
    let responder = Responder::start("127.0.0.1:0 --json --allow-dscp af11");
    let session = measured(
        &responder,
        "--ssid 9 --tlv location --tlv timestamp-information --tlv cos=af11 --tlv direct-measurement \
         --tlv access-report=2:7 --tlv follow-up-telemetry --tlv destination-node=127.0.0.1",
    );
    let stamp = &session["stamp"];
    for tlv in [
        "location",
        "timestamp_information",
        "cos",
        "direct_measurement",
        "access_report",
        "follow_up_telemetry",
        "destination_node",
    ] {
        assert_eq!(stamp[tlv]["replies"], 5, "{tlv}");
        assert_eq!(stamp[tlv]["not_processed"], 0, "{tlv}");
    }
    assert_eq!(stamp.as_object().unwrap().len(), 7);
    assert_eq!(stamp["location"]["destination_port"], responder.at.port());
    assert_eq!(stamp["location"]["source_address"], "127.0.0.1");
    assert_eq!(stamp["cos"]["dscp_asked"], 10);
    assert_eq!(stamp["cos"]["refused"], false);
    assert_eq!(stamp["direct_measurement"]["sent"], 4);
    assert_eq!(stamp["direct_measurement"]["forward_lost"], 0);
    assert_eq!(stamp["direct_measurement"]["backward_lost"], 0);
    assert_eq!(stamp["access_report"]["return_code"], 7);
    // The kernel says when replies left, and the next reply tells it.
    let follow_up = &stamp["follow_up_telemetry"];
    assert!(follow_up["corrected"].as_u64() >= Some(1), "{follow_up}");
    assert_eq!(follow_up["timestamp_out"], "software");
    // The replies really have the DSCP that was asked for, which is no surprise.
    assert_eq!(session["dscp_backward"], json!({ "10": 5 }));
    let keys: Vec<&str> = session["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["key"].as_str().unwrap())
        .collect();
    assert!(!keys.contains(&"dscp-changed"), "{keys:?}");
    assert_eq!(session["payload_octets"], 44 + 60 + 8 + 8 + 16 + 8 + 20 + 8);
}

#[test]
fn the_dscp_that_an_operator_sets_goes_before_what_a_request_asks_for() {
    for (options, left_with, is_refused) in [
        ("--dscp cs1", 8, true),
        ("--dscp cs1 --allow-dscp ef", 46, false),
        ("--dscp ef", 46, false),
        ("", 0, true),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        let session = measured(&responder, "--tlv cos=ef");
        assert_eq!(session["stamp"]["cos"]["refused"], is_refused, "{options}");
        let came = json!({ left_with.to_string(): 5 });
        assert_eq!(session["dscp_backward"], came, "{options}");
        // Which one a far end chose is its own affair.
        let findings = session["findings"].as_array().unwrap().iter();
        let mut keys = findings.map(|one| one["key"].as_str().unwrap());
        assert!(keys.all(|key| key != "dscp-changed"), "{options}");
    }
}

#[test]
fn chains_are_signed_where_a_key_says_so() {
    let responder = Responder::start(&format!("127.0.0.1:0 --json --hmac-key {KEY}"));
    for options in [
        "--tlv hmac --tlv cos",
        "--authenticated --tlv cos",
        "--authenticated --tlv hmac --tlv cos",
    ] {
        let session = measured(&responder, &format!("{options} --hmac-key {KEY}"));
        let stamp = &session["stamp"];
        assert_eq!(stamp["cos"]["replies"], 5, "{options}: {stamp}");
        assert_eq!(stamp["hmac"]["replies"], 5, "{options}: {stamp}");
    }
    // Another key: the base packets are open and measured, and nothing is learnt.
    let other = "ffeeddccbbaa99887766554433221100";
    let session = measured(
        &responder,
        &format!("--tlv hmac --tlv cos --hmac-key {other}"),
    );
    let refused = json!({ "hmac": { "unverified": 5, "refused": 5 } });
    assert_eq!(session["stamp"], refused);
    assert_eq!(last_words(responder)["ignored"]["forged"], 0);
}

/// The text report, and its sentence and notes each as one line.
fn told(responder: &Responder, options: &str) -> (String, Vec<String>) {
    let line = format!(
        "sender {} --stamp -c 3 -i 20 --timeout 20 {options}",
        responder.at
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let text = done.stdout.replace("\n  ", " ");
    let lines = text.lines().map(str::to_owned).collect();
    (done.stdout, lines)
}

#[test]
fn the_first_sentence_says_that_a_key_differs_or_is_missing() {
    let other = "ffeeddccbbaa99887766554433221100";
    for (far, near, says) in [
        (
            format!("--hmac-key {KEY}"),
            format!("--tlv hmac --hmac-key {other}"),
            "No TLV was used, as the far end refused the HMAC: its key differs; no loss;",
        ),
        (
            String::new(),
            format!("--tlv hmac --hmac-key {other}"),
            "What the far end did with the TLVs is not verified, as it has no key; no loss;",
        ),
        (
            // It uses them all the same.
            "--accept-unverified-tlvs --allow-dscp ef".to_owned(),
            format!("--tlv cos=ef --tlv hmac --hmac-key {other}"),
            "What the far end did with the TLVs is not verified, as it has no key; no loss;",
        ),
        (
            format!("--hmac-key {KEY} --require-hmac"),
            "--tlv cos".to_owned(),
            "No TLV was used, as the far end wants an HMAC; no loss;",
        ),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {far}"));
        let (text, lines) = told(&responder, &near);
        let is_said = lines.iter().any(|line| line.starts_with(says));
        assert!(is_said, "{says}: {text}");
        let warning = if says.starts_with("No TLV") {
            "warning: no TLV was used in any of 3 replies: "
        } else {
            "warning: what the far end did with the TLVs is not verified in any of 3 replies: "
        };
        assert!(lines.iter().any(|line| line.starts_with(warning)), "{text}");
    }
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {KEY}"));
    let (text, _) = told(&responder, &format!("--tlv hmac --hmac-key {KEY}"));
    assert!(
        !text.contains("was used") && !text.contains("not verified"),
        "{text}"
    );
}

#[test]
fn a_tlv_without_effect_has_its_reason_and_the_responders_option() {
    let responder = Responder::start("127.0.0.1:0 --stateless");
    for (tlv, option) in [
        ("cos=ef", "--allow-dscp ef"),
        ("return-path=203.0.113.9", "--allow-return-address PREFIX"),
        ("destination-node=203.0.113.9", "the address is not its own"),
        ("reflected-control=0:2:1ms", "--allow-control PREFIX"),
        ("direct-measurement", "without --stateless"),
    ] {
        let (text, lines) = told(&responder, &format!("--ssid 7 --tlv {tlv}"));
        let notes = lines.iter().filter(|line| line.contains(option));
        assert_eq!(notes.count(), 1, "{tlv}: {text}");
    }
}

#[test]
fn a_return_address_of_this_host_is_no_change_of_its_address() {
    let Some(hosts) = Hosts::new() else { return };
    ip(&format!("-n {} addr add 10.98.0.9/24 dev v0", hosts.near)).unwrap();
    let _responder = hosts.responder(":9862 --allow-return-address 10.98.0.0/24");
    let line =
        "sender 10.98.0.2:9862 --stamp --tlv return-path=10.98.0.9 -c 3 -i 5 --timeout 20 --json";
    let session = hosts.run(line).session();
    assert_eq!(session["stamp"]["return_path"]["path"], "used", "{session}");
    assert_eq!(session["packets"]["received"], 3);
    let findings = session["findings"].as_array().unwrap().iter();
    let mut keys = findings.map(|finding| finding["key"].as_str().unwrap());
    assert!(
        !keys.any(|key| key == "source-address-changed"),
        "{session}"
    );
}

#[test]
fn text_has_a_line_for_each_tlv() {
    let responder = Responder::start("127.0.0.1:0 --allow-dscp ef");
    let line = format!(
        "sender {} --stamp -c 3 -i 2 --timeout 20 --tlv cos=ef --tlv return-path=203.0.113.9",
        responder.at
    );
    let done = run(&line);
    let lines: Vec<&str> = done.stdout.lines().collect();
    let told = "TLV              cos: replies 3, dscp asked 46, dscp arrived 0, ecn arrived 0,";
    assert!(lines.contains(&told), "{}", done.stdout);
    let refused = "TLV              return-path: replies 0, not processed 3, path not used";
    assert!(lines.contains(&refused), "{}", done.stdout);
}

#[test]
fn location_tells_the_mac_of_a_neighbour() {
    let Some(hosts) = Hosts::new() else { return };
    let mac = "02:00:00:00:00:77";
    ip(&format!(
        "-n {} neigh add 10.98.0.1 lladdr {mac} dev v1",
        hosts.far
    ))
    .unwrap();
    ip(&format!("-n {} link set v0 address {mac}", hosts.near)).unwrap();
    for (options, told) in [("", json!(mac)), ("--location ports", Value::Null)] {
        let _responder = hosts.responder(&format!(":9862 {options}"));
        let line = "sender 10.98.0.2:9862 --stamp --tlv location -c 3 -i 5 --json";
        let session = hosts.run(line).session();
        let location = &session["stamp"]["location"];
        assert_eq!(location["replies"], 3, "{session}");
        assert_eq!(location["source_mac"], told, "{location}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_bad_usage() {
    for (options, says) in [
        ("--tlv cos", "--tlv needs --stamp"),
        ("--stamp --tlv cos=64", "cos takes the DSCP"),
        ("--stamp --tlv colour", "no TLV has the name"),
        ("--stamp --tlv hmac", "--tlv hmac needs a key"),
        ("--stamp --tlv destination-node=127.0.0.1", "needs --ssid"),
        (
            "--stamp --tlv reflected-control=0:0:0ns",
            "use return-path=no-reply instead",
        ),
        (
            "--stamp --tlv reflected-control=0:1:0ns --tlv return-path=no-reply",
            "exclude each other: one asks for replies",
        ),
        (
            "--stamp --tlv reflected-control=0:3:1ms -i 1999us",
            "the 3 replies to a packet take 2 ms, and the next packet would leave earlier; use --interval 2ms or more",
        ),
        (
            "--stamp --tlv reflected-control=0:3:501us --schedule poisson -i 1s",
            "use --interval 1002us or more",
        ),
        (
            "--stamp --tlv reflected-control=0:3:1ms --schedule uniform:1ms-9ms",
            "packets of this --schedule may leave sooner",
        ),
        (
            "--stamp --tlv reflected-control=0:3:1ms --tlv access-report=1:1:1ms:2 -i 10",
            "sent again after 1 ms, before the 3 replies to the last packet, which take 2 ms; use a TIMER of 2ms or more",
        ),
        (
            "--stamp --tlv reflected-control=0:2:1ms --reflector stateful",
            "--reflector stateful and several replies",
        ),
        (
            "--stamp --tlv micro-session=1 --tlv micro-session=2",
            "may be given once",
        ),
        ("--micro-session 1", "--micro-session needs --stamp"),
        (
            "--stamp --micro-session 1 --tlv micro-session=2",
            "exclude each other",
        ),
        (
            "--stamp --micro-session 1@a,2",
            "give each ID an interface (@NAME), or none",
        ),
        ("--stamp --micro-session 1,2:3,1", "ID 1 is given twice"),
        (
            "--stamp --micro-session 1:3,2:3",
            "the far end's ID 3 is given twice",
        ),
        (
            "--stamp --micro-session 1@a,2@a",
            "interface a is given twice",
        ),
        (
            "--stamp --micro-session 1@a --portable",
            "--micro-session ID@NAME and --portable exclude each other",
        ),
        ("--stamp --micro-session 1,2 --paths 2", "--paths"),
    ] {
        let done = run(&format!("sender 127.0.0.1 {options}"));
        assert_eq!(done.status, 2, "{options}");
        assert!(done.stderr.contains(says), "{options}: {}", done.stderr);
    }
}

/// The objects of jsonl but the document.
fn records(text: &str) -> Vec<Value> {
    let mut records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    records.pop();
    records
}

#[test]
fn each_record_has_what_the_tlvs_of_its_reply_say() {
    let responder = Responder::start("127.0.0.1:0 --allow-dscp af11");
    let asked = "--tlv cos=af11 --tlv direct-measurement --tlv follow-up-telemetry --tlv return-path=203.0.113.9";
    let line = format!(
        "sender {} --stamp -c 4 -i 200 --timeout 20 {asked}",
        responder.at
    );
    let lines = records(&run(&format!("{line} --output jsonl")).stdout);
    assert_eq!(lines.len(), 4);
    for (record, sent) in lines.iter().zip(1..) {
        let tlvs = &record["tlvs"];
        assert_eq!(tlvs["cos"]["dscp_asked"], 10, "{record}");
        assert_eq!(tlvs["direct_measurement"]["sent"], sent);
        assert_eq!(tlvs["direct_measurement"]["far_received"], sent);
        assert_eq!(tlvs["return_path"], json!({ "processed": false }));
    }
    let follow_up = |record: &Value| record["tlvs"]["follow_up_telemetry"].clone();
    assert_eq!(follow_up(&lines[1])["previous_reply"], 0);
    assert!(
        follow_up(&lines[0])["correction_ns"].is_i64(),
        "{}",
        lines[0]
    );
    // CSV has the same in a column.
    let table = run(&format!("{line} --output csv")).stdout;
    let mut lines = table.lines();
    let columns =
        ",fate,tlvs,tos_forward,tos_backward,excluded,t3_correction_ns,tlvs_refused,tlv_hmac";
    assert!(lines.next().unwrap().ends_with(columns), "{table}");
    for (row, sent) in lines.zip(1..) {
        let counts = format!(",\"\"sent\"\":{sent}}}");
        assert!(row.contains(&counts), "{row}");
        // What they told has cells of its own.
        assert!(row.ends_with(",return_path,"), "{row}");
        assert!(row.contains(",0,40,"), "{row}");
    }
    // Without TLVs nothing is different.
    let plain = format!("sender {} --stamp -c 1 --output", responder.at);
    let line = &records(&run(&format!("{plain} jsonl")).stdout)[0];
    assert_eq!(line.get("tlvs"), None);
    let table = run(&format!("{plain} csv")).stdout;
    assert!(table.lines().next().unwrap().ends_with(",fate"), "{table}");
}

#[cfg(feature = "report")]
#[test]
fn a_raw_file_keeps_the_tlvs_of_each_reply() {
    let responder = Responder::start("127.0.0.1:0");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let line = format!(
        "sender {} --stamp -c 6 -i 20 --timeout 20 --tlv location --tlv direct-measurement \
         --tlv follow-up-telemetry --save {file}",
        responder.at
    );
    for form in ["jsonl", "csv"] {
        let measured = run(&format!("{line} --output {form}"));
        assert_eq!(measured.status, 0, "{}", measured.stderr);
        let read = run(&format!("report {file} --output {form}")).stdout;
        let of = |text: &str| -> Vec<String> { text.lines().take(6).map(str::to_owned).collect() };
        assert_eq!(of(&read), of(&measured.stdout), "{form}");
        assert!(read.contains("previous_reply"), "{read}");
    }
}

#[test]
fn replies_with_the_dscp_that_was_asked_for_are_not_remarked() {
    for (allowed, options, expected) in [
        ("--allow-dscp af11", "--tlv cos=af11", Some(10 << 2)),
        // Refused: which one they have is the far end's affair.
        ("", "--tlv cos=af11 --dscp af21", None),
        ("--allow-dscp af11", "--dscp af21", Some(18 << 2)),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {allowed}"));
        let session = measured(&responder, options);
        let backward = &session["marking"]["backward"];
        assert_eq!(backward["expected_tos"], json!(expected), "{options}");
        let remarked = json!(expected.map(|_| 0));
        assert_eq!(backward["remarked_dscp"], remarked, "{options}");
    }
}

#[test]
fn an_access_report_that_no_reply_confirms_is_sent_again() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let done = run(&format!(
        "sender {} --stamp -c 1 --timeout 0.1 --tlv access-report=1:2:50ms:3 --json",
        silent.local_addr().unwrap()
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let session = done.session();
    assert_eq!(session["packets"]["sent"], 4, "{session}");
    assert_eq!(session["stamp"]["access_report"]["retransmitted"], 3);
    silent.set_nonblocking(true).unwrap();
    let mut packet = [0; 100];
    for seq in 0..4 {
        let octets = silent.recv(&mut packet).unwrap();
        assert_eq!(packet[3], seq);
        assert_eq!(packet[44..octets], [0x80, 6, 0, 4, 0x10, 2, 0, 0]);
    }
    // One that is confirmed is not.
    let responder = Responder::start("127.0.0.1:0");
    let done = run(&format!(
        "sender {} --stamp -c 1 --timeout 20 --tlv access-report=1:2:2s:3 --json",
        responder.at
    ));
    let session = done.session();
    assert_eq!(session["packets"]["sent"], 1, "{session}");
    assert_eq!(session["stamp"]["access_report"]["return_code"], 2);
}
