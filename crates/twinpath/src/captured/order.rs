//! Packets in the order of their times, whatever order a capture has them in, as far as a bounded
//! window reaches.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use twinpath_wire::{Delta, Wall};

/// How far packets may be out of order.
pub(super) const WINDOW: Delta = Delta::from_ns(60_000_000_000);
/// The most packets held back.
const WAITING: usize = 1 << 16;

/// A packet with a time.
pub(super) trait Timed {
    fn at(&self) -> Wall;
    /// Of two packets of one time the lower one goes first.
    fn rank(&self) -> u8;
}

#[derive(Debug)]
struct Waiting<T> {
    key: (Wall, u8, u64),
    packet: T,
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Sorts packets.
#[derive(Debug)]
pub(super) struct Sorter<T> {
    heap: BinaryHeap<Reverse<Waiting<T>>>,
    taken: u64,
    newest: Wall,
    released: Wall,
    /// Packets that are older than one before them.
    pub(super) out_of_order: u64,
    /// Those of them that came too late to be sorted.
    pub(super) out_of_window: u64,
}

impl<T: Timed> Sorter<T> {
    pub(super) fn new() -> Self {
        let never = Wall::from_unix_ns(i64::MIN);
        Self {
            heap: BinaryHeap::new(),
            taken: 0,
            newest: never,
            released: never,
            out_of_order: 0,
            out_of_window: 0,
        }
    }

    pub(super) fn push(&mut self, packet: T) {
        let at = packet.at();
        self.out_of_order += u64::from(at < self.newest);
        self.out_of_window += u64::from(at < self.released);
        self.newest = self.newest.max(at);
        self.taken += 1;
        self.heap.push(Reverse(Waiting {
            key: (at, packet.rank(), self.taken),
            packet,
        }));
    }

    /// The oldest packet, if nothing older can come any more. `over`: nothing comes any more.
    pub(super) fn pop(&mut self, over: bool) -> Option<T> {
        let Reverse(oldest) = self.heap.peek()?;
        let (at, ..) = oldest.key;
        if !over && self.heap.len() <= WAITING && self.newest - at <= WINDOW {
            return None;
        }
        self.released = self.released.max(at);
        self.heap.pop().map(|Reverse(waiting)| waiting.packet)
    }
}
