//! Replies that are not as they should be: counted by kind, and the run goes on.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::{Limit, PayloadSize, ReplyAnomalies, SenderConfig, Wire};
use twinpath_wire::{Arrival, Delta, Exclusion, Fate, Rung, Sample, WireTime};

use super::rig::{FAR, Rig, arrival, config, elsewhere, ms, ntp, reply_to, us, wall};

/// Three packets are in flight; `change` modifies the reply to packet 1.
fn after(
    config: SenderConfig,
    change: impl Fn(&mut Vec<u8>, &mut Arrival),
) -> (ReplyAnomalies, Vec<Sample>) {
    let mut rig = Rig::sent(config, 3);
    let mut octets = rig.reply_octets(1, ms(230));
    let mut arrival = arrival(wall(ms(230)));
    change(&mut octets, &mut arrival);
    rig.sender.handle_reply(ms(230), &octets, &arrival);
    let samples = rig.samples();
    let odd = rig.sender.counters().anomalies;
    let kinds: u64 = odd.kinds().map(|(_, count)| count).sum();
    assert!(kinds > 0, "nothing was odd: {samples:?}");
    // The run goes on: a good reply is measured, if that one was not.
    rig.reply(1, ms(240));
    let fate = rig.samples()[0].fate;
    assert_eq!(
        fate,
        if samples.is_empty() {
            Fate::Received
        } else {
            Fate::Duplicate
        }
    );
    rig.finish();
    rig.assert_over();
    (odd, samples)
}

#[test]
fn a_reply_of_38_octets_is_measured_without_sender_ttl() {
    let (odd, samples) = after(config(), |octets, _| octets.truncate(38));
    assert_eq!((odd.short_replies, odd.size_differs), (1, 1));
    assert_eq!(odd.last_sizes, Some((41, 38)));
    assert_eq!(
        (samples[0].fate, samples[0].ttl_forward),
        (Fate::Received, None)
    );
    assert_eq!(samples[0].round_trip(), Some(Delta::from_ns(129_990_000)));
}

#[test]
fn the_36_octets_that_a_round_trip_needs_are_enough_and_35_are_not() {
    let (_, samples) = after(config(), |octets, _| octets.truncate(36));
    assert_eq!(samples.len(), 1);
    for octets in [0, 1, 13, 14, 35] {
        let (odd, samples) = after(config(), |reply, _| reply.truncate(octets));
        assert_eq!((odd.too_short, samples.len()), (1, 0), "{octets} octets");
    }
}

#[test]
fn a_z_bit_that_names_the_other_format_is_seen_through() {
    let (odd, samples) = after(config(), |octets, _| octets[12] |= 0x40);
    assert_eq!(odd.z_wrong, 1);
    assert_eq!(samples[0].t3, Some(wall(us(229_980))));
    let ptp = |octets: &mut Vec<u8>| {
        for (offset, at) in [(4, us(229_980)), (16, us(229_970))] {
            let bits = WireTime::ptp(wall(at), 37).bits().to_be_bytes();
            octets[offset..offset + 8].copy_from_slice(&bits);
        }
    };
    let (odd, samples) = after(config(), |octets, _| ptp(octets));
    assert_eq!(odd.z_wrong, 1);
    assert_eq!(
        (samples[0].t2, samples[0].t3),
        (Some(wall(us(229_970))), Some(wall(us(229_980))))
    );
}

#[test]
fn a_number_from_nowhere_is_not_measured() {
    for number in [3_u32, 4, 1_000_000, u32::MAX, u32::MAX - 5, 1 << 31] {
        let (odd, samples) = after(config(), |octets, _| {
            octets[24..28].copy_from_slice(&number.to_be_bytes());
        });
        assert_eq!((odd.unknown_seq, samples.len()), (1, 0), "{number}");
    }
}

#[test]
fn a_t1_that_was_not_sent_with_that_number_is_foreign() {
    let (odd, samples) = after(config(), |octets, _| octets[35] ^= 1);
    assert_eq!((odd.foreign_t1, samples.len()), (1, 0));
}

#[test]
fn a_reply_to_an_earlier_run_from_the_same_port_is_no_duplicate() {
    let mut rig = Rig::sent(config(), 3);
    rig.reply(1, ms(230));
    let earlier = ntp(wall(ms(0)) - Delta::from_ns(10_000_000_000));
    let mut octets = rig.reply_octets(1, ms(231));
    octets[28..36].copy_from_slice(&earlier);
    rig.sender
        .handle_reply(ms(231), &octets, &arrival(wall(ms(231))));
    let counters = rig.sender.counters();
    assert_eq!((counters.duplicates, counters.anomalies.foreign_t1), (0, 1));
}

