//! The packets read from a capture, for machines.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use twinpath_report::Traffic;

/// A capture, or several read as one.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CaptureCounts {
    /// In reading order.
    pub(crate) files: Vec<String>,
    pub(crate) frames: u64,
    /// Of UDP.
    pub(crate) datagrams: u64,
    /// Requests and replies of sessions, copies included.
    pub(crate) test_packets: u64,
    /// Copies of test packets made by the capture.
    pub(crate) captured_again: u64,
    /// Test packets that follow a later one in the file.
    pub(crate) out_of_order: u64,
    /// Those that were not sorted.
    pub(crate) out_of_window: u64,
    pub(crate) unmatched_replies: u64,
    /// Replies that came more than twice the timeout after their requests.
    pub(crate) late_replies: u64,
    /// Packets between the ends of sessions whose numbers and times are far from those of the test
    /// packets.
    pub(crate) foreign: u64,
    /// Packets that look like requests but were not answered, by destination: of no session.
    pub(crate) unanswered: BTreeMap<SocketAddr, u64>,
    /// Steps of the capturing clocks: the size of each.
    pub(crate) clock_steps_ns: Vec<i64>,
    /// Datagrams read from their first fragment.
    pub(crate) first_fragments: u64,
    pub(crate) end: &'static str,
    pub(crate) not_read: NotRead,
    pub(crate) sessions: Vec<CapturedSession>,
    /// Replies of sessions whose requests are not in the capture: of no session. They are unmatched too.
    pub(crate) only_replies: Vec<OnlyReplies>,
}

/// Replies that went one way, without their requests.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OnlyReplies {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) replies: u64,
}

/// What was not read, by kind.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct NotRead {
    pub(crate) cut: u64,
    pub(crate) later_fragments: u64,
    pub(crate) encapsulations: BTreeMap<&'static str, u64>,
    pub(crate) link_types: BTreeMap<u32, u64>,
    pub(crate) malformed: u64,
    /// Packets of sessions that look like authenticated TWAMP, whose numbers are encrypted.
    pub(crate) secured: u64,
    pub(crate) without_time: u64,
    pub(crate) beyond_sessions: u64,
}

/// How a session was captured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CapturedSession {
    /// Its number in the document.
    pub(crate) session: usize,
    /// The interface that T1 and T4 were taken from, if packets were captured at several and one of
    /// them has both.
    pub(crate) interface: Option<String>,
    /// Number of interfaces at which packets were captured.
    pub(crate) interfaces: usize,
    #[serde(flatten)]
    pub(crate) counts: SessionCounts,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
    /// `None`: its packets have no HMAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hmacs: Option<HmacCounts>,
}

/// Counts of a session's packets besides its figures.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct SessionCounts {
    /// Copies made by the capture.
    pub(crate) captured_again: u64,
    /// Packets from its reflector truncated too much to be read.
    pub(crate) cut_replies: u64,
    /// Replies that were captured before their requests, by their times.
    pub(crate) early_replies: u64,
    /// Numbers between the first and the last request without a request in the capture.
    pub(crate) missing_requests: u64,
    /// Replies to such numbers.
    pub(crate) answered_missing: u64,
}

/// The HMACs of a session's packets, of authenticated base packets and of TLVs. One that has both is
/// verified if both are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HmacCounts {
    pub(crate) key: KeyGiven,
    pub(crate) requests_verified: u64,
    pub(crate) requests_wrong: u64,
    pub(crate) replies_verified: u64,
    /// An HMAC that must be there and is missing is wrong.
    pub(crate) replies_wrong: u64,
    /// Packets of which neither is known: without a key, or cut.
    pub(crate) unchecked: u64,
}

/// Whether there is a key to check a session's HMACs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyGiven {
    /// No.
    #[default]
    None,
    /// It is the session's: at least one HMAC is right.
    Right,
    /// None is right, so it is another one's.
    Other,
}
