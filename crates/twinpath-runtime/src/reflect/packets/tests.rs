//! T3 as it goes into replies, over real sockets, where measurements say an hour: no clock is so far off.

use std::net::UdpSocket;
use std::time::Duration;

use twinpath_net::{ArrivalInterface, BindError, Role, SocketOptions};
use twinpath_proto::extension::ControlPolicy;
use twinpath_proto::reflector::{Access, ReflectorConfig};
use twinpath_wire::{Delta, ReplyHead, TimeFormat};

use super::*;
use crate::reflect::departures::WARM;
use crate::reflect::host_watch::HostView;

#[cfg(feature = "control")]
mod roles;

const NOW: Mono = Mono::from_ns(5_000_000_000);
const HOUR: Duration = Duration::from_hours(1);
/// By so much the call of a stamped reply is dearer.
const DEARER: Duration = Duration::from_mins(10);
/// Replies with a requested stamp, others, and those that are not advanced.
const STAMPED: i64 = 60;
const PLAIN: i64 = 50;
const AS_READ: i64 = 0;

/// The nearest number of minutes.
fn minutes(advance: Delta) -> i64 {
    (advance.ns() + 30_000_000_000).div_euclid(60_000_000_000)
}

/// A reflector's socket, and all that its thread has.
struct Reflector {
    socket: TestSocket,
    state: SocketState,
    packets: Packets,
    engine: SessionReflector,
    now: Mono,
}

impl Reflector {
    /// To which all senders are other hosts.
    fn at(near: &str) -> Self {
        // As a responder opens it: what TLVs have the system report is on the same path.
        let options = SocketOptions {
            role: Role::Reflector {
                shares_port: false,
                arrivals_by: ArrivalInterface::Assumed,
            },
            ..SocketOptions::reflector(near.parse().unwrap())
        };
        let socket = TestSocket::open(&options).unwrap();
        let mut packets = Packets::new(false);
        packets.departures.host = HostView::alone();
        Self {
            state: SocketState::of(&socket, 0, true, &MemberLinks::default()),
            socket,
            packets,
            engine: SessionReflector::new(ReflectorConfig::default()),
            now: NOW,
        }
    }

    /// Answers this many requests to `far`, sent before the first is read: by how many minutes each T3
    /// was advanced.
    fn answer(&mut self, far: &str, requests: usize) -> Vec<i64> {
        let far = SocketAddr::new(far.parse().unwrap(), self.socket.local().port());
        let near = if far.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let sender = UdpSocket::bind(near).unwrap();
        for _ in 0..requests {
            sender.send_to(&[0; 60], far).unwrap();
        }
        let Self {
            socket,
            state,
            packets,
            engine,
            now,
        } = self;
        packets.room = BATCH;
        let taken = packets.reflect_batch(socket, state, engine, *now).unwrap();
        assert_eq!(taken, requests);
        sender
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let advances = (0..requests).map(|_| advance(&sender)).collect();
        assert_eq!(self.packets.departures.send_errors, 0);
        advances
    }

    /// Each path that is known was measured, an hour at a time.
    fn measured(&mut self) {
        self.packets
            .departures
            .paths
            .measured(HOUR, DEARER, self.now);
    }
}

/// By how many minutes T3 of the next reply was advanced.
fn advance(sender: &UdpSocket) -> i64 {
    let mut reply = [0; 60];
    sender.recv(&mut reply).unwrap();
    let (head, _) = ReplyHead::view(&reply).unwrap();
    let now = clock::wall();
    minutes(head.t3.read(TimeFormat::Ntp, now, 0) - now)
}

