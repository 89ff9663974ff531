//! Metrics of a running process for Prometheus (`--metrics`) and OpenTelemetry collectors (`--otlp`).
//!
//! The thread that owns what is reported has no lock and shares nothing: it answers each scrape with
//! plain [`Family`] values while it waits ([`Exporter::attend`]), and a thread of the exporter encodes
//! and sends them. A client can delay neither packets nor that thread.

#[cfg(feature = "daemon")]
mod alarms;
#[cfg(test)]
mod consumers;
mod family;
#[cfg(test)]
mod fixtures;
mod host;
#[cfg(feature = "metrics")]
mod http;
#[cfg(feature = "daemon")]
pub(crate) mod otlp;
#[cfg(feature = "metrics")]
mod protobuf;
#[cfg(feature = "metrics")]
mod text;

#[cfg(feature = "daemon")]
mod exports;
mod reflector;
#[cfg(feature = "control")]
mod server;
mod session;
#[cfg(feature = "daemon")]
mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use twinpath_runtime::{clock_state, wall};
use twinpath_wire::Wall;

#[cfg(feature = "daemon")]
pub(crate) use alarms::alarms;
#[cfg(feature = "daemon")]
pub(crate) use exports::exports;
#[cfg(all(feature = "status", unix))]
pub(crate) use family::rungs;
pub(crate) use family::{Families, Labels};
#[cfg(feature = "daemon")]
pub(crate) use family::{Sample, Value, labelled, merged};
#[cfg(feature = "daemon")]
pub(crate) use http::{Scrapes, respond};
pub(crate) use reflector::responder;
#[cfg(feature = "control")]
pub(crate) use server::server;
pub(crate) use session::{Counted, MOST_SESSIONS, SessionNow, sessions};
#[cfg(feature = "daemon")]
pub(crate) use store::store;

use crate::failure::Failure;
#[cfg(feature = "daemon")]
use crate::http::client::Endpoint;

/// What waits for the families of one scrape.
pub(crate) type Answer = Box<dyn FnOnce(Arc<Families>) + Send>;

/// Scrapes that may wait: as many as there may be connections, and a push.
const MOST_WAITING: usize = 257;

/// Where to push metrics, and how often.
#[cfg(feature = "daemon")]
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) collector: Endpoint,
    pub(crate) every: Duration,
}

/// The owner's end of the exporter; without options it only waits.
pub(crate) struct Exporter {
    scrapes: Receiver<Answer>,
    /// For threads that scrape.
    #[cfg_attr(
        not(feature = "metrics"),
        expect(dead_code, reason = "it keeps the channel open")
    )]
    to_owner: SyncSender<Answer>,
    /// Those that came and have no answer.
    waiting: Vec<Answer>,
    listening: Option<SocketAddr>,
    #[cfg(feature = "daemon")]
    pusher: Option<otlp::Pusher>,
    started: Wall,
}

impl Exporter {
    pub(crate) fn new() -> Self {
        let (to_owner, scrapes) = sync_channel(MOST_WAITING);
        Self {
            scrapes,
            to_owner,
            waiting: Vec::new(),
            listening: None,
            #[cfg(feature = "daemon")]
            pusher: None,
            started: wall(),
        }
    }

    /// Listens at this address, if there is one.
    ///
    /// # Errors
    /// Where it cannot listen there.
    pub(crate) fn listen(&mut self, address: Option<SocketAddr>) -> Result<(), Failure> {
        let start = |address| {
            #[cfg(feature = "metrics")]
            return http::start(address, self.to_owner.clone());
            #[cfg(not(feature = "metrics"))]
            Err(Failure::usage(format!(
                "{address}: metrics are not part of this program"
            )))
        };
        self.listening = address.map(start).transpose()?;
        Ok(())
    }

    /// Pushes to this collector, if there is one, from a thread that calls `confine` first.
    ///
    /// # Errors
    /// Where the environment has what cannot be used.
    #[cfg(feature = "daemon")]
    pub(crate) fn push(
        &mut self,
        push: Option<Push>,
        confine: impl FnOnce() + Send + 'static,
    ) -> Result<(), Failure> {
        let start = |push: Push| otlp::start(&push, self.to_owner.clone(), confine);
        self.pusher = push.map(start).transpose()?;
        Ok(())
    }

    /// For an HTTP server of its own.
    #[cfg(feature = "daemon")]
    pub(crate) fn scrapes(&self) -> Scrapes {
        self.to_owner.clone()
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// Waits this long, and meanwhile answers scrapes with these families.
    pub(crate) fn attend(&mut self, wait: Duration, mut families: impl FnMut() -> Families) {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(answer) = self.scrapes.recv_timeout(left) else {
                return;
            };
            self.waiting.push(answer);
            self.answer(families());
        }
    }

    /// Whether a scrape waits for an answer.
    pub(crate) fn is_asked(&mut self) -> bool {
        self.waiting.extend(self.scrapes.try_iter());
        !self.waiting.is_empty()
    }

    /// Answers all scrapes that wait with these families and those that every process has.
    pub(crate) fn answer(&mut self, families: Families) {
        let all = self.with_host(families);
        if self.is_asked() {
            for answer in self.waiting.drain(..) {
                answer(Arc::clone(&all));
            }
        }
    }

    fn with_host(&self, families: Families) -> Arc<Families> {
        let mut all = host::families(self.started, clock_state());
        all.extend(families);
        Arc::new(all)
    }

    /// Has these last families pushed, if it pushes. When the exporter is dropped it waits for that.
    #[cfg_attr(
        not(feature = "daemon"),
        expect(unused_variables, clippy::unused_self, reason = "nothing is pushed")
    )]
    pub(crate) fn end(&mut self, families: impl FnOnce() -> Families) {
        #[cfg(feature = "daemon")]
        if let Some(mut pusher) = self.pusher.take() {
            pusher.end(self.with_host(families()));
            self.pusher = Some(pusher);
        }
    }
}
