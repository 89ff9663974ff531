//! SIGINT and SIGTERM: the first asks for an early end with a report, the second ends at once. SIGHUP
//! asks a server to read its files again, SIGQUIT asks a measurement how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use crate::failure::Failure;

/// Whether somebody told us to read our files again.
pub(crate) struct Rereads {
    told: Arc<AtomicBool>,
}

impl Rereads {
    /// From now on: SIGHUP ends the program no more. Where there is no such signal, nobody tells.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let told = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGHUP, Arc::clone(&told)).map_err(deaf)?;
        Ok(Self { told })
    }

    /// The signal came since the last time.
    pub(crate) fn told(&self) -> bool {
        self.told.swap(false, Ordering::AcqRel)
    }
}

/// Whether somebody told us to stop.
pub(crate) struct Signals {
    told: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let told = Arc::new(AtomicBool::new(false));
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
            // In this order: the second signal finds the flag that the first one set.
            flag::register_conditional_shutdown(signal, status, Arc::clone(&told))
                .and_then(|_| flag::register(signal, Arc::clone(&told)))
                .map_err(deaf)?;
        }
        Ok(Self {
            told,
            asked: Arc::default(),
        })
    }

    /// SIGQUIT (Ctrl-\\) no longer ends the program but asks how far it is.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn and_glances(self) -> Result<Self, Failure> {
        flag::register(SIGQUIT, Arc::clone(&self.asked)).map_err(deaf)?;
        Ok(self)
    }

    /// SIGQUIT came since the last call.
    pub(crate) fn asked_how_far(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }

    /// The first signal came.
    pub(crate) fn told_to_stop(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as errors are mapped")]
fn deaf(error: std::io::Error) -> Failure {
    Failure::could_not(format!("cannot listen to signals: {error}"))
}
