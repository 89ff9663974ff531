//! Datagrams that are never answered but counted by kind.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use twinpath_proto::reflector::Ignored;
use twinpath_wire::{Arrival, ErrorEstimate, SenderOpen};

use super::support::{HERE, arrival, ask, from_port, light, ms, reflector, stamp};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_reason_is_returned_and_counted() {
    let request = light(3, &[7; 27]);
    let to = |to: &str| Arrival {
        to: Some(to.parse().unwrap()),
        ..arrival()
    };
    let from = |from: &str| Arrival {
        from: from.parse().unwrap(),
        ..arrival()
    };
    let mut cases = vec![
        (vec![], arrival(), Ignored::TooShort),
        (request[..13].to_vec(), arrival(), Ignored::TooShort),
        (
            request.clone(),
            Arrival {
                truncated: true,
                ..arrival()
            },
            Ignored::Truncated,
        ),
        (request.clone(), to("224.0.0.1"), Ignored::Multicast),
        (request.clone(), to("255.255.255.255"), Ignored::Multicast),
        (request.clone(), to("ff02::1"), Ignored::Multicast),
        (
            request.clone(),
            from("224.0.0.1:20000"),
            Ignored::SourceAddress,
        ),
        (
            request.clone(),
            from("255.255.255.255:20000"),
            Ignored::SourceAddress,
        ),
        (
            request.clone(),
            from("0.0.0.0:20000"),
            Ignored::SourceAddress,
        ),
        (
            request.clone(),
            from("[ff02::1]:20000"),
            Ignored::SourceAddress,
        ),
        (request.clone(), from("[::]:20000"), Ignored::SourceAddress),
        (
            request.clone(),
            Arrival {
                from: SocketAddr::new(HERE, 862),
                ..arrival()
            },
            Ignored::OwnAddress,
        ),
    ];
    for port in [0, 7, 9, 13, 17, 19, 37, 53, 69, 123, 161] {
        cases.push((request.clone(), from_port(port), Ignored::ServicePort));
    }
    let mut ours = reflector(|_| {});
    for (count, (request, arrival, kind)) in cases.iter().enumerate() {
        let before = ours.counters().ignored_as(*kind);
        assert_eq!(
            ask(&mut ours, ms(0), request, arrival),
            Err(*kind),
            "case {count}"
        );
        assert_eq!(
            ours.counters().ignored_as(*kind),
            before + 1,
            "case {count}"
        );
    }
    let counted: u64 = ours
        .counters()
        .ignored_by_kind()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(counted, cases.len() as u64);
    assert_eq!(ours.counters().reflected, 0);
    assert_eq!(
        ours.counters().sessions_made,
        0,
        "what is not answered makes no session"
    );
}

#[test]
fn a_sender_on_this_host_and_one_on_a_reflectors_port_are_answered() {
    let mut ours = reflector(|_| {});
    let request = light(0, &[0; 27]);
    for from in [
        SocketAddr::new(HERE, 20_000),
        "192.0.2.9:862".parse().unwrap(),
    ] {
        assert!(
            ask(&mut ours, ms(0), &request, &Arrival { from, ..arrival() }).is_ok(),
            "{from}"
        );
    }
}

