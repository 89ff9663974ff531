//! Notifications for streams: the latest of them, for streams that begin late or read slowly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use twinpath_runtime::wall;
use twinpath_wire::Wall;
use twinpath_yang::{Children, NodeId};

use super::events::Event;
use super::model::Model;

/// Notifications that are kept.
const MOST_KEPT: usize = 1_024;

/// Something that happened, as the schema has it.
pub(super) struct Notice {
    number: u64,
    pub(super) at: Wall,
    pub(super) node: NodeId,
    pub(super) content: Children,
}

/// What has happened.
pub(super) struct Notices {
    kept: Mutex<VecDeque<Arc<Notice>>>,
    /// The number of the next one.
    next: watch::Sender<u64>,
    since: Wall,
}

/// One that reads them in turn.
pub(super) struct Follower {
    notices: Arc<Notices>,
    next: u64,
    newest: watch::Receiver<u64>,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            next: watch::Sender::new(0),
            since: wall(),
        }
    }
}

impl Notices {
    /// When it began.
    pub(super) fn since(&self) -> Wall {
        self.since
    }

    /// Gives these to all that follow.
    pub(super) fn publish(&self, model: &Model, events: &[Event]) {
        for event in events {
            let Some((node, content)) = event.tree(model) else {
                continue;
            };
            let mut kept = self.kept();
            let number = *self.next.borrow();
            let at = event.at();
            kept.push_back(Arc::new(Notice {
                number,
                at,
                node,
                content,
            }));
            if kept.len() > MOST_KEPT {
                kept.pop_front();
            }
            drop(kept);
            self.next.send_replace(number + 1);
        }
    }

    /// Follows what happens from now on; `from`: what is kept from this time on too.
    pub(super) fn follow(self: &Arc<Self>, from: Option<Wall>) -> Follower {
        let newest = self.next.subscribe();
        let mut next = *newest.borrow();
        if let Some(from) = from {
            let kept = self.kept();
            let first = kept.iter().find(|notice| notice.at >= from);
            next = first.map_or(next, |notice| notice.number);
        }
        Follower {
            notices: Arc::clone(self),
            next,
            newest,
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Notice>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// The next one, and how many before it are not kept any more.
    pub(super) async fn next(&mut self) -> (u64, Arc<Notice>) {
        loop {
            self.newest.mark_unchanged();
            if let Some(found) = self.kept() {
                return found;
            }
            // The sender is there as long as the notices are.
            let _newer = self.newest.changed().await;
        }
    }

    fn kept(&mut self) -> Option<(u64, Arc<Notice>)> {
        let kept = self.notices.kept();
        let mut notices = kept.iter();
        let notice = Arc::clone(notices.find(|notice| notice.number >= self.next)?);
        drop(kept);
        let missed = notice.number - self.next;
        self.next = notice.number + 1;
        Some((missed, notice))
    }
}
