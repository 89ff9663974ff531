//! A run divided into a bounded number of columns of equal time, for pictures.

mod column;
mod series;
mod summary;
mod variation;

pub use column::{Column, Marks, Smoke};
pub use series::Timeline;
pub use variation::variation;
