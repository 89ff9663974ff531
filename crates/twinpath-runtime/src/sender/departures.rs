//! Which transmit stamp belongs to which packet.

use std::collections::VecDeque;

use twinpath_proto::sender::{SessionSender, TxToken};
use twinpath_wire::{Delta, Rung, Stamp, Wall};

/// Stamps awaited at most: what a queue below the socket may hold.
const AWAITED: usize = 8_192;
/// So many packets without one stamp: there are none to come.
const PATIENCE: usize = 1_000;
/// A packet may be stamped this much before the reading of T1 right before its system call: two
/// readings of one clock, and its adjustments.
const BEFORE: Delta = Delta::from_ns(-10_000);

/// A packet that has left the process.
#[derive(Debug)]
struct Departed {
    token: TxToken,
    /// What the process read right before.
    t1: Wall,
}

/// Packets that have left, by the key under which the kernel will tell of them.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// The key of the first slot.
    first_key: u32,
    slots: VecDeque<Option<Departed>>,
    stamped: u64,
    settled: bool,
}

impl Departures {
    /// A packet has left; the kernel will tell of it under `key`.
    pub(super) fn left(&mut self, key: u32, token: TxToken, t1: Wall) {
        let next = self
            .first_key
            .wrapping_add(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        // Keys between are those of refused packets; a key from behind is a count begun anew.
        let ahead = key.wrapping_sub(next);
        if self.slots.is_empty() || ahead as usize > AWAITED {
            self.slots.clear();
            self.first_key = key;
        } else {
            self.slots.extend((0..ahead).map(|_| None));
        }
        self.slots.push_back(Some(Departed { token, t1 }));
        while self.slots.len() > AWAITED {
            self.drop_first();
        }
    }

    /// The kernel told when: hands it to the engine. Whether the best rung to be had was reached
    /// for the first time.
    pub(super) fn told(&mut self, engine: &mut SessionSender, key: u32, stamp: Stamp) -> bool {
        let index = key.wrapping_sub(self.first_key) as usize;
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let Some(departed) = slot else { return false };
        if stamp.at - departed.t1 < BEFORE {
            // Nothing leaves before it is sent: another packet's stamp, gone astray.
            return false;
        }
        engine.handle_tx_stamp(&departed.token, stamp);
        self.stamped += 1;
        // After the queue's stamp the driver's still comes.
        let best = stamp.rung < Rung::Queue;
        if best {
            *slot = None;
            while matches!(self.slots.front(), Some(None)) {
                self.drop_first();
            }
        }
        best && !std::mem::replace(&mut self.settled, true)
    }

    /// So many have left and not one stamp came: the engine need not wait for any.
    pub(super) fn are_silent(&self) -> bool {
        self.stamped == 0 && self.slots.len() >= PATIENCE
    }

    /// The kernel told of one packet at least.
    pub(super) fn are_heard(&self) -> bool {
        self.stamped > 0
    }

    fn drop_first(&mut self) {
        self.slots.pop_front();
        self.first_key = self.first_key.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_proto::ClockPair;
    use twinpath_proto::sender::{Fill, Limit, PayloadSize, Protocol, Schedule, SenderConfig};
    use twinpath_wire::{ErrorEstimate, Mono};

    use super::*;

    const START: i64 = 1_800_000_000_000_000_000;

    fn wall(ns: i64) -> Wall {
        Wall::from_unix_ns(START + ns)
    }

    fn engine() -> SessionSender {
        SessionSender::new(SenderConfig {
            protocol: Protocol::TwampLight,
            far: "192.0.2.1:862".parse().unwrap(),
            start: Mono::from_ns(1_000_000),
            schedule: Schedule::every(Duration::from_millis(1)),
            limit: Limit::Count(1000),
            timeout: Duration::from_secs(1),
            payload: PayloadSize::Fixed(41),
            fill: Fill::Zero,
            seed: 0,
            max_burst: 10,
            error: ErrorEstimate::from_bits(1),
            tai_offset_s: 37,
            await_tx_stamps: true,
        })
    }

    /// Sends the packet of millisecond `ms` and hands its token over under `key`.
    fn send(engine: &mut SessionSender, departures: &mut Departures, ms: u64, key: Option<u32>) {
        let mut packet = [0; 64];
        let mono = Mono::from_ns(ms * 1_000_000);
        let transmit = engine.poll_transmit(mono, &mut packet).unwrap();
        let now = ClockPair {
            mono,
            wall: wall(i64::try_from(ms).unwrap() * 1_000_000),
        };
        let token = engine.finish(&mut packet, transmit, now);
        if let Some(key) = key {
            departures.left(key, token, now.wall);
        }
    }

    fn kernel(ns: i64) -> Stamp {
        Stamp {
            at: wall(ns),
            rung: Rung::Kernel,
        }
    }

    #[test]
    fn a_refused_packet_s_key_is_passed_over() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 1, Some(0));
        send(&mut engine, &mut departures, 2, None); // refused: key 1 was used up
        send(&mut engine, &mut departures, 3, Some(2));
        assert!(departures.told(&mut engine, 0, kernel(1_005_000)));
        assert!(!departures.told(&mut engine, 1, kernel(2_005_000)));
        assert_eq!(departures.stamped, 1);
        assert!(!departures.told(&mut engine, 2, kernel(3_005_000)));
        assert_eq!(departures.stamped, 2);
        assert!(departures.slots.is_empty());
    }

    #[test]
    fn a_stamp_from_before_its_packet_is_another_s() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 5, Some(7));
        assert!(!departures.told(&mut engine, 7, kernel(4_000_000)));
        assert_eq!(departures.stamped, 0);
        assert!(departures.told(&mut engine, 7, kernel(5_001_000)));
    }

    #[test]
    fn a_count_begun_anew_forgets_what_was_awaited() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 1, Some(5_000));
        send(&mut engine, &mut departures, 2, Some(0));
        assert!(!departures.told(&mut engine, 5_000, kernel(1_001_000)));
        assert!(departures.told(&mut engine, 0, kernel(2_001_000)));
    }
}
