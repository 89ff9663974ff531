//! NETCONF over SSH (RFC 6241, RFC 6242).
//!
//! One thread serves all connections; what takes time is done by others. The messages are `twinpath_yang::netconf`'s:
//! here are the transport, the sessions that are open, and what their operations ask of the daemon.

mod connections;
mod keys;
mod requests;
mod rollback;
mod session;
mod sessions;
mod subscription;
mod transport;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing::{error, info};
use twinpath_runtime::wall;
use twinpath_yang::netconf::{ServerOptions, capabilities};

use crate::clients;
use crate::failure::Failure;
use crate::http;
use crate::output::rfc3339;

use super::control::Control;
use super::model::{Model, model};
use super::operational::CONTENT_ID;
use super::settings::NetconfSettings;
use connections::Connections;
use keys::Keys;
use sessions::Sessions;

pub(super) use keys::lacking;

/// Whether this program has NETCONF.
pub(super) const HAS_NETCONF: bool = true;

/// Never said.
pub(super) const WITHOUT: &str = "";

/// A server that runs as long as the process.
pub(crate) struct NetconfServer {
    listening: SocketAddr,
    shared: Arc<Shared>,
}

/// What all sessions have in common.
struct Shared {
    control: Control,
    model: &'static Model,
    settings: NetconfSettings,
    keys: RwLock<Arc<Keys>>,
    connections: Connections,
    sessions: Arc<Sessions>,
    capabilities: Arc<[String]>,
    /// That a commit may have to be undone earlier than was known.
    rollback: Notify,
    began: Instant,
}

impl NetconfServer {
    /// Reads the files, listens, and serves from a thread of its own.
    ///
    /// # Errors
    /// A file cannot be used, or the address cannot be had.
    pub(crate) fn start(settings: NetconfSettings, control: Control) -> Result<Self, Failure> {
        let model = model()?;
        let options = ServerOptions {
            content_id: Some(CONTENT_ID),
            has_notifications: true,
        };
        let capabilities: Arc<[String]> = capabilities(&model.schema, options).into();
        let sessions = Arc::new(Sessions::new(rfc3339(wall())));
        let keys = Keys::read(&settings)?;
        let (listener, listening) = http::listen("[netconf] listen", settings.listen)?;
        let shared = Arc::new(Shared {
            control,
            model,
            keys: RwLock::new(Arc::new(keys)),
            connections: Connections::new(settings.max_sessions, settings.max_per_address),
            sessions,
            capabilities,
            settings,
            rollback: Notify::new(),
            began: Instant::now(),
        });
        shared.show_state();
        let without = |error| Failure::could_not(format!("[netconf]: {error}"));
        let runtime = clients::runtime().map_err(without)?;
        let served = Arc::clone(&shared);
        clients::spawn("netconf", runtime, || async move {
            tokio::spawn(rollback::serve(Arc::clone(&served)));
            match TcpListener::from_std(listener) {
                Ok(listener) => connections::accept(served, listener).await,
                Err(error) => error!(%error, "NETCONF is not served"),
            }
        })
        .map_err(without)?;
        Ok(Self { listening, shared })
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> SocketAddr {
        self.listening
    }

    /// Reads the files of keys again. Files with a fault change nothing; sessions whose keys are not there any more end.
    pub(crate) fn reread(&self) {
        let before = self.shared.keys();
        let next = match Keys::read(&self.shared.settings) {
            Ok(next) => next,
            Err(failure) => return error!("{failure}: keys of [netconf] stay as they were"),
        };
        if next == *before {
            return;
        }
        let next = Arc::new(next);
        let keys = self.shared.keys.write();
        *keys.unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        self.shared
            .connections
            .retain(|user, key| next.has(user, key));
        info!("keys of [netconf] read again");
    }
}

impl Shared {
    fn keys(&self) -> Arc<Keys> {
        let keys = self.keys.read();
        Arc::clone(&keys.unwrap_or_else(PoisonError::into_inner))
    }

    /// The time of [`twinpath_yang::netconf::Context::now`].
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Has `ietf-netconf-monitoring` shown wherever state is.
    fn show_state(&self) {
        let (sessions, capabilities) = (Arc::clone(&self.sessions), Arc::clone(&self.capabilities));
        let control = self.control.clone();
        self.control.add_state(Box::new(move |model, root| {
            sessions.show(model, &control, &capabilities, root);
        }));
    }
}
