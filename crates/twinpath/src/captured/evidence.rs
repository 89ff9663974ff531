//! What the packets of a flow look like of which only one direction was captured: requests that were
//! not answered, replies to requests that are elsewhere, or neither.

use twinpath_wire::Wall;

use super::layout::{Name, Reply};

/// How far a clock is from the capture's at most, for its time to be taken for one, in seconds.
const NEAR_S: u32 = 86_400;
/// From the beginning of NTP's time to that of Unix, in seconds.
const NTP_S: u32 = 2_208_988_800;
/// How far numbers of packets are apart that follow each other, at most.
pub(super) const MAX_GAP: u32 = 1_000;
/// Packets whose numbers go on, for a flow to a port that is not known to be taken for requests.
pub(super) const MIN_CONSECUTIVE: u64 = 3;

/// The evidence of one flow.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Packets that can be requests and do not look like replies.
    pub(super) packets: u64,
    /// Packets that look like replies.
    pub(super) replies: u64,
    /// Packets whose T1 is near the capture's time, or goes on as that does.
    timed: u64,
    /// Packets whose T1 is near the capture's time, and whose number goes on.
    going_on: u64,
    last: Option<(Name, Wall)>,
}

impl Evidence {
    pub(super) fn reply(&mut self) {
        self.replies += 1;
    }

    pub(super) fn request(&mut self, name: Name, at: Wall) {
        self.packets += 1;
        let is_near = is_near(name.t1, at);
        let goes_on = self.last.is_some_and(|(last, then)| {
            let ahead = name.seq.wrapping_sub(last.seq).cast_signed().unsigned_abs();
            let passed = seconds(at).wrapping_sub(seconds(then));
            let told = whole(name.t1).wrapping_sub(whole(last.t1));
            let off = told.wrapping_sub(passed).cast_signed().unsigned_abs();
            (1..=MAX_GAP).contains(&ahead) && off <= 1
        });
        self.timed += u64::from(is_near || goes_on);
        self.going_on += u64::from(is_near && goes_on);
        self.last = Some((name, at));
    }

    /// Whether they can be requests to a port that is known to be a reflector's.
    pub(super) fn fits_requests(&self) -> bool {
        self.timed * 2 > self.packets
    }

    /// Whether they look like requests, to whichever port.
    pub(super) fn looks_like_requests(&self) -> bool {
        self.fits_requests() && self.going_on >= MIN_CONSECUTIVE
    }
}

/// Whether a packet is a reply, by its times: T2 and T3 are near each other, and one of the
/// times is near the capture's.
pub(super) fn is_reply(reply: &Reply, at: Wall) -> bool {
    let stayed = whole(reply.t3).wrapping_sub(whole(reply.t2));
    let is_short = stayed.cast_signed().unsigned_abs() <= 1;
    is_short && (is_near(reply.t3, at) || is_near(reply.name.t1, at))
}

/// The fewest octets of an authenticated TWAMP packet (RFC 4656 section 4.1.2).
const AUTHENTICATED: usize = 48;

/// Whether a packet is one of authenticated TWAMP, by the place of its time: the first 16 octets are
/// encrypted, and T1 or T3 comes behind them.
pub(super) fn looks_authenticated(payload: &[u8], octets: usize, at: Wall) -> bool {
    let is_near_at = |from: usize| {
        let seconds = payload.get(from..).and_then(|rest| rest.first_chunk());
        seconds.is_some_and(|seconds| is_near(u64::from(u32::from_be_bytes(*seconds)) << 32, at))
    };
    let has_zeros = payload.get(4..16) == Some(&[0; 12]);
    octets >= AUTHENTICATED && is_near_at(16) && !is_near_at(4) && !has_zeros
}

/// Whether a time, in NTP's form or in PTP's, is near the capture's.
pub(super) fn is_near(time: u64, at: Wall) -> bool {
    let now = seconds(at);
    let off = |now: u32| whole(time).wrapping_sub(now).cast_signed().unsigned_abs();
    off(now.wrapping_add(NTP_S)) <= NEAR_S || off(now) <= NEAR_S
}

/// The seconds of a time, which both forms have in its upper half.
fn whole(time: u64) -> u32 {
    u32::try_from(time >> 32).unwrap_or(u32::MAX)
}

/// Unix time in seconds, of 32 bits.
fn seconds(at: Wall) -> u32 {
    let seconds = at.unix_ns().div_euclid(1_000_000_000);
    u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or(0)
}
