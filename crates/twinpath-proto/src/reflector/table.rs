//! Sessions and their sequence numbers (RFC 8762 section 4, RFC 8972 section 3, RFC 9534 section 2;
//! rows TT-56, ST-5, ST-16, ST-21, SL-35).
//!
//! If the table is full, a new session replaces the one idle longest, but only if that was idle for
//! at least [`SPARE`]; otherwise it is answered without state. So a flood of spoofed sources can
//! fill the table but does not reset sessions in use. While it lasts, new senders get stateless
//! replies, with which they can still measure.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::{Arrival, Mono};

use super::form::Form;
use super::listed::address;
use super::lru::{Entry, Lru, SlotId};
use super::{ListedSession, ReflectorCounters, SessionOrigin};

/// A session used more recently than this is never evicted for a new one.
const SPARE: Duration = Duration::from_secs(30);
/// A Sequence Number of 0 later than this is a new run; sooner, it may be a duplicate of packet 0.
const NEW_RUN: Duration = Duration::from_secs(1);
/// The most sessions forgotten in one call.
const EXPIRED_AT_ONCE: usize = 64;

/// The key of a session: both addresses and ports, the SSID, the Sender Micro-session ID (0: none), and
/// whether its packets have an HMAC, as else anybody's open packets could advance the numbers of a session that has a key (row ST-58).
/// IPv4 addresses are mapped; the zone of a link-local source is in the 32 bits of its address that
/// are always zero; an authenticated session has the complement of its destination, which is a
/// multicast or an unassigned address.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(Rust, packed(2))] // Its slot has room for no more.
pub(super) struct SessionKey {
    from: [u64; 2],
    to: [u64; 2],
    ports_and_ids: [u16; 4],
}

/// The sessions of a stateful reflector.
pub(super) struct Sessions {
    table: Lru<SessionKey, Session>,
    idle: Duration,
    spare: Duration,
}

#[derive(Default)]
#[repr(Rust, packed(2))] // As above.
struct Session {
    /// Sequence Number of the next reply.
    next: u32,
    /// The last request had another Sequence Number than 0.
    has_gone_on: bool,
}

/// Whether a session begins with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It has begun before.
    Known,
    /// It is new.
    Made,
    /// It begins again with number 0: the same session for the sender, another one for its numbers.
    Restarted,
}

const _: () = assert!(Lru::<SessionKey, Session>::SLOT_OCTETS == 64);

impl SessionKey {
    pub(super) fn new(arrival: &Arrival, form: Form, micro_session: u16) -> Self {
        let mut from = halves(arrival.from.ip());
        if let SocketAddr::V6(source) = arrival.from
            && source.ip().is_unicast_link_local()
        {
            let [upper, _] = &mut from;
            *upper ^= u64::from(source.scope_id());
        }
        let mut to = arrival.to.map_or([0; 2], halves);
        if form.is_authenticated() {
            to = to.map(|half| !half);
        }
        Self {
            from,
            to,
            ports_and_ids: [
                arrival.from.port(),
                arrival.to_port,
                form.ssid(),
                micro_session,
            ],
        }
    }
}

impl SessionKey {
    fn listed(self, session: &Session, idle: Duration) -> ListedSession {
        let ([mut upper, lower], mut scope) = (self.from, 0);
        if upper >> 54 == 0xfe80 >> 6 {
            // As it was put in.
            #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
            let zone = upper as u32;
            (upper, scope) = (upper ^ u64::from(zone), zone);
        }
        let [from_port, port, ssid, micro_session] = self.ports_and_ids;
        ListedSession {
            sender: address([upper, lower], from_port, scope),
            port,
            idle,
            origin: SessionOrigin::Packet {
                ssid,
                micro_session,
                next: session.next,
            },
        }
    }
}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let ids = self.ports_and_ids.into_iter();
        let ids = ids.fold(0, |all, id| all << 16 | u64::from(id));
        let mut octets = [[0; 8]; 5];
        let words = self.from.into_iter().chain(self.to).chain([ids]);
        for (octets, word) in octets.iter_mut().zip(words) {
            *octets = word.to_ne_bytes();
        }
        // One write takes half the time of five.
        hasher.write(octets.as_flattened());
    }
}

