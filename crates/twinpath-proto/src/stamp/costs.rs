//! What packets cost in HMACs, by far the dearest part of them: each is computed once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use twinpath_wire::{Arrival, ErrorEstimate, Mono, Rung, Stamp, Tos, Wall};

use super::key::COMPUTED;
use super::{KeyScope, StampKey, StampKeys};
use crate::extension::{AskedTlv, MemberLink, RequestChain};
use crate::reflector::{Ignored, ReflectorConfig, SessionReflector, Verified};
use crate::sender::{Fill, Limit, PayloadSize, Schedule, SenderConfig, SessionSender, Wire};
use crate::{ClockPair, TestGuard};

const NEAR: &str = "192.0.2.1:40000";
const FAR: &str = "192.0.2.2:862";
const START: Mono = Mono::from_ns(1_000_000_000);
const ERROR: ErrorEstimate = ErrorEstimate::from_bits(0x8001);

fn key(octet: u8) -> StampKey {
    StampKey::new(&[octet; 16]).unwrap()
}

fn wall(at: Mono) -> Wall {
    Wall::from_unix_ns(1_795_392_000_000_000_000 + at.ns().cast_signed())
}

/// HMACs that `compute` computes.
fn hmacs<T>(compute: impl FnOnce() -> T) -> (usize, T) {
    let before = COMPUTED.get();
    let computed = compute();
    (COMPUTED.get() - before, computed)
}

/// A sender of micro-session 3 whose TLVs are signed.
fn sender(is_authenticated: bool) -> SessionSender {
    let tlvs = ["micro-session=3", "direct-measurement", "hmac"];
    let asked: Vec<AskedTlv> = tlvs.iter().map(|tlv| tlv.parse().unwrap()).collect();
    let chain = RequestChain::new(&asked, Tos(0)).unwrap();
    let mut wire = Wire::stamp(9).with_tlvs(chain.octets().try_into().unwrap());
    if is_authenticated {
        wire = wire.authenticated();
    }
    let sender = SessionSender::new(SenderConfig {
        wire,
        far: FAR.parse().unwrap(),
        start: START,
        schedule: Schedule::every(Duration::from_millis(100)),
        limit: Limit::Count(10),
        timeout: Duration::from_secs(2),
        payload: PayloadSize::Fixed(wire.payload_octets(0)),
        fill: Fill::Zero,
        seed: 1,
        max_burst: 10,
        error: ERROR,
        tai_offset_s: 37,
        await_tx_stamps: false,
    });
    let guard = if is_authenticated {
        TestGuard::stamp(key(1))
    } else {
        TestGuard::default()
    };
    sender.guarded(guard).asking(chain, Some(key(1)))
}

fn reflector(change: impl FnOnce(&mut ReflectorConfig)) -> SessionReflector {
    let mut config = ReflectorConfig::default();
    config.extensions.micro_sessions = vec![MemberLink {
        id: 5,
        interface: Some(7),
    }];
    change(&mut config);
    let mut reflector = SessionReflector::new(config);
    let keys = StampKeys::new([(KeyScope::Default, key(1))]);
    reflector.set_keys(Arc::new(keys));
    reflector
}

fn arrival(from: &str, to: &str, at: Mono) -> Arrival {
    let to: SocketAddr = to.parse().unwrap();
    let stamp = Stamp {
        at: wall(at),
        rung: Rung::Kernel,
    };
    Arrival {
        to: Some(to.ip()),
        to_port: to.port(),
        interface: 7,
        ..Arrival::new(stamp, from.parse().unwrap())
    }
}

/// The next request of a sender.
fn request(sender: &mut SessionSender, at: Mono) -> Vec<u8> {
    let mut packet = vec![0; 512];
    let transmit = sender.poll_transmit(at, &mut packet).unwrap();
    packet.truncate(transmit.octets);
    let now = ClockPair {
        mono: at,
        wall: wall(at),
    };
    sender.finish(&mut packet, transmit, now);
    packet
}

