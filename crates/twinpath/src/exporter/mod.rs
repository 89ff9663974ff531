//! Metrics of a running process for Prometheus (`--metrics`).
//!
//! The thread that owns what is reported has no lock and shares nothing: it answers each scrape with
//! plain [`Family`] values while it waits ([`Exporter::attend`]), and a thread of the exporter encodes
//! and sends them. A client can delay neither packets nor that thread.

mod family;
#[cfg(all(test, feature = "metrics"))]
mod fixtures;
mod host;
#[cfg(feature = "metrics")]
mod http;
#[cfg(feature = "metrics")]
mod text;

mod reflector;
#[cfg(feature = "control")]
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_runtime::{clock_state, wall};
use twinpath_wire::Wall;

use family::Families;
pub(crate) use reflector::responder;
#[cfg(feature = "control")]
pub(crate) use server::server;

use crate::failure::Failure;

/// What waits for the families of one scrape.
type Answer = Box<dyn FnOnce(Arc<Families>) + Send>;

/// The owner's end of the exporter; without `--metrics` it only waits.
pub(crate) struct Exporter {
    scrapes: Option<Receiver<Answer>>,
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
            listening,
            started: wall(),
        })
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Option<SocketAddr> {
        self.listening
    }

    /// Waits this long, and meanwhile answers scrapes with these families and those that every process has.
    /// Scrapes that came together get the same.
    pub(crate) fn attend(&self, wait: Duration, mut families: impl FnMut() -> Families) {
        let until = Instant::now() + wait;
        let Some(scrapes) = &self.scrapes else {
            return thread::sleep(wait);
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match scrapes.recv_timeout(left) {
                Ok(answer) => {
                    let mut all = host::families(self.started, clock_state());
                    all.extend(families());
                    let families = Arc::new(all);
                    answer(Arc::clone(&families));
                    for answer in scrapes.try_iter() {
                        answer(Arc::clone(&families));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return,
                // Its thread has failed. The program goes on without it.
                Err(RecvTimeoutError::Disconnected) => return thread::sleep(left),
            }
        }
    }
}