#[test]
fn only_allowed_clients_are_answered() {
    let mut ours = reflector(|config| {
        config.policy.allow = vec![
            "192.0.2.2/32".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
    });
    let request = light(0, &[]);
    let from = |from: &str| Arrival {
        from: from.parse().unwrap(),
        ..arrival()
    };
    assert!(ask(&mut ours, ms(0), &request, &from("192.0.2.2:20000")).is_ok());
    assert!(ask(&mut ours, ms(0), &request, &from("[2001:db8:5::1]:20000")).is_ok());
    for stranger in ["192.0.2.3:20000", "[2001:db9::1]:20000"] {
        let answer = ask(&mut ours, ms(0), &request, &from(stranger));
        assert_eq!(answer, Err(Ignored::NotAllowed), "{stranger}");
    }
}

#[test]
fn only_sessions_with_a_listed_ssid_are_answered() {
    let mut ours = reflector(|config| config.ssids = vec![7..=7, 100..=199]);
    let mut answer = |request: &[u8]| ask(&mut ours, ms(0), request, &arrival()).map(|_| ());
    for (ssid, answered) in [
        (7, Ok(())),
        (100, Ok(())),
        (199, Ok(())),
        (0, Err(Ignored::NoSession)),
        (8, Err(Ignored::NoSession)),
        (99, Err(Ignored::NoSession)),
        (200, Err(Ignored::NoSession)),
    ] {
        assert_eq!(answer(&stamp(0, ssid, &[])), answered, "{ssid}");
    }
    assert_eq!(answer(&light(0, &[7; 27])), Err(Ignored::NoSession));
    assert_eq!(ours.counters().sessions_made, 3);
    // Packets without one are those of SSID 0.
    let mut without = reflector(|config| config.ssids = vec![0..=0]);
    for (request, is_answered) in [
        (light(0, &[7; 27]), true),
        (stamp(0, 0, &[]), true),
        (stamp(0, 7, &[]), false),
    ] {
        let answer = ask(&mut without, ms(0), &request, &arrival());
        assert_eq!(answer.is_ok(), is_answered, "{request:?}");
    }
}

#[test]
fn a_client_over_its_rate_is_cut_to_it_and_garbage_costs_it_nothing() {
    let mut ours = reflector(|config| config.policy.max_rate_pps = Some(10));
    for _ in 0..100 {
        assert!(ask(&mut ours, ms(0), &[1, 2, 3], &arrival()).is_err());
    }
    let request = light(0, &[]);
    let answered = (0..100).filter(|_| ask(&mut ours, ms(0), &request, &arrival()).is_ok());
    assert_eq!(answered.count(), 10);
    assert_eq!(ours.counters().ignored_as(Ignored::RateLimited), 90);
    assert!(
        ask(&mut ours, ms(100), &request, &arrival()).is_ok(),
        "a tenth of a second on"
    );
}

#[test]
fn authenticated_requests_are_not_answered_without_a_key() {
    let mut request = vec![0; 112];
    request[16..24].copy_from_slice(&0xeeae_8530_c2cc_6f03_u64.to_be_bytes());
    let mut ours = reflector(|_| {});
    assert_eq!(
        ask(&mut ours, ms(0), &request, &arrival()),
        Err(Ignored::NoKey)
    );
}

#[test]
fn a_multiplier_of_zero_is_counted_and_only_a_strict_reflector_refuses_it() {
    let mut request = light(0, &[0; 27]);
    SenderOpen::view_mut(&mut request).unwrap().0.error = ErrorEstimate::from_bits(0x8000);
    let mut lenient = reflector(|_| {});
    let (reply, _) = ask(&mut lenient, ms(0), &request, &arrival()).unwrap();
    assert_eq!(reply[36..38], [0x80, 0], "copied bit for bit");
    assert_eq!(lenient.counters().error_multiplier_zero, 1);
    let mut strict = reflector(|config| config.policy.strict = true);
    let answer = ask(&mut strict, ms(0), &request, &arrival());
    assert_eq!(answer, Err(Ignored::ErrorMultiplierZero));
}

#[test]
fn a_buffer_without_room_is_refused_and_left_alone() {
    let mut ours = reflector(|_| {});
    for (octets, received, kind) in [
        (14, 14, Ignored::NoRoom),
        (40, 14, Ignored::NoRoom),
        (20, 21, Ignored::NoRoom),
        (0, 14, Ignored::NoRoom),
    ] {
        let mut buffer = light(0, &[7; 26]);
        buffer.truncate(octets);
        let before = buffer.clone();
        let answer = ours.reflect(ms(0), &mut buffer, received, &arrival());
        assert_eq!(answer, Err(kind), "{received} in {octets}");
        assert_eq!(buffer, before);
    }
    assert_eq!(ours.counters().sessions_made, 0);
}

#[test]
fn ipv6_and_an_unknown_destination_are_answered() {
    let mut ours = reflector(|_| {});
    let v6 = Arrival {
        from: "[2001:db8::2]:20000".parse().unwrap(),
        to: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ..arrival()
    };
    assert!(ask(&mut ours, ms(0), &stamp(0, 1, &[]), &v6).is_ok());
    let unknown = Arrival {
        to: None,
        ttl: None,
        tos: None,
        ..arrival()
    };
    let (reply, tos) = ask(&mut ours, ms(0), &stamp(0, 1, &[]), &unknown).unwrap();
    assert_eq!(reply[40], 255, "an unknown TTL is 255");
    assert_eq!(tos.0, 0);
}
