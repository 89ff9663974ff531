//! Any octets as a configuration and a run of datagrams; what comes out is checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::TestGuard;
use twinpath_proto::extension::{ControlPolicy, ExtensionPolicy};
use twinpath_proto::reflector::{
    Access, Ignored, NegotiatedConfig, Reflection, ReflectorConfig, ReflectorPolicy,
    ReflectorProtocols, SessionReflector, SessionSpec,
};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{
    Arrival, Delta, Dscp, ErrorEstimate, Mono, ReflectorSecured, Reply, Rung, SenderOpen,
    SenderSecured, Stamp, StampReflectorAuthenticated, StampSenderAuthenticated, TimeFormat, Tos,
    Wall,
};

use crate::copies::Copies;
use crate::extensions::{blank_digest, sign};
use crate::peer::{AES, HMAC, TestKeys};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// What a buffer holds from earlier packets; no reply may show it.
const STALE: u8 = 0xa7;

/// Octet 0: the configuration. Octet 1: padding. Then for each datagram eight octets (source port
/// 2, port 1, TTL 1, ToS 1, milliseconds since the one before 1, length 2) and its payload.
///
/// What looks like authenticated STAMP has the HMAC of a key that the reflector has, unless the last
/// octet of the field is odd; HMAC TLVs are right.
///
/// No reply is longer than its request (unless allowed), shows other fields than the request's or
/// what the buffer held, or is answered by another reflector; nothing comes of a wrong HMAC. Further
/// replies to a request are the first but for what must differ.
pub(crate) fn reflector(input: &[u8]) {
    reflected(input);
}

/// How many further replies were sent.
fn reflected(input: &[u8]) -> u64 {
    let [flags, padding, input @ ..] = input else {
        return 0;
    };
    let config = configuration(*flags, *padding);
    let mut reflector = SessionReflector::new(config.clone());
    let mut other = SessionReflector::new(ReflectorConfig::default());
    let key = StampKey::new(&HMAC).expect("a key long enough");
    let keys = Arc::new(StampKeys::new([(KeyScope::Default, key.clone())]));
    reflector.set_keys(Arc::clone(&keys));
    other.set_keys(keys);
    let mut now = Mono::from_ns(1_000_000_000);
    let mut wall = Wall::from_unix_ns(1_795_392_000_123_456_789);
    let mut copies = Copies::default();
    let (mut rest, mut datagrams) = (input, 0);
    while let Some((arrival, pause, payload, beyond)) = datagram(rest, wall) {
        rest = beyond;
        now += pause;
        wall = wall + Delta::from_duration(pause);
        copies.check(&mut reflector, (now - pause, now), &key);
        let mut payload = payload.to_vec();
        sign(&mut payload, 44);
        sign(&mut payload, 112);
        let sealed = seal(&mut payload, &key);
        let light = config.protocols == ReflectorProtocols::TwampLight;
        let sealed = sealed.filter(|_| !light).map(|right| (right, &key));
        let reply = check(
            &mut reflector,
            &mut other,
            &config,
            now,
            &payload,
            sealed,
            &arrival,
        );
        if let Some((reflection, reply)) = reply {
            copies.follow(&mut reflector, now, &reflection, reply, &arrival);
        }
        reflector.handle_timeout(now);
        datagrams += 1;
    }
    check_counted(&reflector, datagrams);
    let later = now + Duration::from_millis(400);
    copies.finish(&mut reflector, (now, later), &key)
}

/// Gives what looks like authenticated STAMP its HMAC or a wrong one: which; `None`: it does not.
fn seal(payload: &mut [u8], key: &StampKey) -> Option<bool> {
    let base = payload.first_chunk::<{ StampSenderAuthenticated::OCTETS }>()?;
    if base.get(4..16) != Some([0; 12].as_slice()) {
        return None;
    }
    let right = base.last().is_some_and(|octet| octet.is_multiple_of(2));
    if right {
        key.seal(payload);
    }
    Some(right)
}

/// Octets 0 to 3: features, length of padding to reflect, Server octets, the sender's port, which is
/// the security mode too (bits 2 and 3). Then datagrams as for [`reflector`], before each of which
/// its port octet says what happens to the session, opened again if it is gone: it is stopped (0),
/// taken away (1), left alone (2), started. Where packets are secured its bit 7 seals the datagram,
/// and bit 6 makes the HMAC wrong.
///
/// Replies keep the rules of [`reflector`], nothing comes of a wrong HMAC, and the counts add up.
pub(crate) fn negotiated(input: &[u8]) {
    agreed_session(input);
}

