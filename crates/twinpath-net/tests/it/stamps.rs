//! What is known about a packet besides its octets.

use std::time::Duration;

use twinpath_net::{
    ArrivalInterface, Outbound, QueueEvent, RecvBatch, Role, SendBatch, StampChoice, clock,
};
use twinpath_wire::{Rung, Tos};

use crate::{has_v6, open, receive, sender};

fn to(to: std::net::SocketAddr) -> Outbound {
    Outbound {
        to,
        from: None,
        tos: None,
        interface: 0,
        mac: None,
        stamp: false,
    }
}

#[test]
fn a_packet_has_the_time_and_circumstances_of_its_arrival() {
    for ip in ["127.0.0.1", "::1"] {
        if ip == "::1" && !has_v6() {
            continue;
        }
        let near = open(ip, |options| options.path.ttl = 77);
        let far = open(ip, |_| {});
        let mut batch = RecvBatch::new(4, 2048);
        // The kernel starts timestamping shortly after the first socket requests it.
        let mut kernel_stamped = false;
        for round in 0..50 {
            let before = clock::wall();
            let out = Outbound {
                tos: Some(Tos(0xb8)),
                ..to(far.local())
            };
            assert_eq!(near.send(b"hello", &out), Ok(None));
            assert_eq!(receive(&far, &mut batch), 1, "{ip}");
            let after = clock::wall();
            let (slot, octets, arrival) = batch.packet(0).unwrap();
            assert_eq!(&slot[..octets], b"hello");
            assert_eq!(arrival.from, near.local());
            assert_eq!(arrival.to_port, far.local().port());
            #[cfg(target_os = "linux")]
            if std::env::var_os("TWINPATH_PORTABLE").is_none() {
                assert_eq!(arrival.to, Some(far.local().ip()));
                assert_eq!(arrival.ttl, Some(77), "{ip}");
                assert_eq!(arrival.tos, Some(Tos(0xb8)), "{ip}");
                kernel_stamped |= arrival.at.rung == Rung::Kernel;
            }
            assert!(
                arrival.at.at >= before && arrival.at.at <= after,
                "{ip} {round}"
            );
            if kernel_stamped {
                break;
            }
            clock::sleep_until(clock::mono() + Duration::from_millis(2));
        }
        if cfg!(target_os = "linux") && std::env::var_os("TWINPATH_PORTABLE").is_none() {
            assert!(kernel_stamped, "{ip}: no kernel receive stamp came");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_interface_of_arrival_is_assumed_or_reported_where_it_is_asked_for() {
    if std::env::var_os("TWINPATH_PORTABLE").is_some() {
        return;
    }
    let loopback = twinpath_net::interface::index_of("lo").unwrap();
    // The system lists 127.0.0.1, but no interface for the rest of its network.
    let all = [
        ("127.0.0.1", ArrivalInterface::Unknown, false, 0),
        ("127.0.0.1", ArrivalInterface::Assumed, false, loopback),
        ("127.9.9.9", ArrivalInterface::Assumed, false, 0),
        ("127.9.9.9", ArrivalInterface::Assumed, true, loopback),
        ("127.9.9.9", ArrivalInterface::Reported, false, loopback),
    ];
    for (own, arrivals_by, reports, expected) in all {
        let far = open(own, |options| {
            options.role = Role::Reflector {
                shares_port: false,
                arrivals_by,
            };
        });
        if reports {
            far.report_interface().unwrap();
        }
        let mut batch = RecvBatch::new(1, 64);
        far.send(b"hello", &to(far.local())).unwrap();
        assert_eq!(receive(&far, &mut batch), 1);
        let (.., arrival) = batch.packet(0).unwrap();
        assert_eq!(arrival.to, Some(far.local().ip()));
        assert_eq!(arrival.interface, expected, "{own}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn transmit_timestamps_come_back_under_their_keys() {
    if std::env::var_os("TWINPATH_PORTABLE").is_some() {
        return;
    }
    for every in [true, false] {
        let near = open("127.0.0.1", |options| {
            if every {
                sender(options);
            }
        });
        let far = open("127.0.0.1", |_| {});
        let mut told = Vec::new();
        for expected in 0..40_u32 {
            if expected == 20 {
                near.drop_lower_transmit_rung();
            }
            let before = clock::wall();
            let out = Outbound {
                stamp: true,
                ..to(far.local())
            };
            assert_eq!(near.send(b"x", &out), Ok(Some(expected)));
            if !every {
                assert_eq!(near.send(b"unstamped", &to(far.local())), Ok(None));
            }
            let mut rungs = Vec::new();
            near.drain_errors(&mut |item| match item {
                QueueEvent::Sent { key, stamp } => {
                    assert_eq!(key, expected);
                    assert!(stamp.at >= before && stamp.at <= clock::wall());
                    rungs.push(stamp.rung);
                }
                QueueEvent::Icmp(error) => panic!("{error:?}"),
            });
            told.push(rungs);
        }
        assert!(
            told[..20]
                .iter()
                .all(|rungs| *rungs == [Rung::Queue, Rung::Kernel]),
            "{told:?}"
        );
        assert!(
            told[20..].iter().all(|rungs| *rungs == [Rung::Kernel]),
            "{told:?}"
        );
        // A refused packet between two others does not shift their keys.
        let out = Outbound {
            stamp: true,
            ..to(far.local())
        };
        assert!(near.send(&vec![0; 70_000], &out).is_err());
        let before = clock::wall();
        let key = near.send(b"x", &out).unwrap();
        let mut told = 0;
        near.drain_errors(&mut |item| {
            if let QueueEvent::Sent { key: of, stamp } = item {
                assert_eq!(Some(of), key);
                assert!(stamp.at >= before);
                told += 1;
            }
        });
        assert_eq!(told, 1);
    }
}

#[test]
fn the_slots_of_a_range_are_sent_in_order_and_reported_by_index() {
    for portable in [false, true] {
        let near = open("127.0.0.1", |options| {
            sender(options);
            options.path.portable = portable;
        });
        let far = open("127.0.0.1", |_| {});
        let mut batch = SendBatch::new(8, 64);
        assert_eq!((batch.slots(), batch.slot(8)), (8, None));
        for slot in [0, 2, 3, 4, 6, 7] {
            batch.slot(slot).unwrap().fill(u8::try_from(slot).unwrap());
            batch.set(slot, 10 + slot, to(far.local()));
        }
        let mut told = Vec::new();
        let mut sent = |slot, result: Result<_, _>| told.push((slot, result.is_ok()));
        near.send_batch(&mut batch, 2..7, &mut sent);
        near.send_batch(&mut batch, 7..99, &mut sent);
        near.send_batch(&mut batch, 8..9, &mut sent);
        let expected = [2, 3, 4, 6, 7];
        assert_eq!(told, expected.map(|slot| (slot, true)));
        let mut received = RecvBatch::new(8, 64);
        assert_eq!(receive(&far, &mut received), 5);
        for (index, slot) in expected.into_iter().enumerate() {
            let (octets, length, _) = received.packet(index).unwrap();
            assert_eq!(
                octets[..length],
                vec![u8::try_from(slot).unwrap(); 10 + slot]
            );
        }
    }
}

#[test]
fn a_reply_leaves_from_the_requested_address() {
    if !cfg!(target_os = "linux") || std::env::var_os("TWINPATH_PORTABLE").is_some() {
        return;
    }
    let wildcard = open("0.0.0.0", |_| {});
    let far = open("127.0.0.1", |_| {});
    let mut batch = RecvBatch::new(4, 2048);
    let from = "127.0.0.9".parse().unwrap();
    let out = Outbound {
        from: Some(from),
        ..to(far.local())
    };
    wildcard.send(b"x", &out).unwrap();
    assert_eq!(receive(&far, &mut batch), 1);
    let (_, _, arrival) = batch.packet(0).unwrap();
    assert_eq!(arrival.from.ip(), from);
}

#[test]
fn a_wildcard_socket_reports_the_address_and_interface_of_a_packet() {
    if !cfg!(target_os = "linux") || std::env::var_os("TWINPATH_PORTABLE").is_some() {
        return;
    }
    for (any, ip) in [("0.0.0.0", "127.0.0.9"), ("::", "::1")] {
        if any == "::" && !has_v6() {
            continue;
        }
        let wildcard = open(any, |_| {});
        let near = open(if any == "::" { ip } else { "127.0.0.1" }, |_| {});
        let far = std::net::SocketAddr::new(ip.parse().unwrap(), wildcard.local().port());
        near.send(b"x", &to(far)).unwrap();
        let mut batch = RecvBatch::new(4, 2048);
        assert_eq!(receive(&wildcard, &mut batch), 1);
        let (_, _, arrival) = batch.packet(0).unwrap();
        assert_eq!(arrival.to, Some(far.ip()));
        assert!(arrival.interface > 0);
    }
}

#[test]
fn plain_sockets_work_too() {
    let near = open("127.0.0.1", |options| {
        options.path.portable = true;
        options.path.ttl = 9;
        let (far, tos) = (options.near, Tos(0x28));
        options.role = Role::Sender { far, tos };
    });
    let far = open("127.0.0.1", |_| {});
    near.send(b"plain", &to(far.local())).unwrap();
    let mut batch = RecvBatch::new(4, 2048);
    assert_eq!(receive(&far, &mut batch), 1);
    #[cfg(target_os = "linux")]
    if std::env::var_os("TWINPATH_PORTABLE").is_none() {
        let (_, _, arrival) = batch.packet(0).unwrap();
        assert_eq!((arrival.ttl, arrival.tos), (Some(9), Some(Tos(0x28))));
    }
    far.send(b"back", &to(near.local())).unwrap();
    assert_eq!(receive(&near, &mut batch), 1);
    let (slot, octets, arrival) = batch.packet(0).unwrap();
    assert_eq!(&slot[..octets], b"back");
    assert_eq!(arrival.at.rung, Rung::User);
    assert_eq!((arrival.ttl, arrival.tos), (None, None));
}

#[test]
fn user_space_timestamps_can_be_requested() {
    let near = open("127.0.0.1", |options| {
        sender(options);
        options.path.stamps = StampChoice::User;
    });
    let far = open("127.0.0.1", |options| {
        options.path.stamps = StampChoice::User;
    });
    let out = Outbound {
        stamp: true,
        ..to(far.local())
    };
    assert_eq!(near.send(b"x", &out), Ok(None));
    let mut batch = RecvBatch::new(4, 2048);
    assert_eq!(receive(&far, &mut batch), 1);
    assert_eq!(batch.packet(0).unwrap().2.at.rung, Rung::User);
}

#[test]
fn a_long_datagram_is_marked_truncated_and_a_full_batch_keeps_the_rest() {
    let near = open("127.0.0.1", |_| {});
    let far = open("127.0.0.1", |_| {});
    let mut batch = RecvBatch::new(2, 64);
    near.send(&[7; 100], &to(far.local())).unwrap();
    near.send(&[8; 10], &to(far.local())).unwrap();
    near.send(&[9; 20], &to(far.local())).unwrap();
    assert_eq!(receive(&far, &mut batch), 2);
    let (slot, octets, arrival) = batch.packet(0).unwrap();
    assert_eq!((slot.len(), octets), (64, 64));
    if cfg!(target_os = "linux") && std::env::var_os("TWINPATH_PORTABLE").is_none() {
        assert!(arrival.truncated);
    }
    assert_eq!(batch.packet(1).unwrap().1, 10);
    assert!(batch.packet(2).is_none());
    assert_eq!(receive(&far, &mut batch), 1);
    assert_eq!(batch.packet(0).unwrap().1, 20);
}