#[test]
fn a_copy_must_echo_the_t1_of_its_own_packet() {
    let mut config = config();
    config.limit = Limit::Count(200);
    for await_tx_stamps in [false, true] {
        config.await_tx_stamps = await_tx_stamps;
        let mut rig = Rig::sent(config, 200);
        for which in 0..200 {
            rig.reply(which, ms(19_950));
            rig.stamp(which, us(which as u64 * 100_000 + 7), Rung::Kernel);
        }
        let received = rig.samples_at(ms(19_960)).len();
        assert_eq!(received, 200);
        let real = rig.requests[195][4..12].to_vec();
        let mut forged = vec![
            ntp(wall(ms(19_500)) + Delta::from_ns(1)),
            ntp(wall(ms(19_500)) - Delta::from_ns(1)),
            ntp(wall(ms(18_500))),
            ntp(wall(ms(0))),
            ntp(wall(ms(19_900))),
            // The better T1 was never on the wire.
            ntp(wall(us(19_500_007))),
            [0; 8],
        ];
        for request in &rig.requests[100..195] {
            forged.push(request[4..12].try_into().unwrap());
        }
        for bit in 0..64 {
            let other = u64::from_be_bytes(real.as_slice().try_into().unwrap()) ^ (1 << bit);
            forged.push(other.to_be_bytes());
        }
        for t1 in &forged {
            let mut octets = rig.reply_octets(195, ms(19_970));
            octets[28..36].copy_from_slice(t1);
            rig.sender
                .handle_reply(ms(19_970), &octets, &arrival(wall(ms(19_970))));
        }
        assert_eq!(rig.samples(), []);
        let counters = rig.sender.counters();
        let odd = counters.anomalies;
        assert_eq!((counters.duplicates, counters.stale), (0, 0));
        assert_eq!(odd.foreign_t1 + odd.not_a_reply, forged.len() as u64);
        rig.reply(195, ms(19_980));
        let copy = rig.samples();
        assert_eq!((copy.len(), copy[0].fate), (1, Fate::Duplicate));
        assert_eq!(copy[0].t1.at, wall(ms(19_500)), "as it was written");
    }
}

#[test]
fn a_copy_of_a_reply_that_waits_for_its_stamp_must_echo_its_t1_too() {
    let mut config = config();
    config.await_tx_stamps = true;
    let mut rig = Rig::sent(config, 3);
    rig.reply(1, ms(230));
    let mut octets = rig.reply_octets(1, ms(231));
    octets[28..36].copy_from_slice(&ntp(wall(ms(150))));
    rig.sender
        .handle_reply(ms(231), &octets, &arrival(wall(ms(231))));
    rig.reply(1, ms(232));
    let counters = rig.sender.counters();
    assert_eq!((counters.duplicates, counters.anomalies.foreign_t1), (1, 1));
}

#[test]
fn a_late_reply_must_echo_the_t1_of_its_own_packet() {
    let mut rig = Rig::sent(config(), 10);
    assert_eq!(rig.samples_at(ms(2_150)), []);
    for t1 in [ms(0) + Duration::from_nanos(2), ms(100), ms(900)] {
        let mut octets = rig.reply_octets(0, ms(2_200));
        octets[28..36].copy_from_slice(&ntp(wall(t1)));
        rig.sender
            .handle_reply(ms(2_200), &octets, &arrival(wall(ms(2_200))));
    }
    let counters = rig.sender.counters();
    assert_eq!((counters.late, counters.anomalies.foreign_t1), (0, 3));
    rig.reply(0, ms(2_210));
    assert_eq!(rig.samples()[0].fate, Fate::Late);
}

#[test]
fn a_copy_later_than_any_late_reply_is_counted_and_is_no_sample() {
    let mut config = config();
    config.limit = Limit::Count(1_000);
    // In the same run of numbers, and after it was forgotten.
    for sent in [60, 700] {
        let mut rig = Rig::sent(config, sent);
        rig.reply(0, ms(30));
        assert_eq!(rig.samples().len(), 1);
        rig.reply(0, ms(4_100));
        assert_eq!(rig.samples().len(), usize::from(sent == 60), "{sent}");
        rig.reply(0, us(4_100_001));
        assert_eq!(rig.samples(), []);
        let counters = rig.sender.counters();
        let copies = u64::from(sent == 60);
        assert_eq!((counters.duplicates, counters.stale), (copies, 2 - copies));
    }
}

