//! Both engines in memory, with many sessions: how many of them are looked at.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "other events ask for nothing"
)]

use std::cell::Cell;
use std::sync::Arc;

use twinpath_wire::Mono;
use twinpath_wire::control::{Accept, Modes, Sid};

use crate::control::{
    Admission, ClientEvent, ClientPlan, ControlClient, Nonces, Opened, Server, ServerConfig,
    ServerEvent, SessionPlan,
};
use crate::security::KeyTable;

const NOW: Mono = Mono::from_ns(1_000_000_000_000);

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn look(sessions: usize) {
    LOOKS.set(LOOKS.get() + sessions);
}

/// A client, its Server, and what became of the sessions.
struct Pair {
    client: ControlClient,
    server: Server,
    all: usize,
    /// None of them can be started.
    is_broken: bool,
    opened: u32,
    started: usize,
    refused: usize,
    stopped: usize,
    /// Each session is stopped by itself.
    one_by_one: bool,
}

impl Pair {
    fn of(sessions: u32, features: Modes) -> Self {
        let session_plan = SessionPlan {
            sender_port: 20_000,
            ..SessionPlan::default()
        };
        let plan = ClientPlan {
            required: features,
            sessions: vec![session_plan; sessions as usize],
            ..ClientPlan::default()
        };
        let [near, far] = ["192.0.2.1:50000", "192.0.2.2:862"].map(|at| at.parse().unwrap());
        let config = ServerConfig {
            modes: Modes::UNAUTHENTICATED | features,
            max_sessions: sessions,
            ..ServerConfig::default()
        };
        let keys = Arc::new(KeyTable::new([0; 16], 16_384, [0; 16]));
        let nonces = Nonces::default();
        let served = Admission::Served;
        Self {
            client: ControlClient::new(plan, NOW, far),
            server: Server::new(Arc::new(config), keys, served, nonces, NOW, near, far),
            all: sessions as usize,
            is_broken: false,
            opened: 0,
            started: 0,
            refused: 0,
            stopped: 0,
            one_by_one: false,
        }
    }

    /// From the greeting to the close; how many sessions were looked at.
    fn looks(&mut self) -> usize {
        let before = LOOKS.get();
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let mut rounds = 0..10 * self.all + 100;
        while !self.client.is_closed() {
            assert!(rounds.next().is_some(), "they wait for each other");
            up.drain(..self.server.handle_input(NOW, &up));
            down.drain(..self.client.handle_input(NOW, &down));
            self.obey();
            let _dues = (self.client.poll_timeout(), self.server.poll_timeout());
            let _is_idle = !self.server.has_sessions();
            while let Some(message) = self.client.poll_output().map(<[u8]>::to_vec) {
                self.client.handle_written(NOW, message.len());
                up.extend(message);
            }
            while let Some(message) = self.server.poll_output().map(<[u8]>::to_vec) {
                self.server.handle_written(NOW, message.len());
                down.extend(message);
            }
        }
        self.server.handle_eof(NOW);
        LOOKS.get() - before
    }

    fn obey(&mut self) {
        let mut starting = Vec::new();
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Open(_) => {
                    let opened = Opened {
                        // In no order.
                        sid: sid(self.opened.wrapping_mul(0x9e37_79b9)),
                        port: 20_000,
                        server_octets: 0,
                    };
                    self.opened += 1;
                    self.server.answer_open(NOW, Ok(opened));
                }
                ServerEvent::Start(sid) if self.is_broken => starting.push(sid),
                ServerEvent::Note(deviation) => panic!("{deviation:?}"),
                _ => {}
            }
        }
        self.server.refuse_start(&starting, Accept::InternalError);
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Settled { .. } => {
                    self.client.start(NOW);
                }
                ClientEvent::Started { index } => {
                    self.started += 1;
                    if self.one_by_one {
                        self.client.stop_sessions(NOW, &[index]);
                    } else if self.started == self.opened as usize {
                        self.client.stop(NOW, Accept::Ok);
                    }
                }
                ClientEvent::Refused { .. } => self.refused += 1,
                ClientEvent::Stopped { .. } => self.stopped += 1,
                ClientEvent::UnexpectedAck { .. } | ClientEvent::Failed(_) => panic!("{event:?}"),
                _ => {}
            }
        }
        if self.opened > 0 && self.stopped + self.refused == self.opened as usize {
            self.client.close(NOW);
        }
    }
}

