//! Metrics of a running process for Prometheus (`--metrics`).
//!
//! The thread that owns what is reported has no lock and shares nothing: it answers each scrape with
//! plain [`Family`] values while it waits ([`Exporter::attend`]), and a thread of the exporter encodes
//! and sends them. A client can delay neither packets nor that thread.

#[cfg(test)]
mod consumers;
mod family;
#[cfg(test)]
mod fixtures;
mod host;
#[cfg(feature = "metrics")]
mod http;
#[cfg(feature = "metrics")]
mod protobuf;
#[cfg(feature = "metrics")]
mod text;

mod reflector;
#[cfg(feature = "control")]
mod server;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_runtime::{clock_state, wall};
use twinpath_wire::Wall;

use family::Families;
pub(crate) use family::{Labels, rungs};
pub(crate) use reflector::responder;
#[cfg(feature = "control")]
pub(crate) use server::server;
pub(crate) use session::{Counted, MOST_SESSIONS, SessionNow, sessions};

use crate::failure::Failure;

/// What waits for the families of one scrape.
type Answer = Box<dyn FnOnce(Arc<Families>) + Send>;

/// The owner's end of the exporter; without `--metrics` it only waits.
pub(crate) struct Exporter {
    scrapes: Option<Receiver<Answer>>,
    /// Those that came and have no answer: as many as there may be connections.
    waiting: Vec<Answer>,
    listening: Option<SocketAddr>,
    started: Wall,
}

impl Exporter {
    /// Listens at this address, if there is one.
    ///
    /// # Errors
    /// Where it cannot listen there.
    pub(crate) fn start(address: Option<SocketAddr>) -> Result<Self, Failure> {
        let start = |address| {
            #[cfg(feature = "metrics")]
            return http::start(address);
            #[cfg(not(feature = "metrics"))]
            Err(Failure::usage(format!(
                "{address}: metrics are not part of this program"
            )))
        };
        let (scrapes, listening) = address.map(start).transpose()?.unzip();
        Ok(Self {
            scrapes,
            waiting: Vec::new(),
            listening,
            started: wall(),
        })
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
            let Some(scrapes) = &self.scrapes else {
                return thread::sleep(left);
            };
            match scrapes.recv_timeout(left) {
                Ok(answer) => {
                    self.waiting.push(answer);
                    self.answer(families());
                }
                Err(RecvTimeoutError::Timeout) => return,
                // Its thread has failed. The program goes on without it.
                Err(RecvTimeoutError::Disconnected) => self.scrapes = None,
            }
        }
    }

    /// Whether a scrape waits for an answer.
    pub(crate) fn is_asked(&mut self) -> bool {
        let scrapes = self.scrapes.iter().flat_map(Receiver::try_iter);
        self.waiting.extend(scrapes);
        !self.waiting.is_empty()
    }

    /// Answers all scrapes that wait with these families and those that every process has.
    pub(crate) fn answer(&mut self, families: Families) {
        let mut all = host::families(self.started, clock_state());
        all.extend(families);
        let all = Arc::new(all);
        if self.is_asked() {
            for answer in self.waiting.drain(..) {
                answer(Arc::clone(&all));
            }
        }
    }
}
