//! The situations that docs/doctor.md shows: each is made, and what the command says is what the page has.

use std::net::{Ipv4Addr, UdpSocket};

use crate::far_end::{FarEnd, ntp};
use crate::hosts::{Hosts, Names, ip};
use crate::program::{Done, Responder, Running, run};
use crate::routed::{Routed, filter};
use std::process::Command;
use std::time::Duration;

/// The page.
const PAGE: &str = include_str!("../../../../../docs/doctor.md");
/// The widest line of text.
const WIDTH: usize = 80;

/// Tests that what was said is what the page has under this name.
fn check(name: &str, done: &Done, status: i32) {
    assert_eq!(
        done.status, status,
        "{name}: {}{}",
        done.stdout, done.stderr
    );
    let wide = done
        .stdout
        .lines()
        .find(|line| line.chars().count() > WIDTH);
    assert_eq!(wide, None, "{name}");
    let mark = format!("<!-- {name} -->\n\n```\n$ twinpath ");
    let (_, rest) = PAGE
        .split_once(&mark)
        .unwrap_or_else(|| panic!("docs/doctor.md has no \"{name}\":\n{}", done.stdout));
    let (_, rest) = rest.split_once('\n').unwrap();
    let (page, _) = rest.split_once("```").unwrap();
    let page = format!("\n{page}");
    let said = masked(&done.stdout);
    let mut left = said.as_str();
    for part in page.split("\n...\n") {
        let part = masked(part);
        let Some(at) = left.find(&part) else {
            panic!("{name}: not said: {part}\n{}", done.stdout);
        };
        left = &left[at + part.len()..];
    }
}

/// The words, with `#` for each number, and without the unit of a time.
fn masked(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let mut masked = String::new();
        for letter in word.chars() {
            match letter {
                '0'..='9' | '.' if masked.ends_with('#') => {}
                '0'..='9' => masked.push('#'),
                _ => masked.push(letter),
            }
        }
        for unit in ["#us", "#ms", "#s"] {
            masked = masked.replace(unit, "#t");
        }
        masked
    });
    let masked = words.collect::<Vec<_>>().join(" ");
    // A busy host may lose a packet of a rate that is answered.
    masked.replace("for # s (#% lost);", "for # s without loss;")
}

/// Text, from the near host.
fn said(hosts: &Routed, line: &str) -> Done {
    // What it sends is counted.
    let _ = hosts.doctor(line);
    hosts.run(&format!("doctor {line}"))
}

/// Names that the near host knows.
fn named(hosts: &Routed, addresses: &[&str]) -> Option<Names> {
    let lines: Vec<String> = addresses
        .iter()
        .map(|address| format!("{address} r1"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Names::of(&hosts.near, &lines)
}

#[test]
fn a_far_end_that_is_well() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    check("nothing is wrong", &said(&hosts, "r1"), 0);
}

#[test]
fn nothing_listens() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    check("nothing listens", &said(&hosts, "r1"), 1);
}

#[test]
fn a_firewall_drops_or_rejects() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    let rule = |verdict: &str| {
        let rules = format!(
            "table ip wall {{ chain pass {{ type filter hook forward priority 0; \
             ip daddr 10.97.2.2 {verdict}; }}; }}"
        );
        filter(&hosts.router, &rules)
    };
    if !rule("drop") {
        return;
    }
    check("no answer", &said(&hosts, "r1"), 1);
    ip(&format!(
        "netns exec {} nft delete table ip wall",
        hosts.router
    ))
    .unwrap();
    assert!(rule("reject with icmp admin-prohibited"));
    check("a firewall rejects", &said(&hosts, "r1"), 1);
}

#[test]
fn replies_come_from_another_address() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    let rewrites = "table ip rewrite { chain pass { type filter hook forward priority 0; \
                    ip saddr 10.97.2.2 udp sport 862 ip saddr set 10.97.2.9; }; }";
    if !filter(&hosts.router, rewrites) {
        return;
    }
    check("answers from elsewhere", &said(&hosts, "r1"), 3);
}

