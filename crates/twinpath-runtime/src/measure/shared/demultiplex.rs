//! Which session a datagram or an ICMP error belongs to.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::Mono;

use super::pool::source;
use crate::measure::SessionId;

/// For datagrams that do not answer the session with their sender, so many sessions are looked at in a
/// second at most: anybody can send any number of datagrams.
const LOOKS_PER_SECOND: usize = 200_000;

/// Sessions by socket and far end. The map's hash has a key, for who sends us something chooses where
/// from.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    sessions: HashMap<(usize, IpAddr, u16), SessionId>,
    looks_left: usize,
    looks_since: Mono,
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

    /// Whether it may be looked, among so many sessions, for the one that a datagram answers, which its
    /// sender does not tell.
    pub(super) fn may_search(&mut self, sessions: usize, now: Mono) -> bool {
        if now.since(self.looks_since) >= Duration::from_secs(1) {
            self.looks_since = now;
            self.looks_left = LOOKS_PER_SECOND;
        }
        self.looks_left
            .checked_sub(sessions.max(1))
            .map(|left| self.looks_left = left)
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
    fn a_flood_of_strays_is_searched_for_the_less_often_the_more_sessions_there_are() {
        let mut sessions = Demultiplexer::default();
        let at = |ms: u64| Mono::from_ns(5_000_000_000 + ms * 1_000_000);
        let searches = |among, sessions: &mut Demultiplexer, ms| {
            let all = 0..1_000_000;
            all.filter(|_| sessions.may_search(among, at(ms))).count()
        };
        assert_eq!(searches(10_000, &mut sessions, 0), 20);
        assert_eq!(searches(1, &mut sessions, 999), 0);
        assert_eq!(searches(100, &mut sessions, 1_000), 2_000);
        assert_eq!(searches(0, &mut sessions, 2_000), 200_000);
    }
}
