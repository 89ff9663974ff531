//! Signed requests for several replies that were followed, so that none is followed twice (RFC 10052
//! section 5; row SL-14). No HMAC of STAMP covers addresses or ports: a recorded request is right from
//! wherever it is sent, and in whichever session.
//!
//! The HMAC of an authenticated base packet covers T1. So of each key the latest T1 are remembered, and
//! of those that are forgotten the latest one: what is not later than that is refused. A request is
//! followed once as long as the process runs.
//!
//! The HMAC TLV of an open packet covers the Sequence Number and TLVs alone. Its digest is remembered for
//! [`OPEN_FOR`]; while there is no room for one more, none is followed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twinpath_wire::{Mono, Wall};

use crate::stamp::StampKey;

/// How long a request that is signed in its TLVs alone is remembered.
pub(super) const OPEN_FOR: Duration = Duration::from_hours(1);
/// The most of them.
const MOST_OPEN: usize = 65_536;
/// The most authenticated requests remembered of one key, and of all.
const MOST_OF_KEY: usize = 4_096;
const MOST: usize = 65_536;
/// The most keys of which some are.
const MOST_KEYS: usize = 131_072;

/// The requests that were followed, shared by all reflectors of a process.
#[derive(Debug, Default)]
pub struct GrantedRequests(Mutex<Granted>);

#[derive(Debug, Default)]
struct Granted {
    keys: HashMap<u128, KeyMarks>,
    /// Authenticated requests of all keys.
    kept: usize,
    open: HashSet<u128>,
    /// Those in `open` and when each is forgotten, in this order.
    open_until: VecDeque<(Mono, u128)>,
}

/// The requests of one key.
#[derive(Debug, Default)]
struct KeyMarks {
    /// T1 and digest of the latest ones.
    recent: BTreeSet<(Wall, u64)>,
    /// The latest T1 of those that are forgotten.
    forgotten: Option<Wall>,
}

/// What the HMAC of a request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Of an authenticated base packet: the key, named by an HMAC that no packet has; T1; the digest.
    Base { key: u128, t1: Wall, digest: u64 },
    /// Of the TLVs alone.
    Tlvs(u128),
}

/// Whether a request may be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not followed before; from now on it was.
    New,
    /// It was, or it left before others that are forgotten.
    Repeated,
    /// It cannot be remembered.
    Full,
}

impl Proof {
    /// Of a whole authenticated base packet whose HMAC, its end, is right.
    pub(super) fn of_base(key: &StampKey, packet: &[u8], t1: Wall) -> Option<Self> {
        let (_, digest) = packet.split_last_chunk()?;
        Some(Self::Base {
            key: u128::from_be_bytes(key.sign(&[b"name of a key"])),
            t1,
            digest: u64::from_be_bytes(*digest),
        })
    }

    /// Of the digest of an HMAC TLV that is right.
    pub(super) fn of_tlvs(digest: &[u8; 16]) -> Self {
        Self::Tlvs(u128::from_be_bytes(*digest))
    }
}

impl GrantedRequests {
    /// Whether a request may be followed at `now`.
    pub(super) fn take(&self, proof: Proof, now: Mono) -> Verdict {
        let mut granted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match proof {
            Proof::Base { key, t1, digest } => granted.take_base(key, t1, digest),
            Proof::Tlvs(digest) => granted.take_open(digest, now),
        }
    }
}

impl Granted {
    fn take_base(&mut self, key: u128, t1: Wall, digest: u64) -> Verdict {
        if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(&key) {
            return Verdict::Full;
        }
        let marks = self.keys.entry(key).or_default();
        let is_too_old = marks.forgotten.is_some_and(|latest| t1 <= latest);
        if is_too_old || !marks.recent.insert((t1, digest)) {
            return Verdict::Repeated;
        }
        if marks.recent.len() <= MOST_OF_KEY && self.kept < MOST {
            self.kept += 1;
        } else if let Some((t1, _)) = marks.recent.pop_first() {
            marks.forgotten = marks.forgotten.max(Some(t1));
        }
        Verdict::New
    }

