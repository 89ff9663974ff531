//! Sessions and their sequence numbers (RFC 8762 section 4, RFC 8972 section 3; rows TT-56, ST-5,
//! ST-16, ST-21).
//!
//! A packet that finds the table full takes the place of the session that is idle longest, but only
//! of one idle for [`SPARE`] at least; where there is none it is answered without state. So a flood
//! of spoofed sources can fill the table, but it resets no session that is being measured: it gets
//! stateless replies, as do new senders for as long as it lasts, and they still measure.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::{Arrival, Mono};

use super::ReflectorTally;
use super::lru::{Entry, Lru};

/// A session that was heard of more recently is never given up for a new one.
const SPARE: Duration = Duration::from_secs(30);
/// A Sequence Number of 0 later than this is a new run; sooner it may be a copy of packet 0.
const NEW_RUN: Duration = Duration::from_secs(1);
/// Sessions forgotten in one call at most.
const EXPIRED_AT_ONCE: usize = 64;

/// Who a session is between: both addresses and ports, and the SSID. IPv4 addresses stand mapped,
/// a link-local source brings its zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    from: u128,
    to: u128,
    ports_and_ssid: u64,
    zone: u32,
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
        let zone = match arrival.from {
            std::net::SocketAddr::V4(_) => 0,
            std::net::SocketAddr::V6(from) => from.scope_id(),
        };
        Self {
            from: mapped(arrival.from.ip()),
            to: arrival.to.map_or(0, mapped),
            ports_and_ssid: u64::from(arrival.from.port()) << 32
                | u64::from(arrival.to_port) << 16
                | u64::from(ssid),
            zone,
        }
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
        tally: &mut ReflectorTally,
    ) -> Option<u32> {
        let session = match self.table.entry(key, now, self.spare) {
            Entry::Known(session, idle) => {
                if idle >= self.idle {
                    tally.sessions_expired += 1;
                    tally.sessions_made += 1;
                    session.next = 0;
                } else if seq == 0 && session.last != 0 && idle > NEW_RUN {
                    tally.sessions_restarted += 1;
                    session.next = 0;
                }
                session
            }
            Entry::Made { value, evicted } => {
                tally.sessions_made += 1;
                match evicted {
                    Some(idle) if idle >= self.idle => tally.sessions_expired += 1,
                    Some(_) => tally.sessions_evicted += 1,
                    None => tally.sessions += 1,
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
    pub(super) fn expire(&mut self, now: Mono, tally: &mut ReflectorTally) {
        for _ in 0..EXPIRED_AT_ONCE {
            if self.next_expiry().is_none_or(|at| at > now) {
                break;
            }
            self.table.remove_oldest();
            tally.sessions_expired += 1;
        }
        tally.sessions = self.table.len() as u64;
    }

    /// When the next session's time comes.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        self.table.oldest_heard().map(|heard| heard + self.idle)
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
