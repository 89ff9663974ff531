//! Errors: their words and kinds.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_net::{
    BindError, IcmpKind, Outbound, QueueEvent, RecvBatch, SendError, SocketOptions, TestSocket,
    clock, interface_mtu, local_address_towards,
};

use crate::{has_v6, open, receive, sender};

pub(crate) fn full() -> bool {
    cfg!(target_os = "linux") && std::env::var_os("TWINPATH_PORTABLE").is_none()
}

#[test]
fn bind_errors_name_the_thing() {
    let taken = open("127.0.0.1", |_| {});
    let error = TestSocket::open(&SocketOptions::reflector(taken.local())).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }));
    assert!(
        error.to_string().contains(&taken.local().to_string()),
        "{error}"
    );
    let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let error = TestSocket::open(&SocketOptions::reflector(elsewhere)).unwrap_err();
    assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
    let mut options = SocketOptions::reflector("127.0.0.1:0".parse().unwrap());
    options.path.interface = Some("no-such-if".to_owned());
    let error = TestSocket::open(&options).unwrap_err();
    assert!(matches!(error, BindError::Interface { .. }), "{error}");
}

#[test]
fn port_unreachable_is_reported_and_the_next_packets_still_leave() {
    if !full() {
        return;
    }
    for ip in ["127.0.0.1", "::1"] {
        if ip == "::1" && !has_v6() {
            continue;
        }
        let near = open(ip, sender);
        let gone = open(ip, |_| {});
        let nowhere = gone.local();
        drop(gone);
        let far = open(ip, |_| {});
        let out = |to| Outbound {
            to,
            from: None,
            tos: None,
            interface: 0,
            mac: None,
            stamp: false,
        };
        let mut kinds = Vec::new();
        for _ in 0..3 {
            near.send(b"into the void", &out(nowhere)).unwrap();
        }
        for _ in 0..100 {
            near.drain_errors(&mut |told| match told {
                QueueEvent::Icmp(error) => {
                    assert_eq!(error.to, Some(nowhere));
                    assert_eq!(error.from, Some(nowhere.ip()));
                    kinds.push(error.kind);
                }
                QueueEvent::Sent { .. } => {}
            });
            if !kinds.is_empty() {
                break;
            }
            clock::sleep_until(clock::mono() + Duration::from_millis(10));
        }
        assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == IcmpKind::PortUnreachable));
        near.send(b"into the void", &out(nowhere)).unwrap();
        near.send(b"here", &out(far.local())).unwrap();
        let mut batch = RecvBatch::new(4, 64);
        assert_eq!(receive(&far, &mut batch), 1, "{ip}");
        assert_eq!(near.receive(&mut batch).unwrap(), 0);
    }
}

#[test]
fn a_packet_over_the_mtu_with_df_is_refused() {
    if !full() {
        return;
    }
    let far = open("127.0.0.1", |_| {});
    let mtu = interface_mtu(far.local(), None).unwrap() as usize;
    let near = open("127.0.0.1", |options| options.path.dont_fragment = true);
    let out = Outbound {
        to: far.local(),
        from: None,
        tos: None,
        interface: 0,
        mac: None,
        stamp: false,
    };
    assert_eq!(near.send(&vec![0; 65_508], &out), Err(SendError::TooLarge));
    if mtu < 65_535 {
        assert_eq!(
            near.send(&vec![0; mtu - 27], &out),
            Err(SendError::TooLarge)
        );
    }
    near.send(&vec![0; 1000], &out).unwrap();
}

#[test]
fn the_route_to_loopback_is_loopback() {
    let local = local_address_towards("127.0.0.5:9".parse().unwrap(), None).unwrap();
    assert!(local.is_loopback());
    if full() {
        assert_eq!(
            twinpath_net::host::interface_of("127.0.0.1".parse().unwrap()).unwrap(),
            "lo"
        );
        assert!(twinpath_net::host::kernel().unwrap().starts_with("Linux "));
    }
}

#[test]
fn privileges_are_those_that_the_kernel_lists() {
    if !full() {
        return;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .map(|set| u64::from_str_radix(set.trim(), 16).unwrap())
        .unwrap();
    let told = twinpath_net::host::privileges();
    // The numbers are those of capabilities(7).
    for (name, bit) in [
        ("CAP_NET_BIND_SERVICE", 10),
        ("CAP_NET_ADMIN", 12),
        ("CAP_NET_RAW", 13),
    ] {
        let privilege = told
            .iter()
            .find(|(capability, _)| capability.name() == name);
        let held = effective >> bit & 1 == 1;
        assert_eq!(privilege.map(|(_, held)| *held), Some(held), "{name}");
    }
}
