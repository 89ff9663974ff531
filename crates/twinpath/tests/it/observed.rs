//! Each figure has its own end of observation: late replies and copies at the end of a run, and copies
//! that are none.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::program::{Running, far_socket, run};

/// What comes back for a request, by its number: each reply with its delay in milliseconds.
pub(crate) type Answers = fn(u32) -> Vec<u64>;

/// A reflector with a counter of its own (RFC 5357 section 4.2.1), which answers as a test wants.
pub(crate) struct Reflector {
    pub(crate) at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reflector {
    pub(crate) fn with(answers: Answers) -> Self {
        let socket = far_socket(Ipv4Addr::LOCALHOST);
        let at = socket.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut request = [0; 2_048];
            let mut count = 0_u32;
            while !ends.load(Ordering::Relaxed) {
                let Ok((_, from)) = socket.recv_from(&mut request) else {
                    continue;
                };
                let reply = reply_to(&request, count);
                count += 1;
                let number = u32::from_be_bytes(request[..4].try_into().unwrap());
                for delay in answers(number) {
                    let (reply, socket) = (reply.clone(), socket.try_clone().unwrap());
                    if delay == 0 {
                        socket.send_to(&reply, from).unwrap();
                        continue;
                    }
                    thread::spawn(move || {
                        thread::sleep(Duration::from_millis(delay));
                        let _ = socket.send_to(&reply, from);
                    });
                }
            }
        });
        Self {
            at,
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Number, T3, Error Estimate, zeros, T2, then what came (RFC 5357 section 4.2.1).
fn reply_to(request: &[u8], number: u32) -> Vec<u8> {
    let now = ntp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    let mut reply = number.to_be_bytes().to_vec();
    reply.extend(now);
    reply.extend([0x80, 1, 0, 0]);
    reply.extend(now);
    reply.extend(&request[..14]);
    reply.extend([0, 0, 64]);
    reply
}

fn ntp(since_1970: Duration) -> [u8; 8] {
    let seconds = since_1970.as_secs() + 2_208_988_800;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}

fn packets(reflector: &Reflector, options: &str) -> Value {
    let done = run(&format!(
        "sender {} 127.0.0.1:0 {options} --json",
        reflector.at
    ));
    done.session()["packets"].clone()
}

#[track_caller]
fn counts(packets: &Value, expected: [(&str, u64); 4]) {
    for (key, count) in expected {
        assert_eq!(packets[key], count, "{key}: {packets}");
    }
}

#[test]
fn a_copy_of_the_last_packet_alone_is_counted() {
    let reflector = Reflector::with(|number| if number == 4 { vec![0, 20] } else { vec![0] });
    // It is waited for a tenth of a second, in which a busy host may leave the reflector without its turn.
    let packets = (0..20)
        .map(|_| packets(&reflector, "-c 5 -i 10 --timeout 3"))
        .find(|packets| packets["duplicates"] == 1);
    let expected = [("received", 5), ("duplicates", 1), ("lost", 0), ("late", 0)];
    counts(&packets.expect("no copy is waited for"), expected);
}

#[test]
fn copies_that_come_after_the_last_first_reply_are_counted() {
    // The first copy comes before other replies, those of the last ones long after.
    let reflector = Reflector::with(|number| vec![0, if number == 0 { 0 } else { 400 }]);
    let packets = packets(&reflector, "-c 20 -i 5 --timeout 3");
    let expected = [
        ("received", 20),
        ("duplicates", 20),
        ("lost", 0),
        ("late", 0),
    ];
    counts(&packets, expected);
}

#[test]
fn a_late_reply_near_the_end_is_late_and_lost_in_neither_direction() {
    // Packet 5 is known as lost at 2.5 s; its reply comes at 2.7 s, before the last packet's
    // timeout has passed, and shows that it was not lost on the way back.
    let reflector = Reflector::with(|number| match number {
        5 => vec![2_200],
        7 => Vec::new(),
        _ => vec![0],
    });
    let packets = packets(&reflector, "-c 40 -i 100 --timeout 2 --reflector stateful");
    let expected = [
        ("received", 38),
        ("duplicates", 0),
        ("lost", 2),
        ("late", 1),
    ];
    counts(&packets, expected);
    let expected = [
        ("lost_forward", 0),
        ("lost_backward", 1),
        ("lost_unattributed", 1),
        ("sent", 40),
    ];
    counts(&packets, expected);
}

#[test]
fn a_copy_of_a_late_reply_is_a_copy() {
    let reflector = Reflector::with(|number| match number {
        5 => vec![2_200, 2_210],
        _ => vec![0],
    });
    let packets = packets(&reflector, "-c 40 -i 100 --timeout 2");
    // Whether the copy is waited for hangs on what else is missing: nothing is.
    assert_eq!(packets["late"], 1, "{packets}");
    let reflector = Reflector::with(|number| match number {
        5 => vec![2_200, 2_210],
        6 => Vec::new(),
        _ => vec![0],
    });
    let packets = self::packets(&reflector, "-c 40 -i 100 --timeout 2");
    let expected = [
        ("received", 38),
        ("duplicates", 1),
        ("lost", 2),
        ("late", 1),
    ];
    counts(&packets, expected);
}

#[test]
fn a_run_of_a_duration_and_its_classes_end_by_the_same_rule() {
    let reflector = Reflector::with(|number| vec![0, if number == 0 { 0 } else { 300 }]);
    let done = run(&format!(
        "sender {} 127.0.0.1:0 --duration 105ms -i 10 --timeout 3 --dscp be,ef --json",
        reflector.at
    ));
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    for session in document["sessions"].as_array().unwrap() {
        let packets = &session["packets"];
        assert!(packets["sent"].as_u64().unwrap() > 0, "{packets}");
        assert_eq!(packets["duplicates"], packets["sent"], "{packets}");
        assert_eq!(packets["received"], packets["sent"], "{packets}");
    }
}

#[test]
fn the_first_signal_ends_sending_and_what_was_sent_has_its_time() {
    // All replies take 300 ms: at the signal some thirty are under way.
    let reflector = Reflector::with(|_| vec![300]);
    let mut run = Running::start(&format!(
        "sender {} 127.0.0.1:0 --duration 600 -i 10 --timeout 5 --output jsonl",
        reflector.at
    ));
    run.wait_for("\"received\"");
    run.signal(&["INT"]);
    let done = run.finish();
    assert_eq!(done.status, 0);
    let packets = &done.session()["packets"];
    let sent = packets["sent"].as_u64().unwrap();
    assert!((1..60_000).contains(&sent), "{packets}");
    let expected = [
        ("received", sent),
        ("in_flight", 0),
        ("lost", 0),
        ("late", 0),
    ];
    counts(packets, expected);
}

#[test]
fn the_first_signal_on_a_silent_path_says_what_it_waits_for_and_counts_the_losses() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut run = Running::start(&format!(
        "sender {} 127.0.0.1:0 --duration 600 -i 10 --timeout 1.5 --json -d",
        silent.local_addr().unwrap()
    ));
    // What is on the way is known to the command a moment later.
    for _ in 0..30 {
        silent.recv(&mut [0; 100]).unwrap();
    }
    run.signal(&["INT"]);
    let mut stderr = String::new();
    let mut stream = run.0.stderr.take().unwrap();
    stream.read_to_string(&mut stderr).unwrap();
    let done = run.finish();
    let note =
        "note: waiting up to 1.5 s for replies; a second signal ends at once, without a report";
    assert!(stderr.contains(note), "{stderr}");
    let packets = &done.session()["packets"];
    assert_eq!(done.status, 3, "{packets}");
    assert_eq!(packets["lost"], packets["sent"], "{packets}");
    assert_eq!(packets["in_flight"], 0, "{packets}");
}

#[cfg(feature = "report")]
#[test]
fn replies_with_another_t1_are_counted_by_kind_and_leave_no_record() {
    // What comes for packet 6: its reply, then replies to it with the T1 of others of the run.
    let socket = far_socket(Ipv4Addr::LOCALHOST);
    socket.set_read_timeout(None).unwrap();
    let at = socket.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let forger = thread::spawn(move || {
        let mut requests: Vec<Vec<u8>> = Vec::new();
        let mut from = at;
        while requests.len() < 20 {
            let mut request = [0; 2_048];
            let (octets, sender) = socket.recv_from(&mut request).unwrap();
            from = sender;
            requests.push(request[..octets].to_vec());
            // With the last reply the run is over.
            for other in 0..if requests.len() < 10 { 0 } else { 10 } {
                let mut forged = requests[6].clone();
                let t1 = requests[other][4..12].to_vec();
                forged[4..12].copy_from_slice(&t1);
                if other == 6 {
                    forged[11] ^= 1;
                }
                socket.send_to(&reply_to(&forged, 6), sender).unwrap();
            }
            let count = u32::try_from(requests.len()).unwrap();
            socket
                .send_to(&reply_to(&request, count - 1), sender)
                .unwrap();
        }
        from
    });
    let line = format!("sender {at} 127.0.0.1:0 -c 20 -i 5 --timeout 20");
    let file = directory.path().join("run.parquet");
    let done = run(&format!("{line} --output jsonl --save {}", file.display()));
    forger.join().unwrap();
    let mut lines: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let session = &lines.pop().unwrap()["sessions"][0];
    assert_eq!(lines.len(), 20, "a record for each packet and no other");
    let expected = [
        ("received", 20),
        ("duplicates", 0),
        ("stale", 0),
        ("lost", 0),
    ];
    counts(&session["packets"], expected);
    assert_eq!(session["odd_replies"]["foreign_timestamp"], 110);
    let report = run(&format!("report {} --output jsonl", file.display()));
    assert_eq!(report.stdout.lines().count(), 21, "{}", report.stdout);
    let text = run(&format!("report {}", file.display())).stdout;
    assert!(
        text.contains("Odd replies      110 foreign timestamp"),
        "{text}"
    );
}

#[test]
fn a_copy_that_comes_too_late_is_counted_in_the_report_alone() {
    // Packet 0 is answered again after more than twice the timeout and a tenth of a second.
    let reflector = Reflector::with(|number| match number {
        0 => vec![0, 2_300],
        _ => vec![0],
    });
    let at = reflector.at;
    let line = format!("sender {at} 127.0.0.1:0 -c 70 -i 70 --timeout 1");
    let text = Running::start(&line);
    let done = run(&format!("{line} --json"));
    let packets = &done.session()["packets"];
    let expected = [
        ("received", 70),
        ("duplicates", 0),
        ("stale", 1),
        ("lost", 0),
    ];
    counts(packets, expected);
    let text = text.finish().stdout;
    assert!(
        text.contains("Odd replies      1 too late to count"),
        "{text}"
    );
}
