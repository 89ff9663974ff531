//! Delays of one kind: their distribution, variation, jitter and bins.

pub(crate) mod bins;
pub(crate) mod delays;
pub(crate) mod distribution;
pub(crate) mod few;
pub(crate) mod figures;
pub(crate) mod first;
pub(crate) mod first_departures;
pub(crate) mod histogram;
pub(crate) mod ipdv;
pub(crate) mod jitter;
pub(crate) mod kind;
mod mad;
pub(crate) mod moments;
pub(crate) mod page;
pub(crate) mod rank;
