//! The English of what the libraries report as values: findings, events, refusals, and what to do about errors.

pub(crate) mod error;
#[cfg(feature = "control")]
pub(crate) mod event;
pub(crate) mod finding;
pub(crate) mod host;
pub(crate) mod refusal;

use twinpath_report::Attempt;

use super::ends::named;
use super::units::count;

/// An address that did not take the connection, and why not.
pub(crate) fn attempt(attempt: &Attempt) -> String {
    format!("{}: {}", named(attempt.server), attempt.error)
}
