//! Replies that follow the first one to a request (RFC 10052), out of a whole reflector.

use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::extension::{ControlPolicy, ExtensionPolicy, SyncSource};
use twinpath_proto::reflector::{
    Access, ControlCounters, Reflection, ReflectorConfig, SessionReflector,
};
use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, Rung, Stamp, StampSenderAuthenticated, Wall, WireTime,
};

use super::engine::{self, rounded, t3};
use super::hex;
use super::rig::Rig;
use crate::stamp::{known_answers, known_key, octets, packet};

pub(super) const SOCKET: u64 = 9;
pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const START: Mono = Mono::from_ns(1_000_000_000);
/// Three replies, 1 ms apart, no longer than they must be.
pub(super) const THREE: [u8; 16] = [0x80, 12, 0, 12, 0, 0, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];

/// A reflector, and what it sent last.
pub(super) struct Far {
    pub(super) reflector: SessionReflector,
    pub(super) arrival: Arrival,
    /// The longest packet is this long.
    pub(super) buffer: Vec<u8>,
}

impl Far {
    pub(super) fn new(change: impl FnOnce(&mut ReflectorConfig)) -> Self {
        let rig = Rig::new().allowing_control();
        let mut config = ReflectorConfig {
            extensions: rig.policy,
            ..ReflectorConfig::default()
        };
        change(&mut config);
        let mut reflector = SessionReflector::new(config);
        reflector.set_host(Arc::new(rig.host));
        reflector.set_keys(keys());
        Self::of(reflector, rig.arrival)
    }

    fn of(reflector: SessionReflector, arrival: Arrival) -> Self {
        Self {
            reflector,
            arrival,
            buffer: vec![0xee; 1 << 16],
        }
    }

    pub(super) fn limited(change: impl FnOnce(&mut ControlPolicy)) -> Self {
        Self::new(|config| change(config.extensions.control.as_mut().unwrap()))
    }

    /// The first reply to a request, after which others may follow.
    pub(super) fn ask(&mut self, now: Mono, request: &[u8]) -> Vec<u8> {
        let (reply, reflection) = self.first(now, request);
        self.reflector
            .add_copies(now, &reflection, &reply, &self.arrival, SOCKET);
        reply
    }

    fn first(&mut self, now: Mono, request: &[u8]) -> (Vec<u8>, Reflection) {
        self.buffer[..request.len()].copy_from_slice(request);
        let (buffer, arrival) = (&mut self.buffer, &self.arrival);
        let reflection = self
            .reflector
            .reflect(now, buffer, request.len(), arrival)
            .unwrap();
        (self.sealed(&reflection), reflection)
    }

    fn sealed(&mut self, reflection: &Reflection) -> Vec<u8> {
        let reply = &mut self.buffer[..reflection.octets];
        let error = ErrorEstimate::from_bits(0x8001);
        self.reflector.seal(reflection, reply, t3(), error);
        reply.to_vec()
    }

    /// The further reply that is due at `now`.
    fn copy(&mut self, now: Mono) -> Option<Vec<u8>> {
        assert_eq!(self.reflector.next_copy(now)?, SOCKET);
        let copy = self.reflector.write_copy(now, &mut self.buffer)?;
        self.reflector.handle_copy_sent(true);
        Some(self.sealed(&copy.reflection))
    }

    /// How many follow within a second.
    pub(super) fn copies(&mut self, from: Mono) -> usize {
        let times = (0..1_000).map(|ms| from + MS * ms);
        times.filter_map(|now| self.copy(now)).count()
    }

    /// Further replies that were sent, late and not sent.
    fn counts(&self) -> [u64; 3] {
        let control = self.reflector.counters().control;
        [control.copies, control.copies_late, control.copies_not_sent]
    }
}

fn keys() -> Arc<StampKeys> {
    Arc::new(StampKeys::new([(KeyScope::Default, known_key())]))
}

/// An open request with these TLVs.
pub(super) fn open(seq: u32, tlvs: &[u8]) -> Vec<u8> {
    let mut request = [&[0; 44], tlvs].concat();
    request[..4].copy_from_slice(&seq.to_be_bytes());
    request[13] = 1;
    request
}

