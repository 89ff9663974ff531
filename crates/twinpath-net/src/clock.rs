//! The host's clocks and the state of their discipline.

use std::time::Duration;

use twinpath_wire::{Mono, Wall};

use crate::os;
pub use crate::os::clock::{discipline, follows_phc, mono, wall};

/// State of the kernel's discipline of the system clock (adjtimex).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// Synchronized to an external source of UTC.
    pub synchronized: bool,
    /// The greatest error it claims; `None` if the system does not report it.
    pub max_error: Option<Duration>,
    /// TAI - UTC in seconds; 37, the value since 2017, if it is not set in the kernel.
    pub tai_offset_s: i32,
}

/// Reads both clocks together: the system clock between two readings of the monotonic one, and
/// paired with the middle of these; the tightest of three tries.
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

/// How long this host has been suspended since it started, which the monotonic clock does not
/// count. `None` if the system does not report it.
pub fn suspended() -> Option<Duration> {
    // A delay of the process between the two readings is not a suspension.
    (0..3).filter_map(|_| os::clock::suspended()).min()
}

/// Waits exactly until `until` (absolute, as precise as the kernel's timers), even if packets
/// arrive.
pub fn sleep_until(until: Mono) {
    os::wait::sleep_until(until);
}

/// Makes this thread's timers fire on time instead of being coalesced to save power.
pub fn minimize_timer_slack() {
    os::wait::minimize_timer_slack();
}
