//! The validity of losses.

use serde::{Deserialize, Serialize};
use twinpath_net::SendError;

use super::{CountedLosses, NoDirection};

findings! {
    /// The validity of losses.
    pub enum Losses {
        /// Why losses have no direction.
        Remark "direction-unknown" DirectionUnknown {
            /// Why.
            reason: NoDirection,
            /// What Direct Measurement (RFC 8972 section 4.5) counts instead.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            counted: Option<CountedLosses>,
        }
        /// The reflector's numbers equal the sender's.
        Remark "numbers-equal" NumbersEqual {
            /// Whether the protocol requires the reflector's own numbers.
            is_negotiated: bool,
        }
        /// The reflector's numbers contradict each other.
        Remark "direction-uncertain" DirectionUncertain
        /// Replies after the timeout.
        Remark "late" Late {
            /// How many.
            count: u64,
        }
        /// Packets of the largest size are lost, and hardly any others.
        Warning "large-lost" LargeLost {
            /// The largest size.
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
            /// Blocks of time in which packets were sent.
            measured_blocks: u64,
            /// Length of a block; 0 if it differs.
            block_ns: u64,
            /// Packets are missing in a capture.
            is_of_capture: bool,
        }
    }
}
