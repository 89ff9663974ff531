//! What a run prints, one module per format. Results go to stdout, everything else to stderr.

pub(crate) mod captures;
pub(crate) mod check;
pub(crate) mod classes;
pub(crate) mod clocks;
#[cfg(feature = "control")]
pub(crate) mod controlclient;
mod counts;
pub(crate) mod doctor;
mod doctor_strict;
pub(crate) mod dscptable;
pub(crate) mod ends;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod lines;
pub(crate) mod names;
mod one_way;
#[cfg(feature = "pictures")]
pub(crate) mod overview;
pub(crate) mod packets;
#[cfg(feature = "report")]
pub(crate) mod past_alarms;
#[cfg(feature = "pictures")]
pub(crate) mod pictures;
pub(crate) mod progress;
pub(crate) mod prometheus;
mod reports;
pub(crate) mod responder;
pub(crate) mod rows;
pub(crate) mod schedule;
#[cfg(feature = "control")]
pub(crate) mod server;
#[cfg(all(feature = "status", unix))]
pub(crate) mod status;
pub(crate) mod style;
pub(crate) mod summary;
pub(crate) mod survey;
pub(crate) mod table;
pub(crate) mod targets;
pub(crate) mod text;
pub(crate) mod units;
pub(crate) mod words;

use std::io::{self, StdoutLock, Write};

use serde::Serialize;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_report::document::SessionDocument;
use twinpath_report::{ControlReport, FailedTarget, RefusedSession, Requested, SessionReport};
use twinpath_runtime::host::{interface_name, stdout_was_closed};
use twinpath_wire::{Sample, Wall};

pub(crate) use self::counts::{UNAWAITED, UNKNOWN, unawaited};
use self::names::Differing;
pub(crate) use self::names::SessionName;
pub(crate) use self::reports::Reports;
use crate::args::Label;
use crate::failure::Failure;
use crate::logs;
pub(crate) use twinpath_report::words::rfc3339;

/// Where results are written.
pub(crate) fn stdout() -> Stdout {
    Stdout((!stdout_was_closed()).then(|| io::stdout().lock()))
}

/// What [`stdout`] returns. `None`: it was closed when the program began. The null device, which then stands in
/// for it, would take every result.
pub(crate) struct Stdout(Option<StdoutLock<'static>>);

impl Stdout {
    fn open(&mut self) -> io::Result<&mut StdoutLock<'static>> {
        let closed = "stdout is closed; use > FILE, or > /dev/null to discard it";
        self.0.as_mut().ok_or_else(|| io::Error::other(closed))
    }
}

impl Write for Stdout {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.open()?.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open()?.flush()
    }
}

/// Where a run's result goes, in one form.
pub(crate) trait Sink {
    /// A packet's fate, as soon as it is known. Only if records were requested. `session`: its
    /// name, if there are several. `tlvs`: of its reply, if any.
    ///
    /// # Errors
    /// Those of the stream; a closed pipe is `BrokenPipe`.
    fn sample(
        &mut self,
        _session: Option<&SessionName>,
        _sample: &Sample,
        _tlvs: Option<&ReplyTlvs>,
    ) -> io::Result<()> {
        Ok(())
    }

    /// An event of the control connection: a line for people, if requested.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn event(&mut self, _line: &str) -> io::Result<()> {
        Ok(())
    }

    /// A finished interval. Only if rows were requested.
    ///
    /// # Errors
    /// As [`Sink::sample`].
    fn row(&mut self, _row: &rows::Row<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Flushes everything written so far.
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

/// The result of a run.
#[derive(Clone, Copy)]
pub(crate) struct Outcome<'a> {
    /// Sessions with figures.
    pub(crate) sessions: Reports<'a>,
    /// The control connection, if any.
    pub(crate) control: Option<&'a ControlReport>,
    /// The file of each session, if not the same for all; otherwise empty.
    pub(crate) files: &'a [String],
    /// The files of the run, and their state so far.
    pub(crate) written: &'a [Written],
    /// The packets read from captures, if the sessions are from captures.
    pub(crate) captures: &'a [captures::CaptureCounts],
    /// What could not be measured.
    pub(crate) failed: &'a [FailedTarget],
    /// The alarms of each session, if they are known; otherwise empty.
    pub(crate) alarms: &'a [Vec<ShownAlarm>],
}

/// A time in which an alarm was active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownAlarm {
    /// Alarms of one name are on one line.
    pub(crate) name: String,
    /// All about it, for a tooltip.
    pub(crate) about: String,
    pub(crate) from: Wall,
    /// `None`: it is active.
    pub(crate) to: Option<Wall>,
}

impl<'a> Outcome<'a> {
    /// From a run without files.
    pub(crate) fn new(
        sessions: impl Into<Reports<'a>>,
        control: Option<&'a ControlReport>,
    ) -> Self {
        Self {
            sessions: sessions.into(),
            control,
            files: &[],
            written: &[],
            captures: &[],
            failed: &[],
            alarms: &[],
        }
    }

    /// With the alarms of each session.
    pub(crate) fn with_alarms(self, alarms: &'a [Vec<ShownAlarm>]) -> Self {
        Self { alarms, ..self }
    }

    /// With the state of these files.
    pub(crate) fn with_written(self, written: &'a [Written]) -> Self {
        Self { written, ..self }
    }

