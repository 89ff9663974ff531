//! Answered packets that have left the ring of packets in flight, with the T1 written into each: a
//! further copy of a reply echoes it (rows M-6, TT-60).

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Mono, WireTime};

/// The smallest window, in numbers.
const MIN_WINDOW: u64 = 65_536;
/// Numbers per chunk.
const CHUNK: usize = 256;
const CHUNK_NUMBERS: u64 = CHUNK as u64;
/// Memory grows by this many numbers or more, up to a chunk.
const GROWTH: usize = 16;

/// The T1 of answered packets by their numbers. Only chunks with an answered packet take memory, and
/// only the newest max(65536, 2 x in flight) numbers that were sent less than `keep` ago.
#[derive(Debug)]
pub(super) struct Answered {
    keep: Duration,
    chunks: VecDeque<Chunk>,
    spare: Option<Vec<u64>>,
    /// The number that the first chunk begins with.
    base: u64,
    /// The largest number entered, plus one.
    next: u64,
    /// How far back numbers are remembered.
    window: u64,
}

#[derive(Debug)]
struct Chunk {
    /// T1 as written; 0: not answered. `None`: no number of this chunk was answered.
    t1s: Option<Vec<u64>>,
    /// When its last number was entered.
    newest: Mono,
}

impl Answered {
    /// For numbers from `first` on, each remembered for at least `keep`, if the window has room.
    pub(super) fn new(first: u64, keep: Duration) -> Self {
        Self {
            keep,
            chunks: VecDeque::new(),
            spare: None,
            base: first,
            next: first,
            window: MIN_WINDOW,
        }
    }

    /// Call when `seq`, the next number, is sent at `now` while `in_flight` numbers wait.
    pub(super) fn enter(&mut self, seq: u64, in_flight: u64, now: Mono) {
        self.window = in_flight.saturating_mul(2).max(MIN_WINDOW);
        self.next = seq.saturating_add(1);
        if self.place(seq).0 >= self.chunks.len() {
            self.chunks.push_back(Chunk {
                t1s: None,
                newest: now,
            });
        }
        if let Some(last) = self.chunks.back_mut() {
            last.newest = last.newest.max(now);
        }
        while self.chunks.len() > 1
            && let Some(oldest) = self.chunks.front()
            && (self.base + CHUNK_NUMBERS + self.window <= self.next
                || oldest.newest + self.keep < now)
        {
            self.base += CHUNK_NUMBERS;
            let t1s = self.chunks.pop_front().and_then(|chunk| chunk.t1s);
            self.spare = t1s.or(self.spare.take());
        }
    }

    /// Records that `seq` was answered, and the `t1` written into it.
    pub(super) fn mark(&mut self, seq: u64, t1: WireTime) {
        if !self.contains(seq) {
            return;
        }
        let (chunk, place) = self.place(seq);
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            let t1s = chunk.t1s.get_or_insert_with(|| {
                let mut t1s = self.spare.take().unwrap_or_default();
                t1s.clear();
                t1s
            });
            if place >= t1s.len() {
                t1s.resize((place + 1).next_multiple_of(GROWTH), 0);
            }
            if let Some(slot) = t1s.get_mut(place) {
                *slot = t1.bits();
            }
        }
    }

    /// The T1 of `seq`, if it was answered and is remembered.
    pub(super) fn t1(&self, seq: u64) -> Option<WireTime> {
        if !self.contains(seq) {
            return None;
        }
        let (chunk, place) = self.place(seq);
        let t1 = *self.chunks.get(chunk)?.t1s.as_ref()?.get(place)?;
        (t1 != 0).then(|| WireTime::from_bits(t1))
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        let chunks = self.chunks.iter().filter_map(|chunk| chunk.t1s.as_ref());
        let chunks = chunks.chain(&self.spare);
        let t1s: usize = chunks.map(Vec::capacity).sum();
        t1s * size_of::<u64>() + self.chunks.capacity() * size_of::<Chunk>()
    }

    fn contains(&self, seq: u64) -> bool {
        (self.base..self.next).contains(&seq) && self.next - seq <= self.window
    }

    /// The chunk of a number not before `base`, and the index in it.
    fn place(&self, seq: u64) -> (usize, usize) {
        let ahead = seq.saturating_sub(self.base);
        let place = usize::try_from(ahead % CHUNK_NUMBERS).unwrap_or(0);
        let chunk = usize::try_from(ahead / CHUNK_NUMBERS).unwrap_or(usize::MAX);
        (chunk, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(4);

    /// Numbers `from..to`, one every `gap_us`, every third of them answered at once.
    fn run(answered: &mut Answered, from: u64, to: u64, gap_us: u64, in_flight: u64) {
        for seq in from..to {
            answered.enter(seq, in_flight, Mono::from_ns((seq - from) * gap_us * 1_000));
            assert_eq!(answered.t1(seq), None);
            if seq % 3 == 0 {
                answered.mark(seq, t1(seq));
            }
        }
    }

    fn t1(seq: u64) -> WireTime {
        WireTime::from_bits(seq * 7 + 1)
    }

    #[test]
    fn numbers_in_the_window_are_remembered_with_their_t1_and_others_are_not() {
        let first = (1 << 32) - 40;
        let mut answered = Answered::new(first, KEEP);
        let end = first + 300_000;
        run(&mut answered, first, end, 1, 10);
        for seq in end - 65_536..end {
            assert_eq!(answered.t1(seq), (seq % 3 == 0).then(|| t1(seq)), "{seq}");
        }
        for seq in [first, end - 65_537, end - 65_538, end - 65_539, end] {
            assert_eq!(answered.t1(seq), None, "{seq}");
        }
        assert!(answered.memory_octets() < 550_000);
    }

    #[test]
    fn the_window_grows_with_what_is_in_flight() {
        let mut answered = Answered::new(0, KEEP);
        run(&mut answered, 0, 200_000, 1, 100_000);
        for seq in 0..200_000 {
            assert_eq!(answered.t1(seq), (seq % 3 == 0).then(|| t1(seq)), "{seq}");
        }
    }

    #[test]
    fn what_was_sent_long_ago_takes_no_memory() {
        let mut answered = Answered::new(0, KEEP);
        // A hundred a second: 400 are remembered for four seconds.
        run(&mut answered, 0, 100_000, 10_000, 1);
        assert!(
            answered.memory_octets() < 4 * CHUNK * 8 + 1_024,
            "{}",
            answered.memory_octets()
        );
        for seq in 100_000 - 400..100_000 {
            assert_eq!(answered.t1(seq), (seq % 3 == 0).then(|| t1(seq)), "{seq}");
        }
        assert_eq!(answered.t1(90_000), None);
    }

    #[test]
    fn numbers_without_an_answer_take_almost_no_memory() {
        let mut answered = Answered::new(0, KEEP);
        for seq in 0..200_000 {
            answered.enter(seq, seq, Mono::from_ns(seq));
        }
        assert!(answered.memory_octets() < 60_000);
    }
}
