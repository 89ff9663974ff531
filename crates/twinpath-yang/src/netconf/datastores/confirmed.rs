//! A commit that is to be confirmed (RFC 6241 section 8.4).

use std::time::Duration;

use super::failed;
use crate::netconf::params::{Errors, invalid};
use crate::tree::Children;

/// A commit that is in force and not confirmed.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    /// The session that made it, or continued it.
    pub(super) session: u32,
    /// The token by which any session can confirm it; `None`: only its own can, while it is open.
    pub(super) persist: Option<Box<str>>,
    /// What was in force before.
    pub(super) previous: Children,
    /// How long it waits.
    pub(super) timeout: Duration,
    /// When it is rolled back.
    pub(super) deadline: Duration,
    /// When that is tried again after it failed, and how long it is waited for after another failure.
    pub(super) again: Option<(Duration, Duration)>,
}

/// How long after a failure a rollback is tried again, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl Confirmed {
    /// What the end of a session does.
    pub(super) fn end_of(&mut self, session: u32) {
        if self.persist.is_none() && self.session == session {
            self.deadline = Duration::ZERO;
        }
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.deadline <= now
    }

    /// When its rollback is tried next.
    pub(super) fn next_attempt(&self) -> Duration {
        self.again
            .map_or(self.deadline, |(at, _)| at.max(self.deadline))
    }

    /// Its rollback has failed.
    pub(super) fn has_failed(&mut self, now: Duration) {
        let wait = self.again.map_or(FIRST_WAIT, |(_, wait)| wait);
        let next = wait.saturating_mul(2).min(LONGEST_WAIT);
        self.again = Some((now.saturating_add(wait), next));
    }

    /// Whether a session may confirm or continue it, with the token that it gives.
    pub(super) fn check(&self, session: u32, token: Option<&str>) -> Result<(), Errors> {
        match (self.persist.as_deref(), token) {
            (Some(own), Some(given)) if own == given => Ok(()),
            (Some(_), None) => Err(failed(
                "in-use",
                "a commit is not confirmed yet: write its persist-id",
            )),
            (None, None) if self.session == session => Ok(()),
            (None, None) => Err(failed(
                "in-use",
                "a commit of another session is not confirmed yet",
            )),
            (Some(_) | None, Some(_)) => Err(wrong_token()),
        }
    }
}

/// That no commit has a token.
pub(super) fn wrong_token() -> Errors {
    invalid("persist-id: no commit with it waits to be confirmed")
}
