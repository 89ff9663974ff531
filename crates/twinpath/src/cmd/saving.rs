//! `--save`: a run into a raw file.

use twinpath_metrics::Record;
use twinpath_wire::control::SecurityMode;

use super::companions::{self, Companion};
use super::following::now;
use super::measure::Beginning;
use crate::args::SavingOptions;
use crate::failure::Failure;
use crate::output::{Meta, Outcome, Written, WrittenFile};
use crate::saved::{
    EndFacts, OpenError, Opened, Planned, RunFacts, Saved, Saver, SessionFacts, Shortfall,
};
use crate::signals::Signals;

/// A run that is being saved.
pub(super) struct Saving {
    state: State,
    path: String,
    /// Once its sessions are about to begin.
    facts: Option<RunFacts>,
    /// That nothing is saved, until it is said.
    unsaid: Option<String>,
    /// What happened while nothing is saved.
    recorded: u64,
}

/// How far it is.
enum State {
    /// Nothing has happened yet: the file holds what it held.
    Waiting(Opened),
    /// The file is the run's.
    Begun(Saver),
    /// It could not begin.
    Over(Option<Shortfall>),
}

impl Saving {
    /// Opens the file, if there is to be one.
    pub(super) fn open(options: &SavingOptions) -> companions::Opened {
        let Some(path) = options.save.as_deref() else {
            return Ok(None);
        };
        let opened = Opened::open(path).map_err(|error| failure(&error))?;
        Ok(Some(Box::new(Self {
            path: opened.path(),
            state: State::Waiting(opened),
            facts: None,
            unsaid: None,
            recorded: 0,
        })))
    }

    /// What the file held is gone.
    fn start(&mut self) {
        let (State::Waiting(opened), Some(facts)) = (self.take(), self.facts.take()) else {
            return;
        };
        self.state = match opened.begin(&facts) {
            Ok(saver) => State::Begun(saver),
            Err(error) => {
                self.unsaid = Some(format!("{error}; the measurement goes on and is not saved"));
                State::Over(Some(Shortfall {
                    line: error.reason(),
                    remedy: error.remedy(),
                }))
            }
        };
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over(None))
    }
}

impl Companion for Saving {
    fn writes(&self) -> bool {
        true
    }

    /// The file keeps what it holds until a session has begun: a run that comes to nothing takes
    /// nothing away.
    fn begin(&mut self, run: &Beginning<'_>, _: &mut Signals) -> Result<(), Failure> {
        let meta = Meta::here(&run.options.results.labels);
        self.facts = Some(RunFacts::new(&meta, now(), sessions(run)));
        Ok(())
    }

    fn record(&mut self, session: usize, record: &Record) {
        let number = u32::try_from(session + 1).unwrap_or(u32::MAX);
        if let State::Waiting(_) = self.state {
            self.start();
        }
        match &mut self.state {
            State::Begun(saver) => saver.record(number, record),
            State::Waiting(_) | State::Over(_) => self.recorded += 1,
        }
    }

    /// Hands over what has happened. `Some`, once: the file takes no more.
    fn look(&mut self) -> Option<String> {
        match &mut self.state {
            State::Begun(saver) => saver.look(),
            State::Waiting(_) | State::Over(_) => self.unsaid.take(),
        }
    }

    /// What became of the file; `None`: nothing happened in the run, and nothing was written.
    fn save(&mut self, outcome: Outcome<'_>) -> Option<Written> {
        let end = |missing| EndFacts::new(outcome.sessions, outcome.control, missing);
        let saved = match self.take() {
            State::Begun(saver) => saver.finish(end),
            State::Over(error) => Saved {
                records: 0,
                of: self.recorded,
                error,
            },
            State::Waiting(_) => return None,
        };
        let (error, remedy) = saved.error.map(|why| (why.line, why.remedy)).unzip();
        Some(Written {
            what: WrittenFile::Saved,
            path: self.path.clone(),
            complete: error.is_none(),
            records: Some(saved.records),
            records_of_run: Some(saved.of),
            error,
            remedy: remedy.unwrap_or_default(),
        })
    }
}

/// The sessions as far as they are known before their first packets. What is agreed on later,
/// addresses and modes, is written when the run is over.
fn sessions(run: &Beginning<'_>) -> Vec<SessionFacts> {
    let subject = run.subject;
    let sessions = run.sessions.iter().enumerate();
    let facts = sessions.zip(1..).map(|((index, session), number)| {
        SessionFacts::new(&Planned {
            number,
            protocol: subject.protocol,
            mode: SecurityMode::Unauthenticated,
            sender: session.sender(),
            reflector: subject.far,
            tos: *subject.classes.get(index).unwrap_or(&subject.plan.tos),
            plan: subject.plan,
            series: session.series_facts(),
        })
    });
    facts.collect()
}

fn failure(error: &OpenError) -> Failure {
    Failure::could_not(error.to_string()).with_remedy(Some(error.remedy()))
}
