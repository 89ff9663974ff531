//! Several replies to a request, as Reflected Test Packet Control asks for them (RFC 10052).

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::authenticated::hmac;
use crate::hosts::{Hosts, ip};
use crate::program::{Responder, run};
use crate::responders::last_words;
use crate::wire::{Fields, dissected};

const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100";
/// Three replies, 1 ms apart, no longer than they must be.
const THREE: [u8; 16] = [0x80, 12, 0, 12, 0, 0, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];
const NO_REPLY: [u8; 12] = [0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0];

/// An open STAMP request with these TLVs, and an HMAC TLV by a key.
fn request(seq: u32, tlvs: &[u8], key: Option<&str>) -> Vec<u8> {
    let mut request = [seq.to_be_bytes().as_slice(), &[0; 40], tlvs].concat();
    request[4..16].copy_from_slice(&[0xee, 0xae, 0x85, 0x17, 0, 0, 0, 1, 0x80, 1, 2, 1]);
    if let Some(key) = key {
        let digest = hmac(key, &[&request[..4], tlvs].concat());
        request.extend([&[0x80, 8, 0, 16], digest.as_slice()].concat());
    }
    request
}

/// The replies to a request from this address, so many.
fn replies(responder: &Responder, from: &str, request: &[u8], count: usize) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    let patience = Duration::from_secs(20);
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(request, responder.at).unwrap();
    let mut reply = [0; 2_048];
    (0..count)
        .map(|_| {
            let octets = socket.recv(&mut reply).unwrap();
            reply[..octets].to_vec()
        })
        .collect()
}

#[test]
fn forged_and_unsigned_requests_get_one_ordinary_reply() {
    let responder = Responder::start(&format!(
        "127.0.0.1:0 --json --allow-control 127.0.0.1/32 --hmac-key {KEY}"
    ));
    for (from, key, flags) in [
        ("127.0.0.1", None, [0x80, 0]),
        ("127.0.0.1", Some(OTHER), [0x20, 0x20]),
        ("127.0.0.2", Some(KEY), [0x80, 0]),
    ] {
        let request = request(0, &THREE, key);
        let reply = &replies(&responder, from, &request, 1)[0];
        assert_eq!(reply.len(), request.len(), "{from} {key:?}");
        assert_eq!(reply[44], flags[0], "{from} {key:?}");
        assert_eq!(key.map_or(0, |_| reply[60]), flags[1], "{from} {key:?}");
    }
    let three = replies(&responder, "127.0.0.1", &request(0, &THREE, Some(KEY)), 3);
    for (number, reply) in (0_u32..).zip(three) {
        assert_eq!(reply[..4], number.to_be_bytes());
        assert_eq!([reply[44], reply[60]], [0, 0]);
        let digest = hmac(KEY, &[&reply[..4], &reply[44..60]].concat());
        assert_eq!(reply[64..], digest);
    }
    let last = last_words(responder);
    let control = &last["reflected_control"];
    assert_eq!(last["reflected"], 4);
    assert_eq!(
        (&control["granted"], &control["copies"]),
        (&1.into(), &2.into())
    );
    assert_eq!(control["not_allowed"], 2);
}

#[test]
fn a_recorded_request_gets_several_replies_once_and_each_run_of_a_sender_gets_its_own() {
    let responder = Responder::start(&format!(
        "127.0.0.1:0 --json --threads 2 --allow-control 127.0.0.0/8 --hmac-key {KEY}"
    ));
    let recorded = request(7, &THREE, Some(KEY));
    assert_eq!(replies(&responder, "127.0.0.1", &recorded, 3)[0][44], 0);
    // From other ports and addresses, and so to the other thread too.
    for host in 1..=12 {
        let from = format!("127.0.0.{host}");
        let reply = &replies(&responder, &from, &recorded, 1)[0];
        assert_eq!((reply.len(), reply[44]), (recorded.len(), 0x80), "{from}");
    }
    // The same seed and the same numbers, twice; the HMAC does not cover the SSID.
    let far = responder.at;
    for ssid in [10, 20] {
        let done = run(&format!(
            "sender {far} --stamp --tlv hmac --hmac-key {KEY} --tlv reflected-control=0:3:1ms \
             -c 4 -i 20 --paths 2 --seed 5 --ssid {ssid} --json"
        ));
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        for session in report["sessions"].as_array().unwrap() {
            let control = &session["stamp"]["reflected_control"];
            assert_eq!(control["copies"], 8, "{control}");
        }
    }
    let control = &last_words(responder)["reflected_control"];
    assert_eq!(
        (&control["granted"], &control["repeated"]),
        (&17.into(), &12.into())
    );
}