fn sid(number: u32) -> Sid {
    Sid(u128::from(number).to_be_bytes())
}

/// A session takes no more work beside thousands than beside a few.
fn is_the_same_for_many(pair: impl Fn(u32) -> Pair) {
    let [few, many] = [10, 3_000].map(|sessions| {
        let mut pair = pair(sessions);
        let looks = pair.looks();
        let ends = if pair.is_broken {
            (0, pair.all, 0)
        } else {
            (pair.all, 0, pair.all)
        };
        assert_eq!((pair.started, pair.refused, pair.stopped), ends);
        looks / pair.all
    });
    assert!((1..=few).contains(&many), "{few}, {many}");
}

#[test]
fn sessions_that_are_started_and_stopped_together_take_the_same_work_each() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        is_the_same_for_many(|sessions| Pair::of(sessions, features));
    }
}

#[test]
fn sessions_that_are_stopped_one_by_one_take_the_same_work_each() {
    is_the_same_for_many(|sessions| Pair {
        one_by_one: true,
        ..Pair::of(sessions, Modes::INDIVIDUAL_CONTROL)
    });
}

#[test]
fn sessions_that_cannot_be_started_take_the_same_work_each() {
    is_the_same_for_many(|sessions| Pair {
        is_broken: true,
        ..Pair::of(sessions, Modes::INDIVIDUAL_CONTROL)
    });
}

/// A message of a scripted Server: zero but for these octets.
fn octets(length: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut message = vec![0; length];
    for (at, field) in fields {
        message[*at..*at + field.len()].copy_from_slice(field);
    }
    message
}

/// Start-N-Ack (8) or Stop-N-Ack (10) with one SID, as often as there are sessions.
fn acknowledgement(command: u8, sessions: u32) -> Vec<u8> {
    let all = sessions as usize;
    let head: [(usize, &[u8]); 2] = [(0, &[command]), (12, &sessions.to_be_bytes())];
    let mut message = octets(32 + 16 * all, &head);
    message[16..16 * (all + 1)].copy_from_slice(&sid(7).0.repeat(all));
    message
}

#[test]
fn a_server_that_gives_all_sessions_one_name_makes_no_more_work() {
    let [few, many] = [10_u32, 3_000].map(|sessions| {
        let mut client = Pair::of(sessions, Modes::INDIVIDUAL_CONTROL).client;
        let accept = octets(48, &[(2, &[0x4e, 0x20]), (4, &sid(7).0)]);
        let mut said = octets(64, &[(12, &17_u32.to_be_bytes())]);
        said.extend(octets(48, &[]));
        said.extend(accept.repeat(sessions as usize));
        let before = LOOKS.get();
        let (mut started, mut stopped) = (0, 0);
        while !said.is_empty() {
            let taken = client.handle_input(NOW, &said);
            said.drain(..taken);
            while let Some(event) = client.poll_event() {
                match event {
                    ClientEvent::Settled { .. } => {
                        client.start(NOW);
                        said.extend(acknowledgement(8, sessions));
                    }
                    ClientEvent::Started { .. } => started += 1,
                    ClientEvent::Stopped { .. } => stopped += 1,
                    ClientEvent::Failed(_) => panic!("{event:?}"),
                    _ => {}
                }
            }
            if said.is_empty() && stopped == 0 {
                client.stop(NOW, Accept::Ok);
                said.extend(acknowledgement(10, sessions));
            }
        }
        assert_eq!((started, stopped), (sessions, sessions));
        (LOOKS.get() - before) / sessions as usize
    });
    assert!((1..=few).contains(&many), "{few}, {many}");
}
