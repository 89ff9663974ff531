//! Which sessions share a socket: those whose packets leave alike and whose replies can be told from
//! each other by where they come from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twinpath_net::{NextHop, NextHops, PathOptions, StampChoice, Waker, local_address_towards};
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
    waker: Waker,
}

#[derive(Debug, Default)]
struct Inner {
    sockets: Vec<Option<Shared>>,
    /// Free places among them.
    vacant: Vec<usize>,
    alike: HashMap<Key, Alike>,
    ids: Ids,
}

/// The sockets with one key. A session is compared with those that may have room for it, not with all.
#[derive(Debug, Default)]
struct Alike {
    places: BTreeSet<usize>,
    /// Far ends that the first ones had no room for: where to look on.
    from: HashMap<Far, usize>,
    /// Where a search for a free port of a range goes on.
    next_port: Option<u16>,
}

/// How replies name a far end.
type Far = (IpAddr, u16);

/// A socket that sessions share.
#[derive(Debug)]
struct Shared {
    key: Key,
    local: SocketAddr,
    /// Far ends: a reply says which session it belongs to by where it comes from.
    far: HashSet<Far>,
    /// Of a socket over a member: where it sends to.
    hops: Option<Arc<NextHops>>,
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
    fn takes(&mut self, far: Far, rate: u64) -> bool {
        let takes = self.rate.saturating_add(rate) <= self.most;
        let takes = takes && self.far.insert(far);
        self.rate += if takes { rate } else { 0 };
        takes
    }

    /// The session with this far end is over.
    fn forget(&mut self, far: Far) {
        self.far.remove(&far);
        if let Some(hops) = &self.hops
            && !self.far.iter().any(|(ip, _)| *ip == far.0)
        {
            hops.remove(far.0);
        }
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    is_v6: bool,
    near: Option<IpAddr>,
    /// Of a link-local far end.
    zone: u32,
    port: PortChoice,
    tos: Tos,
    path: PathOptions,
    member: Option<String>,
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
        // Over a member, packets name their source: sessions whose own addresses differ share no socket.
        let link = plan.member.as_ref().and_then(|member| member.link().ok());
        let own = link.and_then(|link| local_address_towards(plan.far, Some(&link)).ok());
        Self {
            is_v6: plan.far.is_ipv6(),
            near: plan.near.or(own),
            zone,
            port: plan.port,
            tos: plan.tos,
            path: plan.path.clone(),
            member: plan.member.as_ref().map(|member| member.interface.clone()),
            far: by_far.then(|| plan.far.ip()),
        }
    }
}

pub(super) fn source(far: SocketAddr) -> Far {
    (far.ip().to_canonical(), far.port())
}

