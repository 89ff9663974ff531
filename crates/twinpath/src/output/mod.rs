//! What a run prints: a file for each form. Results go to stdout, all else to stderr.

pub(crate) mod captures;
pub(crate) mod classes;
pub(crate) mod clocks;
#[cfg(feature = "control")]
pub(crate) mod controlclient;
mod counts;
pub(crate) mod dscptable;
pub(crate) mod ends;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod lines;
pub(crate) mod packets;
#[cfg(feature = "pictures")]
pub(crate) mod pictures;
pub(crate) mod progress;
pub(crate) mod prometheus;
pub(crate) mod responder;
pub(crate) mod rows;
pub(crate) mod schedule;
#[cfg(feature = "control")]
pub(crate) mod server;
pub(crate) mod style;
mod summary;
pub(crate) mod survey;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod units;
pub(crate) mod words;

use std::io::{self, Write as _};

use serde::Serialize;
use twinpath_report::document::SessionDocument;
use twinpath_report::{ControlReport, Requested, SessionReport};
use twinpath_runtime::host::interface_name;
use twinpath_wire::Sample;

pub(crate) use self::counts::UNKNOWN;
use crate::args::Label;
use crate::failure::Failure;
use crate::logs;
pub(crate) use twinpath_report::words::rfc3339;

/// Where a run's result goes, in one form.
pub(crate) trait Sink {
    /// A packet's end, as it is known. Only for those who asked for records. `session`: its number
    /// from 1, where there are several.
    ///
    /// # Errors
    /// Those of the stream; a closed pipe is `BrokenPipe`.
    fn sample(&mut self, _session: Option<usize>, _sample: &Sample) -> io::Result<()> {
        Ok(())
    }

    /// Something happened on the control connection: a line for people, who asked for it.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn event(&mut self, _line: &str) -> io::Result<()> {
        Ok(())
    }

    /// An interval that is over. Only for those who asked for rows.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn row(&mut self, _row: &rows::Row<'_>) -> io::Result<()> {
        Ok(())
    }

    /// All that was written so far can be read.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn flush(&mut self) -> io::Result<()>;

    /// The result, once, last.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()>;
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome<'a> {
    /// Sessions with figures.
    pub(crate) sessions: &'a [SessionReport],
    /// The control connection, where there was one.
    pub(crate) control: Option<&'a ControlReport>,
    /// The file that each of the sessions is from, where that is not the same for all; else empty.
    pub(crate) files: &'a [String],
    /// The files that the run was to be written into, and what became of them so far.
    pub(crate) written: &'a [Written],
    /// What of captures was read, where they are what the sessions are from.
    pub(crate) captures: &'a [captures::CaptureCounts],
}

impl<'a> Outcome<'a> {
    /// Of a run without files.
    pub(crate) fn new(sessions: &'a [SessionReport], control: Option<&'a ControlReport>) -> Self {
        Self {
            sessions,
            control,
            files: &[],
            written: &[],
            captures: &[],
        }
    }

    /// With what became of these files.
    pub(crate) fn with_written(self, written: &'a [Written]) -> Self {
        Self { written, ..self }
    }

    /// The documents of the sessions.
    fn documents(&self, meta: &Meta) -> Vec<SessionDocument<'a>> {
        let requested = Requested {
            interface_name: Some(interface_name),
            ..meta.requested
        };
        let sessions = self.sessions.iter().enumerate();
        let document = |(place, report)| SessionDocument::new(report, self.file(place), &requested);
        sessions.map(document).collect()
    }

    /// The file that a session is from, by its place, where there are several files.
    fn file(&self, place: usize) -> Option<&'a str> {
        self.files.get(place).map(String::as_str)
    }
}

impl<'a> From<&'a [SessionReport]> for Outcome<'a> {
    fn from(sessions: &'a [SessionReport]) -> Self {
        Self::new(sessions, None)
    }
}

/// A file of a run, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Written {
    #[serde(skip)]
    pub(crate) what: WrittenFile,
    pub(crate) path: String,
    /// It holds all that it should.
    pub(crate) complete: bool,
    /// Of a saved run: the records that it holds, and those that it should.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records_of_run: Option<u64>,
    /// Why it is not complete.
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) remedy: &'static str,
}

/// Files that a run is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrittenFile {
    /// `--save`.
    Saved,
    /// `--graph`, `--html`.
    Picture,
    /// `--logfile`. Lines may be lost until the program ends.
    Log,
}

impl Written {
    /// What it lacks, and why; `None`: nothing.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let error = self.error.as_deref()?;
        let path = &self.path;
        if self.what == WrittenFile::Log {
            return Some(format!("the log file {path} is not complete: {error}"));
        }
        Some(match (self.records, self.records_of_run) {
            (Some(records), Some(all)) if records > 0 => {
                format!("{path} is incomplete: {records} of {all} records: {error}")
            }
            (Some(_), _) => format!("{path} holds no record of the run: {error}"),
            _ => format!("cannot write {path}: {error}"),
        })
    }

    /// The same as the end of a command.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let line = self.shortfall()?;
        Some(Failure::could_not(line).with_remedy(Some(self.remedy)))
    }
}

/// What every output carries beside figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    /// This host's name; `None` where the system does not tell.
    pub(crate) host: Option<String>,
    /// The user's remarks.
    pub(crate) labels: Vec<Label>,
    /// Figures on request.
    pub(crate) requested: Requested,
}

impl Meta {
    /// Of this host.
    pub(crate) fn here(labels: &[Label]) -> Self {
        Self {
            host: host_name(),
            labels: labels.to_vec(),
            requested: Requested::default(),
        }
    }
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// One line on stderr; it waits while the terminal shows something else. Where that is closed too,
/// nobody is there to be told.
pub(crate) fn complain(text: &str) {
    let _ = logs::Line.write_all(format!("{text}\n").as_bytes());
}
