//! The offset of the two clocks over a run, and one-way delays without it (rows M-50 to M-57; RFC
//! 5905 section 8).

pub(crate) mod far_times;
mod figures;
mod finished_segments;
mod fit;
mod hull;
mod model;
mod offset_window;
mod pair_list;
mod points;
pub(crate) mod resolution;
mod rounding;
pub(crate) mod rungs;
mod segment;
mod slice;
mod spread;
pub(crate) mod stamp_step;
pub(crate) mod step;

pub use figures::{Basis, ClockEstimate, FarStep, OneWay, Spread};
pub use model::ClockModel;
