//! Sessions that a responder measured one way, because their packets want no reply.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_metrics::{Basis, DelayFigures, OneWayFigures, ratio};
use twinpath_report::ClockState;
use twinpath_report::words::rfc3339;
use twinpath_runtime::{OneWayReport, OneWaySession};

use super::ends::named;
use super::table::{enough, fact};
use super::units::{self, Unit};

/// The most sessions of a text: a document has all.
const SHOWN: usize = 20;

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn text(report: &OneWayReport, out: &mut impl Write) -> io::Result<()> {
    let sessions = &report.sessions;
    for session in sessions.iter().take(SHOWN) {
        let mode = if session.is_authenticated {
            "authenticated, "
        } else {
            ""
        };
        let ends = format!(
            "from {} to {} ({mode}SSID {})",
            named(session.sender),
            named(session.reflector),
            session.ssid
        );
        fact(out, "One way", &ends)?;
        fact(out, "", &counts(session))?;
        fact(out, "", &delays(session))?;
    }
    let more = sessions.len().saturating_sub(SHOWN);
    if more > 0 {
        let more = units::count(more as u64, "session", "sessions");
        fact(out, "One way", &format!("and {more} more: see --json"))?;
    }
    if report.unlisted > 0 {
        let packets = units::count(report.unlisted, "packet", "packets");
        let text = format!("{packets} without figures: of no session, or of one too many");
        fact(out, "One way", &text)?;
    }
    if report.evicted > 0 {
        let sessions = units::count(report.evicted, "session", "sessions");
        fact(out, "One way", &format!("{sessions} made room for others"))?;
    }
    Ok(())
}

fn counts(session: &OneWaySession) -> String {
    let figures = &session.figures;
    let mut parts = vec![units::count(figures.received, "packet", "packets")];
    if figures.refused > 0 {
        parts.push(format!("{} refused by --max-rate", figures.refused));
    }
    if let (Some(lost), Some(reordered), Some(duplicates)) =
        (figures.lost, figures.reordered, figures.duplicates)
    {
        let share = units::percent(lost, sent(figures, lost));
        parts.push(format!("{lost} lost ({share})"));
        parts.push(format!("{reordered} reordered"));
        parts.push(units::count(duplicates, "duplicate", "duplicates"));
    } else {
        parts.push("losses unknown: the sender does not count its packets".to_owned());
    }
    if figures.stale > 0 {
        parts.push(format!("{} too late to count", figures.stale));
    }
    parts.join(", ")
}

/// Packets that were sent, as far as they show.
fn sent(figures: &OneWayFigures, lost: u64) -> u64 {
    let arrived = figures.received.saturating_add(figures.refused);
    arrived.saturating_add(lost)
}

fn delays(session: &OneWaySession) -> String {
    let Some(delay) = session.figures.delay else {
        return "no delay: the packets do not say when they left".to_owned();
    };
    let unit = Unit::fit(delay.max_ns.unsigned_abs());
    let p99 = enough(&delay, 100, delay.p99_ns);
    let p99 = p99.map_or_else(String::new, |ns| format!("{} p99, ", unit.delay(ns)));
    let steps = match session.clock_steps {
        0 => String::new(),
        count => {
            let steps = units::count(count, "time", "times");
            format!("; this host's clock stepped {steps}")
        }
    };
    format!(
        "delay {} min, {} median, {p99}{} max; {}{steps}",
        unit.delay(delay.min_ns),
        unit.delay(delay.median_ns),
        unit.delay(delay.max_ns),
        clocks(session)
    )
}

fn clocks(session: &OneWaySession) -> String {
    match session.basis {
        Basis::Synchronized { error_ns } => {
            format!("both clocks within {}", units::span(error_ns))
        }
        Basis::Disproved { .. } => {
            "the clocks claim to be synchronized but are not: delays include their offset"
                .to_owned()
        }
        Basis::Unsynchronized => {
            "the clocks are not synchronized: delays include their offset".to_owned()
        }
    }
}

/// For machines.
#[derive(Serialize)]
pub(super) struct Document {
    sessions: Vec<Session>,
    unlisted: u64,
    evicted: u64,
}

#[derive(Serialize)]
struct Session {
    protocol: &'static str,
    mode: &'static str,
    sender: String,
    reflector: String,
    ssid: u16,
    started: String,
    duration_ns: i64,
    packets: Packets,
    delay: Option<DelayFigures>,
    unstamped: u64,
    basis: &'static str,
    claimed_error_ns: Option<u64>,
    sender_clock: ClockState,
    clock_steps: u64,
}

#[derive(Serialize)]
struct Packets {
    received: u64,
    lost: Option<u64>,
    duplicates: Option<u64>,
    reordered: Option<u64>,
    stale: u64,
    loss_ratio: Option<f64>,
    refused: u64,
}

impl From<&OneWayReport> for Document {
    fn from(report: &OneWayReport) -> Self {
        Self {
            sessions: report.sessions.iter().map(Session::from).collect(),
            unlisted: report.unlisted,
            evicted: report.evicted,
        }
    }
}

impl From<&OneWaySession> for Session {
    fn from(session: &OneWaySession) -> Self {
        let figures = session.figures;
        let (basis, claimed_error_ns) = match session.basis {
            Basis::Synchronized { error_ns } => ("synchronized", Some(error_ns)),
            Basis::Disproved { claimed_ns, .. } => ("disproved", Some(claimed_ns)),
            Basis::Unsynchronized => ("unsynchronized", None),
        };
        Self {
            protocol: "stamp",
            mode: if session.is_authenticated {
                "authenticated"
            } else {
                "unauthenticated"
            },
            sender: named(session.sender),
            reflector: named(session.reflector),
            ssid: session.ssid,
            started: rfc3339(session.first),
            duration_ns: (session.last - session.first).ns(),
            packets: Packets {
                received: figures.received,
                lost: figures.lost,
                duplicates: figures.duplicates,
                reordered: figures.reordered,
                stale: figures.stale,
                loss_ratio: figures
                    .lost
                    .and_then(|lost| ratio(lost, sent(&figures, lost))),
                refused: figures.refused,
            },
            delay: figures.delay,
            unstamped: figures.unstamped,
            basis,
            claimed_error_ns,
            sender_clock: session.sender_clock,
            clock_steps: session.clock_steps,
        }
    }
}
