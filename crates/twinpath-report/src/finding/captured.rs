//! Limits of a capture.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::nanoseconds;

findings! {
    /// Limits of a capture.
    pub enum Captured {
        /// The report is made from a capture.
        Remark "from-capture" FromCapture
        /// Packets are too far out of order to be sorted.
        Warning "capture-unordered" Unordered {
            /// Number of packets.
            count: u64,
        }
        /// Packets were sorted by time.
        Remark "capture-sorted" Sorted {
            /// Number of packets.
            count: u64,
        }
        /// Replies without their requests. A warning if there are many.
        Remark "capture-unmatched" Unmatched {
            /// Number of packets.
            count: u64,
            /// Test packets in all.
            packets: u64,
        }
        /// Replies of sessions whose requests are not in the capture.
        Warning "capture-only-replies" OnlyReplies {
            /// Where the first of them came from and went.
            ways: Vec<(SocketAddr, SocketAddr)>,
            /// Number of further ones.
            more: u64,
            /// Number of packets.
            count: u64,
        }
        /// No reply to a session's requests is in the capture.
        Warning "capture-only-requests" OnlyRequests {
            /// Number of requests.
            count: u64,
        }
        /// Replies far after the timeout.
        Warning "capture-late" Late {
            /// Number of packets.
            count: u64,
        }
        /// Packets between the ends of a session that are not the session's.
        Remark "capture-foreign" Foreign {
            /// Number of packets.
            count: u64,
        }
        /// Packets that look like requests and were not answered.
        Warning "capture-unanswered" Unanswered {
            /// Destinations of the first of them.
            to: Vec<SocketAddr>,
            /// Number of further destinations.
            more: u64,
            /// How many packets.
            count: u64,
        }
        /// The file ends within a packet.
        Warning "capture-broken-off" BrokenOff {
            /// The file, if there are several.
            file: Option<String>,
        }
        /// The file is damaged.
        Warning "capture-damaged" Damaged {
            /// The file, if there are several.
            file: Option<String>,
            /// How.
            error: String,
        }
        /// Packets without an answer so far, when the capture ended.
        Remark "under-way" UnderWay {
            /// Number of packets.
            count: u64,
            /// When a reply is late.
            #[serde(rename = "timeout_ns", with = "nanoseconds")]
            timeout: Duration,
        }
        /// The capture has packets several times.
        Remark "captured-again" CapturedAgain {
            /// Copies.
            count: u64,
            /// The interface that T1 and T4 are taken from, if there are several.
            interface: Option<String>,
            /// How many interfaces.
            interfaces: u64,
        }
        /// Replies before their requests.
        Warning "early-replies" EarlyReplies {
            /// Number of packets.
            count: u64,
        }
        /// Numbers without a request. A warning if the capture missed packets, or if there are
        /// many.
        Remark "missing-requests" MissingRequests {
            /// Number of packets.
            count: u64,
            /// Numbers between the first request and the last.
            numbers: u64,
            /// Those that were answered.
            answered: u64,
        }
        /// Replies truncated by the snap length.
        Warning "cut-replies" CutReplies {
            /// Number of packets.
            count: u64,
        }
        /// Packets whose HMACs were not checked.
        Remark "hmacs-unchecked" HmacsUnchecked {
            /// Number of packets.
            count: u64,
            /// There is a key for them: the packets do not allow it.
            has_key: bool,
        }
        /// A key was given, and no packet of the capture has an HMAC.
        Remark "no-hmacs" NoHmacs
        /// No HMAC of the session is right with the key that was given, so none was used.
        Warning "hmac-other-key" OtherKey {
            /// Number of packets.
            count: u64,
        }
        /// Requests whose HMAC is wrong, though the key is right.
        Warning "requests-forged" RequestsForged {
            /// Number of packets.
            count: u64,
            /// Requests whose HMAC is right.
            verified: u64,
        }
    }
}
