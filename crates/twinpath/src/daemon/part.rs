//! One entry of the configuration as it runs: begun, begun again when it fails, changed, ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use twinpath_report::words;
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::failure::Failure;
use crate::plan::jitter;

use super::Resources;

/// How long after a failure it is begun again, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// One that went on for so long has not failed before.
const LASTING: Duration = Duration::from_mins(1);

/// What runs for one entry.
pub(super) trait Runs: Sized + Send + 'static {
    /// What is configured. As long as it is equal, what runs goes on.
    type Spec: Send + Sync + PartialEq + 'static;
    /// What is kept of it once it has done what it had to.
    type Outcome: Send + 'static;
    /// What an entry is called in a log.
    const KIND: &'static str;

    /// Begins. It may wait for names and connections.
    ///
    /// # Errors
    /// Why it cannot.
    fn begin(name: &Arc<str>, spec: &Self::Spec, resources: &Resources) -> Result<Self, Failure>;

    /// When it begins for the first time; `None`: at once.
    fn first(_: &Self::Spec) -> Option<Wall> {
        None
    }

    /// What follows its end without a failure, after so many runs.
    fn after(_: &Self::Spec, _runs: u64) -> AfterEnd {
        AfterEnd::Retry
    }

    /// Whether [`Self::begin`] may wait.
    fn waits(spec: &Self::Spec) -> bool;

    /// Where it is, for a log.
    fn place(&self) -> String;

    /// Takes another spec as it goes on. False: it cannot, and has to begin again.
    fn adopt(&mut self, _earlier: &Self::Spec, _spec: &Self::Spec) -> bool {
        false
    }

    /// What is due now and then, until it is over. True: it has to begin again.
    fn look(&mut self, _resources: &Resources) -> bool {
        false
    }

    /// Asks it to end.
    fn stop(&self);

    /// It is over, or about to be.
    fn is_finished(&self) -> bool;

    /// What it came to.
    fn outcome(&self) -> Self::Outcome;

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it ended, if it was not asked to.
    fn end(self, resources: &Resources) -> Result<(), Failure>;
}

/// What follows the end of an entry that was not asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterEnd {
    /// It was to go on: it is begun again as after a failure.
    Retry,
    /// Another run, so much later.
    Again(Duration),
    /// Nothing.
    Nothing,
}

/// An entry.
pub(super) struct Part<R: Runs> {
    name: Arc<str>,
    spec: Arc<R::Spec>,
    /// It is in the configuration.
    is_wanted: bool,
    state: State<R>,
    /// How often it has begun with its spec.
    runs: u64,
    /// Of the last run that did what it had to.
    outcome: Option<R::Outcome>,
    /// The next wait after a failure.
    wait: Duration,
    /// Why it does not run.
    failure: Option<String>,
    /// What it did when that was asked last.
    noted: &'static str,
}

/// All entries of a kind, by their names.
pub(super) type Parts<R> = BTreeMap<Arc<str>, Part<R>>;

enum State<R: Runs> {
    /// It begins at this time.
    Due(Instant),
    /// It begins with this spec.
    Beginning(Receiver<Result<R, Failure>>, Arc<R::Spec>),
    /// Since this time.
    Running(R, Instant),
    /// It was asked to end.
    Ending(R),
    Over,
}

impl<R: Runs> State<R> {
    /// It begins when its spec says so.
    fn due(spec: &R::Spec) -> Self {
        let wait = R::first(spec).map(|at| at.unix_ns().saturating_sub(wall().unix_ns()));
        let wait = wait.and_then(|ns| u64::try_from(ns).ok());
        Self::Due(Instant::now() + Duration::from_nanos(wait.unwrap_or(0)))
    }
}

impl<R: Runs> Part<R> {
    /// One that begins at the next turn.
    pub(super) fn new(name: Arc<str>, spec: R::Spec) -> Self {
        let mut part = Self {
            name,
            state: State::<R>::due(&spec),
            spec: Arc::new(spec),
            is_wanted: true,
            runs: 0,
            outcome: None,
            wait: FIRST_WAIT,
            failure: None,
            noted: "",
        };
        part.noted = part.state();
        part
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn spec(&self) -> &R::Spec {
        &self.spec
    }

    /// What it does, in a word.
    pub(super) fn state(&self) -> &'static str {
        match self.state {
            State::Due(_) => "waiting",
            State::Beginning(..) => "beginning",
            State::Running(..) => "running",
            State::Over if self.is_finished() => "finished",
            State::Ending(_) | State::Over => "ending",
        }
    }

