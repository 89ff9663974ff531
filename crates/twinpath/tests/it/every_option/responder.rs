//! `twinpath responder`.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Packet, Tap, acts, complete, each_row, file, json, judged, own_address, request};
use crate::hosts::Hosts;
use crate::program::{Done, Running, free_port, twinpath};

/// What a responder came to.
struct Seen {
    done: Done,
    /// Its last words; null where they are for people.
    json: Value,
    directory: tempfile::TempDir,
    /// Its replies.
    packets: Vec<Packet>,
    /// Its threads that reflect.
    threads: usize,
}

/// Requests that are sent: the number and length of each, and what waits before it, in milliseconds.
/// Those of the second list come from another port.
type Requests = (&'static [(u32, usize, u64)], &'static [(u32, usize, u64)]);

struct Row {
    option: &'static str,
    /// The command without it. `{port}` and `{dir}` are the run's own.
    base: &'static str,
    given: &'static str,
    asked: Requests,
    /// The Multiplier of the requests' Error Estimate.
    multiplier: u8,
    /// TLVs behind a STAMP request.
    chain: &'static [u8],
    /// Replies that are waited for beside one to each request.
    further: usize,
    sees: fn(&Seen) -> bool,
}

const ONE: Requests = (&[(5, 60, 0)], &[]);
const TWO: Requests = (&[(5, 60, 0), (9, 60, 0)], &[]);

const fn row(
    option: &'static str,
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        option,
        base,
        given,
        asked: ONE,
        multiplier: 1,
        chain: &[],
        further: 0,
        sees,
    }
}

const JSON: &str = "responder 127.0.0.1:{port} --json";
const KEYED: &str = "responder 127.0.0.1:{port} --json --hmac-key 00112233445566778899aabbccddeeff";
const TEXT: &str = "responder 127.0.0.1:{port}";
const ANY: &str = "responder :{port} --json";

impl Seen {
    /// The reflector's own numbers.
    fn numbers(&self) -> Vec<u32> {
        let number = |packet: &Packet| u32::from_be_bytes(packet.payload[..4].try_into().unwrap());
        self.packets.iter().map(number).collect()
    }

    fn all(&self, is: impl FnMut(&Packet) -> bool) -> bool {
        !self.packets.is_empty() && self.packets.iter().all(is)
    }

    fn listens_on(&self, families: [bool; 2]) -> bool {
        let listening = self.json["listening"].as_array();
        let is_six = |at: &Value| at.as_str().is_some_and(|at| at.starts_with('['));
        listening.is_some_and(|all| {
            let six = all.iter().filter(|at| is_six(at)).count();
            [all.len() > six, six > 0] == families
        })
    }
}

fn rows() -> Vec<Row> {
    [
        sessions(),
        replies(),
        extensions(),
        several_replies(),
        output(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn sessions() -> Vec<Row> {
    vec![
        row("--allow", JSON, "--allow 192.0.2.0/24", |seen| {
            seen.packets.is_empty() && seen.json["ignored"]["not_allowed"] == 1
        }),
        Row {
            asked: (
                &[
                    (0, 60, 0),
                    (1, 60, 0),
                    (2, 60, 0),
                    (3, 60, 0),
                    (4, 60, 0),
                    (5, 60, 0),
                ],
                &[],
            ),
            ..row("--max-rate", JSON, "--max-rate 1", |seen| {
                seen.json["ignored"]["rate_limited"].as_u64() >= Some(1) && seen.packets.len() < 6
            })
        },
        Row {
            asked: (&[(5, 60, 0), (6, 60, 0)], &[(7, 60, 0)]),
            ..row("--max-sessions", JSON, "--max-sessions 1", |seen| {
                seen.json["sessions"]["live"] == 1 && seen.packets.len() == 3
            })
        },
        Row {
            asked: (&[(5, 60, 0), (6, 60, 0), (7, 60, 4_000)], &[]),
            ..row("--timer", JSON, "--timer 2s", |seen| {
                // Its counter begins again after it was idle.
                seen.numbers() == [0, 1, 0] && seen.json["sessions"]["expired"] == 1
            })
        },
        Row {
            asked: TWO,
            ..row("--stateless", JSON, "--stateless", |seen| {
                seen.numbers() == [5, 9]
            })
        },
        Row {
            multiplier: 0,
            ..row("--strict", JSON, "--strict", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["error_multiplier_zero"] == 1
            })
        },
        Row {
            asked: (&[(5, 44, 0)], &[]),
            ..row("--allow-ssid", JSON, "--allow-ssid 7,600-700", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["no_session"] == 1
            })
        },
        Row {
            asked: (&[(5, 44, 0)], &[]),
            ..row("--authenticated", KEYED, "--authenticated", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["unauthenticated"] == 1
            })
        },
        Row {
            // A STAMP packet, whose SSID a TWAMP reflector has no place for.
            asked: (&[(5, 44, 0)], &[]),
            ..row("--protocol", JSON, "--protocol twamp-light", |seen| {
                seen.all(|packet| packet.payload[14..16] == [0, 0])
            })
        },
        row(
            "--timestamp-format",
            "responder 127.0.0.1:{port} --json --protocol stamp",
            "--timestamp-format ptp",
            // The Z bit, and T2 and T3 in seconds since 1970.
            |seen| {
                seen.all(|packet| packet.payload[12] & 0x40 != 0)
                    && seen.all(|packet| packet.payload[4] < 0x80 && packet.payload[16] < 0x80)
            },
        ),
        row("--threads", JSON, "--threads 3", |seen| seen.threads == 3),
    ]
}