/// Both families, each with the path to a sender of it measured.
fn reflectors() -> [(&'static str, Reflector); 2] {
    [("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0")].map(|(far, near)| {
        let mut reflector = Reflector::at(near);
        assert_eq!(
            reflector.answer(far, 2),
            [AS_READ; 2],
            "nothing was measured"
        );
        assert_eq!(reflector.packets.departures.t3_advance_ns, None);
        reflector.measured();
        (far, reflector)
    })
}

#[test]
fn t3_of_each_reply_is_advanced_with_a_stamp_and_without() {
    for (far, mut reflector) in reflectors() {
        assert_eq!(reflector.answer(far, 1), [STAMPED], "{far}");
        assert_eq!(
            reflector.packets.departures.t3_advance_ns,
            u64::try_from(HOUR.as_nanos()).ok()
        );
        reflector.measured();
        let few = reflector.answer(far, FLOOD - 1);
        assert_eq!(few[FLOOD - 2], STAMPED, "{far}: {few:?}");
        assert_eq!(few[..FLOOD - 2], [PLAIN; FLOOD - 2], "{far}: {few:?}");
        // After a pause, that is on another path.
        reflector.now = NOW + WARM;
        reflector.measured();
        assert_eq!(reflector.answer(far, 2), [PLAIN, STAMPED], "{far}");
    }
}

#[test]
fn t3_of_each_reply_of_a_flood_is_advanced() {
    for (far, mut reflector) in reflectors() {
        for requests in [FLOOD, BATCH - 1, BATCH] {
            reflector.measured();
            let flood = reflector.answer(far, requests);
            let stamped = flood.iter().filter(|minutes| **minutes == STAMPED).count();
            let plain = flood.iter().filter(|minutes| **minutes == PLAIN).count();
            assert_eq!((stamped, plain), (1, requests - 1), "{far}: {flood:?}");
        }
    }
}

#[test]
fn between_addresses_of_this_host_t3_is_sent_as_it_was_read() {
    for (far, mut reflector) in reflectors() {
        reflector.packets.departures.host = HostView::new();
        for requests in [1, FLOOD - 1, FLOOD, BATCH] {
            let minutes = reflector.answer(far, requests);
            assert_eq!(minutes, vec![AS_READ; requests], "{far}");
            // A path without a wire is no evidence about other paths either.
            assert!(reflector.state.awaited.is_empty());
        }
        assert_eq!(reflector.packets.departures.t3_advance_ns, None);
    }
}

#[test]
fn what_was_measured_on_one_path_is_not_used_on_another() {
    let any = SocketOptions::reflector("0.0.0.0:0".parse().unwrap());
    if let Err(error @ BindError::Indistinct { .. }) = TestSocket::open(&any) {
        eprintln!("skipped: plain sockets do not tell paths apart ({error})");
        return;
    }
    let mut reflector = Reflector::at("0.0.0.0:0");
    assert_eq!(reflector.answer("127.0.0.1", 2), [AS_READ; 2]);
    for requests in [1, 5, BATCH] {
        reflector.measured();
        let other = format!("127.0.0.{}", requests + 1);
        let minutes = reflector.answer(&other, requests);
        assert_eq!(minutes, vec![AS_READ; requests], "{other}");
        let measured = reflector.answer("127.0.0.1", requests);
        assert!(!measured.contains(&AS_READ), "{measured:?}");
    }
}

#[test]
fn room_is_made_for_as_many_requests_as_come() {
    let mut reflector = Reflector::at("127.0.0.1:0");
    reflector.answer("127.0.0.1", 1);
    let Reflector {
        socket,
        state,
        packets,
        engine,
        now,
    } = &mut reflector;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..2 * BATCH {
        sender.send_to(&[0; 60], socket.local()).unwrap();
    }
    let mut take = || packets.reflect_batch(socket, state, engine, *now).unwrap();
    assert_eq!([(); 5].map(|()| take()), [16, 32, 64, 16, 0]);
}

#[test]
fn a_fresh_port_begins_with_what_is_known_of_its_path() {
    for (far, mut reflector) in reflectors() {
        let near = reflector.socket.local();
        let fresh = Reflector::at(&SocketAddr::new(near.ip(), 0).to_string());
        (reflector.socket, reflector.state) = (fresh.socket, fresh.state);
        assert_eq!(reflector.answer(far, 1), [STAMPED], "{far}");
    }
}

#[test]
fn what_was_measured_after_a_pause_is_not_used_right_behind_another_reply() {
    for (far, near) in [("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0")] {
        let mut reflector = Reflector::at(near);
        assert_eq!(reflector.answer(far, 1), [AS_READ], "nothing was measured");
        reflector.measured();
        reflector.now = NOW + WARM;
        assert_eq!(reflector.answer(far, 3), [PLAIN, AS_READ, AS_READ], "{far}");
        assert_eq!(reflector.answer(far, 1), [AS_READ], "{far}");
        reflector.measured();
        assert_eq!(reflector.answer(far, 1), [STAMPED], "{far}");
    }
}

#[test]
fn t3_of_further_replies_to_a_request_is_advanced() {
    // Three, 1 ms apart.
    const THREE: [u8; 16] = [0x80, 12, 0, 12, 0, 0, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];
    for (far, mut reflector) in reflectors() {
        let mut config = ReflectorConfig::default();
        config.extensions.control = Some(ControlPolicy {
            unauthenticated: true,
            ..ControlPolicy::within(Access::new(&[]))
        });
        reflector.engine = SessionReflector::new(config);
        let sender = UdpSocket::bind((far, 0)).unwrap();
        sender
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut request = [0; 60];
        request[13..16].copy_from_slice(&[1, 0, 7]);
        request[44..].copy_from_slice(&THREE);
        let Reflector {
            socket,
            state,
            packets,
            engine,
            ..
        } = &mut reflector;
        sender.send_to(&request, socket.local()).unwrap();
        packets.departures.paths.measured(HOUR, DEARER, NOW);
        packets.reflect_batch(socket, state, engine, NOW).unwrap();
        assert!(advance(&sender) >= PLAIN, "{far}");
        for second in 1..=2 {
            let due = clock::mono() + Duration::from_secs(second);
            assert_eq!(engine.next_copy(due), Some(state.id), "{far}");
            packets.departures.paths.measured(HOUR, DEARER, due);
            packets.send_copy(socket, state, engine, due);
            assert!(advance(&sender) >= PLAIN, "{far}");
        }
        assert_eq!(engine.counters().control.copies, 2, "{far}");
    }
}
