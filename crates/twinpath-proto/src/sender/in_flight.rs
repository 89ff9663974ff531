//! The packets whose fate is open: a ring indexed by number, in small chunks, so that its memory
//! follows the packets in flight and growth copies nothing.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use twinpath_wire::{Delta, Mono, Rung, Stamp, Wall, WireTime};

use super::chunk::ChunkSize;

/// State of a packet that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// T1 exactly as written, to check the echo.
    wire_t1: u64,
    /// The best T1 available.
    t1: Wall,
    /// When it was sent by the monotonic clock, for timeouts.
    sent: Mono,
    /// Departure minus schedule, 48 bits of nanoseconds (1.6 days).
    departure_low: u32,
    departure_high: i16,
    rung: Rung,
    /// The timeout has passed, and the packet is counted lost.
    pub(super) overdue: bool,
}

impl Flight {
    pub(super) fn new(wire_t1: WireTime, t1: Wall, sent: Mono, departure: Delta) -> Self {
        let mut flight = Self {
            wire_t1: wire_t1.bits(),
            t1,
            sent,
            departure_low: 0,
            departure_high: 0,
            rung: Rung::User,
            overdue: false,
        };
        flight.set_departure(departure);
        flight
    }

    pub(super) fn wire_t1(&self) -> WireTime {
        WireTime::from_bits(self.wire_t1)
    }

    pub(super) fn t1(&self) -> Stamp {
        Stamp {
            at: self.t1,
            rung: self.rung,
        }
    }

    pub(super) fn sent(&self) -> Mono {
        self.sent
    }

    pub(super) fn departure(&self) -> Delta {
        Delta::from_ns(i64::from(self.departure_high) << 32 | i64::from(self.departure_low))
    }

    /// Takes a better T1. `stepped`: the clock has stepped since, so the departure stays unchanged.
    pub(super) fn improve(&mut self, stamp: Stamp, stepped: bool) {
        if stamp.rung >= self.rung {
            return;
        }
        if !stepped {
            self.set_departure(self.departure() + (stamp.at - self.t1));
        }
        self.t1 = stamp.at;
        self.rung = stamp.rung;
    }

    fn set_departure(&mut self, departure: Delta) {
        const LIMIT: i64 = 1 << 47;
        let ns = departure.ns().clamp(-LIMIT, LIMIT - 1);
        self.departure_low = super::numbers::low32(ns.cast_unsigned());
        self.departure_high = i16::try_from(ns >> 32).unwrap_or(i16::MAX);
    }
}

/// State of a number in the ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// Handed out, its T1 not yet written.
    Prepared { since: Mono },
    /// Sent, without a reply so far.
    Flying(Flight),
    /// Answered; its sample waits at this position for a better T1 than the one written.
    AwaitingStamp { position: u64, wire_t1: u64 },
    /// Answered, with the T1 that was written into it.
    Answered { wire_t1: u64 },
    /// Never sent: nothing to wait for.
    Done,
}

const _: () = assert!(size_of::<Slot>() == 32);

/// Slots from the oldest open number to the newest.
#[derive(Debug)]
pub(super) struct InFlight {
    chunk: ChunkSize,
    chunks: VecDeque<Box<[Slot]>>,
    spare: Option<Box<[Slot]>>,
    /// The number that the first chunk starts with.
    base: u64,
    /// The oldest number in the ring.
    head: u64,
    /// All before this one are answered, counted lost or not awaited.
    open: u64,
    /// The next number.
    next: u64,
}

impl InFlight {
    pub(super) fn new(first: u64, chunk: ChunkSize) -> Self {
        Self {
            chunk,
            chunks: VecDeque::new(),
            spare: None,
            base: first,
            head: first,
            open: first,
            next: first,
        }
    }

    /// The next number to be handed out.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// All numbers before this one are answered, counted lost or not awaited.
    pub(super) fn open(&self) -> u64 {
        self.open
    }

    /// How many numbers the ring spans.
    pub(super) fn span(&self) -> u64 {
        self.next - self.head
    }

    /// How many packets are awaited.
    pub(super) fn awaited(&self) -> u64 {
        let flying = self.numbers().filter_map(|seq| self.get(seq));
        let flying = flying.filter(|slot| matches!(slot, Slot::Flying(flight) if !flight.overdue));
        flying.count() as u64
    }

    /// The numbers in the ring.
    pub(super) fn numbers(&self) -> Range<u64> {
        self.head..self.next
    }

    /// Whether the oldest numbers of the ring can be forgotten.
    pub(super) fn has_retired(&self) -> bool {
        self.head < self.open && !matches!(self.get(self.head), Some(Slot::AwaitingStamp { .. }))
    }

