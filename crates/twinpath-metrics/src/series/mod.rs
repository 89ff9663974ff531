//! A session over time: intervals as rows, columns of a picture, and the two together.

pub(crate) mod intervals;
mod packed;
pub(crate) mod run_time;
pub(crate) mod session_series;
pub(crate) mod timeline;
