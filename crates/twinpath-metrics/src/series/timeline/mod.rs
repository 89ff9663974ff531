//! A run as pictures show it: a bounded number of columns of equal time.

mod column;
mod series;
mod summary;

pub use column::{Column, Marks, Smoke};
pub use series::Timeline;