/// A row with one STAMP request that has these TLVs.
fn tlvs(
    option: &'static str,
    given: &'static str,
    chain: &'static [u8],
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        asked: (&[(0, 44, 0)], &[]),
        chain,
        ..row(option, JSON, given, sees)
    }
}

/// Three replies, 1 ms apart, of 60 octets.
const CONTROL: &[u8] = &[0x80, 12, 0, 12, 0, 60, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];

/// A row with a request for three replies, of which there is one, because of a limit.
fn limit(option: &'static str, given: &'static str) -> Row {
    Row {
        base: "responder 127.0.0.1:{port} --json --allow-control 127.0.0.0/8 --control-unauthenticated",
        ..tlvs(option, given, CONTROL, |seen| {
            let over_limit = &seen.json["reflected_control"]["over_limit"];
            over_limit == 1 && seen.packets.len() == 1 && seen.packets[0].payload[44] == 0x10
        })
    }
}

fn several_replies() -> Vec<Row> {
    let are_three = |seen: &Seen| seen.numbers() == [0, 1, 2];
    vec![
        Row {
            further: 2,
            ..tlvs(
                "--allow-control",
                "--allow-control 127.0.0.0/8 --control-unauthenticated",
                CONTROL,
                are_three,
            )
        },
        Row {
            further: 2,
            base: "responder 127.0.0.1:{port} --json --allow-control 127.0.0.0/8 \
                   --hmac-key 00112233445566778899aabbccddeeff",
            ..tlvs(
                "--control-unauthenticated",
                "--control-unauthenticated",
                CONTROL,
                are_three,
            )
        },
        limit("--control-rate", "--control-rate 479999"),
        limit("--control-volume", "--control-volume 179"),
        limit("--control-count", "--control-count 2"),
    ]
}

fn extensions() -> Vec<Row> {
    const LOCATION: &[u8] = &[0x80, 2, 0, 4, 0, 0, 0, 0];
    vec![
        tlvs(
            "--allow-dscp",
            "--allow-dscp af41,ef",
            &[0x80, 4, 0, 4, 0xb8, 0, 0, 0],
            |seen| {
                let is_asked = |packet: &Packet| packet.tos == 0xb8;
                seen.all(|packet| {
                    is_asked(packet) && packet.payload[44..] == [0, 4, 0, 4, 0xb8, 0, 0, 0]
                })
            },
        ),
        tlvs("--location", "--location none", LOCATION, |seen| {
            seen.all(|packet| packet.payload[44..] == [0, 2, 0, 4, 0, 0, 0, 0])
        }),
        tlvs(
            "--micro-session-id",
            "--micro-session-id 5",
            &[0x80, 11, 0, 4, 0, 9, 0, 0],
            |seen| seen.all(|packet| packet.payload[44..] == [0, 11, 0, 4, 0, 9, 0, 5]),
        ),
        tlvs("--no-tlv", "--no-tlv", LOCATION, |seen| {
            seen.all(|packet| packet.payload[44..] == *LOCATION)
        }),
    ]
}

