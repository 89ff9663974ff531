//! The time within which a check ends, whatever happens: a name that no server answers, a connection, a
//! pipe that is never closed. And what is said when a signal ends it before.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_proto::sender::Limit;
use twinpath_report::words;
use twinpath_runtime::measure::STOP_WAIT;

use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::check::{State, Verdict};
use crate::output::stdout;
use crate::plan::{PlannedSession, system_lookup};
use crate::signals;

/// What is left for the report behind the last reply.
const FOR_REPORT: Duration = Duration::from_millis(500);
/// What a run takes beside sending and waiting for replies.
const FOR_START: Duration = Duration::from_millis(500);
/// How long what is being written may take.
const FOR_WRITING: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Ends a check.
#[derive(Clone)]
pub(super) struct Deadline(Arc<Shared>);

struct Shared {
    begun: Instant,
    length: Duration,
    with_details: bool,
    /// What is being done.
    doing: Mutex<&'static str>,
    /// What was said, or is while it is locked.
    said: Mutex<Option<State>>,
    /// The run has to end.
    is_late: Arc<AtomicBool>,
}

impl Deadline {
    /// From now on.
    ///
    /// # Errors
    /// The system's, if it has no room for a handler or a thread.
    pub(super) fn begin(length: Duration, with_details: bool) -> Result<Self, Failure> {
        let deadline = Self(Arc::new(Shared {
            begun: Instant::now(),
            length,
            with_details,
            doing: Mutex::new("starting"),
            said: Mutex::default(),
            is_late: Arc::default(),
        }));
        let of_signal = deadline.clone();
        signals::take_ends(move |name| {
            let after = words::time(of_signal.elapsed());
            of_signal.end(&format!("ended by {name} after {after}"));
        })?;
        let of_time = deadline.clone();
        let watch = move || {
            thread::sleep(of_time.left());
            let after = words::time(of_time.0.length);
            of_time.end(&format!("nothing within {after} (--deadline)"));
        };
        start("deadline", watch)?;
        Ok(deadline)
    }

    /// In whole milliseconds.
    fn elapsed(&self) -> Duration {
        let ms = self.0.begun.elapsed().as_millis();
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn left(&self) -> Duration {
        self.0.length.saturating_sub(self.0.begun.elapsed())
    }

    /// What is being done from now on: it is said if it takes too long.
    pub(super) fn doing(&self, what: &'static str) {
        *self.0.doing.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Set when the run has to end, so that there is time for its report.
    pub(super) fn is_late(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.is_late)
    }

    /// Looks a name up as the system does, but no longer than half of the time.
    pub(super) fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (found, inbox) = channel();
        let wait = (self.0.length / 2).saturating_sub(self.0.begun.elapsed());
        let asked = name.to_owned();
        // What comes too late goes nowhere.
        let look_up = move || drop(found.send(system_lookup(&asked, port)));
        if wait.is_zero() || start("lookup", look_up).is_err() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no time left"));
        }
        match inbox.recv_timeout(wait) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let after = words::time(self.0.length / 2);
                Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("no answer within {after}"),
                ))
            }
        }
    }

    /// Makes sure that there is time for these sessions, and ends them when their time is over.
    ///
    /// # Errors
    /// They take longer, or do not end.
    pub(super) fn fit<'a>(
        &self,
        sessions: impl Iterator<Item = &'a PlannedSession>,
    ) -> Result<(), Failure> {
        let (mut needed, mut timeout) = (Duration::ZERO, Duration::ZERO);
        for PlannedSession { plan, .. } in sessions {
            let sending = match plan.limit {
                Limit::Count(count) => {
                    let gaps = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
                    plan.schedule.mean_interval().saturating_mul(gaps)
                }
                Limit::Duration(duration) => duration,
                Limit::Endless => {
                    let line = "a check has to end: use --count N or --duration T";
                    return Err(Failure::usage(line));
                }
            };
            let own = sending + plan.start_delay + plan.timeout;
            needed = needed.max(own);
            timeout = timeout.max(plan.timeout);
        }
        let length = self.0.length;
        let beside = FOR_START + FOR_REPORT;
        if needed + beside > length {
            let least_s = (needed + beside).as_millis().div_ceil(1_000);
            return Err(Failure::usage(format!(
                "the packets and their timeout take {}, and {} is left for start and report: --deadline {} is too short",
                words::time(needed),
                words::time(beside),
                words::time(length),
            ))
            .with_remedy(Some(format!(
                "use a smaller --count or --interval, or --deadline {least_s}s"
            ))));
        }
        // A run that is told to end waits for replies.
        let ending = timeout.min(STOP_WAIT) + FOR_REPORT;
        let sending = self.left().saturating_sub(ending);
        let is_late = self.is_late();
        let end = move || {
            thread::sleep(sending);
            is_late.store(true, Ordering::Release);
        };
        start("deadline", end)
    }

    /// A failure, with the deadline if that is why the run ended.
    #[cfg(feature = "control")]
    pub(super) fn blamed(&self, failure: Failure) -> Failure {
        if !self.0.is_late.load(Ordering::Acquire) {
            return failure;
        }
        let length = words::time(self.0.length);
        Failure {
            line: format!("{} (--deadline {length})", failure.line),
            ..failure
        }
    }

    /// Writes a verdict, if none was written.
    pub(super) fn say(&self, verdict: &Verdict) -> Exit {
        let said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        Exit::Checked(self.write(verdict, said))
    }

    fn write(&self, verdict: &Verdict, mut said: MutexGuard<'_, Option<State>>) -> State {
        if let Some(state) = *said {
            return state;
        }
        *said = Some(verdict.state);
        // The exit status says the state, whatever becomes of stdout.
        let _ = verdict.write(self.0.with_details, &mut stdout());
        logs::release();
        verdict.state
    }

    /// Ends the program: with this, or with what is said already, which has a moment to be written.
    fn end(&self, why: &str) {
        let doing = *self.0.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = Verdict::unknown(format!("{why}, while {doing}"));
        let until = Instant::now() + FOR_WRITING;
        let state = loop {
            match self.0.said.try_lock() {
                Ok(said) if said.is_some() && Instant::now() < until => {}
                Ok(said) => break self.write(&verdict, said),
                Err(TryLockError::Poisoned(said)) => break self.write(&verdict, said.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {}
                Err(TryLockError::WouldBlock) => break State::Unknown,
            }
            thread::sleep(LOOK_EVERY);
        };
        exit(state.status().into());
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    let failed = |error| Failure::could_not(format!("cannot start a thread: {error}"));
    thread.map(drop).map_err(failed)
}