/// How many packets were reflected.
fn agreed_session(input: &[u8]) -> u64 {
    let Some((&[features, to_reflect, server_octets, from_port], mut rest)) =
        input.split_first_chunk()
    else {
        return 0;
    };
    let security = match from_port & 0x0c {
        0 => Modes::UNAUTHENTICATED,
        4 => Modes::AUTHENTICATED,
        8 => Modes::ENCRYPTED,
        _ => Modes::MIXED,
    };
    let secured = security == Modes::AUTHENTICATED || security == Modes::ENCRYPTED;
    let keys = TestKeys::new([7; 16], security == Modes::ENCRYPTED);
    let keys = secured.then_some(&keys);
    let spec = SessionSpec {
        sid: Sid([7; 16]),
        sender: SocketAddr::new(THERE, u16::from_be_bytes([0x30, from_port])),
        modes: Modes::from_bits(u32::from(features & 0x7f) << 4) | security,
        dscp: Dscp::EF,
        padding_length: 0,
        timeout: Duration::from_millis(300),
        refwait: Duration::from_millis(900),
        padding_to_reflect: to_reflect.into(),
        server_octets: server_octets.into(),
        nat: (features & 0x80 != 0).then_some(THERE),
        begins: None,
    };
    let mut reflector = SessionReflector::for_negotiated(NegotiatedConfig {
        policy: ReflectorPolicy {
            strict: from_port & 1 != 0,
            max_rate_pps: (from_port & 2 != 0).then_some(20),
            ..ReflectorPolicy::default()
        },
        allow_sender: Vec::new(),
    });
    let mut now = Mono::from_ns(1_000_000_000);
    let mut wall = Wall::from_unix_ns(1_795_392_000_123_456_789);
    let (mut opened, mut ended, mut reflected, mut datagrams) = (0_u32, 0_u32, 0_u64, 0);
    while let Some((mut arrival, pause, payload, beyond)) = datagram(rest, wall) {
        rest = beyond;
        now += pause;
        wall = wall + Delta::from_duration(pause);
        let guard = TestGuard::with_keys(security, &SessionKeys::new(AES, HMAC), spec.sid);
        let open = reflector.open_guarded(spec, guard, 862, None);
        opened += u32::from(open.is_ok());
        let order = arrival.to_port - 862;
        let mut payload = payload.to_vec();
        let proven = secured && order & 0x80 != 0 && payload.len() >= SenderSecured::OCTETS;
        let forged = order & 0x40 != 0;
        if let Some(keys) = keys.filter(|_| proven) {
            keys.seal(&mut payload, SenderSecured::OCTETS, u8::from(forged));
        }
        match order & 0x3f {
            0 => reflector.stop(spec.sid, now),
            1 => reflector.remove(spec.sid),
            2 => {}
            _ => reflector.start(spec.sid, now),
        }
        arrival.to_port = 862;
        let made = check_agreed(&mut reflector, &spec, keys, now, &payload, &arrival);
        assert!(made.is_err() || !proven || !forged, "answered unverified");
        reflected += u64::from(made.is_ok());
        datagrams += 1;
        reflector.handle_timeout(now);
        while let Some((sid, _, counters)) = reflector.poll_ended() {
            assert_eq!(sid, spec.sid);
            let whole = counters.reflected + counters.not_started + counters.ignored;
            assert_eq!(counters.received, whole, "{counters:?}");
            ended += 1;
        }
    }
    let totals = reflector.counters();
    assert_eq!(totals.reflected, reflected);
    assert_eq!(totals.sessions, u64::from(opened - ended));
    check_counted(&reflector, datagrams);
    reflected
}

fn check_agreed(
    reflector: &mut SessionReflector,
    spec: &SessionSpec,
    keys: Option<&TestKeys>,
    now: Mono,
    payload: &[u8],
    arrival: &Arrival,
) -> Result<(), Ignored> {
    let header = if keys.is_some() { 112 } else { 44 };
    let mut buffer = vec![STALE; payload.len().max(header)];
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
        octets <= payload.len().max(header),
        "a reply longer than its request"
    );
    assert!(octets >= payload.len(), "a reply shorter than its request");
    assert_eq!(reflection.tos, spec.dscp.tos());
    buffer.truncate(octets);
    let t3 = arrival.at.at + Delta::from_ns(20_000);
    reflector.seal(&reflection, &mut buffer, t3, ErrorEstimate::from_bits(1));
    if let Some(keys) = keys {
        check_secured(&buffer, spec, keys, payload, arrival);
        return Ok(());
    }
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

