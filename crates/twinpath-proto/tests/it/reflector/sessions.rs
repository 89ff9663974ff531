//! Sequence numbers: whose they are, and when they restart.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
use twinpath_wire::{Arrival, Mono};

use super::support::{THERE, arrival, ask, from_port, light, ms, number, reflector, stamp};

fn numbered(ours: &mut SessionReflector, now: Mono, request: &[u8], arrival: &Arrival) -> u32 {
    number(&ask(ours, now, request, arrival).unwrap().0)
}

#[test]
fn numbers_count_replies_and_not_requests() {
    let mut ours = reflector(|_| {});
    for (expected, seq) in (0..).zip([0, 1, 5, 5, 2, u32::MAX]) {
        assert_eq!(
            numbered(&mut ours, ms(0), &light(seq, &[]), &arrival()),
            expected
        );
    }
}

#[test]
fn each_address_port_and_ssid_has_numbers_of_its_own() {
    let mut ours = reflector(|_| {});
    let from = |from: &str| Arrival {
        from: from.parse().unwrap(),
        ..arrival()
    };
    let arrivals = [
        arrival(),
        from_port(20_001),
        from("192.0.2.3:20000"),
        from("[2001:db8::1]:20000"),
        from("[fe80::1%1]:20000"),
        from("[fe80::1%2]:20000"),
        Arrival {
            to: Some("192.0.2.77".parse().unwrap()),
            ..arrival()
        },
        Arrival {
            to_port: 863,
            ..arrival()
        },
        Arrival {
            to: None,
            ..arrival()
        },
    ];
    for round in [0, 1] {
        for arrival in &arrivals {
            for ssid in [0, 1, 2] {
                let request = stamp(round, ssid, &[]);
                let number = numbered(&mut ours, ms(0), &request, arrival);
                assert_eq!(number, round, "{arrival:?}, SSID {ssid}");
            }
        }
    }
    assert_eq!(ours.counters().sessions, arrivals.len() as u64 * 3);
}

#[test]
fn sizes_of_an_imix_share_one_session_whether_they_look_like_stamp_or_not() {
    let mut ours = reflector(|_| {});
    for (expected, padding) in (0..).zip([8, 30, 534, 1458, 27]) {
        let request = light(expected, &vec![0; padding]);
        assert_eq!(numbered(&mut ours, ms(0), &request, &arrival()), expected);
    }
}

#[test]
fn a_new_run_from_the_same_port_starts_at_zero_and_a_copy_of_packet_0_does_not() {
    let mut ours = reflector(|_| {});
    let mut at = |now_ms, seq| numbered(&mut ours, ms(now_ms), &light(seq, &[]), &arrival());
    assert_eq!(at(0, 0), 0);
    assert_eq!(at(100, 1), 1);
    assert_eq!(at(200, 0), 2, "a late copy of packet 0");
    assert_eq!(
        at(5_000, 0),
        3,
        "the last number seen was 0: nothing says that this is new"
    );
    assert_eq!(at(5_100, 1), 4);
    assert_eq!(at(6_100, 0), 5, "exactly one second later");
    assert_eq!(at(6_200, 7), 6);
    assert_eq!(at(7_201, 0), 0, "more than a second later");
    assert_eq!(at(7_300, 1), 1);
    assert_eq!(ours.counters().sessions_restarted, 1);
    assert_eq!(ours.counters().sessions_made, 1);
}

#[test]
fn a_session_idle_for_its_time_starts_at_zero_without_any_call_in_between() {
    let mut ours = reflector(|config| config.idle = Duration::from_secs(30));
    let mut at = |now_ms, seq| numbered(&mut ours, ms(now_ms), &light(seq, &[]), &arrival());
    assert_eq!(at(0, 5), 0);
    assert_eq!(at(29_999, 6), 1);
    assert_eq!(at(59_999, 7), 0);
    let counters = ours.counters();
    assert_eq!(
        (
            counters.sessions,
            counters.sessions_made,
            counters.sessions_expired
        ),
        (1, 2, 1)
    );
}

/// The rules once more, as slowly and plainly as they can be written.
struct Twin {
    sessions: Vec<TwinSession>,
    stateless: u64,
    expired: u64,
    evicted: u64,
    front: u64,
    most: usize,
}

struct TwinSession {
    port: u16,
    next: u32,
    last: u32,
    heard_ms: u64,
    front: u64,
}

const MAX_SESSIONS: usize = 4;
const IDLE_MS: u64 = 60_000;
const SPARE_MS: u64 = 30_000;

impl Twin {
    /// Position of the session that was moved to the front longest ago.
    fn oldest(&self) -> Option<usize> {
        (0..self.sessions.len()).min_by_key(|at| self.sessions[*at].front)
    }

