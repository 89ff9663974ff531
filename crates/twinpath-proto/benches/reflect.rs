//! Cost of a packet for a Session-Reflector: `cargo bench -p twinpath-proto --bench reflect`.
//!
//! One iteration is a batch of packets, as the sockets hand them over, and the item rate is the
//! result (`ns` / 64 is one packet's time). For each packet the request is copied into the buffer
//! (as the kernel does in operation), reflected and sealed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use ipnet::IpNet;
use twinpath_proto::TestGuard;
use twinpath_proto::reflector::{
    ClientRates, NegotiatedConfig, ReflectorConfig, ReflectorPolicy, SessionReflector, SessionSpec,
};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire,
};
use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
use twinpath_proto::{ClockPair, TestFeatures};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{
    Arrival, Dscp, ErrorEstimate, Mono, Rung, SenderOpen, Stamp, StampSender,
    StampSenderAuthenticated, Wall, WireTime,
};

/// Shows that a packet of a known session allocates nothing.
#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Packets in one iteration.
const BATCH: u32 = 64;

const NOW: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);
const LIVE: [u32; 3] = [1, 1_000, 100_000];

/// The packets of live sessions, in the order in which they were made: periodic senders.
#[divan::bench(args = LIVE, min_time = 1)]
fn twamp_41_octets_sessions_in_turn(bencher: Bencher<'_, '_>, live: u32) {
    run(
        bencher,
        ReflectorConfig::default(),
        live,
        &twamp(41),
        in_turn,
    );
}

/// The packets of live sessions in no order: the caches' worst case.
#[divan::bench(args = LIVE, min_time = 1)]
fn twamp_41_octets_sessions_at_random(bencher: Bencher<'_, '_>, live: u32) {
    run(
        bencher,
        ReflectorConfig::default(),
        live,
        &twamp(41),
        at_random,
    );
}

/// Sessions that send less than a packet a second: each packet moves its session to the front.
#[divan::bench(args = LIVE, min_time = 1)]
fn twamp_41_octets_slow_sessions_at_random(bencher: Bencher<'_, '_>, live: u32) {
    let config = ReflectorConfig {
        idle: Duration::from_hours(10_000),
        ..Default::default()
    };
    let reflector = SessionReflector::new(config);
    let request = filled(&twamp(41));
    run_paced(bencher, reflector, live, &request, 2_000_000_000, at_random);
}

#[divan::bench(min_time = 1)]
fn twamp_1472_octets(bencher: Bencher<'_, '_>) {
    run(
        bencher,
        ReflectorConfig::default(),
        1,
        &twamp(1472),
        in_turn,
    );
}

/// Whose packets threads answer, each with a reflector of its own.
#[derive(Clone, Copy, Debug)]
enum Clients {
    /// No rate is limited.
    Unlimited,
    /// All threads have those of one client.
    One,
    /// Each thread has a client of its own.
    Own,
}

/// With `--max-rate`, threads share the rates of clients.
#[divan::bench(threads = [1, 2], args = [Clients::Unlimited, Clients::One, Clients::Own], min_time = 1)]
fn twamp_41_octets_by_threads(bencher: Bencher<'_, '_>, clients: Clients) {
    const PACKETS: u32 = 64 * BATCH;
    static MADE: AtomicU32 = AtomicU32::new(0);
    let rates = Arc::new(ClientRates::new(u32::MAX, 2));
    let rates = (!matches!(clients, Clients::Unlimited)).then_some(&rates);
    let request = filled(&twamp(41));
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| {
            let reflector = SessionReflector::new(ReflectorConfig::default());
            let number = match clients {
                Clients::Unlimited | Clients::One => 0,
                Clients::Own => MADE.fetch_add(1, Ordering::Relaxed) % 1_024,
            };
            (reflector.sharing_rates(rates), arrival(number << 4))
        })
        .bench_refs(|(reflector, arrival)| {
            let mut buffer = vec![0; 64];
            for packet in 0..u64::from(PACKETS) {
                if let Some(slot) = buffer.get_mut(..request.len()) {
                    slot.copy_from_slice(&request);
                }
                let now = Mono::from_ns(1_000_000_000 + packet * 5_000);
                let answer = reflector.reflect(now, &mut buffer, request.len(), arrival);
                assert!(divan::black_box(answer).is_ok());
            }
        });
}

