//! A path that loses, copies and reorders: every figure tells what was done to the packets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::program::{Responder, far_socket, run};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Between sender and reflector: loses the requests 10 to 12 and the reply to 50, copies the reply to
/// 70 and the request 80, and holds the reply to 90 back until that to 92 has passed.
struct Relay {
    at: SocketAddr,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The sender's number in a request.
fn number_of_request(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// The sender's number in a reply (RFC 5357 section 4.2.1).
fn number_of_reply(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[24..28].try_into().unwrap())
}

impl Relay {
    fn to(reflector: SocketAddr) -> Self {
        let (near, far) = (far_socket(LOCALHOST), far_socket(LOCALHOST));
        far.connect(reflector).unwrap();
        let at = near.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let sender = Arc::new(Mutex::new(None));
        let out = {
            let (near, far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (over, sender) = (Arc::clone(&over), Arc::clone(&sender));
            std::thread::spawn(move || {
                let mut packet = [0; 2048];
                while !over.load(Ordering::Relaxed) {
                    let Ok((octets, from)) = near.recv_from(&mut packet) else {
                        continue;
                    };
                    *sender.lock().unwrap() = Some(from);
                    let packet = &packet[..octets];
                    let times = match number_of_request(packet) {
                        10..=12 => 0,
                        80 => 2,
                        _ => 1,
                    };
                    for _ in 0..times {
                        far.send(packet).unwrap();
                    }
                }
            })
        };
        let back = {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut packet = [0; 2048];
                let mut held = None;
                while !over.load(Ordering::Relaxed) {
                    let Ok(octets) = far.recv(&mut packet) else {
                        continue;
                    };
                    let to = sender.lock().unwrap().unwrap();
                    let packet = &packet[..octets];
                    let number = number_of_reply(packet);
                    let times = match number {
                        50 => 0,
                        70 => 2,
                        90 => {
                            held = Some(packet.to_vec());
                            0
                        }
                        _ => 1,
                    };
                    for _ in 0..times {
                        near.send_to(packet, to).unwrap();
                    }
                    if number == 92 {
                        let held = held.take().unwrap();
                        near.send_to(&held, to).unwrap();
                    }
                }
            })
        };
        let threads = vec![out, back];
        Self { at, over, threads }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[track_caller]
fn is(found: &Value, pointer: &str, expected: &Value) {
    assert_eq!(found.pointer(pointer), Some(expected), "{pointer}");
}

#[test]
fn the_document_says_what_became_of_the_packets() {
    let responder = Responder::on_loopback();
    let relay = Relay::to(responder.at);
    let line = format!(
        "sender {} :0 -c 120 -i 5 --timeout 4 --json --bins=-10s,10s --percentiles-with-loss \
         --loss-noticeable 1 --voice g729a --jitter-buffer 60",
        relay.at
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    for (pointer, expected) in [
        ("/packets/lost", json!(4)),
        ("/packets/loss_ratio_forward", json!(3.0 / 120.0)),
        ("/packets/loss_ratio_backward", json!(1.0 / 117.0)),
        ("/loss_periods/periods", json!(2)),
        ("/loss_periods/longest", json!(3)),
        ("/loss_periods/mean_inter_length", json!(38.0)),
        ("/loss_periods/delta", json!(1)),
        ("/loss_periods/noticeable", json!(2)),
        ("/duplication/copies", json!(2)),
        ("/duplication/copies_forward", json!(1)),
        ("/duplication/copies_backward", json!(1)),
        ("/duplication/replicated", json!(2)),
        ("/reordering/round_trip/reordered", json!(1)),
        ("/reordering/round_trip/extent_max", json!(2)),
        ("/reordering/round_trip/n_largest", json!(2)),
        ("/reordering/forward/reordered", json!(0)),
        ("/reordering/backward/reordered", json!(1)),
        // The relay sends with a TTL of its own.
        ("/ttl_forward/min", json!(64)),
        ("/ttl_forward/hops_max", json!(null)),
        ("/ttl_backward/hops_max", json!(null)),
        ("/marking/backward/remarked_dscp", json!(0)),
        ("/availability/ratio", json!(1.0)),
        ("/percentiles_with_loss/round_trip/undefined", json!(4)),
        ("/percentiles_with_loss/round_trip/p99_ns", json!(null)),
        ("/percentiles_with_loss/forward/undefined", json!(3)),
        ("/bins/round_trip/1/count", json!(116)),
        ("/histograms/round_trip/count", json!(116)),
        ("/voice/codec", json!("G.729A")),
        ("/voice/jitter_buffer_ns", json!(60_000_000)),
        ("/voice/forward/loss_from_round_trip", json!(false)),
        ("/voice/round_trip", json!(null)),
        // One host has one clock.
        ("/one_way/basis", json!("synchronized")),
        ("/one_way/forward/raw/error_bound_ns", json!(20_000)),
    ] {
        is(&session, pointer, &expected);
    }
    let burst = session.pointer("/voice/forward/loss_ratio").unwrap();
    assert!(burst.as_f64().unwrap() >= 3.0 / 120.0, "{burst}");
}

#[test]
fn the_user_says_what_unavailable_is_and_whether_the_reflector_counts() {
    let responder = Responder::on_loopback();
    let relay = Relay::to(responder.at);
    let line = format!(
        "sender {} :0 -c 120 -i 25 --timeout 4 --json --unavailable 0%/1/500ms --reflector stateless",
        relay.at
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    for (pointer, expected) in [
        ("/packets/lost", json!(4)),
        ("/packets/lost_forward", json!(null)),
        ("/availability/block_ns", json!(500_000_000)),
        ("/availability/bad_above", json!(0.0)),
        ("/availability/in_a_row", json!(1)),
    ] {
        is(&session, pointer, &expected);
    }
    let count = |key: &str| session["availability"][key].as_u64().unwrap();
    assert!((2..=3).contains(&count("bad_blocks")), "{session}");
    assert_eq!(count("unavailable_blocks"), count("bad_blocks"));
    assert_eq!(count("outages"), 2);
}

#[test]
fn the_page_says_it_in_a_few_lines() {
    let responder = Responder::on_loopback();
    let relay = Relay::to(responder.at);
    let line = format!(
        "sender {} :0 -c 120 -i 5 --timeout 4 --bins=-10s,10s --percentiles-with-loss --voice g711-noplc",
        relay.at
    );
    let page = run(&line).stdout;
    for part in [
        "\nLoss bursts      2, longest 3, mean 2.0; 38.0 packets from one to the next\n",
        "\nReordering       0 outbound, 1 inbound; extent up to 2, late by up to ",
        "\nDuplicates       2 copies of 2 packets: 1 outbound, 1 inbound\n",
        "\nWith losses          Outbound     Inbound   Roundtrip\n",
        "\np99                       inf",
        "\nVoice            G.711, jitter buffer 40 ms, estimated by the E-model",
        "\n-10 s                    10 s         116         116         116\n",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn the_offset_of_one_clock_to_itself_is_nothing_within_its_bound() {
    let responder = Responder::on_loopback();
    let relay = Relay::to(responder.at);
    let line = format!("sender {} :0 -c 120 -i 5 --timeout 4 --json", relay.at);
    let session = run(&line).session();
    let clocks = session.pointer("/one_way/clocks").unwrap();
    let of = |key: &str| clocks[key].as_i64().unwrap();
    let bound = of("offset_error_bound_ns");
    assert!(of("offset_ns").abs() <= bound, "{clocks}");
    assert!(clocks["skew_ppm"].is_null(), "{clocks}");
    let variation = session.pointer("/one_way/forward/variation/count");
    assert_eq!(variation, Some(&json!(116)));
}

/// Between sender and reflector: loses what is longer than 1000 octets.
struct Narrow {
    at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Narrow {
    fn to(reflector: SocketAddr) -> Self {
        let socket = far_socket(LOCALHOST);
        let at = socket.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 2048];
            let mut sender = None;
            while !ends.load(Ordering::Relaxed) {
                let Ok((octets, from)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                let to = if from == reflector {
                    sender
                } else {
                    sender = Some(from);
                    Some(reflector)
                };
                if let Some(to) = to.filter(|_| octets <= 1_000) {
                    socket.send_to(&packet[..octets], to).unwrap();
                }
            }
        });
        let thread = Some(thread);
        Self { at, over, thread }
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn a_path_that_loses_large_packets_alone_is_told_by_their_size() {
    let responder = Responder::on_loopback();
    let narrow = Narrow::to(responder.at);
    let line = format!("sender {} --padding -1 -c 240 -i 2 --timeout 3", narrow.at);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let done = run(&format!("{line} --json --save {file}"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("20 of 20 packets of 1472 octets were lost, and 0 of 220 smaller ones"),
        "{}",
        done.stderr
    );
    let counts = |session: &Value| -> Vec<[u64; 4]> {
        let sizes = session["loss_by_size"].as_array().unwrap();
        sizes
            .iter()
            .map(|size| {
                ["octets", "sent", "received", "lost"].map(|key| size[key].as_u64().unwrap())
            })
            .collect()
    };
    let expected = [[22, 140, 140, 0], [548, 80, 80, 0], [1_472, 20, 0, 20]];
    assert_eq!(counts(&done.session()), expected);
    assert_eq!(done.session()["loss_by_size"][2]["loss_ratio"], 1.0);
    if cfg!(feature = "report") {
        let again = run(&format!("report {file} --json"));
        assert_eq!(counts(&again.session()), expected, "from the raw file");
        let twice = run(&format!("report --merge {file} {file} --json"));
        assert_eq!(counts(&twice.session())[2], [1_472, 40, 0, 40], "added up");
    }
    let text = run(&line).unwrapped();
    let said = "\nLost by size     0 of 140 of 22 octets, 0 of 80 of 548 octets, 20 of 20 of 1472 octets\n";
    assert!(text.contains(said), "{text}");
    let alike = run(&format!("sender {} -c 5 -i 2 --json", narrow.at));
    assert_eq!(alike.session()["loss_by_size"], Value::Null);
}
