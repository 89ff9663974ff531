//! The engines: Session-Sender and Session-Reflector as pure logic.
//!
//! Octets and times in, octets, samples and counts out. They use no socket, clock, thread or
//! randomness: a driver supplies all of these, so that a whole session can run in virtual time.
#![forbid(unsafe_code)]

mod client_prefix;
mod clock;
#[cfg(feature = "control")]
pub mod control;
pub mod extension;
mod features;
mod off_stack;
pub mod random;
pub mod reflector;
mod refusal;
#[cfg(feature = "control")]
pub mod security;
pub mod sender;
pub mod stamp;
mod test_guard;

pub use client_prefix::ClientPrefix;
pub use clock::{ClockPair, StepWatch};
pub use features::TestFeatures;
pub use refusal::{Refusal, Step};
pub use test_guard::TestGuard;
