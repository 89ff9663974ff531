//! One control connection: a task around one engine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use twinpath_net::{clock, stream};
use twinpath_proto::control::{CloseReason, Opened, Server, ServerEvent, SessionRequest, make_sid};
use twinpath_proto::reflector::SessionSpec;
use twinpath_wire::control::{Accept, Modes, Sid};
use twinpath_wire::{Dscp, Tos};

use super::ServerState;
use super::admission::ConnectionPermit;
use super::log_limit::log;
use super::run::InForce;
use super::sessions::{ControlConnection, OpenError, OpenRequest};
use crate::link::Link;
use crate::names::named;
use crate::random;
use crate::stop::Stop;

/// SIDs made for one request, until one is unique.
const SID_TRIES: usize = 3;

/// A control connection and its engine.
pub(super) struct Connection {
    state: Arc<ServerState>,
    in_force: watch::Receiver<InForce>,
    link: Link<Server>,
    permit: ConnectionPermit,
    peer: SocketAddr,
    local: SocketAddr,
    /// Receives each ended session once, so what waits here is bounded by the
    /// sessions that a client may have.
    ended: mpsc::UnboundedReceiver<Sid>,
    owner: mpsc::UnboundedSender<Sid>,
}

/// Serves a client until its connection is over. Its sessions are stopped or gone by then.
pub(super) async fn serve(
    state: Arc<ServerState>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
    mut stopping: Stop,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    permit.list(peer, local);
    // A connection that is gone already shows when it is read.
    let _prepared = stream::prepare(&stream, peer.is_ipv6(), marking(&state, &stream));
    let nonces = match random::nonces() {
        Ok(nonces) => nonces,
        Err(error) => {
            log!(state, warn, "no random octets for the greeting", client = %named(peer), %error);
            return;
        }
    };
    let mut in_force = state.in_force.subscribe();
    let server = Server::new(
        Arc::clone(&in_force.borrow_and_update().config),
        state.keys.now(),
        permit.admission,
        nonces,
        clock::mono(),
        peer,
        local,
    );
    let (owner, ended) = mpsc::unbounded_channel();
    let link = Link::new(stream, server).on(state.plan.path.interface.as_deref());
    let shared = Arc::clone(&state);
    let connection = Connection {
        state,
        in_force,
        link,
        permit,
        peer,
        local,
        ended,
        owner,
    };
    let (link, mut permit) = connection.run(&mut stopping).await;
    permit.count_as(link.engine.stage(), link.engine.modes());
    shared.rebinds.fetch_add(link.rebinds, Relaxed);
    tokio::select! {
        biased;
        // Another has its place: its socket is not to linger.
        () = permit.displaced() => {}
        _ = link.close_politely() => {}
    }
}

/// The marking of the Server's segments: the operator's, or that of the client's SYN (row
/// TC-51).
fn marking(state: &ServerState, stream: &TcpStream) -> Option<Tos> {
    match state.plan.control_dscp {
        // The listening socket's connections have it from the start.
        Some(_) => None,
        None => stream::syn_tos(stream)
            .map(Tos::dscp)
            .filter(|dscp| *dscp != Dscp::BE)
            .map(Dscp::tos),
    }
}

impl Connection {
    /// Until everything is sent. Nothing can reach the connection then.
    async fn run(mut self, stopping: &mut Stop) -> (Link<Server>, ConnectionPermit) {
        let (mut stopped, mut displaced) = (false, false);
        loop {
            let engine = &self.link.engine;
            self.permit.count_as(engine.stage(), engine.modes());
            if !self.engine().has_sessions() {
                self.permit.release(clock::mono());
            }
            tokio::select! {
                event = self.link.event() => match event {
                    Some(event) => self.obey(event).await,
                    None => return (self.link, self.permit),
                },
                () = self.permit.displaced(), if !displaced => {
                    displaced = true;
                    self.engine().make_room(clock::mono());
                }
                Ok(()) = self.in_force.changed() => {
                    let config = Arc::clone(&self.in_force.borrow_and_update().config);
                    self.engine().set_config(config);
                }
                Some(sid) = self.ended.recv() => self.engine().session_ended(clock::mono(), sid),
                () = stopping.requested(), if !stopped => {
                    stopped = true;
                    self.engine().shut_down(clock::mono());
                }
            }
        }
    }

    fn engine(&mut self) -> &mut Server {
        &mut self.link.engine
    }

    /// Handles an event. Sessions that start with it start together.
    async fn obey(&mut self, event: ServerEvent) {
        let ServerEvent::Start(first) = event else {
            return self.obey_one(event).await;
        };
        let mut starting = vec![first];
        let mut next = self.engine().poll_event();
        while let Some(ServerEvent::Start(sid)) = next {
            starting.push(sid);
            next = self.engine().poll_event();
        }
        self.start(&starting).await;
        if let Some(event) = next {
            self.obey_one(event).await;
        }
    }

