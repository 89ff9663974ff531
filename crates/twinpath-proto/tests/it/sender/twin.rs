//! The engine beside a slow obvious twin: a table of everything that ever happened, walked whole at
//! each step.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{Limit, Schedule, SenderConfig, SessionSender, TxToken};
use twinpath_wire::{Delta, Exclusion, Fate, Mono, Rung, Sample, Stamp, Wall};

use super::rig::{EPOCH_NS, arrival, config, reply_to};

const TIMEOUT: Duration = Duration::from_millis(700);
const GRACE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A reply to some packet, read so long after its T4, with this residence in the reflector.
    Reply {
        which: u8,
        read_after_us: u32,
        residence_us: i16,
    },
    /// A transmit stamp for some packet, so long after its T1.
    Stamp {
        which: u8,
        after_us: u32,
        rung: Rung,
    },
    /// The system call refused some packet.
    Refused { which: u8 },
    /// The system clock steps.
    Step { by_ms: i16 },
    /// Nothing.
    Pause,
}

fn event() -> impl Strategy<Value = Event> {
    let rung = prop_oneof![Just(Rung::Queue), Just(Rung::Kernel), Just(Rung::Hardware)];
    prop_oneof![
        8 => (any::<u8>(), 0..150_000_u32, -20..400_i16).prop_map(
            |(which, read_after_us, residence_us)| Event::Reply { which, read_after_us, residence_us }
        ),
        4 => (any::<u8>(), 0..300_000_u32, rung)
            .prop_map(|(which, after_us, rung)| Event::Stamp { which, after_us, rung }),
        1 => any::<u8>().prop_map(|which| Event::Refused { which }),
        1 => prop_oneof![-900..-50_i16, 50..900_i16].prop_map(|by_ms| Event::Step { by_ms }),
        2 => Just(Event::Pause),
    ]
}

fn history() -> impl Strategy<Value = Vec<(u32, Event)>> {
    let pause = prop_oneof![6 => 0..20_000_u32, 3 => 0..120_000_u32, 1 => 0..900_000_u32];
    prop::collection::vec((pause, event()), 1..150)
}

/// The fate of a packet so far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    CountedLost,
    Answered,
    SaidLost,
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    t1: Stamp,
    departure: Delta,
    sent: Mono,
    stepped: bool,
    state: State,
}

/// The twin's books.
#[derive(Default)]
struct Twin {
    packets: BTreeMap<u64, Packet>,
    said: Vec<(u64, Fate, Stamp, Delta, Option<Exclusion>)>,
    stale: u64,
    steps: u64,
}

impl Twin {
    fn reply(&mut self, seq: u64, echoed: Wall, t4: Wall, residence: Delta, now: Mono) {
        let packet = self.packets.get_mut(&seq).unwrap();
        match packet.state {
            State::Refused => {}
            State::SaidLost => self.stale += 1,
            State::Answered if t4 - echoed > Delta::from_duration(TIMEOUT + GRACE + TIMEOUT) => {
                self.stale += 1;
            }
            State::Answered => {
                let t1 = Stamp {
                    at: echoed,
                    rung: Rung::User,
                };
                self.said
                    .push((seq, Fate::Duplicate, t1, Delta::ZERO, None));
            }
            State::Waiting | State::CountedLost => {
                packet.state = State::Answered;
                let way = t4 - packet.t1.at;
                let in_time = if packet.stepped {
                    now.since(packet.sent) <= TIMEOUT
                } else {
                    way <= Delta::from_duration(TIMEOUT)
                };
                let fate = if in_time { Fate::Received } else { Fate::Late };
                let unbelievable =
                    residence < Delta::ZERO || residence > way + Delta::from_ns(100_000);
                let excluded = match (packet.stepped, unbelievable) {
                    (true, _) => Some(Exclusion::ClockStep),
                    (false, true) => Some(Exclusion::Implausible),
                    (false, false) => None,
                };
                self.said
                    .push((seq, fate, packet.t1, packet.departure, excluded));
            }
        }
    }

    fn stamp(&mut self, seq: u64, stamp: Stamp) {
        let packet = self.packets.get_mut(&seq).unwrap();
        if packet.state == State::Waiting && stamp.rung < packet.t1.rung {
            if !packet.stepped {
                packet.departure = packet.departure + (stamp.at - packet.t1.at);
            }
            packet.t1 = stamp;
        }
    }

    fn step(&mut self) {
        self.steps += 1;
        self.packets
            .values_mut()
            .for_each(|packet| packet.stepped = true);
    }

