//! Memory of sessions, and that it is freed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_proto::reflector::{SessionReflector, SessionSpec};

use super::super::support::ms;
use super::{PORT, reflector, sid, spec};

fn many(number: u32) -> SessionSpec {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number / 1_000));
    SessionSpec {
        sid: sid(number),
        sender: SocketAddr::new(address, 20_000 + (number % 1_000) as u16),
        nat: number.is_multiple_of(2).then_some(address),
        ..spec(0)
    }
}

fn open(ours: &mut SessionReflector, number: u32) {
    let spec = many(number);
    ours.open(spec, PORT, None).unwrap();
    ours.start(spec.sid, ms(u64::from(number)));
}

#[test]
fn a_hundred_thousand_sessions_fit_into_48_megabytes() {
    let mut ours = reflector();
    for number in 0..100_000 {
        open(&mut ours, number);
    }
    let octets = ours.memory_octets();
    println!("{octets} octets, {} a session", octets / 100_000);
    assert!(octets < 48_000_000, "{octets}");
}

#[test]
fn sessions_that_come_and_go_leave_nothing() {
    let mut ours = reflector();
    for number in 0..5_000 {
        open(&mut ours, number);
    }
    let before = ours.memory_octets();
    for number in 5_000..60_000 {
        open(&mut ours, number);
        match number % 3 {
            0 => ours.remove(sid(number)),
            1 => {
                ours.stop(sid(number), ms(0));
                ours.remove(sid(number));
            }
            _ => {
                ours.stop(sid(number), ms(0));
                ours.handle_timeout(ms(2_000));
            }
        }
        assert!(ours.poll_ended().is_some(), "{number}");
        assert_eq!(ours.poll_ended(), None);
    }
    assert_eq!(ours.counters().sessions, 5_000);
    assert!(ours.memory_octets() <= before + before / 10);
    for number in 0..5_000 {
        ours.remove(sid(number));
    }
    assert_eq!((ours.counters().sessions, ours.poll_timeout()), (0, None));
}