    async fn obey_one(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Ready { modes } => {
                // Quoted and escaped: a key's name may hold anything.
                let key_id = self.engine().key_id();
                let key_id = key_id.as_ref().map(tracing::field::debug);
                log!(self.state, info, "client set up", client = %named(self.peer), %modes, key_id);
            }
            ServerEvent::Open(request) => {
                // From here on its place is its own.
                let answer = if self.permit.hold() {
                    self.open(&request).await
                } else {
                    Err(Accept::TemporaryLimit)
                };
                self.engine().answer_open(clock::mono(), answer);
            }
            ServerEvent::Start(sid) => self.start(&[sid]).await,
            ServerEvent::Stop(sid) => {
                log!(self.state, debug, "stopped", client = %named(self.peer), session = %sid);
                self.state.reflectors.stop(sid).await;
            }
            ServerEvent::Remove(sid) => {
                log!(self.state, debug, "removed", client = %named(self.peer), session = %sid);
                self.state.reflectors.close(sid).await;
            }
            ServerEvent::Note(slip) => {
                let slip = slip.name();
                log!(self.state, debug, "deviates from the standard", client = %named(self.peer), slip);
            }
            ServerEvent::Closed(reason) => {
                if reason == CloseReason::KeyRefused {
                    // Logged with the others: a line for each would use up the limit for all.
                    return self.state.failed_logins.add(self.peer);
                }
                log!(self.state, info, "client connection ended", client = %named(self.peer), %reason);
            }
            ServerEvent::Refused(fault) => {
                self.state.counts().sessions_refused += 1;
                let accept = fault.accept();
                log!(self.state, info, "refused", client = %named(self.peer), %accept, reason = %fault);
            }
        }
    }

    /// Starts sessions, and reports to the engine those that could not be started.
    async fn start(&mut self, sids: &[Sid]) {
        let failed = self.state.reflectors.set_running(sids).await;
        self.engine().refuse_start(&failed, Accept::InternalError);
        let started = sids.len() - failed.len();
        log!(self.state, info, "sessions started", client = %named(self.peer), started, failed = failed.len());
        let started = u64::try_from(started).unwrap_or(0);
        self.state.counts().sessions_started += started;
    }

    async fn open(&mut self, request: &SessionRequest) -> Result<Opened, Accept> {
        let opened = self.find_room(request).await;
        match &opened {
            Ok(opened) => {
                log!(
                    self.state,
                    info,
                    "session agreed",
                    client = %named(self.peer),
                    session = %opened.sid,
                    sender = %named(request.sender),
                    port = opened.port,
                    dscp = %request.dscp
                );
                self.state.counts().sessions_made += 1;
            }
            Err(error) => {
                let accept = accept(*error);
                log!(
                    self.state,
                    info,
                    "refused",
                    client = %named(self.peer),
                    sender = %named(request.sender),
                    %accept,
                    reason = %error
                );
                self.state.counts().sessions_refused += 1;
            }
        }
        opened.map_err(accept)
    }

    async fn find_room(&mut self, request: &SessionRequest) -> Result<Opened, OpenError> {
        let (now, wall) = clock::pair();
        let delay = request.start_delay(wall);
        let server_octets = if self.state.plan.server_octets
            && request.modes.contains(Modes::REFLECT_OCTETS)
            && request.padding_to_reflect >= 2
        {
            self.state.server_octets()
        } else {
            0
        };
        let mut error = OpenError::SidTaken;
        for _ in 0..SID_TRIES {
            let host = self.state.host.unwrap_or(self.local.ip());
            let random = random::number().map_err(|_| OpenError::System)?;
            let sid = make_sid(host, wall, random);
            let spec = SessionSpec {
                sid,
                sender: request.sender,
                modes: request.modes,
                dscp: request.dscp,
                padding_length: request.padding_length,
                timeout: request.timeout,
                refwait: self.state.plan.refwait,
                padding_to_reflect: request.padding_to_reflect,
                server_octets,
                nat: self.state.plan.nat.then(|| self.peer.ip()),
                begins: (!delay.is_zero()).then(|| now + delay),
            };
            let open = OpenRequest {
                spec,
                guard: self.engine().test_guard(sid),
                near: self.receiver(request),
                reached: request.receiver == self.local.ip().to_canonical(),
                connection: ControlConnection {
                    client: self.peer,
                    server: self.local,
                },
                open: self.engine().key_id().is_none(),
                owner: self.owner.clone(),
            };
            match self.state.reflectors.open(open).await {
                Ok(port) => {
                    return Ok(Opened {
                        sid,
                        port,
                        server_octets,
                    });
                }
                Err(OpenError::SidTaken) => {}
                Err(refusal) => {
                    error = refusal;
                    break;
                }
            }
        }
        Err(error)
    }

    /// Where test packets are to arrive. A link-local address means nothing without its link.
    fn receiver(&self, request: &SessionRequest) -> SocketAddr {
        let mut near = SocketAddr::new(request.receiver, request.receiver_port);
        if let (SocketAddr::V6(near), SocketAddr::V6(local)) = (&mut near, self.local)
            && near.ip().is_unicast_link_local()
        {
            near.set_scope_id(local.scope_id());
        }
        near
    }
}

/// The Accept value for a refusal (rows TC-39, TC-41, TC-79).
fn accept(error: OpenError) -> Accept {
    match error {
        OpenError::NotLocal => Accept::NotSupported,
        OpenError::ClientLimit => Accept::PermanentLimit,
        OpenError::ClientLingers
        | OpenError::Limit
        | OpenError::OpenLimit
        | OpenError::NoPort
        | OpenError::Exhausted => Accept::TemporaryLimit,
        OpenError::System | OpenError::SidTaken | OpenError::Gone => Accept::InternalError,
    }
}
