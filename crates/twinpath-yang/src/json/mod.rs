//! JSON (RFC 7951).

mod raw;
mod read;
mod write;

pub use read::{ReadOptions, read};
pub use write::{Layout, write, write_node};
