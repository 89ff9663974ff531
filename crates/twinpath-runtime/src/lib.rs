//! Threads and loops that join engines, numbers and sockets.
#![forbid(unsafe_code)]

mod plan;
mod report;

pub use plan::{PortChoice, ResponderPlan, SenderPlan, StampChoice};
pub use report::{
    ClockState, IcmpCount, Note, Progress, ResponderReport, SessionReport, StampReport,
};
