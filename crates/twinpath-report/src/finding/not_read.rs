//! Packets of a capture that were not read.

use serde::{Deserialize, Serialize};

findings! {
    /// Packets of a capture that were not read.
    pub enum NotRead {
        /// Packets were truncated by the snap length.
        Warning "capture-cut" Cut {
            /// How many.
            count: u64,
        }
        /// Packets of a secured mode.
        Warning "capture-secured" Secured {
            /// How many.
            count: u64,
        }
        /// Encapsulated packets.
        Warning "capture-encapsulated" Encapsulated {
            /// The encapsulations, and the number of packets in each.
            kinds: Vec<(String, u64)>,
        }
        /// Packets with unknown link types.
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
        /// Packets with impossible headers.
        Remark "capture-malformed" Malformed {
            /// How many.
            count: u64,
        }
    }
}