/// A reply where packets are secured: its HMAC is right, and so was the request's.
fn check_secured(
    reply: &[u8],
    spec: &SessionSpec,
    keys: &TestKeys,
    request: &[u8],
    arrival: &Arrival,
) {
    let (mut reply, mut request) = (reply.to_vec(), request.to_vec());
    assert!(
        keys.open(&mut request, SenderSecured::OCTETS),
        "answered unverified"
    );
    assert!(
        keys.open(&mut reply, ReflectorSecured::OCTETS),
        "a reply with a wrong HMAC"
    );
    let (said, beyond) = ReflectorSecured::view(&reply).expect("a whole header");
    let (asked, _) = SenderSecured::view(&request).expect("a whole header");
    assert_eq!(said.sender_seq, asked.seq);
    assert_eq!(said.sender_t1, asked.t1);
    assert_eq!(said.sender_error, asked.error);
    assert_eq!(said.sender_ttl, arrival.ttl.unwrap_or(255));
    if spec.modes.contains(Modes::DSCP_MONITORING) {
        assert_eq!(Some(Tos(said.sender_tos)), arrival.tos);
    }
    if !request.contains(&STALE) {
        assert!(!beyond.contains(&STALE), "what the buffer held before");
    }
}

fn check(
    reflector: &mut SessionReflector,
    other: &mut SessionReflector,
    config: &ReflectorConfig,
    now: Mono,
    payload: &[u8],
    sealed: Option<(bool, &StampKey)>,
    arrival: &Arrival,
) -> Option<(Reflection, Vec<u8>)> {
    let mut buffer = vec![STALE; payload.len().max(512)];
    for (slot, octet) in buffer.iter_mut().zip(payload) {
        *slot = *octet;
    }
    let before = buffer.clone();
    let reflection = match reflector.reflect(now, &mut buffer, payload.len(), arrival) {
        Ok(reflection) => reflection,
        Err(why) => {
            // A TLV that asks for no reply may stand behind others.
            let is_of_tlv = [
                Ignored::NoReplyWanted,
                Ignored::OtherGroup,
                Ignored::CountZero,
            ]
            .contains(&why);
            let kept = if is_of_tlv { 44 } else { buffer.len() };
            let unchanged = (buffer.get(..kept), before.get(..kept));
            assert_eq!(unchanged.0, unchanged.1, "an ignored datagram was changed");
            return None;
        }
    };
    let is_larger = config.allow_larger_replies || reflection.effects().replies.is_some();
    let limit = if is_larger { 512 } else { 44 };
    assert!(
        reflection.octets <= payload.len().max(limit),
        "a reply longer than its request"
    );
    buffer.truncate(reflection.octets);
    let t3 = arrival.at.at + Delta::from_ns(20_000);
    reflector.seal(&reflection, &mut buffer, t3, ErrorEstimate::from_bits(1));
    match sealed {
        Some((right, key)) => {
            assert!(right, "answered unverified");
            assert!(key.opens(&buffer), "a reply with a wrong HMAC");
            check_authenticated(&buffer, payload, arrival);
        }
        None => check_open(&buffer, payload, arrival),
    }
    if !payload.contains(&STALE) {
        let fields = if sealed.is_some() { 112 } else { 41 };
        let mut shown = buffer.clone();
        for base in [44, 112] {
            blank_digest(&mut shown, base);
        }
        let beyond = shown.get(fields.min(shown.len())..).unwrap_or_default();
        // An answer in a TLV may have that octet, as the ToS of the request; the buffer has it in a row.
        let is_shown = if config.protocols == ReflectorProtocols::TwampLight {
            beyond.contains(&STALE)
        } else {
            beyond.windows(4).any(|octets| octets == [STALE; 4])
        };
        assert!(!is_shown, "a reply shows what the buffer held before");
    }
    let reply = buffer.clone();
    let back = way_back(arrival, t3);
    let octets = buffer.len();
    assert!(
        other.reflect(now, &mut buffer, octets, &back).is_err(),
        "a reply was answered"
    );
    Some((reflection, reply))
}

