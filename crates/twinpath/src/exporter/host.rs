//! What every process reports: its version, when it started, the clock of its host.

use twinpath_report::ClockState;
use twinpath_wire::Wall;

use super::family::{Families, Family, seconds};

/// `started`: when the process began to serve.
pub(super) fn families(started: Wall, clock: ClockState) -> Families {
    let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
    let started = u64::try_from(started.unix_ns()).ok().map(seconds);
    vec![
        Family::info("build_info", "the program that runs, always 1", [version]),
        Family::seconds(
            "start_time",
            "time at which it began to serve, since 1970",
            started,
        ),
        Family::gauge(
            "clock_synchronized",
            "1 if the system says that its clock is synchronized, else 0",
            clock.synchronized.into(),
        ),
        Family::seconds(
            "clock_error",
            "the greatest error that the system clock claims; without a sample if it claims none",
            clock.error_ns.map(seconds),
        ),
    ]
}