    fn number(&mut self, port: u16, seq: u32, now_ms: u64) -> u32 {
        self.front += 1;
        let span = |ms: u64| (1_000_000_000 + ms * 1_000_000) >> 30;
        if let Some(session) = self
            .sessions
            .iter_mut()
            .find(|session| session.port == port)
        {
            let idle_ms = now_ms - session.heard_ms;
            if idle_ms >= IDLE_MS {
                self.expired += 1;
                session.next = 0;
            } else if seq == 0 && session.last > 0 && idle_ms > 1_000 {
                session.next = 0;
            }
            if span(now_ms) != span(session.heard_ms) {
                session.front = self.front;
            }
            session.heard_ms = now_ms;
            session.last = seq;
            session.next += 1;
            return session.next - 1;
        }
        if self.sessions.len() >= self.most {
            let oldest = self.oldest().unwrap();
            let idle_ms = now_ms - self.sessions[oldest].heard_ms;
            if idle_ms < SPARE_MS {
                self.stateless += 1;
                return seq;
            }
            *(if idle_ms >= IDLE_MS {
                &mut self.expired
            } else {
                &mut self.evicted
            }) += 1;
            self.sessions.remove(oldest);
        }
        let front = self.front;
        self.sessions.push(TwinSession {
            port,
            next: 1,
            last: seq,
            heard_ms: now_ms,
            front,
        });
        0
    }

    /// How long the oldest session may be idle.
    fn most_idle_ms(&self) -> u64 {
        let is_over = self.sessions.len() > self.most;
        if is_over { SPARE_MS } else { IDLE_MS }
    }

    fn expire(&mut self, now_ms: u64) {
        while let Some(oldest) = self.oldest() {
            let idle_ms = now_ms - self.sessions[oldest].heard_ms;
            if idle_ms < self.most_idle_ms() {
                break;
            }
            *(if idle_ms >= IDLE_MS {
                &mut self.expired
            } else {
                &mut self.evicted
            }) += 1;
            self.sessions.remove(oldest);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Packet {
        port: u16,
        seq: u32,
    },
    Timeout,
    /// So many sessions at most from now on.
    Limit(usize),
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let pause_ms =
        prop_oneof![5 => 0..50_u64, 3 => 0..2_000_u64, 2 => 0..40_000_u64, 1 => 0..100_000_u64];
    let packet = (
        20_000..20_007_u16,
        prop_oneof![Just(0_u32), 0..5_u32, any::<u32>()],
    );
    let step = prop_oneof![
        8 => packet.prop_map(|(port, seq)| Step::Packet { port, seq }),
        1 => Just(Step::Timeout),
        1 => (1..=MAX_SESSIONS).prop_map(Step::Limit),
    ];
    (pause_ms, step)
}

proptest! {
    #[test]
    fn the_table_does_what_its_slow_twin_does(steps in prop::collection::vec(step(), 1..300)) {
        let config = |max_sessions| ReflectorConfig {
            max_sessions,
            idle: Duration::from_millis(IDLE_MS),
            ..ReflectorConfig::default()
        };
        let mut ours = SessionReflector::new(config(MAX_SESSIONS));
        let most = MAX_SESSIONS;
        let mut twin =
            Twin { sessions: Vec::new(), stateless: 0, expired: 0, evicted: 0, front: 0, most };
        let mut now_ms = 0;
        for (pause_ms, step) in steps {
            now_ms += pause_ms;
            match step {
                Step::Packet { port, seq } => {
                    let from = SocketAddr::new(THERE, port);
                    let arrival = Arrival { from, ..arrival() };
                    let number = numbered(&mut ours, ms(now_ms), &light(seq, &[]), &arrival);
                    prop_assert_eq!(number, twin.number(port, seq, now_ms));
                }
                Step::Timeout => {
                    ours.handle_timeout(ms(now_ms));
                    twin.expire(now_ms);
                }
                Step::Limit(most) => {
                    ours.set_config(config(most), None);
                    twin.most = most;
                }
            }
            let counters = ours.counters();
            prop_assert_eq!(counters.sessions, twin.sessions.len() as u64);
            prop_assert_eq!(counters.answered_stateless, twin.stateless);
            prop_assert_eq!(counters.sessions_expired, twin.expired);
            prop_assert_eq!(counters.sessions_evicted, twin.evicted);
            let oldest = twin.oldest().map(|at| twin.sessions[at].heard_ms);
            let oldest = oldest.map(|heard_ms| ms(heard_ms + twin.most_idle_ms()));
            prop_assert_eq!(ours.poll_timeout(), oldest);
        }
    }
}
