//! Trains to a far end a long way off.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::*;

/// How long its replies take.
const ROUND_TRIP: Duration = Duration::from_millis(150);
/// Where a reply has the number of its request.
const NUMBER_AT: usize = 24;

/// A reflector whose replies come late, each so often.
struct LongWay {
    at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LongWay {
    fn start(copies: usize) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = socket.local_addr().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut late = VecDeque::new();
            let mut octets = [0; 2_048];
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((count, from)) = socket.recv_from(&mut octets) {
                    let mut reply = vec![0; NUMBER_AT];
                    reply.extend(&octets[..count]);
                    late.push_back((Instant::now() + ROUND_TRIP, reply, from));
                }
                while late.front().is_some_and(|(due, ..)| *due <= Instant::now()) {
                    let (_, reply, from) = late.pop_front().unwrap();
                    for _ in 0..copies {
                        socket.send_to(&reply, from).unwrap();
                    }
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

impl Drop for LongWay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Packets of these numbers, 10 ms apart.
fn train(far: SocketAddr, numbers: std::ops::Range<u32>, number_at: Option<usize>) -> Train {
    let packet = |number: u32| TrainPacket {
        octets: number.to_be_bytes().to_vec(),
        tos: Tos(0),
    };
    Train {
        far,
        path: PathOptions::default(),
        packets: numbers.map(packet).collect(),
        interval: Duration::from_millis(10),
        patience: Duration::from_secs(10),
        number_at,
        stops_where_closed: false,
        is_first: false,
    }
}

/// Packets of a train with a reply.
fn answered(train: &Train, seen: &TrainSeen) -> usize {
    let is_answered = |packet: &&TrainPacket| {
        let mut replies = seen.replies.iter();
        replies.any(|reply| reply.octets[NUMBER_AT..] == packet.octets)
    };
    train.packets.iter().filter(is_answered).count()
}

fn is_never_stopped() -> bool {
    false
}

#[cfg(feature = "control")]
#[test]
fn late_replies_to_packets_before_do_not_end_a_train() {
    const OFFSETS: [Duration; 4] = [
        Duration::ZERO,
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(140),
    ];
    // Numbers are encrypted in secured sessions.
    for number_at in [Some(NUMBER_AT), None] {
        let far = LongWay::start(1);
        let near = Ipv4Addr::LOCALHOST.into();
        let mut socket = TrainSocket::open(near, far.at).unwrap();
        let opening = train(far.at, 0..4, number_at);
        let seen = socket.run(&opening, Some(&OFFSETS), &is_never_stopped);
        assert!(!seen.replies.is_empty());
        let paced = train(far.at, 100..112, number_at);
        let seen = socket.run(&paced, None, &is_never_stopped);
        assert_eq!(answered(&paced, &seen), 12, "{number_at:?}");
    }
}

#[test]
fn copies_of_replies_do_not_end_a_train() {
    let far = LongWay::start(3);
    let train = train(far.at, 0..20, Some(NUMBER_AT));
    let seen = run_trains(std::slice::from_ref(&train), None, &is_never_stopped).unwrap();
    let seen = seen.into_iter().next().unwrap().unwrap();
    assert_eq!(answered(&train, &seen), 20);
}

#[test]
fn packets_that_are_alike_have_a_reply_each() {
    let far = LongWay::start(1);
    let mut train = train(far.at, 7..8, Some(NUMBER_AT));
    train.packets = vec![train.packets[0].clone(); 5];
    let seen = run_trains(std::slice::from_ref(&train), None, &is_never_stopped).unwrap();
    let seen = seen.into_iter().next().unwrap().unwrap();
    assert_eq!(seen.replies.len(), 5);
}

#[test]
fn a_far_end_that_has_answered_nothing_is_waited_for_longer() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut train = train(silent.local_addr().unwrap(), 0..3, Some(NUMBER_AT));
    train.patience = Duration::from_millis(50);
    train.is_first = true;
    let longest = Duration::from_millis(600);
    let waited = |waiting: &Waiting| {
        let seen = run_trains(
            std::slice::from_ref(&train),
            Some(waiting),
            &is_never_stopped,
        );
        seen.unwrap().into_iter().next().unwrap().unwrap().waited
    };
    // The packets themselves take 20 ms.
    let least = Duration::from_millis(500);
    assert!(waited(&Waiting::new(train.patience, longest)) >= least);
    let stopped = Waiting::new(train.patience, Duration::from_mins(1));
    stopped.stop();
    assert!(waited(&stopped) < Duration::from_secs(30));
}
