//! STAMP's authenticated mode: requests, and what is made of replies (RFC 8762 sections 4.2.2, 4.3.2
//! and 4.4). Replies are the known answers, or made of them.

use serde_json::Value;
use twinpath_proto::sender::{
    Fill, PayloadSize, ReplyAnomalies, SenderConfig, SessionSender, Wire,
};
use twinpath_proto::stamp::StampKey;
use twinpath_proto::{ClockPair, TestGuard};
use twinpath_wire::{Fate, Mono, TimeFormat, WireTime};

use super::rig::{Rig, arrival, config, ms, ntp, wall};
use crate::stamp::{known_answers, known_key, packet};

/// The SSID of the known answers.
const SSID: u16 = 4242;

fn authenticated(octets: usize) -> SenderConfig {
    SenderConfig {
        wire: Wire::stamp(SSID).authenticated(),
        payload: PayloadSize::Fixed(octets),
        ..config()
    }
}

fn guarded(config: SenderConfig) -> SessionSender {
    SessionSender::new(config).guarded(TestGuard::stamp(known_key()))
}

/// A session that has sent `count` packets of 112 octets.
fn sent(count: usize) -> Rig {
    let mut rig = Rig::of(guarded(authenticated(112)));
    rig.send_count(count);
    rig
}

/// The known answer to packet 0 as one to packet `which`, which arrives at `at`, without its HMAC.
fn unsigned(rig: &Rig, which: usize, at: Mono) -> Vec<u8> {
    let case: Value = known_answers()["authenticated"].clone();
    let mut octets = packet(&case, "reply").unwrap();
    let request = &rig.requests[which];
    octets[0..4].copy_from_slice(&request[0..4]); // Sequence Number
    octets[16..24].copy_from_slice(&ntp(wall(at))); // Timestamp, T3
    octets[32..40].copy_from_slice(&ntp(wall(at))); // Receive Timestamp, T2
    octets[48..52].copy_from_slice(&request[0..4]); // Session-Sender Sequence Number
    octets[64..72].copy_from_slice(&request[16..24]); // Session-Sender Timestamp
    octets
}

fn reply(rig: &Rig, which: usize, at: Mono) -> Vec<u8> {
    let mut octets = unsigned(rig, which, at);
    known_key().seal(&mut octets);
    octets
}

fn handle(rig: &mut Rig, at: Mono, octets: &[u8]) -> ReplyAnomalies {
    rig.sender.handle_reply(at, octets, &arrival(wall(at)));
    rig.sender.counters().anomalies
}

/// The packet is still outstanding: a right reply is measured.
fn assert_outstanding(rig: &mut Rig, which: usize) {
    assert!(rig.samples().is_empty());
    let octets = reply(rig, which, ms(300));
    handle(rig, ms(300), &octets);
    let samples = rig.samples();
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].fate, Fate::Received);
}

#[test]
fn a_request_is_the_known_one_octet_for_octet() {
    let case = known_answers()["authenticated"].clone();
    let mut known = packet(&case, "request").unwrap();
    let t1 = WireTime::from_bits(u64::from_be_bytes(known[16..24].try_into().unwrap()));
    let at = t1.read(TimeFormat::Ntp, wall(ms(0)), 0);
    let mut sender = guarded(authenticated(112));
    let mut octets = vec![0xaa; 112];
    let transmit = sender.poll_transmit(ms(0), &mut octets).unwrap();
    assert_eq!(transmit.octets, 112);
    let now = ClockPair {
        mono: ms(0),
        wall: at,
    };
    sender.finish(&mut octets, transmit, now);
    // Our T1 is a whole number of nanoseconds.
    let ours = u64::from_be_bytes(octets[16..24].try_into().unwrap());
    assert!(ours.abs_diff(t1.bits()) < 3);
    known[16..24].copy_from_slice(&octets[16..24]);
    known_key().seal(&mut known);
    assert_eq!(octets, known);
}

#[test]
fn a_longer_request_has_extra_padding_that_the_hmac_does_not_cover() {
    for fill in [Fill::Zero, Fill::Random] {
        let mut rig = Rig::of(guarded(SenderConfig {
            fill,
            ..authenticated(130)
        }));
        rig.send_count(2);
        for (number, octets) in (0_u32..).zip(&rig.requests) {
            assert_eq!(octets.len(), 130);
            assert_eq!(octets[0..4], number.to_be_bytes());
            assert_eq!(octets[4..16], [0; 12]);
            assert_eq!(octets[26..28], SSID.to_be_bytes());
            assert_eq!(octets[28..96], [0; 68]);
            assert_eq!(octets[96..112], known_key().sign(&[&octets[..96]]));
            assert_eq!(octets[112..116], [0x80, 1, 0, 14]);
            assert_eq!(octets[116..] == [0; 14], fill == Fill::Zero);
        }
    }
    // 1 to 3 octets have no room for a TLV's header.
    for (asked, sent) in [
        (0, 112),
        (44, 112),
        (112, 112),
        (113, 116),
        (115, 116),
        (117, 117),
    ] {
        let wire = Wire::stamp(0).authenticated();
        assert_eq!(guarded(authenticated(asked)).largest_payload(), sent);
        assert_eq!(
            (wire.payload_octets(asked), wire.reply_octets(sent)),
            (sent, sent)
        );
    }
}

