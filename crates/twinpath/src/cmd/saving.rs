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
    /// Why nothing is saved, until it is said, and for the end.
    unsaid: Option<String>,
    failed: Option<Shortfall>,
    /// What happened while nothing is saved.
    recorded: u64,
}

/// How far it is.
enum State {
    /// It can be written.
    Opened(Opened),
    /// Nothing has happened yet: the file holds what it held.
    Waiting(Box<(Opened, RunFacts)>),
    /// The file is the run's.
    Begun(Saver),
    /// It could not begin.
    Over,
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
            state: State::Opened(opened),
            unsaid: None,
            failed: None,
            recorded: 0,
        })))
    }

    /// What the file held is gone.
    fn start(&mut self) {
        if let State::Waiting(waiting) = std::mem::replace(&mut self.state, State::Over) {
            let (opened, facts) = *waiting;
            match opened.begin(&facts) {
                Ok(saver) => self.state = State::Begun(saver),
                Err(error) => {
                    self.unsaid =
                        Some(format!("{error}; the measurement goes on and is not saved"));
                    self.failed = Some(Shortfall {
                        line: error.reason(),
                        remedy: error.remedy(),
                    });
                }
            }
        }
    }
}

impl Companion for Saving {
    fn writes(&self) -> bool {
        true
    }

    /// The file keeps what it holds until a session has begun: a run that comes to nothing takes
    /// nothing away.
    fn begin(&mut self, run: &Beginning<'_>, _: &mut Signals) -> Result<(), Failure> {
        if let State::Opened(opened) = std::mem::replace(&mut self.state, State::Over) {
            let meta = Meta::here(&run.options.results.labels);
            let facts = RunFacts::new(&meta, now(), sessions(run));
            self.state = State::Waiting(Box::new((opened, facts)));
        }
        Ok(())
    }

    fn record(&mut self, session: usize, record: &Record) {
        let number = u32::try_from(session + 1).unwrap_or(u32::MAX);
        if let State::Waiting(_) = self.state {
            self.start();
        }
        match &mut self.state {
            State::Begun(saver) => saver.record(number, record),
            State::Opened(_) | State::Waiting(_) | State::Over => self.recorded += 1,
        }
    }

    /// Hands over what has happened. `Some`, once: the file takes no more.
    fn look(&mut self) -> Option<String> {
        match &mut self.state {
            State::Begun(saver) => saver.look(),
            State::Opened(_) | State::Waiting(_) | State::Over => self.unsaid.take(),
        }
    }

    /// What became of the file; `None`: nothing happened in the run, and nothing was written.
    fn save(&mut self, outcome: Outcome<'_>) -> Option<Written> {
        let end = |missing| EndFacts::new(outcome.sessions, outcome.control, missing);
        let saved = match std::mem::replace(&mut self.state, State::Over) {
            State::Begun(saver) => saver.finish(end),
            State::Over => Saved {
                records: 0,
                of: self.recorded,
                error: self.failed.take(),
            },
            State::Opened(_) | State::Waiting(_) => return None,
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
