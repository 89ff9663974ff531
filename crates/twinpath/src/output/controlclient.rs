//! Result of a Control-Client without a Session-Sender.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_report::{Finding, Note};
use twinpath_runtime::controller::{ControlClientReport, NegotiatedSession};
use twinpath_wire::nanoseconds;

use super::ends::named;
use super::json::Attempt;
use super::style::Style;
use super::table::{fact, notes};
use super::{units, words};

/// The destination for the Session-Sender, as soon as it is known.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn running(session: &NegotiatedSession, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "session {} started: {} to {}, DSCP {}",
        session.sid,
        named(session.sender),
        named(session.reflector),
        session.dscp
    )?;
    out.flush()
}

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(
    report: &ControlClientReport,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    fact(
        out,
        "Server",
        &format!("{}, {}", named(report.server), report.modes),
    )?;
    let session = &report.session;
    let ends = format!("{} to {}", named(session.sender), named(session.reflector));
    fact(out, "Packets", &format!("{ends}, DSCP {}", session.dscp))?;
    let took = units::took(report.duration);
    fact(
        out,
        "Session",
        &format!("{} ran for {took}", report.session.sid),
    )?;
    notes(&words::finding::notes(&report.findings), style, out)?;
    out.flush()
}

/// For machines.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn json(report: &ControlClientReport, out: &mut impl Write) -> io::Result<()> {
    let session = &report.session;
    let document = Document {
        schema: "twinpath-controlclient-1",
        version: env!("CARGO_PKG_VERSION"),
        host: super::host_name(),
        server: named(report.server),
        client: named(report.near),
        attempts: report.attempts.iter().map(Attempt::from).collect(),
        modes_offered: report.offered.bits(),
        modes: report.modes.bits(),
        sid: session.sid.to_string(),
        sender: named(session.sender),
        reflector: named(session.reflector),
        dscp: session.dscp.value(),
        duration_ns: nanoseconds::of(report.duration),
        findings: &report.findings,
        notes: words::finding::notes(&report.findings),
    };
    super::json::write(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: Option<String>,
    server: String,
    client: String,
    attempts: Vec<Attempt<'a>>,
    modes_offered: u32,
    modes: u32,
    sid: String,
    sender: String,
    reflector: String,
    dscp: u8,
    duration_ns: u64,
    findings: &'a [Finding],
    notes: Vec<Note>,
}
