//! What a daemon does for the model of TWAMP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_runtime::server::{ListedConnection, ServerSession};

use super::{ControlFacts, RemoteRun};
use crate::daemon::Daemon;
use crate::daemon::part::{Part, Runs};
use crate::daemon::sessions::{MeasuredSessions, SessionSpec};
use crate::daemon::settings::TWAMP_SERVER;

/// How often the threads of the server are asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What it does for the model of TWAMP (RFC 8913).
#[derive(Clone, Debug, Default)]
pub(crate) struct TwampState {
    pub(in crate::daemon) sessions: Vec<TwampSession>,
    pub(in crate::daemon) server: Option<TwampServer>,
}

/// A test session that is requested of a server.
#[derive(Clone, Debug)]
pub(crate) struct TwampSession {
    pub(in crate::daemon) name: Arc<str>,
    /// The name of its control connection in the configuration.
    pub(in crate::daemon) connection: Arc<str>,
    pub(in crate::daemon) status: &'static str,
    pub(in crate::daemon) facts: ControlFacts,
    pub(in crate::daemon) runs: u64,
    /// How often it is repeated at most.
    pub(in crate::daemon) most: u64,
}

/// Connections and sessions of its server.
#[derive(Clone, Debug)]
pub(crate) struct TwampServer {
    pub(in crate::daemon) connections: Vec<ListedConnection>,
    pub(in crate::daemon) sessions: Vec<ServerSession>,
}

impl TwampSession {
    fn of<R: Runs>(
        part: &Part<R>,
        connection: &Arc<str>,
        facts: Option<ControlFacts>,
        most: u64,
    ) -> Self {
        Self {
            name: Arc::clone(part.name()),
            connection: Arc::clone(connection),
            status: part.state(),
            facts: facts.unwrap_or_default(),
            runs: part.runs(),
            most,
        }
    }

    /// At most as often as it is repeated, where it is.
    pub(in crate::daemon) fn repeat_count(&self) -> u64 {
        if self.most == 0 {
            self.runs
        } else {
            self.runs.min(self.most)
        }
    }
}

impl Daemon {
    /// What it does for the model of TWAMP.
    pub(in crate::daemon) fn twamp(&self) -> TwampState {
        let limited = self.sessions.values().filter_map(|part| {
            let SessionSpec::Limited(spec) = part.spec() else {
                return None;
            };
            let facts = part.running().map(MeasuredSessions::control);
            let ended = part.outcome().map(|(facts, _)| *facts);
            let connection = &spec.connection;
            let most = spec.repeat.times.map_or(u64::MAX, u64::from);
            Some(TwampSession::of(part, connection, facts.or(ended), most))
        });
        let remote = self.remotes.values().map(|part| {
            let facts = part.running().map(RemoteRun::facts);
            let ended = part.outcome().copied();
            TwampSession::of(part, &part.spec().connection, facts.or(ended), 0)
        });
        TwampState {
            sessions: limited.chain(remote).collect(),
            server: self.twamp_server(),
        }
    }

    /// Connections and sessions of the model's server, as they were a second ago at most: its threads have to be asked.
    fn twamp_server(&self) -> Option<TwampServer> {
        let server = self.servers.get(TWAMP_SERVER).and_then(Part::running)?;
        let mut known = self.twamp_server.borrow_mut();
        if let Some((at, server)) = &*known
            && at.elapsed() < ASK_EVERY
        {
            return Some(server.clone());
        }
        let server = TwampServer {
            connections: server.run().connections(),
            sessions: server.run().sessions(),
        };
        *known = Some((Instant::now(), server.clone()));
        Some(server)
    }
}
