//! The paths that replies take out of this host, and the transmit latency of each.

use std::net::IpAddr;
#[cfg(test)]
use std::time::Duration;

use twinpath_proto::extension::Host;
use twinpath_proto::reflector::ReplyToken;
use twinpath_wire::{Arrival, Delta, Mono, Wall};

use super::transmit_latency::{RECENT, TransmitLatency};

/// Paths that are known at once, warm and cold ones. Replies on others are sent with T3 as it was read.
const PATHS: usize = 16;
/// Replies of a socket whose stamps are awaited at once.
const AWAITED: usize = 64;

/// A path out of this host: what is measured on one is not true of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    near: IpAddr,
    /// That the request came in by: its reply leaves by the same, as a rule.
    interface: u32,
    /// Another reply left shortly before: the caches are warm, and the latency is shorter by some
    /// microseconds.
    warm: bool,
}

#[derive(Debug)]
struct PathLatency {
    path: Path,
    latency: TransmitLatency,
    used: Mono,
}

/// Transmit latencies, by path.
#[derive(Debug)]
pub(super) struct Paths {
    /// No T3 is advanced.
    raw_t3: bool,
    known: Vec<PathLatency>,
}

impl Paths {
    pub(super) fn new(raw_t3: bool) -> Self {
        Self {
            raw_t3,
            known: Vec::with_capacity(PATHS),
        }
    }

    /// The path of a reply from a socket bound to `bound`, shortly after another where `warm`, and its
    /// transmit latency. `None`: T3 is not to be
    /// advanced. Between two addresses of `host` there is no wire, and a latency that is shorter than
    /// most would make a round trip negative.
    pub(super) fn of(
        &mut self,
        host: &Host,
        arrival: &Arrival,
        bound: IpAddr,
        warm: bool,
        now: Mono,
    ) -> Option<(Path, &mut TransmitLatency)> {
        if self.raw_t3 || host.has(arrival.from) {
            return None;
        }
        let path = Path {
            near: arrival.to.unwrap_or(bound),
            interface: arrival.interface,
            warm,
        };
        let place = self.known.iter().position(|known| known.path == path);
        let known = match place {
            Some(place) => self.known.get_mut(place)?,
            None => self.take(path, now)?,
        };
        known.used = now;
        Some((path, &mut known.latency))
    }

    /// A place for a path; `None` while all are in use: those that are known stay so.
    #[cold]
    fn take(&mut self, path: Path, now: Mono) -> Option<&mut PathLatency> {
        let new = PathLatency {
            path,
            latency: TransmitLatency::new(),
            used: now,
        };
        if self.known.len() < PATHS {
            self.known.push(new);
            return self.known.last_mut();
        }
        // What was measured there does not count any more.
        let silent = |known: &&mut PathLatency| now.since(known.used) > RECENT;
        let place = self.known.iter_mut().find(silent)?;
        *place = new;
        Some(place)
    }

    /// The system call of a reply on this path took this long; `stamped`: a stamp was requested for it.
    pub(super) fn returned(&mut self, path: Path, stamped: bool, took: Delta, now: Mono) {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.latency.returned(stamped, took, now);
        }
    }

    /// A reply on this path left the host so long after its T3 was read.
    pub(super) fn left(&mut self, path: Path, after: Delta, now: Mono) {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.latency.left(after, now);
        }
    }
}

/// A reply with a requested stamp that has left the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentReply {
    /// T3 as read, not advanced.
    pub(super) t3: Wall,
    /// The path whose latency it measures.
    pub(super) path: Option<Path>,
    /// By which the engine gets the time of its departure.
    pub(super) token: Option<ReplyToken>,
}

/// Replies of one socket whose stamps are to come.
#[derive(Debug)]
pub(super) struct PendingStamps {
    replies: [Option<(u32, SentReply)>; AWAITED],
    open: usize,
    /// Of these with a token.
    tokens: usize,
}

impl PendingStamps {
    pub(super) fn new() -> Self {
        Self {
            replies: [None; AWAITED],
            open: 0,
            tokens: 0,
        }
    }

    pub(super) fn add(&mut self, key: u32, reply: SentReply) {
        if let Some(slot) = self.replies.get_mut(key as usize % AWAITED) {
            let before = slot.replace((key, reply));
            self.open += usize::from(before.is_none());
            self.tokens += usize::from(reply.token.is_some());
            self.tokens -= usize::from(before.is_some_and(|(_, before)| before.token.is_some()));
        }
    }

