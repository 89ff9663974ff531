//! Sessions by when they have something to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use twinpath_wire::Mono;

use crate::measure::SessionId;

/// A heap of moments. An entry that is out of date is found to be so when it is taken: nothing is
/// ever searched for.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Mono, SessionId)>>,
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
}