fn number(reply: &[u8]) -> u32 {
    u32::from_be_bytes(reply[..4].try_into().unwrap())
}

#[test]
fn further_replies_are_the_known_answers() {
    let case = &known_answers()["control_burst"];
    let request = packet(case, "request").unwrap();
    let replies: Vec<String> = case["replies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reply| hex(&rounded(octets(reply.as_str().unwrap()))))
        .collect();
    assert_eq!(replies.len(), 3);
    let (reflector, arrival) = engine::reflector("control_burst", true);
    let mut far = Far::of(reflector, arrival);
    assert_eq!(hex(&far.ask(START, &request)), replies[0]);
    for (nth, expected) in (1..).zip(&replies[1..]) {
        far.buffer.fill(0xee);
        assert_eq!(far.reflector.poll_timeout(), Some(START + MS * nth));
        assert_eq!(far.copy(START + MS * nth - Duration::from_nanos(1)), None);
        let reply = far.copy(START + MS * nth).unwrap();
        assert_eq!(&hex(&reply), expected, "{nth}");
    }
    assert_eq!(far.copies(START), 0);
    assert_eq!(far.counts(), [2, 0, 0]);
    assert_eq!(far.reflector.counters().control.granted, 1);
    assert_eq!(far.reflector.counters().reflected, 1);
}

#[test]
fn a_further_reply_has_counts_and_an_hmac_of_its_own_and_tells_of_the_one_before() {
    let key = known_key();
    let tlvs: &[u8] = &[0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let follow_up = [&[0x80, 7, 0, 16][..], &[0; 16]].concat();
    let signed = |seq: u32| {
        let chain = [&THREE[..], tlvs, &follow_up].concat();
        let digest = key.sign(&[&seq.to_be_bytes(), &chain]);
        open(seq, &[&chain[..], &[0x80, 8, 0, 16], &digest].concat())
    };
    let mut far = Far::new(|_| ());
    let left = |number: u32| t3() + Delta::from_ns(1_000 * i64::from(number));
    for (request, at) in [(0, START), (1, START + MS * 2)] {
        // Number, R_RxC, R_TxC: the second request comes between the replies to the first.
        let firsts = [[0, 1, 1], [2, 2, 3]];
        let others = [[1, 1, 2], [3, 2, 4], [4, 2, 5], [5, 2, 6]];
        let count = usize::try_from(request).unwrap();
        let mut seen = vec![(firsts[count], far.first(at, &signed(request)))];
        let (reply, reflection) = seen[0].1.clone();
        far.reflector
            .add_copies(at, &reflection, &reply, &far.arrival, SOCKET);
        let due = [&others[..1], &others[1..]][count];
        for (nth, counts) in (1..).zip(due) {
            sent(&mut far.reflector, &seen.last().unwrap().1, left);
            let now = at + MS * nth;
            assert_eq!(far.reflector.next_copy(now), Some(SOCKET));
            let copy = far.reflector.write_copy(now, &mut far.buffer).unwrap();
            seen.push((*counts, (far.sealed(&copy.reflection), copy.reflection)));
        }
        sent(&mut far.reflector, &seen.last().unwrap().1, left);
        for (counts, (reply, _)) in seen {
            let word = |at: usize| u32::from_be_bytes(reply[at..at + 4].try_into().unwrap());
            assert_eq!([word(0), word(44 + 24), word(44 + 28)], counts);
            let follow_up = &reply[44 + 32..][..20];
            if let Some(before) = word(0).checked_sub(1) {
                assert_eq!(follow_up[4..8], before.to_be_bytes());
                let time = WireTime::ntp(left(before)).bits();
                assert_eq!(follow_up[8..16], time.to_be_bytes());
            } else {
                assert_eq!(follow_up[4..], [0; 16]);
            }
            let digest = key.sign(&[&reply[..4], &reply[44..44 + 52]]);
            assert_eq!(reply[44 + 56..], digest, "{counts:?}");
        }
    }
}

/// A reply left, when its number says.
fn sent(
    reflector: &mut SessionReflector,
    (reply, reflection): &(Vec<u8>, Reflection),
    left: impl Fn(u32) -> Wall,
) {
    let at = left(number(reply));
    let rung = Rung::Kernel;
    reflector.handle_reply_sent(reflection.token.unwrap(), Stamp { at, rung });
}

#[test]
fn further_replies_to_authenticated_requests_have_hmacs_of_their_own() {
    let key = known_key();
    let mut request = vec![0; StampSenderAuthenticated::OCTETS];
    request[25] = 1;
    let digest = key.sign(&[&[0; 4], &THREE]);
    request.extend([&THREE[..], &[0x80, 8, 0, 16], &digest].concat());
    key.seal(&mut request);
    // What is authenticated needs no permission to be open.
    let mut far = Far::limited(|control| control.unauthenticated = false);
    let first = far.ask(START, &request);
    for nth in 0..3 {
        let reply = match nth {
            0 => first.clone(),
            _ => far.copy(START + MS * nth).unwrap(),
        };
        assert_eq!(number(&reply), nth);
        assert!(key.opens(&reply), "{nth}");
        let digest = key.sign(&[&reply[..4], &reply[112..128]]);
        assert_eq!(reply[132..], digest, "{nth}");
    }
}

#[test]
fn without_state_all_have_the_number_of_the_request() {
    let mut far = Far::new(|config| config.stateful = false);
    let first = far.ask(START, &open(7, &THREE));
    let second = far.copy(START + MS).unwrap();
    assert_eq!(number(&first), 7);
    assert_eq!(first, second);
}

#[test]
fn deadlines_count_from_the_first_reply_and_what_is_late_is_not_caught_up_with() {
    let mut six = THREE;
    six[7] = 6;
    let mut far = Far::new(|_| ());
    far.ask(START, &open(0, &six));
    let us = |us: u64| START + Duration::from_micros(us);
    for (now, next) in [
        (1_000, 2_000),
        // A little late: the next keeps its time.
        (2_400, 3_000),
        // By an interval: the others come as much later.
        (4_000, 5_000),
        (5_900, 6_000),
    ] {
        assert!(far.copy(us(now)).is_some(), "{now}");
        assert_eq!(far.copy(us(next) - Duration::from_nanos(1)), None, "{now}");
        assert_eq!(far.reflector.poll_timeout(), Some(us(next)), "{now}");
    }
    assert!(far.copy(us(6_000)).is_some());
    assert_eq!(far.counts(), [5, 1, 0]);
    let latest = far.reflector.counters().control.latest_copy_ns;
    assert_eq!(latest, 1_000_000);
}

#[test]
fn a_burst_ends_with_its_session_its_socket_its_keys_and_its_reflector() {
    type End = fn(&mut Far);
    let ends: [(End, bool); 6] = [
        (|far| far.reflector.end_copies(Some(SOCKET)), true),
        (|far| far.reflector.end_copies(None), true),
        (|far| far.reflector.set_keys(keys()), true),
        // Its idle time is over, or another run has begun from the same port.
        (
            |far| {
                far.reflector
                    .handle_timeout(START + Duration::from_hours(1));
            },
            true,
        ),
        (
            |far| {
                far.ask(START + Duration::from_secs(2), &open(0, &[]));
            },
            true,
        ),
        (|far| far.reflector.end_copies(Some(SOCKET + 1)), false),
    ];
    for (nth, (end, is_end)) in (0..).zip(ends) {
        let mut far = Far::new(|_| ());
        far.ask(START, &open(1, &THREE));
        end(&mut far);
        assert_eq!(far.copies(START) == 0, is_end, "{nth}");
        let lost = if is_end { 2 } else { 0 };
        assert_eq!(far.counts(), [2 - lost, 0, lost], "{nth}");
    }
}

#[test]
fn a_burst_ends_with_other_limits() {
    let mut far = Far::new(|_| {});
    assert_eq!(number(&far.ask(START, &open(5, &THREE))), 0);
    let limits = ReflectorConfig {
        extensions: Rig::new().policy,
        ..ReflectorConfig::default()
    };
    far.reflector.set_config(limits, None);
    assert_eq!((far.copies(START), far.counts()), (0, [0, 0, 2]));
    // The number of the reply that was not sent is the next one's.
    assert_eq!(number(&far.ask(START + MS, &open(6, &THREE))), 1);
    assert_eq!(far.copies(START + MS), 0);
}

#[test]
fn each_further_reply_counts_against_the_rate_of_its_client() {
    let mut far = Far::new(|config| config.policy.max_rate_pps = Some(2));
    far.ask(START, &open(0, &THREE));
    let numbers: Vec<u32> = (1..=2)
        .filter_map(|nth| far.copy(START + MS * nth))
        .map(|reply| number(&reply))
        .collect();
    // What is not sent uses no number.
    assert_eq!(numbers, [1]);
    assert_eq!(far.counts(), [1, 0, 1]);
    let later = START + Duration::from_secs(5);
    assert_eq!(number(&far.ask(later, &open(1, &[]))), 2);
}

#[test]
fn all_sessions_share_one_budget_of_octets() {
    // 60 octets each: ten bursts of three, and not one reply more.
    let mut far = Far::limited(|control| control.octets = 10 * 3 * 60);
    for port in 0..10 {
        far.arrival.from.set_port(40_000 + port);
        let reply = far.ask(START, &open(0, &THREE));
        assert_eq!((reply.len(), reply[44]), (60, 0), "{port}");
    }
    let mut one = THREE;
    one[7] = 1;
    for (port, tlvs) in [(50_000, THREE), (50_001, one)] {
        far.arrival.from.set_port(port);
        assert_eq!(far.ask(START, &open(1, &tlvs))[44], 0x10);
    }
    let control = far.reflector.counters().control;
    assert_eq!((control.granted, control.over_limit), (10, 2));
    // 180 octets at 1 MB/s.
    far.arrival.from.set_port(50_002);
    let later = START + Duration::from_micros(180);
    assert_eq!(far.ask(later, &open(1, &THREE))[44], 0);
}

#[test]
fn single_replies_that_are_longer_than_their_requests_are_within_the_budget_too() {
    // As long as the MTU, and longer.
    for octets in [1_472_u16, u16::MAX] {
        let mut far = Far::limited(|control| {
            (control.octets, control.octets_per_s) = (5_000, 1_000);
        });
        let mut one = THREE;
        one[4..6].copy_from_slice(&octets.to_be_bytes());
        one[7] = 1;
        let mut longer = 0;
        for port in 0..20 {
            far.arrival.from.set_port(40_000 + port);
            let reply = far.ask(START, &open(0, &one));
            longer += reply.len() - 60;
            let is_met = octets == 1_472 && port < 3;
            assert_eq!(reply[44] == 0, is_met, "{octets} {port}");
        }
        assert_eq!(longer, 3 * (1_472 - 60), "{octets}");
    }
}

#[test]
fn bursts_beyond_the_table_are_over_the_limit() {
    // By their number, and by the octets of their replies.
    for (octets, bursts) in [(60, 256), (60_000, 17)] {
        let mut far = Far::limited(|control| {
            (control.octets, control.octets_per_s) = (u64::MAX, u64::MAX);
        });
        far.reflector
            .set_host(Arc::new(super::rig::host(65_535, SyncSource::Ntp)));
        let mut tlv = THREE;
        tlv[4..6].copy_from_slice(&u16::to_be_bytes(octets));
        for port in 0..bursts + 3 {
            far.arrival.from.set_port(40_000 + port);
            let flags = far.ask(START, &open(0, &tlv))[44];
            assert_eq!(
                flags,
                if port < bursts { 0 } else { 0x10 },
                "{octets} {port}"
            );
        }
        for nth in 1..3 {
            for _ in 0..bursts {
                assert!(far.copy(START + MS * nth).is_some());
            }
        }
        assert_eq!(far.counts(), [2 * u64::from(bursts), 0, 0]);
        // All have room again.
        assert_eq!(far.ask(START + MS * 3, &open(1, &tlv))[44], 0);
    }
}

#[test]
fn requests_for_several_replies_are_counted_by_their_answer() {
    let no_reply = [0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0];
    let mut long = THREE;
    long[4] = 0xff;
    let mut fast = THREE;
    fast[8..12].fill(0);
    let mut far = Far::limited(|control| control.replies = 3);
    for (seq, tlvs) in [
        (1, THREE.to_vec()),
        (1, THREE.to_vec()),
        (2, [&THREE[..], &no_reply].concat()),
        (3, fast.to_vec()),
        (4, long.to_vec()),
    ] {
        far.ask(START, &open(seq, &tlvs));
    }
    let control = far.reflector.counters().control;
    let counts = [
        control.granted,
        control.repeated,
        control.contradictory,
        control.over_limit,
        control.over_mtu,
        control.not_allowed,
    ];
    assert_eq!(counts, [1, 1, 1, 1, 1, 0]);
    let mut far = Far::limited(|control| control.unauthenticated = false);
    far.ask(START, &open(1, &THREE));
    assert_eq!(far.reflector.counters().control.not_allowed, 1);
    // Not enabled at all, it is a type like others that are not known.
    let mut far = Far::new(|config| config.extensions = ExtensionPolicy::default());
    far.ask(START, &open(1, &THREE));
    assert_eq!(far.reflector.counters().control, ControlCounters::default());
}

#[test]
fn several_replies_go_to_another_address_where_both_permissions_cover_it() {
    let address = [0x80, 10, 0, 8, 0x80, 2, 0, 4, 198, 51, 100, 9];
    let net = |text: &str| text.parse().unwrap();
    let of = |control: &[&str], chain: &[&[u8]]| {
        let mut far = Far::new(|config| {
            let allow: Vec<_> = control.iter().map(|text| net(text)).collect();
            config.extensions.control.as_mut().unwrap().allow = Access::only(&allow);
            config.extensions.return_addresses = Access::only(&[net("198.51.100.0/24")]);
        });
        let (reply, reflection) = far.first(START, &open(1, &chain.concat()));
        let flags: Vec<u8> = if reply[45] == 12 {
            vec![reply[44], reply[60]]
        } else {
            vec![reply[56], reply[44]]
        };
        let to = reflection.effects().destination.map(|to| to.to_string());
        (flags, reflection.effects().copies(), to)
    };
    let elsewhere = Some("198.51.100.9".to_owned());
    let both = ["192.0.2.0/24", "198.51.100.9/32"];
    // In whatever order.
    for chain in [[&THREE[..], &address], [&address[..], &THREE]] {
        assert_eq!(of(&both, &chain), (vec![0, 0], 2, elsewhere.clone()));
        assert_eq!(
            of(&both[..1], &chain),
            (vec![0x80, 0], 0, elsewhere.clone())
        );
    }
}

#[test]
fn replies_that_cannot_go_their_way_all_go_the_ordinary_one() {
    let same_link = [0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 1];
    let mut far = Far::new(|_| ());
    let request = open(1, &[&THREE[..], &same_link].concat());
    let (mut reply, mut reflection) = far.first(START, &request);
    assert!(reflection.effects().same_link);
    let peer = far.arrival.from.ip();
    far.reflector
        .withdraw_way(&mut reflection, &mut reply, peer);
    far.reflector
        .add_copies(START, &reflection, &reply, &far.arrival, SOCKET);
    let copy = far.copy(START + MS).unwrap();
    // U in the TLV and in its sub-TLV, as where it was refused at once.
    assert_eq!([copy[44], copy[60], copy[64]], [0, 0x80, 0x80]);
    assert_eq!(copy[44..], reply[44..]);
}

#[test]
fn every_reply_has_the_dscp_that_was_asked_for() {
    let cos = [0x80, 4, 0, 4, 46 << 2, 0, 0, 0];
    let mut far = Far::new(|_| ());
    far.ask(START, &open(1, &[&THREE[..], &cos].concat()));
    for nth in 1..3 {
        let copy = far.reflector.write_copy(START + MS * nth, &mut far.buffer);
        assert_eq!(copy.unwrap().reflection.tos.dscp().value(), 46);
    }
}