#[divan::bench(min_time = 1)]
fn stamp_44_octets(bencher: Bencher<'_, '_>) {
    run(
        bencher,
        ReflectorConfig::default(),
        1,
        &[0; StampSender::OCTETS],
        in_turn,
    );
}

/// With so many keys, each for its own prefix: HMAC verified, and made for the reply.
#[divan::bench(args = [1, 100_000], min_time = 1)]
fn stamp_authenticated_112_octets(bencher: Bencher<'_, '_>, keys: u32) {
    let (reflector, key) = keyed(keys);
    run_paced(bencher, reflector, 1, &signed(&key), 5_000, in_turn);
}

/// Costs less than a right one.
#[divan::bench(args = [1, 100_000], min_time = 1)]
fn stamp_with_a_wrong_hmac_112_octets(bencher: Bencher<'_, '_>, keys: u32) {
    let (reflector, key) = keyed(keys);
    let mut request = signed(&key);
    if let Some(last) = request.last_mut() {
        *last ^= 1;
    }
    run_paced(bencher, reflector, 0, &request, 5_000, |_, _| 0);
}

/// What each of these has in a request: Class of Service, Location, Timestamp Information, Direct
/// Measurement.
const FOUR: [&[u8]; 4] = [
    &[0x80, 4, 0, 4, 46 << 2, 0, 0, 0],
    &[0x80, 2, 0, 4, 0, 0, 0, 0],
    &[0x80, 3, 0, 4, 0, 0, 0, 0],
    &[0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
];

/// Behind an open base packet.
#[divan::bench(min_time = 1)]
fn stamp_four_tlvs(bencher: Bencher<'_, '_>) {
    let request = [[0; StampSender::OCTETS].as_slice(), &FOUR.concat()].concat();
    run(bencher, ReflectorConfig::default(), 1, &request, in_turn);
}

/// Behind an authenticated base packet, with an HMAC TLV: two HMACs verified and two made.
#[divan::bench(min_time = 1)]
fn stamp_authenticated_four_tlvs(bencher: Bencher<'_, '_>) {
    let (reflector, key) = keyed(1);
    let request = [signed(&key), FOUR.concat(), hmac_tlv(&key, &FOUR.concat())].concat();
    run_paced(bencher, reflector, 1, &request, 5_000, in_turn);
}

/// The TLVs are flagged and not processed.
#[divan::bench(min_time = 1)]
fn stamp_four_tlvs_with_a_wrong_hmac(bencher: Bencher<'_, '_>) {
    let (reflector, key) = keyed(1);
    let hmac = hmac_tlv(&key, &[]);
    let request = [signed(&key), FOUR.concat(), hmac].concat();
    run_paced(bencher, reflector, 1, &request, 5_000, in_turn);
}

/// As many as there may be in a datagram, and a tenth: the cost is linear.
#[divan::bench(args = [1_000, 10_000], min_time = 1)]
fn stamp_tlvs(bencher: Bencher<'_, '_>, tlvs: usize) {
    let one = [0x80, 200, 0, 2, 1, 2];
    let request = [[0; StampSender::OCTETS].as_slice(), &one.repeat(tlvs)].concat();
    run(bencher, ReflectorConfig::default(), 1, &request, in_turn);
}

/// An HMAC TLV behind a packet with number 0 and these TLVs.
fn hmac_tlv(key: &StampKey, before: &[u8]) -> Vec<u8> {
    let digest = key.sign(&[&[0; 4], before]);
    [[0x80, 8, 0, 16].as_slice(), &digest].concat()
}

/// A reflector with keys for the first addresses, and the key of the first.
fn keyed(keys: u32) -> (SessionReflector, StampKey) {
    let key = |number: u32| StampKey::new(&[number.to_be_bytes(); 8].concat()).ok();
    let all = (0..keys).filter_map(|number| {
        let prefix = IpNet::from(arrival(number << 4).from.ip());
        Some((KeyScope::Prefix(prefix), key(number)?))
    });
    let mut reflector = SessionReflector::new(ReflectorConfig::default());
    reflector.set_keys(Arc::new(StampKeys::new(all)));
    let Some(first) = key(0) else {
        unreachable!("a key of 32 octets is long enough")
    };
    (reflector, first)
}

fn signed(key: &StampKey) -> Vec<u8> {
    let mut request = vec![0; StampSenderAuthenticated::OCTETS];
    if let Ok((base, _)) = StampSenderAuthenticated::view_mut(&mut request) {
        base.t1 = WireTime::ntp(NOW);
        base.error = ErrorEstimate::from_bits(1);
    }
    key.seal(&mut request);
    request
}

#[divan::bench(min_time = 1)]
fn stateless(bencher: Bencher<'_, '_>) {
    let config = ReflectorConfig {
        stateful: false,
        ..ReflectorConfig::default()
    };
    run(bencher, config, 1, &twamp(41), in_turn);
}

/// Negotiated sessions of one port, at random: plain ones, and with every feature there is.
#[divan::bench(args = [(1, 1), (1_000, 1), (100_000, 1), (1, 0x361), (100_000, 0x361)], min_time = 1)]
fn agreed_72_octets(bencher: Bencher<'_, '_>, (live, modes): (u32, u32)) {
    let mut reflector = SessionReflector::for_negotiated(NegotiatedConfig::default());
    for session in 0..live {
        let mut sid = Sid::default();
        sid.0[..4].copy_from_slice(&session.to_be_bytes());
        let spec = SessionSpec {
            sid,
            sender: arrival(session).from,
            modes: Modes::from_bits(modes),
            dscp: Dscp::EF,
            padding_length: 27,
            timeout: Duration::from_secs(2),
            refwait: Duration::from_mins(15),
            padding_to_reflect: 16,
            server_octets: 0,
            nat: None,
            begins: None,
        };
        assert_eq!(reflector.open(spec, 862, None), Ok(()));
        reflector.start(spec.sid, Mono::from_ns(1_000_000_000));
    }
    let request = filled(&twamp(72));
    let mut buffer = request.clone();
    let now = Mono::from_ns(2_000_000_000);
    let mut packets = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            packets += 1;
            buffer.copy_from_slice(&request);
            let arrival = arrival(at_random(packets, live));
            let reflection = reflector.reflect(now, &mut buffer, request.len(), &arrival);
            if let Ok(reflection) = divan::black_box(reflection) {
                reflector.seal(&reflection, &mut buffer, NOW, ErrorEstimate::from_bits(1));
            }
        }
    });
}

