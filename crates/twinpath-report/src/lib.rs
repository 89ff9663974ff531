//! The report of a run, as plain data: sessions with their figures, the control connection, and
//! findings about them.
//!
//! ```
//! use std::time::Duration;
//! use twinpath_metrics::{MetricsConfig, SessionMetrics};
//! use twinpath_proto::sender::{Schedule, Wire};
//! use twinpath_report::document::SessionDocument;
//! use twinpath_report::{Identity, Requested, SessionReport};
//! use twinpath_wire::Tos;
//!
//! let identity = Identity {
//!     number: 1,
//!     wire: Wire::stamp(7),
//!     sid: None,
//!     sender: "192.0.2.1:20000".parse()?,
//!     reflector: "192.0.2.2:862".parse()?,
//!     schedule: Schedule::every(Duration::from_millis(100)),
//!     seed: 0,
//!     timeout: Duration::from_secs(2),
//!     start_within: Duration::ZERO,
//!     tos: Tos(184),
//!     ttl: 255,
//!     padding: 27,
//!     target: None,
//!     path: None,
//!     micro_session: None,
//! };
//! // Of the samples of a run; here there are none.
//! let metrics = SessionMetrics::new();
//! let report = SessionReport::new(identity, &metrics, MetricsConfig::default());
//! let document = SessionDocument::new(&report, None, &Requested::default());
//! let json = serde_json::to_value(&document)?;
//! assert_eq!((&json["protocol"], &json["dscp"]), (&"stamp".into(), &46.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
