//! Only the sender of a started session is reflected (rows TT-10, TT-11, TT-17, TT-24 to TT-27).

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::reflector::{Ignored, InUse, SessionCounters};
use twinpath_wire::control::Modes;
use twinpath_wire::{Arrival, Dscp, ErrorEstimate, SenderOpen, Tos};

use super::super::support::{HERE, THERE, arrival, light, ms, number, way_back};
use super::{
    PORT, ask, combinations, open_and_start, packet, reflector, running, sid, spec, with_policy,
};

#[test]
fn nothing_is_reflected_before_the_start_and_the_first_reply_after_it_has_number_0() {
    let mut ours = reflector();
    ours.open(spec(0), PORT, None).unwrap();
    for at in 0..5 {
        assert_eq!(packet(&mut ours, 0, ms(at)), Err(Ignored::NotStarted));
    }
    ours.start(sid(0), ms(5));
    assert_eq!(packet(&mut ours, 0, ms(5)), Ok(0));
    assert_eq!(packet(&mut ours, 0, ms(6)), Ok(1));
    let expected = SessionCounters {
        received: 7,
        reflected: 2,
        not_started: 5,
        ..SessionCounters::default()
    };
    assert_eq!(ours.session_counters(sid(0)), Some(expected));
    assert_eq!(ours.counters().ignored_as(Ignored::NotStarted), 5);
    assert_eq!(ours.counters().reflected, 2);
}

#[test]
fn only_the_agreed_sender_is_reflected_on_the_agreed_port_and_address() {
    let mut ours = reflector();
    ours.open(spec(0), PORT, Some(HERE)).unwrap();
    ours.start(sid(0), ms(0));
    let request = light(0, &[0x11; 27]);
    let other: IpAddr = "192.0.2.9".parse().unwrap();
    let strangers = [
        Arrival {
            from: SocketAddr::new(other, 20_000),
            ..arrival()
        },
        Arrival {
            from: SocketAddr::new(THERE, 20_001),
            ..arrival()
        },
        Arrival {
            to_port: PORT + 1,
            ..arrival()
        },
        Arrival {
            to: Some(other),
            ..arrival()
        },
    ];
    for stranger in strangers {
        let answer = ask(&mut ours, ms(0), &request, &stranger);
        assert_eq!(answer.unwrap_err(), Ignored::NoSession, "{stranger:?}");
    }
    assert_eq!(
        ours.session_counters(sid(0)),
        Some(SessionCounters::default())
    );
    assert!(ask(&mut ours, ms(0), &request, &arrival()).is_ok());
    let silent = Arrival {
        to: None,
        ..arrival()
    };
    assert!(ask(&mut ours, ms(0), &request, &silent).is_ok());
    assert_eq!(ours.counters().ignored_as(Ignored::NoSession), 4);
}

#[test]
fn an_address_is_the_same_mapped_into_ipv6_and_in_any_zone() {
    let mut ours = reflector();
    let mut mapped = spec(0);
    mapped.sender = "[::ffff:192.0.2.2]:20000".parse().unwrap();
    let local = "::ffff:192.0.2.1".parse().unwrap();
    ours.open(mapped, PORT, Some(local)).unwrap();
    ours.start(sid(0), ms(0));
    assert_eq!(packet(&mut ours, 0, ms(0)), Ok(0));

    let mut near = spec(1);
    near.sender = "[fe80::2]:20000".parse().unwrap();
    ours.open(near, PORT, None).unwrap();
    ours.start(sid(1), ms(0));
    let arrival = Arrival {
        from: "[fe80::2%7]:20000".parse().unwrap(),
        to: Some("fe80::1".parse().unwrap()),
        ..arrival()
    };
    assert!(ask(&mut ours, ms(0), &light(0, &[]), &arrival).is_ok());
}

