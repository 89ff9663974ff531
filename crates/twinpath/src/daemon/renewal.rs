//! Whether the name of a far end that no longer answers has another address.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use twinpath_runtime::measure::SessionHandle;

use crate::failure::Failure;
use crate::plan::{Ends, PlannedSession, jitter, system_lookup};

use super::pool::Pool;

/// How long after a look-up the next one is, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Between two looks at the sessions.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When a name is looked up.
pub(super) struct Renewal {
    next_look: Instant,
    /// Replies to all sessions, when they were looked at last.
    received: u64,
    /// When there were fewer.
    since: Instant,
    next: Instant,
    wait: Duration,
    found: Option<Receiver<Result<Option<Ends>, Failure>>>,
}

impl Renewal {
    /// Of sessions that begin now.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            next_look: now,
            received: 0,
            since: now,
            next: now,
            wait: FIRST_WAIT,
            found: None,
        }
    }

    /// Whether the sessions' far end has moved to another address. It is looked up where it is a name and nothing
    /// comes back.
    pub(super) fn look(
        &mut self,
        planned: &[Arc<PlannedSession>],
        handles: &[SessionHandle],
        pool: &Pool,
    ) -> bool {
        let now = Instant::now();
        if now < self.next_look {
            return false;
        }
        self.next_look = now + LOOK_EVERY;
        let received = handles
            .iter()
            .map(|handle| handle.progress().received)
            .sum();
        if received != self.received {
            (self.received, self.since) = (received, now);
            (self.wait, self.found) = (FIRST_WAIT, None);
            return false;
        }
        if let Some(found) = &self.found {
            match found.try_recv() {
                Ok(Ok(Some(_elsewhere))) => return true,
                Ok(Ok(None) | Err(_)) | Err(TryRecvError::Disconnected) => self.found = None,
                Err(TryRecvError::Empty) => {}
            }
        } else if self.is_due(planned, now) {
            self.look_up(planned, pool, now);
        }
        false
    }

    fn is_due(&self, planned: &[Arc<PlannedSession>], now: Instant) -> bool {
        let silence = planned.iter().map(|session| session.silence()).max();
        now >= self.next && silence.is_some_and(|silence| now >= self.since + silence)
    }

    fn look_up(&mut self, planned: &[Arc<PlannedSession>], pool: &Pool, now: Instant) {
        let named = planned.iter().find_map(|session| {
            let end = session.end.as_ref().filter(|end| end.is_name())?;
            Some((end.clone(), session.target.address))
        });
        if let Some((end, used)) = named {
            self.found = Some(pool.run(move || end.moved(Some(used), &system_lookup)));
        }
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.next = now + self.wait.mul_f64(jitter());
    }
}
