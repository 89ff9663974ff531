//! One spoofed packet must not make two reflectors answer each other.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use twinpath_proto::reflector::Ignored;
use twinpath_wire::WireTime;

use crate::{portable_build, reflect, responder_plan};

/// A UDP datagram with its IPv4 header. The kernel fills the header's checksum in; UDP's may be 0.
fn datagram(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(28 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(v4) => v4,
        SocketAddr::V6(_) => panic!("an IPv4 address was bound"),
    }
}

#[test]
fn two_reflectors_and_a_spoofed_packet_do_not_talk_for_ever() {
    if portable_build() {
        return;
    }
    let raw = match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))) {
        Ok(raw) => raw,
        Err(error) => {
            eprintln!("skipped: spoofing a packet needs root ({error})");
            return;
        }
    };
    raw.set_header_included_v4(true).unwrap();
    let (one, at_one) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let (two, at_two) = reflect(&responder_plan(&["127.0.0.2:0"]));
    // Requests of both protocols and several sizes, each seeming to come from the other reflector.
    let mut requests = vec![
        vec![0; 14],
        vec![0; 41],
        vec![0; 44],
        vec![0; 1400],
        vec![0xa5; 300],
    ];
    // And a packet that claims to be STAMP, with TLVs.
    let mut stamp = vec![0; 44];
    stamp.extend([0x80, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    requests.push(stamp);
    let count = requests.len() as u64;
    for request in &mut requests {
        request[..4].copy_from_slice(&7_u32.to_be_bytes());
        let now = WireTime::ntp(twinpath_net::clock::wall());
        request[4..12].copy_from_slice(&now.bits().to_be_bytes());
        request[12..14].copy_from_slice(&[0x01, 0x01]);
        let packet = datagram(v4(at_one), v4(at_two), request);
        raw.send_to(
            &packet,
            &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 0).into(),
        )
        .unwrap();
    }
    // Longer than a loop would need to show, once the first reply is there.
    let deadline = Instant::now() + Duration::from_mins(1);
    while one.counted().counters.ignored_as(Ignored::Reply) < count {
        assert!(Instant::now() < deadline, "{:?}", one.counted().counters);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    let (one, two) = (one.join().unwrap().counters, two.join().unwrap().counters);
    assert_eq!(two.reflected, count, "{two:?}");
    assert_eq!(one.reflected, 0, "{one:?}");
    assert_eq!(one.ignored_as(Ignored::Reply), count, "{one:?}");
}
