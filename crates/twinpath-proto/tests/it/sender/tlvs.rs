//! TLVs of STAMP at the sender: what requests ask, and what replies teach. Replies are made by hand.

use std::time::Duration;

use twinpath_proto::extension::{AskedTlv, FactValue, RequestChain};
use twinpath_proto::sender::{Limit, PayloadSize, SenderConfig, SessionSender, Wire};
use twinpath_wire::{Delta, Fate, Mono, Sample, Tos};

use super::rig::{Rig, arrival, config, ms, ntp, us, wall};
use crate::stamp::{known_key, octets};

const SSID: u16 = 4242;

pub(super) fn chain(tlvs: &[&str]) -> RequestChain {
    let asked: Vec<AskedTlv> = tlvs.iter().map(|tlv| tlv.parse().unwrap()).collect();
    RequestChain::new(&asked, Tos(0)).unwrap()
}

/// A session that asks with these, and sends packets no longer than that.
pub(super) fn asking(tlvs: &[&str], limit: u64) -> Rig {
    let chain = chain(tlvs);
    let key = tlvs.contains(&"hmac").then(known_key);
    let octets = u16::try_from(chain.octets()).unwrap();
    let wire = Wire::stamp(SSID).with_tlvs(octets);
    let config = SenderConfig {
        wire,
        payload: PayloadSize::Fixed(wire.payload_octets(0)),
        limit: Limit::Count(limit),
        ..config()
    };
    Rig::of(SessionSender::new(config).asking(chain, key))
}

/// A STAMP reply to packet `which`, which the reflector took at `t2` and says to have sent at `t3`, with
/// these TLVs.
pub(super) fn reply(rig: &Rig, which: usize, [t2, t3]: [Mono; 2], tlvs: &[u8]) -> Vec<u8> {
    let request = &rig.requests[which];
    let number = u32::try_from(which).unwrap();
    let mut reply = number.to_be_bytes().to_vec();
    reply.extend(ntp(wall(t3)));
    reply.extend([0x80, 1]);
    reply.extend(SSID.to_be_bytes());
    reply.extend(ntp(wall(t2)));
    reply.extend(&request[0..14]);
    reply.extend([0, 0, 64, 0, 0, 0]);
    reply.extend(tlvs);
    reply
}

pub(super) fn handle(rig: &mut Rig, octets: &[u8], at: Mono) {
    rig.sender.handle_reply(at, octets, &arrival(wall(at)));
}

#[test]
fn requests_have_the_tlvs_and_the_hmac_and_say_how_many_were_sent() {
    let mut rig = asking(&["hmac", "direct-measurement", "cos=46"], 3);
    rig.send_count(3);
    for (sent, request) in (1..).zip(&rig.requests) {
        assert_eq!(request.len(), 44 + 16 + 8 + 20);
        assert_eq!(request[44..52], [0x80, 5, 0, 12, 0, 0, 0, sent]);
        assert_eq!(request[60..68], [0x80, 4, 0, 4, 46 << 2, 0, 0, 0]);
        assert_eq!(request[68..72], [0x80, 8, 0, 16]);
        let digest = known_key().sign(&[&request[..4], &request[44..68]]);
        assert_eq!(request[72..], digest);
    }
}

#[test]
fn replies_may_come_from_the_node_that_was_named() {
    for (tlv, from, is_measured) in [
        ("destination-node=192.0.2.77", "192.0.2.77:862", true),
        ("destination-node=192.0.2.77", super::rig::FAR, true),
        (
            "destination-node=192.0.2.77",
            "[::ffff:192.0.2.77]:862",
            true,
        ),
        ("destination-node=192.0.2.77", "192.0.2.77:863", false),
        ("destination-node=192.0.2.77", "192.0.2.78:862", false),
        ("cos=46", "192.0.2.77:862", false),
    ] {
        for ssid in [SSID, 0, 9] {
            let mut rig = asking(&[tlv], 2);
            rig.send_count(1);
            let mut octets = reply(&rig, 0, [ms(10), ms(11)], &rig.requests[0][44..]);
            octets[14..16].copy_from_slice(&ssid.to_be_bytes());
            let mut arrival = arrival(wall(ms(20)));
            arrival.from = from.parse().unwrap();
            rig.sender.handle_reply(ms(20), &octets, &arrival);
            let measured = rig.samples().len();
            let expected = is_measured && ssid != 9;
            assert_eq!(measured, usize::from(expected), "{tlv}, {from}, {ssid}");
            let anomalies = &rig.sender.counters().anomalies;
            assert_eq!(anomalies.foreign_address, u64::from(!is_measured));
        }
    }
}

