//! The Session-Reflector of TWAMP Light and STAMP (RFC 5357 section 4.2 and Appendix I,
//! RFC 8762 section 4.3): octets and the facts of their arrival in, reply octets out.

mod access;
mod classify;
mod config;
mod engine;
#[doc(hidden)]
pub mod fuzz;
mod guard;
mod ignored;
mod lru;
mod rate;
mod reply_guard;
mod table;
mod tally;

pub use classify::{Class, Tail, classify};
pub use config::{ReflectorConfig, Speaks};
pub use engine::{Reflection, SessionReflector};
pub use ignored::Ignored;
pub use tally::ReflectorTally;
