//! Which transmit stamp belongs to which packet.

use std::collections::VecDeque;

use twinpath_proto::sender::TxToken;
use twinpath_wire::{Delta, Rung, Stamp, Wall};

use super::SessionId;

/// Stamps awaited at most: what a queue below the socket may hold.
const AWAITED: usize = 8_192;
/// After this many packets without a stamp, none is expected.
const PATIENCE: usize = 1_000;
/// A packet may be stamped this much before the reading of T1 right before its system call: two
/// readings of one clock, and its adjustments.
const BEFORE: Delta = Delta::from_ns(-10_000);

/// A packet that has left the process.
#[derive(Debug)]
struct Departed {
    session: SessionId,
    token: TxToken,
    /// What the process read right before.
    t1: Wall,
    /// The queue's stamp has come.
    is_queued: bool,
}

impl Departed {
    /// Whether this may be its stamp: nothing leaves before it is sent, and enters the queue twice.
    fn may_have(&self, stamp: Stamp) -> bool {
        stamp.at - self.t1 >= BEFORE && !(self.is_queued && stamp.rung == Rung::Queue)
    }

    fn take(&mut self, stamp: Stamp, best: bool, hand_over: impl FnOnce(Stamped<'_>)) {
        hand_over(Stamped {
            session: self.session,
            token: &self.token,
            stamp,
            wait: best.then(|| stamp.at - self.t1),
        });
        self.is_queued |= !best;
    }
}

/// A stamp with the packet that it belongs to.
pub(super) struct Stamped<'a> {
    pub(super) session: SessionId,
    pub(super) token: &'a TxToken,
    pub(super) stamp: Stamp,
    /// How long the packet waited in this host, where the stamp is the best to be had.
    pub(super) wait: Option<Delta>,
}

/// Packets that have left, by the key under which the kernel will tell of them.
#[derive(Debug, Default)]
pub(super) struct Departures {
    /// The key of the first slot.
    first_key: u32,
    slots: VecDeque<Option<Departed>>,
    /// Packets whose stamps were awaited when the count of keys began again, under their keys of
    /// before.
    earlier: Vec<(u32, Departed)>,
    stamps: u64,
    settled: bool,
}

