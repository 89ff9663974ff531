//! Any octets as a configuration and a run of datagrams; what comes out is checked. Shared by the
//! fuzzer, the replay of the captures and a property test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{
    Arrival, Delta, Dscp, ErrorEstimate, Mono, Reply, Rung, SenderOpen, Stamp, TimeFormat, Tos,
    Wall,
};

use super::{
    AgreedConfig, AgreedReflector, Ignored, ReflectorConfig, SessionReflector, SessionSpec, Speaks,
};

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

/// Octets 0 to 3: features, length of padding to reflect, Server octets, the sender's port. Then
/// datagrams as for [`fuzz_reflect`], before each of which its port octet says what happens to the
/// session, opened anew if it is gone: it is stopped (0), taken away (1), left alone (2), started.
///
/// # Panics
/// When a reply breaks a rule, or the books do not balance.
pub fn fuzz_agreed(input: &[u8]) {
    let Some((&[features, to_reflect, server_octets, from_port], mut rest)) =
        input.split_first_chunk()
    else {
        return;
    };
    let spec = SessionSpec {
        sid: Sid([7; 16]),
        sender: SocketAddr::new(THERE, u16::from_be_bytes([0x30, from_port])),
        modes: Modes::from_bits(u32::from(features & 0x7f) << 4 | 1),
        dscp: Dscp::EF,
        padding_length: 0,
        timeout: Duration::from_millis(300),
        refwait: Duration::from_millis(900),
        padding_to_reflect: to_reflect.into(),
        server_octets: server_octets.into(),
        nat: (features & 0x80 != 0).then_some(THERE),
        begins: None,
    };
    let mut reflector = AgreedReflector::new(AgreedConfig {
        strict: from_port & 1 != 0,
        tai_offset_s: 37,
        max_rate_pps: (from_port & 2 != 0).then_some(20),
        allow_sender: Vec::new(),
    });
    let mut now = Mono::from_ns(1_000_000_000);
    let mut wall = Wall::from_unix_ns(1_795_392_000_123_456_789);
    let (mut opened, mut ended, mut reflected) = (0_u32, 0_u32, 0_u64);
    while let Some((mut arrival, pause, payload, beyond)) = datagram(rest, wall) {
        rest = beyond;
        now += pause;
        wall = wall + Delta::from_duration(pause);
        opened += u32::from(reflector.open(spec, 862, None).is_ok());
        match arrival.to_port - 862 {
            0 => reflector.stop(spec.sid, now),
            1 => reflector.remove(spec.sid),
            2 => {}
            _ => reflector.start(spec.sid, now),
        }
        arrival.to_port = 862;
        let made = check_agreed(&mut reflector, &spec, now, payload, &arrival);
        reflected += u64::from(made.is_ok());
        reflector.handle_timeout(now);
        while let Some((sid, _, tally)) = reflector.poll_ended() {
            assert_eq!(sid, spec.sid);
            let whole = tally.reflected + tally.not_started + tally.ignored;
            assert_eq!(tally.received, whole, "{tally:?}");
            ended += 1;
        }
    }
    let totals = reflector.totals();
    assert_eq!(totals.reflected, reflected);
    assert_eq!(totals.sessions, u64::from(opened - ended));
}

fn check_agreed(
    reflector: &mut AgreedReflector,
    spec: &SessionSpec,
    now: Mono,
    payload: &[u8],
    arrival: &Arrival,
) -> Result<(), Ignored> {
    let mut buffer = vec![STALE; payload.len().max(44)];
    for (slot, octet) in buffer.iter_mut().zip(payload) {
        *slot = *octet;
    }
    let before = buffer.clone();
    let reflection = reflector
        .reflect(now, &mut buffer, payload.len(), arrival)
        .inspect_err(|_| assert_eq!(buffer, before, "an ignored datagram was changed"))?;
    let octets = reflection.octets;
    assert!(octets >= 41, "a reply without its header");
    assert!(
        octets <= payload.len().max(44),
        "a reply longer than its request"
    );
    assert!(octets >= payload.len(), "a reply shorter than its request");
    assert_eq!(reflection.tos, spec.dscp.tos());
    buffer.truncate(octets);
    let t3 = arrival.at.at + Delta::from_ns(20_000);
    reflector.seal(&reflection, &mut buffer, t3, ErrorEstimate::from_bits(1));
    let copied = (buffer.get(24..38), payload.get(..14));
    assert_eq!(copied.0, copied.1, "not the request's fields");
    if spec.modes.contains(Modes::DSCP_MONITORING) {
        let tos = arrival.tos.map(|tos| tos.0);
        assert_eq!(buffer.get(41).copied(), tos, "not the ToS octet");
    }
    if !payload.contains(&STALE) && arrival.tos != Some(Tos(STALE)) {
        let beyond = buffer.get(41..).unwrap_or_default();
        assert!(!beyond.contains(&STALE), "what the buffer held before");
    }
    let mut other = SessionReflector::new(ReflectorConfig::default());
    let back = way_back(arrival, t3);
    assert!(
        other.reflect(now, &mut buffer, octets, &back).is_err(),
        "a reply was answered"
    );
    Ok(())
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
    let back = way_back(arrival, t3);
    let octets = buffer.len();
    assert!(
        other.reflect(now, &mut buffer, octets, &back).is_err(),
        "a reply was answered"
    );
}

/// Where a reply comes in at the other end.
fn way_back(arrival: &Arrival, t3: Wall) -> Arrival {
    Arrival {
        at: Stamp {
            at: t3,
            rung: Rung::User,
        },
        from: SocketAddr::new(HERE, arrival.to_port),
        to: Some(THERE),
        to_port: arrival.from.port(),
        ..*arrival
    }
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