impl Pool {
    pub(super) fn new(commands: Sender<Command>, waker: Waker) -> Self {
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
        // Before the pool is locked: it may take a moment.
        let hop = match &plan.member {
            Some(member) => Some(member.next_hop(plan.far.ip())?),
            None => None,
        };
        let mut inner = self.lock();
        let rate = rate(plan.schedule.mean_interval());
        let (place, local) = if let Some(found) = inner.shared(plan, &key, far, rate) {
            inner.send_to(found.0, hop);
            found
        } else {
            let next_port = inner.alike.get(&key).and_then(|alike| alike.next_port);
            let socket = open::socket(plan, next_port)?;
            let local = socket.local();
            let most = most(socket.receive_buffer_octets());
            let far = HashSet::from([far]);
            let place = inner.insert(Shared {
                key: key.clone(),
                local,
                far,
                hops: socket.next_hops().cloned(),
                rate,
                most,
            });
            let socket = Box::new(socket);
            self.send(Command::Open { place, socket });
            (place, local)
        };
        inner.look_on(plan, &key, far, place);
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
        let inner = self.lock();
        let alike = inner.alike.get(&Key::of(plan));
        let mut places = alike.into_iter().flat_map(|alike| &alike.places);
        places.any(|place| {
            let socket = inner.sockets.get(*place).and_then(Option::as_ref);
            socket.is_some_and(|socket| socket.has_earlier_port(plan))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A socket that has room for the session, which has its place there from now on.
    fn shared(
        &mut self,
        plan: &SenderPlan,
        key: &Key,
        far: Far,
        rate: u64,
    ) -> Option<(usize, SocketAddr)> {
        let alike = self.alike.get(key)?;
        let from = alike.from.get(&far).copied().unwrap_or(0);
        alike.places.range(from..).find_map(|place| {
            let socket = self.sockets.get_mut(*place)?.as_mut()?;
            let takes = socket.has_earlier_port(plan) && socket.takes(far, rate);
            takes.then_some((*place, socket.local))
        })
    }

    /// Has packets of the socket at this place sent to one more next hop.
    fn send_to(&self, place: usize, hop: Option<Arc<NextHop>>) {
        let socket = self.sockets.get(place).and_then(Option::as_ref);
        if let (Some(hops), Some(hop)) = (socket.and_then(|it| it.hops.as_ref()), hop) {
            hops.insert(hop);
        }
    }

    /// The next session with this far end is looked for behind this place.
    fn look_on(&mut self, plan: &SenderPlan, key: &Key, far: Far, place: usize) {
        if let Some(alike) = self.alike.get_mut(key)
            && alike.places.first() != Some(&place)
            && plan.earlier_port.is_none()
        {
            alike.from.insert(far, place + 1);
        }
    }

    fn insert(&mut self, socket: Shared) -> usize {
        let place = self.vacant.pop().unwrap_or(self.sockets.len());
        let alike = self.alike.entry(socket.key.clone()).or_default();
        alike.places.insert(place);
        alike.next_port = socket.local.port().checked_add(1);
        match self.sockets.get_mut(place) {
            Some(slot) => *slot = Some(socket),
            None => self.sockets.push(Some(socket)),
        }
        place
    }

    /// A session with these far ends leaves the socket at this place; true: it was the last one.
    fn leave(&mut self, place: usize, far: [Far; 2], rate: u64) -> bool {
        let Some(slot) = self.sockets.get_mut(place) else {
            return false;
        };
        let Some(socket) = slot else {
            return false;
        };
        let Some(alike) = self.alike.get_mut(&socket.key) else {
            return false;
        };
        socket.rate = socket.rate.saturating_sub(rate);
        for far in far {
            socket.forget(far);
            alike.from.remove(&far);
        }
        if !socket.far.is_empty() {
            return false;
        }
        alike.places.remove(&place);
        if alike.places.is_empty() {
            self.alike.remove(&socket.key);
        }
        *slot = None;
        self.vacant.push(place);
        true
    }
}

/// A session's share of a socket; the last one that goes closes it.
#[derive(Debug)]
pub(in crate::measure) struct Lease {
    pool: Pool,
    pub(super) id: SessionId,
    /// The socket's place.
    pub(super) place: usize,
    pub(super) far: Far,
    /// The far end that it was bound for, which may be the server that it was agreed on with.
    bound_for: Far,
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
        inner.leave(self.place, [self.far, self.bound_for], self.rate)
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
            hops: None,
            rate: 0,
            most: most(3 << 20),
        };
        let each = rate(Duration::from_secs(1));
        let taken = (0..u16::MAX).take_while(|port| {
            let far = source(SocketAddr::new("192.0.2.1".parse().unwrap(), *port));
            socket.takes(far, each)
        });
        assert_eq!(taken.count(), 10_240);
        // A single one that is faster has a socket of its own, whatever it holds.
        assert!(rate(Duration::from_micros(10)) > socket.most);
        assert_eq!(rate(Duration::ZERO), 3_600_000_000_000);
    }

    #[test]
    fn a_path_is_not_compared_with_the_sockets_of_all_others() {
        let plan = SenderPlan::to("192.0.2.1:862".parse().unwrap());
        let (key, far) = (Key::of(&plan), source(plan.far));
        let mut inner = Inner::default();
        for path in 0..1_000_u16 {
            let left = |inner: &Inner| {
                let alike = inner.alike.get(&key)?;
                let from = alike.from.get(&far).copied().unwrap_or(0);
                Some(alike.places.range(from..).count())
            };
            assert!(left(&inner).is_none_or(|left| left <= 1), "path {path}");
            assert_eq!(inner.shared(&plan, &key, far, 1), None);
            let place = inner.insert(Shared {
                key: key.clone(),
                local: SocketAddr::new([0, 0, 0, 0].into(), 20_000 + path),
                far: HashSet::from([far]),
                hops: None,
                rate: 1,
                most: 10,
            });
            inner.look_on(&plan, &key, far, place);
        }
        // Another far end shares the first socket.
        let other = ("192.0.2.2".parse().unwrap(), 862);
        let first = inner.shared(&plan, &key, other, 1);
        assert_eq!(first.map(|(place, _)| place), Some(0));
        // A path that ends leaves its place to the next.
        assert!(!inner.leave(0, [far, far], 1));
        let next = inner.shared(&plan, &key, far, 1);
        assert_eq!(next.map(|(place, _)| place), Some(0));
        assert!(!inner.leave(0, [other, other], 1));
        for place in 0..1_000 {
            assert!(inner.leave(place, [far, far], 1), "{place}");
            assert!(!inner.leave(place, [far, far], 1), "{place}");
        }
        assert!(inner.alike.is_empty());
        assert_eq!(inner.vacant.len(), 1_000);
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