impl Departures {
    /// A packet has left; its stamp will come under `key`.
    pub(super) fn left(&mut self, key: u32, session: SessionId, token: TxToken, t1: Wall) {
        let next = self
            .first_key
            .wrapping_add(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        // Keys between are those of refused packets; a key from behind is a count begun again.
        let ahead = key.wrapping_sub(next);
        if self.slots.is_empty() || ahead as usize > AWAITED {
            self.begin_again(key);
        } else {
            self.slots.extend((0..ahead).map(|_| None));
        }
        let is_queued = false;
        self.slots.push_back(Some(Departed {
            session,
            token,
            t1,
            is_queued,
        }));
        while self.slots.len() > AWAITED {
            self.drop_first();
        }
    }

    /// The count of keys begins again at `key`. Stamps that are still to come may then have the same
    /// keys as later packets.
    fn begin_again(&mut self, key: u32) {
        let keys = std::iter::successors(Some(self.first_key), |key| Some(key.wrapping_add(1)));
        let open = keys.zip(self.slots.drain(..));
        self.earlier
            .extend(open.filter_map(|(key, slot)| Some((key, slot?))));
        let excess = self.earlier.len().saturating_sub(AWAITED);
        self.earlier.drain(..excess);
        self.first_key = key;
    }

    /// A stamp came under `key`: hands it over with its packet. Whether the best rung to be had was
    /// reached for the first time.
    pub(super) fn stamped(
        &mut self,
        key: u32,
        stamp: Stamp,
        hand_over: impl FnOnce(Stamped<'_>),
    ) -> bool {
        let index = key.wrapping_sub(self.first_key) as usize;
        let slot = self.slots.get_mut(index);
        let slot = slot.filter(|slot| slot.as_ref().is_some_and(|one| one.may_have(stamp)));
        let earlier = self
            .earlier
            .iter()
            .position(|(own, departed)| *own == key && departed.may_have(stamp));
        // After the queue's stamp the driver's still comes.
        let best = stamp.rung < Rung::Queue;
        match (slot, earlier) {
            (Some(slot), None) => {
                if let Some(departed) = slot {
                    departed.take(stamp, best, hand_over);
                }
                if best {
                    *slot = None;
                }
            }
            (None, Some(index)) => {
                if let Some((_, departed)) = self.earlier.get_mut(index) {
                    departed.take(stamp, best, hand_over);
                }
                if best {
                    self.earlier.swap_remove(index);
                }
            }
            // It may be the one's or the other's: neither has a stamp that can be believed.
            (Some(slot), Some(index)) => {
                *slot = None;
                self.earlier.swap_remove(index);
                return false;
            }
            (None, None) => return false,
        }
        self.stamps += 1;
        while matches!(self.slots.front(), Some(None)) {
            self.drop_first();
        }
        best && !std::mem::replace(&mut self.settled, true)
    }

    /// Enough have left without a stamp: the engine need not wait for any.
    pub(super) fn lack_stamps(&self) -> bool {
        self.stamps == 0 && self.slots.len() >= PATIENCE
    }

    /// One packet at least was stamped.
    pub(super) fn have_stamps(&self) -> bool {
        self.stamps > 0
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
    use twinpath_proto::sender::{
        Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
    };
    use twinpath_wire::{ErrorEstimate, Mono};

    use super::*;

    const START: i64 = 1_800_000_000_000_000_000;

    fn wall(ns: i64) -> Wall {
        Wall::from_unix_ns(START + ns)
    }

    fn engine() -> SessionSender {
        SessionSender::new(SenderConfig {
            wire: Wire::TWAMP_LIGHT,
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
            departures.left(key, SessionId::default(), token, now.wall);
        }
    }

    fn tell(
        engine: &mut SessionSender,
        departures: &mut Departures,
        key: u32,
        stamp: Stamp,
    ) -> bool {
        departures.stamped(key, stamp, |it| engine.handle_tx_stamp(it.token, it.stamp))
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
        assert!(tell(&mut engine, &mut departures, 0, kernel(1_005_000)));
        assert!(!tell(&mut engine, &mut departures, 1, kernel(2_005_000)));
        assert_eq!(departures.stamps, 1);
        assert!(!tell(&mut engine, &mut departures, 2, kernel(3_005_000)));
        assert_eq!(departures.stamps, 2);
        assert!(departures.slots.is_empty());
    }

    #[test]
    fn a_stamp_from_before_its_packet_is_another_s() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 5, Some(7));
        assert!(!tell(&mut engine, &mut departures, 7, kernel(4_000_000)));
        assert_eq!(departures.stamps, 0);
        assert!(tell(&mut engine, &mut departures, 7, kernel(5_001_000)));
    }

    #[test]
    fn stamps_of_before_a_count_began_again_are_still_their_own_packets() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 1, Some(5_000));
        send(&mut engine, &mut departures, 2, Some(0));
        assert!(tell(&mut engine, &mut departures, 5_000, kernel(1_001_000)));
        assert!(!tell(&mut engine, &mut departures, 0, kernel(2_001_000)));
        assert_eq!(departures.stamps, 2);
        assert!(departures.slots.is_empty() && departures.earlier.is_empty());
    }

    #[test]
    fn a_stamp_that_may_be_of_either_of_two_packets_is_neither_s() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 1, Some(0)); // it waits in a queue
        send(&mut engine, &mut departures, 2, Some(0)); // the count has begun again
        send(&mut engine, &mut departures, 3, Some(1));
        assert!(!tell(&mut engine, &mut departures, 0, kernel(2_001_000)));
        assert!(!tell(&mut engine, &mut departures, 0, kernel(2_002_000)));
        assert_eq!(departures.stamps, 0);
        assert!(tell(&mut engine, &mut departures, 1, kernel(3_001_000)));
        assert_eq!(departures.stamps, 1);
    }

    #[test]
    fn a_stamp_from_before_the_count_began_again_is_not_the_later_packet_s() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        send(&mut engine, &mut departures, 1, Some(0));
        send(&mut engine, &mut departures, 9, Some(0));
        assert!(tell(&mut engine, &mut departures, 0, kernel(1_001_000)));
        assert!(!tell(&mut engine, &mut departures, 0, kernel(9_001_000)));
        assert_eq!(departures.stamps, 2);
    }

    #[test]
    fn the_queue_tells_of_a_packet_once() {
        let (mut engine, mut departures) = (engine(), Departures::default());
        let queue = |ns| Stamp {
            rung: Rung::Queue,
            ..kernel(ns)
        };
        send(&mut engine, &mut departures, 1, Some(0));
        assert!(!tell(&mut engine, &mut departures, 0, queue(1_001_000)));
        send(&mut engine, &mut departures, 2, Some(0));
        assert!(!tell(&mut engine, &mut departures, 0, queue(2_001_000)));
        assert_eq!(departures.stamps, 2, "the later packet's own");
    }
}
