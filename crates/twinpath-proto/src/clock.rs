//! The two clocks of the host, read together.

use twinpath_wire::{Mono, Wall};

/// One reading of both clocks, taken together: what ties schedules to time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPair {
    /// The monotonic clock.
    pub mono: Mono,
    /// The system clock.
    pub wall: Wall,
}