#[test]
fn each_end_computes_an_hmac_once_for_a_packet() {
    for is_authenticated in [false, true] {
        // The base packet has one too.
        let base = usize::from(is_authenticated);
        let (mut sender, mut reflector) = (sender(is_authenticated), reflector(|_| ()));
        for nth in 0..3 {
            let at = START + Duration::from_millis(100) * nth;
            let (cost, request) = hmacs(|| request(&mut sender, at));
            assert_eq!(cost, base + 1);
            let coming = arrival(NEAR, FAR, at);
            let (cost, other) = hmacs(|| reflector.takes(at, &request, &coming, false));
            assert!(other.is_none() && cost == base + 1, "{cost}");
            let mut buffer = request.clone();
            let (cost, reply) = hmacs(|| {
                let verified = reflector.takes(at, &request, &coming, true);
                let octets = request.len();
                reflector
                    .reflect_verified(at, &mut buffer, octets, &coming, verified?)
                    .ok()
            });
            let reply = reply.unwrap();
            // Both of the request, and that of the reply's TLVs.
            assert_eq!(cost, base + 2);
            let (cost, ()) = hmacs(|| reflector.seal(&reply, &mut buffer, wall(at), ERROR));
            assert_eq!(cost, base);
            let (back, returning) = (at + Duration::from_millis(1), arrival(FAR, NEAR, at));
            for copies in 0..2 {
                let (cost, ()) = hmacs(|| sender.handle_reply(back, &buffer, &returning));
                assert_eq!((cost, sender.counters().duplicates), (base + 1, copies));
                while sender.poll_sample().is_some() {}
            }
            sender = self::sender(is_authenticated);
            for _ in 0..=nth {
                self::request(&mut sender, at + Duration::from_secs(1));
            }
        }
    }
}

/// A setting, and why it refuses a request.
type Refusal = (fn(&mut ReflectorConfig), Ignored);

#[test]
fn what_gets_no_reply_anyway_costs_no_hmac() {
    let refusals: [Refusal; 4] = [
        (
            |config| config.policy.allow = vec!["198.51.100.0/24".parse().unwrap()],
            Ignored::NotAllowed,
        ),
        (
            |config| config.policy.max_rate_pps = Some(0),
            Ignored::RateLimited,
        ),
        (|config| config.ssids = vec![1..=1], Ignored::NoSession),
        (
            |config| config.authenticated_only = true,
            Ignored::Unauthenticated,
        ),
    ];
    for (is_authenticated, cases) in [(true, &refusals[..3]), (false, &refusals)] {
        for (change, why) in cases {
            let mut reflector = reflector(change);
            let request = request(&mut sender(is_authenticated), START);
            let arrival = arrival(NEAR, FAR, START);
            let (cost, told) = hmacs(|| {
                let here = reflector.takes(START, &request, &arrival, false);
                // It is counted once, by the socket over the member.
                assert!(here.is_none());
                let there = reflector.takes(START, &request, &arrival, true).unwrap();
                let (mut buffer, octets) = (request.clone(), request.len());
                reflector.reflect_verified(START, &mut buffer, octets, &arrival, there)
            });
            assert_eq!((cost, told.err()), (0, Some(*why)), "{is_authenticated}");
            assert_eq!(reflector.counters().ignored_as(*why), 1);
        }
    }
}

#[test]
fn what_is_over_the_rate_costs_an_hmac_where_its_session_counts_it() {
    let mut reflector = reflector(|config| config.policy.max_rate_pps = Some(1));
    let mut sender = sender(true);
    let arrival = arrival(NEAR, FAR, START);
    let mut costs = Vec::new();
    for nth in 0..3 {
        let mut request = request(&mut sender, START + Duration::from_millis(100) * nth);
        // A forged one counts in no session.
        let last = request.len() - 1;
        request[last] ^= u8::from(nth == 2);
        let octets = request.len();
        let (cost, told) = hmacs(|| reflector.reflect(START, &mut request, octets, &arrival));
        costs.push((cost, told.err()));
    }
    let refused = Some(Ignored::RateLimited);
    assert_eq!(costs, [(3, None), (2, refused), (2, refused)]);
    // No session from there counts.
    let other = Arrival {
        from: SocketAddr::new(IpAddr::from([192, 0, 2, 1]), 40_001),
        ..arrival
    };
    let mut request = request(&mut sender, START + Duration::from_millis(300));
    let octets = request.len();
    let (cost, told) = hmacs(|| reflector.reflect(START, &mut request, octets, &other));
    assert_eq!((cost, told.err()), (0, refused));
}

#[test]
fn what_was_verified_of_a_request_is_not_verified_again_and_by_default_nothing_was() {
    let mut reflector = reflector(|_| ());
    let mut forged = request(&mut sender(true), START);
    forged[100] ^= 1;
    let (octets, arrival) = (forged.len(), arrival(NEAR, FAR, START));
    let verified = reflector.takes(START, &forged, &arrival, true);
    for (verified, cost) in [(verified.unwrap(), 0), (Verified::default(), 1)] {
        let (computed, told) = hmacs(|| {
            let mut buffer = forged.clone();
            reflector.reflect_verified(START, &mut buffer, octets, &arrival, verified)
        });
        assert_eq!((computed, told.err()), (cost, Some(Ignored::Forged)));
    }
    assert!(reflector.takes(START, &forged, &arrival, false).is_none());
}
