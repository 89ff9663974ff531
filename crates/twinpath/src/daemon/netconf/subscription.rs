//! Notifications of a session (RFC 5277).

use std::time::Duration;

use tokio::time::sleep;
use twinpath_runtime::wall;
use twinpath_wire::Wall;
use twinpath_yang::netconf::{Subscription, notification, notification_complete, replay_complete};
use twinpath_yang::{Access, Path, Select, User};

use crate::daemon::notices::{Follower, Notice};
use crate::output::rfc3339;

use super::Shared;
use super::requests::ns;

/// What a session is notified of.
pub(super) struct Subscribed {
    subscription: Subscription,
    follower: Follower,
    /// Past notifications are sent first.
    is_replay: bool,
}

/// What is due.
pub(super) enum Due {
    /// Something has happened.
    Notice(std::sync::Arc<Notice>),
    /// A message about the subscription, which may end with it.
    Message { text: String, is_end: bool },
}

impl Subscribed {
    pub(super) fn new(shared: &Shared, subscription: Subscription) -> Self {
        let start = subscription.start.map(|start| {
            let earliest = i64::try_from(start.0).unwrap_or(i64::MIN);
            Wall::from_unix_ns(earliest)
        });
        Self {
            follower: shared.control.notices().follow(start),
            is_replay: start.is_some(),
            subscription,
        }
    }

    /// Waits for what is due. It may be left, and loses nothing.
    pub(super) async fn due(&mut self) -> Due {
        loop {
            if self.is_replay && self.follower.is_live() {
                self.is_replay = false;
                return Due::Message {
                    text: replay_complete(&rfc3339(wall())),
                    is_end: false,
                };
            }
            let is_replay = self.is_replay;
            let stop = self.subscription.stop.map(|stop| stop.0);
            tokio::select! {
                biased;
                () = at(stop), if !is_replay => return Due::Message {
                    text: notification_complete(&rfc3339(wall())),
                    is_end: true,
                },
                (_missed, notice) = self.follower.next() => {
                    if stop.is_none_or(|stop| ns(notice.at) <= stop) {
                        return Due::Notice(notice);
                    }
                }
            }
        }
    }

    /// The message about what has happened; `None`: the user does not want it, or may not have it.
    pub(super) fn message(&self, shared: &Shared, user: &str, notice: &Notice) -> Option<String> {
        let schema = &shared.model.schema;
        let running = shared.control.running();
        let access = Access::of(schema, running.configuration.root());
        let user = User::named(user);
        let path = Path::root().join(notice.node, Select::All);
        if !access.may_notify(schema, user, &path) {
            shared.control.denied().add_notification();
            return None;
        }
        let may_read = |path: &Path| access.may_read(schema, user, path);
        let content = notice.shown(shared.model, may_read);
        let content = self.subscription.select(schema, &path, &content)?;
        Some(notification(schema, &rfc3339(notice.at), &path, &content))
    }
}

/// Until a time, in nanoseconds since 1970; for ever without.
async fn at(stop: Option<i128>) {
    match stop {
        Some(stop) => {
            let left = u64::try_from(stop - ns(wall())).unwrap_or(0);
            sleep(Duration::from_nanos(left)).await;
        }
        None => std::future::pending().await,
    }
}
