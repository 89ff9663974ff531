//! Which session a datagram or an ICMP error belongs to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::Mono;

use super::pool::source;
use crate::measure::SessionId;

/// Datagrams that do not answer the session with their sender are looked at more closely this often at
/// most: the look costs by the number of sessions, and anybody can send any number of datagrams.
const STRAYS_PER_SECOND: u32 = 20;

/// Sessions by socket and far end. The map's hash has a key, for who sends us something chooses where
/// from.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    sessions: HashMap<(usize, IpAddr, u16), SessionId>,
    strays_left: u32,
    strays_since: Mono,
}

impl Demultiplexer {
    pub(super) fn insert(&mut self, place: usize, far: (IpAddr, u16), session: SessionId) {
        self.sessions.insert((place, far.0, far.1), session);
    }

    pub(super) fn remove(&mut self, place: usize, far: (IpAddr, u16)) {
        self.sessions.remove(&(place, far.0, far.1));
    }

    /// The session with the far end `from`.
    pub(super) fn session(&self, place: usize, from: SocketAddr) -> Option<SessionId> {
        let (ip, port) = source(from);
        self.sessions.get(&(place, ip, port)).copied()
    }

    /// Whether it may be looked for the session that a datagram answers, which its sender does not tell.
    pub(super) fn may_search(&mut self, now: Mono) -> bool {
        if now.since(self.strays_since) >= Duration::from_secs(1) {
            self.strays_since = now;
            self.strays_left = STRAYS_PER_SECOND;
        }
        self.strays_left
            .checked_sub(1)
            .map(|left| self.strays_left = left)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_ends_are_told_apart_by_address_port_and_socket() {
        let mut sessions = Demultiplexer::default();
        let id = |index| SessionId {
            index,
            generation: 3,
        };
        let far: SocketAddr = "192.0.2.1:862".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:862".parse().unwrap();
        sessions.insert(0, source(far), id(1));
        sessions.insert(1, source(far), id(2));
        assert_eq!(sessions.session(0, far), Some(id(1)));
        assert_eq!(sessions.session(1, mapped), Some(id(2)));
        assert_eq!(sessions.session(2, far), None);
        assert_eq!(sessions.session(0, "192.0.2.1:863".parse().unwrap()), None);
        sessions.remove(0, source(far));
        assert_eq!(sessions.session(0, far), None);
    }

    #[test]
    fn a_flood_of_strays_is_searched_for_some_times_a_second() {
        let mut sessions = Demultiplexer::default();
        let at = |ms: u64| Mono::from_ns(5_000_000_000 + ms * 1_000_000);
        let searched = (0..10_000).filter(|_| sessions.may_search(at(0))).count();
        assert_eq!(searched, 20);
        assert!(!sessions.may_search(at(999)));
        assert!(sessions.may_search(at(1_000)));
    }
}
