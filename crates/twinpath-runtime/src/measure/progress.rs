//! A glance at a run in progress.

use twinpath_report::ClockState;

/// A glance at a run in progress, for a progress line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets to send; `None` for an open end.
    pub asked: Option<u64>,
    /// Sent so far.
    pub sent: u64,
    /// Answered in time so far.
    pub received: u64,
    /// Lost for certain so far.
    pub lost: u64,
    /// Last round trip in nanoseconds.
    pub last_round_trip_ns: Option<i64>,
    /// What the last reply's Error Estimate claims of the reflector's clock.
    pub far_clock: Option<ClockState>,
}