#[test]
fn a_contradictory_request_gets_one_reply_and_a_line_in_the_log() {
    let responder = Responder::start(
        "127.0.0.1:0 --allow-control ::/0 --allow-control 127.0.0.0/8 --control-unauthenticated",
    );
    let both = [&THREE[..], &NO_REPLY].concat();
    for seq in 0..3 {
        let reply = &replies(&responder, "127.0.0.1", &request(seq, &both, None), 1)[0];
        assert_eq!([reply[44], reply[60]], [0x80, 0x80]);
    }
    let done = responder.stop("TERM");
    let line = "requests for several replies and for none packets=";
    let lines = done.stderr.lines().filter(|said| said.contains(line));
    let counts = lines.map(|said| said.rsplit_once('=').unwrap().1.parse::<u64>().unwrap());
    assert_eq!(counts.sum::<u64>(), 3, "{}", done.stderr);
    let told = "One reply only   3 for several replies and for none\n";
    assert!(done.stdout.contains(told), "{}", done.stdout);
}

#[test]
fn a_burst_ends_with_its_responder_and_says_so() {
    let responder = Responder::start(
        "127.0.0.1:0 --json --allow-control 127.0.0.0/8 --control-unauthenticated",
    );
    let mut slow = THREE;
    slow[8] = 0xff;
    replies(&responder, "127.0.0.1", &request(0, &slow, None), 1);
    let control = &last_words(responder)["reflected_control"];
    assert_eq!(
        (&control["copies"], &control["copies_not_sent"]),
        (&0.into(), &2.into())
    );
}

/// Octets of a field.
fn octets(field: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&field[at..at + 2], 16).unwrap();
    (0..field.len()).step_by(2).map(octet).collect()
}

#[test]
fn replies_are_as_many_as_long_and_as_far_apart_as_asked_for() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(&format!(
        ":862 --json --allow-control 10.98.0.1 --hmac-key {KEY}"
    ));
    let line = format!(
        "sender 10.98.0.2:862 --stamp --ssid 7 --tlv hmac --tlv reflected-control=200:3:20ms \
         --hmac-key {KEY} -c 4 -i 100"
    );
    let fields = ["frame.time_epoch", "ip.src", "udp.length", "udp.payload"];
    let filter = ["-f", "udp port 862"];
    let Some(seen) = dissected(&hosts, 16, &filter, &fields, &line) else {
        return;
    };
    let replies: Vec<&Fields> = seen.iter().filter(|row| row[1] == "10.98.0.2").collect();
    assert_eq!((seen.len(), replies.len()), (16, 12), "{seen:?}");
    for (number, reply) in (0_u32..).zip(&replies) {
        let payload = octets(&reply[3].replace(':', ""));
        assert_eq!((reply[2].as_str(), payload.len()), ("208", 200));
        assert_eq!(payload[..4], number.to_be_bytes(), "its own number");
        assert_eq!(payload[24..28], (number / 3).to_be_bytes(), "the request's");
    }
    for three in replies.chunks(3) {
        let at = |reply: &Fields| reply[0].parse::<f64>().unwrap();
        let apart = at(three[2]) - at(three[0]);
        // The stamp of the first may be late.
        assert!(apart >= 0.03, "{apart} s from the first to the last");
    }
    let control = &last_words(responder)["reflected_control"];
    assert_eq!(
        (&control["granted"], &control["copies"]),
        (&4.into(), &8.into())
    );
}

#[test]
fn the_sender_says_what_became_of_the_replies_that_it_asked_for() {
    let responder = Responder::start(&format!(
        "127.0.0.1:0 --json --allow-control 127.0.0.0/8 --hmac-key {KEY} --control-count 3"
    ));
    let asking = |ssid: u16, tlv: &str| {
        let keys = format!("--authenticated --hmac-key {KEY}");
        let sender = format!("sender {} --stamp {keys} -i 30 --timeout 20", responder.at);
        run(&format!("{sender} -c 4 --json --ssid {ssid} --tlv {tlv}")).session()
    };
    let session = asking(1, "reflected-control=200:3:10ms");
    let told = &session["stamp"]["reflected_control"];
    assert_eq!(
        (&told["copies"], &told["copies_lost"]),
        (&8.into(), &0.into())
    );
    assert_eq!(session["packets"]["received"], 4);
    assert_eq!(
        (&session["duplication"]["copies"], &session["odd_replies"]),
        (&0.into(), &serde_json::json!({}))
    );
    for key in ["departure_gap_mean_ns", "arrival_gap_max_ns"] {
        let gap = told[key].as_i64();
        assert!(gap >= Some(9_900_000), "{key}: {told}");
    }
    // The reflector numbers all of them.
    assert_eq!(session["packets"]["lost_forward"], serde_json::Value::Null);
    let limited = asking(2, "reflected-control=200:4:10ms");
    let told = &limited["stamp"]["reflected_control"];
    assert_eq!(
        (&told["unmet"], &told["over_limit"]),
        (&4.into(), &4.into())
    );
    assert_eq!(told["copies"], serde_json::Value::Null);
    let control = &last_words(responder)["reflected_control"];
    let counts = ["granted", "over_limit", "copies", "copies_not_sent"];
    assert_eq!(
        counts.map(|key| control[key].as_u64().unwrap()),
        [4, 4, 8, 0]
    );
}