    fn take_open(&mut self, digest: u128, now: Mono) -> Verdict {
        while let Some((until, old)) = self.open_until.front().copied()
            && until <= now
        {
            self.open_until.pop_front();
            self.open.remove(&old);
        }
        if self.open.contains(&digest) {
            return Verdict::Repeated;
        }
        if self.open.len() >= MOST_OPEN {
            return Verdict::Full;
        }
        self.open.insert(digest);
        self.open_until.push_back((now + OPEN_FOR, digest));
        Verdict::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(key: u128, t1: usize, digest: u64) -> Proof {
        let t1 = Wall::from_unix_ns(i64::try_from(t1).unwrap());
        Proof::Base { key, t1, digest }
    }

    const NOW: Mono = Mono::from_ns(1_000_000_000);

    #[test]
    fn of_the_requests_of_a_key_each_is_followed_once_in_any_order() {
        let granted = GrantedRequests::default();
        let take = |key, t1, digest| granted.take(base(key, t1, digest), NOW);
        for t1 in [5, 3, 9, 7] {
            assert_eq!(take(1, t1, 0), Verdict::New);
            assert_eq!(take(1, t1, 0), Verdict::Repeated);
            assert_eq!(take(1, t1, 1), Verdict::New, "another at the same time");
        }
        for t1 in [3, 5, 7, 9] {
            assert_eq!(take(1, t1, 0), Verdict::Repeated);
            assert_eq!(take(2, t1, 0), Verdict::New, "of another key");
        }
    }

    #[test]
    fn what_is_forgotten_is_refused_however_many_there_were() {
        let granted = GrantedRequests::default();
        let take = |t1| granted.take(base(1, t1, 0), NOW);
        let all = 3 * MOST_OF_KEY;
        for t1 in (0..all).map(|t1| 2 * t1) {
            assert_eq!(take(t1), Verdict::New);
        }
        for t1 in 0..2 * (all - MOST_OF_KEY) - 1 {
            assert_eq!(take(t1), Verdict::Repeated, "{t1}");
        }
        // Of those that are remembered, others may still come.
        let first = 2 * (all - MOST_OF_KEY);
        assert_eq!(take(first), Verdict::Repeated);
        assert_eq!(take(2 * all - 3), Verdict::New);
        assert_eq!(take(2 * all - 3), Verdict::Repeated);
        let inside = granted.0.lock().unwrap();
        assert_eq!((inside.kept, inside.keys.len()), (MOST_OF_KEY, 1));
        assert_eq!(inside.keys[&1].recent.len(), MOST_OF_KEY);
    }

    #[test]
    fn many_keys_share_a_bounded_memory_and_none_has_a_request_followed_twice() {
        let granted = GrantedRequests::default();
        let keys = 40_000;
        for t1 in 0..3 {
            for key in 0..keys {
                assert_eq!(granted.take(base(key, t1, 0), NOW), Verdict::New);
            }
        }
        for t1 in 0..3 {
            for key in 0..keys {
                assert_eq!(granted.take(base(key, t1, 0), NOW), Verdict::Repeated);
            }
        }
        let inside = granted.0.lock().unwrap();
        let kept: usize = inside.keys.values().map(|marks| marks.recent.len()).sum();
        assert_eq!((kept, inside.kept), (MOST, MOST));
    }

    #[test]
    fn an_open_request_is_followed_once_an_hour_and_none_without_room_to_remember_it() {
        let granted = GrantedRequests::default();
        let take = |digest, now| granted.take(Proof::Tlvs(digest), now);
        let second = Duration::from_secs(1);
        assert_eq!(take(7, NOW), Verdict::New);
        assert_eq!(take(7, NOW + OPEN_FOR - second), Verdict::Repeated);
        assert_eq!(take(7, NOW + OPEN_FOR), Verdict::New);
        let (later, most) = (NOW + OPEN_FOR + second, MOST_OPEN as u128);
        for digest in 100..100 + most - 1 {
            assert_eq!(take(digest, later), Verdict::New);
        }
        assert_eq!(take(1, later), Verdict::Full);
        assert_eq!(take(7, later), Verdict::Repeated);
        assert_eq!(take(1, NOW + OPEN_FOR * 2), Verdict::New);
    }
}
