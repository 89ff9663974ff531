//! A run in rows of equal time that add up to its total (rows M-7, M-73).

mod closed;
mod figures;
mod missed;
mod reported_lost;
mod rows;
mod waits;

pub use closed::ClosedInterval;
pub use figures::{IntervalFigures, LossChange, Suspect};
pub use rows::Intervals;
pub use waits::Waits;
