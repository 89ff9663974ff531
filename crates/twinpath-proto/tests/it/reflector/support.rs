//! Requests, arrivals and the one way to ask a reflector.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_proto::reflector::{Ignored, ReflectorConfig, SessionReflector};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, Rung, SenderOpen, Stamp, Tos, Wall, WireTime,
};

/// 2026-11-23T00:00:00.123456789Z.
pub(crate) const NOW: Wall = Wall::from_unix_ns(1_795_392_000_123_456_789);
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub(crate) const ERROR: ErrorEstimate = ErrorEstimate::from_bits(0x8d01);
/// Contents of buffers from earlier packets.
pub(crate) const STALE: u8 = 0xa7;

pub(crate) fn reflector(change: impl FnOnce(&mut ReflectorConfig)) -> SessionReflector {
    let mut config = ReflectorConfig::default();
    change(&mut config);
    SessionReflector::new(config)
}

pub(crate) fn arrival() -> Arrival {
    Arrival {
        to: Some(HERE),
        to_port: 862,
        ttl: Some(61),
        tos: Some(Tos(0)),
        interface: 1,
        ..Arrival::new(
            Stamp {
                at: NOW,
                rung: Rung::Kernel,
            },
            SocketAddr::new(THERE, 20_000),
        )
    }
}

pub(crate) fn from_port(port: u16) -> Arrival {
    Arrival {
        from: SocketAddr::new(THERE, port),
        ..arrival()
    }
}

pub(crate) fn ms(ms: u64) -> Mono {
    Mono::from_ns(1_000_000_000 + ms * 1_000_000)
}

/// A TWAMP Light request, sent 50 ms before [`NOW`].
pub(crate) fn light(seq: u32, padding: &[u8]) -> Vec<u8> {
    let mut request = [&[0; SenderOpen::OCTETS], padding].concat();
    let (head, _) = SenderOpen::view_mut(&mut request).unwrap();
    head.seq.set(seq);
    head.t1 = WireTime::ntp(NOW - Delta::from_ns(50_000_000));
    head.error = ErrorEstimate::from_bits(0x0001);
    request
}

/// A STAMP request with an SSID and octets after the base packet.
pub(crate) fn stamp(seq: u32, ssid: u16, tail: &[u8]) -> Vec<u8> {
    let [high, low] = ssid.to_be_bytes();
    let mut padding = vec![0; 30];
    padding[..2].copy_from_slice(&[high, low]);
    padding.extend_from_slice(tail);
    light(seq, &padding)
}

/// The reply, sealed 20 us after the arrival, and its ToS octet. The buffer is dirty.
pub(crate) fn ask(
    reflector: &mut SessionReflector,
    now: Mono,
    request: &[u8],
    arrival: &Arrival,
) -> Result<(Vec<u8>, Tos), Ignored> {
    ask_slow(reflector, now, request, arrival, Delta::from_ns(20_000))
}

/// The same, sealed so long after the arrival.
pub(crate) fn ask_slow(
    reflector: &mut SessionReflector,
    now: Mono,
    request: &[u8],
    arrival: &Arrival,
    residence: Delta,
) -> Result<(Vec<u8>, Tos), Ignored> {
    let mut buffer = vec![STALE; request.len().max(2048)];
    buffer[..request.len()].copy_from_slice(request);
    let reflection = reflector.reflect(now, &mut buffer, request.len(), arrival)?;
    buffer.truncate(reflection.octets);
    reflector.seal(&reflection, &mut buffer, arrival.at.at + residence, ERROR);
    Ok((buffer, reflection.tos))
}

/// The reply alone, to a request that deserves one.
pub(crate) fn reply(
    reflector: &mut SessionReflector,
    request: &[u8],
    arrival: &Arrival,
) -> Vec<u8> {
    ask(reflector, ms(0), request, arrival).unwrap().0
}

/// The reply's own Sequence Number.
pub(crate) fn number(reply: &[u8]) -> u32 {
    u32::from_be_bytes(*reply.first_chunk().unwrap())
}

/// Where a reply of a reflector at `arrival.to` comes in at the other end.
pub(crate) fn way_back(arrival: &Arrival) -> Arrival {
    Arrival {
        from: SocketAddr::new(arrival.to.unwrap(), arrival.to_port),
        to: Some(arrival.from.ip()),
        to_port: arrival.from.port(),
        ..*arrival
    }
}
