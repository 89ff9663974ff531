//! Notices in the log that a far end no longer answers, and that it does again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_metrics::SessionState;

use super::Parts;
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
}

/// The last notice of an entry.
struct Noticed {
    /// Its sessions without replies.
    silent: usize,
    at: Instant,
}

impl ReplyWatch {
    /// Says of each entry whose number of silent sessions is another than before.
    pub(super) fn look(&mut self, sessions: &Parts<MeasuredSessions>) {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + LOOK_EVERY);
        self.noticed.retain(|name, _| sessions.contains_key(name));
        for (name, part) in sessions {
            let Some(run) = part.running() else {
                continue;
            };
            let is_silent = |state| state == SessionState::Failed;
            let states = run
                .sessions()
                .map(|(_, handle)| handle.progress().reply_status.state);
            let (silent, all) = states.fold((0, 0), |(silent, all), state| {
                (silent + usize::from(is_silent(state)), all + 1)
            });
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
}

fn say(name: &str, silent: usize, all: usize) {
    match (silent, all) {
        (0, _) => info!("session {name}: the far end answers again"),
        (1, 1) => warn!("session {name}: the far end no longer answers"),
        _ => warn!("session {name}: no replies on {silent} of {all} paths and classes"),
    }
}
