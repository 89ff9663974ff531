//! Listening sockets, and the tasks that accept connections by them.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;
use twinpath_net::activation::PassedSocket;
use twinpath_net::{BindError, Device, clock, stream};
use twinpath_proto::control::{Admission, Nonces, Server};
use twinpath_wire::{Dscp, Mono};

use super::admission::{AdmissionResult, Refusal};
use super::log_limit::log;
use super::sessions::is_exhausted;
use super::{ServerCounters, ServerPlan, ServerState, connection};
use crate::error::StartError;
use crate::interfaces::{FollowedInterface, LOOK_EVERY};
use crate::names::named;
use crate::stop::Stop;

/// How long nothing is accepted when the system has no descriptors left.
const RESPITE: Duration = Duration::from_millis(100);
/// How often that is said.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Binds all addresses that can be had.
pub(super) fn open(plan: &ServerPlan) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for near in &plan.near {
        match open_one(plan, *near, &listeners) {
            Ok(listener) => listeners.push(listener),
            Err(error) if plan.tolerate_missing_family && error.is_family() => {}
            Err(error) => return Err(error.into()),
        }
    }
    // All families are missing: report the first that was requested.
    if listeners.is_empty()
        && let Some(near) = plan.near.first()
    {
        bind(plan, *near)?;
    }
    Ok(listeners)
}

/// Takes over passed sockets.
pub(super) fn adopt(
    plan: &ServerPlan,
    passed: Vec<PassedSocket>,
) -> Result<Vec<TcpListener>, StartError> {
    let tos = plan.control_dscp.map(Dscp::tos);
    let interface = plan.path.interface.as_deref();
    let listeners = passed.into_iter().map(|it| it.listener(interface, tos));
    Ok(listeners.collect::<Result<_, _>>()?)
}

/// Where any port will do, the addresses share one.
fn open_one(
    plan: &ServerPlan,
    near: SocketAddr,
    opened: &[TcpListener],
) -> Result<TcpListener, BindError> {
    if near.port() == 0
        && let Some(Ok(other)) = opened.first().map(TcpListener::local_addr)
    {
        match bind(plan, SocketAddr::new(near.ip(), other.port())) {
            Err(error) if error.is_in_use() => {}
            result => return result,
        }
    }
    bind(plan, near)
}

fn bind(plan: &ServerPlan, near: SocketAddr) -> Result<TcpListener, BindError> {
    let tos = plan.control_dscp.map(Dscp::tos);
    stream::listen(near, plan.path.interface.as_deref(), tos)
}

/// Accepts connections until the Server stops; then waits for those that it accepted.
pub(super) async fn accept(
    state: Arc<ServerState>,
    mut listener: tokio::net::TcpListener,
    stopping: Stop,
) {
    let local = listener.local_addr().ok();
    let device = local.and_then(|local| Device::of(local, state.plan.path.interface.as_deref()));
    let mut following = device.as_ref().map(FollowedInterface::of);
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    let mut say_due = Mono::from_ns(0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Those that are over leave the set.
            Some(_) = connections.join_next() => continue,
            () = sleep(LOOK_EVERY), if following.is_some() => {
                follow(&state, &mut listener, &mut following);
                continue;
            }
            () = stop.requested() => break,
        };
        match accepted {
            Ok((stream, peer)) => welcome(&state, &mut connections, stream, peer, &stopping),
            Err(error) => {
                state.counts().accept_errors += 1;
                let now = clock::mono();
                if now >= say_due {
                    say_due = now + SAID_EVERY;
                    warn!(%error, "a connection could not be accepted");
                }
                rest(&error).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Binds the listening socket to its interface again if that was made again; where this process may not,
/// another takes its place.
fn follow(
    state: &ServerState,
    listener: &mut tokio::net::TcpListener,
    following: &mut Option<FollowedInterface>,
) {
    let now = clock::mono();
    if let Some(following) = following
        && let Some(index) = following.moved(now)
    {
        let bound = match stream::bind_again(listener, following.name()) {
            Ok(()) => Ok(()),
            Err(_) => listen_again(&state.plan, listener, index),
        };
        if following.record_binding(index, now, bound) {
            state.rebinds.fetch_add(1, Relaxed);
        }
    }
}

/// Listens at the same address by an interface that has the number `index` now.
fn listen_again(
    plan: &ServerPlan,
    listener: &mut tokio::net::TcpListener,
    index: u32,
) -> Result<(), StartError> {
    let system = StartError::system("a listening socket");
    let mut near = listener.local_addr().map_err(system)?;
    if let SocketAddr::V6(near) = &mut near
        && near.scope_id() != 0
    {
        near.set_scope_id(index);
    }
    let other = tokio::net::TcpListener::from_std(bind(plan, near)?).map_err(system)?;
    *listener = other;
    Ok(())
}

/// A client that gave up meanwhile costs nothing; a system that has no descriptors left would only
/// say so again.
async fn rest(error: &io::Error) {
    let passing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    );
    if is_exhausted(error) || !passing {
        sleep(RESPITE).await;
    }
}

fn welcome(
    state: &Arc<ServerState>,
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
    stopping: &Stop,
) {
    let client = peer.ip().to_canonical();
    let allowed = {
        let allow = &state.in_force.borrow().limits.allow;
        allow.is_empty() || allow.iter().any(|net| net.contains(&client))
    };
    let AdmissionResult { refusal, permit } =
        state.connections.admit(client, allowed, clock::mono());
    let count: fn(&mut ServerCounters) -> &mut u64 = match refusal {
        // Logged once it is set up: strangers who connect only to guess are logged together.
        None => |counts| &mut counts.connections_served,
        Some(Refusal::ClientLimit) => {
            log!(state, info, "client refused: it has reached its limit of connections", client = %named(peer));
            |counts| &mut counts.connections_over_client_limit
        }
        Some(Refusal::Full) => {
            log!(state, info, "client refused: the server is full", client = %named(peer));
            |counts| &mut counts.connections_when_full
        }
        Some(Refusal::NotAllowed) => {
            log!(state, info, "client refused: not allowed to connect", client = %named(peer));
            |counts| &mut counts.connections_not_allowed
        }
    };
    *count(&mut state.counts()) += 1;
    match permit {
        Some(permit) => {
            let serving =
                connection::serve(Arc::clone(state), stream, peer, permit, stopping.clone());
            connections.spawn(serving);
        }
        None => send_off(state, stream, peer),
    }
}

/// Where even refusals are too many: a greeting with Modes 0 into the empty buffer of a new
/// connection, which takes it without a wait; then the connection is closed.
fn send_off(state: &ServerState, stream: TcpStream, peer: SocketAddr) {
    // The runtime has not yet seen that it is writable.
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let mut engine = Server::new(
        Arc::clone(&state.in_force.borrow().config),
        state.keys.now(),
        Admission::TurnedAway,
        Nonces::default(),
        clock::mono(),
        peer,
        local,
    );
    while engine.poll_event().is_some() {}
    if let Some(greeting) = engine.poll_output() {
        // A client that is gone already misses nothing.
        let _ = stream.write(greeting);
    }
}
