//! What happens to alerts and sessions, for those who want to be notified.

use std::collections::VecDeque;
use std::sync::Arc;

use twinpath_runtime::wall;
use twinpath_wire::{Tos, Wall};
use twinpath_yang::{Children, NodeId};

use super::alarms::ActiveAlarm;
use super::model::{MODULE, Model};
use super::tree::{Builder, alarm, class_and_path};

/// The most events that wait.
const MOST_WAITING: usize = 1_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An alert was raised or cleared.
    Alert {
        is_raised: bool,
        /// The end of the interval that did it.
        at: Wall,
        alarm: ActiveAlarm,
    },
    /// A session does something else, or its far end ceased to answer or answers again.
    Session(SessionChange),
}

/// A session, or a class and path of it, has another state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionChange {
    pub(crate) session: Arc<str>,
    /// DSCP and path; `None`: the whole session is meant.
    pub(crate) measurement: Option<(u8, Option<u16>)>,
    pub(crate) at: Wall,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// Why it does not run.
    pub(crate) failure: Option<String>,
}

impl SessionChange {
    /// An entry does something else.
    pub(super) fn entry(
        session: &Arc<str>,
        [from, to]: [&'static str; 2],
        failure: Option<&str>,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            measurement: None,
            at: wall(),
            from,
            to,
            failure: failure.map(str::to_owned),
        }
    }

    /// The far end ceased to answer a class and path, or answers again.
    pub(super) fn replies(
        session: &Arc<str>,
        (class, path): (Tos, Option<u16>),
        is_silent: bool,
    ) -> Self {
        let states = ["answering", "silent"];
        let [from, to] = if is_silent {
            states
        } else {
            [states[1], states[0]]
        };
        Self {
            measurement: Some((class.dscp().value(), path)),
            ..Self::entry(session, [from, to], None)
        }
    }
}

impl Event {
    /// When it happened.
    pub(crate) fn at(&self) -> Wall {
        match self {
            Self::Alert { at, .. } => *at,
            Self::Session(change) => change.at,
        }
    }

    /// The notification that says so, and its content. `None`: the schema has none.
    pub(crate) fn tree(&self, model: &Model) -> Option<(NodeId, Children)> {
        let module = model.schema.module_named(MODULE);
        let name = match self {
            Self::Alert { is_raised, .. } if *is_raised => "alert-raised",
            Self::Alert { .. } => "alert-cleared",
            Self::Session(_) => "session-state-changed",
        };
        let node = model.schema.notification(None, module, name)?;
        let mut content = Builder::at(&model.schema, node);
        match self {
            Self::Alert {
                at, alarm: changed, ..
            } => {
                content.leaf("alert", changed.alert.as_str());
                content.leaf("when", changed.when.as_str());
                content.leaf("time", *at);
                alarm(&mut content, changed);
            }
            Self::Session(change) => {
                content.leaf("session", &*change.session);
                content.leaf("time", change.at);
                content.leaf("from", change.from);
                content.leaf("to", change.to);
                content.leaf("failure", change.failure.as_deref());
                if let Some((dscp, path)) = change.measurement {
                    class_and_path(&mut content, dscp, path);
                }
            }
        }
        Some((node, content.content()))
    }
}

/// Events that wait to be taken, the latest.
#[derive(Debug, Default)]
pub(super) struct Events {
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl Events {
    /// Adds an event; the oldest is dropped where too many wait.
    pub(super) fn push(&mut self, event: Event) {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.waiting.push_back(event);
    }

    /// All that wait, in the order in which they happened.
    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.waiting).into()
    }

    /// How many were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