fn replies() -> Vec<Row> {
    vec![
        Row {
            asked: (&[(5, 300, 0)], &[]),
            ..row("--padding", JSON, "--padding 100", |seen| {
                seen.all(|packet| packet.payload.len() == 114)
            })
        },
        row(
            "--allow-larger-replies",
            "responder 127.0.0.1:{port} --json --padding 200",
            "--allow-larger-replies",
            |seen| seen.all(|packet| packet.payload.len() == 214),
        ),
        row("--dscp", JSON, "--dscp ef", |seen| {
            seen.all(|packet| packet.tos == 184)
        }),
        row("--ttl", JSON, "--ttl 9", |seen| {
            seen.all(|packet| packet.ttl == 9)
        }),
        row("--do-not-fragment", JSON, "--do-not-fragment", |seen| {
            seen.all(|packet| packet.dont_fragment)
        }),
        row("--ipv4", ANY, "--ipv4", |seen| {
            seen.listens_on([true, false])
        }),
        row("--ipv6", ANY, "--ipv6", |seen| {
            seen.listens_on([false, true])
        }),
        row("--timestamps", JSON, "--timestamps user", |seen| {
            seen.json["timestamps"]["receive"] == "user"
        }),
        row("--portable", JSON, "--portable", |seen| {
            seen.json["timestamps"]["receive"] == "user"
        }),
    ]
}

fn output() -> Vec<Row> {
    vec![
        row("--output", TEXT, "--output json", |seen| {
            seen.json["schema"] == "twinpath-responder-1"
        }),
        row("--json", TEXT, "--json", |seen| {
            seen.json["schema"] == "twinpath-responder-1"
        }),
        Row {
            // Longer than the second after which it is told.
            asked: (&[(5, 60, 0), (6, 60, 1_500)], &[]),
            ..row(
                "--verbose",
                "responder 127.0.0.1:{port} --allow 192.0.2.0/24",
                "--verbose",
                |seen| seen.done.stderr.contains("ignored kind=\"not_allowed\""),
            )
        },
        row("--quiet", JSON, "--quiet", |seen| {
            seen.done.stderr.is_empty() && seen.packets.len() == 1
        }),
        row("--debug", JSON, "--debug", |seen| {
            seen.done.stderr.contains("stopped reflected=1")
        }),
        row("--logfile", JSON, "--logfile {dir}/log", |seen| {
            file(seen.directory.path(), "log").contains("stopped reflected=1")
        }),
    ]
}

/// Options whose effect another test holds, by its name in this binary.
const ELSEWHERE: [(&str, &str, &str); 10] = [
    (
        "--raw-t3",
        "raw_t3_is_said_to_be_sent_as_it_was_read",
        include_str!("../advances.rs"),
    ),
    (
        "--hmac-key",
        "an_authenticated_request_is_answered_by_the_key_of_the_command_line_and_no_other",
        AUTHENTICATED,
    ),
    (
        "--hmac-key-file",
        "the_key_of_a_file_is_that_of_the_ssid_before_that_of_the_address",
        AUTHENTICATED,
    ),
    (
        "--insecure-key-file",
        "a_key_file_that_others_may_read_is_refused_unless_the_operator_says_otherwise",
        AUTHENTICATED,
    ),
    (
        "--require-hmac",
        "the_tlvs_of_an_open_request_are_processed_by_their_hmac",
        AUTHENTICATED,
    ),
    (
        "--accept-unverified-tlvs",
        "the_tlvs_of_an_open_request_are_processed_by_their_hmac",
        AUTHENTICATED,
    ),
    (
        "--allow-return-address",
        "a_reply_goes_to_another_address_where_that_is_allowed",
        WAYS,
    ),
    (
        "--join",
        "signed_requests_to_a_group_are_answered_from_an_address_of_the_host_and_all_else_is_not",
        include_str!("../groups.rs"),
    ),
    (
        "--limits",
        "limits_are_read_again_and_sessions_go_on",
        include_str!("../limits.rs"),
    ),
    (
        "--srv6-return",
        "a_reply_visits_the_segments_that_are_asked_for_where_that_is_allowed",
        WAYS,
    ),
];
const WAYS: &str = include_str!("../ways.rs");
const AUTHENTICATED: &str = include_str!("../authenticated.rs");