    fn time(&mut self, now: Mono, all_sent: bool) {
        for packet in self.packets.values_mut() {
            if packet.state == State::Waiting && packet.sent + TIMEOUT + GRACE <= now {
                packet.state = State::CountedLost;
            }
        }
        let over = all_sent
            && !self
                .packets
                .values()
                .any(|packet| packet.state == State::Waiting);
        // If no reply came in time, late replies are awaited a moment longer.
        let longer = if self.count(Fate::Received) == 0 {
            Duration::from_secs(1)
        } else {
            Duration::ZERO
        };
        let newest = self.packets.values().map(|packet| packet.sent).max();
        let over = over && newest.is_none_or(|newest| newest + TIMEOUT + GRACE + longer <= now);
        for (seq, packet) in &mut self.packets {
            let lingered = packet.sent + TIMEOUT + GRACE + TIMEOUT <= now;
            if packet.state == State::CountedLost && (lingered || over) {
                packet.state = State::SaidLost;
                self.said
                    .push((*seq, Fate::Lost, packet.t1, packet.departure, None));
            }
        }
    }

    fn count(&self, fate: Fate) -> u64 {
        self.said.iter().filter(|said| said.1 == fate).count() as u64
    }
}

/// The engine and its driver's state.
struct Driven {
    sender: SessionSender,
    now: Mono,
    offset: Delta,
    sent: BTreeMap<u64, (Vec<u8>, TxToken, Wall)>,
    samples: Vec<Sample>,
}

impl Driven {
    fn wall(&self, at: Mono) -> Wall {
        Wall::from_unix_ns(EPOCH_NS + at.ns().cast_signed()) + self.offset
    }

    fn pair(&self) -> ClockPair {
        ClockPair {
            mono: self.now,
            wall: self.wall(self.now),
        }
    }

    /// Sends what is due; gives the twin its packets.
    fn transmit(&mut self, twin: &mut Twin) {
        let mut buffer = [0; 41];
        while let Some(transmit) = self.sender.poll_transmit(self.now, &mut buffer) {
            let (seq, due) = (transmit.seq, transmit.due);
            let pair = self.pair();
            let token = self.sender.finish(&mut buffer, transmit, pair);
            self.sent.insert(seq, (buffer.to_vec(), token, pair.wall));
            let packet = Packet {
                t1: Stamp {
                    at: pair.wall,
                    rung: Rung::User,
                },
                departure: self.now.signed_since(due),
                sent: self.now,
                stepped: false,
                state: State::Waiting,
            };
            assert!(
                twin.packets.insert(seq, packet).is_none(),
                "a number was used twice"
            );
        }
    }

    /// Some packet that was sent.
    fn pick(&self, which: u8) -> Option<u64> {
        // The newest are picked more often than the oldest.
        let back = usize::from(which) * usize::from(which) / 1_600;
        self.sent.keys().rev().nth(back).copied()
    }

    fn apply(&mut self, event: Event, twin: &mut Twin) {
        match event {
            Event::Reply {
                which,
                read_after_us,
                residence_us,
            } => {
                let Some(seq) = self.pick(which) else { return };
                if twin.packets[&seq].state == State::Refused {
                    return; // never delivered
                }
                let at = self.now - Duration::from_micros(u64::from(read_after_us));
                let (t4, residence) = (self.wall(at), i64::from(residence_us) * 1_000);
                let (t3, residence) = (t4 - Delta::from_ns(1_000), Delta::from_ns(residence));
                let (request, _, echoed) = &self.sent[&seq];
                let reply = reply_to(request, 0, t3 - residence, t3);
                twin.reply(seq, *echoed, t4, residence, self.now);
                self.sender.handle_reply(self.now, &reply, &arrival(t4));
            }
            Event::Stamp {
                which,
                after_us,
                rung,
            } => {
                let Some(seq) = self.pick(which) else { return };
                let (_, token, t1) = &self.sent[&seq];
                let stamp = Stamp {
                    at: *t1 + Delta::from_ns(i64::from(after_us) * 1_000),
                    rung,
                };
                self.sender.handle_tx_stamp(token, stamp);
                twin.stamp(seq, stamp);
            }
            Event::Refused { which } => {
                // Only a packet that just left can be refused.
                let Some(seq) = self.pick(which / 64) else {
                    return;
                };
                let packet = twin.packets.get_mut(&seq).unwrap();
                if packet.state == State::Waiting && packet.sent == self.now {
                    packet.state = State::Refused;
                    let (request, token, t1) = self.sent.remove(&seq).unwrap();
                    self.sent.insert(seq, (request, unspent(&token), t1));
                    self.sender.handle_send_error(token);
                }
            }
            Event::Step { by_ms } => {
                self.offset = self.offset + Delta::from_ns(i64::from(by_ms) * 1_000_000);
                twin.step();
                self.sender.handle_clock(self.pair());
            }
            Event::Pause => {}
        }
    }

    fn drain(&mut self) {
        self.sender.handle_timeout(self.now);
        self.samples
            .extend(std::iter::from_fn(|| self.sender.poll_sample()));
    }
}

