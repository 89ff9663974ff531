//! Further replies to requests, each held to the first (RFC 10052).

use std::time::Duration;

use twinpath_proto::reflector::{Reflection, SessionReflector};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Mono, TlvFlags, TlvHeader, TlvType, Tlvs, Wall,
};

/// First replies that others follow, each of which has its place for a socket.
#[derive(Default)]
pub(crate) struct Copies {
    firsts: Vec<Vec<u8>>,
    granted: u64,
    seen: u64,
}

impl Copies {
    /// A first reply was sent.
    pub(crate) fn follow(
        &mut self,
        reflector: &mut SessionReflector,
        now: Mono,
        reflection: &Reflection,
        reply: Vec<u8>,
        arrival: &Arrival,
    ) {
        let socket = self.firsts.len() as u64;
        reflector.add_copies(now, reflection, &reply, arrival, socket);
        self.granted += u64::from(reflection.effects().copies());
        self.firsts.push(reply);
    }

    /// Takes the further replies that are due in this time, every millisecond: each is the first but for
    /// its number, T3, what the reflector counts and HMACs, which are right.
    pub(crate) fn check(
        &mut self,
        reflector: &mut SessionReflector,
        (mut now, until): (Mono, Mono),
        key: &StampKey,
    ) {
        while now <= until {
            self.check_due(reflector, now, key);
            now += Duration::from_millis(1);
        }
    }

    fn check_due(&mut self, reflector: &mut SessionReflector, now: Mono, key: &StampKey) {
        while let Some(socket) = reflector.next_copy(now) {
            let first = usize::try_from(socket).ok();
            let first = first.and_then(|at| self.firsts.get(at));
            let first = first.expect("a socket of another");
            let mut buffer = vec![0; first.len()];
            let Some(copy) = reflector.write_copy(now, &mut buffer) else {
                continue;
            };
            reflector.handle_copy_sent(true);
            assert_eq!(copy.reflection.octets, first.len());
            let t3 = Wall::from_unix_ns(1_795_392_000_123_456_789) + Delta::from_ns(7);
            let error = ErrorEstimate::from_bits(1);
            reflector.seal(&copy.reflection, &mut buffer, t3, error);
            is_like(&buffer, first, key);
            self.seen += 1;
        }
    }

    /// All were sent, or are counted as missing. How many were sent.
    pub(crate) fn finish(
        mut self,
        reflector: &mut SessionReflector,
        time: (Mono, Mono),
        key: &StampKey,
    ) -> u64 {
        self.check(reflector, time, key);
        reflector.end_copies(None);
        assert_eq!(reflector.next_copy(Mono::from_ns(u64::MAX)), None);
        let control = reflector.counters().control;
        assert_eq!(control.copies, self.seen);
        let all = control.copies + control.copies_not_sent;
        assert_eq!(all, self.granted, "{control:?}");
        self.seen
    }
}

fn is_like(copy: &[u8], first: &[u8], key: &StampKey) {
    let is_authenticated = first.get(4..16) == Some([0; 12].as_slice());
    let (base, error, until) = if is_authenticated {
        assert!(key.opens(copy), "a reply with a wrong HMAC");
        (112, 24, 96)
    } else {
        (44, 12, 44)
    };
    let fields = |reply: &[u8]| reply.get(error..until).map(<[u8]>::to_vec);
    assert_eq!(fields(copy), fields(first), "other fields");
    let chain = |reply: &[u8]| reply.get(base..).unwrap_or_default().to_vec();
    let (copied, firsts) = (chain(copy), chain(first));
    let mut at = 0;
    for (tlv, before) in Tlvs::new(&copied).zip(Tlvs::new(&firsts)) {
        let (Ok(tlv), Ok(before)) = (tlv, before) else {
            break;
        };
        assert_eq!(tlv.header, before.header, "another TLV");
        let is_used = tlv.header.flags == TlvFlags(0);
        match tlv.header.kind {
            TlvType::HMAC if is_used => {
                let number = copy.get(..4).unwrap_or_default();
                let digest = key.sign(&[number, copied.get(..at).unwrap_or_default()]);
                assert_eq!(tlv.value, digest, "a wrong HMAC TLV");
            }
            TlvType::DIRECT_MEASUREMENT | TlvType::FOLLOW_UP_TELEMETRY if is_used => {}
            _ => assert_eq!(tlv.value, before.value, "another value"),
        }
        at += TlvHeader::OCTETS + tlv.value.len();
    }
}
