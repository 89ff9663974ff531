//! Threads and loops that join engines, numbers and sockets.
//!
//! ```
//! use std::time::Duration;
//! use twinpath_proto::sender::{Limit, Schedule};
//! use twinpath_proto::stamp::StampKeys;
//! use twinpath_runtime::{ResponderPlan, SenderPlan, measure, responder};
//!
//! let near = vec!["127.0.0.1:0".parse()?];
//! let reflector = responder::start(&ResponderPlan::on(near), StampKeys::default())?;
//! let far = *reflector.listening().first().ok_or("no address")?;
//! let run = measure::start(SenderPlan {
//!     limit: Limit::Count(3),
//!     schedule: Schedule::every(Duration::from_millis(1)),
//!     ..SenderPlan::to(far)
//! })?;
//! let report = run.join()?;
//! assert_eq!(report.figures.received, 3);
//! reflector.stop();
//! assert_eq!(reflector.join()?.counters.reflected, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "control")]
pub mod controlclient;
#[cfg(feature = "control")]
pub mod controller;
mod error;
pub mod host;
mod interfaces;
pub mod keys;
#[cfg(feature = "control")]
mod link;
pub mod measure;
#[cfg(feature = "control")]
mod names;
mod neighbours;
mod plan;
pub mod probe;
mod random;
mod reflect;
pub mod responder;
#[cfg(feature = "control")]
pub mod server;
#[cfg(feature = "control")]
mod stop;

use std::time::Duration;

use twinpath_net::clock;
use twinpath_report::ClockState;
use twinpath_wire::{ErrorEstimate, TimeFormat};

pub use error::{RunError, StartError, is_out_of_files};
pub use plan::{FigureOptions, PortChoice, ResponderPlan, SenderPlan, Unavailable};
pub use reflect::{OneWayReport, OneWaySession, ReflectorReport, ReflectorStatus};
pub use twinpath_net::clock::wall;
pub use twinpath_net::{BindError, NoHardware, PathOptions, SendError, StampChoice};
pub use twinpath_net::{activation, confine, file, stream};

/// The Error Estimate of the system clock's timestamps, by its discipline (row TT-50).
fn error_estimate() -> ErrorEstimate {
    error_estimate_in(TimeFormat::Ntp)
}

/// The same for timestamps in `format`.
fn error_estimate_in(format: TimeFormat) -> ErrorEstimate {
    let state = clock::discipline();
    // Nothing claimed: as much as the field can hold.
    let error = state.max_error.unwrap_or(Duration::MAX);
    ErrorEstimate::new(state.synchronized, format, error)
}

/// What the system clock's discipline says now.
pub fn clock_state() -> ClockState {
    let state = clock::discipline();
    ClockState {
        synchronized: state.synchronized,
        error_ns: state
            .max_error
            .and_then(|error| u64::try_from(error.as_nanos()).ok()),
    }
}
