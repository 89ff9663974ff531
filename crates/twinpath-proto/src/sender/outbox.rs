//! Samples to be polled, in the order in which the replies arrived: one that waits for its T1 holds
//! back those after it, or the metrics would see reordering that did not happen.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Mono, Sample};

/// The most samples that queue behind one that waits.
const CAPACITY: usize = 8192;

/// A waiting sample, and what its fate depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// When it stops waiting for a better T1.
    pub(super) until: Mono,
    /// Its T1 is final.
    pub(super) has_t1: bool,
    /// When it stops waiting for the departure of its reply (RFC 8972 section 4.7), if it does.
    pub(super) follow_up_until: Option<Mono>,
    pub(super) facts: Facts,
}

impl Wait {
    /// When it is over.
    fn ends(&self) -> Mono {
        let t1 = if self.has_t1 {
            Mono::default()
        } else {
            self.until
        };
        self.follow_up_until.map_or(t1, |until| until.max(t1))
    }
}

/// What its fate depends on, besides the sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// From sending the packet to reading the reply, by the monotonic clock.
    pub(super) elapsed: Duration,
    /// The system clock stepped meanwhile.
    pub(super) stepped: bool,
    /// It was already counted lost.
    pub(super) overdue: bool,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) sample: Sample,
    /// `None`: ready.
    pub(super) wait: Option<Wait>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Pending>,
    /// The position of the queue's front; positions never repeat.
    front: u64,
    /// No sample before this position waits; it is past the front whenever the front is ready.
    waiting: u64,
}

impl Outbox {
    pub(super) fn push_ready(&mut self, sample: Sample) {
        self.push(Pending { sample, wait: None });
        self.step_over_ready();
    }

    /// Adds a sample that waits and returns its position.
    pub(super) fn push_waiting(&mut self, sample: Sample, wait: Wait) -> u64 {
        self.push(Pending {
            sample,
            wait: Some(wait),
        });
        self.front + self.queue.len() as u64 - 1
    }

    pub(super) fn get_mut(&mut self, position: u64) -> Option<&mut Pending> {
        self.queue
            .get_mut(usize::try_from(position.checked_sub(self.front)?).ok()?)
    }

    /// Replaces the waiting sample by the decided one.
    pub(super) fn ready(&mut self, position: u64, sample: Sample) {
        if let Some(pending) = self.get_mut(position) {
            *pending = Pending { sample, wait: None };
        }
        self.step_over_ready();
    }

    /// The oldest sample that waits, and until when.
    pub(super) fn first_waiting(&self) -> Option<(u64, Mono)> {
        let place = usize::try_from(self.waiting.checked_sub(self.front)?).ok()?;
        let wait = self.queue.get(place)?.wait?;
        Some((self.waiting, wait.ends()))
    }

    /// Whether too many samples follow one that waits.
    pub(super) fn is_crowded(&self) -> bool {
        self.queue.len() > CAPACITY
    }

    pub(super) fn pop(&mut self) -> Option<Sample> {
        if !self.has_ready() {
            return None;
        }
        self.front += 1;
        self.queue.pop_front().map(|pending| pending.sample)
    }

    /// Whether [`Outbox::pop`] would return a sample.
    pub(super) fn has_ready(&self) -> bool {
        self.queue
            .front()
            .is_some_and(|pending| pending.wait.is_none())
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        self.queue.capacity() * size_of::<Pending>()
    }

    /// Begins with room for one: slow sessions need no more.
    fn push(&mut self, pending: Pending) {
        if self.queue.capacity() == 0 {
            self.queue.reserve_exact(1);
        }
        self.queue.push_back(pending);
    }

    fn step_over_ready(&mut self) {
        while let Some(place) = self.waiting.checked_sub(self.front)
            && let Ok(place) = usize::try_from(place)
            && self
                .queue
                .get(place)
                .is_some_and(|pending| pending.wait.is_none())
        {
            self.waiting += 1;
        }
    }
}