/// A token of an unknown packet: its events are not used.
fn unspent(_: &TxToken) -> TxToken {
    let mut sender = SessionSender::starting_at(config(), u64::MAX / 2);
    let mut buffer = [0; 41];
    let transmit = sender.poll_transmit(Mono::from_ns(0), &mut buffer).unwrap();
    sender.finish(&mut buffer, transmit, super::rig::pair(Mono::from_ns(0)))
}

fn start(first: u64, await_tx_stamps: bool, limit: Limit) -> Driven {
    let config = SenderConfig {
        schedule: Schedule::every(Duration::from_millis(13)),
        timeout: TIMEOUT,
        limit,
        max_burst: 4,
        await_tx_stamps,
        ..config()
    };
    let mut sender = SessionSender::starting_at(config, first);
    sender.handle_clock(super::rig::pair(Mono::from_ns(0)));
    Driven {
        sender,
        now: Mono::from_ns(0),
        offset: Delta::ZERO,
        sent: BTreeMap::new(),
        samples: Vec::new(),
    }
}

fn first_number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        (1_u64 << 32) - 60..(1 << 32) + 3,
        Just(7 << 40)
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        (0..80_u64).prop_map(Limit::Count),
        (0..2_000_u64).prop_map(|ms| Limit::Duration(Duration::from_millis(ms))),
    ]
}

/// Runs to the end with nothing more arriving.
fn wind_up(driven: &mut Driven, twin: &mut Twin) {
    for _ in 0..10_000 {
        let Some(next) = driven.sender.poll_timeout() else {
            return;
        };
        driven.now = driven.now.max(next);
        driven.transmit(twin);
        driven.drain();
        twin.time(driven.now, driven.sender.next_due().is_none());
    }
    panic!("a session without an end: {:?}", driven.sender.counters());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_says_what_the_twin_says(
        history in history(), first in first_number(), limit in limit(),
    ) {
        let mut driven = start(first, false, limit);
        let mut twin = Twin::default();
        for (pause_us, event) in history {
            driven.now += Duration::from_micros(u64::from(pause_us));
            driven.transmit(&mut twin);
            driven.apply(event, &mut twin);
            driven.drain();
            twin.time(driven.now, driven.sender.next_due().is_none());
        }
        wind_up(&mut driven, &mut twin);

        let said: Vec<_> = driven
            .samples
            .iter()
            .map(|said| (said.seq, said.fate, said.t1, said.departure, said.excluded))
            .collect();
        prop_assert_eq!(&said, &twin.said);
        let counters = driven.sender.counters();
        prop_assert_eq!(counters.received, twin.count(Fate::Received));
        prop_assert_eq!(counters.late, twin.count(Fate::Late));
        prop_assert_eq!(counters.lost, twin.count(Fate::Late) + twin.count(Fate::Lost));
        prop_assert_eq!(counters.duplicates, twin.count(Fate::Duplicate));
        prop_assert_eq!((counters.stale, counters.clock_steps), (twin.stale, twin.steps));
        prop_assert_eq!(counters.sent, counters.received + counters.lost);
        let refused = twin.packets.values().filter(|packet| packet.state == State::Refused);
        prop_assert_eq!(counters.send_errors, refused.count() as u64);
        if let Limit::Count(count) = limit {
            prop_assert_eq!(counters.sent + counters.send_errors, count);
        }
        prop_assert!(counters.largest_burst <= 4);
    }

    #[test]
    fn every_packet_ends_once_whatever_waits_for_stamps(
        history in history(), first in first_number(), limit in limit(), stop in any::<bool>(),
    ) {
        let mut driven = start(first, true, limit);
        let mut twin = Twin::default();
        for (pause_us, event) in history {
            driven.now += Duration::from_micros(u64::from(pause_us));
            driven.transmit(&mut twin);
            driven.apply(event, &mut twin);
            driven.drain();
        }
        if stop {
            driven.sender.stop(driven.now);
        }
        wind_up(&mut driven, &mut twin);

        let counters = driven.sender.counters();
        let mut ended = HashSet::new();
        let mut counts = [0_u64; 4];
        for sample in &driven.samples {
            counts[sample.fate as usize] += 1;
            if sample.fate == Fate::Duplicate {
                prop_assert!(ended.contains(&sample.seq), "a copy before its original");
                continue;
            }
            prop_assert!(ended.insert(sample.seq), "{} ended twice", sample.seq);
            let (_, _, written) = &driven.sent[&sample.seq];
            let t1 = sample.t1;
            prop_assert!(t1.at == *written || t1.at > *written && t1.rung < Rung::User);
        }
        let [received, lost, late, duplicates] = counts;
        prop_assert_eq!((counters.received, counters.late, counters.duplicates), (received, late, duplicates));
        prop_assert_eq!(counters.lost, lost + late);
        prop_assert_eq!(counters.sent, counters.received + counters.lost);
        prop_assert_eq!(
            counters.sent + counters.in_flight + counters.send_errors, driven.sent.len() as u64
        );
        prop_assert!(stop || counters.in_flight == 0);
    }
}
