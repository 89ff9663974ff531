//! Which sessions share a socket: those whose packets leave alike and whose replies can be told from
//! each other by where they come from.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twinpath_net::{PathOptions, SetWaker, StampChoice};
use twinpath_wire::Tos;

use super::Command;
use super::table::Ids;
use crate::error::StartError;
use crate::measure::{SessionId, open};
use crate::{PortChoice, SenderPlan};

/// How long a socket can hold what comes while its thread is held up.
const HOLDS: Duration = Duration::from_millis(100);
/// What the system counts for a packet that waits, and how many there are for each that was sent: a
/// reply and two timestamps.
const HELD_OCTETS: u64 = 3 * 1_024;

/// What a thread's sockets are used for, and the way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    inner: Arc<Mutex<Inner>>,
    commands: Sender<Command>,
    waker: SetWaker,
}

#[derive(Debug, Default)]
struct Inner {
    sockets: Vec<Option<Shared>>,
    ids: Ids,
}

/// A socket that sessions share.
#[derive(Debug)]
struct Shared {
    key: Key,
    local: SocketAddr,
    /// Far ends: a reply says which session it belongs to by where it comes from.
    far: HashSet<(IpAddr, u16)>,
    /// Packets an hour: of its sessions, and as many as it can hold replies for.
    rate: u64,
    most: u64,
}

impl Shared {
    /// It has the port that the session keeps, or the session keeps none.
    fn has_earlier_port(&self, plan: &SenderPlan) -> bool {
        let port = plan.earlier_port;
        port.is_none_or(|port| port == self.local.port())
    }

    /// A session with this far end and rate can use it, and does so from now on.
    fn takes(&mut self, key: &Key, far: (IpAddr, u16), rate: u64) -> bool {
        let takes = self.key == *key && self.rate.saturating_add(rate) <= self.most;
        let takes = takes && self.far.insert(far);
        self.rate += if takes { rate } else { 0 };
        takes
    }
}

/// Packets an hour that leave at this interval.
fn rate(interval: Duration) -> u64 {
    let ns = interval.as_nanos().max(1);
    u64::try_from(Duration::from_hours(1).as_nanos() / ns).unwrap_or(u64::MAX)
}

/// Packets an hour whose replies fit into a buffer of so many octets, while nothing reads them.
fn most(buffer_octets: usize) -> u64 {
    let held = buffer_octets as u64 / HELD_OCTETS;
    let times = Duration::from_hours(1).as_nanos() / HOLDS.as_nanos();
    held.saturating_mul(u64::try_from(times).unwrap_or(u64::MAX))
}

/// Sessions with the same one can share a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    is_v6: bool,
    near: Option<IpAddr>,
    /// Of a link-local far end.
    zone: u32,
    port: PortChoice,
    tos: Tos,
    path: PathOptions,
    /// With hardware timestamps the interface towards it counts.
    far: Option<IpAddr>,
}

impl Key {
    fn of(plan: &SenderPlan) -> Self {
        let zone = match plan.far {
            SocketAddr::V6(far) => far.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let by_far = plan.path.stamps == StampChoice::Hardware && plan.near.is_none();
        Self {
            is_v6: plan.far.is_ipv6(),
            near: plan.near,
            zone,
            port: plan.port,
            tos: plan.tos,
            path: plan.path.clone(),
            far: by_far.then(|| plan.far.ip()),
        }
    }
}

/// How replies name a far end.
pub(super) fn source(far: SocketAddr) -> (IpAddr, u16) {
    (far.ip().to_canonical(), far.port())
}

impl Pool {
    pub(super) fn new(commands: Sender<Command>, waker: SetWaker) -> Self {
        Self {
            inner: Arc::default(),
            commands,
            waker,
        }
    }

    /// Something for the thread to do; it may have ended.
    pub(super) fn send(&self, command: Command) {
        // Where the thread has ended, its sessions have as well.
        let _ = self.commands.send(command);
        self.waker.wake();
    }

    /// A place on a socket, one that others have or a new one.
    pub(super) fn bind(&self, plan: &SenderPlan) -> Result<Lease, StartError> {
        let key = Key::of(plan);
        let far = source(plan.far);
        let mut inner = self.lock();
        let mut shared = inner.sockets.iter_mut().enumerate();
        let rate = rate(plan.schedule.mean_interval());
        let fitting = shared.find_map(|(place, socket)| {
            let socket = socket.as_mut()?;
            let takes = socket.has_earlier_port(plan) && socket.takes(&key, far, rate);
            takes.then_some((place, socket.local))
        });
        let (place, local) = if let Some(found) = fitting {
            found
        } else {
            let socket = open::socket(plan)?;
            let local = socket.local();
            let most = most(socket.receive_buffer_octets());
            let place = inner.place();
            let socket = Box::new(socket);
            self.send(Command::Open { place, socket });
            if let Some(slot) = inner.sockets.get_mut(place) {
                *slot = Some(Shared {
                    key,
                    local,
                    far: HashSet::from([far]),
                    rate,
                    most,
                });
            }
            (place, local)
        };
        let id = inner.ids.take();
        drop(inner);
        Ok(Lease {
            pool: self.clone(),
            id,
            place,
            far,
            bound_for: far,
            rate,
            local,
            is_over: false,
        })
    }

