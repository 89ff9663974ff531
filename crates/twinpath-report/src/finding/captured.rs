//! What a capture is worth.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::nanoseconds;

findings! {
    /// What a capture is worth.
    pub enum Captured {
        /// The report is made from a capture.
        Remark "from-capture" FromCapture
        /// Packets are out of order by too much to be put in order.
        Warning "capture-unordered" Unordered {
            /// How many.
            count: u64,
        }
        /// Packets were put in order.
        Remark "capture-sorted" Sorted {
            /// How many.
            count: u64,
        }
        /// Replies without their requests. A warning where they are many.
        Remark "capture-unmatched" Unmatched {
            /// How many.
            count: u64,
            /// Test packets in all.
            packets: u64,
        }
        /// Replies far after the timeout.
        Warning "capture-late" Late {
            /// How many.
            count: u64,
        }
        /// Packets between the ends of a session that are not the session's.
        Remark "capture-foreign" Foreign {
            /// How many.
            count: u64,
        }
        /// Packets that look like requests and were not answered.
        Warning "capture-unanswered" Unanswered {
            /// Where the first of them went to.
            to: Vec<SocketAddr>,
            /// How many such ends there are beyond those.
            more: u64,
            /// How many packets.
            count: u64,
        }
        /// The file ends within a packet.
        Warning "capture-broken-off" BrokenOff {
            /// Which, where there are several.
            file: Option<String>,
        }
        /// The file is damaged.
        Warning "capture-damaged" Damaged {
            /// Which, where there are several.
            file: Option<String>,
            /// How.
            error: String,
        }
        /// Packets without an answer so far, when the capture ended.
        Remark "under-way" UnderWay {
            /// How many.
            count: u64,
            /// When a reply is late.
            #[serde(rename = "timeout_ns", with = "nanoseconds")]
            timeout: Duration,
        }
        /// The capture has packets several times.
        Remark "captured-again" CapturedAgain {
            /// Copies.
            count: u64,
            /// Where T1 and T4 are taken, where there are several interfaces.
            interface: Option<String>,
            /// How many interfaces.
            interfaces: u64,
        }
        /// Replies before their requests.
        Warning "early-replies" EarlyReplies {
            /// How many.
            count: u64,
        }
        /// Numbers without a request. A warning where the capture missed packets, or where they are many.
        Remark "missing-requests" MissingRequests {
            /// How many.
            count: u64,
            /// Numbers between the first request and the last.
            numbers: u64,
            /// Those that were answered.
            answered: u64,
        }
        /// Replies that the snap length cut.
        Warning "cut-replies" CutReplies {
            /// How many.
            count: u64,
        }
    }
}
