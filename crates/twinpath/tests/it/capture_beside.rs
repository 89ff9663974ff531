//! A capture taken beside a run says the same about STAMP as the run itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::hosts::Hosts;
use crate::program::{Responder, Running, findings, run};

const KEY: &str = "--hmac-key 00112233445566778899aabbccddeeff";
const TLVS: &str = "--ssid 9 --tlv location --tlv timestamp-information --tlv cos=af11 --tlv direct-measurement \
                    --tlv access-report=2:7 --tlv follow-up-telemetry --tlv destination-node=10.98.0.2";

/// The near host's link into a file, while `what` runs; `None`: no dumpcap here.
fn captured<T>(hosts: &Hosts, file: &Path, what: impl FnOnce() -> T) -> Option<T> {
    let mut dumpcap = Command::new("dumpcap");
    dumpcap.args(["-i", "v0", "-f", "udp port 862", "-a", "duration:120", "-w"]);
    dumpcap.arg(file);
    let mut capture = Running::spawn(Hosts::on(&hosts.near, &dumpcap));
    let mut stderr = BufReader::new(capture.0.stderr.take().unwrap());
    let mut said = String::new();
    // It names the file once it captures.
    while !said.contains("File: ") {
        if stderr.read_line(&mut said).unwrap() == 0 {
            eprintln!("skipped: no dumpcap here ({})", said.trim());
            return None;
        }
    }
    let done = what();
    // It writes what the kernel has handed over by then: all but the last packets, at worst.
    std::thread::sleep(std::time::Duration::from_secs(2));
    capture.signal(&["INT"]);
    capture.ended();
    Some(done)
}

/// The session as the sender tells it, and as the capture beside it does.
fn both(responder: &str, sender: &str, report: &str) -> Option<[Value; 2]> {
    let hosts = Hosts::new()?;
    let mut command = crate::program::twinpath(&format!("responder 10.98.0.2:862 {responder}"));
    command = Hosts::on(&hosts.far, &command);
    let responder = Responder::spawn(command);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("beside.pcapng");
    let line = format!("sender 10.98.0.2:862 10.98.0.1:20000 --stamp -c 20 -i 20 --json {sender}");
    let ran = captured(&hosts, &file, || hosts.run(&line))?;
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    drop(responder);
    let done = run(&format!("report {} --json {report}", file.display()));
    assert_eq!(done.status, 0, "{}", done.stderr);
    Some([ran.session(), done.session()])
}

/// What both know is the same in both.
fn agree([live, captured]: &[Value; 2]) {
    for key in [
        "protocol",
        "mode",
        "ssid",
        "tos",
        "ttl",
        "sender",
        "reflector",
        "stamp",
        "dscp_forward",
        "dscp_backward",
        "congestion_forward",
        "marking",
        "ttl_forward",
        "ttl_backward",
        "reflector_restarts",
        "numbers_equal",
        "residence_measured",
        "far_times",
        "excluded",
        "micro_session",
    ] {
        assert_eq!(live[key], captured[key], "{key}");
    }
    for key in [
        "received",
        "lost",
        "lost_forward",
        "lost_backward",
        "duplicates",
        "reordered",
    ] {
        assert_eq!(live["packets"][key], captured["packets"][key], "{key}");
    }
    for key in ["format", "far_format", "far_clock"] {
        assert_eq!(
            live["timestamps"][key], captured["timestamps"][key],
            "{key}"
        );
    }
    let odd = live["odd_replies"].as_object().unwrap();
    let told = captured["odd_replies"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    assert_eq!(*odd, told);
    // T2 and T3 are the reflector's in both, and so is the time between, which Follow-Up corrects.
    for figure in ["min_ns", "median_ns", "max_ns"] {
        assert_eq!(
            live["residence"][figure], captured["residence"][figure],
            "{figure}"
        );
    }
    // Findings of the far end, all but where the report is from.
    let of_capture = ["from-capture", "hmacs-unchecked"];
    let of_host = |key: &&str| !key.starts_with("clocks-") && !of_capture.contains(key);
    let [live, captured] = [live, captured].map(|it| {
        let mut keys: Vec<&str> = findings(it).into_iter().filter(of_host).collect();
        keys.sort_unstable();
        keys
    });
    assert_eq!(live, captured);
}

#[test]
fn tlvs_in_a_capture_beside_a_run_teach_what_they_teach_the_sender() {
    let Some(both) = both("--allow-dscp af11", TLVS, "") else {
        return;
    };
    agree(&both);
    let follow_up = &both[1]["stamp"]["follow_up_telemetry"];
    assert!(follow_up["corrected"].as_u64() >= Some(15), "{follow_up}");
    assert_eq!(both[1]["marking"]["backward"]["remarked_dscp"], 0);
}

#[test]
fn hmacs_in_a_capture_beside_a_run_are_those_that_the_sender_finds() {
    let other = "--hmac-key ff112233445566778899aabbccddeeff";
    for (responder, sender) in [
        (
            KEY,
            format!("--tlv cos --tlv follow-up-telemetry --tlv hmac {KEY}"),
        ),
        (
            KEY,
            format!("--tlv cos --tlv direct-measurement --authenticated {KEY}"),
        ),
        (other, format!("--tlv cos --tlv hmac {KEY}")),
        (
            "--accept-unverified-tlvs",
            format!("--tlv cos --tlv hmac {KEY}"),
        ),
    ] {
        let Some(both) = both(responder, &sender, KEY) else {
            return;
        };
        agree(&both);
    }
}

#[test]
fn other_far_ends_in_a_capture_beside_a_run_are_what_they_are_to_the_sender() {
    for (responder, sender) in [
        (
            "--micro-session-id 11",
            "--micro-session 3 --tlv follow-up-telemetry",
        ),
        (
            "--protocol twamp-light",
            "--ssid 9 --tlv cos --tlv follow-up-telemetry",
        ),
        ("--no-tlv", "--ssid 9 --tlv cos --tlv location"),
        (
            "--timestamp-format ptp --protocol stamp",
            "--timestamp-format ptp --tlv follow-up-telemetry --tlv timestamp-information",
        ),
        (
            "--allow-control 10.98.0.0/24 --control-unauthenticated --control-rate 1000000000 --control-volume 100000",
            "--tlv reflected-control=200:3:1ms --tlv follow-up-telemetry",
        ),
    ] {
        let Some(both) = both(responder, sender, "") else {
            return;
        };
        agree(&both);
    }
}
