//! The Session-Reflector: octets and the facts of their arrival in, reply octets out.
//!
//! [`SessionReflector`] answers any sender in TWAMP Light and STAMP (RFC 5357 Appendix I, RFC 8762
//! section 4.3), or only the senders of sessions that Control-Client and Server negotiated (RFC 5357
//! section 4.2). What differs is how a packet finds its session.

mod access;
mod addresses;
mod bursts;
mod classify;
mod config;
mod copies;
mod counters;
mod engine;
mod extended;
mod form;
mod ignored;
mod listed;
mod lru;
mod negotiated;
mod one_way;
mod packet_session;
mod pages;
mod rate;
mod reply;
mod reply_guard;
mod table;
mod unnegotiated;

pub use access::Access;
pub use addresses::is_unsafe_port;
pub use classify::{Class, Tail, classify};
pub use config::{NegotiatedConfig, ReflectorConfig, ReflectorPolicy, ReflectorProtocols};
pub use copies::ReplyCopy;
pub use counters::{ControlCounters, ReflectorCounters};
pub use engine::SessionReflector;
pub use extended::ReplyToken;
pub use ignored::Ignored;
pub use listed::{ListedSession, SessionOrigin, SessionStage};
pub use negotiated::{Ended, InUse, SessionCounters, SessionSpec};
pub use one_way::{OneWayRequest, SessionId};
pub use rate::ClientRates;
pub use reply::Reflection;
pub use unnegotiated::Verified;