    /// Whether there is a socket with the port that the session keeps, which it may share.
    pub(super) fn has_earlier_port(&self, plan: &SenderPlan) -> bool {
        if plan.earlier_port.is_none() {
            return false;
        }
        let (key, inner) = (Key::of(plan), self.lock());
        let mut sockets = inner.sockets.iter().flatten();
        sockets.any(|socket| socket.key == key && socket.has_earlier_port(plan))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A free place among the sockets.
    fn place(&mut self) -> usize {
        if let Some(free) = self.sockets.iter().position(Option::is_none) {
            return free;
        }
        self.sockets.push(None);
        self.sockets.len() - 1
    }
}

/// A session's share of a socket; the last one that goes closes it.
#[derive(Debug)]
pub(in crate::measure) struct Lease {
    pool: Pool,
    pub(super) id: SessionId,
    /// The socket's place.
    pub(super) place: usize,
    pub(super) far: (IpAddr, u16),
    /// The far end that it was bound for, which may be the server that it was agreed on with.
    bound_for: (IpAddr, u16),
    rate: u64,
    pub(in crate::measure) local: SocketAddr,
    is_over: bool,
}

impl Lease {
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The session has this far end, as was agreed since it was bound.
    pub(in crate::measure) fn aim(&mut self, far: SocketAddr) -> Result<(), StartError> {
        let (to, near) = (source(far), self.local);
        if to != self.far {
            let mut inner = self.pool.lock();
            let socket = inner.sockets.get_mut(self.place).and_then(Option::as_mut);
            // Where it was asked for remains taken: the next session with this server has another port.
            if !socket.is_some_and(|socket| socket.far.insert(to)) {
                return Err(StartError::SameEnds { near, far });
            }
            drop(inner);
            self.far = to;
        }
        Ok(())
    }

    /// Ends it; true: it was the socket's last one.
    pub(super) fn give_back(&mut self) -> bool {
        if std::mem::replace(&mut self.is_over, true) {
            return false;
        }
        let mut inner = self.pool.lock();
        inner.ids.give_back(self.id);
        let Some(slot) = inner.sockets.get_mut(self.place) else {
            return false;
        };
        let Some(socket) = slot else {
            return false;
        };
        socket.far.remove(&self.far);
        socket.far.remove(&self.bound_for);
        socket.rate = socket.rate.saturating_sub(self.rate);
        let is_last = socket.far.is_empty();
        if is_last {
            *slot = None;
        }
        is_last
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.give_back() {
            let place = self.place;
            self.pool.send(Command::Close { place });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_as_many_sessions_as_it_can_hold_replies_of() {
        let plan = SenderPlan::to("192.0.2.1:862".parse().unwrap());
        let key = Key::of(&plan);
        let mut socket = Shared {
            key: key.clone(),
            local: "0.0.0.0:20000".parse().unwrap(),
            far: HashSet::new(),
            rate: 0,
            most: most(3 << 20),
        };
        let each = rate(Duration::from_secs(1));
        let taken = (0..u16::MAX).take_while(|port| {
            let far = source(SocketAddr::new("192.0.2.1".parse().unwrap(), *port));
            socket.takes(&key, far, each)
        });
        assert_eq!(taken.count(), 10_240);
        // A single one that is faster has a socket of its own, whatever it holds.
        assert!(rate(Duration::from_micros(10)) > socket.most);
        assert_eq!(rate(Duration::ZERO), 3_600_000_000_000);
    }

    #[test]
    fn sessions_whose_packets_differ_share_nothing() {
        let plan = SenderPlan::to("192.0.2.1:862".parse().unwrap());
        let same = SenderPlan {
            seed: 9,
            ..SenderPlan::to("198.51.100.7:20001".parse().unwrap())
        };
        assert_eq!(Key::of(&plan), Key::of(&same));
        let mut others = vec![plan.clone(); 5];
        others[0].tos = Tos(0xb8);
        others[1].path.ttl = 3;
        others[2].far = "[2001:db8::1]:862".parse().unwrap();
        others[3].near = Some("192.0.2.9".parse().unwrap());
        others[4].port = PortChoice::Exact(4_000);
        for other in others {
            assert_ne!(Key::of(&plan), Key::of(&other), "{other:?}");
        }
    }
}
