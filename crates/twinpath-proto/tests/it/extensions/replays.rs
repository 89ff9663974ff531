//! Recorded requests for several replies that are sent again (RFC 10052 section 5; rows SL-14, SL-68):
//! HMACs cover neither addresses nor ports.

use std::time::Duration;

use twinpath_proto::extension::ControlPolicy;
use twinpath_proto::reflector::ReflectorConfig;
use twinpath_wire::{Mono, StampSenderAuthenticated, Wall, WireTime};

use super::copies::{Far, MS, START, THREE, open};
use crate::stamp::known_key;

/// A reflector that follows signed requests alone.
fn reflector(change: impl FnOnce(&mut ReflectorConfig)) -> Far {
    Far::new(|config| {
        config.extensions.control.as_mut().unwrap().unauthenticated = false;
        change(config);
    })
}

/// An open request for three replies, signed in its TLVs, with something that only this run has.
pub(super) fn signed(seq: u32, run: u8) -> Vec<u8> {
    let chain = [&THREE[..], &[0x80, 1, 0, 1, run]].concat();
    let digest = known_key().sign(&[&seq.to_be_bytes(), &chain]);
    open(seq, &[&chain[..], &[0x80, 8, 0, 16], &digest].concat())
}

/// An authenticated one that left at this second.
fn authenticated(seq: u32, second: i64) -> Vec<u8> {
    let key = known_key();
    let mut request = vec![0; StampSenderAuthenticated::OCTETS];
    request[..4].copy_from_slice(&seq.to_be_bytes());
    let left = Wall::from_unix_ns((1_800_000_000 + second) * 1_000_000_000);
    request[16..24].copy_from_slice(&WireTime::ntp(left).bits().to_be_bytes());
    request[25] = 1;
    let digest = key.sign(&[&seq.to_be_bytes(), &THREE]);
    request.extend([&THREE[..], &[0x80, 8, 0, 16], &digest].concat());
    key.seal(&mut request);
    request
}

/// Replies to a request, and the flags of its Reflected Test Packet Control.
fn replies(far: &mut Far, now: Mono, request: &[u8]) -> (usize, u8) {
    let base = if request.len() > 112 { 112 } else { 44 };
    let flags = far.ask(now, request)[base];
    (1 + far.copies(now), flags)
}

const GRANTED: (usize, u8) = (3, 0);
const REFUSED: (usize, u8) = (1, 0x80);

#[test]
fn a_recorded_request_is_followed_once_from_whichever_port_it_is_sent() {
    let requests: [fn(u32) -> Vec<u8>; 2] = [|seq| signed(seq, 1), |seq| authenticated(seq, 5)];
    for request in requests {
        for is_stateful in [true, false] {
            let mut far = reflector(|config| config.stateful = is_stateful);
            assert_eq!(replies(&mut far, START, &request(7)), GRANTED);
            for port in 50_000..50_020 {
                far.arrival.from.set_port(port);
                assert_eq!(replies(&mut far, START, &request(7)), REFUSED);
            }
            let control = far.reflector.counters().control;
            assert_eq!((control.granted, control.repeated), (1, 20));
            // A replay moved no mark: what is genuine is followed from there too.
            assert_eq!(replies(&mut far, START, &request(3)), GRANTED);
        }
    }
}

#[test]
fn a_recorded_request_is_not_followed_after_its_session_began_again() {
    let mut far = reflector(|_| ());
    for seq in 0..4 {
        assert_eq!(replies(&mut far, START, &authenticated(seq, 0)), GRANTED);
    }
    // The sender begins again.
    let later = START + Duration::from_mins(1);
    assert_eq!(replies(&mut far, later, &authenticated(0, 60)), GRANTED);
    assert_eq!(far.reflector.counters().sessions_restarted, 1);
    for seq in 0..4 {
        assert_eq!(replies(&mut far, later, &authenticated(seq, 0)), REFUSED);
    }
    assert_eq!(replies(&mut far, later, &authenticated(1, 61)), GRANTED);
    // A recorded packet 0 makes it begin again, and no more.
    let last = later + Duration::from_mins(1);
    assert_eq!(replies(&mut far, last, &authenticated(0, 0)), REFUSED);
    assert_eq!(replies(&mut far, last, &authenticated(1, 0)), REFUSED);
    assert_eq!(replies(&mut far, last, &authenticated(2, 62)), GRANTED);
}

#[test]
fn a_sender_that_begins_again_at_once_is_known_by_its_later_time() {
    let mut far = reflector(|_| ());
    for seq in 0..4 {
        assert_eq!(
            replies(&mut far, START, &authenticated(seq, 10)),
            GRANTED,
            "{seq}"
        );
    }
    for seq in 0..3 {
        let again = authenticated(seq, 11);
        assert_eq!(replies(&mut far, START + MS, &again), GRANTED, "{seq}");
    }
    // Reordering: an earlier number that left earlier.
    assert_eq!(replies(&mut far, START + MS, &authenticated(1, 9)), REFUSED);
    // Without a time that an HMAC covers, nothing tells a restart from reordering.
    assert_eq!(replies(&mut far, START, &signed(9, 1)), GRANTED);
    assert_eq!(replies(&mut far, START + MS, &signed(0, 2)), REFUSED);
}

