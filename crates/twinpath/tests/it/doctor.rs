//! `twinpath doctor` against real far ends.

#[cfg(target_os = "linux")]
mod paths;
mod schema;
#[cfg(target_os = "linux")]
mod situations;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::far_end::FarEnd;
use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, free_port, run};
use crate::responders::last_words;

/// Status and finding of each check, by its name.
fn checks(done: &Done) -> BTreeMap<String, (String, String)> {
    let document = done.document();
    assert_eq!(document["schema"], "twinpath-doctor-1");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = document["checks"].as_array().unwrap();
    let each = checks.iter().map(|check| {
        let status = text(&check["status"]);
        let said = (status, text(&check["finding"]));
        (text(&check["id"]), said)
    });
    each.collect()
}

#[test]
fn nothing_is_wrong_with_this_programs_responder_however_it_is_configured() {
    for (options, command, is_stamp) in [
        ("", " --stamp", true),
        ("--stateless", " --stamp", true),
        ("--protocol stamp", " --stamp", true),
        ("--protocol twamp-light", "", false),
        ("--threads 2 --raw-t3", " --stamp", true),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 --json {options}"));
        let done = run(&format!("doctor {} --json", responder.at));
        assert_eq!(done.status, 0, "{options}: {}", done.stdout);
        let command = format!("twinpath sender {}{command}", responder.at);
        assert_eq!(done.document()["command"], command, "{options}");
        let checks = checks(&done);
        let with = |status: &str| checks.values().filter(|(found, _)| found == status).count();
        assert_eq!(
            (with("fail"), with("warn")),
            (0, 0),
            "{options}: {checks:?}"
        );
        assert_eq!(checks["stamp.tlv.cos"].0 == "ok", is_stamp, "{options}");
        // Each packet that it took is one of those that were announced.
        let answered = last_words(responder)["reflected"].as_u64().unwrap();
        let dry = run("doctor 127.0.0.1:862 --dry-run --json").document();
        let most = dry["most_packets"].as_u64().unwrap();
        assert!((20..=most).contains(&answered), "{answered} of {most}");
        assert!(most <= 400, "{most}");
    }
}

#[test]
fn the_text_says_the_verdict_first_and_the_command_last() {
    let responder = Responder::on_loopback();
    let done = run(&format!("doctor {}", responder.at));
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert!(
        lines[0].starts_with(&format!("{} speaks STAMP", responder.at)),
        "{lines:#?}"
    );
    let last = format!("Measure it with: twinpath sender {} --stamp", responder.at);
    assert_eq!(lines.last(), Some(&last.as_str()));
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{lines:#?}"
    );
}

#[test]
fn where_nothing_listens_the_verdict_says_so() {
    let done = run(&format!("doctor 127.0.0.1:{} --json", free_port()));
    assert_eq!(done.status, 1, "{}", done.stdout);
    let (status, finding) = &checks(&done)["reach.udp"];
    assert_eq!(status, "fail");
    assert!(
        finding.starts_with("nothing listens on 127.0.0.1:"),
        "{finding}"
    );
    assert_eq!(done.document()["command"], Value::Null);
}

#[test]
fn an_echo_service_is_no_reflector() {
    let echo = FarEnd::answering(<[u8]>::to_vec);
    let done = run(&format!("doctor {} --json", echo.at));
    assert_eq!(done.status, 1, "{}", done.stdout);
    let (status, finding) = &checks(&done)["reach.udp"];
    assert_eq!(status, "fail");
    assert!(finding.contains("an echo service"), "{finding}");
}

#[test]
fn a_name_without_an_address_is_one_line() {
    let done = run("doctor no-such-host.invalid");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
}

#[test]
fn a_firewall_and_a_silent_address_are_told_apart() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":862");
    // A route that rejects; an address that has no host.
    ip(&format!(
        "-n {} route add prohibit 192.0.2.9/32",
        hosts.near
    ))
    .unwrap();
    for (far, finding) in [
        ("10.98.0.2", "reflects test packets"),
        ("10.98.0.2:5000", "nothing listens on"),
        ("192.0.2.9", "this host cannot send to"),
    ] {
        let done = hosts.run(&format!("doctor {far} --json"));
        let (_, found) = &checks(&done)["reach.udp"];
        assert!(found.contains(finding), "{far}: {found}");
    }
}

#[test]
fn a_limit_on_the_rate_of_replies_is_found_and_said_beforehand() {
    let responder = Responder::start("127.0.0.1:0 --json --max-rate 120");
    let line = format!("doctor {} --stress 250 --json", responder.at);
    let dry = run(&format!("{line} --dry-run")).document();
    let most = dry["most_packets"].as_u64().unwrap();
    let most_stress = dry["stress"]["most_packets"].as_u64().unwrap();
    let done = run(&line);
    assert!(
        done.stderr
            .contains(&format!("at most {most_stress} packets")),
        "{}",
        done.stderr
    );
    let document = done.document();
    let checks = document["checks"].as_array().unwrap();
    let rate = checks
        .iter()
        .find(|check| check["id"] == "limits.rate")
        .unwrap();
    let of = |key: &str| rate["data"][key].as_u64().unwrap_or(0);
    // So few a second leave on time whatever this host does beside; 250 are twice the limit.
    let (answered, failed) = (of("answered_pps"), of("failed_pps"));
    assert!((100..=190).contains(&answered), "{rate}");
    assert!(failed > answered && failed <= 250, "{rate}");
    assert!(
        rate["finding"].as_str().unwrap().contains("; drops from "),
        "{rate}"
    );
    let words = last_words(responder);
    let took = words["reflected"].as_u64().unwrap() + words["rate_limited"].as_u64().unwrap_or(0);
    assert!(
        took <= most + most_stress,
        "{took} of {most} and {most_stress}"
    );
}