#[test]
fn one_sender_has_one_session_on_a_port_and_an_identifier_one_session_at_all() {
    let mut ours = reflector();
    ours.open(spec(0), PORT, None).unwrap();
    let again = twinpath_proto::reflector::SessionSpec {
        sid: sid(77),
        ..spec(0)
    };
    assert_eq!(ours.open(again, PORT, None), Err(InUse));
    assert_eq!(ours.open(again, PORT, Some(HERE)), Err(InUse));
    let same_sid = twinpath_proto::reflector::SessionSpec {
        sid: sid(0),
        ..spec(1)
    };
    assert_eq!(ours.open(same_sid, PORT, None), Err(InUse));
    assert_eq!(ours.open(again, PORT + 1, None), Ok(()), "another port");
    assert_eq!(ours.counters().sessions, 2);
    ours.remove(sid(0));
    assert_eq!(ours.open(spec(0), PORT, None), Ok(()), "it is gone");
}

#[test]
fn many_sessions_on_one_port_count_each_for_itself() {
    let mut ours = reflector();
    for number in 0..10_000 {
        open_and_start(&mut ours, number, |_| {});
    }
    for round in 0..3 {
        for number in 0..10_000_u16 {
            // Some send twice as much.
            for copy in 0..=u32::from(number % 2) {
                let expected = round * (1 + u32::from(number % 2)) + copy;
                assert_eq!(packet(&mut ours, number, ms(1)), Ok(expected), "{number}");
            }
        }
    }
    assert_eq!(ours.counters().reflected, 45_000);
    assert_eq!(ours.session_counters(sid(7)).unwrap().reflected, 6);
    assert_eq!(ours.session_counters(sid(8)).unwrap().reflected, 3);
}

#[test]
fn copies_and_reordered_packets_are_reflected_each_with_a_number_of_its_own() {
    let mut ours = running(|_| {});
    for (reply, seq) in [5, 5, 3, u32::MAX, 0, 0].into_iter().enumerate() {
        let (octets, _) = ask(&mut ours, ms(0), &light(seq, &[0x11; 27]), &arrival()).unwrap();
        assert_eq!(number(&octets) as usize, reply);
        assert_eq!(octets[24..28], seq.to_be_bytes());
    }
}

#[test]
fn replies_carry_the_sessions_dscp_and_no_ecn_however_the_request_came() {
    for dscp in 0..64 {
        let dscp = Dscp::new(dscp).unwrap();
        let mut ours = running(|spec| spec.dscp = dscp);
        for octet in [0, 0x03, 0xb8, 0xff] {
            let arrival = Arrival {
                tos: Some(Tos(octet)),
                ..arrival()
            };
            let (_, tos) = ask(&mut ours, ms(0), &light(0, &[]), &arrival).unwrap();
            assert_eq!(tos, Tos(dscp.value() << 2));
        }
    }
}

#[test]
fn a_multiplier_of_zero_is_reflected_and_counted_unless_the_reflector_is_strict() {
    let mut request = light(0, &[0x11; 27]);
    SenderOpen::view_mut(&mut request).unwrap().0.error = ErrorEstimate::from_bits(0x8d00);
    let mut ours = running(|_| {});
    let (reply, _) = ask(&mut ours, ms(0), &request, &arrival()).unwrap();
    assert_eq!(reply[36..38], [0x8d, 0]);
    let counters = ours.session_counters(sid(0)).unwrap();
    assert_eq!((counters.reflected, counters.error_multiplier_zero), (1, 1));

    let mut strict = with_policy(|policy| policy.strict = true);
    open_and_start(&mut strict, 0, |_| {});
    let answer = ask(&mut strict, ms(0), &request, &arrival());
    assert_eq!(answer.unwrap_err(), Ignored::ErrorMultiplierZero);
    let counters = strict.session_counters(sid(0)).unwrap();
    assert_eq!((counters.received, counters.ignored), (1, 1));
}

#[test]
fn a_sender_over_its_rate_is_cut_to_it_and_garbage_costs_it_nothing() {
    let mut ours = with_policy(|policy| policy.max_rate_pps = Some(10));
    open_and_start(&mut ours, 0, |_| {});
    open_and_start(&mut ours, 1, |_| {});
    for _ in 0..100 {
        assert!(ask(&mut ours, ms(0), &[1, 2, 3], &arrival()).is_err());
    }
    // Both sessions of one address together.
    let answers: Vec<_> = (0..100)
        .map(|at| packet(&mut ours, at % 2, ms(0)))
        .collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    assert_eq!(answers.last(), Some(&Err(Ignored::RateLimited)));
    assert_eq!(ours.counters().ignored_as(Ignored::RateLimited), 90);
    let counters = ours.session_counters(sid(1)).unwrap();
    assert_eq!((counters.reflected, counters.rate_limited), (5, 45));
    assert_eq!((counters.ignored, counters.received), (45, 50));
    assert_eq!(
        packet(&mut ours, 0, ms(100)),
        Ok(5),
        "a tenth of a second on, the next number"
    );
    let mut unlimited = running(|_| {});
    assert!((0..10_000).all(|_| packet(&mut unlimited, 0, ms(0)).is_ok()));
}