#[test]
fn several_replies_without_an_hmac_are_warned_of() {
    let responder = Responder::on_loopback();
    for (tlv, is_warned) in [("reflected-control=0:1:0ns", true), ("cos", false)] {
        let line = format!("sender {} --stamp -c 1 --tlv {tlv}", responder.at);
        let warning = "warning: --tlv reflected-control without an HMAC: ";
        let done = run(&line);
        assert_eq!(done.stderr.contains(warning), is_warned, "{}", done.stderr);
    }
}

#[test]
fn a_repeated_request_is_said_once_at_the_responder() {
    let options = format!("127.0.0.1:0 --allow-control 127.0.0.0/8 --hmac-key {KEY}");
    let responder = Responder::start(&options);
    let asks = request(0, &THREE, Some(KEY));
    assert_eq!(replies(&responder, "127.0.0.1", &asks, 3).len(), 3);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wait = Some(Duration::from_secs(20));
    socket.set_read_timeout(wait).unwrap();
    let asks = request(5, &THREE, Some(KEY));
    for number in [3, 1, 1] {
        socket.send_to(&asks, responder.at).unwrap();
        for _ in 0..number {
            socket.recv(&mut [0; 2_000]).unwrap();
        }
    }
    let done = responder.stop("INT");
    let lines = done.stderr.lines();
    let warned = lines.filter(|line| line.contains("have it send from another port"));
    assert_eq!(warned.count(), 1, "{}", done.stderr);
    let summary = done.stdout.replace("\n                 ", " ");
    let told =
        "One reply only   2 repeated or reordered (a sender started again: use another port)";
    assert!(summary.contains(told), "{}", done.stdout);
}

#[test]
fn no_two_runs_of_a_sender_sign_the_same_request_in_open_mode() {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let at = far.local_addr().unwrap();
    let line = format!(
        "sender {at} --stamp --tlv reflected-control=0:2:1ms --tlv hmac --hmac-key {KEY} -c 1 --timeout 0.1"
    );
    let digests = [(); 2].map(|()| {
        run(&line);
        let mut packet = [0; 500];
        let octets = far.recv(&mut packet).unwrap();
        // Number, and the digest at the end.
        assert_eq!(packet[..4], [0; 4]);
        packet[octets - 16..octets].to_vec()
    });
    assert_ne!(digests[0], digests[1]);
}

/// Datagrams that a host has sent.
fn sent(host: &str) -> u64 {
    let mut cat = std::process::Command::new("cat");
    cat.arg("/proc/net/snmp");
    let seen = Hosts::on(host, &cat).output().unwrap();
    let seen = String::from_utf8(seen.stdout).unwrap();
    let counts = seen
        .lines()
        .filter_map(|line| line.strip_prefix("Udp: "))
        .nth(1);
    counts.unwrap().split(' ').nth(3).unwrap().parse().unwrap()
}

#[test]
fn what_the_system_refuses_to_send_is_no_reply() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(&format!(
        ":862 --json --allow-control 10.98.0.1 --hmac-key {KEY}"
    ));
    let before = sent(&hosts.far);
    let sender = hosts.start(&format!(
        "sender 10.98.0.2:862 --stamp --tlv hmac --hmac-key {KEY} --tlv reflected-control=0:2:4s \
         -c 1 -i 4s --timeout 1 --json"
    ));
    let began = Instant::now();
    while sent(&hosts.far) == before {
        assert!(began.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(10));
    }
    ip(&format!("-n {} route add blackhole 10.98.0.1", hosts.far)).unwrap();
    let control = &sender.finish().session()["stamp"]["reflected_control"];
    assert_eq!(
        (&control["copies"], &control["copies_lost"]),
        (&0.into(), &1.into())
    );
    let last = last_words(responder);
    let control = &last["reflected_control"];
    assert_eq!(
        (&control["copies"], &control["copies_not_sent"]),
        (&0.into(), &1.into())
    );
    assert_eq!(last["send_errors"], 1, "{last}");
}
