//! The English of what the libraries report as values: events, and what to do about errors.

pub(crate) mod error;
#[cfg(feature = "control")]
pub(crate) mod event;
pub(crate) mod host;
