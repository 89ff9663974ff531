//! How long a far end is waited for that may not be there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an answer may come later than twice the first one.
const MARGIN: Duration = Duration::from_millis(250);

/// How long the first answers of a far end are waited for. Without any, the way may be long, and a
/// router that looks for the host for some seconds has not reported it yet. Once something came, the rest comes in
/// about the same time.
#[derive(Debug)]
pub struct Waiting {
    begun: Instant,
    usual: Duration,
    longest: Duration,
    /// When the far end answered first, in nanoseconds after the beginning; 0: it did not.
    answered_ns: AtomicU64,
    stopped: AtomicBool,
}

impl Waiting {
    /// From now on: `longest` where nothing answers, else `usual`, or longer if the first answer took long.
    pub fn new(usual: Duration, longest: Duration) -> Self {
        Self {
            begun: Instant::now(),
            usual,
            longest,
            answered_ns: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// The far end itself has answered something.
    pub fn answered(&self) {
        let after = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // Only the first counts.
        let _known = self.answered_ns.compare_exchange(
            0,
            after.max(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// How long the far end took to answer first; `None`: it did not.
    pub fn first_answer(&self) -> Option<Duration> {
        let after = self.answered_ns.load(Ordering::Relaxed);
        (after > 0).then(|| Duration::from_nanos(after))
    }

    /// Nothing more is waited for.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// It was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// How long all is waited for, as far as is known.
    pub fn patience(&self) -> Duration {
        match self.first_answer() {
            None => self.longest,
            Some(after) => self.usual.max(after * 2 + MARGIN).min(self.longest),
        }
    }

    /// Nothing more is waited for.
    pub fn is_over(&self) -> bool {
        self.is_stopped() || self.begun.elapsed() >= self.patience()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(4);

    #[test]
    fn a_far_end_that_answers_nothing_is_waited_for_longest() {
        let waiting = Waiting::new(USUAL, LONGEST);
        assert_eq!(waiting.patience(), LONGEST);
        assert_eq!(waiting.first_answer(), None);
        waiting.answered();
        let first = waiting.first_answer().unwrap();
        waiting.answered();
        assert_eq!(waiting.first_answer(), Some(first));
        assert!(waiting.patience() >= USUAL);
    }

    #[test]
    fn an_answer_after_a_long_way_lets_others_take_as_long() {
        for (first_ms, patience_ms) in [
            (10, 1_000),
            (375, 1_000),
            (600, 1_450),
            (1_500, 3_250),
            (3_000, 4_000),
        ] {
            let waiting = Waiting::new(USUAL, LONGEST);
            waiting
                .answered_ns
                .store(first_ms * 1_000_000, Ordering::Relaxed);
            let patience = Duration::from_millis(patience_ms);
            assert_eq!(waiting.patience(), patience, "{first_ms}");
        }
    }

    #[test]
    fn what_is_stopped_is_over() {
        let waiting = Waiting::new(USUAL, LONGEST);
        assert!(!waiting.is_stopped());
        waiting.stop();
        assert!(waiting.is_stopped() && waiting.is_over());
    }
}
