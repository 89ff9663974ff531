//! Contents and length of replies.

use proptest::prelude::*;
use twinpath_proto::reflector::ReflectorProtocols;
use twinpath_wire::{
    Arrival, Delta, Dscp, ErrorEstimate, ReplyHead, SenderOpen, TimeFormat, Tos, WireTime,
};

use super::support::{ERROR, NOW, STALE, arrival, ask, light, ms, reflector, reply, stamp};

#[test]
fn every_field_is_where_the_rfc_has_it() {
    let mut ours = reflector(|_| {});
    let request = light(0x0102_0304, &[7; 100]);
    let (reply, tos) = ask(
        &mut ours,
        ms(0),
        &request,
        &Arrival {
            tos: Some(Tos(0xbb)),
            ..arrival()
        },
    )
    .unwrap();
    assert_eq!(reply.len(), request.len());
    assert_eq!(reply[..4], [0; 4], "the session's own first number");
    let t3 = WireTime::ntp(NOW + Delta::from_ns(20_000))
        .bits()
        .to_be_bytes();
    assert_eq!(reply[4..12], t3);
    assert_eq!(reply[12..14], ERROR.bits().to_be_bytes());
    assert_eq!(reply[14..16], [0; 2], "MBZ");
    assert_eq!(reply[16..24], WireTime::ntp(NOW).bits().to_be_bytes());
    assert_eq!(
        reply[24..38],
        request[..14],
        "number, time and error of the sender"
    );
    assert_eq!(reply[38..41], [0, 0, 61], "MBZ and Sender TTL");
    assert_eq!(reply[41..], [7; 73], "padding, cut at its end");
    assert_eq!(tos, Tos(0xb8), "DSCP of the request, Not-ECT");
}

#[test]
fn padding_comes_back_from_its_first_octet() {
    let padding: Vec<u8> = (0..=255).collect();
    let reply = reply(&mut reflector(|_| {}), &light(0, &padding), &arrival());
    assert_eq!(reply[41..], padding[..229]);
}

#[test]
fn a_given_dscp_is_used_for_all_replies() {
    let mut ours = reflector(|config| config.policy.dscp = Some(Dscp::EF));
    let (_, tos) = ask(&mut ours, ms(0), &light(0, &[]), &arrival()).unwrap();
    assert_eq!(tos, Tos(184));
}

#[test]
fn sizes_are_the_requests_and_no_less_than_the_header() {
    for (speaks, request, octets) in [
        (ReflectorProtocols::Auto, light(0, &[]), 41),
        (ReflectorProtocols::Auto, light(0, &[0; 26]), 41),
        (ReflectorProtocols::Auto, light(0, &[0; 29]), 43),
        (ReflectorProtocols::Auto, light(0, &[7; 29]), 43),
        (ReflectorProtocols::Auto, light(0, &[0; 30]), 44),
        (ReflectorProtocols::Auto, light(0, &[7; 31]), 45),
        (ReflectorProtocols::Auto, stamp(0, 9, &[0x80, 1, 0, 0]), 48),
        (ReflectorProtocols::Stamp, light(0, &[]), 44),
        (ReflectorProtocols::Stamp, light(0, &[7; 27]), 44),
        (ReflectorProtocols::Stamp, light(0, &[7; 31]), 45),
        (ReflectorProtocols::TwampLight, light(0, &[0; 30]), 44),
        (ReflectorProtocols::TwampLight, light(0, &[]), 41),
    ] {
        let mut ours = reflector(|config| config.protocols = speaks);
        let got = reply(&mut ours, &request, &arrival()).len();
        assert_eq!(got, octets, "{speaks:?}, {} octets", request.len());
    }
}

#[test]
fn a_request_too_short_for_stamp_gets_the_base_packet_without_its_padding() {
    let mut ours = reflector(|config| config.protocols = ReflectorProtocols::Stamp);
    let reply = reply(&mut ours, &light(0, &[7; 27]), &arrival());
    assert_eq!(reply[14..16], [0; 2], "padding is no SSID");
    assert_eq!(reply[38..], [0, 0, 61, 0, 0, 0]);
}

#[test]
fn configured_padding_shortens_replies_and_lengthens_them_only_where_allowed() {
    for (padding, larger, request, octets) in [
        (27, false, light(0, &[7; 27]), 41),
        (100, false, light(0, &[7; 300]), 114),
        (0, false, light(0, &[7; 300]), 41),
        (300, false, light(0, &[7; 100]), 114),
        (300, false, light(0, &[]), 41),
        (300, true, light(0, &[7; 100]), 314),
        (300, true, light(0, &[]), 314),
        (usize::MAX, true, light(0, &[]), 2048), // all that the buffer holds
        (0, true, light(0, &[7; 300]), 41),
        (0, false, stamp(0, 9, &[]), 44),
        (300, true, stamp(0, 9, &[]), 314),
        (300, true, stamp(0, 9, &[0x80, 1, 0, 0]), 48), // a chain of TLVs stays whole
        (0, false, stamp(0, 9, &[0x80, 1, 0, 0]), 48),
    ] {
        let mut ours = reflector(|config| {
            config.padding = Some(padding);
            config.allow_larger_replies = larger;
        });
        let reply = reply(&mut ours, &request, &arrival());
        assert_eq!(
            reply.len(),
            octets,
            "{padding}, {larger}, {} octets",
            request.len()
        );
        assert!(!reply[41..].contains(&STALE), "what the buffer held before");
    }
}

