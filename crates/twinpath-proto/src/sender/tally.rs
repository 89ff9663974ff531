//! What a Session-Sender counts.

use std::time::Duration;

use twinpath_wire::ErrorEstimate;

use super::odd::OddReplies;

/// Counts of one session so far. When it is over, `sent = received + lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderTally {
    /// Packets asked for; `None` where a duration was.
    pub asked: Option<u64>,
    /// Packets handed to the network without error (row M-4).
    pub sent: u64,
    /// Packets that the system call refused: neither sent nor lost.
    pub send_errors: u64,
    /// Slots of the schedule that were missed and not caught up (row M-67).
    pub slots_skipped: u64,
    /// Those of them that no later packet makes up for: the run had an end in time, not a count.
    pub slots_left_out: u64,
    /// The most packets sent in a row without a wait between them.
    pub largest_burst: u32,
    /// Packets younger than the timeout when the session was ended at once: neither sent nor lost.
    pub in_flight: u64,
    /// First valid replies in time.
    pub received: u64,
    /// Packets without one, the late ones included. Counted when the timeout has passed; a reply
    /// that came in time and was read after that takes its packet out again.
    pub lost: u64,
    /// First replies after the timeout.
    pub late: u64,
    /// Further copies of a reply.
    pub duplicates: u64,
    /// Replies later than any late one or copy is counted, or to a packet that is forgotten.
    pub stale: u64,
    /// Steps of the local clock (row M-55).
    pub clock_steps: u64,
    /// Suspensions of the host, which are none of these, and how long they were together: told by
    /// who drives the sender.
    pub suspensions: u64,
    /// Nanoseconds.
    pub suspended_ns: u64,
    /// Transmit stamps that came when nothing waited for them any more.
    pub unused_tx_stamps: u64,
    /// Packets whose departure the kernel or the network interface stamped.
    pub stamped: u64,
    /// What these waited in this host, from the reading of T1 right before the send call to that stamp,
    /// added up. Nanoseconds.
    pub own_wait_ns: u64,
    /// The Error Estimate of the last first reply: what the far end claims of its clock.
    pub far_error: Option<ErrorEstimate>,
    /// Odd replies by kind.
    pub odd: OddReplies,
}

impl SenderTally {
    /// What a packet waited in this host on average between the send call and its stamp; `None`
    /// without a stamp.
    pub fn own_wait_mean(&self) -> Option<Duration> {
        let mean = self.own_wait_ns.checked_div(self.stamped)?;
        Some(Duration::from_nanos(mean))
    }
}