    /// What it did at the last call and does now, if that is something else.
    pub(super) fn take_change(&mut self) -> Option<[&'static str; 2]> {
        let now = self.state();
        let before = std::mem::replace(&mut self.noted, now);
        (before != now).then_some([before, now])
    }

    /// It runs.
    pub(super) fn running(&self) -> Option<&R> {
        match &self.state {
            State::Running(run, _) => Some(run),
            State::Due(_) | State::Beginning(..) | State::Ending(_) | State::Over => None,
        }
    }

    /// How often it has begun with its spec.
    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    /// What the last run came to that did what it had to.
    pub(super) fn outcome(&self) -> Option<&R::Outcome> {
        self.outcome.as_ref()
    }

    /// It has done all that it had to.
    pub(super) fn is_finished(&self) -> bool {
        self.is_wanted && matches!(self.state, State::Over)
    }

    /// Why it does not run, if it failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref().filter(|_| self.running().is_none())
    }

    /// It is not in the configuration, and nothing of it is left.
    pub(super) fn is_gone(&self) -> bool {
        !self.is_wanted && matches!(self.state, State::Over)
    }

    /// It neither runs nor waits for anything but time.
    pub(super) fn is_settled(&self) -> bool {
        match &self.state {
            State::Due(at) => *at > Instant::now(),
            State::Running(..) | State::Over => true,
            State::Beginning(..) | State::Ending(_) => false,
        }
    }

    /// The configuration has it, with this spec.
    pub(super) fn want(&mut self, spec: R::Spec) {
        let was_wanted = std::mem::replace(&mut self.is_wanted, true);
        if was_wanted && *self.spec == spec {
            return;
        }
        let earlier = std::mem::replace(&mut self.spec, Arc::new(spec));
        self.wait = FIRST_WAIT;
        self.runs = 0;
        self.outcome = None;
        match &mut self.state {
            State::Running(run, _) => {
                if run.adopt(&earlier, &self.spec) {
                    info!("{} {}: changed", R::KIND, self.name);
                } else {
                    self.stop();
                }
            }
            State::Due(_) | State::Over => self.state = State::<R>::due(&self.spec),
            State::Beginning(..) | State::Ending(_) => {}
        }
    }

    /// The configuration has it no more.
    pub(super) fn dismiss(&mut self) {
        self.is_wanted = false;
        self.stop();
    }

    fn stop(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Running(run, _) => {
                run.stop();
                State::Ending(run)
            }
            State::Due(_) => State::Over,
            state @ (State::Beginning(..) | State::Ending(_) | State::Over) => state,
        };
    }

    /// What is due. `may_begin`: nothing has to be waited for.
    pub(super) fn turn(&mut self, resources: &Resources, may_begin: bool) {
        let now = Instant::now();
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Due(at) if at <= now && may_begin => self.begin(resources),
            State::Beginning(begun, spec) => match begun.try_recv() {
                Ok(begun) => self.begun(begun, &spec),
                Err(TryRecvError::Empty) => State::Beginning(begun, spec),
                Err(TryRecvError::Disconnected) => {
                    self.begun(Err(Failure::could_not("a fault of this program")), &spec)
                }
            },
            State::Running(run, since) if run.is_finished() => {
                let outcome = run.outcome();
                match (run.end(resources), R::after(&self.spec, self.runs)) {
                    (Err(failure), _) => self.failed(&failure, since),
                    (Ok(()), AfterEnd::Retry) => {
                        self.failed(&Failure::could_not("it ended"), since)
                    }
                    (Ok(()), after) => self.finished(outcome, after),
                }
            }
            State::Running(mut run, since) => {
                if run.look(resources) {
                    run.stop();
                    State::Ending(run)
                } else {
                    State::Running(run, since)
                }
            }
            State::Ending(run) if run.is_finished() => {
                // It was asked to end, and the reason does not matter.
                let _ = run.end(resources);
                if self.is_wanted {
                    State::<R>::due(&self.spec)
                } else {
                    info!("{} {}: ended", R::KIND, self.name);
                    State::Over
                }
            }
            State::Ending(mut run) => {
                run.look(resources);
                State::Ending(run)
            }
            state @ (State::Due(_) | State::Over) => state,
        };
    }

    fn begin(&mut self, resources: &Resources) -> State<R> {
        let spec = Arc::clone(&self.spec);
        if R::waits(&spec) {
            let (name, with) = (Arc::clone(&self.name), Arc::clone(&spec));
            let shared = resources.clone();
            let begun = resources.pool.run(move || R::begin(&name, &with, &shared));
            return State::Beginning(begun, spec);
        }
        self.begun(R::begin(&self.name, &spec, resources), &spec)
    }

    /// It has begun with this spec, or failed to.
    fn begun(&mut self, begun: Result<R, Failure>, spec: &Arc<R::Spec>) -> State<R> {
        match begun {
            Ok(run) if self.is_wanted && Arc::ptr_eq(spec, &self.spec) => {
                info!("{} {}: {}", R::KIND, self.name, run.place());
                self.failure = None;
                self.runs += 1;
                State::Running(run, Instant::now())
            }
            Ok(run) => {
                run.stop();
                State::Ending(run)
            }
            Err(_) if !self.is_wanted => State::Over,
            Err(_) if !Arc::ptr_eq(spec, &self.spec) => State::<R>::due(&self.spec),
            Err(failure) => self.again(&failure),
        }
    }

    /// It has done what it had to.
    fn finished(&mut self, outcome: R::Outcome, after: AfterEnd) -> State<R> {
        self.outcome = Some(outcome);
        self.wait = FIRST_WAIT;
        match after {
            AfterEnd::Again(wait) => State::Due(Instant::now() + wait),
            AfterEnd::Retry | AfterEnd::Nothing => {
                info!("{} {}: finished", R::KIND, self.name);
                State::Over
            }
        }
    }

    /// It is over though it was not asked to end.
    fn failed(&mut self, failure: &Failure, since: Instant) -> State<R> {
        if since.elapsed() >= LASTING {
            self.wait = FIRST_WAIT;
        }
        // A run that failed is made up for.
        self.runs = self.runs.saturating_sub(1);
        self.again(failure)
    }

    /// It is begun again some time later.
    fn again(&mut self, failure: &Failure) -> State<R> {
        // Whole tenths of a second, to be read.
        let tenths = (self.wait.mul_f64(jitter()).as_millis() / 100).max(1);
        let wait = Duration::from_millis(100) * u32::try_from(tenths).unwrap_or(u32::MAX);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        let line = failure.to_string();
        if self.failure.as_ref() != Some(&line) {
            let next = words::time(wait);
            warn!("{} {}: {line}; next attempt in {next}", R::KIND, self.name);
        }
        self.failure = Some(line);
        State::Due(Instant::now() + wait)
    }
}

/// Puts these specs in force, and ends all others.
pub(super) fn apply<R: Runs>(parts: &mut Parts<R>, mut wanted: BTreeMap<Arc<str>, R::Spec>) {
    for (name, part) in &mut *parts {
        match wanted.remove(name) {
            Some(spec) => part.want(spec),
            None => part.dismiss(),
        }
    }
    for (name, spec) in wanted {
        parts.insert(Arc::clone(&name), Part::new(name, spec));
    }
}

/// What is due. `changed` is called for each that does something else, with what it did and does.
pub(super) fn turn<R: Runs>(
    parts: &mut Parts<R>,
    resources: &Resources,
    may_begin: bool,
    mut changed: impl FnMut(&Part<R>, [&'static str; 2]),
) {
    for part in parts.values_mut() {
        part.turn(resources, may_begin);
        if let Some(states) = part.take_change() {
            changed(part, states);
        }
    }
    parts.retain(|_, part| !part.is_gone());
}

/// Has all end.
pub(super) fn dismiss<R: Runs>(parts: &mut Parts<R>) {
    parts.values_mut().for_each(Part::dismiss);
}