/// Cost of the secured modes for a reflector: a request opened, a reply made and sealed; compared
/// with unsecured packets of the same size.
#[divan::bench(args = [1, 2, 4], min_time = 1)]
fn secured_112_octets(bencher: Bencher<'_, '_>, modes: u32) {
    let (modes, sid) = (Modes::from_bits(modes), Sid([7; 16]));
    let guard = TestGuard::with_keys(modes, &SessionKeys::new([1; 16], [2; 32]), sid);
    let request = first_request(modes, &guard);
    let mut reflector = SessionReflector::for_negotiated(NegotiatedConfig::default());
    let spec = SessionSpec {
        sid,
        sender: arrival(0).from,
        modes,
        dscp: Dscp::EF,
        padding_length: 64,
        timeout: Duration::from_secs(2),
        refwait: Duration::from_mins(15),
        padding_to_reflect: 0,
        server_octets: 0,
        nat: None,
        begins: None,
    };
    assert_eq!(reflector.open_guarded(spec, guard, 862, None), Ok(()));
    reflector.start(sid, Mono::from_ns(1_000_000_000));
    let mut buffer = request.clone();
    let (now, arrival) = (Mono::from_ns(2_000_000_000), arrival(0));
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            buffer.copy_from_slice(&request);
            let reflection = reflector.reflect(now, &mut buffer, request.len(), &arrival);
            let reflection = reflection.unwrap_or_else(|ignored| panic!("{ignored:?}"));
            reflector.seal(&reflection, &mut buffer, NOW, ErrorEstimate::from_bits(1));
            divan::black_box(&buffer);
        }
    });
}

