//! `--save`: a run into a raw file.

use std::net::SocketAddr;

use twinpath_metrics::Record;
use twinpath_proto::sender::Protocol;
use twinpath_runtime::SenderPlan;
use twinpath_runtime::sender::BooksFacts;
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Tos, Wall};

use crate::args::{LogOptions, SavingOptions};
use crate::failure::Failure;
use crate::logs;
use crate::output::{Meta, Outcome, Written, WrittenFile, complain};
use crate::saved::{
    EndFacts, OpenError, Opened, Planned, RunFacts, Saved, Saver, SessionFacts, Shortfall,
};

/// A file that is open for a run.
pub(super) struct Place {
    opened: Opened,
    quiet: bool,
}

/// A run that is being saved.
pub(super) struct Saving {
    state: State,
    path: String,
    /// Why nothing is saved, until it is said, and for the end.
    unsaid: Option<String>,
    failed: Option<Shortfall>,
    /// What happened while nothing is saved.
    recorded: u64,
    quiet: bool,
}

/// How far it is.
enum State {
    /// Nothing has happened yet: the file holds what it held.
    Waiting(Box<(Opened, RunFacts)>),
    /// The file is the run's.
    Begun(Saver),
    /// It could not begin.
    Over,
}

/// A session that is about to begin.
pub(super) struct Beginning<'a> {
    pub(super) protocol: Protocol,
    pub(super) mode: SecurityMode,
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) tos: Tos,
    pub(super) plan: &'a SenderPlan,
    pub(super) books: &'a BooksFacts,
}

impl Place {
    /// Opens the file, if there is to be one, before anything is measured.
    pub(super) fn open(options: &SavingOptions, log: &LogOptions) -> Result<Option<Self>, Failure> {
        let opened = options.save.as_deref().map(Opened::open).transpose();
        Ok(opened.map_err(|error| failure(&error))?.map(|opened| Self {
            opened,
            quiet: log.quiet,
        }))
    }

    /// What is to be saved from now on. The file keeps what it holds until a session has begun: a
    /// run that comes to nothing takes nothing away.
    pub(super) fn begin(self, meta: &Meta, now: Wall, sessions: &[Beginning<'_>]) -> Saving {
        let sessions = (1..).zip(sessions).map(|(number, beginning)| {
            SessionFacts::new(&Planned {
                number,
                protocol: beginning.protocol,
                mode: beginning.mode,
                sender: beginning.sender,
                reflector: beginning.reflector,
                tos: beginning.tos,
                plan: beginning.plan,
                books: beginning.books,
            })
        });
        let facts = RunFacts::new(meta, now, sessions.collect());
        Saving {
            path: self.opened.path(),
            state: State::Waiting(Box::new((self.opened, facts))),
            unsaid: None,
            failed: None,
            recorded: 0,
            quiet: self.quiet,
        }
    }
}

impl Saving {
    /// Something happened in a session, numbered from 0.
    pub(super) fn record(&mut self, session: usize, record: &Record) {
        let number = u32::try_from(session + 1).unwrap_or(u32::MAX);
        if let State::Waiting(_) = self.state {
            self.start();
        }
        match &mut self.state {
            State::Begun(saver) => saver.record(number, record),
            State::Waiting(_) | State::Over => self.recorded += 1,
        }
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

    /// Hands over what has happened. `Some`, once: the file takes no more, in a line to be said.
    pub(super) fn look(&mut self) -> Option<String> {
        match &mut self.state {
            State::Begun(saver) => saver.look(),
            State::Waiting(_) | State::Over => self.unsaid.take(),
        }
    }

    /// Says that the file takes no more.
    pub(super) fn say(&self, line: String) {
        warn(self.quiet, Some(line));
    }

    /// The run is over. What became of its file; `None`: nothing happened in it, and nothing was written.
    pub(super) fn finish(self, outcome: Outcome<'_>) -> Option<Written> {
        let end = |missing| EndFacts::new(outcome.sessions, outcome.control, missing);
        let saved = match self.state {
            State::Begun(saver) => saver.finish(end),
            State::Over => Saved {
                records: 0,
                of: self.recorded,
                error: self.failed,
            },
            State::Waiting(_) => return None,
        };
        let (error, remedy) = saved.error.map(|why| (why.line, why.remedy)).unzip();
        Some(Written {
            what: WrittenFile::Saved,
            path: self.path,
            complete: error.is_none(),
            records: Some(saved.records),
            records_of_run: Some(saved.of),
            error,
            remedy: remedy.unwrap_or_default(),
        })
    }
}

/// On stderr; in the log file too.
fn warn(quiet: bool, line: Option<String>) {
    if let Some(line) = line.filter(|_| !quiet) {
        complain(&format!("warning: {line}"));
        if logs::in_file() {
            tracing::warn!("{line}");
        }
    }
}

fn failure(error: &OpenError) -> Failure {
    Failure::could_not(error.to_string()).with_remedy(Some(error.remedy()))
}
