//! Configuration of a Session-Sender.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use twinpath_wire::{ErrorEstimate, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Mono};

use super::schedule::Schedule;
use super::wire::Wire;

/// UDP payload sizes in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PayloadSize {
    /// All packets have the same size.
    Fixed(usize),
    /// The three sizes of IMIX (Ethernet frames of 64, 590 and 1514 octets), 7:4:1 in a fixed
    /// interleaved pattern of twelve.
    Imix([usize; 3]),
}

/// Octets of an Ethernet frame around UDP payload: its header, and those of IP and UDP.
const AROUND_V4: usize = 14 + 20 + 8;
const AROUND_V6: usize = 14 + 40 + 8;

impl PayloadSize {
    /// The sizes of packets to `far` with a header and this many octets of padding; `None`: IMIX.
    pub fn padded(wire: Wire, padding_octets: Option<u16>, far: IpAddr) -> Self {
        if let Some(octets) = padding_octets {
            let asked = usize::from(octets) + wire.padding_counts_from();
            return Self::Fixed(wire.payload_octets(asked));
        }
        let around = match far {
            IpAddr::V4(_) => AROUND_V4,
            IpAddr::V6(_) => AROUND_V6,
        };
        // Over IPv6 and for STAMP, the smallest frame is too small for the header: then the
        // header's size.
        Self::Imix([64, 590, 1514].map(|frame: usize| wire.payload_octets(frame - around)))
    }

    /// The sizes of packets in turn, by number; one if all are equal.
    pub fn in_turn(self) -> Vec<usize> {
        match self {
            Self::Fixed(octets) => vec![octets],
            Self::Imix(_) => (0..12).map(|nth| self.nth(nth)).collect(),
        }
    }

    /// The size of the `nth` packet, from 0. IMIX interleaves seven small, four medium and one
    /// large packet in every twelve.
    pub(super) fn nth(self, nth: u64) -> usize {
        match self {
            Self::Fixed(octets) => octets,
            Self::Imix([small, middle, large]) => match nth % 12 {
                1 | 3 | 7 | 9 => middle,
                5 => large,
                _ => small,
            },
        }
    }
}

/// Contents of padding (row TT-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Zero,
    /// Pseudo-random octets from the session's own generator.
    Random,
}

/// When a session stops sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// This many packets.
    Count(u64),
    /// All slots that are due before `start` + this.
    Duration(Duration),
    /// Not by itself: all slots until it is stopped.
    Endless,
}

/// Configuration of a Session-Sender.
#[derive(Clone, Copy, Debug)]
pub struct SenderConfig {
    /// What its packets look like.
    pub wire: Wire,
    /// The Session-Reflector; replies must come from exactly this address and port (ignoring IPv6
    /// scope and flow), or from the node that requests name with a TLV.
    pub far: SocketAddr,
    /// When the first packet is due; in a Poisson schedule, when the wait for it begins.
    pub start: Mono,
    /// When the others are due.
    pub schedule: Schedule,
    /// When to stop sending.
    pub limit: Limit,
    /// How long a packet may take to come back (row M-3).
    pub timeout: Duration,
    /// UDP payload sizes.
    pub payload: PayloadSize,
    /// Padding.
    pub fill: Fill,
    /// Seed of the padding and of a random schedule.
    pub seed: u64,
    /// The most packets sent in a row to catch up (row M-67); 10 is customary. At least 1 and one
    /// burst of the schedule; at most 16,384 for a random schedule.
    pub max_burst: u32,
    /// Error Estimate of T1, which is written in the format that its Z bit names.
    pub error: ErrorEstimate,
    /// TAI - UTC in seconds, for PTPv2 timestamps (row TT-47).
    pub tai_offset_s: i32,
    /// Replies wait up to 100 ms for the kernel's stamp of their T1.
    pub await_tx_stamps: bool,
}

impl SenderConfig {
    /// 100 packets to `far`, one every 100 ms from `start` on, with 27 octets of padding; a reply may take 2 s.
    pub fn to(far: SocketAddr, wire: Wire, start: Mono) -> Self {
        Self {
            wire,
            far,
            start,
            schedule: Schedule::every(Duration::from_millis(100)),
            limit: Limit::Count(100),
            timeout: Duration::from_secs(2),
            payload: PayloadSize::padded(wire, Some(27), far.ip()),
            fill: Fill::Zero,
            seed: 0,
            max_burst: 10,
            error: ErrorEstimate::new(false, wire.format.time_format(), Duration::MAX),
            tai_offset_s: 37,
            await_tx_stamps: false,
        }
    }

    /// The largest UDP payload that the far end's address family can carry.
    pub(super) fn max_payload(&self) -> usize {
        if self.far.ip().to_canonical().is_ipv4() {
            MAX_PAYLOAD_V4
        } else {
            MAX_PAYLOAD_V6
        }
    }
}

/// How long after the timeout a packet is not yet counted lost: its reply may have arrived in time
/// and still wait in the socket if this thread was not scheduled.
const GRACE: Duration = Duration::from_millis(100);

/// With this timeout, how long after its departure a packet without a reply is counted lost.
pub fn loss_wait(timeout: Duration) -> Duration {
    timeout.saturating_add(GRACE)
}

/// With this timeout, how long after its departure a lost packet may still become a late one; its
/// sample follows then.
pub fn late_reply_wait(timeout: Duration) -> Duration {
    loss_wait(timeout).saturating_add(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_imix_pattern_is_seven_to_four_to_one() {
        let sizes = PayloadSize::Imix([64, 590, 1514]).in_turn();
        let count = |size| sizes.iter().filter(|one| **one == size).count();
        assert_eq!([64, 590, 1514].map(count), [7, 4, 1]);
    }
}
