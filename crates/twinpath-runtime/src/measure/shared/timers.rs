//! Sessions by when they have something to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use twinpath_wire::Mono;

use crate::measure::SessionId;

/// Entries out of date that are kept whatever there is.
const SPARE: usize = 256;

/// A heap of moments. An entry that is out of date is found to be so when it is taken, or with many others:
/// none is searched for by itself.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Mono, SessionId)>>,
    prune_above: usize,
}

impl Timers {
    pub(super) fn push(&mut self, at: Mono, session: SessionId) {
        self.heap.push(Reverse((at, session)));
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest entry, if its moment has come.
    pub(super) fn pop(&mut self, now: Mono) -> Option<(Mono, SessionId)> {
        let due = self.next().is_some_and(|at| at <= now);
        due.then(|| self.heap.pop())
            .flatten()
            .map(|Reverse(entry)| entry)
    }

    /// Forgets the entries of sessions that are gone, where there are twice as many as at the last time.
    pub(super) fn prune(&mut self, is_there: impl Fn(SessionId) -> bool) {
        if self.heap.len() > self.prune_above {
            self.heap.retain(|Reverse((_, session))| is_there(*session));
            self.prune_above = 2 * self.heap.len() + SPARE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_out_by_its_time_and_nothing_before_it() {
        let mut timers = Timers::default();
        let at = Mono::from_ns;
        let id = |index| SessionId {
            index,
            generation: 0,
        };
        for (ns, index) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            timers.push(at(ns), id(index));
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(9)), None);
        let mut order = Vec::new();
        while let Some((_, session)) = timers.pop(at(20)) {
            order.push(session.index);
        }
        assert_eq!(order, [2, 4, 3]);
        assert_eq!(timers.next(), Some(at(30)));
    }

    #[test]
    fn entries_of_sessions_that_are_gone_do_not_pile_up() {
        let mut timers = Timers::default();
        let id = |index| SessionId {
            index,
            generation: 0,
        };
        for index in 0..10_000 {
            timers.push(Mono::from_ns(u64::from(index)), id(index));
            timers.prune(|session| session.index % 1_000 == 0);
            assert!(timers.heap.len() <= 2 * 10 + SPARE);
        }
        let left = std::iter::from_fn(|| timers.pop(Mono::from_ns(u64::MAX)));
        let left: Vec<u32> = left.map(|(_, session)| session.index).collect();
        let kept = left.iter().filter(|index| *index % 1_000 == 0);
        assert_eq!(kept.count(), 10, "{left:?}");
    }
}
