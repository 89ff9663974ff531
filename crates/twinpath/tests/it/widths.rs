//! Text for people fits 80 columns, whatever it has to say.

use crate::hosts::Hosts;
use crate::program::{Responder, free_port, run};

const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100";

/// Every line of it does. A single word may be longer: an address or a path is not divided.
fn assert_fits(command: &str, text: &str) {
    assert!(!text.is_empty(), "{command}");
    for line in text.lines() {
        let is_one_word = line.split_whitespace().count() <= 1;
        let fits = line.chars().count() <= 80 || is_one_word;
        assert!(fits, "{command}: {line:?}\n{text}");
    }
}

#[test]
fn reports_of_a_sender_and_summaries_of_its_responder_fit() {
    let quick = "-c 4 -i 20 --timeout 0.3";
    for (far, near) in [
        ("", ""),
        (
            "--stateless --dscp af41",
            "--dscp ef --do-not-fragment --ttl 9 --padding 1000",
        ),
        (
            "--max-rate 2 --protocol twamp-light",
            "--stamp --ssid 7 --tlv cos=ef --tlv location",
        ),
        ("", "--paths 3 --dscp ef,be"),
        (
            "",
            "--voice g729a --percentiles-with-loss --bins lin:0:1ms:2",
        ),
        ("", "--label site=somewhere"),
        (
            "",
            "--stamp --tlv return-path=203.0.113.9 --tlv destination-node=203.0.113.9 --ssid 9",
        ),
        (
            "--allow-return-address 127.0.0.0/8",
            "--stamp --tlv return-path=no-reply",
        ),
        (
            "--allow-dscp ef",
            "--stamp --ssid 9 --tlv cos=ef --tlv location --tlv timestamp-information --tlv direct-measurement \
             --tlv access-report=1:2 --tlv follow-up-telemetry --tlv destination-node=127.0.0.1 --tlv extra-padding=50",
        ),
        (
            "",
            "--stamp --tlv reflected-control=200:3:1ms --tlv micro-session=1:2",
        ),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {far}"));
        for more in ["", "-v"] {
            let line = format!("sender {} {quick} {near} {more}", responder.at);
            let text = run(&line).stdout;
            // A line for each packet is one line.
            let lines = text.lines().filter(|line| !line.contains("seq="));
            assert_fits(&line, &lines.collect::<Vec<_>>().join("\n"));
        }
        assert_fits(far, &responder.stop("INT").stdout);
    }
}

#[test]
fn reports_with_keys_that_differ_and_several_replies_fit() {
    let far = format!("127.0.0.1:0 --allow-control 127.0.0.0/8 --hmac-key {KEY} --control-count 3");
    let responder = Responder::start(&far);
    for near in [
        format!("--tlv hmac --tlv cos --hmac-key {OTHER}"),
        format!("--authenticated --hmac-key {OTHER}"),
        format!("--authenticated --hmac-key {KEY} --tlv reflected-control=200:3:1ms"),
        format!("--authenticated --hmac-key {KEY} --tlv reflected-control=200:4:1ms"),
        format!("--tlv hmac --hmac-key {KEY} --tlv reflected-control=0:2:1ms --paths 2"),
    ] {
        let line = format!(
            "sender {} --stamp -c 4 -i 20 --timeout 0.3 {near}",
            responder.at
        );
        assert_fits(&line, &run(&line).stdout);
    }
    assert_fits(&far, &responder.stop("INT").stdout);
}

#[test]
fn what_nothing_answers_fits() {
    let closed = free_port();
    for line in [
        format!("sender 127.0.0.1:{closed} -c 4 -i 20 --timeout 0.3"),
        format!(
            "sender --to 127.0.0.1:{closed} --to no-such-host.invalid -c 4 -i 20 --timeout 0.3"
        ),
        format!("check 127.0.0.1:{closed} -c 4 -i 20 --timeout 0.3 -v --warn rtt_p95=9ms"),
        "check no-such-host.invalid -v".to_owned(),
        format!("doctor 127.0.0.1:{closed}"),
    ] {
        let text = run(&line).stdout;
        // The first line of a check goes on with its performance data.
        let text = text.lines().map(|line| line.split(" | ").next().unwrap());
        assert_fits(&line, &text.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn what_a_doctor_finds_fits() {
    for options in [
        "",
        "--stateless --dscp ef",
        "--no-tlv --padding 0",
        "--protocol twamp-light",
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        let line = format!("doctor {}", responder.at);
        assert_fits(&line, &run(&line).stdout);
    }
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":862");
    let line = "doctor fd98::2";
    assert_fits(line, &hosts.run(line).stdout);
}