fn first_request(modes: Modes, guard: &TestGuard) -> Vec<u8> {
    let start = Mono::from_ns(1_000_000_000);
    let mut sender = SessionSender::new(SenderConfig {
        wire: Wire::twamp(TestFeatures {
            modes,
            ..TestFeatures::default()
        }),
        far: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 862),
        start,
        schedule: Schedule::every(Duration::from_millis(1)),
        limit: Limit::Count(1),
        timeout: Duration::from_secs(2),
        payload: PayloadSize::Fixed(112),
        fill: Fill::Random,
        seed: 7,
        max_burst: 10,
        error: ErrorEstimate::from_bits(1),
        tai_offset_s: 37,
        await_tx_stamps: false,
    })
    .guarded(guard.clone());
    let mut packet = vec![0; sender.largest_payload()];
    if let Some(transmit) = sender.poll_transmit(start, &mut packet) {
        let wall = NOW;
        sender.finish(&mut packet, transmit, ClockPair { mono: start, wall });
    }
    packet
}

/// The table is full of sessions in use: strangers are answered without state.
#[divan::bench(min_time = 1)]
fn a_flood_of_sources(bencher: Bencher<'_, '_>) {
    let config = ReflectorConfig {
        max_sessions: 100_000,
        ..ReflectorConfig::default()
    };
    run(bencher, config, u32::MAX, &twamp(41), at_random);
}

/// Every client also has its own bucket.
#[divan::bench(args = LIVE, min_time = 1)]
fn with_a_rate_limit_sessions_at_random(bencher: Bencher<'_, '_>, live: u32) {
    let config = ReflectorConfig {
        policy: ReflectorPolicy {
            max_rate_pps: Some(1_000_000_000),
            ..ReflectorPolicy::default()
        },
        ..ReflectorConfig::default()
    };
    run(bencher, config, live, &twamp(41), at_random);
}

/// Which session sends the next packet: the number of packets before it, and of live sessions.
type Order = fn(u64, u32) -> u32;

fn in_turn(packet: u64, live: u32) -> u32 {
    u32::try_from(packet % u64::from(live)).unwrap_or(0)
}

fn at_random(packet: u64, live: u32) -> u32 {
    let mixed = (packet ^ (packet >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as u32 % live
}

fn run(bencher: Bencher<'_, '_>, config: ReflectorConfig, live: u32, request: &[u8], order: Order) {
    let reflector = SessionReflector::new(config);
    run_paced(bencher, reflector, live, &filled(request), 5_000, order);
}

fn run_paced(
    bencher: Bencher<'_, '_>,
    mut reflector: SessionReflector,
    live: u32,
    request: &[u8],
    pause_ns: u64,
    order: Order,
) {
    let mut buffer = vec![0; request.len().max(44)];
    let mut now_ns = 1_000_000_000;
    let mut packet = |session: u32| {
        now_ns += pause_ns;
        if let Some(slot) = buffer.get_mut(..request.len()) {
            slot.copy_from_slice(request);
        }
        let reflection = reflector.reflect(
            Mono::from_ns(now_ns),
            &mut buffer,
            request.len(),
            &arrival(session),
        );
        if let Ok(reflection) = &reflection {
            reflector.seal(reflection, &mut buffer, NOW, ErrorEstimate::from_bits(1));
        }
        reflection
    };
    for session in 0..live.min(200_000) {
        assert!(packet(session).is_ok());
    }
    let mut packets = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            packets += 1;
            let _reflection = divan::black_box(packet(order(packets, live)));
        }
    });
}

/// With the fields that a sender writes.
fn filled(request: &[u8]) -> Vec<u8> {
    let mut request = request.to_vec();
    if let Ok((head, _)) = SenderOpen::view_mut(&mut request) {
        head.seq.set(7);
        head.t1 = WireTime::ntp(NOW);
        head.error = ErrorEstimate::from_bits(1);
    }
    request
}

fn twamp(octets: usize) -> Vec<u8> {
    let mut request = vec![0; octets];
    let mut state = 1_u32;
    for octet in request.iter_mut().skip(SenderOpen::OCTETS) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *octet = state.to_be_bytes()[0];
    }
    request
}

fn arrival(session: u32) -> Arrival {
    Arrival {
        to: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        to_port: 862,
        ttl: Some(64),
        tos: Some(Dscp::EF.tos()),
        interface: 2,
        ..Arrival::new(
            Stamp {
                at: NOW,
                rung: Rung::Kernel,
            },
            SocketAddr::new(
                IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | (session >> 4))),
                20_000 + (session & 15) as u16,
            ),
        )
    }
}
