//! There is no service manager here.

use std::io;
use std::time::Duration;

/// What the service manager can be told.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "one face for all systems")]
pub(super) enum State<'a> {
    Ready,
    Reloading,
    Stopping,
    Alive,
    Status(&'a str),
}

pub(super) fn is_managed() -> bool {
    false
}

pub(super) fn watchdog() -> Option<Duration> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "one face for all systems")]
pub(super) fn tell(_: &[State<'_>]) -> io::Result<()> {
    Ok(())
}
