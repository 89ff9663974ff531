//! A reply is never answered (row TT-58): one spoofed packet must not make two reflectors answer
//! each other for ever.
//!
//! By the reflector's layout a reply carries T3 and T2 a moment apart, where a request has T1 and
//! padding or zeros; that alone is so for one in 400 million randomly padded requests. One more
//! sign is needed, and each of these is one:
//!
//! * it came from a reflector's port, or from a port of the number that it was sent to;
//! * its Sender Timestamp is within 30 days of its T3;
//! * beyond the row: its Sender Timestamp is within 30 days of *our* clock. What answers our own
//!   packet gives our T3 back, and its own clock may be decades off;
//! * beyond the row: MBZ after the Sender Error Estimate is zero. Every whole reply has that, so
//!   that no reply of ours is answered by one of us, whatever port and time a forger chose.
//!
//! A T2 of zero needs care. Zero padding has it, and so has a request with T1 = 0, which would be a
//! moment apart from it, as would any T1 near the turn of the NTP era in 2036: such packets are
//! requests, unless a Sender Timestamp near the present is where their zeros should go on.
//!
//! All together, random padding passes for a reply with a probability of about 6e-12.

use twinpath_wire::{LIGHT_PORT, ReplyHead, TWAMP_TEST_PORT, Wall, WireTime};

/// 30 days in seconds.
const NEAR_S: u32 = 30 * 86_400;
/// T3 - T2 of a reply lies from -1 s to 10 s.
const RESIDENCE: std::ops::RangeInclusive<i64> = -(1 << 32)..=(10 << 32);
/// Seconds from 1900-01-01 to 1970-01-01.
const NTP_TO_UNIX_S: u32 = 2_208_988_800;

/// The ports of a datagram.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) from: u16,
    pub(super) to: u16,
}

/// Whether these octets, read as unauthenticated, are a Session-Reflector's.
pub(super) fn is_open_reply(payload: &[u8], ports: Ports, now: Wall) -> bool {
    let Ok((head, rest)) = ReplyHead::view(payload) else {
        return false;
    };
    let times = Times {
        t3: head.t3,
        t2: head.t2,
        sender_t1: head.sender_t1,
    };
    let mbz = matches!(rest, [_, _, 0, 0, ..]);
    times.are_a_replys(mbz, ports, now)
}

/// Whether these octets, read as STAMP authenticated, are a Session-Reflector's.
pub(super) fn is_authenticated_reply(payload: &[u8], ports: Ports, now: Wall) -> bool {
    let time = |at: usize| {
        let octets = payload.get(at..)?.first_chunk()?;
        Some(WireTime::from_bits(u64::from_be_bytes(*octets)))
    };
    let (Some(t3), Some(t2), Some(sender_t1)) = (time(16), time(32), time(64)) else {
        return false;
    };
    let mbz = payload.get(74..80) == Some(&[0; 6]);
    Times { t3, t2, sender_t1 }.are_a_replys(mbz, ports, now)
}

struct Times {
    t3: WireTime,
    t2: WireTime,
    sender_t1: WireTime,
}

impl Times {
    fn are_a_replys(&self, mbz: bool, ports: Ports, now: Wall) -> bool {
        if self.t2.bits() == 0 {
            return self.echoes_the_present(now);
        }
        // Seconds above, a fraction or nanoseconds below: for either format this difference lies
        // in these whole seconds exactly when the true one does.
        let residence = self.t3.bits().wrapping_sub(self.t2.bits()).cast_signed();
        if !RESIDENCE.contains(&residence) {
            return false;
        }
        mbz || matches!(ports.from, TWAMP_TEST_PORT | LIGHT_PORT)
            || ports.from == ports.to
            || near(seconds(self.sender_t1), seconds(self.t3))
            || self.echoes_the_present(now)
    }

    /// The Sender Timestamp is one of these days by our clock, in either format.
    fn echoes_the_present(&self, now: Wall) -> bool {
        let unix_s = now.unix_ns().div_euclid(1_000_000_000);
        #[expect(clippy::cast_possible_truncation, reason = "seconds of an era")]
        let ptp_s = unix_s.cast_unsigned() as u32;
        let ntp_s = ptp_s.wrapping_add(NTP_TO_UNIX_S);
        let echoed = seconds(self.sender_t1);
        self.sender_t1.bits() != 0 && (near(echoed, ntp_s) || near(echoed, ptp_s))
    }
}

fn seconds(time: WireTime) -> u32 {
    (time.bits() >> 32) as u32
}

fn near(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed().unsigned_abs() <= NEAR_S
}
