//! Samples to be polled, in the order in which the replies arrived: one that waits for its T1, or for the
//! departure of its reply, holds back those after it, or the metrics would see reordering that did not happen.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::Mono;

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
    pub(super) fn ends(&self) -> Mono {
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

/// An item, and what it waits for.
#[derive(Debug)]
pub struct Pending<T, W> {
    /// The item.
    pub item: T,
    /// `None`: it is ready.
    pub wait: Option<W>,
}

/// A queue of items of which some wait.
#[derive(Debug)]
pub struct Outbox<T, W> {
    queue: VecDeque<Pending<T, W>>,
    /// The position of the queue's front; positions never repeat.
    front: u64,
    /// No item before this position waits; it is past the front whenever the front is ready.
    waiting: u64,
}

impl<T, W> Default for Outbox<T, W> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            front: 0,
            waiting: 0,
        }
    }
}

impl<T, W> Outbox<T, W> {
    /// Adds an item that does not wait.
    pub fn push_ready(&mut self, item: T) {
        self.push(Pending { item, wait: None });
        self.step_over_ready();
    }

    /// Adds an item that waits and returns its position.
    pub fn push_waiting(&mut self, item: T, wait: W) -> u64 {
        self.push(Pending {
            item,
            wait: Some(wait),
        });
        self.front + self.queue.len() as u64 - 1
    }

    /// The item at a position, if it is still there.
    pub fn get_mut(&mut self, position: u64) -> Option<&mut Pending<T, W>> {
        self.queue
            .get_mut(usize::try_from(position.checked_sub(self.front)?).ok()?)
    }

    /// Replaces the waiting item by the decided one.
    pub(super) fn ready(&mut self, position: u64, item: T) {
        if let Some(pending) = self.get_mut(position) {
            *pending = Pending { item, wait: None };
        }
        self.step_over_ready();
    }

    /// The item at a position waits no longer.
    pub fn settle(&mut self, position: u64) {
        if let Some(pending) = self.get_mut(position) {
            pending.wait = None;
        }
        self.step_over_ready();
    }

    /// The oldest item that waits, and for what.
    pub fn first_waiting(&self) -> Option<(u64, &W)> {
        let place = usize::try_from(self.waiting.checked_sub(self.front)?).ok()?;
        let wait = self.queue.get(place)?.wait.as_ref()?;
        Some((self.waiting, wait))
    }

    /// Items that were not taken.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether all were taken.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether too many items follow one that waits.
    pub(super) fn is_crowded(&self) -> bool {
        self.queue.len() > CAPACITY
    }

    /// Takes the oldest item, if it is ready.
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_ready() {
            return None;
        }
        self.front += 1;
        self.queue.pop_front().map(|pending| pending.item)
    }

    /// Whether [`Outbox::pop`] would return an item.
    pub fn has_ready(&self) -> bool {
        self.queue
            .front()
            .is_some_and(|pending| pending.wait.is_none())
    }

    /// Octets on the heap.
    pub(super) fn memory_octets(&self) -> usize {
        self.queue.capacity() * size_of::<Pending<T, W>>()
    }

    /// Begins with room for one: slow sessions need no more.
    fn push(&mut self, pending: Pending<T, W>) {
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
