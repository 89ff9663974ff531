//! The Session-Reflector: octets and the facts of their arrival in, reply octets out.
//!
//! [`SessionReflector`] answers any sender in TWAMP Light and STAMP (RFC 5357 Appendix I, RFC 8762
//! section 4.3); [`NegotiatedReflector`] answers only sessions negotiated by Control-Client and
//! Server (RFC 5357 section 4.2).

mod access;
mod addresses;
mod classify;
mod config;
mod counters;
mod engine;
mod ignored;
mod lru;
mod negotiated;
mod rate;
mod reply;
mod reply_guard;
mod table;

pub use access::Access;
pub use addresses::is_unsafe_port;
pub use classify::{Class, Tail, classify};
pub use config::{ReflectorConfig, ReflectorProtocols};
pub use counters::ReflectorCounters;
pub use engine::SessionReflector;
pub use ignored::Ignored;
pub use negotiated::{
    Ended, InUse, NegotiatedConfig, NegotiatedReflector, SessionCounters, SessionSpec,
};
pub use reply::Reflection;
