//! Senders behind an address translator: the first packet binds the session (row TT-25).

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::reflector::{Ignored, InUse, NegotiatedConfig, SessionReflector};
use twinpath_wire::Arrival;
use twinpath_wire::control::Modes;

use super::super::support::{HERE, arrival, light, ms, reply, way_back};
use super::{PORT, ask, open_and_start, packet, reflector, sid, spec};

/// A sender behind the NAT: its address, on this port.
fn outside(port: u16) -> Arrival {
    Arrival {
        from: SocketAddr::new("198.51.100.7".parse().unwrap(), port),
        ..arrival()
    }
}

/// Where the control connection comes from: the translator too.
fn client() -> IpAddr {
    outside(0).from.ip()
}

fn send(ours: &mut SessionReflector, arrival: &Arrival, padding: &[u8]) -> Result<u32, Ignored> {
    let (reply, _) = ask(ours, ms(1), &light(0, padding), arrival)?;
    Ok(super::super::support::number(&reply))
}

#[test]
fn the_first_packet_binds_the_session_to_where_it_came_from() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    assert_eq!(ours.session_counters(sid(0)).unwrap().bound, None);
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(0));
    let counters = ours.session_counters(sid(0)).unwrap();
    assert_eq!(counters.bound, Some(outside(40_000).from));
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(1));
    // From now on it belongs to no other sender, not even the negotiated one.
    let stranger = send(&mut ours, &outside(40_001), &[0x11; 27]);
    assert_eq!(stranger, Err(Ignored::NoSession));
    assert_eq!(packet(&mut ours, 0, ms(1)), Err(Ignored::NoSession));
    assert_eq!(ours.session_counters(sid(0)).unwrap().reflected, 2);
}

#[test]
fn a_packet_from_elsewhere_than_the_client_binds_nothing_unless_the_operator_allows_it() {
    let from = |address: &str| Arrival {
        from: SocketAddr::new(address.parse().unwrap(), 40_000),
        ..arrival()
    };
    let allow_sender = vec![
        "203.0.113.0/28".parse().unwrap(),
        "2001:db8:9::/48".parse().unwrap(),
    ];
    let config = NegotiatedConfig {
        allow_sender,
        ..NegotiatedConfig::default()
    };
    for (client, address, alone, allowed) in [
        ("198.51.100.7", "198.51.100.7", true, true),
        ("198.51.100.7", "::ffff:198.51.100.7", true, true),
        ("::ffff:198.51.100.7", "198.51.100.7", true, true),
        ("198.51.100.7", "198.51.100.8", false, false),
        ("198.51.100.7", "203.0.113.15", false, true),
        ("198.51.100.7", "::ffff:203.0.113.15", false, true),
        ("198.51.100.7", "203.0.113.16", false, false),
        ("2001:db8::1", "2001:db8::1", true, true),
        // Another address on its link is another host.
        ("2001:db8::1", "2001:db8::2", false, false),
        ("2001:db8::1", "2001:db8:9:1::5", false, true),
    ] {
        for (config, binds) in [
            (NegotiatedConfig::default(), alone),
            (config.clone(), allowed),
        ] {
            let mut ours = SessionReflector::for_negotiated(config);
            open_and_start(&mut ours, 0, |spec| spec.nat = client.parse().ok());
            let answer = send(&mut ours, &from(address), &[0x11; 27]);
            let expected = if binds {
                Ok(0)
            } else {
                Err(Ignored::NoSession)
            };
            assert_eq!(answer, expected, "{client}, {address}");
            let bound = ours.session_counters(sid(0)).unwrap().bound;
            assert_eq!(bound, binds.then(|| from(address).from), "{client}");
        }
    }
}

#[test]
fn sessions_that_wait_for_others_hide_no_session_of_ones_own() {
    let mut ours = reflector();
    for number in 0..1_000_u16 {
        let stranger = IpAddr::from([10, 0, number.to_be_bytes()[0], number.to_be_bytes()[1]]);
        open_and_start(&mut ours, number, |spec| spec.nat = Some(stranger));
    }
    open_and_start(&mut ours, 1_000, |spec| spec.nat = Some(client()));
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(0));
    let bound = ours.session_counters(sid(1_000)).unwrap().bound;
    assert_eq!(bound, Some(outside(40_000).from));
}

#[test]
fn a_sender_that_is_not_translated_after_all_binds_it_too() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    assert_eq!(packet(&mut ours, 0, ms(1)), Ok(0));
    assert_eq!(
        ours.session_counters(sid(0)).unwrap().bound,
        Some(spec(0).sender)
    );
    let stranger = send(&mut ours, &outside(40_000), &[0x11; 27]);
    assert_eq!(stranger, Err(Ignored::NoSession));
}

#[test]
fn a_session_that_does_not_allow_for_it_is_not_bound() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |_| {});
    let stranger = send(&mut ours, &outside(40_000), &[0x11; 27]);
    assert_eq!(stranger, Err(Ignored::NoSession));
}

#[test]
fn nothing_binds_a_session_before_its_start_or_after_its_end_or_on_another_port() {
    let mut ours = reflector();
    let mut negotiated = spec(0);
    negotiated.nat = Some(client());
    ours.open(negotiated, PORT, None).unwrap();
    let early = send(&mut ours, &outside(40_000), &[0x11; 27]);
    assert_eq!(early, Err(Ignored::NoSession));
    ours.start(sid(0), ms(0));
    let elsewhere = Arrival {
        to_port: PORT + 1,
        ..outside(40_000)
    };
    let elsewhere = send(&mut ours, &elsewhere, &[0x11; 27]);
    assert_eq!(elsewhere, Err(Ignored::NoSession));
    ours.stop(sid(0), ms(0));
    let request = light(0, &[0x11; 27]);
    let late = ask(&mut ours, ms(2_000), &request, &outside(40_000));
    assert_eq!(late.unwrap_err(), Ignored::NoSession);
    ours.remove(sid(0));
    let gone = send(&mut ours, &outside(40_000), &[0x11; 27]);
    assert_eq!(gone, Err(Ignored::NoSession));
}