#[test]
fn forged_copies_of_any_number_take_no_memory() {
    let mut config = config();
    config.limit = Limit::Count(100);
    let mut rig = Rig::sent(config, 100);
    for which in 0..100 {
        rig.reply(which, ms(9_950));
    }
    rig.samples();
    let before = rig.sender.memory_octets();
    for round in 0..100_000_u64 {
        let which = usize::try_from(round % 100).unwrap();
        let mut octets = rig.reply_octets(which, ms(9_960));
        octets[28..36].copy_from_slice(&ntp(wall(us(90 * round + 1))));
        rig.sender
            .handle_reply(ms(9_960), &octets, &arrival(wall(ms(9_960))));
    }
    assert_eq!(rig.samples(), []);
    assert_eq!(rig.sender.memory_octets(), before);
    let counters = rig.sender.counters();
    assert_eq!(
        (counters.duplicates, counters.anomalies.foreign_t1),
        (0, 100_000)
    );
}

#[test]
fn a_request_that_comes_back_after_its_reply_is_an_echo_too() {
    let mut rig = Rig::sent(config(), 3);
    rig.reply(1, ms(230));
    let echo = rig.requests[1].clone();
    rig.sender
        .handle_reply(ms(231), &echo, &arrival(wall(ms(231))));
    assert_eq!(rig.sender.counters().anomalies.looks_like_request, 1);
}

#[test]
fn t3_before_t2_is_implausible_and_no_delay() {
    let (odd, samples) = after(config(), |octets, _| {
        octets[4..12].copy_from_slice(&ntp(wall(us(229_000))));
    });
    assert_eq!(odd.t3_before_t2, 1);
    let sample = samples[0];
    assert_eq!(
        (sample.fate, sample.excluded),
        (Fate::Received, Some(Exclusion::Implausible))
    );
}

#[test]
fn a_residence_longer_than_the_whole_way_is_implausible() {
    // T3 - T2 is 130 ms, the whole way, and 100 us and 1 ns more.
    let t2 = wall(us(229_980)) - Delta::from_ns(130_100_001);
    let (odd, samples) = after(config(), |octets, _| {
        octets[16..24].copy_from_slice(&ntp(t2));
    });
    assert_eq!(odd.residence_too_long, 1);
    assert_eq!(samples[0].excluded, Some(Exclusion::Implausible));
}

#[test]
fn a_round_trip_a_little_below_zero_is_the_error_of_the_stamps_and_measured() {
    let mut rig = Rig::sent(config(), 1);
    let reply = reply_to(&rig.requests[0], 0, wall(us(0)), wall(us(150)));
    rig.sender
        .handle_reply(us(90), &reply, &arrival(wall(us(90))));
    let sample = rig.samples()[0];
    assert_eq!(
        (sample.excluded, sample.round_trip()),
        (None, Some(Delta::from_ns(-60_000)))
    );
}

#[test]
fn t2_and_t3_of_zero_are_no_time_and_no_panic() {
    let (odd, samples) = after(config(), |octets, _| octets[16..24].fill(0));
    assert_eq!((odd.unset_times, samples[0].excluded), (1, None));
    assert!(samples[0].t2.is_none() && samples[0].t3.is_some());
    let (odd, samples) = after(config(), |octets, _| octets[4..12].fill(0));
    assert_eq!((odd.unset_times, samples[0].round_trip()), (1, None));
}

#[test]
fn an_error_estimate_with_multiplier_0_is_counted_and_measured() {
    let (odd, samples) = after(config(), |octets, _| octets[13] = 0);
    assert_eq!((odd.error_multiplier_zero, samples[0].excluded), (1, None));
}

#[test]
fn an_answer_from_another_address_is_distinguished_from_unrelated_packets() {
    let (odd, samples) = after(config(), |_, arrival| arrival.from = elsewhere());
    assert_eq!(
        (odd.foreign_address, odd.answers_elsewhere, samples.len()),
        (1, 1, 0)
    );
    assert_eq!(
        (odd.last_foreign, odd.last_elsewhere),
        (Some(elsewhere()), Some(elsewhere()))
    );

    let port: SocketAddr = "192.0.2.2:863".parse().unwrap();
    let (odd, _) = after(config(), |octets, arrival| {
        arrival.from = port;
        octets[30] ^= 0xff;
    });
    assert_eq!((odd.foreign_address, odd.answers_elsewhere), (1, 0));
    assert_eq!((odd.last_foreign, odd.last_elsewhere), (Some(port), None));
}

