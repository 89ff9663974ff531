//! The clocks of the standard library.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use twinpath_wire::{Mono, Wall};

use crate::clock::Discipline;

/// The system clock.
pub fn wall() -> Wall {
    let ns = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    };
    Wall::from_unix_ns(ns)
}

/// The monotonic clock, which [`crate::SocketSet`] uses.
pub fn mono() -> Mono {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    // One second ahead, so that moments shortly before the first reading exist.
    Mono::from_ns(
        u64::try_from(since.as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add(1_000_000_000),
    )
}

pub(crate) fn suspended() -> Option<Duration> {
    None
}

/// The current state of the clock's discipline.
pub fn discipline() -> Discipline {
    Discipline {
        synchronized: false,
        max_error: None,
        tai_offset_s: 37,
    }
}

/// Whether the system clock follows a PTP hardware clock: not known here.
pub fn follows_phc() -> bool {
    false
}