#[test]
fn replies_with_the_right_hmac_are_measured() {
    let mut rig = sent(3);
    for which in 0..3 {
        let octets = reply(&rig, which, ms(230));
        handle(&mut rig, ms(230), &octets);
    }
    let samples = rig.samples();
    assert_eq!(samples.len(), 3);
    for (which, sample) in (0..).zip(&samples) {
        assert_eq!((sample.seq, sample.fate), (which, Fate::Received));
        assert_eq!(
            (sample.t2, sample.t3),
            (Some(wall(ms(230))), Some(wall(ms(230))))
        );
        assert_eq!(sample.ttl_forward, Some(64));
        assert_eq!(sample.reflector_seq, u32::try_from(which).ok());
        assert_eq!(sample.tos_forward, None);
    }
    let kinds = rig.sender.counters().anomalies;
    assert!(kinds.kinds().all(|(_, count)| count == 0), "{kinds:?}");
}

#[test]
fn no_octet_of_a_reply_is_used_if_its_hmac_is_wrong_and_the_packet_stays_outstanding() {
    for octet in 0..112 {
        let mut rig = sent(2);
        let mut octets = reply(&rig, 1, ms(230));
        octets[octet] ^= 1;
        let odd = handle(&mut rig, ms(230), &octets);
        assert_eq!(odd.forged, 1, "octet {octet}: {odd:?}");
        assert_outstanding(&mut rig, 1);
    }
    let mut rig = sent(2);
    let mut octets = unsigned(&rig, 1, ms(230));
    StampKey::new(&[1; 16]).unwrap().seal(&mut octets);
    assert_eq!(handle(&mut rig, ms(230), &octets).forged, 1, "another key");
    assert_outstanding(&mut rig, 1);
}

#[test]
fn octets_behind_the_base_packet_are_not_covered_and_one_less_is_too_short() {
    let mut rig = sent(2);
    let mut octets = reply(&rig, 0, ms(230));
    octets.extend([0x80, 1, 0, 2, 9, 9]);
    assert_eq!(handle(&mut rig, ms(230), &octets).size_differs, 1);
    assert_eq!(rig.samples().len(), 1);
    for length in [0, 41, 48, 111] {
        let mut rig = sent(2);
        let octets = reply(&rig, 1, ms(230));
        let odd = handle(&mut rig, ms(230), &octets[..length]);
        assert_eq!(odd.too_short, 1, "{length}: {odd:?}");
        assert_outstanding(&mut rig, 1);
    }
}

#[test]
fn a_reply_in_the_other_mode_is_counted_and_not_measured() {
    // Open replies, of any length, to authenticated packets.
    for length in [41, 44, 112, 200] {
        let mut rig = sent(2);
        let mut octets = vec![0; length];
        octets[4..12].copy_from_slice(&ntp(wall(ms(229))));
        octets[16..24].copy_from_slice(&ntp(wall(ms(229))));
        octets[24..28].copy_from_slice(&rig.requests[1][0..4]);
        octets[28..36].copy_from_slice(&rig.requests[1][16..24]);
        let odd = handle(&mut rig, ms(230), &octets);
        assert_eq!(
            (odd.other_mode, odd.forged, odd.too_short),
            (1, 0, 0),
            "{length}"
        );
        assert_outstanding(&mut rig, 1);
    }
    // An authenticated reply to an open packet.
    let mut open = Rig::sent(
        SenderConfig {
            wire: Wire::stamp(SSID),
            ..authenticated(112)
        },
        2,
    );
    let mut octets = unsigned(&open, 1, ms(230));
    octets[48..52].copy_from_slice(&open.requests[1][0..4]);
    octets[64..72].copy_from_slice(&open.requests[1][4..12]);
    known_key().seal(&mut octets);
    assert_eq!(handle(&mut open, ms(230), &octets).other_mode, 1);
    assert!(open.samples().is_empty());
    open.reply(1, ms(240));
    assert_eq!(open.samples().len(), 1);
}

#[test]
fn an_echo_of_an_authenticated_request_is_recognised_although_its_hmac_is_right() {
    let mut rig = sent(2);
    let echo = rig.requests[1].clone();
    let odd = handle(&mut rig, ms(230), &echo);
    assert_eq!((odd.looks_like_request, odd.forged), (1, 0));
    assert_outstanding(&mut rig, 1);
}

#[test]
fn an_ssid_comes_back_in_its_place_zero_or_foreign() {
    for (back, measured) in [(SSID, true), (0, true), (SSID + 1, false)] {
        let mut rig = sent(1);
        let mut octets = unsigned(&rig, 0, ms(5));
        octets[26..28].copy_from_slice(&back.to_be_bytes());
        known_key().seal(&mut octets);
        let odd = handle(&mut rig, ms(5), &octets);
        assert_eq!(rig.samples().len(), usize::from(measured), "{back}");
        assert_eq!(
            (odd.ssid_missing, odd.other_ssid),
            (u64::from(back == 0), u64::from(back == SSID + 1))
        );
    }
}
