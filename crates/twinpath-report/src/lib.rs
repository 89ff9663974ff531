//! The report of a run, as plain data: sessions with their figures, the control connection, and
//! findings about them.
#![forbid(unsafe_code)]

mod control;
pub mod document;
pub mod finding;
mod hops;
mod identity;
mod refusals;
mod requested;
mod session;
mod traffic;
pub mod words;

pub use control::{Advice, Attempt, ControlReport, RefusedSession};
pub use finding::{Finding, Note, Severity};
pub use identity::{FailedTarget, Identity, MicroSession, SessionSetup, Target};
pub use refusals::{IcmpRefusal, Refusals};
pub use requested::Requested;
pub use session::{ClockState, IcmpCount, Origin, SessionReport, StampReport, is_one_host};
pub use traffic::{Sizes, Spacing, Traffic};
