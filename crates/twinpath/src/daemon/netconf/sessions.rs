//! The sessions that are open (RFC 6022 section 2.1.4).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use twinpath_runtime::wall;
use twinpath_yang::Children;
use twinpath_yang::netconf::events::EndReason;
use twinpath_yang::netconf::{
    Counts, Datastores, ServerState, SessionState, Stream, netconf_state, streams,
};

use crate::daemon::control::{By, Control};
use crate::daemon::model::Model;
use crate::daemon::notices::STREAMS;
use crate::output::rfc3339;

/// The transport of all sessions.
const TRANSPORT: &str = "netconf-ssh";

/// All of them, and what they have counted.
pub(super) struct Sessions {
    /// Since when there may be some.
    since: String,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    open: BTreeMap<u32, Open>,
    bad_hellos: u32,
    begun: u32,
    dropped: u32,
    /// Of sessions that have ended.
    past: Counts,
}

struct Open {
    by: By,
    since: String,
    counts: Counts,
    /// The session that ends it.
    killed: watch::Sender<Option<u32>>,
}

impl Sessions {
    pub(super) fn new(since: String) -> Self {
        Self {
            since,
            counted: Mutex::default(),
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another one. What it returns has the session that ends it.
    pub(super) fn open(&self, by: &By) -> watch::Receiver<Option<u32>> {
        let (killed, receiver) = watch::channel(None);
        let open = Open {
            by: by.clone(),
            since: rfc3339(wall()),
            counts: Counts::default(),
            killed,
        };
        self.counted().open.insert(by.session, open);
        receiver
    }

    /// Its client has said hello.
    pub(super) fn begin(&self) {
        let mut counted = self.counted();
        counted.begun = counted.begun.wrapping_add(1);
    }

    /// What it has counted so far.
    pub(super) fn count(&self, session: u32, counts: Counts) {
        if let Some(open) = self.counted().open.get_mut(&session) {
            open.counts = counts;
        }
    }

    /// Whose it is.
    pub(super) fn by(&self, session: u32) -> Option<By> {
        let counted = self.counted();
        counted.open.get(&session).map(|open| open.by.clone())
    }

    /// Ends a session at once; `by`: another one.
    pub(super) fn kill(&self, session: u32, by: u32) {
        if let Some(open) = self.counted().open.get(&session) {
            // It may end by itself just now.
            let _ending = open.killed.send(Some(by));
        }
    }

    /// It has ended.
    pub(super) fn close(&self, session: u32, reason: EndReason) {
        let mut counted = self.counted();
        let open = counted.open.remove(&session);
        let counts = open.map(|open| open.counts).unwrap_or_default();
        counted.past = sum(counted.past, counts);
        match reason {
            EndReason::Closed | EndReason::Killed(_) => {}
            EndReason::BadHello => counted.bad_hellos = counted.bad_hellos.wrapping_add(1),
            EndReason::Dropped | EndReason::Timeout | EndReason::Other => {
                counted.dropped = counted.dropped.wrapping_add(1);
            }
        }
    }

    /// Adds the state of NETCONF to a tree.
    pub(super) fn show(
        &self,
        model: &Model,
        control: &Control,
        capabilities: &[String],
        root: &mut Children,
    ) {
        let since = rfc3339(control.notices().since());
        let streams_of = STREAMS.map(|(name, description)| Stream {
            name,
            description,
            replay_since: Some(&since),
        });
        let state = self.state(model, &control.datastores(), capabilities);
        for tree in [state, streams(&model.schema, &streams_of)] {
            for (node, data) in tree.iter() {
                root.insert(node, data.clone());
            }
        }
    }

    fn state(&self, model: &Model, datastores: &Datastores, capabilities: &[String]) -> Children {
        let counted = self.counted();
        let sessions = counted.open.iter().map(|(id, open)| SessionState {
            id: *id,
            transport: TRANSPORT,
            user: &open.by.user,
            source_host: open.by.host.as_deref(),
            login_time: &open.since,
            counts: open.counts,
        });
        let sessions: Vec<SessionState<'_>> = sessions.collect();
        let all = sessions.iter().map(|session| session.counts);
        let server = ServerState {
            start_time: &self.since,
            in_bad_hellos: counted.bad_hellos,
            in_sessions: counted.begun,
            dropped_sessions: counted.dropped,
            counts: all.fold(counted.past, sum),
        };
        netconf_state(&model.schema, capabilities, datastores, &sessions, &server)
    }
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        in_rpcs: a.in_rpcs.wrapping_add(b.in_rpcs),
        in_bad_rpcs: a.in_bad_rpcs.wrapping_add(b.in_bad_rpcs),
        out_rpc_errors: a.out_rpc_errors.wrapping_add(b.out_rpc_errors),
        out_notifications: a.out_notifications.wrapping_add(b.out_notifications),
    }
}
