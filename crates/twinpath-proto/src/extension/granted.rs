//! Signed requests for several replies that were followed, so that none is followed twice (RFC 10052
//! section 5; row SL-14). No HMAC of STAMP covers addresses or ports: a recorded request is right from
//! wherever it is sent, and in whichever session.
//!
//! The HMAC of an authenticated base packet covers T1. So of each key the latest T1 are remembered, and
//! of those that are forgotten the latest one: what is not later than that is refused. When there is no room
//! for one more, the key with the most requests forgets its earliest, so busy keys leave the others their
//! share. A request is followed once for as long as its key is there. Of a key that is gone the latest T1 is
//! remembered, should the key come back, until another key needs the room.
//!
//! The HMAC TLV of an open packet covers the Sequence Number and TLVs alone. Its digest is remembered for
//! [`OPEN_FOR`]; while there is no room for one more, none is followed.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twinpath_wire::{Mono, Wall};

use crate::stamp::{StampKey, StampKeys};

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
    /// How many requests are remembered of each key of which some are, and the key.
    by_count: BTreeSet<(usize, u128)>,
    /// Authenticated requests of all keys.
    kept: usize,
    /// Keys that are gone, in the order in which they went.
    gone: VecDeque<u128>,
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
    /// The key is in `gone`.
    is_gone: bool,
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
            key: name(key),
            t1,
            digest: u64::from_be_bytes(*digest),
        })
    }

    /// When the sender says that the request left; `None`: nothing proves it.
    pub(super) const fn t1(self) -> Option<Wall> {
        match self {
            Self::Base { t1, .. } => Some(t1),
            Self::Tlvs(_) => None,
        }
    }

    /// Of the digest of an HMAC TLV that is right.
    pub(super) fn of_tlvs(digest: &[u8; 16]) -> Self {
        Self::Tlvs(u128::from_be_bytes(*digest))
    }
}

/// Names a key, by an HMAC that no packet has.
fn name(key: &StampKey) -> u128 {
    u128::from_be_bytes(key.sign(&[b"name of a key"]))
}

impl GrantedRequests {
    /// Whether a request may be followed at `now`.
    pub(super) fn take(&self, proof: Proof, now: Mono) -> Verdict {
        let mut granted = self.lock();
        match proof {
            Proof::Base { key, t1, digest } => granted.take_base(key, t1, digest),
            Proof::Tlvs(digest) => granted.take_open(digest, now),
        }
    }

    /// These keys are there from now on, and no others: frees what is remembered of those that are gone. It
    /// takes some 10 ms for 100,000 keys if requests were followed, and so is not for a packet's thread.
    pub fn keep_keys(&self, keys: &StampKeys) {
        if self.lock().keys.is_empty() {
            return;
        }
        let names: HashSet<u128> = keys.iter().map(name).collect();
        self.lock().keep_keys(&names);
    }

