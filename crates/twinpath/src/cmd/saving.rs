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
use crate::output::{Meta, Outcome, complain};
use crate::saved::{EndFacts, OpenError, Opened, Planned, RunFacts, Saver, SessionFacts};

/// A file that is open for a run.
pub(super) struct Place {
    opened: Opened,
    quiet: bool,
}

/// A run that is being saved.
pub(super) struct Saving {
    saver: Saver,
    quiet: bool,
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

    /// Begins to save; what the file held is gone.
    pub(super) fn begin(
        self,
        meta: &Meta,
        now: Wall,
        sessions: &[Beginning<'_>],
    ) -> Result<Saving, Failure> {
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
        Ok(Saving {
            saver: self.opened.begin(&facts).map_err(|error| failure(&error))?,
            quiet: self.quiet,
        })
    }
}

impl Saving {
    /// Something happened in a session, numbered from 0.
    pub(super) fn record(&mut self, session: usize, record: &Record) {
        let number = u32::try_from(session + 1).unwrap_or(u32::MAX);
        self.saver.record(number, record);
    }

    /// Hands over what has happened. `Some`, once: the file takes no more, in a line to be said.
    pub(super) fn look(&mut self) -> Option<String> {
        self.saver.look()
    }

    /// Says that the file takes no more.
    pub(super) fn say(&self, line: String) {
        warn(self.quiet, Some(line));
    }

    /// The run is over.
    pub(super) fn finish(self, outcome: Outcome<'_>) {
        let end = |missing| EndFacts::new(outcome.sessions, outcome.control, missing);
        warn(self.quiet, self.saver.finish(end));
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
    let remedy = match error {
        OpenError::Io { .. } => "write --save with a file in a directory that you may write to",
        OpenError::NotRegular { .. } => "write --save with the name of a file",
        OpenError::Busy { .. } => "write another name",
    };
    Failure::could_not(error.to_string()).with_remedy(Some(remedy))
}
