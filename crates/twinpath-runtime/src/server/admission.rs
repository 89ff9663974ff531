//! Which clients are served, and which are refused because the Server is full (rows TC-78, TC-79).

use std::collections::HashMap;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use twinpath_proto::ClientPrefix;
use twinpath_proto::control::{Admission, ConnectionStage};
use twinpath_wire::Mono;
use twinpath_wire::control::{Accept, Modes};

use super::{ConnectionCounts, ServerLimits};

/// One in this many connections more gets the reason why it is refused, and as many again that there is no
/// room for that.
const RESERVE: usize = 10;

/// The open connections.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    most: usize,
    most_per_client: usize,
    /// Those served, by their number.
    places: HashMap<u64, Place>,
    next: u64,
    refused: usize,
    turned_away: usize,
    clients: HashMap<ClientPrefix, usize>,
    made_room: u64,
    counts: ConnectionCounts,
}

/// A connection that is served.
#[derive(Debug)]
struct Place {
    client: ClientPrefix,
    /// Since when it has no sessions; `None`: it has some, and keeps its place.
    idle_since: Option<Mono>,
    /// Rung when the place is given to another.
    leave: Arc<Notify>,
    /// `None`: its addresses are not known yet.
    listed: Option<ListedConnection>,
}

/// A control connection that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedConnection {
    /// The Control-Client's address and TCP port.
    pub client: SocketAddr,
    /// This end's.
    pub server: SocketAddr,
    /// Where it is in its life.
    pub stage: ConnectionStage,
    /// The modes that the client chose; none before it has.
    pub modes: Modes,
}

/// Connections that are listed, at most.
const MOST_LISTED: usize = 256;

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The operator does not serve this address.
    NotAllowed,
    /// The client has all the connections that it may have.
    ClientLimit,
    /// All connections are taken, by clients that have no more of them than this one, or that have
    /// sessions.
    Full,
}

impl Refusal {
    fn accept(self) -> Accept {
        match self {
            Self::NotAllowed | Self::ClientLimit => Accept::PermanentLimit,
            Self::Full => Accept::TemporaryLimit,
        }
    }
}

/// What becomes of a new connection.
#[derive(Debug)]
pub(super) struct AdmissionResult {
    /// `None`: it is served.
    pub(super) refusal: Option<Refusal>,
    /// `None`: too many are being refused; it is greeted with Modes 0 and closed at once.
    pub(super) permit: Option<ConnectionPermit>,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    connections: Arc<ConnectionLimit>,
    pub(super) admission: Admission,
    /// Number and bell of a place among those served.
    place: Option<(u64, Arc<Notify>)>,
    /// What it is counted as.
    counted: (ConnectionStage, Modes),
}

impl ConnectionLimit {
    pub(super) fn new(limits: &ServerLimits) -> Arc<Self> {
        let connections = Self {
            state: Mutex::default(),
        };
        connections.set_limits(limits);
        Arc::new(connections)
    }

    /// Has these limits in place of others before. Connections beyond them stay.
    pub(super) fn set_limits(&self, limits: &ServerLimits) {
        let mut state = self.state();
        state.most = limits.max_connections;
        state.most_per_client = limits.max_connections_per_client;
    }

    /// Open connections, those too whose place another client has.
    pub(super) fn counts(&self) -> ConnectionCounts {
        self.state().counts
    }

    /// Those that are served, in the order of their ends: as many as are listed.
    pub(super) fn listed(&self) -> Vec<ListedConnection> {
        let state = self.state();
        let places = state.places.values();
        let mut listed: Vec<ListedConnection> = places.filter_map(|place| place.listed).collect();
        drop(state);
        listed.sort_unstable_by_key(|one| (one.client, one.server));
        listed.truncate(MOST_LISTED);
        listed
    }

    /// Connections closed to make room for others, so far.
    pub(super) fn made_room(&self) -> u64 {
        self.state().made_room
    }

