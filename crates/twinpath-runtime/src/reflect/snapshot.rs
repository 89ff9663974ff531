//! Counts that a reflector thread publishes at intervals.

use std::sync::{Mutex, PoisonError};

use twinpath_metrics::RungCounts;
use twinpath_proto::reflector::ReflectorCounters;

/// A thread's counts, at most about 100 ms old.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) counters: ReflectorCounters,
    pub(crate) send_errors: u64,
    pub(crate) receive_drops: u64,
    pub(crate) rebinds: u64,
    pub(crate) rungs: RungCounts,
    pub(crate) t3_advance_ns: Option<u64>,
}

impl Snapshot {
    /// The sum over threads that each leave theirs here.
    pub(crate) fn sum<'a>(threads: impl IntoIterator<Item = &'a Mutex<Self>>) -> Self {
        let mut sum = Self::default();
        for one in threads {
            sum.merge(&one.lock().unwrap_or_else(PoisonError::into_inner));
        }
        sum
    }

    /// Adds the counts of another thread.
    fn merge(&mut self, other: &Self) {
        self.counters.merge(&other.counters);
        self.send_errors += other.send_errors;
        self.receive_drops += other.receive_drops;
        self.rebinds += other.rebinds;
        self.rungs.merge(&other.rungs);
        self.t3_advance_ns = self.t3_advance_ns.max(other.t3_advance_ns);
    }
}
