//! What one clock was ahead of the other in the course of a run, and one-way delays without that
//! (rows M-50 to M-57; RFC 5905 section 8).

mod body;
mod figures;
mod fit;
mod guard;
mod hull;
mod model;
mod rounding;
mod segment;
mod settled;
mod slice;
mod spread;

pub use figures::{Basis, ClockEstimate, FarStep, OneWay, Spread};
pub use model::ClockModel;
