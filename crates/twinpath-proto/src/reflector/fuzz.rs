//! Any octets as a configuration and a run of datagrams; what comes out is checked. Shared by the
//! fuzzer, the replay of the captures and a property test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, Reply, Rung, SenderOpen, Stamp, TimeFormat, Tos, Wall,
};

use super::{ReflectorConfig, SessionReflector, Speaks};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// What a buffer holds from earlier packets; no reply may show it.
const STALE: u8 = 0xa7;

/// Octet 0: the configuration. Octet 1: padding. Then for each datagram eight octets (source port
/// 2, port 1, TTL 1, ToS 1, milliseconds since the one before 1, length 2) and its payload.
///
/// # Panics
/// When a reply breaks a rule: longer than its request (unless allowed), not the request's fields,
/// or answered by another reflector.
pub fn fuzz_reflect(input: &[u8]) {
    let [flags, padding, datagrams @ ..] = input else {
        return;
    };
    let config = configuration(*flags, *padding);
    let mut reflector = SessionReflector::new(config.clone());
    let mut other = SessionReflector::new(ReflectorConfig::default());
    let mut now = Mono::from_ns(1_000_000_000);
    let mut wall = Wall::from_unix_ns(1_795_392_000_123_456_789);
    let mut rest = datagrams;
    while let Some((arrival, pause, payload, beyond)) = datagram(rest, wall) {
        rest = beyond;
        now += pause;
        wall = wall + Delta::from_duration(pause);
        check(&mut reflector, &mut other, &config, now, payload, &arrival);
        reflector.handle_timeout(now);
    }
}

fn check(
    reflector: &mut SessionReflector,
    other: &mut SessionReflector,
    config: &ReflectorConfig,
    now: Mono,
    payload: &[u8],
    arrival: &Arrival,
) {
    let mut buffer = vec![STALE; payload.len().max(512)];
    for (slot, octet) in buffer.iter_mut().zip(payload) {
        *slot = *octet;
    }
    let before = buffer.clone();
    let Ok(reflection) = reflector.reflect(now, &mut buffer, payload.len(), arrival) else {
        assert_eq!(buffer, before, "an ignored datagram was changed");
        return;
    };
    let limit = if config.allow_larger_replies { 512 } else { 44 };
    assert!(
        reflection.octets <= payload.len().max(limit),
        "a reply longer than its request"
    );
    buffer.truncate(reflection.octets);
    let t3 = arrival.at.at + Delta::from_ns(20_000);
    reflector.seal(&mut buffer, t3, ErrorEstimate::from_bits(1));
    let request = SenderOpen::view(payload).map(|(request, _)| *request);
    let reply = Reply::view(&buffer);
    assert!(reply.is_ok(), "a reply too short to be one");
    if let (Ok(request), Ok(reply)) = (request, reply) {
        assert_eq!(reply.head.sender_seq, request.seq);
        assert_eq!(reply.head.sender_t1, request.t1);
        assert_eq!(reply.sender_error, Some(request.error));
        assert_eq!(reply.sender_ttl, Some(arrival.ttl.unwrap_or(255)));
    }
    if !payload.contains(&STALE) {
        let fields = 41.min(buffer.len());
        let beyond = buffer.get(fields..).unwrap_or_default();
        assert!(
            !beyond.contains(&STALE),
            "a reply shows what the buffer held before"
        );
    }
    let back = Arrival {
        at: Stamp {
            at: t3,
            rung: Rung::User,
        },
        from: SocketAddr::new(HERE, arrival.to_port),
        to: Some(THERE),
        to_port: arrival.from.port(),
        ..*arrival
    };
    let octets = buffer.len();
    assert!(
        other.reflect(now, &mut buffer, octets, &back).is_err(),
        "a reply was answered"
    );
}

fn configuration(flags: u8, padding: u8) -> ReflectorConfig {
    ReflectorConfig {
        speaks: match flags & 3 {
            0 | 3 => Speaks::Auto,
            1 => Speaks::TwampLight,
            _ => Speaks::Stamp,
        },
        stateful: flags & 4 == 0,
        max_sessions: 3,
        idle: Duration::from_millis(500),
        padding: (flags & 8 != 0).then_some(usize::from(padding)),
        allow_larger_replies: flags & 16 != 0,
        max_rate_pps: (flags & 32 != 0).then_some(20),
        strict: flags & 64 != 0,
        format: if flags & 128 == 0 {
            TimeFormat::Ntp
        } else {
            TimeFormat::Ptp
        },
        ..ReflectorConfig::default()
    }
}

fn datagram(input: &[u8], at: Wall) -> Option<(Arrival, Duration, &[u8], &[u8])> {
    let (head, rest) = input.split_first_chunk::<8>()?;
    let [
        port_high,
        port_low,
        to_port,
        ttl,
        tos,
        pause_ms,
        length_high,
        length_low,
    ] = *head;
    let length = usize::from(u16::from_be_bytes([length_high, length_low])).min(rest.len());
    let (payload, beyond) = rest.split_at_checked(length)?;
    let arrival = Arrival {
        at: Stamp {
            at,
            rung: Rung::Kernel,
        },
        from: SocketAddr::new(THERE, u16::from_be_bytes([port_high, port_low])),
        to: (ttl != 1).then_some(HERE),
        to_port: 862 + u16::from(to_port),
        ttl: (ttl != 0).then_some(ttl),
        tos: Some(Tos(tos)),
        interface: 0,
        truncated: false,
    };
    Some((
        arrival,
        Duration::from_millis(pause_ms.into()),
        payload,
        beyond,
    ))
}
