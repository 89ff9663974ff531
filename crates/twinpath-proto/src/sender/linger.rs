//! Packets that are counted lost and may still be answered: a bounded queue, so that a late packet
//! has one sample, late, and not two.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::Mono;

use super::in_flight::Flight;

/// The most packets that linger.
const CAPACITY: usize = 4096;

#[derive(Debug)]
struct Entry {
    seq: u64,
    /// `None`: was answered late.
    flight: Option<Flight>,
}

/// Lost packets in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Linger {
    entries: VecDeque<Entry>,
}

impl Linger {
    /// Adds a lost packet; returns the one it displaces, if any, which is then finally lost.
    pub(super) fn push(&mut self, seq: u64, flight: Flight) -> Option<(u64, Flight)> {
        let evicted = if self.entries.len() >= CAPACITY {
            self.pop()
        } else {
            None
        };
        self.entries.push_back(Entry {
            seq,
            flight: Some(flight),
        });
        evicted
    }

    /// The packet `seq`, if it still lingers.
    pub(super) fn get(&self, seq: u64) -> Option<&Flight> {
        let place = self
            .entries
            .binary_search_by_key(&seq, |entry| entry.seq)
            .ok()?;
        self.entries.get(place)?.flight.as_ref()
    }

    /// Removes the packet `seq`, which was answered.
    pub(super) fn remove(&mut self, seq: u64) {
        if let Ok(place) = self.entries.binary_search_by_key(&seq, |entry| entry.seq)
            && let Some(entry) = self.entries.get_mut(place)
        {
            entry.flight = None;
        }
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.flight.is_none())
        {
            self.entries.pop_front();
        }
    }

    /// When the oldest one is finally lost.
    pub(super) fn deadline(&self, loss_wait: Duration) -> Option<Mono> {
        let flight = self.entries.front()?.flight.as_ref()?;
        Some(flight.sent() + loss_wait)
    }

    /// The oldest one, finally lost.
    pub(super) fn pop(&mut self) -> Option<(u64, Flight)> {
        let oldest = self.entries.pop_front()?;
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.flight.is_none())
        {
            self.entries.pop_front();
        }
        oldest.flight.map(|flight| (oldest.seq, flight))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}
