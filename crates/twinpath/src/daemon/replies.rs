//! Notices that a far end no longer answers, and that it does again: each as an event, and some in the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_metrics::SessionState;
use twinpath_wire::Tos;

use super::Parts;
use super::events::{Event, Events, SessionChange};
use super::part::Part;
use super::sessions::MeasuredSessions;

/// Between two looks at all sessions.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Notices of one entry come no closer than this: a far end that comes and goes fills no log.
const NOTICE_EVERY: Duration = Duration::from_mins(1);

/// The notices given.
#[derive(Default)]
pub(super) struct ReplyWatch {
    next_look: Option<Instant>,
    noticed: HashMap<Arc<str>, Noticed>,
    /// Classes and paths without replies of each entry that has any.
    silent: HashMap<Arc<str>, Vec<(Tos, Option<u16>)>>,
}

/// The last notice of an entry.
struct Noticed {
    /// Its sessions without replies.
    silent: usize,
    at: Instant,
}

impl ReplyWatch {
    /// Says of each class and path that it does not answer, or does again, and logs a number of them that is another
    /// than before.
    pub(super) fn look(&mut self, sessions: &Parts<MeasuredSessions>, events: &mut Events) {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + LOOK_EVERY);
        self.noticed.retain(|name, _| sessions.contains_key(name));
        self.silent.retain(|name, _| {
            let running = sessions.get(name).and_then(Part::running);
            running.is_some()
        });
        for (name, part) in sessions {
            if let Some(run) = part.running() {
                let (silent, all) = self.count_silent(name, run, events);
                self.log(name, silent, all, now);
            }
        }
    }

    /// How many sessions of an entry have no replies, and how many it has.
    fn count_silent(
        &mut self,
        name: &Arc<str>,
        run: &MeasuredSessions,
        events: &mut Events,
    ) -> (usize, usize) {
        let before = self.silent.remove(name).unwrap_or_default();
        let mut silent = Vec::new();
        let mut all = 0;
        for (planned, handle) in run.sessions() {
            all += 1;
            let key = (planned.class, planned.path);
            let was_silent = before.contains(&key);
            let is_silent = match handle.progress().reply_status.state {
                SessionState::Failed => true,
                SessionState::Active => false,
                // Its counts were reset.
                SessionState::Idle => was_silent,
            };
            if is_silent {
                silent.push(key);
            }
            if is_silent != was_silent {
                events.push(Event::Session(SessionChange::replies(name, key, is_silent)));
            }
        }
        let count = silent.len();
        if count > 0 {
            self.silent.insert(Arc::clone(name), silent);
        }
        (count, all)
    }

    fn log(&mut self, name: &Arc<str>, silent: usize, all: usize, now: Instant) {
        let before = self.noticed.get(name);
        let is_news = before.map_or(silent > 0, |before| {
            before.silent != silent && now >= before.at + NOTICE_EVERY
        });
        if is_news {
            say(name, silent, all);
            let noticed = Noticed { silent, at: now };
            self.noticed.insert(Arc::clone(name), noticed);
        }
    }
}

fn say(name: &str, silent: usize, all: usize) {
    match (silent, all) {
        (0, _) => info!("session {name}: the far end answers again"),
        (1, 1) => warn!("session {name}: the far end no longer answers"),
        _ => warn!("session {name}: no replies on {silent} of {all} paths and classes"),
    }
}