fn observe(row: &Row, given: &str) -> Option<Seen> {
    let directory = tempfile::tempdir().unwrap();
    let far = Ipv4Addr::LOCALHOST;
    let port = free_port();
    let line = format!("{} {given}", row.base)
        .replace("{port}", &port.to_string())
        .replace("{dir}", &directory.path().display().to_string());
    let mut running = Running::spawn(twinpath(&line));
    let listens = wait_for_socket(&mut running, port);
    let near = own_address();
    let first = UdpSocket::bind((near, 0)).unwrap();
    let other = UdpSocket::bind((near, 0)).unwrap();
    let taps = [&first, &other].map(|socket| Tap::open(near, socket.local_addr().unwrap().port()));
    let [Some(tap), Some(other_tap)] = taps else {
        return None;
    };
    if listens {
        for (socket, asked) in [(&first, row.asked.0), (&other, row.asked.1)] {
            for (seq, octets, wait) in asked {
                std::thread::sleep(Duration::from_millis(*wait));
                let mut packet = request(*seq, *octets);
                packet[13] = row.multiplier;
                if *octets == 44 {
                    packet[14..16].copy_from_slice(&[2, 1]);
                }
                packet.extend(row.chain);
                socket.send_to(&packet, (far, port)).unwrap();
            }
        }
        // All replies that come, or the time that one would take.
        let asked = row.asked.0.len() + row.asked.1.len() + row.further;
        let until = Instant::now() + Duration::from_secs(3);
        while tap.count() + other_tap.count() < asked && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let mut threads = reflecting(running.0.id());
    // A thread names itself once it runs.
    let until = Instant::now() + Duration::from_secs(3);
    while row.option == "--threads" && threads < 3 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
        threads = reflecting(running.0.id());
    }
    if running.0.try_wait().unwrap().is_none() {
        running.signal(&["TERM"]);
    }
    let done = running.finish();
    let mut packets = tap.finish();
    packets.extend(other_tap.finish());
    Some(Seen {
        json: json(&done.stdout),
        done,
        directory,
        packets,
        threads,
    })
}

/// Waits until a process has a UDP socket of this port, or has ended; whether it has one.
fn wait_for_socket(running: &mut Running, port: u16) -> bool {
    let wanted = format!(":{port:04X} ");
    let until = Instant::now() + Duration::from_secs(30);
    while running.0.try_wait().unwrap().is_none() {
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            if fs::read_to_string(table).is_ok_and(|table| table.contains(&wanted)) {
                return true;
            }
        }
        assert!(Instant::now() < until, "it does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Threads of a process that reflect.
fn reflecting(process: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.starts_with("reflector-")).count()
}

#[test]
fn every_option_of_the_responder_acts() {
    let rows = rows();
    for (option, name, tests) in ELSEWHERE {
        assert!(
            tests.contains(&format!("fn {name}()")),
            "{option}: no test named {name}"
        );
    }
    let elsewhere = ELSEWHERE.iter().map(|(option, ..)| *option);
    let names = rows.iter().map(|row| row.option).chain(elsewhere);
    complete("responder", names.chain(["--interface"]));
    each_row(&rows, |row| {
        acts(row.option, row.given, false, |given| {
            let seen = observe(row, given)?;
            Some(judged(&seen, &seen.done, row.sees))
        })
    });
}

#[test]
fn the_interface_is_the_only_one_that_a_responder_answers_on() {
    let Some(hosts) = Hosts::new() else { return };
    for (interface, status) in [("lo", 3), ("v1", 0)] {
        let _responder = hosts.responder(&format!(":9862 --interface {interface}"));
        let done = hosts.run("sender 10.98.0.2:9862 -c 2 -i 5 --timeout 0.3 --json");
        assert_eq!(done.status, status, "{interface}: {}", done.stderr);
    }
}
