//! The system clock, the monotonic clock and their discipline.

use std::time::Duration;

use twinpath_wire::{Mono, Wall};

pub use super::phc2sys::follows_phc;
use super::system::clock_ns;
use crate::clock::Discipline;

/// TAI - UTC since 2017-01-01, used if it is not set in the kernel.
const TAI_OFFSET_S: i32 = 37;

/// The system clock.
pub fn wall() -> Wall {
    Wall::from_unix_ns(clock_ns(libc::CLOCK_REALTIME).unwrap_or(0))
}

/// The monotonic clock, which [`crate::SocketSet`] uses.
pub fn mono() -> Mono {
    Mono::from_ns(clock_ns(libc::CLOCK_MONOTONIC).unwrap_or(0).unsigned_abs())
}

pub(crate) fn suspended() -> Option<Duration> {
    let mono = clock_ns(libc::CLOCK_MONOTONIC)?;
    let ns = clock_ns(libc::CLOCK_BOOTTIME)?.saturating_sub(mono);
    u64::try_from(ns).ok().map(Duration::from_nanos)
}

/// The current state of the clock's discipline.
pub fn discipline() -> Discipline {
    // SAFETY: `timex` is plain numbers, for which zero is a value.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` lives across the call; modes 0 only reads.
    let status = unsafe { libc::adjtimex(&raw mut state) };
    judged(status, &state)
}

/// What the kernel's answer to `adjtimex` says (rows TT-47, TT-49 and TT-50).
fn judged(status: libc::c_int, state: &libc::timex) -> Discipline {
    let known = status >= 0;
    let synchronized = known && status != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    let max_error = u64::try_from(state.maxerror)
        .ok()
        .filter(|_| known)
        .map(Duration::from_micros);
    let tai = state.tai;
    Discipline {
        synchronized,
        max_error,
        tai_offset_s: if known && tai != 0 { tai } else { TAI_OFFSET_S },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_synchronized_if_the_kernel_says_so_and_its_error_is_the_kernels() {
        let answer = |status, flags, error_us, tai| {
            // SAFETY: `timex` is plain numbers, for which zero is a value.
            let mut state: libc::timex = unsafe { std::mem::zeroed() };
            (state.status, state.maxerror, state.tai) = (flags, error_us, tai);
            let judged = judged(status, &state);
            (judged.synchronized, judged.max_error, judged.tai_offset_s)
        };
        let us = |us| Some(Duration::from_micros(us));
        for (status, flags, error_us, tai, expected) in [
            (
                libc::TIME_OK,
                libc::STA_PLL,
                1_500,
                38,
                (true, us(1_500), 38),
            ),
            // Around a leap second the clock is as good as ever.
            (libc::TIME_INS, libc::STA_INS, 20, 37, (true, us(20), 37)),
            (
                libc::TIME_OK,
                libc::STA_UNSYNC,
                16_000_000,
                0,
                (false, us(16_000_000), 37),
            ),
            (libc::TIME_ERROR, 0, 700, 37, (false, us(700), 37)),
            // Most containers may not ask.
            (-1, 0, 0, 0, (false, None, 37)),
        ] {
            assert_eq!(
                answer(status, flags, error_us, tai),
                expected,
                "{status} {flags}"
            );
        }
    }

    #[test]
    fn this_system_reports_how_long_it_was_suspended() {
        assert!(suspended().is_some());
    }
}
