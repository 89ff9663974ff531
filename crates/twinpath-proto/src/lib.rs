//! The engines: Session-Sender and Session-Reflector as pure logic.
//!
//! Octets and times in, octets, samples and counts out. They use no socket, clock, thread or
//! randomness: a driver supplies all of these, so that a whole session can run in virtual time.
//!
//! A packet there and back, 200 µs each way, without a socket or a clock:
//!
//! ```
//! use twinpath_proto::ClockPair;
//! use twinpath_proto::reflector::{ReflectorConfig, SessionReflector};
//! use twinpath_proto::sender::{Limit, SenderConfig, SessionSender, Wire};
//! use twinpath_wire::{Arrival, Delta, ErrorEstimate, Fate, Mono, Rung, Stamp, Wall};
//!
//! let at = |us: u32| (Mono::from_ns(u64::from(us) * 1000), Wall::from_unix_ns(i64::from(us) * 1000));
//! let arrival = |us, from| Arrival::new(Stamp { at: at(us).1, rung: Rung::Kernel }, from);
//! let (near, far) = ("192.0.2.1:20000".parse()?, "192.0.2.2:862".parse()?);
//! let config = SenderConfig::to(far, Wire::stamp(1), at(0).0);
//! let mut sender = SessionSender::new(SenderConfig { limit: Limit::Count(1), ..config });
//! let mut reflector = SessionReflector::new(ReflectorConfig::default());
//!
//! let mut packet = [0; 112];
//! let transmit = sender.poll_transmit(at(0).0, &mut packet).ok_or("nothing is due")?;
//! let octets = transmit.octets;
//! sender.finish(&mut packet, transmit, ClockPair { mono: at(0).0, wall: at(0).1 });
//! let reflection = reflector.reflect(at(200).0, &mut packet, octets, &arrival(200, near));
//! let reflection = reflection.map_err(|ignored| format!("{ignored:?}"))?;
//! reflector.seal(&reflection, &mut packet, at(210).1, ErrorEstimate::from_bits(1));
//! sender.handle_reply(at(410).0, &packet[..reflection.octets], &arrival(410, far));
//! let sample = sender.poll_sample().ok_or("no reply")?;
//! assert_eq!((sample.fate, sample.round_trip()), (Fate::Received, Some(Delta::from_ns(400_000))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
