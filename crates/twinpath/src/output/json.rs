//! The report for machines: key names and their order are a contract; additions come last.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use twinpath_report::{ControlReport, FailedTarget, Finding, Note, RefusedSession, SessionReport};
use twinpath_runtime::host::HostSurvey;

use super::captures::CaptureCounts;
use super::labels::Labels;
use super::rows::{self, Row};
use super::survey::Survey;
use super::{Meta, Outcome, Sink, Written, WrittenFile, ends};

/// The whole document.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: Option<&'a str>,
    labels: Labels<'a>,
    sessions: Sessions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    survey: Option<Survey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<&'a Written>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<&'a Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a Written>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    captures: &'a [CaptureCounts],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    failed: &'a [FailedTarget],
}

/// The documents of the sessions, each made as it is written.
struct Sessions<'a> {
    outcome: Outcome<'a>,
    meta: &'a Meta,
}

impl Serialize for Sessions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reports = self.outcome.sessions.iter().enumerate();
        serializer.collect_seq(reports.map(|(place, report)| Session {
            of: self,
            place,
            report,
        }))
    }
}

/// One of them.
struct Session<'a> {
    of: &'a Sessions<'a>,
    place: usize,
    report: Cow<'a, SessionReport>,
}

impl Serialize for Session<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sessions { outcome, meta } = self.of;
        outcome
            .document(meta, self.place, &self.report)
            .serialize(serializer)
    }
}

impl<'a> Document<'a> {
    /// From the sessions of one run.
    pub(crate) fn new(meta: &'a Meta, outcome: Outcome<'a>) -> Self {
        Self {
            schema: "twinpath-report-1",
            version: env!("CARGO_PKG_VERSION"),
            host: meta.host.as_deref(),
            labels: Labels::of_run(&meta.labels),
            sessions: Sessions { outcome, meta },
            survey: None,
            control: outcome.control.map(Control::from),
            saved: written(outcome, WrittenFile::Saved).next(),
            pictures: written(outcome, WrittenFile::Picture).collect(),
            log: written(outcome, WrittenFile::Log).next(),
            captures: outcome.captures,
            failed: outcome.failed,
        }
    }

    /// With the capabilities of this host.
    pub(crate) fn with_survey(mut self, survey: &HostSurvey) -> Self {
        self.survey = Some(Survey::from(survey));
        self
    }
}

/// The files of one kind.
fn written(outcome: Outcome<'_>, what: WrittenFile) -> impl Iterator<Item = &Written> {
    outcome.written.iter().filter(move |file| file.what == what)
}

/// A control connection: modes as the bits of RFC 4656 section 3.1.
#[derive(Serialize)]
struct Control<'a> {
    server: String,
    client: String,
    attempts: Vec<Attempt<'a>>,
    modes_offered: u32,
    modes: u32,
    notes: &'a [Note],
    refused: Vec<Refused<'a>>,
    findings: &'a [Finding],
}

/// An address of the Server that did not take the connection.
#[derive(Serialize)]
pub(super) struct Attempt<'a> {
    address: String,
    error: &'a str,
}

impl<'a> From<&'a twinpath_report::Attempt> for Attempt<'a> {
    fn from(attempt: &'a twinpath_report::Attempt) -> Self {
        Self {
            address: ends::named(attempt.server),
            error: &attempt.error,
        }
    }
}

/// A session that the Server refused.
#[derive(Serialize)]
struct Refused<'a> {
    session: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<u16>,
    dscp: u8,
    step: &'static str,
    accept: u8,
    reason: &'static str,
    advice: &'a str,
}

impl<'a> From<&'a RefusedSession> for Refused<'a> {
    fn from(refused: &'a RefusedSession) -> Self {
        Self {
            session: refused.number,
            path: refused.path,
            dscp: refused.dscp.value(),
            step: refused.refusal.step.name(),
            accept: refused.refusal.octet,
            reason: refused.refusal.accept().name(),
            advice: &refused.advice,
        }
    }
}

impl<'a> From<&'a ControlReport> for Control<'a> {
    fn from(report: &'a ControlReport) -> Self {
        Self {
            server: ends::named(report.server),
            client: ends::named(report.near),
            attempts: report.attempts.iter().map(Attempt::from).collect(),
            modes_offered: report.offered.bits(),
            modes: report.modes.bits(),
            notes: &report.notes,
            refused: report.refused.iter().map(Refused::from).collect(),
            findings: &report.findings,
        }
    }
}

/// `--output json`: one document at the end, and one for each row before it.
pub(crate) struct Json<W> {
    out: W,
    meta: Meta,
    /// Whether rows were written: then each document is on one line.
    rows: bool,
}

impl<W: Write> Json<W> {
    pub(crate) fn new(out: W, meta: Meta) -> Self {
        let rows = false;
        Self { out, meta, rows }
    }
}

impl<W: Write> Sink for Json<W> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows = true;
        rows::write_document(row, &self.meta, &mut self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        let document = Document::new(&self.meta, outcome);
        if self.rows {
            serde_json::to_writer(&mut self.out, &document)?;
            self.out.write_all(b"\n")?;
            return self.out.flush();
        }
        write(&document, &mut self.out)
    }
}

/// A document, indented for people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write(document: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests;
