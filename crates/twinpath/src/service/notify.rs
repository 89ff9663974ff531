//! The protocol of sd_notify(3).

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// What the service manager can be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum State<'a> {
    Ready,
    Reloading,
    Stopping,
    Alive,
    /// In one line.
    Status(&'a str),
}

/// Whether there is one that listens.
pub(super) fn is_managed() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// How long it waits for a sign of life; `None`: it wants none.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// # Errors
/// The system's error.
pub(super) fn tell(states: &[State<'_>]) -> io::Result<()> {
    let mut all = Vec::new();
    for state in states {
        match state {
            State::Ready => all.push(NotifyState::Ready),
            State::Reloading => {
                all.push(NotifyState::Reloading);
                // By which it knows that this is the reload that it asked for.
                all.push(NotifyState::monotonic_usec_now()?);
            }
            State::Stopping => all.push(NotifyState::Stopping),
            State::Alive => all.push(NotifyState::Watchdog),
            State::Status(line) => all.push(NotifyState::Status(line)),
        }
    }
    sd_notify::notify(&all)
}
