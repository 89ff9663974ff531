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
    pub(super) fn insert(&mut self, place: usize, far: SocketAddr, session: SessionId) {
        self.sessions.insert(key(place, far), session);
    }

    /// Where another session came to have this far end too, it stays.
    pub(super) fn remove(&mut self, place: usize, far: SocketAddr, session: SessionId) {
        let key = key(place, far);
        if self.sessions.get(&key) == Some(&session) {
            self.sessions.remove(&key);
        }
    }

    /// The session with the far end `from`; of several, the latest.
    pub(super) fn session(&self, place: usize, from: SocketAddr) -> Option<SessionId> {
        self.sessions.get(&key(place, from)).copied()
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

fn key(place: usize, far: SocketAddr) -> (usize, IpAddr, u16) {
    let (ip, port) = source(far);
    (place, ip, port)
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
        sessions.insert(0, far, id(1));
        sessions.insert(1, far, id(2));
        assert_eq!(sessions.session(0, far), Some(id(1)));
        assert_eq!(sessions.session(1, mapped), Some(id(2)));
        assert_eq!(sessions.session(2, far), None);
        assert_eq!(sessions.session(0, "192.0.2.1:863".parse().unwrap()), None);
        // Another session names the same node.
        sessions.insert(0, far, id(3));
        sessions.remove(0, far, id(1));
        assert_eq!(sessions.session(0, far), Some(id(3)));
        sessions.remove(0, far, id(3));
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
