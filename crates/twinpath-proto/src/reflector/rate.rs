//! Replies per second and client, in a bounded table that all threads share.
//!
//! A client's bucket is stored as the time at which it is full again. Every bucket is full after
//! [`BURST`] without a packet, and a full bucket holds no information, so an entry idle for that
//! long can be evicted for a new client. If more clients than the table holds are active within
//! that time (a flood of spoofed sources), those without an entry share one bucket; the clients in
//! the table keep theirs.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twinpath_wire::Mono;

use super::lru::{Entry, Lru};
use crate::ClientPrefix;

/// A bucket holds the replies of this much time.
const BURST: Duration = Duration::from_secs(1);
/// The most clients with their own bucket.
const CLIENTS: usize = 65_536;

/// Parts of the table: threads that answer different clients seldom want the same one.
const PARTS: usize = 16;

/// Replies per second and client, shared by the reflectors of a responder's threads: a client has one rate,
/// whichever of them its packets come by. (A server has one thread answer all sessions of a client.)
#[derive(Debug)]
pub struct ClientRates {
    /// Time that one reply costs; `None`: no reply is sent.
    cost: Option<Duration>,
    /// Of the client with this hash, modulo their number.
    parts: Box<[Mutex<Lru<ClientPrefix, Bucket>>]>,
    hasher: RandomState,
    strangers: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    full_at: Mono,
}

impl ClientRates {
    /// So many replies per second, for so many threads.
    pub fn new(rate_pps: u32, threads: usize) -> Self {
        let parts = if threads > 1 { PARTS } else { 1 };
        let part = || Mutex::new(Lru::new(CLIENTS / parts));
        Self {
            cost: BURST.checked_div(rate_pps),
            parts: std::iter::repeat_with(part).take(parts).collect(),
            hasher: RandomState::new(),
            strangers: Mutex::default(),
        }
    }

    /// Those of so many replies per second, if any: the ones before if these have that rate, otherwise new ones, of
    /// which each client has the replies of one second at once.
    pub fn renewed(
        before: Option<&Arc<Self>>,
        rate_pps: Option<u32>,
        threads: usize,
    ) -> Option<Arc<Self>> {
        let rate_pps = rate_pps?;
        let same = before.filter(|rates| rates.cost == BURST.checked_div(rate_pps));
        let new = || Arc::new(Self::new(rate_pps, threads));
        Some(same.map_or_else(new, Arc::clone))
    }

    /// Whether this client gets a reply now; if so, takes it from the bucket.
    pub(super) fn admits(&self, address: IpAddr, now: Mono) -> bool {
        let client = ClientPrefix::from(address);
        let (Some(cost), Some(part)) = (self.cost, self.part(client)) else {
            return false;
        };
        let mut clients = lock(part);
        match clients.entry(client, now, BURST) {
            Entry::Known(entry, _) | Entry::Made { entry, .. } => entry.value.pay(cost, now),
            Entry::Full => lock(&self.strangers).pay(cost, now),
        }
    }

    /// Whether this client gets no reply now, whatever it sends: to be asked before a packet costs more than
    /// this. Takes nothing from the bucket.
    pub(super) fn is_over(&self, address: IpAddr, now: Mono) -> bool {
        let client = ClientPrefix::from(address);
        let (Some(cost), Some(part)) = (self.cost, self.part(client)) else {
            return true;
        };
        let clients = lock(part);
        let bucket = clients.get(client);
        bucket.is_some_and(|bucket| bucket.after(cost, now).is_none())
    }