fn check_open(reply: &[u8], request: &[u8], arrival: &Arrival) {
    let request = SenderOpen::view(request).map(|(request, _)| *request);
    let reply = Reply::view(reply);
    assert!(reply.is_ok(), "a reply too short to be one");
    if let (Ok(request), Ok(reply)) = (request, reply) {
        assert_eq!(reply.head.sender_seq, request.seq);
        assert_eq!(reply.head.sender_t1, request.t1);
        assert_eq!(reply.sender_error, Some(request.error));
        assert_eq!(reply.sender_ttl, Some(arrival.ttl.unwrap_or(255)));
    }
}

fn check_authenticated(reply: &[u8], request: &[u8], arrival: &Arrival) {
    let (said, _) = StampReflectorAuthenticated::view(reply).expect("a whole base packet");
    let (asked, _) = StampSenderAuthenticated::view(request).expect("a whole base packet");
    assert_eq!(said.ssid, asked.ssid);
    assert_eq!(said.sender_seq, asked.seq);
    assert_eq!(said.sender_t1, asked.t1);
    assert_eq!(said.sender_error, asked.error);
    assert_eq!(said.sender_ttl, arrival.ttl.unwrap_or(255));
    let zeros = [(4, 16), (28, 32), (40, 48), (52, 64), (74, 80), (81, 96)];
    for (from, to) in zeros {
        let octets = reply.get(from..to).unwrap_or_default();
        assert!(octets.iter().all(|octet| *octet == 0), "MBZ from {from}");
    }
}

/// Each datagram is counted once, with a reply or by why it got none.
fn check_counted(reflector: &SessionReflector, datagrams: u64) {
    let counters = reflector.counters();
    let ignored: u64 = counters.ignored.iter().sum();
    assert_eq!(counters.reflected + ignored, datagrams, "{counters:?}");
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
        policy: ReflectorPolicy {
            max_rate_pps: (flags & 32 != 0).then_some(20),
            strict: flags & 64 != 0,
            ..ReflectorPolicy::default()
        },
        protocols: match flags & 3 {
            0 | 3 => ReflectorProtocols::Auto,
            1 => ReflectorProtocols::TwampLight,
            _ => ReflectorProtocols::Stamp,
        },
        stateful: flags & 4 == 0,
        max_sessions: 3,
        idle: Duration::from_millis(500),
        padding: (flags & 8 != 0).then_some(usize::from(padding)),
        allow_larger_replies: flags & 16 != 0,
        format: if flags & 128 == 0 {
            TimeFormat::Ntp
        } else {
            TimeFormat::Ptp
        },
        extensions: ExtensionPolicy {
            control: Some(ControlPolicy {
                unauthenticated: padding & 1 == 0,
                octets: 60_000,
                octets_per_s: 1_000_000,
                replies: 20,
                ..ControlPolicy::within(Access::new(&[]))
            }),
            ..ExtensionPolicy::default()
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
        to: (ttl != 1).then_some(HERE),
        to_port: 862 + u16::from(to_port),
        ttl: (ttl != 0).then_some(ttl),
        tos: Some(Tos(tos)),
        ..Arrival::new(
            Stamp {
                at,
                rung: Rung::Kernel,
            },
            SocketAddr::new(THERE, u16::from_be_bytes([port_high, port_low])),
        )
    };
    Some((
        arrival,
        Duration::from_millis(pause_ms.into()),
        payload,
        beyond,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn several_replies_to_a_request_are_among_the_inputs() {
        let copies: u64 = corpus::of("reflector")
            .iter()
            .map(|input| reflected(input))
            .sum();
        assert!(copies >= 20, "{copies}");
    }

    #[test]
    fn packets_are_reflected_in_the_open_and_sealed() {
        for mode in [0, 4, 8] {
            let inputs = corpus::of("negotiated");
            let is_of = |input: &&Vec<u8>| input.get(3).is_some_and(|spec| spec & 0x0c == mode);
            let of = inputs.iter().filter(is_of);
            let reflected: u64 = of.map(|input| agreed_session(input)).sum();
            assert!(reflected >= 6, "mode {mode}: {reflected}");
        }
    }
}
