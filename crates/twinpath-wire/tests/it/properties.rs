//! Properties that hold for any octets and any times.

use proptest::prelude::*;
use twinpath_wire::{
    Delta, ErrorEstimate, ReflectorOpen, Reply, ReplyHead, SenderOpen, StampReflector,
    StampReflectorAuthenticated, StampSender, StampSenderAuthenticated, TimeFormat, Wall, WireTime,
};

fn formats() -> impl Strategy<Value = TimeFormat> {
    prop_oneof![Just(TimeFormat::Ntp), Just(TimeFormat::Ptp)]
}

proptest! {
    #[test]
    fn any_octets_are_a_view_or_too_short(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(SenderOpen::view(&octets).is_ok(), octets.len() >= 14);
        prop_assert_eq!(ReplyHead::view(&octets).is_ok(), octets.len() >= 36);
        prop_assert_eq!(ReflectorOpen::view(&octets).is_ok(), octets.len() >= 41);
        prop_assert_eq!(StampSender::view(&octets).is_ok(), octets.len() >= 44);
        prop_assert_eq!(StampReflector::view(&octets).is_ok(), octets.len() >= 44);
        prop_assert_eq!(StampSenderAuthenticated::view(&octets).is_ok(), octets.len() >= 112);
        prop_assert_eq!(StampReflectorAuthenticated::view(&octets).is_ok(), octets.len() >= 112);
        match Reply::view(&octets) {
            Ok(reply) => {
                prop_assert_eq!(reply.sender_error.is_some(), octets.len() >= 38);
                prop_assert_eq!(reply.sender_ttl, octets.get(40).copied());
            }
            Err(short) => prop_assert_eq!((short.need, short.have), (36, octets.len())),
        }
    }

    #[test]
    fn any_timestamp_is_read_as_the_moment_nearest_to_the_clock(
        bits: u64, clock in -4_000_000_000_i64..8_000_000_000, format in formats(),
    ) {
        let clock = Wall::from_unix_ns(clock.saturating_mul(1_000_000_000));
        let at = WireTime::from_bits(bits).read(format, clock, 37);
        // Half an era, excess nanoseconds of an invalid PTP timestamp, and rounding to a second.
        let most = (1_u64 << 31) * 1_000_000_000 + 6_000_000_000;
        prop_assert!((at - clock).abs_ns() <= most);
    }

    #[test]
    fn any_time_survives_within_half_an_era(
        clock_s in 0_i64..6_000_000_000, way_s in -2_000_000_000_i64..2_000_000_000,
        ns in 0_i64..1_000_000_000, format in formats(), tai in 0_i32..100,
    ) {
        let clock = Wall::from_unix_ns(clock_s * 1_000_000_000);
        let at = clock + Delta::from_ns(way_s * 1_000_000_000 + ns);
        prop_assert_eq!(WireTime::write(at, format, tai).read(format, clock, tai), at);
    }

    #[test]
    fn any_bits_are_an_error_estimate(bits: u16) {
        let estimate = ErrorEstimate::from_bits(bits);
        prop_assert_eq!(estimate.bits(), bits);
        prop_assert_eq!(estimate.error_ns().is_none(), bits.to_be_bytes()[1] == 0);
    }

    #[test]
    fn an_error_is_never_understated(ns in 0_u64..u64::MAX, synchronized: bool, format in formats()) {
        let error = std::time::Duration::from_nanos(ns);
        let estimate = ErrorEstimate::new(synchronized, format, error);
        prop_assert_eq!(estimate.synchronized(), synchronized);
        prop_assert_eq!(estimate.format(), format);
        let told = estimate.error_ns().unwrap();
        prop_assert!(told >= u128::from(ns));
        // The multiplier has eight bits: within 1/128, plus or minus the smallest unit.
        prop_assert!(told <= u128::from(ns) + u128::from(ns) / 127 + 2);
    }
}
