//! What a run found out, as plain data: sessions with their figures, the control connection, and what
//! is remarkable about them.
#![forbid(unsafe_code)]

mod control;
pub mod document;
mod hops;
pub mod notes;
mod refusals;
mod requested;
mod session;
pub mod words;

pub use control::{Attempt, ControlReport, RefusedSession};
pub use refusals::{IcmpRefusal, Refusals};
pub use requested::Requested;
pub use session::{ClockState, IcmpCount, Note, Origin, SessionReport, StampReport, is_one_host};
