//! Notifications for streams: the latest of them, for streams that begin late or read slowly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use twinpath_runtime::wall;
use twinpath_wire::Wall;
use twinpath_yang::netconf::events;
use twinpath_yang::{Children, Data, NodeId, Path, Value};

use super::events::Event;
use super::model::Model;

/// The streams that there are. All have all notifications.
pub(super) const STREAMS: [(&str, &str); 2] = [
    ("measurement", "Alerts and sessions"),
    ("NETCONF", "All notifications"),
];
/// Notifications that are kept.
const MOST_KEPT: usize = 1_024;

/// Something that happened, as the schema has it.
pub(super) struct Notice {
    number: u64,
    pub(super) at: Wall,
    pub(super) node: NodeId,
    pub(super) content: Children,
}

impl Notice {
    /// Its content, without changes of the configuration that its receiver may not read (RFC 6470 section 2.2).
    pub(super) fn shown(&self, model: &Model, may_read: impl Fn(&Path) -> bool) -> Children {
        let mut content = self.content.clone();
        let schema = &model.schema;
        let edits = schema.child(Some(self.node), None, "edit");
        let target = edits.and_then(|edits| schema.child(Some(edits), None, "target"));
        let (Some(edits), Some(target)) = (edits, target) else {
            return content;
        };
        let Some(Data::Keyless(entries)) = self.content.get(edits) else {
            return content;
        };
        let is_shown = |entry: &&Children| match entry.get(target) {
            Some(Data::Leaf(Value::Instance(path))) => may_read(path),
            Some(_) | None => true,
        };
        let entries: Vec<Children> = entries.iter().filter(is_shown).cloned().collect();
        if entries.is_empty() {
            content.remove(edits);
        } else {
            content.insert(edits, Data::Keyless(entries));
        }
        content
    }
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
    /// What was the next one when it began.
    first_new: u64,
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
            if let Some((node, content)) = event.tree(model) {
                self.push(event.at(), node, content);
            }
        }
    }

    /// Gives a notification about NETCONF to all that follow.
    pub(super) fn add(&self, at: Wall, event: events::Event) {
        if let Some((Some(node), content)) = event.map(|(path, content)| (path.node(), content)) {
            self.push(at, node, content);
        }
    }

    fn push(&self, at: Wall, node: NodeId, content: Children) {
        let mut kept = self.kept();
        // What is noticed late, as an interval's end, or after the clock was set back, keeps the order of the stream.
        let at = kept.back().map_or(at, |last| at.max(last.at));
        let number = *self.next.borrow();
        kept.push_back(Arc::new(Notice {
            number,
            at,
            node,
            content,
        }));
        if kept.len() > MOST_KEPT {
            kept.pop_front();
        }
        // With the lock held: others number theirs after it.
        self.next.send_replace(number + 1);
    }

    /// Follows what happens from now on; `from`: what is kept from this time on too.
    pub(super) fn follow(self: &Arc<Self>, from: Option<Wall>) -> Follower {
        let newest = self.next.subscribe();
        let mut next = *newest.borrow();
        let first_new = next;
        if let Some(from) = from {
            let kept = self.kept();
            let first = kept.iter().find(|notice| notice.at >= from);
            next = first.map_or(next, |notice| notice.number);
        }
        Follower {
            notices: Arc::clone(self),
            next,
            first_new,
            newest,
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Notice>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Whether all that was there when it began has been returned.
    #[cfg_attr(
        not(feature = "netconf"),
        expect(dead_code, reason = "NETCONF says when a replay is complete")
    )]
    pub(super) fn is_live(&self) -> bool {
        self.next >= self.first_new
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::model::model;

    #[tokio::test]
    async fn the_times_of_a_stream_never_go_back() {
        let node = model().unwrap().roots.main;
        let notices = Arc::new(Notices::default());
        let mut follower = notices.follow(None);
        for at in [5, 9, 7, 8, 10] {
            notices.push(Wall::from_unix_ns(at), node, Children::new());
        }
        let mut times = Vec::new();
        for _ in 0..5 {
            times.push(follower.next().await.1.at.unix_ns());
        }
        assert_eq!(times, [5, 9, 9, 9, 10]);
    }
}
