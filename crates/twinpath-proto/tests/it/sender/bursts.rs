//! Several replies to a request at the sender (RFC 10052). Replies are made by hand.

use std::time::Duration;

use twinpath_proto::extension::{Copies, FactValue};
use twinpath_wire::{Delta, Mono};

use super::rig::{Rig, ms, us, wall};
use super::tlvs::{asking, handle, left, reply};

/// Reflected Test Packet Control as it comes back, with these flags: three replies of 101 octets, 1 ms
/// apart.
fn control(flags: u8) -> Vec<u8> {
    vec![
        flags, 12, 0, 12, 0, 101, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0,
    ]
}

/// A session that asks for that, and has sent a packet.
fn sent(more: &[&str]) -> Rig {
    let tlvs = [&["reflected-control=101:3:1ms"], more].concat();
    let mut rig = asking(&tlvs, 2);
    rig.send_count(1);
    rig
}

/// The reply with a number that leaves at `t3` and comes in at `t4`, of this size.
fn come(rig: &mut Rig, number: u32, [t3, t4]: [Mono; 2], tlvs: &[u8], octets: usize) {
    let mut octets_of = reply(rig, 0, [ms(10), t3], tlvs);
    octets_of[..4].copy_from_slice(&number.to_be_bytes());
    octets_of.resize(octets, 0);
    handle(rig, &octets_of, t4);
}

fn copies(rig: &Rig) -> Copies {
    rig.sender.learnt().unwrap().further_replies
}

#[test]
fn replies_that_were_asked_for_are_no_duplicates_and_what_the_network_copies_is_one() {
    // A reflector with state numbers them, one without does not.
    for step in [0, 1] {
        let mut rig = sent(&[]);
        for nth in 0..3_u32 {
            let left = us(11_000 + 1_000 * u64::from(nth));
            let number = 7 + step * nth;
            let octets = control(0);
            come(
                &mut rig,
                number,
                [left, left + Duration::from_millis(9)],
                &octets,
                104,
            );
            // The first and the second came twice.
            if nth < 2 {
                come(
                    &mut rig,
                    number,
                    [left, left + Duration::from_millis(9)],
                    &octets,
                    104,
                );
                let duplicates = rig.sender.counters().duplicates;
                assert_eq!(duplicates, u64::from(nth) + 1, "{step}");
            }
        }
        // A fourth was not asked for.
        come(&mut rig, 7 + 3 * step, [ms(14), ms(23)], &control(0), 104);
        let copies = copies(&rig);
        assert_eq!((copies.expected, copies.received), (2, 2), "{step}");
        let counters = rig.sender.counters();
        assert_eq!((counters.received, counters.duplicates), (1, 3), "{step}");
        assert_eq!(counters.anomalies.size_differs, 0);
        let fates = rig.samples();
        assert_eq!(fates.len(), 4, "{fates:?}");
    }
}

#[test]
fn what_a_reply_says_of_further_replies_is_not_waited_for() {
    let mut garbled = control(0);
    garbled[4..12].fill(0xff);
    for (asked, expected) in [("cos", 0), ("reflected-control=101:3:1ms", 2)] {
        let mut rig = asking(&[asked], 2);
        rig.send_count(1);
        come(&mut rig, 7, [ms(11), ms(20)], &garbled, 104);
        assert_eq!(copies(&rig).expected, expected, "{asked}");
    }
}

#[test]
fn gaps_are_those_of_neighbours_at_departure_and_arrival() {
    let mut rig = sent(&[]);
    for (number, t3, t4) in [
        (0, 11_000, 20_000),
        (1, 12_100, 21_300),
        (2, 13_000, 22_000),
    ] {
        come(&mut rig, number, [us(t3), us(t4)], &control(0), 104);
    }
    let copies = copies(&rig);
    let [departures, arrivals] = [copies.departures, copies.arrivals];
    // Times are written in units of 2^-32 s.
    let near = |ns: i64, us: i64| (ns - us * 1_000).abs() <= 1;
    assert!(
        near(departures.min_ns, 900) && near(departures.max_ns, 1_100),
        "{departures:?}"
    );
    assert_eq!((arrivals.min_ns, arrivals.max_ns), (700_000, 1_300_000));
    assert_eq!(
        (departures.count, arrivals.count, arrivals.sum_ns),
        (2, 2, 2_000_000)
    );
    let learnt = rig.sender.learnt().unwrap();
    let facts = learnt.facts();
    let (_, facts) = facts
        .iter()
        .find(|(name, _)| *name == "reflected-control")
        .unwrap();
    for (key, value) in [
        ("copies", 2),
        ("copies_lost", 0),
        ("arrival_gap_min_ns", 700_000),
        ("arrival_gap_mean_ns", 1_000_000),
        ("arrival_gap_max_ns", 1_300_000),
    ] {
        assert!(
            facts.contains(&(key, FactValue::Number(value))),
            "{key}: {facts:?}"
        );
    }

    // One is lost between them, or they overtook each other: no gap.
    for numbers in [[0, 2], [1, 0]] {
        let mut rig = sent(&[]);
        for number in numbers {
            let t3 = us(11_000 + 1_000 * u64::from(number));
            come(&mut rig, number, [t3, ms(20)], &control(0), 104);
        }
        let copies = self::copies(&rig);
        assert_eq!(
            (copies.received, copies.arrivals.count),
            (1, 0),
            "{numbers:?}"
        );
        assert_eq!(copies.departures.count, 0, "{numbers:?}");
    }
}

