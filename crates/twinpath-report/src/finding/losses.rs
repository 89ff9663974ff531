//! What losses are worth.

use serde::{Deserialize, Serialize};
use twinpath_net::SendError;

use super::NoDirection;

findings! {
    /// What losses are worth.
    pub enum Losses {
        /// Why losses have no direction.
        Remark "direction-unknown" DirectionUnknown {
            /// Why.
            reason: NoDirection,
        }
        /// The reflector's numbers are the sender's.
        Remark "numbers-equal" NumbersEqual {
            /// The protocol says that they are the reflector's own.
            is_negotiated: bool,
        }
        /// The reflector's numbers contradict each other.
        Remark "direction-uncertain" DirectionUncertain
        /// Replies after the timeout.
        Remark "late" Late {
            /// How many.
            count: u64,
        }
        /// Packets of the greatest size are lost, and hardly any others.
        Warning "large-lost" LargeLost {
            /// The greatest size.
            octets: u64,
            /// Lost of that size.
            lost: u64,
            /// Sent of that size.
            sent: u64,
            /// Lost of the smaller ones.
            smaller_lost: u64,
            /// Sent of the smaller ones.
            smaller_sent: u64,
        }
        /// Packets or time are left out of the measurement.
        Warning "incompletely-measured" IncompletelyMeasured {
            /// Packets that were due and not sent.
            unsent: u64,
            /// Packets that were due.
            due: u64,
            /// Why the system did not take them, most often.
            reason: Option<SendError>,
            /// Blocks of time in which nothing was sent.
            unmeasured_blocks: u64,
            /// The others.
            measured_blocks: u64,
            /// How long one is; 0 where that differs.
            block_ns: u64,
            /// Packets are missing in a capture.
            is_of_capture: bool,
        }
    }
}
