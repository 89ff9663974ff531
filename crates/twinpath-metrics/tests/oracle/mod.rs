//! Slow, simple twins of the metrics, written from the RFCs: whole traces in memory, sorted and
//! searched for each figure.

pub(crate) mod clocks;
pub(crate) mod delays;
pub(crate) mod direction;
pub(crate) mod losses;
pub(crate) mod reordering;
