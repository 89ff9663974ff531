//! JSON (RFC 7951).

mod raw;
mod read;
mod write;

pub use read::{ReadOptions, read, read_member};
pub use write::{Layout, write, write_node};
