//! Sessions and their sequence numbers (RFC 8762 section 4, RFC 8972 section 3; rows TT-56, ST-5,
//! ST-16, ST-21).
//!
//! If the table is full, a new session replaces the one idle longest, but only if that was idle for
//! at least [`SPARE`]; otherwise it is answered without state. So a flood of spoofed sources can
//! fill the table but does not reset sessions in use. While it lasts, new senders get stateless
//! replies, with which they can still measure.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::{Arrival, Mono};

use super::ReflectorCounters;
use super::lru::{Entry, Lru};

/// A session used more recently than this is never evicted for a new one.
const SPARE: Duration = Duration::from_secs(30);
/// A Sequence Number of 0 later than this is a new run; sooner, it may be a duplicate of packet 0.
const NEW_RUN: Duration = Duration::from_secs(1);
/// The most sessions forgotten in one call.
const EXPIRED_AT_ONCE: usize = 64;

/// The key of a session: both addresses and ports, and the SSID. IPv4 addresses are mapped; the
/// zone of a link-local source is in the 32 bits of its address that are always zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionKey {
    from: [u64; 2],
    to: [u64; 2],
    ports_and_ssid: [u16; 3],
}

/// The sessions of a stateful reflector.
pub(super) struct Sessions {
    table: Lru<SessionKey, Session>,
    idle: Duration,
    spare: Duration,
}

#[derive(Default)]
struct Session {
    /// Sequence Number of the next reply.
    next: u32,
    /// Sequence Number of the last request.
    last: u32,
}

impl SessionKey {
    pub(super) fn new(arrival: &Arrival, ssid: u16) -> Self {
        let mut from = halves(arrival.from.ip());
        if let SocketAddr::V6(source) = arrival.from
            && source.ip().is_unicast_link_local()
        {
            let [upper, _] = &mut from;
            *upper ^= u64::from(source.scope_id());
        }
        Self {
            from,
            to: arrival.to.map_or([0; 2], halves),
            ports_and_ssid: [arrival.from.port(), arrival.to_port, ssid],
        }
    }
}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [from_port, to_port, ssid] = self.ports_and_ssid.map(u64::from);
        for word in self.from.into_iter().chain(self.to) {
            hasher.write_u64(word);
        }
        hasher.write_u64(from_port << 32 | to_port << 16 | ssid);
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

    /// The Sequence Number of the reply to request `seq`; `None`: no room, answer without state.
    pub(super) fn number(
        &mut self,
        key: SessionKey,
        seq: u32,
        now: Mono,
        counters: &mut ReflectorCounters,
    ) -> Option<u32> {
        let session = match self.table.entry(key, now, self.spare) {
            Entry::Known(session, idle) => {
                if idle >= self.idle {
                    counters.sessions_expired += 1;
                    counters.sessions_made += 1;
                    session.next = 0;
                } else if seq == 0 && session.last != 0 && idle > NEW_RUN {
                    counters.sessions_restarted += 1;
                    session.next = 0;
                }
                session
            }
            Entry::Made { value, evicted } => {
                counters.sessions_made += 1;
                match evicted {
                    Some(idle) if idle >= self.idle => counters.sessions_expired += 1,
                    Some(_) => counters.sessions_evicted += 1,
                    None => counters.sessions += 1,
                }
                value
            }
            Entry::Full => return None,
        };
        let number = session.next;
        session.next = number.wrapping_add(1);
        session.last = seq;
        Some(number)
    }

    /// Forgets sessions whose time has come, some of them: the rest at the next call.
    pub(super) fn expire(&mut self, now: Mono, counters: &mut ReflectorCounters) {
        for _ in 0..EXPIRED_AT_ONCE {
            if self.next_expiry().is_none_or(|at| at > now) {
                break;
            }
            self.table.remove_oldest();
            counters.sessions_expired += 1;
        }
        counters.sessions = self.table.len() as u64;
    }

    /// When the next session's time comes.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        self.table.oldest_use().map(|heard| heard + self.idle)
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