impl Sessions {
    pub(super) fn new(max_sessions: usize, idle: Duration) -> Self {
        Self {
            table: Lru::new(max_sessions),
            idle,
            spare: SPARE.min(idle),
        }
    }

    /// Has so many sessions at most, and forgets each that was idle for so long. Of those beyond a smaller number
    /// the ones idle for longest are forgotten, once they were idle for [`SPARE`].
    pub(super) fn set_limits(&mut self, max_sessions: usize, idle: Duration) {
        self.table.set_capacity(max_sessions);
        self.idle = idle;
        self.spare = SPARE.min(idle);
    }

    /// The Sequence Number of the reply to request `seq`, where the session is and whether it begins;
    /// `None`: no room, answer without state.
    pub(super) fn number(
        &mut self,
        key: SessionKey,
        seq: u32,
        now: Mono,
        counters: &mut ReflectorCounters,
    ) -> Option<(u32, SlotId, Begin)> {
        let (session, begin) = match self.table.entry(key, now, self.spare) {
            Entry::Known(mut session, idle) => {
                let mut begin = Begin::Known;
                if idle >= self.idle {
                    counters.sessions_expired += 1;
                    counters.sessions_made += 1;
                    session.renew();
                    begin = Begin::Made;
                } else if seq == 0 && session.value.has_gone_on && idle > NEW_RUN {
                    counters.sessions_restarted += 1;
                    session.renew();
                    begin = Begin::Restarted;
                }
                (session, begin)
            }
            Entry::Made { entry, evicted } => {
                counters.sessions_made += 1;
                match evicted {
                    Some(idle) if idle >= self.idle => counters.sessions_expired += 1,
                    Some(_) => counters.sessions_evicted += 1,
                    None => counters.sessions += 1,
                }
                (entry, Begin::Made)
            }
            Entry::Full => return None,
        };
        let id = session.id();
        let number = session.value.next;
        *session.value = Session {
            next: number.wrapping_add(1),
            has_gone_on: seq != 0,
        };
        Some((number, id, begin))
    }

    /// All of them, those heard last first.
    pub(super) fn list(&self, now: Mono) -> impl Iterator<Item = ListedSession> {
        let newest = self.table.newest();
        newest.map(move |(key, session, heard)| key.listed(session, now.since(heard)))
    }

    /// Where a session is, if it is known.
    pub(super) fn find(&self, key: SessionKey) -> Option<SlotId> {
        self.table.find(key)
    }

    /// The Sequence Number of one more reply of a session; `None`: it is forgotten.
    pub(super) fn next_number(&mut self, id: SlotId) -> Option<u32> {
        let session = self.table.get_mut(id)?;
        let number = session.next;
        session.next = number.wrapping_add(1);
        Some(number)
    }

    /// The number that was had last goes to no reply: the next one gets it.
    pub(super) fn give_back(&mut self, id: SlotId) {
        if let Some(session) = self.table.get_mut(id) {
            session.next = session.next.wrapping_sub(1);
        }
    }

    /// Forgets sessions whose time has come, some of them: the rest at the next call. `forget` gets the
    /// slot of each.
    pub(super) fn expire(
        &mut self,
        now: Mono,
        counters: &mut ReflectorCounters,
        mut forget: impl FnMut(u32),
    ) {
        for _ in 0..EXPIRED_AT_ONCE {
            if self.next_expiry().is_none_or(|at| at > now) {
                break;
            }
            let heard = self.table.oldest_use();
            if heard.is_some_and(|heard| heard + self.idle > now) {
                // One too many, by a limit that was set later.
                counters.sessions_evicted += 1;
            } else {
                counters.sessions_expired += 1;
            }
            self.table.remove_oldest().into_iter().for_each(&mut forget);
            counters.sessions -= 1;
        }
    }