#[test]
fn the_reason_of_one_reply_is_the_mtu_or_a_limit() {
    for (flags, octets, counts) in [
        (0, 104, [2, 0, 0]),
        // As long as asked for, rounded up.
        (0x10, 104, [0, 0, 1]),
        (0x10, 108, [0, 0, 1]),
        (0x10, 100, [0, 1, 0]),
        // Not followed at all.
        (0x80, 60, [0, 0, 0]),
    ] {
        let mut rig = sent(&[]);
        come(&mut rig, 0, [ms(11), ms(20)], &control(flags), octets);
        let copies = copies(&rig);
        let seen = [copies.expected, copies.over_mtu, copies.over_limit];
        assert_eq!(seen, counts, "{flags:x} {octets}");
        // Then a further reply is a duplicate.
        come(&mut rig, 1, [ms(12), ms(21)], &control(flags), octets);
        let duplicates = u64::from(flags != 0);
        assert_eq!(rig.sender.counters().duplicates, duplicates, "{flags:x}");
    }
}

#[test]
fn a_further_reply_tells_when_the_one_before_left() {
    let mut rig = sent(&["follow-up-telemetry"]);
    let told = |told: Vec<u8>| [control(0), told].concat();
    let nothing = [&[0, 7, 0, 16][..], &[0; 16]].concat();
    come(&mut rig, 0, [ms(11), ms(20)], &told(nothing), 104);
    assert_eq!(rig.samples(), [], "it waits");
    come(
        &mut rig,
        1,
        [ms(12), ms(21)],
        &told(left(0, us(11_300))),
        104,
    );
    let samples = rig.samples();
    assert_eq!(samples.len(), 1);
    let t3 = samples[0].t3.unwrap() - wall(ms(0));
    assert_eq!(t3, Delta::from_ns(11_300_000));
}

#[test]
fn the_session_ends_after_the_last_further_reply() {
    for (replies, end) in [(1_u32, 122), (2, 121), (3, 120)] {
        let mut rig = sent(&[]);
        rig.send_count(1);
        for number in 0..replies {
            let mut octets = reply(&rig, 0, [ms(10), ms(10)], &control(0));
            octets[..4].copy_from_slice(&number.to_be_bytes());
            handle(&mut rig, &octets, ms(20));
            octets[24..38].copy_from_slice(&rig.requests[1][..14]);
            handle(&mut rig, &octets, ms(120));
        }
        rig.samples();
        let expected = ms(end + 100);
        assert_eq!(rig.sender.poll_timeout(), Some(expected), "{replies}");
    }
}

#[test]
fn counts_of_the_far_end_take_further_replies_into_account() {
    let mut rig = sent(&["direct-measurement"]);
    rig.send_count(1);
    let counted = |received: u8, sent: u8| {
        let counts = [
            0, 5, 0, 12, 0, 0, 0, received, 0, 0, 0, received, 0, 0, 0, sent,
        ];
        [control(0), counts.to_vec()].concat()
    };
    for number in 0..3 {
        let at = [us(11_000 + 1_000 * u64::from(number)), ms(20)];
        let sent = u8::try_from(number).unwrap() + 1;
        come(&mut rig, number, at, &counted(1, sent), 104);
    }
    let mut second = reply(&rig, 1, [ms(110), ms(111)], &counted(2, 4));
    second[3] = 3;
    handle(&mut rig, &second, ms(120));
    let facts = rig.sender.learnt().unwrap().facts();
    let mut facts = facts.iter();
    let (_, facts) = facts
        .find(|(name, _)| *name == "direct-measurement")
        .unwrap();
    for (key, value) in [
        ("far_sent", 3),
        ("replies_received", 3),
        ("backward_lost", 0),
    ] {
        assert!(
            facts.contains(&(key, FactValue::Number(value))),
            "{key}: {facts:?}"
        );
    }
}