    fn part(&self, client: ClientPrefix) -> Option<&Mutex<Lru<ClientPrefix, Bucket>>> {
        let at = match self.parts.len() {
            1 => 0,
            parts => usize::try_from(self.hasher.hash_one(client) % parts as u64).ok()?,
        };
        self.parts.get(at)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    fn pay(&mut self, cost: Duration, now: Mono) -> bool {
        let after = self.after(cost, now);
        self.full_at = after.unwrap_or(self.full_at);
        after.is_some()
    }

    /// When it is full again after a reply; `None`: it does not have as much.
    fn after(&self, cost: Duration, now: Mono) -> Option<Mono> {
        // Another thread's clock reading may be later.
        let full_at = self.full_at.max(now) + cost;
        (full_at.since(now) <= BURST).then_some(full_at)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at_ms(ms: u64) -> Mono {
        Mono::from_ns(1_000_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn a_client_at_the_rate_always_gets_its_reply_and_one_at_twice_the_rate_half_of_them() {
        let client = "192.0.2.1".parse().unwrap();
        let limit = ClientRates::new(100, 1);
        assert!((0..1_000).all(|packet| limit.admits(client, at_ms(packet * 10))));
        let limit = ClientRates::new(100, 1);
        let admitted = (0..2_000)
            .filter(|packet| limit.admits(client, at_ms(packet * 5)))
            .count();
        assert!((1_000..=1_101).contains(&admitted), "{admitted}"); // the first burst on top
    }

    #[test]
    fn one_client_over_its_rate_takes_nothing_from_another() {
        let limit = ClientRates::new(10, 1);
        let [greedy, modest] = ["192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap());
        assert_eq!(
            (0..100).filter(|_| limit.admits(greedy, at_ms(0))).count(),
            10
        );
        assert_eq!(
            (0..10).filter(|_| limit.admits(modest, at_ms(0))).count(),
            10
        );
    }

    #[test]
    fn a_client_s_rate_is_that_of_its_whole_64() {
        let limit = ClientRates::new(10, 1);
        let hosts = (0..100_u64).map(|host| format!("2001:db8::{host:x}:1").parse().unwrap());
        let admitted = hosts.filter(|host| limit.admits(*host, at_ms(0))).count();
        assert_eq!(admitted, 10);
        let neighbour = "2001:db8:0:1::1".parse().unwrap();
        assert!(limit.admits(neighbour, at_ms(0)));
        let mapped = (0..100_u64).map(|host| format!("::ffff:192.0.2.{host}").parse().unwrap());
        assert_eq!(
            mapped.filter(|host| limit.admits(*host, at_ms(0))).count(),
            100
        );
    }

    #[test]
    fn a_rate_of_zero_admits_no_client() {
        assert!(!ClientRates::new(0, 1).admits("192.0.2.1".parse().unwrap(), at_ms(0)));
    }

    #[test]
    fn a_flood_of_sources_shares_one_bucket_and_leaves_known_clients_theirs() {
        let limit = ClientRates::new(10, 1);
        let known = "2001:db8::1".parse().unwrap();
        assert!(limit.admits(known, at_ms(0)));
        let strangers = (0..70_000_u32).map(|host| IpAddr::V4(host.into()));
        let admitted = strangers
            .filter(|host| limit.admits(*host, at_ms(100)))
            .count();
        assert_eq!(admitted, CLIENTS - 1 + 10);
        assert!(limit.admits(known, at_ms(200)));
    }
    #[test]
    fn clients_keep_what_they_have_where_the_rate_stays() {
        let rates = ClientRates::renewed(None, Some(10), 2).unwrap();
        let of = |pps| ClientRates::renewed(Some(&rates), pps, 2);
        assert!(Arc::ptr_eq(&of(Some(10)).unwrap(), &rates));
        assert!(!Arc::ptr_eq(&of(Some(11)).unwrap(), &rates));
        assert!(of(None).is_none() && ClientRates::renewed(None, None, 1).is_none());
    }

    #[test]
    fn threads_share_the_rate_of_a_client_and_the_table() {
        let limit = ClientRates::new(10, 4);
        let admitted = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for client in ["192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap()) {
                        let count = (0..100).filter(|_| limit.admits(client, at_ms(0))).count();
                        admitted.fetch_add(count, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 20);
        let strangers = (0..80_000_u32).map(|host| IpAddr::V4(host.into()));
        let admitted = strangers.filter(|host| limit.admits(*host, at_ms(100)));
        assert_eq!(admitted.count(), CLIENTS - 2 + 10);
    }
}
