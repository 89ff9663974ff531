//! The order of arrivals: reordering and resequencing.

pub(crate) mod backward;
pub(crate) mod compact;
pub(crate) mod reordering;
pub(crate) mod resequence;
pub(crate) mod window;
