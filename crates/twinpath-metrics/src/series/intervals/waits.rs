//! The time from an interval's end until its row is known.

use std::time::Duration;

/// The waits after which a row's contents are known and the row is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// From a packet's departure until it is counted lost.
    pub fates: Duration,
    /// From a packet's departure until its record comes, if it has no reply: it may be late until
    /// then.
    pub records: Duration,
    /// How long the caller takes to record what is known.
    pub slack: Duration,
    /// Packets are reported lost at once ([`Intervals::record_overdue`]), so rows need not wait for
    /// their records.
    ///
    /// [`Intervals::record_overdue`]: crate::Intervals::record_overdue
    pub losses_at_once: bool,
}

impl Waits {
    /// From an interval's end until its row is returned.
    pub fn row(&self) -> Duration {
        let known = if self.losses_at_once {
            self.fates
        } else {
            self.records
        };
        known.saturating_add(self.slack)
    }
}