#[test]
fn scope_flow_and_mapped_form_of_an_address_do_not_make_it_another() {
    for (far, from) in [
        ("[fe80::1%3]:862", "[fe80::1%9]:862"),
        ("192.0.2.2:862", "[::ffff:192.0.2.2]:862"),
        ("[::ffff:192.0.2.2]:862", "192.0.2.2:862"),
    ] {
        let mut config = config();
        config.far = far.parse().unwrap();
        let mut rig = Rig::sent(config, 1);
        let octets = rig.reply_octets(0, ms(5));
        let from = from.parse().unwrap();
        rig.sender.handle_reply(
            ms(5),
            &octets,
            &Arrival {
                from,
                ..arrival(wall(ms(5)))
            },
        );
        assert_eq!(rig.samples().len(), 1, "{far} {from}");
    }
}

#[test]
fn an_echo_service_is_recognised_by_our_own_octets() {
    for octets in [14, 27, 35, 41, 300] {
        let mut config = config();
        config.payload = PayloadSize::Fixed(octets);
        let mut rig = Rig::sent(config, 3);
        for which in 0..3 {
            let echo = rig.requests[which].clone();
            rig.sender
                .handle_reply(ms(230), &echo, &arrival(wall(ms(230))));
        }
        let odd = rig.sender.counters().anomalies;
        assert_eq!(
            (odd.looks_like_request, rig.samples().len()),
            (3, 0),
            "{octets} octets"
        );
    }
}

#[test]
fn what_holds_no_time_where_t1_belongs_is_not_a_reply() {
    let (odd, samples) = after(config(), |octets, _| {
        *octets = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec();
    });
    assert_eq!((odd.not_a_reply, samples.len()), (1, 0));
}

#[test]
fn a_longer_reply_and_a_truncated_one_are_measured() {
    let (odd, samples) = after(config(), |octets, _| octets.resize(68, 0));
    assert_eq!(
        (odd.size_differs, odd.last_sizes, samples.len()),
        (1, Some((41, 68)), 1)
    );
    let (odd, samples) = after(config(), |_, arrival| arrival.truncated = true);
    assert_eq!((odd.truncated, odd.size_differs, samples.len()), (1, 0, 1));
}

fn stamp(ssid: u16) -> SenderConfig {
    let mut config = config();
    config.wire = Wire::stamp(ssid);
    config.payload = PayloadSize::Fixed(44);
    config
}

#[test]
fn an_ssid_that_comes_back_as_zero_is_counted_and_another_one_is_foreign() {
    for (back, measured) in [(0_u16, true), (8, false), (7, true)] {
        let mut rig = Rig::sent(stamp(7), 1);
        let mut octets = rig.reply_octets(0, ms(5));
        octets[14..16].copy_from_slice(&back.to_be_bytes());
        rig.sender
            .handle_reply(ms(5), &octets, &arrival(wall(ms(5))));
        assert_eq!(rig.samples().len(), usize::from(measured), "{back}");
        let odd = rig.sender.counters().anomalies;
        assert_eq!(
            (odd.ssid_missing, odd.other_ssid),
            (u64::from(back == 0), u64::from(back == 8))
        );
    }
}

#[test]
fn without_an_ssid_of_its_own_a_sender_does_not_look_at_one() {
    for config in [stamp(0), config()] {
        let mut rig = Rig::sent(config, 1);
        let mut octets = rig.reply_octets(0, ms(5));
        octets[14..16].copy_from_slice(&[0x12, 0x34]);
        rig.sender
            .handle_reply(ms(5), &octets, &arrival(wall(ms(5))));
        assert_eq!(rig.samples().len(), 1);
        assert_eq!(rig.sender.counters().anomalies.ssid_missing, 0);
    }
}

#[test]
fn a_far_clock_that_is_years_off_is_no_reason_to_doubt_the_round_trip() {
    let mut rig = Rig::sent(config(), 1);
    let far = |at| wall(at) - Delta::from_ns(5 * 365 * 86_400 * 1_000_000_000);
    let octets = reply_to(&rig.requests[0], 0, far(us(4_000)), far(us(4_010)));
    assert_eq!(FAR.parse(), Ok(arrival(wall(ms(5))).from));
    rig.sender
        .handle_reply(ms(5), &octets, &arrival(wall(ms(5))));
    let sample = rig.samples()[0];
    assert_eq!(
        (sample.excluded, sample.round_trip()),
        (None, Some(Delta::from_ns(4_990_000)))
    );
    assert_eq!(rig.sender.counters().anomalies.z_wrong, 0);
}