    fn lock(&self) -> MutexGuard<'_, Granted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    fn take_base(&mut self, key: u128, t1: Wall, digest: u64) -> Verdict {
        let is_new = !self.keys.contains_key(&key);
        if is_new && self.keys.len() >= MOST_KEYS && !self.remove_gone() {
            return Verdict::Full;
        }
        let marks = self.keys.entry(key).or_default();
        let is_too_old = marks.forgotten.is_some_and(|latest| t1 <= latest);
        if is_too_old || !marks.recent.insert((t1, digest)) {
            return Verdict::Repeated;
        }
        let count = marks.recent.len();
        self.recount(key, count - 1, count);
        if count > MOST_OF_KEY {
            self.forget_earliest(key);
        } else if self.kept > MOST
            && let Some((_, largest)) = self.by_count.last().copied()
        {
            self.forget_earliest(largest);
        }
        Verdict::New
    }

    /// Forgets the earliest request of a key, but for its time.
    fn forget_earliest(&mut self, key: u128) {
        let Some(marks) = self.keys.get_mut(&key) else {
            return;
        };
        let before = marks.recent.len();
        if let Some((t1, _)) = marks.recent.pop_first() {
            marks.forgotten = marks.forgotten.max(Some(t1));
            self.recount(key, before, before - 1);
        }
    }

    /// So many requests are remembered of a key, instead of `before`.
    fn recount(&mut self, key: u128, before: usize, now: usize) {
        self.by_count.remove(&(before, key));
        if now > 0 {
            self.by_count.insert((now, key));
        }
        self.kept = self.kept + now - before;
    }

    fn keep_keys(&mut self, names: &HashSet<u128>) {
        self.gone.retain(|key| !names.contains(key));
        let mut freed = Vec::new();
        for (key, marks) in &mut self.keys {
            let was_gone = std::mem::replace(&mut marks.is_gone, !names.contains(key));
            if marks.is_gone {
                let recent = std::mem::take(&mut marks.recent);
                let latest = recent.last().map(|(t1, _)| *t1);
                marks.forgotten = marks.forgotten.max(latest);
                freed.push((*key, recent.len()));
                if !was_gone {
                    self.gone.push_back(*key);
                }
            }
        }
        for (key, before) in freed {
            self.recount(key, before, 0);
        }
    }

    /// Removes the key that has been gone for longest. Whether there is one.
    fn remove_gone(&mut self) -> bool {
        let Some(key) = self.gone.pop_front() else {
            return false;
        };
        if let Some(marks) = self.keys.remove(&key) {
            // A packet may have used it while it went.
            self.recount(key, marks.recent.len(), 0);
        }
        true
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
    fn busy_keys_leave_the_others_their_share() {
        let granted = GrantedRequests::default();
        let take = |key, t1| granted.take(base(key, t1, 0), NOW);
        let busy = (MOST / MOST_OF_KEY) as u128;
        for t1 in 1..=MOST_OF_KEY {
            for key in 0..busy {
                assert_eq!(take(key, t1), Verdict::New);
            }
        }
        // Its requests are followed in whatever order they come.
        for t1 in (0..100).rev() {
            assert_eq!(take(busy, t1), Verdict::New, "{t1}");
        }
        for t1 in 0..100 {
            assert_eq!(take(busy, t1), Verdict::Repeated, "{t1}");
        }
        for t1 in 1..=MOST_OF_KEY {
            for key in 0..busy {
                assert_eq!(take(key, t1), Verdict::Repeated, "{key} {t1}");
            }
        }
        let inside = granted.0.lock().unwrap();
        assert_eq!(inside.kept, MOST);
        let counts = inside.by_count.iter().map(|(count, _)| count);
        assert_eq!(counts.sum::<usize>(), MOST);
        // All busy ones have as many, to within one.
        let least = inside.by_count.iter().nth(1).unwrap().0;
        assert!(inside.by_count.last().unwrap().0 <= least + 1);
    }

    fn keys(numbers: impl IntoIterator<Item = u8>) -> StampKeys {
        let key = |number| StampKey::new(&[number; 16]).unwrap();
        let ssid = |number| std::num::NonZeroU16::new(u16::from(number) + 1).unwrap();
        let all = numbers.into_iter();
        StampKeys::new(all.map(|number| (crate::stamp::KeyScope::Ssid(ssid(number)), key(number))))
    }

    #[test]
    fn what_is_remembered_of_a_key_is_freed_when_it_is_gone() {
        let granted = GrantedRequests::default();
        let named = |number| name(&StampKey::new(&[number; 16]).unwrap());
        let take = |number, t1| granted.take(base(named(number), t1, 0), NOW);
        granted.keep_keys(&keys([1, 2]));
        for (number, t1) in [(1, 5), (1, 9), (2, 5), (2, 9)] {
            assert_eq!(take(number, t1), Verdict::New);
        }
        let kept = || {
            let inside = granted.0.lock().unwrap();
            let all = inside.keys.values().map(|marks| marks.recent.len());
            assert_eq!(all.sum::<usize>(), inside.kept);
            inside.kept
        };
        assert_eq!(kept(), 4);
        granted.keep_keys(&keys([2, 3]));
        assert_eq!(kept(), 2);
        granted.keep_keys(&keys([1, 2]));
        // It is back: what it had followed is refused all the same.
        for t1 in [5, 7, 9] {
            assert_eq!(take(1, t1), Verdict::Repeated, "{t1}");
        }
        assert_eq!(take(2, 7), Verdict::New);
        assert_eq!(take(1, 10), Verdict::New);
        assert_eq!((kept(), granted.0.lock().unwrap().gone.len()), (4, 0));
    }

    #[test]
    fn keys_that_are_gone_make_room_for_others() {
        let granted = GrantedRequests::default();
        let take = |key| granted.take(base(key, 5, 0), NOW);
        let most = MOST_KEYS as u128;
        for key in 0..most {
            assert_eq!(take(key), Verdict::New);
        }
        assert_eq!(take(most), Verdict::Full);
        let names = (1..most).collect();
        granted.0.lock().unwrap().keep_keys(&names);
        assert_eq!(take(most), Verdict::New);
        assert_eq!(take(most + 1), Verdict::Full);
        assert_eq!(take(1), Verdict::Repeated);
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
