//! Packets of a capture that were not read.

use serde::{Deserialize, Serialize};

findings! {
    /// Packets of a capture that were not read.
    pub enum NotRead {
        /// Packets were cut by the snap length.
        Warning "capture-cut" Cut {
            /// How many.
            count: u64,
        }
        /// Packets of a secured mode.
        Warning "capture-secured" Secured {
            /// How many.
            count: u64,
        }
        /// Packets within others.
        Warning "capture-encapsulated" Encapsulated {
            /// In what, and how many.
            kinds: Vec<(String, u64)>,
        }
        /// Packets of links that are not known.
        Warning "capture-links" Links {
            /// Link types, and how many.
            kinds: Vec<(u32, u64)>,
        }
        /// Packets without a time.
        Warning "capture-without-time" WithoutTime {
            /// How many.
            count: u64,
        }
        /// Packets of too many sessions.
        Warning "capture-sessions" Sessions {
            /// How many packets.
            count: u64,
            /// Sessions that are read.
            most: u64,
        }
        /// Fragments after the first.
        Remark "capture-fragments" Fragments {
            /// How many.
            count: u64,
        }
        /// Packets whose headers cannot be.
        Remark "capture-malformed" Malformed {
            /// How many.
            count: u64,
        }
    }
}
