//! Octets written by the engine, against the RFCs' layouts built by hand.

use std::time::Duration;

use twinpath_proto::sender::{Fill, Limit, PayloadSize, SessionSender, Wire};
use twinpath_wire::{ErrorEstimate, TimeFormat};

use super::rig::{Rig, config, ms, ntp, wall};

#[test]
fn a_light_request_is_number_t1_error_estimate_and_padding() {
    let mut rig = Rig::sent(config(), 2);
    let mut zeros = config();
    zeros.fill = Fill::Zero;
    let zeros = Rig::sent(zeros, 2);

    let mut expected = vec![0, 0, 0, 1];
    expected.extend(ntp(wall(ms(100))));
    expected.extend([0x80, 0x01]);
    assert_eq!(rig.requests[1][..14], expected);
    assert_eq!(rig.requests[1].len(), 41);
    expected.resize(41, 0);
    assert_eq!(zeros.requests[1], expected);

    rig.send_count(1);
    let random = &rig.requests[1][14..];
    assert_ne!(random, [0; 27]);
    assert_ne!(random, &rig.requests[2][14..]);
}

#[test]
fn padding_comes_from_the_seed_alone() {
    let requests = |seed| {
        let mut config = config();
        config.seed = seed;
        config.payload = PayloadSize::Fixed(1_472);
        Rig::sent(config, 10).requests
    };
    assert_eq!(requests(1), requests(1));
    assert_ne!(requests(1)[3][14..], requests(2)[3][14..]);
}

#[test]
fn a_stamp_request_is_44_octets_with_the_ssid_and_zeros() {
    for asked in [0, 14, 43, 44] {
        let mut config = config();
        config.wire = Wire::stamp(4242);
        config.payload = PayloadSize::Fixed(asked);
        let rig = Rig::sent(config, 2);
        let mut expected = vec![0, 0, 0, 1];
        expected.extend(ntp(wall(ms(100))));
        expected.extend([0x80, 0x01, 0x10, 0x92]);
        expected.resize(44, 0);
        assert_eq!(rig.requests[1], expected, "{asked} octets asked");
    }
}

#[test]
fn a_longer_stamp_request_carries_extra_padding_that_ends_where_the_packet_does() {
    for (asked, sent) in [(45, 48), (46, 48), (47, 48), (48, 48), (49, 49), (300, 300)] {
        for fill in [Fill::Zero, Fill::Random] {
            let mut config = config();
            config.wire = Wire::stamp(0);
            config.payload = PayloadSize::Fixed(asked);
            config.fill = fill;
            assert_eq!(config.wire.payload_octets(asked), sent);
            let rig = Rig::sent(config, 1);
            let request = &rig.requests[0];
            assert_eq!(request.len(), sent, "{asked} octets asked");
            assert_eq!(request[14..44], [0; 30]);
            let length = u16::try_from(sent - 48).unwrap().to_be_bytes();
            assert_eq!(request[44..48], [0x80, 1, length[0], length[1]]);
            if fill == Fill::Zero || sent == 300 {
                let zeros = request[48..].iter().all(|octet| *octet == 0);
                assert_eq!(zeros, fill == Fill::Zero || sent == 48);
            }
        }
    }
}

#[test]
fn a_light_request_has_at_least_its_header() {
    for (asked, sent) in [(0, 14), (13, 14), (14, 14), (15, 15), (9_000, 9_000)] {
        let mut config = config();
        config.payload = PayloadSize::Fixed(asked);
        assert_eq!(Rig::sent(config, 1).requests[0].len(), sent);
    }
}

#[test]
fn no_payload_is_larger_than_its_address_family_carries() {
    for (far, most) in [("192.0.2.2:862", 65_507), ("[2001:db8::2]:862", 65_527)] {
        let mut config = config();
        config.far = far.parse().unwrap();
        config.payload = PayloadSize::Fixed(70_000);
        assert_eq!(SessionSender::new(config).largest_payload(), most);
        assert_eq!(Rig::sent(config, 1).requests[0].len(), most);
    }
}

#[test]
fn imix_is_seven_small_four_middle_and_one_large_in_each_dozen() {
    let mut config = config();
    config.payload = PayloadSize::Imix([22, 548, 1_472]);
    config.limit = Limit::Count(36);
    let rig = Rig::sent(config, 36);
    for dozen in rig.requests.chunks(12) {
        let count = |octets| {
            dozen
                .iter()
                .filter(|request| request.len() == octets)
                .count()
        };
        assert_eq!([count(22), count(548), count(1_472)], [7, 4, 1]);
        assert!(
            dozen
                .windows(3)
                .all(|three| three.iter().any(|request| request.len() == 22))
        );
    }
}

#[test]
fn the_error_estimate_says_the_format_of_t1_and_its_multiplier_is_never_zero() {
    let mut config = config();
    config.error = ErrorEstimate::from_bits(0x4000);
    let rig = Rig::sent(config, 1);
    let request = &rig.requests[0];
    assert_eq!(request[12..14], [0x40, 0x01]);
    let seconds = u32::from_be_bytes(request[4..8].try_into().unwrap());
    assert_eq!(
        i64::from(seconds),
        wall(ms(0)).unix_ns() / 1_000_000_000 + 37
    );
    assert_eq!(request[8..12], [0; 4]);
}

#[test]
fn the_error_estimate_can_change_in_mid_run() {
    let mut rig = Rig::sent(config(), 1);
    let error = ErrorEstimate::new(false, TimeFormat::Ntp, Duration::from_millis(3));
    rig.sender.set_error_estimate(error);
    rig.send_count(1);
    assert_eq!(rig.requests[0][12..14], [0x80, 0x01]);
    assert_eq!(rig.requests[1][12..14], error.bits().to_be_bytes());
}

#[test]
fn numbers_wrap_on_the_wire_and_go_on_in_the_samples() {
    let first = (1 << 32) - 3;
    let mut rig = Rig::of(SessionSender::starting_at(config(), first));
    rig.send_count(6);
    let numbers: Vec<_> = rig
        .requests
        .iter()
        .map(|request| u32::from_be_bytes(request[..4].try_into().unwrap()))
        .collect();
    assert_eq!(numbers, [u32::MAX - 2, u32::MAX - 1, u32::MAX, 0, 1, 2]);
    for which in [4, 2, 0, 5, 3, 1] {
        rig.reply(which, ms(600));
    }
    let seen: Vec<_> = rig
        .samples()
        .iter()
        .map(|sample| sample.seq - first)
        .collect();
    assert_eq!(seen, [4, 2, 0, 5, 3, 1]);
}

#[test]
fn a_buffer_that_is_too_short_shortens_the_packet_and_breaks_nothing() {
    for wire in [Wire::TWAMP_LIGHT, Wire::stamp(1)] {
        let mut config = config();
        config.wire = wire;
        config.payload = PayloadSize::Fixed(100);
        for room in [0, 3, 13, 14, 43, 44, 46, 47, 48, 99] {
            let mut sender = SessionSender::new(config);
            let mut buffer = vec![0; room];
            let transmit = sender.poll_transmit(ms(0), &mut buffer).unwrap();
            assert_eq!(transmit.octets, room);
            sender.finish(&mut buffer, transmit, super::rig::pair(ms(0)));
        }
    }
}
