//! `twinpath responder`.

mod rows;

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Packet, Tap, acts, complete, each_row, file, json, judged, own_address, request};
use crate::hosts::Hosts;
use crate::program::{Done, Running, free_port, twinpath};
use rows::{ELSEWHERE, rows};

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
    let wanted = format!(":{port:04X}");
    let process = running.0.id();
    let is_own = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let has_port = fields.get(1).is_some_and(|local| local.ends_with(&wanted));
        has_port
            && fields
                .get(9)
                .is_some_and(|inode| has_socket(process, inode))
    };
    let until = Instant::now() + Duration::from_secs(30);
    while running.0.try_wait().unwrap().is_none() {
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            if fs::read_to_string(table).is_ok_and(|table| table.lines().any(is_own)) {
                return true;
            }
        }
        assert!(Instant::now() < until, "it does not listen");
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Whether a process has the socket of this inode: another one may use the port on another address.
fn has_socket(process: u32, inode: &str) -> bool {
    let wanted = format!("socket:[{inode}]");
    let open = fs::read_dir(format!("/proc/{process}/fd"));
    let open = open.into_iter().flatten().flatten();
    open.filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|link| link.as_os_str() == &*wanted)
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
