//! The English of what the libraries report as values: findings, events, refusals, and what to do about errors.

pub(crate) mod error;
#[cfg(feature = "control")]
pub(crate) mod event;
pub(crate) mod finding;
pub(crate) mod host;
pub(crate) mod no_reply;
pub(crate) mod refusal;

use std::net::SocketAddr;

use twinpath_report::{Attempt, Origin, SessionReport};

use super::ends::named;
use super::names::plain;
use super::units::count;

/// An address that did not take the connection, and why not.
pub(crate) fn attempt(attempt: &Attempt) -> String {
    format!("{}: {}", named(attempt.server), attempt.error)
}

/// That the name of a target has an address, which is not the one that was `used`.
pub(crate) fn measured_now(name: &str, now: SocketAddr, used: Option<SocketAddr>) -> String {
    let (name, now) = (plain(name), named(now));
    match used {
        Some(used) => format!(
            "{} no longer answers, and {name} has another address: {now} is measured from now on",
            named(used)
        ),
        None => format!("{name} has an address: {now} is measured from now on"),
    }
}

/// The words before the time of the first departure, which is in the future if the run was stopped
/// before it.
pub(crate) fn started(report: &SessionReport) -> &'static str {
    if !report.origin.has_setup() {
        "from"
    } else if report.has_begun() {
        "started"
    } else {
        "not started; first packet due"
    }
}

/// What is known about the existing packets: in a capture, that they were captured.
pub(crate) fn sent(report: &SessionReport) -> &'static str {
    match report.origin {
        Origin::Capture => "captured",
        Origin::Run | Origin::Records | Origin::Store => "sent",
    }
}
