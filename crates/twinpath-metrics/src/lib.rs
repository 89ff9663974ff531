//! What samples mean: delay, delay variation, loss, duplication and reordering, per direction.
//!
//! [`SessionMetrics`] takes the [`Sample`](twinpath_wire::Sample)s of one session and comes to
//! [`Figures`], in constant memory and without an allocation per packet. [`ClockModel`] tells the
//! two clocks apart from the path, [`Intervals`] cuts a run into rows that add up, [`Timeline`]
//! into the columns of a picture; their memory is bounded too. The crate knows no protocol, no
//! socket and no output format. Names and formulas are those of the IPPM RFCs; rows (M-1 and on)
//! number the project's conformance tables.
#![forbid(unsafe_code)]

mod clocks;
mod delay;
mod delays;
mod epoch;
mod figures;
mod histogram;
mod intervals;
mod ipdv;
mod jitter;
mod loss;
mod marking;
mod moments;
mod page;
mod reordering;
mod round;
mod run_time;
mod rungs;
mod seen;
mod session;
mod timeline;
mod ttl;

pub use clocks::{Basis, ClockEstimate, ClockModel, FarStep, OneWay, Spread};
pub use figures::{DelayFigures, Figures};
pub use histogram::Histogram;
pub use intervals::{IntervalFigures, Intervals, LossChange, Suspect};
pub use loss::ReflectorKind;
pub use rungs::RungCounts;
pub use session::SessionMetrics;
pub use timeline::{Column, Marks, Smoke, Timeline};
