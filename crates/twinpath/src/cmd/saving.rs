//! `--save`: a run into a raw file.

use std::borrow::Cow;

use twinpath_metrics::Record;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_proto::sender::Limit;
use twinpath_report::SessionSetup;
use twinpath_wire::nanoseconds;

use super::companions::{self, Companion};
use super::subject::Beginning;
use super::subject::now;
use crate::args::SavingOptions;
use crate::failure::Failure;
use crate::output::{Meta, Outcome, Written, WrittenFile};
use crate::saved::{FooterBegin, FooterEnd, OpenError, Opened, Saved, Saver, Shortfall};
use crate::signals::Signals;

/// A run that is being saved.
pub(super) struct Saving {
    state: State,
    path: String,
    /// Once its sessions are about to begin.
    facts: Option<FooterBegin>,
    /// That nothing is saved, until it is said.
    unsaid: Option<String>,
    /// The sessions that began while nothing else is known of the run.
    begun: Vec<(u32, Record)>,
    /// What happened while nothing is saved.
    recorded: u64,
}

/// How far it is.
enum State {
    /// Nothing is known of a packet yet: the file holds what it held.
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
        let opened = Opened::open(path, options.rotate).map_err(|error| failure(&error))?;
        Ok(Some(Box::new(Self {
            path: opened.path(),
            state: State::Waiting(opened),
            facts: None,
            unsaid: None,
            begun: Vec::new(),
            recorded: 0,
        })))
    }

    /// What the file held is gone; the sessions that began are its first rows.
    fn start(&mut self) {
        let State::Waiting(opened) = self.take() else {
            return;
        };
        let Some(facts) = &self.facts else {
            return;
        };
        self.state = match opened.begin(facts) {
            Ok(saver) => State::Begun(saver),
            Err(error) => {
                self.unsaid = Some(format!("{error}; the measurement continues without saving"));
                State::Over(Some(Shortfall {
                    line: error.reason(),
                    remedy: error.remedy(),
                }))
            }
        };
        for (number, begun) in std::mem::take(&mut self.begun) {
            self.put(number, &begun, None);
        }
    }

    fn put(&mut self, session: u32, record: &Record, tlvs: Option<&ReplyTlvs>) {
        match &mut self.state {
            State::Begun(saver) => saver.record(session, record, tlvs),
            State::Waiting(_) | State::Over(_) => self.recorded += 1,
        }
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over(None))
    }
}

impl Companion for Saving {
    fn writes(&self) -> bool {
        true
    }

    fn reads_records(&self, _: usize) -> bool {
        true
    }

    /// A file that is there keeps what it holds until something is known of a packet, or the run is
    /// over: a run that is refused, or killed while it waits for its first packet, takes nothing away.
    fn begin(&mut self, run: &Beginning<'_>, _: &mut Signals) -> Result<(), Failure> {
        let meta = Meta::here(&run.options.results.labels);
        self.facts = Some(FooterBegin::new(&meta, now(), sessions(run)));
        Ok(())
    }

    fn grow(&mut self, run: &Beginning<'_>) {
        if let Some(facts) = &mut self.facts {
            facts.sessions = sessions(run);
            if let State::Begun(saver) = &mut self.state {
                saver.tell(facts);
            }
        }
    }

    fn record(&mut self, session: usize, record: &Record, tlvs: Option<&ReplyTlvs>) {
        let number = u32::try_from(session + 1).unwrap_or(u32::MAX);
        if let State::Waiting(opened) = &self.state {
            if matches!(record, Record::Begun { .. }) && opened.is_there() {
                self.begun.push((number, *record));
                return;
            }
            self.start();
        }
        self.put(number, record, tlvs);
    }

    /// Hands over what has happened. `Some`: a line to print.
    fn look(&mut self) -> Option<String> {
        match &mut self.state {
            State::Begun(saver) => saver.look(now()),
            State::Waiting(_) | State::Over(_) => self.unsaid.take(),
        }
    }

    /// What became of the file; `None`: no session began, and nothing was written.
    fn save(&mut self, outcome: Outcome<'_>) -> Option<Written> {
        if !self.begun.is_empty() {
            self.start();
        }
        let end = |rows_missing| FooterEnd {
            sessions: outcome.sessions,
            control: outcome.control.map(Cow::Borrowed),
            failed: outcome.failed.into(),
            rows_missing,
        };
        let saved = match self.take() {
            State::Begun(saver) => saver.finish(now(), end),
            State::Over(error) => Saved {
                files: None,
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
            files: saved.files,
            records: Some(saved.records),
            records_of_run: Some(saved.of),
            error,
            remedy: remedy.unwrap_or_default(),
        })
    }
}

/// The sessions as far as they are known before their first packets.
fn sessions(run: &Beginning<'_>) -> Vec<SessionSetup> {
    let identities = run.identities.iter().zip(run.planned);
    let sessions = identities.zip(run.sessions);
    let setup = sessions.map(|((identity, planned), session)| {
        let (asked, duration_ns) = match planned.plan.limit {
            Limit::Count(count) => (Some(count), None),
            Limit::Duration(duration) => (None, Some(nanoseconds::of(duration))),
            Limit::Endless => (None, None),
        };
        SessionSetup {
            identity: identity.clone(),
            asked,
            duration_ns,
            metrics: session.series_facts().metrics.clone(),
        }
    });
    setup.collect()
}

fn failure(error: &OpenError) -> Failure {
    Failure::could_not(error.to_string()).with_remedy(Some(error.remedy()))
}
