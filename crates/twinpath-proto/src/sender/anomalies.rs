//! Counts of replies with anomalies. None of them ends a run.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use twinpath_wire::add_counts;

/// Replies with anomalies, by kind. The first group was not measured; the second was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplyAnomalies {
    /// From an address or port other than the far end's; not measured.
    pub foreign_address: u64,
    /// Of those: they echo our number and T1, so the far end answers from another address or port
    /// (NAT, several addresses).
    pub answers_elsewhere: u64,
    /// The echoed Timestamp is not the T1 that was sent with that number; not measured (row TT-60).
    pub foreign_t1: u64,
    /// The echoed Sequence Number was never sent; not measured.
    pub unknown_seq: u64,
    /// Under the octets that a reply of the session's mode has, at least 36; not measured.
    pub too_short: u64,
    /// Long enough, but the field of the echoed Timestamp does not look like a time.
    pub not_a_reply: u64,
    /// Our own request came back unchanged: from an echo service, not a reflector.
    pub looks_like_request: u64,
    /// The HMAC is wrong, in a secured mode; not measured (rows TT-34, ST-57).
    pub forged: u64,
    /// An open reply to an authenticated STAMP packet of ours, or an authenticated one to an open
    /// packet; not measured (row ST-57).
    pub other_mode: u64,
    /// A STAMP Session Identifier other than ours; not measured (row ST-20).
    pub other_ssid: u64,
    /// Without Micro-session IDs that are those of the session; not measured (rows SL-40 to SL-43).
    pub micro_session: u64,

    /// Longer than the buffer, so that its end is missing; measured by the part received.
    pub truncated: u64,
    /// Without Sender TTL (twampy's responder sends 38 octets).
    pub short_replies: u64,
    /// The Z bit names the other format (row TT-46).
    pub z_wrong: u64,
    /// T2 or T3 is zero: unknown (RFC 5905 section 6).
    pub unset_times: u64,
    /// T3 before T2: left out of the delays (row M-10).
    pub t3_before_t2: u64,
    /// T3 - T2 longer than T4 - T1: left out of the delays (row M-10).
    pub residence_too_long: u64,
    /// Error Estimate with Multiplier 0: the far clock's error is unknown (row TT-26).
    pub error_multiplier_zero: u64,
    /// Not as long as the request (row TT-63).
    pub size_differs: u64,
    /// The padding to be reflected did not come back unchanged (RFC 6038).
    pub padding_differs: u64,
    /// The Session Identifier came back as 0: the far end does not know RFC 8972 (row ST-19).
    pub ssid_missing: u64,

    /// The last source that was not the far end.
    pub last_foreign: Option<SocketAddr>,
    /// The last other source that echoed our number and T1.
    pub last_elsewhere: Option<SocketAddr>,
    /// The last pair of unequal sizes, request and reply, in octets.
    pub last_sizes: Option<(usize, usize)>,
}

impl ReplyAnomalies {
    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        self.last_foreign = other.last_foreign.or(self.last_foreign);
        self.last_elsewhere = other.last_elsewhere.or(self.last_elsewhere);
        self.last_sizes = other.last_sizes.or(self.last_sizes);
        add_counts!(self, other =>
            foreign_address, answers_elsewhere, foreign_t1, unknown_seq, too_short, not_a_reply,
            looks_like_request, forged, other_mode, other_ssid, micro_session, truncated, short_replies, z_wrong, unset_times,
            t3_before_t2, residence_too_long, error_multiplier_zero, size_differs,
            padding_differs, ssid_missing,
        );
    }

    /// Every kind by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("foreign address", self.foreign_address),
            ("answer from another address", self.answers_elsewhere),
            ("foreign timestamp", self.foreign_t1),
            ("unknown sequence number", self.unknown_seq),
            ("too short", self.too_short),
            ("not a reply", self.not_a_reply),
            ("own request echoed", self.looks_like_request),
            ("wrong HMAC", self.forged),
            ("other mode", self.other_mode),
            ("other SSID", self.other_ssid),
            ("micro session mismatch", self.micro_session),
            ("truncated", self.truncated),
            ("no Sender TTL", self.short_replies),
            ("wrong Z bit", self.z_wrong),
            ("T2 or T3 zero", self.unset_times),
            ("T3 before T2", self.t3_before_t2),
            ("residence too long", self.residence_too_long),
            ("Error Estimate multiplier 0", self.error_multiplier_zero),
            ("size differs", self.size_differs),
            ("reflected padding differs", self.padding_differs),
            ("SSID missing", self.ssid_missing),
        ]
        .into_iter()
    }
}