    /// When the next session's time comes.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        let idle = if self.table.is_over() {
            self.spare
        } else {
            self.idle
        };
        self.table.oldest_use().map(|heard| heard + idle)
    }
}

pub(super) fn halves(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let lower = bits as u64;
    [(bits >> 64) as u64, lower]
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use twinpath_wire::{Rung, Stamp, Wall};

    use super::super::{Class, Tail};
    use super::*;

    fn key(port: u16) -> SessionKey {
        let at = Wall::from_unix_ns(0);
        let arrival = Arrival {
            to_port: 862,
            ..Arrival::new(
                Stamp {
                    at,
                    rung: Rung::User,
                },
                SocketAddr::new(Ipv4Addr::new(192, 0, 2, 2).into(), port),
            )
        };
        SessionKey::new(&arrival, Class::TwampLight.into(), 0)
    }

    #[test]
    fn a_session_keeps_its_slot_and_generation_and_no_other_session_gets_both() {
        let mut sessions = Sessions::new(2, Duration::from_secs(40));
        let mut counters = ReflectorCounters::default();
        let mut number = |port, seq, second: u64| {
            let now = Mono::from_ns(second * 1_000_000_000);
            sessions.number(key(port), seq, now, &mut counters)
        };
        let (first, second) = (number(1, 0, 0).unwrap(), number(2, 0, 1).unwrap());
        assert_ne!(first.1, second.1);
        assert_eq!(number(1, 1, 2), Some((1, first.1, Begin::Known)));
        assert_eq!(number(3, 0, 3), None, "no room, no slot");
        // A new run from the same port.
        let (restarted, begun_again, begin) = number(1, 0, 10).unwrap();
        assert_eq!((restarted, begin), (0, Begin::Restarted));
        assert_ne!(begun_again, first.1);
        assert_eq!(number(1, 1, 11), Some((1, begun_again, Begin::Known)));
        // Another session in the slot of the one that was idle for longest.
        let (_, evicted, begin) = number(3, 0, 35).unwrap();
        assert_eq!(begin, Begin::Made);
        assert!(![first.1, second.1, begun_again].contains(&evicted));
        // The same session, after it was over.
        let (number, later, begin) = number(1, 7, 60).unwrap();
        assert_eq!((number, begin), (0, Begin::Made));
        assert!(![first.1, second.1, begun_again, evicted].contains(&later));
    }

    #[test]
    fn sessions_are_listed_with_their_senders_those_heard_last_first() {
        let mut sessions = Sessions::new(9, Duration::from_mins(15));
        let mut counters = ReflectorCounters::default();
        let at = |second: u64| Mono::from_ns(second * 2_000_000_000);
        let senders = [
            "192.0.2.1:1001",
            "[2001:db8::1]:1002",
            "[fe80::1%7]:1003",
            "[fe80::1%8]:1003",
        ];
        for (second, sender) in (0..).zip(senders) {
            let stamp = Stamp {
                at: Wall::from_unix_ns(0),
                rung: Rung::User,
            };
            let arrival = Arrival {
                to_port: 862,
                ..Arrival::new(stamp, sender.parse().unwrap())
            };
            let form = Class::Stamp {
                ssid: 9,
                tail: Tail::None,
            }
            .into();
            for seq in 0..=second {
                let key = SessionKey::new(&arrival, form, 3);
                sessions.number(key, seq, at(u64::from(second)), &mut counters);
            }
        }
        let listed: Vec<ListedSession> = sessions.list(at(4)).collect();
        let heard: Vec<SocketAddr> = listed.iter().map(|session| session.sender).collect();
        let newest_first = senders.iter().rev().map(|sender| sender.parse().unwrap());
        assert_eq!(heard, newest_first.collect::<Vec<_>>());
        for (seconds, session) in (1..).zip(listed) {
            assert_eq!(session.port, 862);
            assert_eq!(session.idle, Duration::from_secs(2 * u64::from(seconds)));
            let origin = SessionOrigin::Packet {
                ssid: 9,
                micro_session: 3,
                next: 5 - seconds,
            };
            assert_eq!(session.origin, origin);
        }
    }
}
