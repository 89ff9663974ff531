//! How long after an interval its row is known.

use std::time::Duration;

/// When what is in a row is known, and when the row is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// From a packet's departure until it is counted lost.
    pub fates: Duration,
    /// From a packet's departure until its record comes, if it has no reply: it may be late until
    /// then.
    pub records: Duration,
    /// What the caller takes to record what is known.
    pub slack: Duration,
    /// Packets are told lost as soon as they are ([`Intervals::record_overdue`]): rows need not wait
    /// for their records.
    ///
    /// [`Intervals::record_overdue`]: crate::Intervals::record_overdue
    pub told: bool,
}

impl Waits {
    /// From an interval's end until its row is given.
    pub fn row(&self) -> Duration {
        let known = if self.told { self.fates } else { self.records };
        known.saturating_add(self.slack)
    }
}