#[test]
fn padding_follows_the_tlvs_as_extra_padding() {
    let chain = chain(&["cos=46"]);
    let wire = Wire::stamp(SSID).with_tlvs(8);
    for (asked, octets) in [(0, 52), (52, 52), (53, 56), (56, 56), (100, 100)] {
        let config = SenderConfig {
            wire,
            payload: PayloadSize::Fixed(wire.payload_octets(asked)),
            ..config()
        };
        let mut rig = Rig::of(SessionSender::new(config).asking(chain.clone(), None));
        rig.send_count(1);
        let request = &rig.requests[0];
        assert_eq!(request.len(), octets, "{asked}");
        if octets > 52 {
            let [high, low] = u16::try_from(octets - 56).unwrap().to_be_bytes();
            assert_eq!(request[52..56], [0x80, 1, high, low]);
        }
    }
}

/// A copy is discarded as a first reply is, and the first TLV counts.
/// A reply is counted once by why its TLVs are not used, and not at all if it has none.
#[test]
fn replies_without_a_right_hmac_are_counted_once() {
    let ids = octets("000b000400030005");
    let digest = known_key().sign(&[&[0; 4], &ids]);
    let signed = [&ids[..], &[0, 8, 0, 16], &digest].concat();
    let forged = [&ids[..], &[0, 8, 0, 16], &[0; 16]].concat();
    for asked in [&["micro-session=3", "hmac"][..], &["hmac"]] {
        let is_micro = asked.len() == 2;
        for (chain, counts) in [
            (&signed, [1, 1, 0, 0]),
            (&forged, [u64::from(!is_micro), 1, 1, 0]),
            (&ids, [u64::from(!is_micro), 1, 1, 0]),
            (
                &Vec::new(),
                [u64::from(!is_micro), 0, 0, u64::from(is_micro)],
            ),
        ] {
            let mut rig = asking(asked, 10);
            rig.send_count(1);
            let reply = reply(&rig, 0, [ms(4), ms(4)], chain);
            handle(&mut rig, &reply, ms(8));
            let measured = rig.samples().len() as u64;
            let learnt = rig.sender.learnt().unwrap();
            let faults: u64 = learnt.hmac_faults.counts().map(|(_, count)| count).sum();
            assert_eq!(faults, learnt.unverified);
            let other = rig.sender.counters().anomalies.micro_session;
            let told = [measured, learnt.replies, learnt.unverified, other];
            assert_eq!(told, counts, "{asked:?} {chain:?}");
        }
    }
}

/// Sessions of one LAG share addresses and ports: what comes by a wrong member is another's.
/// Follow-Up Telemetry that says when reply `number` left.
pub(super) fn left(number: u32, at: Mono) -> Vec<u8> {
    let number = number.to_be_bytes();
    [&[0, 7, 0, 16], &number[..], &ntp(wall(at)), &[2, 0, 0, 0]].concat()
}

