//! Limits of a report that is made from rows of intervals.

use serde::{Deserialize, Serialize};
use twinpath_wire::Wall;

findings! {
    /// Limits of a report that is made from rows of intervals.
    pub enum Stored {
        /// The report is made from rows of intervals.
        Remark "from-store" FromStore
        /// Files of a store could not be read.
        Warning "store-unread" StoreUnread {
            /// How many.
            count: u64,
            /// The first of them, and why.
            first: String,
        }
        /// Rows as measured were deleted where a part of an hour was asked for.
        Warning "store-deleted" StoreDeleted {
            /// When the first such part begins.
            #[serde(rename = "from_ns")]
            from: Wall,
            /// When the last one ends.
            #[serde(rename = "until_ns")]
            until: Wall,
        }
    }
}
