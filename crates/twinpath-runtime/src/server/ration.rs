//! Log lines about clients, so many a second and no more: a client must not fill a disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twinpath_wire::Mono;

/// Lines in one second.
const LINES: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// How many lines this second may still have.
#[derive(Debug, Default)]
pub(super) struct Ration(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    until: Option<Mono>,
    lines: u32,
    left_out: u64,
}

impl Ration {
    /// Whether a line may be written `now`; with it, how many were left out before.
    pub(super) fn admit(&self, now: Mono) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.until.is_none_or(|until| now >= until) {
            state.until = Some(now + SECOND);
            state.lines = 0;
        }
        if state.lines == LINES {
            state.left_out += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

/// A line at a level, if the house's ration allows it: `log!(house, info, field, "message")`.
macro_rules! log {
    ($house:expr, $level:ident, $($line:tt)+) => {
        if tracing::enabled!(super::ration::level!($level))
            && let Some(left_out) = $house.ration.admit(twinpath_net::clock::mono())
        {
            if left_out > 0 {
                tracing::info!(left_out, "lines about clients were left out: too many a second");
            }
            tracing::$level!($($line)+);
        }
    };
}
macro_rules! level {
    (info) => {
        tracing::Level::INFO
    };
    (debug) => {
        tracing::Level::DEBUG
    };
}
pub(super) use {level, log};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_the_next_tells_how_many_were_left_out() {
        let ration = Ration::default();
        let now = Mono::from_ns(5_000_000_000);
        let admitted = (0..LINES + 7).filter(|_| ration.admit(now).is_some());
        assert_eq!(admitted.count(), 100);
        assert_eq!(ration.admit(now + SECOND), Some(7));
        assert_eq!(ration.admit(now + SECOND), Some(0));
    }
}