#[test]
fn two_reflectors_that_agreed_on_each_other_do_not_answer_each_other() {
    for modes in combinations() {
        // Each has a session whose sender is the other: one spoofed packet could go on for ever.
        let mut one = running(|spec| spec.modes = modes);
        let mut other = reflector();
        let mut back = spec(0);
        back.sender = SocketAddr::new(HERE, PORT);
        back.modes = modes;
        other.open(back, arrival().from.port(), None).unwrap();
        other.start(sid(0), ms(0));
        let request = light(0, &[0x11; 60]);
        let (reply, _) = ask(&mut one, ms(0), &request, &arrival()).unwrap();
        let answer = ask(&mut other, ms(0), &reply, &way_back(&arrival()));
        assert_eq!(answer.unwrap_err(), Ignored::Reply, "{modes}");
    }
}

#[test]
fn a_service_port_a_multicast_source_and_half_a_datagram_get_no_reply() {
    let mut ours = reflector();
    let mut negotiated = spec(0);
    negotiated.sender = SocketAddr::new(THERE, 53);
    ours.open(negotiated, PORT, None).unwrap();
    ours.start(sid(0), ms(0));
    let service = Arrival {
        from: negotiated.sender,
        ..arrival()
    };
    let many = Arrival {
        to: Some("224.0.0.1".parse().unwrap()),
        ..arrival()
    };
    let half = Arrival {
        truncated: true,
        ..arrival()
    };
    for (arrival, kind) in [
        (service, Ignored::ServicePort),
        (many, Ignored::Multicast),
        (half, Ignored::Truncated),
    ] {
        let answer = ask(&mut ours, ms(0), &light(0, &[]), &arrival);
        assert_eq!(answer.unwrap_err(), kind);
    }
}

#[test]
fn sessions_of_different_features_live_on_one_port() {
    let mut ours = reflector();
    let modes: Vec<Modes> = combinations().collect();
    for (number, modes) in (0_u16..).zip(&modes) {
        open_and_start(&mut ours, number, |spec| spec.modes = *modes);
    }
    for (number, modes) in (0_u16..).zip(&modes) {
        let arrival = Arrival {
            from: spec(number).sender,
            tos: Some(Tos(0x2e)),
            ..arrival()
        };
        let (reply, _) = ask(&mut ours, ms(0), &light(0, &[0x11; 60]), &arrival).unwrap();
        let monitored = modes.contains(Modes::DSCP_MONITORING);
        assert_eq!(reply[41] == 0x2e, monitored, "{modes}");
        let ptp = modes.contains(Modes::PTP_TIME);
        assert_eq!(reply[12] & 0x40 != 0, ptp, "{modes}");
    }
}

#[test]
fn the_operators_prefixes_and_dscp_apply_to_negotiated_sessions_too() {
    let request = light(0, &[0x11; 27]);
    let mut ours = with_policy(|policy| policy.dscp = Some(Dscp::EF));
    open_and_start(&mut ours, 0, |spec| spec.dscp = Dscp::BE);
    let (_, tos) = ask(&mut ours, ms(0), &request, &arrival()).unwrap();
    assert_eq!(tos, Dscp::EF.tos());

    let mut ours = with_policy(|policy| policy.allow = vec!["198.51.100.0/24".parse().unwrap()]);
    open_and_start(&mut ours, 0, |_| {});
    let answer = ask(&mut ours, ms(0), &request, &arrival());
    assert_eq!(answer.unwrap_err(), Ignored::NotAllowed);
    assert_eq!(ours.counters().ignored_as(Ignored::NotAllowed), 1);
}