    /// What becomes of a new connection. Where all are taken, one without sessions makes room: of the
    /// client that has most, the one that has been so for longest, if that client has more
    /// connections than this one.
    pub(super) fn admit(
        self: &Arc<Self>,
        client: IpAddr,
        allowed: bool,
        now: Mono,
    ) -> AdmissionResult {
        let client = ClientPrefix::of(client);
        let mut state = self.state();
        let of_client = state.clients.get(&client).copied().unwrap_or(0);
        let refusal = if !allowed {
            Some(Refusal::NotAllowed)
        } else if of_client >= state.most_per_client {
            Some(Refusal::ClientLimit)
        } else if state.places.len() >= state.most && !state.make_room(of_client) {
            Some(Refusal::Full)
        } else {
            None
        };
        let permit = match refusal {
            None => Some((Admission::Served, Some(state.place(client, now)))),
            Some(refusal) => state.refuse(refusal).map(|how| (how, None)),
        };
        let permit = permit.map(|(admission, place)| {
            let does = match admission {
                Admission::Served => ConnectionStage::SettingUp,
                Admission::Refused(_) | Admission::TurnedAway => ConnectionStage::Refused,
            };
            let counted = (does, Modes::default());
            state.counts.add(counted);
            ConnectionPermit {
                connections: Arc::clone(self),
                admission,
                place,
                counted,
            }
        });
        AdmissionResult { refusal, permit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place(&mut self, client: ClientPrefix, now: Mono) -> (u64, Arc<Notify>) {
        let number = self.next;
        self.next += 1;
        let leave = Arc::new(Notify::new());
        let place = Place {
            client,
            idle_since: Some(now),
            leave: Arc::clone(&leave),
            listed: None,
        };
        self.places.insert(number, place);
        *self.clients.entry(client).or_default() += 1;
        (number, leave)
    }

    fn leave(&mut self, number: u64) {
        let Some(place) = self.places.remove(&number) else {
            return;
        };
        if let Some(count) = self.clients.get_mut(&place.client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&place.client);
            }
        }
        place.leave.notify_one();
    }

    /// Whether a place is free now for a client that has `fewer` of them than the one that lost it.
    fn make_room(&mut self, fewer: usize) -> bool {
        let idle = self.places.iter().filter_map(|(number, place)| {
            let has = self.clients.get(&place.client).copied().unwrap_or(0);
            let since = place.idle_since?;
            (has > fewer).then_some((has, std::cmp::Reverse((since, *number))))
        });
        let Some((_, std::cmp::Reverse((_, number)))) = idle.max() else {
            return false;
        };
        self.leave(number);
        self.made_room += 1;
        true
    }

    /// How the refusal is sent, while there is room for that.
    fn refuse(&mut self, refusal: Refusal) -> Option<Admission> {
        let reserve = (self.most / RESERVE).max(1);
        if self.refused < reserve {
            self.refused += 1;
            Some(Admission::Refused(refusal.accept()))
        } else if self.turned_away < reserve {
            self.turned_away += 1;
            Some(Admission::TurnedAway)
        } else {
            None
        }
    }
}

impl ConnectionPermit {
    /// Keeps the place for a session. `false`: it was given to another client before.
    pub(super) fn hold(&self) -> bool {
        self.set_idle(None)
    }

    /// The connection has no sessions, since `now` at the latest.
    pub(super) fn release(&self, now: Mono) {
        self.set_idle(Some(now));
    }

    /// Has the connection counted by what it does now.
    pub(super) fn count_as(&mut self, does: ConnectionStage, modes: Modes) {
        let before = std::mem::replace(&mut self.counted, (does, modes));
        if before != self.counted {
            let mut state = self.connections.state();
            state.counts.remove(before);
            state.counts.add(self.counted);
            let place = self.place.as_ref().map(|(number, _)| number);
            let place = place.and_then(|number| state.places.get_mut(number));
            if let Some(listed) = place.and_then(|place| place.listed.as_mut()) {
                (listed.stage, listed.modes) = self.counted;
            }
        }
    }

    /// Has the connection listed with these ends.
    pub(super) fn list(&self, client: SocketAddr, server: SocketAddr) {
        let mut state = self.connections.state();
        let place = self.place.as_ref().map(|(number, _)| number);
        if let Some(place) = place.and_then(|number| state.places.get_mut(number)) {
            let (does, modes) = self.counted;
            place.listed = Some(ListedConnection {
                client,
                server,
                stage: does,
                modes,
            });
        }
    }

    fn set_idle(&self, since: Option<Mono>) -> bool {
        let Some((number, _)) = &self.place else {
            return true;
        };
        match self.connections.state().places.get_mut(number) {
            Some(place) => {
                place.idle_since = since.and(place.idle_since).or(since);
                true
            }
            None => false,
        }
    }

    /// Waits until the place is given to another client, for ever if need be.
    pub(super) async fn displaced(&self) {
        let Some((number, leave)) = &self.place else {
            return pending().await;
        };
        while self.connections.state().places.contains_key(number) {
            leave.notified().await;
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.counts.remove(self.counted);
        match (self.admission, &self.place) {
            (Admission::Refused(_), _) => state.refused -= 1,
            (Admission::TurnedAway, _) => state.turned_away -= 1,
            (Admission::Served, Some((number, _))) => state.leave(*number),
            (Admission::Served, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;
