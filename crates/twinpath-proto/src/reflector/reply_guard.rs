//! A reply is never answered (row TT-58): one spoofed packet must not make two reflectors answer
//! each other endlessly.
//!
//! Read in the reflector's layout, a reply has T3 shortly after T2, where a request has T1 and
//! padding or zeros. One in 400 million randomly padded requests looks like that too, so one more
//! sign is needed, any of these:
//!
//! * its source port is a reflector's, or equal to its destination port;
//! * its Sender Timestamp is within 30 days of its T3;
//! * beyond the row: its Sender Timestamp is within 30 days of *our* clock. A reply to our own
//!   packet returns our T3, and the reflector's own clock may be decades off;
//! * beyond the row: MBZ after the Sender Error Estimate is zero. Every whole reply has that, so no
//!   twinpath reflector answers a twinpath reply, whatever port and time are forged.
//!
//! A T2 or a T3 of zero needs care: requests with zero padding have one as T2, authenticated ones read in
//! the open layout one as T3 and their T1 as T2, and a T1 of 0, or any T1 near the end of the NTP era in
//! 2036, is close to it. Such packets are requests, unless they have a Sender Timestamp near the present
//! where further zeros are expected.
//!
//! Taken together, random padding passes for a reply with a probability of about 6e-12.

use twinpath_wire::{
    Arrival, LIGHT_PORT, ReplyHead, StampReflectorAuthenticated, TWAMP_TEST_PORT, Wall, WireTime,
};

use super::form::Form;

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

impl Ports {
    /// Ports that do not suggest a reflector: a negotiated sender may use any port, even its peer's.
    pub(super) const NO_SIGN: Self = Self { from: 1, to: 0 };

    pub(super) fn of(arrival: &Arrival) -> Self {
        Self {
            from: arrival.from.port(),
            to: arrival.to_port,
        }
    }
}

/// Whether a payload that has the layout of a request has that of a reply too. In the secured modes
/// of TWAMP no whole reply passes for a request: its HMAC is elsewhere.
pub(super) fn is_reply(form: Form, payload: &[u8], ports: Ports, now: Wall) -> bool {
    match form {
        Form::Twamp(features) if features.is_secured() => false,
        Form::Twamp(_) | Form::Stamp { .. } => is_open_reply(payload, ports, now),
        Form::StampAuthenticated { .. } => {
            is_open_reply(payload, ports, now) || is_authenticated_reply(payload, ports, now)
        }
    }
}

/// Whether these octets, read as unauthenticated, are a Session-Reflector's.
fn is_open_reply(payload: &[u8], ports: Ports, now: Wall) -> bool {
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
fn is_authenticated_reply(payload: &[u8], ports: Ports, now: Wall) -> bool {
    let Ok((reply, _)) = StampReflectorAuthenticated::view(payload) else {
        return false;
    };
    let times = Times {
        t3: reply.t3,
        t2: reply.t2,
        sender_t1: reply.sender_t1,
    };
    times.are_a_replys(reply.mbz_sender_time == [0; 6], ports, now)
}

struct Times {
    t3: WireTime,
    t2: WireTime,
    sender_t1: WireTime,
}

impl Times {
    fn are_a_replys(&self, mbz: bool, ports: Ports, now: Wall) -> bool {
        if self.t2.is_unset() || self.t3.is_unset() {
            return self.echoes_the_present(now);
        }
        // The upper half is seconds, the lower a fraction or nanoseconds: in both formats this
        // difference is within these whole seconds exactly when the true one is.
        let residence = self.t3.bits().wrapping_sub(self.t2.bits()).cast_signed();
        if !RESIDENCE.contains(&residence) {
            return false;
        }
        mbz || matches!(ports.from, TWAMP_TEST_PORT | LIGHT_PORT)
            || ports.from == ports.to
            || near(seconds(self.sender_t1), seconds(self.t3))
            || self.echoes_the_present(now)
    }

    /// Whether the Sender Timestamp is within 30 days of our clock, in either format.
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