    /// With what could not be measured.
    pub(crate) fn with_failed(self, failed: &'a [FailedTarget]) -> Self {
        Self { failed, ..self }
    }

    /// Sessions that a Server refused.
    fn refused(self) -> &'a [RefusedSession] {
        self.control.map_or(&[], |control| &control.refused)
    }

    /// The document of the session at this position.
    fn document<'r>(
        self,
        meta: &Meta,
        place: usize,
        report: &'r SessionReport,
    ) -> SessionDocument<'r>
    where
        'a: 'r,
    {
        let requested = Requested {
            interface_name: Some(interface_name),
            ..meta.requested
        };
        SessionDocument::new(report, self.file(place), &requested)
    }

    /// The file of a session, by its position, if there are several files.
    fn file(&self, place: usize) -> Option<&'a str> {
        self.files.get(place).map(String::as_str)
    }

    /// In what the sessions of a run differ. Several files are of several targets or paths if one of
    /// them is: not if each of them is of one session.
    fn differing(self) -> Differing {
        let mut reports = self.sessions.iter();
        let mut files = self.files.chunk_by(|one, next| one == next);
        let is_mesh = files.any(|of_file| {
            let of_file = reports.by_ref().take(of_file.len());
            Differing::of(of_file.map(|report| report.identity.clone())).is_mesh()
        });
        if is_mesh || self.files.is_empty() {
            let differing = Differing::of_reports(self.sessions);
            if self.failed.is_empty() {
                differing
            } else {
                differing.with_others()
            }
        } else {
            Differing::default()
        }
    }

    /// What distinguishes the session at this position from the others; empty if there is only one.
    fn name(self, differing: Differing, place: usize, report: &SessionReport) -> String {
        let (number, class) = (report.identity.number, report.identity.tos.dscp());
        let of_mesh = || differing.name(&report.identity);
        match self.file(place) {
            Some(file) if differing.is_mesh() => {
                format!("{} {file}", of_mesh()).trim_start().to_owned()
            }
            Some(file) => format!("{number} {class} {file}"),
            None if differing.is_mesh() => of_mesh(),
            None if self.sessions.len() > 1 => format!("{number} {class}"),
            None => String::new(),
        }
    }
}

impl<'a> From<&'a [SessionReport]> for Outcome<'a> {
    fn from(sessions: &'a [SessionReport]) -> Self {
        Self::new(sessions, None)
    }
}

/// A file of a run, and its state.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Written {
    #[serde(skip)]
    pub(crate) what: WrittenFile,
    pub(crate) path: String,
    /// Whether it is complete.
    pub(crate) complete: bool,
    /// For a raw file with turns: how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<u64>,
    /// For a raw file: the records that it contains, and those that it should contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records_of_run: Option<u64>,
    /// Why it is not complete.
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) remedy: &'static str,
}

/// Files written by a run.
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
    /// What is missing in it, and why; `None` if it is complete.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let error = self.error.as_deref()?;
        let path = &self.path;
        if self.what == WrittenFile::Log {
            return Some(format!("the log file {path} is not complete: {error}"));
        }
        Some(match (self.records, self.records_of_run) {
            // Its end is missing, or it may not be on the disk.
            (Some(records), Some(all)) if records > 0 && records >= all => {
                format!("{path} is incomplete: {error}")
            }
            (Some(records), Some(all)) if records > 0 => {
                format!("{path} is incomplete: {records} of {all} records: {error}")
            }
            (Some(_), _) => format!("{path} holds no record of the run: {error}"),
            _ => format!("cannot write {path}: {error}"),
        })
    }

    /// The same as the failure of a command.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let line = self.shortfall()?;
        Some(Failure::could_not(line).with_remedy(Some(self.remedy)))
    }
}

/// What every output contains besides figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta {
    /// This host's name; `None` if the system does not report it.
    pub(crate) host: Option<String>,
    /// The user's remarks.
    pub(crate) labels: Vec<Label>,
    /// Keys of the labels that targets have, where some may come later.
    pub(crate) label_keys: Vec<String>,
    /// Packets of some session have TLVs.
    pub(crate) has_tlvs: bool,
    /// Figures on request.
    pub(crate) requested: Requested,
}

impl Meta {
    /// For this host.
    pub(crate) fn here(labels: &[Label]) -> Self {
        Self {
            host: host_name(),
            labels: labels.to_vec(),
            ..Self::default()
        }
    }
}

/// That of this host.
pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Prints one line on stderr; it waits while the terminal shows something else. Errors are ignored,
/// because there is no other place to report them.
pub(crate) fn print_to_stderr(text: &str) {
    let text = logs::on_stderr(text);
    let _ = logs::Line.write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lacks_no_record_is_not_said_to() {
        let shortfall = |records, all| {
            let written = Written {
                what: WrittenFile::Saved,
                path: "run.parquet".to_owned(),
                complete: false,
                files: None,
                records: Some(records),
                records_of_run: Some(all),
                error: Some("no room".to_owned()),
                remedy: "",
            };
            written.shortfall().unwrap()
        };
        assert_eq!(
            shortfall(4, 5),
            "run.parquet is incomplete: 4 of 5 records: no room"
        );
        assert_eq!(shortfall(5, 5), "run.parquet is incomplete: no room");
        assert_eq!(
            shortfall(0, 5),
            "run.parquet holds no record of the run: no room"
        );
    }
}