#[test]
fn a_lengthened_reply_ends_in_zeros() {
    let mut ours = reflector(|config| {
        config.padding = Some(100);
        config.allow_larger_replies = true;
    });
    let reply = reply(&mut ours, &light(0, &[7; 20]), &arrival());
    assert_eq!(reply[41..61], [7; 20]);
    assert_eq!(reply[61..], [0; 53]);
}

#[test]
fn ptp_is_written_only_where_no_twamp_light_is_spoken() {
    for (speaks, format) in [
        (ReflectorProtocols::Auto, TimeFormat::Ntp),
        (ReflectorProtocols::TwampLight, TimeFormat::Ntp),
        (ReflectorProtocols::Stamp, TimeFormat::Ptp),
    ] {
        let mut ours = reflector(|config| {
            config.protocols = speaks;
            config.format = TimeFormat::Ptp;
        });
        let reply = reply(&mut ours, &stamp(0, 1, &[]), &arrival());
        let head = ReplyHead::view(&reply).unwrap().0;
        assert_eq!(
            head.error.format(),
            format,
            "{speaks:?}: Z says what is written"
        );
        assert_eq!(head.t2, WireTime::write(NOW, format, 37), "{speaks:?}");
        assert_eq!(
            head.t3,
            WireTime::write(NOW + Delta::from_ns(20_000), format, 37)
        );
    }
}

#[test]
fn neither_a_multiplier_of_zero_nor_a_wrong_z_is_ever_sent() {
    let mut ours = reflector(|_| {});
    let mut octets = stamp(0, 0, &[]);
    let reflection = ours.reflect(ms(0), &mut octets, 44, &arrival()).unwrap();
    ours.seal(&reflection, &mut octets, NOW, ErrorEstimate::default());
    let error = ReplyHead::view(&octets).unwrap().0.error;
    assert!(error.multiplier() > 0 && !error.synchronized());
    let wrong_z = ErrorEstimate::from_bits(0xcd01);
    ours.seal(&reflection, &mut octets, NOW, wrong_z);
    let error = ReplyHead::view(&octets).unwrap().0.error;
    assert_eq!(
        error.bits(),
        0x8d01,
        "Z says what is written, not what was handed in"
    );
    // Too short to be a reply: nothing happens.
    ours.seal(&reflection, &mut octets[..35], NOW, ERROR);
}

#[test]
fn a_sender_time_of_zero_or_garbage_is_copied() {
    for t1 in [0, 1, u64::MAX, 0x6b04_53a8_314e_2a6e] {
        for padding in [vec![0; 27], vec![0; 60], vec![9; 60]] {
            let mut request = light(5, &padding);
            SenderOpen::view_mut(&mut request).unwrap().0.t1 = WireTime::from_bits(t1);
            let reply = reply(&mut reflector(|_| {}), &request, &arrival());
            assert_eq!(ReplyHead::view(&reply).unwrap().0.sender_t1.bits(), t1);
        }
    }
}

#[test]
fn zero_padding_is_answered_at_the_turn_of_the_era() {
    let turn = twinpath_wire::Wall::from_unix_ns(2_085_978_496_000_000_000);
    for offset_ms in [-20_000, -5_000, -1, 0, 1, 500, 5_000, 10_500, 40_000] {
        let now = turn + Delta::from_ns(offset_ms * 1_000_000);
        let at = twinpath_wire::Stamp {
            at: now,
            ..arrival().at
        };
        for octets in [27, 30, 60, 548] {
            let mut request = light(0, &vec![0; octets]);
            SenderOpen::view_mut(&mut request).unwrap().0.t1 = WireTime::ntp(now);
            let answer = ask(
                &mut reflector(|_| {}),
                ms(0),
                &request,
                &Arrival { at, ..arrival() },
            );
            assert!(answer.is_ok(), "{offset_ms} ms, {octets} octets");
        }
    }
}

proptest! {
    #[test]
    fn random_padding_is_always_answered_in_the_requests_size(
        padding in prop::collection::vec(any::<u8>(), 0..1500),
        seq in any::<u32>(),
        port in prop_oneof![Just(862_u16), Just(20_001), 1024..=u16::MAX],
    ) {
        let mut ours = reflector(|_| {});
        let request = light(seq, &padding);
        let from = std::net::SocketAddr::new(super::support::THERE, port);
        let (reply, _) = ask(&mut ours, ms(0), &request, &Arrival { from, ..arrival() }).unwrap();
        prop_assert_eq!(reply.len(), request.len().max(41));
        prop_assert_eq!(&reply[24..38], &request[..14]);
        let kept = reply.len() - 41;
        prop_assert_eq!(&reply[41..], &padding[..kept]);
    }
}
