//! Counts of a Session-Reflector.

use twinpath_wire::add_counts;

use super::Ignored;
use crate::extension::ControlAnswer;

/// Counts of a Session-Reflector so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReflectorCounters {
    /// Replies made.
    pub reflected: u64,
    /// Sessions remembered now.
    pub sessions: u64,
    /// Sessions created, including those created again after they were forgotten.
    pub sessions_made: u64,
    /// Sessions forgotten because they were idle for the configured time.
    pub sessions_expired: u64,
    /// Sessions forgotten earlier than that, because a new one needed the room.
    pub sessions_evicted: u64,
    /// Sessions whose number restarted at 0 with the sender's (a new run from the same port).
    pub sessions_restarted: u64,
    /// Replies made without state because the table was full of sessions in use.
    pub answered_stateless: u64,
    /// Requests answered although their Error Estimate Multiplier was 0.
    pub error_multiplier_zero: u64,
    /// Requests of secured sessions that were answered although their number came before or, in the
    /// authenticated mode, is too old to check (row TT-35).
    pub replays: u64,
    /// Replies that the system refused to send in the way that their request asked for, and that were
    /// sent the ordinary way (RFC 9503; row SL-29).
    pub ways_refused: u64,
    /// What Reflected Test Packet Control came to.
    pub control: ControlCounters,
    /// Datagrams without a reply, by [`Ignored::index`].
    pub ignored: [u64; Ignored::COUNT],
}

/// What Reflected Test Packet Control came to (RFC 10052): requests by their answer, and replies
/// that follow the first one to a request, which are not among [`ReflectorCounters::reflected`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// Requests with the replies that they ask for.
    pub granted: u64,
    /// Requests with one ordinary reply, from clients that may not ask for others.
    pub not_allowed: u64,
    /// Likewise, that ask for replies and for none (row SL-13).
    pub contradictory: u64,
    /// Likewise, that were followed before, or whose number is not beyond that of the one before (row
    /// SL-14).
    pub repeated: u64,
    /// Likewise, that cannot be remembered: too many others are.
    pub table_full: u64,
    /// Requests with one reply, because more are over a limit.
    pub over_limit: u64,
    /// Requests with one reply as long as the MTU, which they would exceed.
    pub over_mtu: u64,
    /// Replies that left after the first one to a request.
    pub copies: u64,
    /// Those that were late by their interval or more, so that the rest of their burst was delayed.
    pub copies_late: u64,
    /// Those that are missing: over `max_rate_pps`, refused by the system, or their session, socket, key or
    /// thread was gone.
    pub copies_not_sent: u64,
    /// The longest time that one was late.
    pub latest_copy_ns: u64,
}

impl ControlCounters {
    pub(super) fn count(&mut self, answer: ControlAnswer) {
        let count = match answer {
            ControlAnswer::Granted => &mut self.granted,
            ControlAnswer::NotAllowed => &mut self.not_allowed,
            ControlAnswer::Contradictory => &mut self.contradictory,
            ControlAnswer::Repeated => &mut self.repeated,
            ControlAnswer::TableFull => &mut self.table_full,
            ControlAnswer::OverLimit => &mut self.over_limit,
            ControlAnswer::OverMtu => &mut self.over_mtu,
        };
        *count += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.latest_copy_ns = self.latest_copy_ns.max(other.latest_copy_ns);
        add_counts!(self, other =>
            granted, not_allowed, contradictory, repeated, table_full, over_limit, over_mtu, copies,
            copies_late, copies_not_sent,
        );
    }
}

impl ReflectorCounters {
    /// Datagrams without a reply: each kind's name and count.
    pub fn ignored_by_kind(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Ignored::ALL
            .iter()
            .zip(self.ignored)
            .map(|(kind, count)| (kind.name(), count))
    }

    /// Datagrams without a reply, of one kind.
    pub fn ignored_as(&self, kind: Ignored) -> u64 {
        self.ignored.get(kind.index()).copied().unwrap_or(0)
    }

    /// Adds the counts of another reflector (one engine per thread, one report for all).
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other =>
            reflected, sessions, sessions_made, sessions_expired, sessions_evicted,
            sessions_restarted, answered_stateless, error_multiplier_zero, replays, ways_refused,
        );
        self.control.merge(&other.control);
        for (mine, theirs) in self.ignored.iter_mut().zip(other.ignored) {
            *mine += theirs;
        }
    }

    pub(super) fn ignore(&mut self, kind: Ignored) {
        if let Some(count) = self.ignored.get_mut(kind.index()) {
            *count += 1;
        }
    }
}