    /// Opens the next number.
    pub(super) fn push(&mut self, slot: Slot) {
        let seq = self.next;
        self.next += 1;
        if self.chunk.split(seq - self.base).0 >= self.chunks.len() {
            let slots = self.chunk.slots();
            let empty = || vec![Slot::Done; slots].into_boxed_slice();
            self.chunks
                .push_back(self.spare.take().unwrap_or_else(empty));
        }
        self.set(seq, slot);
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Slot> {
        let (chunk, place) = self.place(seq)?;
        self.chunks.get(chunk)?.get(place)
    }

    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Slot> {
        let (chunk, place) = self.place(seq)?;
        self.chunks.get_mut(chunk)?.get_mut(place)
    }

    pub(super) fn set(&mut self, seq: u64, slot: Slot) {
        if let Some(place) = self.get_mut(seq) {
            *place = slot;
        }
    }

    /// The oldest number, if the ring is not empty.
    pub(super) fn oldest(&self) -> Option<(u64, Slot)> {
        Some((self.head, *self.get(self.head)?))
    }

    /// Forgets the oldest number.
    pub(super) fn pop(&mut self) {
        if self.head == self.next {
            return;
        }
        self.head += 1;
        self.open = self.open.max(self.head);
        if self.head - self.base == self.chunk.numbers() {
            self.base = self.head;
            self.spare = self.chunks.pop_front();
        }
    }

    /// Whether no number is awaited any more (ignoring held samples).
    pub(super) fn all_closed(&self) -> bool {
        self.open == self.next
    }

    /// Skips numbers that are not awaited; called whenever a slot may have become one.
    pub(super) fn skip_closed(&mut self) {
        while let Some(slot) = self.get(self.open) {
            match slot {
                Slot::Done | Slot::Answered { .. } | Slot::AwaitingStamp { .. } => self.open += 1,
                Slot::Flying(flight) if flight.overdue => self.open += 1,
                Slot::Prepared { .. } | Slot::Flying(_) => break,
            }
        }
    }

    /// When the oldest awaited packet will have waited for `loss_wait`.
    pub(super) fn deadline(&self, loss_wait: Duration) -> Option<Mono> {
        match self.get(self.open)? {
            Slot::Prepared { since } => Some(*since + loss_wait),
            Slot::Flying(flight) => Some(flight.sent + loss_wait),
            Slot::AwaitingStamp { .. } | Slot::Answered { .. } | Slot::Done => None,
        }
    }

    /// Closes packets that have waited for `loss_wait` at `now`, and returns how many became
    /// overdue.
    pub(super) fn expire(&mut self, now: Mono, loss_wait: Duration) -> u64 {
        let mut lost = 0;
        self.skip_closed();
        while self
            .deadline(loss_wait)
            .is_some_and(|deadline| deadline <= now)
        {
            match self.get_mut(self.open) {
                Some(Slot::Flying(flight)) => {
                    flight.overdue = true;
                    lost += 1;
                }
                // The driver polled a packet and never finished it.
                Some(slot) => *slot = Slot::Done,
                None => break,
            }
            self.skip_closed();
        }
        lost
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        let chunks = self.chunks.len() + usize::from(self.spare.is_some());
        chunks * self.chunk.slots() * size_of::<Slot>()
            + self.chunks.capacity() * size_of::<Box<[Slot]>>()
    }

    fn place(&self, seq: u64) -> Option<(usize, usize)> {
        if seq < self.head || seq >= self.next {
            return None;
        }
        Some(self.chunk.split(seq - self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(departure_ns: i64) -> Flight {
        let departure = Delta::from_ns(departure_ns);
        Flight::new(
            WireTime::from_bits(0),
            Wall::from_unix_ns(100),
            Mono::from_ns(5),
            departure,
        )
    }

    #[test]
    fn a_departure_of_either_sign_survives_48_bits() {
        for ns in [
            0,
            1,
            -1,
            5_000_000_000,
            -5_000_000_000,
            (1 << 47) - 1,
            -(1 << 47),
        ] {
            assert_eq!(flight(ns).departure().ns(), ns);
        }
        assert_eq!(flight(i64::MAX).departure().ns(), (1 << 47) - 1);
        assert_eq!(flight(i64::MIN).departure().ns(), -(1 << 47));
    }

    #[test]
    fn only_a_better_rung_replaces_t1() {
        let mut flight = flight(10);
        let stamp = |ns, rung| Stamp {
            at: Wall::from_unix_ns(ns),
            rung,
        };
        flight.improve(stamp(150, Rung::Kernel), false);
        flight.improve(stamp(170, Rung::Queue), false);
        flight.improve(stamp(180, Rung::Kernel), false);
        assert_eq!(
            (flight.t1(), flight.departure().ns()),
            (stamp(150, Rung::Kernel), 60)
        );
    }

    #[test]
    fn a_ring_in_use_does_not_grow() {
        let mut ring = InFlight::new(u64::from(u32::MAX) - 5, ChunkSize::LARGEST);
        for _ in 0..600 {
            ring.push(Slot::Done);
        }
        let mut most = 0;
        for _ in 0..100_000 {
            ring.push(Slot::Done);
            ring.pop();
            most = most.max(ring.memory_octets());
        }
        assert_eq!(ring.span(), 600);
        assert!(most < 5 * 256 * 32 + 1024, "{most}");
        while ring.oldest().is_some() {
            ring.pop();
        }
        assert_eq!(ring.span(), 0);
        ring.pop();
        assert_eq!(ring.span(), 0);
    }
}