#[test]
fn all_reflectors_of_a_process_know_what_was_followed() {
    let mut first = reflector(|_| ());
    let mut policy = None;
    let mut threads = [(); 2].map(|()| {
        Far::new(|config| {
            let control = config.extensions.control.as_mut().unwrap();
            control.unauthenticated = false;
            *control = policy.get_or_insert_with(|| control.clone()).clone();
        })
    });
    for request in [signed(1, 1), authenticated(2, 1)] {
        assert_eq!(replies(&mut threads[0], START, &request), GRANTED);
        assert_eq!(replies(&mut threads[1], START, &request), REFUSED);
        assert_eq!(replies(&mut first, START, &request), GRANTED, "another");
    }
    let _: Option<ControlPolicy> = policy;
}

#[test]
fn a_run_of_an_open_session_is_followed_if_it_signs_something_else() {
    let mut far = reflector(|_| ());
    for (run, minute) in (1..4).zip(0..) {
        let now = START + Duration::from_mins(minute);
        for seq in 0..3 {
            assert_eq!(replies(&mut far, now, &signed(seq, run)), GRANTED, "{seq}");
        }
        assert_eq!(replies(&mut far, now, &signed(2, run)), REFUSED);
    }
}

#[test]
fn an_unverified_packet_0_makes_no_session_forget_its_mark() {
    let mut far = reflector(|_| ());
    let later = |minutes| START + Duration::from_mins(minutes);
    assert_eq!(replies(&mut far, START, &signed(9, 1)), GRANTED);
    // Anyone can send it, with TLVs or without.
    for (minutes, tlvs) in [(1, &[][..]), (2, &THREE)] {
        let reply = far.ask(later(minutes), &open(0, tlvs));
        assert_eq!(reply[..4], [0; 4], "its numbers begin again");
        assert_eq!(replies(&mut far, later(minutes), &signed(8, 2)), REFUSED);
    }
    // One that is verified says that the sender begins again.
    assert_eq!(replies(&mut far, later(3), &signed(0, 3)), GRANTED);
    assert_eq!(far.reflector.counters().sessions_restarted, 3);
    assert_eq!(replies(&mut far, later(3) + MS, &signed(7, 3)), GRANTED);
}

#[test]
fn a_request_that_is_over_a_limit_is_followed_where_there_is_room() {
    let requests: [fn(u32) -> Vec<u8>; 2] = [|seq| signed(seq, 1), |seq| authenticated(seq, 5)];
    let limits: [fn(&mut ControlPolicy); 3] = [
        |control| control.replies = 2,
        |control| control.octets_per_s = 10_000,
        |control| control.octets = 200,
    ];
    for request in requests {
        for limit in limits {
            let mut granted = None;
            let mut wide = reflector(|config| {
                let control = config.extensions.control.as_ref().unwrap();
                granted = Some(control.granted.clone());
            });
            let mut narrow = reflector(|config| {
                let control = config.extensions.control.as_mut().unwrap();
                control.granted = granted.take().unwrap();
                limit(control);
            });
            for _ in 0..2 {
                assert_eq!(replies(&mut narrow, START, &request(7)), (1, 0x10));
            }
            assert_eq!(narrow.reflector.counters().control.over_limit, 2);
            assert_eq!(replies(&mut wide, START, &request(7)), GRANTED);
            assert_eq!(replies(&mut wide, START, &request(7)), REFUSED);
        }
        // The octets of one such request, which are there again a second later.
        let mut far = reflector(|config| {
            config.extensions.control.as_mut().unwrap().octets = 460;
        });
        assert_eq!(replies(&mut far, START, &request(6)), GRANTED);
        assert_eq!(replies(&mut far, START, &request(7)), (1, 0x10));
        let later = START + Duration::from_secs(1);
        assert_eq!(replies(&mut far, later, &request(7)), GRANTED);
        assert_eq!(replies(&mut far, later, &request(7)), REFUSED);
    }
}

/// One reply that is longer than its request is more than the request gets without asking.
#[test]
fn a_single_longer_reply_is_had_once_by_a_request_over_a_limit() {
    let mut far = reflector(|config| config.extensions.control.as_mut().unwrap().replies = 2);
    let mut long = THREE;
    long[5] = 200;
    let digest = known_key().sign(&[&7_u32.to_be_bytes(), &long]);
    let request = open(7, &[&long[..], &[0x80, 8, 0, 16], &digest].concat());
    let reply = far.ask(START, &request);
    assert_eq!((reply.len(), reply[44]), (200, 0x10));
    far.arrival.from.set_port(50_000);
    let reply = far.ask(START, &request);
    assert_eq!((reply.len(), reply[44]), (request.len(), 0x80));
}
