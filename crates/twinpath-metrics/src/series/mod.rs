//! A session over time: intervals as rows, columns of a picture, and the books that keep them.

pub(crate) mod books;
pub(crate) mod intervals;
pub(crate) mod run_time;
pub(crate) mod timeline;
