//! Which sessions share a socket: those whose packets leave alike and whose replies can be told from
//! each other by where they come from.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twinpath_net::{PathOptions, SetWaker, StampChoice};
use twinpath_wire::Tos;

use super::Command;
use super::table::Ids;
use crate::error::StartError;
use crate::measure::{SessionId, open};
use crate::{PortChoice, SenderPlan};

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
    pub(super) fn tell(&self, command: Command) {
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
        let fitting = shared.find_map(|(place, socket)| {
            let socket = socket.as_mut().filter(|socket| socket.key == key)?;
            socket.far.insert(far).then_some((place, socket.local))
        });
        let (place, local) = if let Some(found) = fitting {
            found
        } else {
            let socket = open::socket(plan)?;
            let local = socket.local();
            let place = inner.place();
            let socket = Box::new(socket);
            self.tell(Command::Open { place, socket });
            if let Some(slot) = inner.sockets.get_mut(place) {
                *slot = Some(Shared {
                    key,
                    local,
                    far: HashSet::from([far]),
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
            local,
        })
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
    pub(in crate::measure) local: SocketAddr,
}

impl Lease {
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut inner = self.pool.lock();
        inner.ids.give_back(self.id);
        let Some(slot) = inner.sockets.get_mut(self.place) else {
            return;
        };
        if let Some(socket) = slot {
            socket.far.remove(&self.far);
            if socket.far.is_empty() {
                *slot = None;
                let place = self.place;
                self.pool.tell(Command::Close { place });
            }
        }
    }
}
