//! Test packets of every kind as any octets: views, timestamps, Error Estimates, what a request is
//! taken for.

use std::time::Duration;

use twinpath_proto::reflector::{Class, ReflectorProtocols, Tail, classify};
use twinpath_wire::{
    Dscp, ErrorEstimate, ReflectorOpen, ReflectorSecured, Reply, ReplyHead, SenderOpen,
    SenderSecured, Short, StampReflector, StampSender, StampSenderAuthenticated, TimeFormat, Tos,
    Wall, WireTime,
};
use zerocopy::IntoBytes as _;

use crate::input::Input;

/// From here to here no reading of a timestamp can leave what 64 bits of nanoseconds hold.
const SANE_NS: u64 = 7_000_000_000 * 1_000_000_000;
/// Half of 2^32 seconds.
const HALF_ERA_NS: u64 = (1 << 31) * 1_000_000_000;

/// Octets 0 to 7: the local clock. 8 to 11: ports. 12: what is spoken. Then the datagram.
pub(crate) fn packets(input: &[u8]) {
    let mut input = Input::new(input);
    let clock = Wall::from_unix_ns(input.u64().cast_signed());
    let ports = (input.u16(), input.u16());
    let protocols = match input.octet() % 3 {
        0 => ReflectorProtocols::Auto,
        1 => ReflectorProtocols::TwampLight,
        _ => ReflectorProtocols::Stamp,
    };
    let datagram = input.rest();
    views(datagram);
    if let Ok((request, _)) = SenderOpen::view(datagram) {
        time(request.t1, clock);
        error(request.error);
    }
    if let Ok(class) = classify(protocols, datagram, ports.0, ports.1, clock) {
        judged(protocols, class, datagram);
    }
    if let Some(octet) = datagram.first() {
        let tos = Tos(*octet);
        assert_eq!(tos.dscp().tos().0, octet & 0xfc);
        let name = tos.dscp().to_string();
        assert_eq!(name.parse::<Dscp>(), Ok(tos.dscp()), "{name}");
    }
}

/// A view is what its octets are: no more, no fewer, none changed.
fn views(datagram: &[u8]) {
    macro_rules! check {
        ($($header:ident)*) => {$(
            match $header::view(datagram) {
                Ok((header, rest)) => {
                    assert_eq!([header.as_bytes(), rest].concat(), datagram);
                    assert_eq!(header.as_bytes().len(), $header::OCTETS);
                }
                Err(Short { need, have }) => {
                    assert_eq!((need, have), ($header::OCTETS, datagram.len()));
                    assert!(have < need);
                }
            }
        )*};
    }
    check! { SenderOpen SenderSecured ReflectorOpen ReflectorSecured ReplyHead StampSender StampReflector }
    let Ok(reply) = Reply::view(datagram) else {
        assert!(datagram.len() < ReplyHead::OCTETS);
        return;
    };
    assert_eq!(reply.head.as_bytes(), &datagram[..36]);
    assert_eq!(reply.sender_error.is_some(), datagram.len() >= 38);
    assert_eq!(reply.sender_ttl, datagram.get(40).copied());
    assert_eq!(reply.sender_tos, datagram.get(41).copied());
}

/// What is read is written again as it was, to what a nanosecond can tell apart.
fn time(wire: WireTime, clock: Wall) {
    for format in [TimeFormat::Ntp, TimeFormat::Ptp] {
        let at = wire.read(format, clock, 37);
        let reading = wire.read_plausibly(format, clock, 37);
        assert_eq!(reading.z_wrong, reading.format != format);
        if !reading.z_wrong {
            assert_eq!(reading.at, at);
        }
        if clock.unix_ns().unsigned_abs() > SANE_NS {
            continue;
        }
        // Half an era away both eras are as near; nanoseconds beyond a second decide it otherwise.
        if (at - clock).abs_ns().abs_diff(HALF_ERA_NS) < 5_000_000_000 {
            continue;
        }
        let again = WireTime::write(at, format, 37);
        assert_eq!(again.read(format, clock, 37), at, "{format:?} {wire:?}");
        if format == TimeFormat::Ntp {
            let off = again.bits().wrapping_sub(wire.bits()).cast_signed();
            assert!(off.unsigned_abs() <= 4, "{wire:?} became {again:?}");
        }
    }
}

/// An error that is written again is not understated.
fn error(estimate: ErrorEstimate) {
    let Some(ns) = estimate.error_ns() else {
        assert_eq!(estimate.multiplier(), 0);
        return;
    };
    let Ok(whole) = u64::try_from(ns) else {
        return;
    };
    let error = Duration::from_nanos(whole);
    let again = ErrorEstimate::new(estimate.synchronized(), estimate.format(), error);
    assert!(again.error_ns().is_some_and(|again| again >= ns));
    assert_eq!(again.synchronized(), estimate.synchronized());
    assert_eq!(again.format(), estimate.format());
}

/// What a request is taken for fits its octets.
fn judged(protocols: ReflectorProtocols, class: Class, datagram: &[u8]) {
    match class {
        Class::TwampLight => {
            assert!(protocols != ReflectorProtocols::Stamp && datagram.len() >= SenderOpen::OCTETS);
        }
        Class::Stamp { ssid, tail } => {
            assert!(protocols != ReflectorProtocols::TwampLight);
            if let Ok((request, rest)) = StampSender::view(datagram) {
                assert_eq!(request.ssid.get(), ssid);
                assert_eq!(tail == Tail::None, rest.is_empty());
                assert_eq!(tail == Tail::Tlvs, !rest.is_empty() && is_chain(rest));
            }
        }
        Class::StampAuthenticated { ssid, tail } => {
            let viewed = StampSenderAuthenticated::view(datagram);
            let (request, rest) = viewed.expect("a whole base packet");
            assert_eq!(request.ssid.get(), ssid);
            assert_eq!(tail == Tail::None, rest.is_empty());
            assert_eq!(tail == Tail::Tlvs, !rest.is_empty() && is_chain(rest));
        }
    }
}

/// Whether TLVs (RFC 8972 section 4: flags, type, two octets of length, value) fill these octets.
fn is_chain(mut rest: &[u8]) -> bool {
    while let Some(([_, _, high, low], values)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(beyond) = values.get(length..) else {
            return false;
        };
        rest = beyond;
    }
    rest.is_empty()
}