    /// The reply `key`, where its stamp is awaited.
    pub(super) fn take(&mut self, key: u32) -> Option<SentReply> {
        let slot = self.replies.get_mut(key as usize % AWAITED)?;
        let (_, reply) = slot.take_if(|(awaited, _)| *awaited == key)?;
        self.open -= 1;
        self.tokens -= usize::from(reply.token.is_some());
        Some(reply)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Whether the engine waits for one of them.
    pub(super) fn has_tokens(&self) -> bool {
        self.tokens > 0
    }
}

#[cfg(test)]
impl Paths {
    /// See [`TransmitLatency::measured`]: on each path that is known.
    pub(super) fn measured(&mut self, after: Duration, dearer: Duration, now: Mono) {
        for known in &mut self.known {
            known.latency = TransmitLatency::measured(after, dearer, now);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use twinpath_proto::extension::SyncSource;
    use twinpath_wire::{Rung, Stamp};

    const NOW: Mono = Mono::from_ns(5_000_000_000);

    pub(in crate::reflect) fn arrival(from: &str, to: &str, interface: u32) -> Arrival {
        Arrival {
            to: Some(to.parse().unwrap()),
            to_port: 862,
            interface,
            ..Arrival::new(
                Stamp {
                    at: Wall::from_unix_ns(0),
                    rung: Rung::Kernel,
                },
                from.parse().unwrap(),
            )
        }
    }

    fn bound() -> IpAddr {
        "192.0.2.1".parse().unwrap()
    }

    /// Whether there is a path for such a reply.
    fn has_path(paths: &mut Paths, arrival: &Arrival, now: Mono) -> bool {
        let host = Host::new([], Vec::new(), [], SyncSource::Local);
        paths.of(&host, arrival, bound(), false, now).is_some()
    }

    /// The advance on a path in microseconds, after `times` were measured there.
    fn advance(paths: &mut Paths, arrival: &Arrival, times: &[i64]) -> Option<i64> {
        let host = Host::default();
        let (path, _) = paths.of(&host, arrival, bound(), false, NOW)?;
        for us in times {
            paths.left(path, Delta::from_ns(us * 1_000), NOW);
        }
        let (_, latency) = paths.of(&host, arrival, bound(), false, NOW)?;
        Some(latency.advance(true, NOW).ns() / 1_000)
    }

    #[test]
    fn a_path_is_an_address_an_interface_and_whether_caches_are_warm() {
        let mut paths = Paths::new(false);
        let one = arrival("198.51.100.1:9", "192.0.2.1", 2);
        let another_sender = arrival("198.51.100.2:9", "192.0.2.1", 2);
        let another_address = arrival("198.51.100.1:9", "192.0.2.2", 2);
        let another_interface = arrival("198.51.100.1:9", "192.0.2.1", 3);
        assert_eq!(advance(&mut paths, &one, &[30; 32]), Some(30));
        assert_eq!(advance(&mut paths, &another_sender, &[]), Some(30));
        assert_eq!(advance(&mut paths, &another_address, &[]), Some(0));
        assert_eq!(advance(&mut paths, &another_interface, &[]), Some(0));
        assert_eq!(advance(&mut paths, &another_interface, &[50; 32]), Some(50));
        assert_eq!(advance(&mut paths, &one, &[]), Some(30));
        let (_, warm) = paths
            .of(&Host::default(), &one, bound(), true, NOW)
            .expect("a path of its own");
        assert_eq!(warm.advance(true, NOW), Delta::ZERO);
        // Where the system does not report a request's destination, it is the socket's address.
        let untold = Arrival { to: None, ..one };
        assert_eq!(advance(&mut paths, &untold, &[]), Some(30));
    }

    #[test]
    fn this_host_s_own_requests_and_raw_t3_have_no_path() {
        let mut paths = Paths::new(false);
        let own = arrival("127.0.0.1:9", "192.0.2.1", 2);
        assert!(!has_path(&mut paths, &own, NOW));
        let far = arrival("198.51.100.1:9", "192.0.2.1", 2);
        assert!(has_path(&mut paths, &far, NOW));
        assert!(!has_path(&mut Paths::new(true), &far, NOW));
    }

    #[test]
    fn paths_in_use_stay_known_however_many_others_there_are() {
        let mut paths = Paths::new(false);
        let of = |interface| arrival("198.51.100.1:9", "192.0.2.1", interface);
        for interface in 0..16 {
            assert_eq!(advance(&mut paths, &of(interface), &[30; 32]), Some(30));
        }
        for interface in 16..100 {
            assert_eq!(advance(&mut paths, &of(interface), &[30; 32]), None);
        }
        let later = NOW + RECENT;
        for interface in 1..16 {
            assert!(has_path(&mut paths, &of(interface), later));
        }
        assert!(!has_path(&mut paths, &of(16), later));
        // One is silent for longer than its measurements count.
        let later = later + Duration::from_nanos(1);
        assert!(has_path(&mut paths, &of(16), later));
        assert!(!has_path(&mut paths, &of(0), later));
    }

    #[test]
    fn stray_stamps_say_nothing() {
        let mut awaited = PendingStamps::new();
        let path = Path {
            near: bound(),
            interface: 2,
            warm: false,
        };
        let reply = |t3| SentReply {
            t3: Wall::from_unix_ns(t3),
            path: Some(path),
            token: None,
        };
        assert_eq!(awaited.take(3), None);
        // One that was never stamped is taken over, and its own stamp then comes too late.
        awaited.add(7, reply(100));
        awaited.add(7 + 64, reply(200));
        assert_eq!(awaited.take(7), None);
        assert!(!awaited.is_empty() && !awaited.has_tokens());
        assert_eq!(awaited.take(7 + 64), Some(reply(200)));
        assert!(awaited.is_empty());
        assert_eq!(awaited.take(7 + 64), None);
    }
}