#[test]
fn a_reply_binds_nothing() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    let mut light_reflector = super::super::support::reflector(|_| {});
    let theirs = reply(&mut light_reflector, &light(0, &[0x11; 40]), &arrival());
    let mut back = way_back(&arrival());
    back.to_port = PORT;
    back.to = Some(HERE);
    back.from.set_ip("198.51.100.7".parse().unwrap());
    let answer = ask(&mut ours, ms(1), &theirs, &back);
    assert_eq!(answer.unwrap_err(), Ignored::Reply);
    assert_eq!(ours.session_counters(sid(0)).unwrap().bound, None);
}

#[test]
fn server_octets_distinguish_sessions_behind_one_nat() {
    for (modes, zeros) in [(32, 0), (32 | 64, 27), (32 | 64 | 256, 28), (32 | 256, 0)] {
        let mut ours = reflector();
        for number in 0..3 {
            open_and_start(&mut ours, number, |spec| {
                spec.nat = Some(client());
                spec.modes = Modes::from_bits(modes | 1);
                spec.padding_to_reflect = 8;
                spec.server_octets = 0x7700 + number;
            });
        }
        for number in [2_u16, 0, 1] {
            let octets = (0x7700 + number).to_be_bytes();
            let padding = [&vec![0; zeros][..], &octets, &[0x22; 60]].concat();
            let arrival = outside(40_000 + number);
            assert_eq!(send(&mut ours, &arrival, &padding), Ok(0), "{modes}");
            let counters = ours.session_counters(sid(number.into())).unwrap();
            assert_eq!(counters.bound, Some(arrival.from), "{modes}");
        }
    }
}

#[test]
fn wrong_server_octets_bind_no_session_that_has_some() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| {
        spec.nat = Some(client());
        spec.modes = Modes::from_bits(1 | 32);
        spec.padding_to_reflect = 8;
        spec.server_octets = 0x7701;
    });
    for padding in [&[0x77, 0x02, 0, 0][..], &[0; 60], &[]] {
        let answer = send(&mut ours, &outside(40_000), padding);
        assert_eq!(answer, Err(Ignored::NoSession));
    }
    assert_eq!(packet(&mut ours, 0, ms(1)), Ok(0), "its sender needs none");
}

#[test]
fn sessions_without_server_octets_are_bound_one_after_the_other() {
    let mut ours = reflector();
    for number in 0..20 {
        open_and_start(&mut ours, number, |spec| spec.nat = Some(client()));
    }
    for number in 0..20 {
        assert_eq!(
            send(&mut ours, &outside(40_000 + number), &[0x11; 27]),
            Ok(0)
        );
    }
    let further = send(&mut ours, &outside(50_000), &[0x11; 27]);
    assert_eq!(further, Err(Ignored::NoSession));
    for number in 0..20 {
        assert_eq!(
            send(&mut ours, &outside(40_000 + number), &[0x11; 27]),
            Ok(1)
        );
    }
}

#[test]
fn where_a_session_is_bound_no_other_can_be_opened_and_its_agreed_sender_is_free() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(0));
    let mut taken = spec(1);
    taken.sender = outside(40_000).from;
    assert_eq!(ours.open(taken, PORT, None), Err(InUse));
    let mut freed = spec(2);
    freed.sender = spec(0).sender;
    assert_eq!(ours.open(freed, PORT, None), Ok(()));
    ours.remove(sid(0));
    assert_eq!(ours.open(taken, PORT, None), Ok(()));
}

#[test]
fn a_bound_session_is_not_bound_again_when_it_is_stopped() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(0));
    ours.stop(sid(0), ms(1));
    let stranger = send(&mut ours, &outside(50_000), &[0x11; 27]);
    assert_eq!(stranger, Err(Ignored::NoSession));
    assert_eq!(send(&mut ours, &outside(40_000), &[0x11; 27]), Ok(1));
}

#[test]
fn what_takes_the_place_of_an_unbound_session_is_not_bound_for_it() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| spec.nat = Some(client()));
    ours.remove(sid(0));
    open_and_start(&mut ours, 1, |_| {});
    let stranger = send(&mut ours, &outside(40_000), &[0x11; 27]);
    assert_eq!(stranger, Err(Ignored::NoSession));
    assert_eq!(packet(&mut ours, 1, ms(1)), Ok(0));
}

#[test]
fn server_octets_count_only_where_the_sessions_layout_has_them() {
    let mut ours = reflector();
    open_and_start(&mut ours, 0, |spec| {
        spec.nat = Some(client());
        spec.modes = Modes::from_bits(1 | 32 | 64);
        spec.padding_to_reflect = 8;
        spec.server_octets = 0x7701;
    });
    let early = [&[0x77, 0x01][..], &[0; 60]].concat();
    let answer = send(&mut ours, &outside(40_000), &early);
    assert_eq!(answer, Err(Ignored::NoSession));
    let there = [&[0; 27][..], &[0x77, 0x01], &[0; 30]].concat();
    assert_eq!(send(&mut ours, &outside(40_001), &there), Ok(0));
}
