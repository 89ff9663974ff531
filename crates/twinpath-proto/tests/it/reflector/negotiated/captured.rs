//! Sessions that twping and twampd agreed on, recorded: our replies are twampd's.

use std::net::SocketAddr;

use twinpath_proto::reflector::{Ended, SessionReflector};
use twinpath_wire::{Dscp, ReplyHead, Stamp, TimeFormat, Wall, WireTime};

use super::super::capture::{Datagram, exchanges};
use super::super::support::{STALE, ms};
use super::{ended, reflector, sid, spec};

/// Our reply, with the T2, T3 and Error Estimate of the recorded one.
fn answer_as(
    ours: &mut SessionReflector,
    request: &Datagram,
    recorded: &ReplyHead,
) -> (Vec<u8>, u8) {
    let clock = request.arrival.at.at;
    let wall = |time: WireTime| -> Wall { time.read(TimeFormat::Ntp, clock, 0) };
    let mut arrival = request.arrival;
    arrival.at = Stamp {
        at: wall(recorded.t2),
        ..arrival.at
    };
    let mut buffer = vec![STALE; request.octets.len().max(44)];
    buffer[..request.octets.len()].copy_from_slice(&request.octets);
    let reflection = ours
        .reflect(ms(0), &mut buffer, request.octets.len(), &arrival)
        .unwrap();
    buffer.truncate(reflection.octets);
    ours.seal(&reflection, &mut buffer, wall(recorded.t3), recorded.error);
    (buffer, reflection.tos.0)
}

#[test]
fn replies_are_those_of_twampd_octet_for_octet() {
    for (file, port, dscp, expected) in [
        ("unauthenticated.pcap", 18_816, Dscp::BE, 10),
        ("unauthenticated-zero-addresses.pcap", 18_767, Dscp::BE, 5),
        ("unauthenticated-padding-dscp.pcap", 18_813, Dscp::EF, 5),
        ("mixed.pcap", 18_941, Dscp::BE, 10),
    ] {
        let mut ours = reflector();
        let exchanges = exchanges(file, port);
        let sender: SocketAddr = exchanges[0].0.arrival.from;
        let negotiated = twinpath_proto::reflector::SessionSpec {
            sender,
            dscp,
            ..spec(0)
        };
        ours.open(negotiated, port, exchanges[0].0.arrival.to)
            .unwrap();
        ours.start(sid(0), ms(0));
        for (request, recorded) in &exchanges {
            let context = format!("{file}, packet {}", request.number);
            let theirs = ReplyHead::view(&recorded.octets).unwrap().0;
            let (mut reply, tos) = answer_as(&mut ours, request, theirs);
            assert_eq!(tos, recorded.arrival.tos.unwrap().0, "{context}");
            // A nanosecond is 4.3 units of the fraction: times agree to within that, and everything
            // else exactly.
            let head = ReplyHead::view_mut(&mut reply).unwrap().0;
            assert!(head.t2.bits().abs_diff(theirs.t2.bits()) <= 3, "{context}");
            assert!(head.t3.bits().abs_diff(theirs.t3.bits()) <= 3, "{context}");
            (head.t2, head.t3) = (theirs.t2, theirs.t3);
            assert_eq!(reply, recorded.octets, "{context}");
        }
        ours.stop(sid(0), ms(1));
        ours.handle_timeout(ms(2_001));
        let ended = ended(&mut ours);
        assert_eq!(ended.len(), 1, "{file}");
        let (_, how, counters) = ended[0];
        assert_eq!(how, Ended::Stopped, "{file}");
        assert_eq!(
            (counters.received, counters.reflected),
            (expected, expected),
            "{file}"
        );
        assert_eq!(counters.too_short, 0, "{file}");
    }
}
