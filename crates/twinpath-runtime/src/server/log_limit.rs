//! Log lines about clients: each kind once a second at most, with a count of those left out. A client
//! must not fill a disk.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::info;
use twinpath_wire::Mono;

const SECOND: Duration = Duration::from_secs(1);

/// When each kind of line, known by its words, may be logged again.
#[derive(Debug, Default)]
pub(super) struct LogLimit(Mutex<HashMap<&'static str, State>>);

#[derive(Debug, Default)]
struct State {
    /// The next line may be written then.
    due: Mono,
    left_out: u64,
}

impl State {
    /// How many lines were left out, if one may be written `now`; it is then.
    fn admit(&mut self, now: Mono) -> Option<u64> {
        if now < self.due {
            return None;
        }
        self.due = now + SECOND;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl LogLimit {
    /// Whether a line with these words may be written `now`; with it, how many like it were left out
    /// before.
    pub(super) fn admit(&self, words: &'static str, now: Mono) -> Option<u64> {
        let mut kinds = self.kinds();
        let state = kinds.entry(words).or_default();
        let admitted = state.admit(now);
        if admitted.is_none() {
            state.left_out += 1;
        }
        admitted
    }

    /// Logs how many lines of each kind were left out, once its time is over.
    pub(super) fn log_left_out(&self, now: Mono) {
        for (words, left_out) in self.overdue(now) {
            info!(kind = words, left_out, "lines left out");
        }
    }

    fn overdue(&self, now: Mono) -> Vec<(&'static str, u64)> {
        let mut kinds = self.kinds();
        let silent = kinds.iter_mut().filter(|(_, state)| state.left_out > 0);
        let said = silent.filter_map(|(words, state)| Some((*words, state.admit(now)?)));
        said.collect()
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line at a level, if the limit of its kind allows it: `log!(state, info, "words", field, field)`.
macro_rules! log {
    ($state:expr, $level:ident, $words:literal $(, $($fields:tt)+)?) => {
        if tracing::enabled!(super::log_limit::level!($level))
            && let Some(left_out) = $state.log_limit.admit($words, twinpath_net::clock::mono())
        {
            let left_out = (left_out > 0).then_some(left_out);
            tracing::$level!($($($fields)+,)? left_out, $words);
        }
    };
}
macro_rules! level {
    (warn) => {
        tracing::Level::WARN
    };
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
    fn a_kind_has_one_line_a_second_and_the_next_tells_how_many_were_left_out() {
        let log_limit = LogLimit::default();
        let now = Mono::from_ns(5_000_000_000);
        let admitted = (0..1_000).filter(|_| log_limit.admit("refused", now).is_some());
        assert_eq!(admitted.count(), 1);
        // Another kind has its own.
        assert_eq!(log_limit.admit("set up", now), Some(0));
        assert_eq!(log_limit.admit("refused", now + SECOND), Some(999));
        assert_eq!(log_limit.admit("refused", now + SECOND), None);
    }

    #[test]
    fn what_was_left_out_is_said_though_no_other_line_comes_and_takes_its_turn() {
        let log_limit = LogLimit::default();
        let now = Mono::from_ns(5_000_000_000);
        for _ in 0..8 {
            log_limit.admit("refused", now);
        }
        log_limit.admit("set up", now);
        assert_eq!(log_limit.overdue(now + SECOND / 2), []);
        assert_eq!(log_limit.overdue(now + SECOND), [("refused", 7)]);
        assert_eq!(log_limit.overdue(now + SECOND * 2), []);
        // A line that came within that second waits like any other.
        assert_eq!(log_limit.admit("refused", now + SECOND), None);
    }

    #[test]
    fn a_storm_of_a_day_is_some_megabytes_of_lines() {
        let log_limit = LogLimit::default();
        let start = Mono::from_ns(5_000_000_000);
        // A hundred seconds, a thousand lines each.
        let lines = (0..100_000_u64).filter(|line| {
            let now = start + Duration::from_millis(*line);
            log_limit.admit("refused", now).is_some()
        });
        assert_eq!(lines.count(), 100);
    }
}