#[test]
fn a_source_nat_is_no_fault() {
    let Some(hosts) = Routed::new() else { return };
    let _responder = hosts.responder(":862");
    let nat = "table ip nat { chain out { type nat hook postrouting priority 100; \
               oifname \"r1\" masquerade; }; }";
    if !filter(&hosts.router, nat) {
        return;
    }
    let done = hosts.doctor("10.97.2.2");
    assert_eq!(done.status, 0, "{}", done.stdout);
    assert_eq!(
        done.document()["command"],
        "twinpath sender 10.97.2.2 --stamp"
    );
}

#[test]
fn an_echo_service() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    // Packets come back with their ports, as an echo service has it.
    let mut python = Command::new("python3");
    python.args([
        "-c",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         s.bind(('10.97.2.2', 862))\nprint('ready', flush=True)\n\
         while True:\n    octets, far = s.recvfrom(65536)\n    s.sendto(octets, far)\n",
    ]);
    let mut echo = Running::spawn(Hosts::on(&hosts.far, &python));
    echo.wait_for("ready");
    check("an echo service", &said(&hosts, "r1:862"), 1);
}

#[test]
fn a_black_hole_for_large_packets() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    let silenced = "table ip silent { chain out { type filter hook output priority 0; \
                    icmp type destination-unreachable drop; }; }";
    if !filter(&hosts.router, silenced) {
        return;
    }
    hosts.route("route replace 10.97.2.0/24 dev r1 mtu lock 1400");
    check("a PMTU black hole", &said(&hosts, "r1"), 0);
}

#[test]
fn one_of_two_addresses_is_dead() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["fd97:2::2", "10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder("10.97.2.2:862");
    check("a dead address", &said(&hosts, "r1"), 0);
    // What it says works.
    let done = hosts.run("sender r1 --stamp -4 -c 2 -i 5");
    assert_eq!(done.status, 0, "{}", done.stderr);
}

#[test]
fn a_name_with_several_addresses_is_measured_by_one_that_answers() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.3", "10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    let done = hosts.doctor("r1");
    let command = done.document()["command"].as_str().unwrap().to_owned();
    assert_eq!(command, "twinpath sender 10.97.2.2 --stamp");
    let finding = done.document()["checks"].to_string();
    let said = "10.97.2.3, another address of r1: no reply and no error from UDP ports 862";
    assert!(finding.contains(said), "{finding}");
}

#[test]
fn a_class_is_remarked() {
    let Some(hosts) = Routed::new() else { return };
    let Some(_names) = named(&hosts, &["10.97.2.2"]) else {
        return;
    };
    let _responder = hosts.responder(":862");
    let remarks = "table ip remark { chain pass { type filter hook forward priority 0; \
                   ip saddr 10.97.2.2 ip dscp ef ip dscp set af41; }; }";
    if !filter(&hosts.router, remarks) {
        return;
    }
    check("a class is remarked", &said(&hosts, "r1"), 0);
}

#[test]
fn a_clock_in_another_time_scale() {
    const TAI_NS: i64 = 37_000_000_000;
    let far = FarEnd::start(Duration::from_micros(200), |_, times| {
        times.map(|at| ntp(at + TAI_NS))
    });
    check("TAI", &run(&format!("doctor {}", far.at)), 0);
}

#[test]
fn a_far_end_that_answers_authenticated_packets_alone() {
    let key = "--hmac-key 000102030405060708090a0b0c0d0e0f";
    let responder = Responder::start(&format!("127.0.0.1:0 --authenticated {key}"));
    let done = run(&format!("doctor {}", responder.at));
    check("authenticated STAMP alone", &done, 1);
    let done = run(&format!("doctor {} {key}", responder.at));
    assert_eq!(done.status, 0, "{}", done.stdout);
}

#[test]
fn a_limit_of_the_rate() {
    let responder = Responder::start("127.0.0.1:0 --max-rate 120");
    let line = format!("doctor {} --stress 250", responder.at);
    check("a rate limit", &run(&line), 0);
}

#[test]
fn a_host_that_says_nothing_at_all() {
    // It takes packets and answers none: as a reflector that does not know this host.
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let line = format!("doctor {} --json", mute.local_addr().unwrap());
    let done = run(&line);
    assert_eq!(done.status, 1, "{}", done.stdout);
    let took_ns = done.document()["duration_ns"].as_u64().unwrap();
    // By its own schedule: it asks no more once 27 s have passed.
    assert!(took_ns < 60_000_000_000, "{took_ns}");
}
