//! Notices that a far end no longer answers, and that it does again: each as an event, and some in the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_metrics::SessionState;
use twinpath_wire::Tos;

use super::events::{Event, Events, SessionChange};
use super::part::Part;
use super::sessions::MeasuredSessions;
use super::{Parts, causes};

/// Between two looks at all sessions.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many notices of one entry come at once, and then one in this time: a far end that comes and goes fills no log.
const AT_ONCE: u32 = 4;
const NOTICE_EVERY: Duration = Duration::from_mins(1);

/// The notices given.
#[derive(Default)]
pub(super) struct ReplyWatch {
    next_look: Option<Instant>,
    noticed: HashMap<Arc<str>, Noticed>,
    /// Classes and paths without replies of each entry that has any.
    silent: HashMap<Arc<str>, Vec<(Tos, Option<u16>)>>,
}

/// How an entry is.
struct Seen {
    silent: usize,
    all: usize,
    /// A packet was ever answered.
    ever: bool,
    /// Why one of them has no replies.
    cause: Option<String>,
}

/// The last notice of an entry.
struct Noticed {
    /// Its sessions without replies.
    silent: usize,
    cause: Option<String>,
    /// None had any before.
    is_new: bool,
    /// Notices that may come at once.
    left: u32,
    /// When there was one more of these, or the first.
    since: Instant,
}

impl Noticed {
    /// Whether there may be a notice now, which it is from then on.
    fn spend(&mut self, now: Instant) -> bool {
        while self.left < AT_ONCE && now >= self.since + NOTICE_EVERY {
            self.left += 1;
            self.since += NOTICE_EVERY;
        }
        if self.left == AT_ONCE {
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
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
                let seen = Seen {
                    silent,
                    all,
                    ever: has_replies(run),
                    cause: (silent > 0).then(|| cause(run)).flatten(),
                };
                self.log(name, seen, now);
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

    fn log(&mut self, name: &Arc<str>, seen: Seen, now: Instant) {
        let Seen { silent, ever, .. } = seen;
        if silent == 0 && !self.noticed.contains_key(name) {
            return;
        }
        let noticed = self.noticed.entry(Arc::clone(name));
        let noticed = noticed.or_insert(Noticed {
            silent: 0,
            cause: None,
            is_new: true,
            left: AT_ONCE,
            since: now,
        });
        if silent > 0 {
            noticed.is_new &= !ever;
        }
        let has_changed =
            noticed.silent != silent || seen.cause.is_some() && noticed.cause != seen.cause;
        if has_changed && noticed.spend(now) {
            say(name, &seen, noticed.is_new);
            noticed.silent = silent;
            noticed.cause = seen.cause;
        }
    }
}

/// What the network says of a far end that does not answer.
fn cause(run: &MeasuredSessions) -> Option<String> {
    run.sessions().find_map(|(planned, handle)| {
        causes::of(&handle.progress(), planned.plan.far, run.is_negotiated())
    })
}

/// Whether any of an entry's packets was ever answered.
fn has_replies(run: &MeasuredSessions) -> bool {
    let mut handles = run.sessions().map(|(_, handle)| handle);
    handles.any(|handle| handle.progress().received > 0)
}

/// `is_new`: it has not answered before.
fn say(name: &str, seen: &Seen, is_new: bool) {
    let cause = seen.cause.as_ref();
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    match (seen.silent, seen.all) {
        (0, _) if is_new => info!("session {name}: the far end answers"),
        (0, _) => info!("session {name}: the far end answers again"),
        (1, 1) if is_new => warn!("session {name}: the far end does not answer{cause}"),
        (1, 1) => warn!("session {name}: the far end no longer answers{cause}"),
        (silent, all) => {
            warn!("session {name}: no replies on {silent} of {all} paths and classes{cause}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_notices_come_at_once_and_then_one_a_minute() {
        let begin = Instant::now();
        let mut noticed = Noticed {
            silent: 0,
            cause: None,
            is_new: false,
            left: AT_ONCE,
            since: begin,
        };
        let mut spend = |s| noticed.spend(begin + Duration::from_secs(s));
        let first = [1, 2, 3, 4, 5, 59].map(&mut spend);
        assert_eq!(first, [true, true, true, true, false, false]);
        let later = [62, 63, 130, 131].map(&mut spend);
        assert_eq!(later, [true, false, true, false]);
        let after_an_hour = [3_600, 3_600, 3_600, 3_600, 3_600].map(&mut spend);
        assert_eq!(after_an_hour, [true, true, true, true, false]);
    }
}
