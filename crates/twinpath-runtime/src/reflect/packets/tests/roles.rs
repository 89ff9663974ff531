//! T3 in the replies of every role, as the session's sender reads it.

use std::sync::Arc;

use twinpath_proto::reflector::{NegotiatedConfig, SessionSpec};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
};
use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
use twinpath_proto::{ClockPair, TestFeatures, TestGuard};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Arrival, Dscp, Rung, Stamp};

use super::*;
use crate::reflect::paths::Paths;

const SID: Sid = Sid([7; 16]);
/// Requests of a batch: alone, a few, and a flood.
const BATCHES: [usize; 3] = [1, FLOOD - 1, FLOOD + 1];

/// What a session's packets look like: a responder's, and a server's.
fn roles() -> Vec<Wire> {
    let agreed = [
        Modes::UNAUTHENTICATED,
        Modes::AUTHENTICATED,
        Modes::ENCRYPTED,
    ];
    let agreed = agreed.map(|modes| {
        Wire::twamp(TestFeatures {
            modes,
            ..TestFeatures::default()
        })
    });
    let authenticated = Wire::stamp(9).authenticated();
    [
        Wire::TWAMP_LIGHT,
        Wire::stamp(0),
        Wire::stamp(9),
        authenticated,
    ]
    .into_iter()
    .chain(agreed)
    .collect()
}

/// A session's sender, its socket, and the reflector.
struct Exchange {
    sender: SessionSender,
    socket: UdpSocket,
    reflector: Reflector,
}

impl Exchange {
    fn new(wire: Wire, loopback: &str, raw_t3: bool) -> Self {
        let near = SocketAddr::new(loopback.parse().unwrap(), 0);
        let socket = UdpSocket::bind(near).unwrap();
        let timeout = Duration::from_secs(10);
        socket.set_read_timeout(Some(timeout)).unwrap();
        let mut reflector = Reflector::at(&near.to_string());
        let far = reflector.socket.local();
        let mut guard = TestGuard::default();
        if let Some(TestFeatures { modes, .. }) = wire.format.features() {
            guard = TestGuard::with_keys(modes, &SessionKeys::new([1; 16], [2; 32]), SID);
            let spec = SessionSpec {
                sid: SID,
                sender: socket.local_addr().unwrap(),
                modes,
                dscp: Dscp::BE,
                padding_length: 0,
                timeout,
                refwait: HOUR,
                padding_to_reflect: 0,
                server_octets: 0,
                nat: None,
                begins: None,
            };
            let mut engine = SessionReflector::for_negotiated(NegotiatedConfig::default());
            let opened = engine.open_guarded(spec, guard.clone(), far.port(), Some(far.ip()));
            assert_eq!(opened, Ok(()));
            engine.start(SID, NOW);
            reflector.engine = engine;
        } else if wire.is_secured() {
            let key = StampKey::new(&[3; 16]).unwrap();
            let keys = StampKeys::new([(KeyScope::Default, key.clone())]);
            reflector.engine.set_keys(Arc::new(keys));
            guard = TestGuard::stamp(key);
        }
        reflector.packets.departures.paths = Paths::new(raw_t3);
        let sender = SessionSender::new(SenderConfig {
            wire,
            far,
            start: NOW,
            schedule: Schedule::every(Duration::from_nanos(1)),
            limit: Limit::Endless,
            timeout,
            payload: PayloadSize::Fixed(112),
            fill: Fill::Zero,
            seed: 7,
            max_burst: 1_000,
            error: crate::error_estimate(),
            tai_offset_s: 37,
            await_tx_stamps: false,
        });
        Self {
            sender: sender.guarded(guard),
            socket,
            reflector,
        }
    }

    /// Has this many requests answered that were sent before the first is read: by how many minutes T3 was
    /// advanced in each reply.
    fn answer(&mut self, requests: usize) -> Vec<i64> {
        let far = self.reflector.socket.local();
        let now = self.reflector.now + Duration::from_micros(1);
        self.reflector.now = now;
        let mut packet = vec![0; self.sender.largest_payload()];
        for _ in 0..requests {
            let transmit = self.sender.poll_transmit(now, &mut packet).unwrap();
            let (octets, wall) = (transmit.octets, clock::wall());
            let pair = ClockPair { mono: now, wall };
            self.sender.finish(&mut packet, transmit, pair);
            self.socket.send_to(&packet[..octets], far).unwrap();
        }
        let Reflector {
            socket,
            state,
            packets,
            engine,
            ..
        } = &mut self.reflector;
        let taken = packets.reflect_batch(socket, state, engine, now).unwrap();
        assert_eq!(taken, requests, "{:?}", engine.counters());
        let minutes = (0..requests).map(|_| {
            let mut reply = [0; 256];
            let (octets, from) = self.socket.recv_from(&mut reply).unwrap();
            let at = clock::wall();
            let arrival = Arrival::new(
                Stamp {
                    at,
                    rung: Rung::User,
                },
                from,
            );
            self.sender.handle_reply(now, &reply[..octets], &arrival);
            let sample = self.sender.poll_sample().unwrap();
            minutes(sample.t3.unwrap() - at)
        });
        minutes.collect()
    }
}

#[test]
fn the_sender_of_every_role_reads_t3_as_it_was_advanced() {
    for wire in roles() {
        for loopback in ["127.0.0.1", "::1"] {
            let mut exchange = Exchange::new(wire, loopback, false);
            assert_eq!(exchange.answer(2), [AS_READ; 2], "nothing was measured");
            for requests in BATCHES {
                let reflector = &mut exchange.reflector;
                reflector
                    .packets
                    .departures
                    .paths
                    .measured(HOUR, DEARER, reflector.now);
                let mut minutes = exchange.answer(requests);
                assert_eq!(minutes.pop(), Some(STAMPED), "{wire:?}, {loopback}");
                assert_eq!(minutes, vec![PLAIN; requests - 1], "{wire:?}, {loopback}");
            }
        }
    }
}

#[test]
fn with_raw_t3_the_sender_of_every_role_reads_t3_as_it_was_read() {
    for wire in roles() {
        for loopback in ["127.0.0.1", "::1"] {
            let mut exchange = Exchange::new(wire, loopback, true);
            for requests in BATCHES {
                let minutes = exchange.answer(requests);
                assert_eq!(minutes, vec![AS_READ; requests], "{wire:?}, {loopback}");
                let reflector = &mut exchange.reflector;
                reflector
                    .packets
                    .departures
                    .paths
                    .measured(HOUR, DEARER, reflector.now);
            }
            assert_eq!(exchange.reflector.packets.departures.t3_advance_ns, None);
        }
    }
}