pub(super) const NOTHING_TOLD: [u8; 20] =
    [0, 7, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn t3(sample: &Sample) -> Delta {
    sample.t3.unwrap() - wall(ms(0))
}

#[test]
fn t3_is_when_the_next_reply_says_that_it_left() {
    let mut rig = asking(&["follow-up-telemetry"], 4);
    rig.send_count(3);
    let first = reply(&rig, 0, [ms(210), ms(211)], &NOTHING_TOLD);
    handle(&mut rig, &first, ms(220));
    assert_eq!(rig.samples(), [], "it waits for the next one");
    let second = reply(&rig, 1, [ms(222), ms(223)], &left(0, us(211_400)));
    handle(&mut rig, &second, ms(230));
    let samples = rig.samples();
    assert_eq!(samples.len(), 1);
    assert_eq!(t3(&samples[0]), Delta::from_ns(211_400_000));

    // Beyond what is plausible: T3 stays, and is released.
    let third = reply(&rig, 2, [ms(232), ms(233)], &left(1, ms(2_000)));
    handle(&mut rig, &third, ms(240));
    let samples = rig.samples();
    assert_eq!(
        (samples[0].seq, t3(&samples[0])),
        (1, Delta::from_ns(223_000_000))
    );

    let learnt = rig.sender.learnt().unwrap();
    assert_eq!(
        (learnt.corrections.count, learnt.corrections.sum_ns),
        (1, 400_000)
    );
    let facts = learnt.facts();
    let (_, facts) = facts
        .iter()
        .find(|(name, _)| *name == "follow-up-telemetry")
        .unwrap();
    assert!(facts.contains(&("corrected", FactValue::Number(1))));
    assert!(facts.contains(&("correction_mean_ns", FactValue::Number(400_000))));
}

#[test]
fn the_last_replies_do_not_wait_longer_than_for_copies() {
    let mut rig = asking(&["follow-up-telemetry"], 2);
    rig.send_count(2);
    for which in [0, 1] {
        let octets = reply(&rig, which, [ms(110), ms(111)], &NOTHING_TOLD);
        handle(&mut rig, &octets, ms(120));
    }
    assert_eq!(rig.samples_at(ms(150)), []);
    let samples = rig.samples_at(ms(220));
    assert_eq!(
        samples.iter().map(|sample| sample.seq).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(rig.sender.poll_timeout(), None);
}

#[test]
fn after_sixteen_replies_none_is_waited_for() {
    let mut rig = asking(&["follow-up-telemetry"], 30);
    for which in 0..20 {
        rig.send_count(1);
        let at = ms(which as u64 * 100);
        let octets = reply(&rig, which, [at, at], &NOTHING_TOLD);
        handle(&mut rig, &octets, at + Duration::from_millis(10));
    }
    assert_eq!(rig.samples().len(), 4);
}

#[test]
fn a_far_end_that_does_not_say_it_is_not_waited_for() {
    for tlvs in ["8007001000000000000000000000000000000000", ""] {
        let mut rig = asking(&["follow-up-telemetry"], 2);
        rig.send_count(1);
        let octets = reply(&rig, 0, [ms(10), ms(11)], &octets(tlvs));
        handle(&mut rig, &octets, ms(20));
        assert_eq!(rig.samples().len(), 1);
    }
}

#[test]
fn the_dscp_that_a_reflector_saw_is_the_sample_s() {
    let mut rig = asking(&["cos"], 2);
    rig.send_count(1);
    // DSCP1 0, DSCP2 10, ECN 1.
    let octets = reply(&rig, 0, [ms(10), ms(11)], &octets("0004000400a40000"));
    handle(&mut rig, &octets, ms(20));
    assert_eq!(rig.samples()[0].tos_forward, Some(Tos(10 << 2 | 1)));
}

#[test]
fn a_reflector_without_ssid_teaches_nothing() {
    let mut rig = asking(&["cos"], 2);
    rig.send_count(1);
    let mut octets = reply(&rig, 0, [ms(10), ms(11)], &octets("0004000400a40000"));
    octets[14..16].fill(0);
    handle(&mut rig, &octets, ms(20));
    assert_eq!(rig.samples()[0].tos_forward, None);
    assert_eq!(rig.sender.learnt().unwrap().tlvs, []);
}

#[test]
fn packets_that_want_no_reply_are_not_lost_and_nothing_is_waited_for() {
    let near = "192.0.2.1".parse().unwrap();
    for (tlv, elsewhere) in [
        ("return-path=no-reply", true),
        ("return-path=192.0.2.9", true),
        ("return-path=2001:db8::1", true),
        ("return-path=192.0.2.1", false),
        ("return-path=same-link", false),
        ("cos", false),
    ] {
        assert_eq!(
            chain(&[tlv]).sends_replies_elsewhere(near),
            elsewhere,
            "{tlv}"
        );
    }
    let Rig { sender, .. } = asking(&["return-path=no-reply"], 3);
    let mut rig = Rig::of(sender.awaiting_no_reply());
    rig.send_count(2);
    // One that is answered nevertheless is measured.
    let octets = reply(
        &rig,
        0,
        [ms(10), ms(11)],
        &octets("800a00080001000400000000"),
    );
    handle(&mut rig, &octets, ms(20));
    assert_eq!(rig.samples()[0].fate, Fate::Received);
    // Until all are sent, another one may be answered for as long as any.
    rig.sender.handle_timeout(ms(199));
    assert_eq!(rig.samples(), []);
    rig.send_count(1);
    rig.sender.handle_timeout(ms(299));
    assert!(rig.sender.poll_overdue().is_none());
    let mut fates: Vec<(u64, Fate)> = Vec::new();
    fates.extend(rig.samples().iter().map(|it| (it.seq, it.fate)));
    assert_eq!(rig.sender.poll_timeout(), Some(ms(300)));
    rig.sender.handle_timeout(ms(300));
    fates.extend(rig.samples().iter().map(|it| (it.seq, it.fate)));
    assert_eq!(fates, [(1, Fate::Unawaited), (2, Fate::Unawaited)]);
    assert_eq!(rig.sender.poll_timeout(), None);
    let counters = rig.sender.counters();
    let counts = (
        counters.sent,
        counters.received,
        counters.lost,
        counters.unawaited,
    );
    assert_eq!(counts, (3, 1, 0, 2));
}

#[test]
fn a_session_without_replies_that_is_stopped_has_sent_what_it_sent() {
    let Rig { sender, .. } = asking(&["return-path=no-reply"], 30);
    let mut rig = Rig::of(sender.awaiting_no_reply());
    rig.send_count(2);
    rig.sender.stop(ms(110));
    assert!(rig.samples().iter().all(|it| it.fate == Fate::Unawaited));
    let counters = rig.sender.counters();
    let counts = (counters.sent, counters.unawaited, counters.in_flight);
    assert_eq!(counts, (2, 2, 0));
    assert_eq!(rig.sender.poll_timeout(), None);
}

#[test]
fn tlvs_that_twamp_light_moved_as_padding_are_recognized() {
    for (options, is_seen) in [
        (&["location", "direct-measurement"][..], true),
        (&["extra-padding=40"], true),
        // Too short for a reply to show it.
        (&["cos"], false),
    ] {
        let mut rig = asking(options, 3);
        rig.send_count(2);
        let request = rig.requests[0].clone();
        // Its header of 41 octets, then the request's octets from the 15th on, in all as many.
        let mut octets = reply(&rig, 0, [ms(10), ms(11)], &[])[..41].to_vec();
        octets[14..16].fill(0);
        octets.extend(&request[14..request.len() - 27]);
        assert_eq!(octets.len(), request.len());
        octets[41..43].fill(0);
        handle(&mut rig, &octets, ms(20));
        let learnt = rig.sender.learnt().unwrap();
        assert_eq!(learnt.moved, u64::from(is_seen), "{options:?}");
        assert_eq!(learnt.tlvs, []);
        // In their place they are not moved.
        let mut octets = reply(&rig, 1, [ms(110), ms(111)], &request[44..]);
        octets[14..16].fill(0);
        handle(&mut rig, &octets, ms(120));
        assert_eq!(rig.sender.learnt().unwrap().moved, u64::from(is_seen));
        assert_eq!(rig.samples().len(), 2);
    }
}

#[test]
fn an_access_report_is_sent_again_until_a_reply_has_it_or_often_enough() {
    for (asked, times) in [
        ("access-report=2:7", vec![3_000, 6_000, 9_000, 12_000]),
        ("access-report=2:7:500ms:2", vec![500, 1_000]),
        ("access-report=2:7:1s:1", vec![1_000]),
        ("access-report=2:7:2:0", vec![]),
    ] {
        let mut rig = asking(&[asked], 1);
        rig.send_count(1);
        let mut sent = Vec::new();
        for at in (10..20_000).step_by(10) {
            rig.sender.handle_timeout(ms(at));
            if rig.send(ms(at)) > 0 {
                sent.push(at);
            }
        }
        assert_eq!(sent, times, "{asked}");
        let report = rig.requests[0][44..].to_vec();
        assert_eq!(report, [0x80, 6, 0, 4, 0x20, 7, 0, 0]);
        assert!(rig.requests.iter().all(|request| request[44..] == report));
        assert_eq!(rig.sender.counters().sent, 1 + times.len() as u64);
        let learnt = rig.sender.learnt().unwrap();
        assert_eq!(learnt.retransmitted, times.len() as u64);
        while rig.sender.poll_sample().is_some() {}
        assert_eq!(rig.sender.poll_timeout(), None, "{asked}: it is over");
    }
}

#[test]
fn a_reply_with_the_access_report_ends_its_timer_though_the_far_end_does_not_know_it() {
    for (tlv, ends) in [
        ("0006000420070000", true),
        ("8006000420070000", true),
        ("4006000420070000", false),
        ("2006000420070000", false),
        ("", false),
    ] {
        let mut rig = asking(&["access-report=2:7"], 1);
        rig.send_count(1);
        let octets = reply(&rig, 0, [ms(10), ms(11)], &octets(tlv));
        handle(&mut rig, &octets, ms(20));
        rig.sender.handle_timeout(ms(3_000));
        assert_eq!(rig.send(ms(3_000)), usize::from(!ends), "{tlv}");
    }
    // Packets that are due before it carry the report, and nothing is sent after a stop.
    let mut rig = asking(&["access-report=2:7:150ms:4"], 3);
    rig.send_count(3);
    assert_eq!(rig.sender.learnt().unwrap().retransmitted, 0);
    rig.sender.stop_sending();
    assert_eq!(rig.send(ms(5_000)), 0);
}
