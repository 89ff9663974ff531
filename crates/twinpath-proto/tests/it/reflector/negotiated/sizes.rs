//! Lengths of replies (rows TT-19 to TT-21, TT-39 to TT-43), as tables.

use twinpath_proto::TestFeatures;
use twinpath_proto::reflector::Ignored;
use twinpath_wire::control::Modes;

use super::super::support::{arrival, light, ms};
use super::{ask, combinations, running, sid};

const RO: u32 = 32;
const SYM: u32 = 64;
const MON: u32 = 256;

/// Features, Length of padding to reflect; request and reply octets; too short for the features.
const TABLE: &[(u32, u16, usize, usize, bool)] = &[
    (0, 0, 14, 41, false),
    (0, 0, 40, 41, false),
    (0, 0, 41, 41, false),
    (0, 0, 42, 42, false),
    (0, 0, 314, 314, false),
    (0, 9, 14, 41, false), // a length has no effect without the feature
    (MON, 0, 14, 44, false),
    (MON, 0, 43, 44, false),
    (MON, 0, 44, 44, false),
    (MON, 0, 45, 45, false),
    (SYM, 0, 14, 41, true),
    (SYM, 0, 40, 41, true),
    (SYM, 0, 41, 41, false),
    (SYM, 0, 42, 42, false),
    (SYM, 0, 68, 68, false),
    (SYM | MON, 0, 14, 44, true),
    (SYM | MON, 0, 41, 44, true),
    (SYM | MON, 0, 42, 42, false), // 7750 figure 4: 14 + 28
    (SYM | MON, 0, 43, 43, false),
    (SYM | MON, 0, 44, 44, false),
    (SYM | MON, 0, 45, 45, false),
    (RO, 0, 14, 41, false),
    (RO, 10, 14, 41, true),
    (RO, 10, 24, 41, true),
    (RO, 10, 50, 50, true),
    (RO, 10, 51, 51, false), // 41 + 10
    (RO, 10, 52, 52, false),
    (RO, 65_535, 1_472, 1_472, true),
    (RO | MON, 10, 53, 53, true),
    (RO | MON, 10, 54, 54, false), // 44 + 10
    (RO | SYM, 10, 40, 41, true),
    (RO | SYM, 10, 50, 50, true),
    (RO | SYM, 10, 51, 51, false),
    (RO | SYM, 0, 41, 41, false),
    (RO | SYM | MON, 10, 42, 42, true),
    (RO | SYM | MON, 10, 53, 53, true),
    (RO | SYM | MON, 10, 54, 54, false),
];

#[test]
fn replies_have_the_lengths_of_the_table() {
    for &(bits, reflected, request, reply, too_short) in TABLE {
        let context = format!("{bits}, {reflected}: {request}");
        let mut ours = running(|spec| {
            spec.modes = Modes::from_bits(bits | 1);
            spec.padding_to_reflect = reflected;
        });
        let octets = light(3, &vec![0x11; request - 14]);
        let (made, _) = ask(&mut ours, ms(0), &octets, &arrival()).unwrap();
        assert_eq!(made.len(), reply, "{context}");
        let counters = ours.session_counters(sid(0)).unwrap();
        assert_eq!(counters.too_short, u64::from(too_short), "{context}");
        assert_eq!((counters.received, counters.reflected), (1, 1), "{context}");
    }
}

#[test]
fn no_combination_makes_a_reply_longer_than_its_request_or_its_header() {
    for modes in combinations() {
        let features = TestFeatures {
            modes,
            padding_to_reflect: 33,
            server_octets: 0,
        };
        let header = if modes.bits() & MON != 0 { 44 } else { 41 };
        for request in 14..200 {
            let mut ours = running(|spec| {
                spec.modes = modes;
                spec.padding_to_reflect = 33;
            });
            let octets = light(3, &vec![0x11; request - 14]);
            let (reply, _) = ask(&mut ours, ms(0), &octets, &arrival()).unwrap();
            assert!(reply.len() <= request.max(header), "{modes}: {request}");
            assert!(reply.len() >= 41, "{modes}: {request}");
            assert_eq!(reply.len(), features.reply_octets(request));
        }
    }
}

#[test]
fn a_request_under_fourteen_octets_is_none() {
    for octets in 0..14 {
        let mut ours = running(|_| {});
        let answer = ask(&mut ours, ms(0), &vec![0x11; octets], &arrival());
        assert_eq!(answer.unwrap_err(), Ignored::TooShort);
    }
}

#[test]
fn a_buffer_without_room_is_no_request_and_no_panic() {
    let mut ours = running(|spec| spec.modes = Modes::from_bits(1 | MON));
    let request = light(3, &[]);
    for room in 14..44 {
        let mut buffer = vec![0; room];
        buffer[..14].copy_from_slice(&request);
        let before = buffer.clone();
        let answer = ours.reflect(ms(0), &mut buffer, 14, &arrival());
        assert_eq!(answer, Err(Ignored::NoRoom), "{room}");
        assert_eq!(buffer, before, "{room}");
    }
    // As long as its request and no longer: there is room for that reply.
    for octets in [42, 43] {
        let mut ours = running(|spec| spec.modes = Modes::from_bits(1 | SYM | MON));
        let mut buffer = light(3, &vec![0; octets - 14]);
        let reflection = ours.reflect(ms(0), &mut buffer, octets, &arrival());
        assert_eq!(reflection.unwrap().octets, octets);
    }
    let answer = ours.reflect(ms(0), &mut [0; 44], 45, &arrival());
    assert_eq!(answer, Err(Ignored::NoRoom));
}

#[test]
fn what_our_sender_sends_at_least_is_never_too_short_and_comes_back_in_its_own_size() {
    for modes in combinations() {
        for padding_to_reflect in [0, 1, 2, 27, 64, 1_000] {
            let features = TestFeatures {
                modes,
                padding_to_reflect,
                server_octets: 0,
            };
            let least = features.least_payload();
            assert!(
                !features.is_too_short(least),
                "{modes} {padding_to_reflect}"
            );
            if modes.bits() & (RO | SYM | MON) != 0 {
                assert_eq!(features.reply_octets(least), least, "{modes}");
            } else {
                assert_eq!(least, 14);
            }
            // TC-82, TC-83: the Server's checks, for a Padding Length that matches the packets.
            let padding = features.padding_length(least);
            let reflected = features.reflected();
            match modes.bits() & (RO | SYM) {
                RO => assert!(padding >= 27 + reflected, "{modes}"),
                _ => assert!(padding >= reflected, "{modes}"),
            }
            if modes.bits() & MON != 0 && modes.bits() & SYM == 0 {
                assert!(padding >= 30, "TC-84: {modes}");
            }
        }
    }
}
