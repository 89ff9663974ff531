//! The host's clocks and what their discipline says of them.

use std::time::Duration;

use twinpath_wire::{Mono, Wall};

use crate::os;
pub use crate::os::clock::{discipline, mono, wall};

/// What the kernel's clock discipline says of the system clock (adjtimex).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// Synchronized to an external source of UTC.
    pub synchronized: bool,
    /// The greatest error it claims; `None` where the system does not tell.
    pub max_error: Option<Duration>,
    /// TAI - UTC in seconds; 37, the value since 2017, where the kernel was not told.
    pub tai_offset_s: i32,
}

/// Both clocks, taken together: the system clock is read between two readings of the monotonic one
/// and goes with the middle of these; the tightest of three tries.
pub fn pair() -> (Mono, Wall) {
    let mut best: Option<(u64, Mono, Wall)> = None;
    for _ in 0..3 {
        let before = mono();
        let wall = wall();
        let after = mono();
        let width = after.ns().saturating_sub(before.ns());
        if best.is_none_or(|(narrowest, ..)| width < narrowest) {
            best = Some((width, Mono::from_ns(before.ns() + width / 2), wall));
        }
        if width < 500 {
            break;
        }
    }
    best.map_or_else(|| (mono(), wall()), |(_, mono, wall)| (mono, wall))
}

/// How long this host has been suspended since it started: what the monotonic clock leaves out.
/// `None` where the system does not tell.
pub fn suspended() -> Option<Duration> {
    // A process that is held up between the two readings is no suspension.
    (0..3).filter_map(|_| os::clock::suspended()).min()
}
