//! A run as pictures show it: a bounded number of columns of equal time.

mod column;
mod series;
mod summary;
mod variation;

pub use column::{Column, Marks, Smoke};
pub use series::Timeline;
pub use variation::variation;
