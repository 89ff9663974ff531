//! SIGINT and SIGTERM: the first asks for an early end with a report, the second ends at once. SIGHUP
//! asks for the early end of a measurement too, and a server to read its files again; SIGQUIT asks a
//! measurement how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[cfg(unix)]
use signal_hook::consts::{SIGALRM, SIGHUP, SIGQUIT};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{exit, unregister};
use signal_hook::{SigId, flag};

use self::heard::Heard;
use crate::failure::Failure;

#[cfg_attr(unix, path = "signals/heard_unix.rs")]
#[cfg_attr(not(unix), path = "signals/heard_anywhere.rs")]
mod heard;

/// Whether the program was asked to read its files again.
pub(crate) struct ReloadSignal {
    requested: Arc<AtomicBool>,
}

impl ReloadSignal {
    /// From now on: SIGHUP no longer ends the program. Never requested where there is no such signal.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let requested = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        flag::register(SIGHUP, Arc::clone(&requested)).map_err(no_handler)?;
        Ok(Self { requested })
    }

    /// The signal came since the last time.
    pub(crate) fn requested(&self) -> bool {
        self.requested.swap(false, Ordering::AcqRel)
    }
}

/// Whether the program was asked to stop.
pub(crate) struct Signals {
    requested: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
    progress: Arc<AtomicBool>,
    /// What ends the program at the second signal.
    ends: Vec<SigId>,
}

impl Signals {
    /// From now on.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let requested = Arc::new(AtomicBool::new(false));
        let mut ends = Vec::new();
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
            // In this order: the second signal finds the flag that the first one set.
            let end = flag::register_conditional_shutdown(signal, status, Arc::clone(&requested));
            ends.push(end.map_err(no_handler)?);
            flag::register(signal, Arc::clone(&requested)).map_err(no_handler)?;
        }
        Ok(Self {
            requested,
            ends,
            hung_up: Arc::default(),
            progress: Arc::default(),
        })
    }

    /// The second signal does not end the program: it changes nothing.
    #[cfg(feature = "daemon")]
    pub(crate) fn without_second(mut self) -> Self {
        for end in self.ends.drain(..) {
            unregister(end);
        }
        self
    }

    /// No signal asks, but this flag does.
    pub(crate) fn by_flag(requested: Arc<AtomicBool>) -> Self {
        Self {
            requested,
            hung_up: Arc::default(),
            progress: Arc::default(),
            ends: Vec::new(),
        }
    }

    /// A terminal that hangs up (SIGHUP) asks for the early end as well, and is no first signal: one
    /// terminal may send several, and what ends its session sends SIGTERM too. Under `nohup` it asks
    /// for nothing.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn with_hangups(self) -> Result<Self, Failure> {
        if !twinpath_runtime::host::ignores_hangup() {
            #[cfg(unix)]
            flag::register(SIGHUP, Arc::clone(&self.hung_up)).map_err(no_handler)?;
        }
        Ok(self)
    }

    /// SIGQUIT (Ctrl-\\) no longer ends the program but asks how far it is.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler.
    pub(crate) fn with_progress_requests(self) -> Result<Self, Failure> {
        #[cfg(unix)]
        flag::register(SIGQUIT, Arc::clone(&self.progress)).map_err(no_handler)?;
        Ok(self)
    }

    /// The second signal ends the program only after `cleanup`, which may do what no handler of a
    /// signal may.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler or a thread.
    pub(crate) fn with_cleanup(&mut self, cleanup: fn()) -> Result<(), Failure> {
        let mut heard = Heard::new(&[SIGINT, SIGTERM]).map_err(no_handler)?;
        let requested = Arc::clone(&self.requested);
        let mut second = requested.load(Ordering::Acquire);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in heard.forever() {
                    if second {
                        cleanup();
                        exit(128 + signal);
                    }
                    second = true;
                    requested.store(true, Ordering::Release);
                }
            })
            .map_err(no_handler)?;
        for end in self.ends.drain(..) {
            unregister(end);
        }
        Ok(())
    }

    /// SIGQUIT came since the last call.
    pub(crate) fn progress_requested(&self) -> bool {
        self.progress.swap(false, Ordering::AcqRel)
    }

    /// The first signal came, or the terminal is gone.
    pub(crate) fn stop_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire) || self.hung_up.load(Ordering::Acquire)
    }
}

/// Each signal that asks a program to end comes here, by its name, and does nothing else. SIGHUP does
/// not under `nohup`.
///
/// # Errors
/// The system's, if it has no room for a handler or a thread.
pub(crate) fn take_ends(ended_by: impl Fn(&'static str) + Send + 'static) -> Result<(), Failure> {
    let usual = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")];
    let signals: Vec<(i32, &'static str)> = usual.into_iter().chain(unix_ends()).collect();
    let numbers: Vec<i32> = signals.iter().map(|(signal, _)| *signal).collect();
    let mut heard = Heard::new(&numbers).map_err(no_handler)?;
    let take = move || {
        for heard in heard.forever() {
            let name = signals.iter().find(|(signal, _)| *signal == heard);
            ended_by(name.map_or("a signal", |(_, name)| name));
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(take).map(drop).map_err(no_handler)
}

/// Those that ask a program to end on Unix only.
fn unix_ends() -> impl Iterator<Item = (i32, &'static str)> {
    #[cfg(unix)]
    let ends = {
        let hangup = (SIGHUP, "SIGHUP");
        let hangup = (!twinpath_runtime::host::ignores_hangup()).then_some(hangup);
        [Some((SIGALRM, "SIGALRM")), hangup]
    };
    #[cfg(not(unix))]
    let ends: [Option<(i32, &'static str)>; 0] = [];
    ends.into_iter().flatten()
}

#[expect(clippy::needless_pass_by_value, reason = "as errors are mapped")]
fn no_handler(error: std::io::Error) -> Failure {
    Failure::could_not(format!("cannot handle signals: {error}"))
}
