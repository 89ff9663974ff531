//! A Server's run: what its tasks share, and a handle on it.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use twinpath_net::activation::PassedSocket;
use twinpath_net::{NoHardware, clock};
use twinpath_proto::control::ServerConfig;
use twinpath_proto::reflector::Ended;
use twinpath_wire::{Mono, WireTime};

use super::admission::{ConnectionLimit, ListedConnection};
use super::failed_logins::FailedLogins;
use super::keys::{self, KeyChanges, KeyRotation, Keys, Secrets};
use super::log_limit::{self, LogLimit};
use super::sessions::{Fact, Reflectors, ServerSession};
use super::{ServerCounters, ServerLimits, ServerPlan, ServerReport, listen};
use crate::error::{RunError, StartError, spawn};
use crate::keys::KeyRing;
use crate::reflect::ReflectorStatus;
use crate::stop::Stop;

/// Threads of the control plane, and those that bind test ports for it.
const CONTROL_THREADS: usize = 2;
const BINDING_THREADS: usize = 4;
/// How often what is logged together is logged.
const SAID_EVERY: Duration = Duration::from_secs(1);
/// Time for connections to send their last messages when the Server stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// A remote address to which no packet is sent: the route to it shows this host's own.
const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 862);

/// The limits that are in force, and the configuration of connections by these.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub(super) limits: ServerLimits,
    pub(super) config: Arc<ServerConfig>,
}

/// What the tasks of a Server share.
#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) plan: Arc<ServerPlan>,
    pub(super) in_force: watch::Sender<InForce>,
    pub(super) connections: Arc<ConnectionLimit>,
    pub(super) reflectors: Reflectors,
    pub(super) keys: Arc<Keys>,
    pub(super) failed_logins: FailedLogins,
    counts: Mutex<ServerCounters>,
    pub(super) rebinds: AtomicU64,
    pub(super) log_limit: LogLimit,
    /// This host's address for Session Identifiers; `None`: that of the connection.
    pub(super) host: Option<IpAddr>,
    next_octets: AtomicU16,
    /// The control plane has gone on since the last look at it.
    turned: AtomicBool,
    /// Has it go on.
    turn: Notify,
}

impl ServerState {
    /// Server octets for a new session: never 0, which means none.
    pub(super) fn server_octets(&self) -> u16 {
        let octets = self.next_octets.fetch_add(1, Relaxed);
        if octets == 0 { 0xffff } else { octets }
    }

    /// Logs what is logged together, from time to time, for ever.
    async fn watch(&self) {
        let mut due = interval(SAID_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = due.tick() => {
                    self.failed_logins.log();
                    self.log_limit.log_left_out(clock::mono());
                }
                () = self.turn.notified() => {}
            }
            self.turned.store(true, Relaxed);
        }
    }

    fn counters(&self) -> ServerCounters {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (sessions, ports) = self.reflectors.open_counts();
        let connections = self.connections.counts();
        ServerCounters {
            connections: connections.total(),
            connection_counts: connections,
            connections_made_room: self.connections.made_room(),
            keys_refused: self.failed_logins.count(),
            sessions: number(sessions),
            ports: number(ports),
            packets: self.reflectors.snapshot().counters,
            ..*self.counts()
        }
    }

    /// Counts of what has happened, to read and to add to.
    pub(super) fn counts(&self) -> MutexGuard<'_, ServerCounters> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Server that runs.
#[derive(Debug)]
pub struct ServerRun {
    listening: Vec<SocketAddr>,
    started: Mono,
    state: Arc<ServerState>,
    stop: watch::Sender<bool>,
    /// `None`: there are no keys.
    rotation: Option<KeyRotation>,
    control: Option<JoinHandle<()>>,
}

/// Derives the keys, opens the listening sockets and begins to serve.
///
/// # Errors
/// [`StartError`]: which address could not be had.
pub fn start(plan: ServerPlan) -> Result<ServerRun, StartError> {
    start_on(plan, Vec::new(), || ())
}

/// The same by listening sockets that a service manager passes, if it does, instead of those on the plan's addresses. `opened` is
/// called when all of them are open, before the first thread begins.
///
/// # Errors
/// [`StartError`]: which socket is of no use.
pub fn start_on(
    mut plan: ServerPlan,
    passed: Vec<PassedSocket>,
    opened: impl FnOnce(),
) -> Result<ServerRun, StartError> {
    let descriptors = twinpath_net::host::raise_descriptor_limit();
    if let Some(most) = descriptors {
        tracing::debug!(most, "files and sockets that may be open at once");
    }
    let secrets = Secrets::of(std::mem::take(&mut plan.keys));
    let keys = keys::derive_at_once(&secrets, plan.pbkdf2_count);
    let keys = Keys::new(keys.map_err(StartError::system("random octets"))?);
    let plan = Arc::new(plan);
    let listeners = if passed.is_empty() {
        listen::open(&plan)?
    } else {
        listen::adopt(&plan, passed)?
    };
    opened();
    let listening = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .max_blocking_threads(BINDING_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(StartError::system("threads for control connections"))?;
    let (reflectors, facts) = Reflectors::start(&plan)?;
    let rotation = if secrets.is_empty() {
        None
    } else {
        let keys = Arc::clone(&keys);
        Some(KeyRotation::start(
            keys,
            secrets,
            plan.pbkdf2_count,
            plan.salt_life,
        )?)
    };
    let state = Arc::new(ServerState {
        in_force: watch::Sender::new(InForce {
            limits: plan.limits.clone(),
            config: Arc::new(config(&plan)),
        }),
        connections: ConnectionLimit::new(&plan.limits),
        reflectors,
        keys,
        failed_logins: FailedLogins::default(),
        counts: Mutex::default(),
        rebinds: AtomicU64::new(0),
        log_limit: LogLimit::default(),
        host: twinpath_net::local_address_towards(FAR, None)
            .ok()
            .filter(|host| !host.is_loopback()),
        next_octets: AtomicU16::new(1),
        turned: AtomicBool::new(false),
        turn: Notify::new(),
        plan,
    });
    let (stop, stopping) = Stop::new();
    let shared = Arc::clone(&state);
    let control = spawn("server", move || {
        serve(&runtime, &shared, listeners, facts, &stopping);
    })?;
    Ok(ServerRun {
        listening,
        started: clock::mono(),
        state,
        stop,
        rotation,
        control: Some(control),
    })
}

fn config(plan: &ServerPlan) -> ServerConfig {
    ServerConfig {
        modes: plan.modes,
        servwait: plan.servwait,
        refwait: plan.refwait,
        message_patience: plan.message_patience,
        strict: plan.strict,
        start_time: WireTime::ntp(clock::wall()),
        nat: plan.nat,
        ..limited(&ServerConfig::default(), &plan.limits)
    }
}

/// A configuration with other limits.
fn limited(config: &ServerConfig, limits: &ServerLimits) -> ServerConfig {
    ServerConfig {
        max_sessions: u32::try_from(limits.max_sessions_per_client).unwrap_or(u32::MAX),
        allow_sender: limits.allow_sender.clone(),
        ..config.clone()
    }
}

/// Until the Server stops: connections, and the facts from the reflector threads.
fn serve(
    runtime: &Runtime,
    state: &Arc<ServerState>,
    listeners: Vec<TcpListener>,
    facts: mpsc::Receiver<Fact>,
    stopping: &Stop,
) {
    runtime.block_on(async {
        let settling = tokio::spawn(apply_facts(Arc::clone(state), facts));
        let guarded = Arc::clone(state);
        let watching = tokio::spawn(async move { guarded.watch().await });
        let mut accepting = tokio::task::JoinSet::new();
        for listener in listeners {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    accepting.spawn(listen::accept(
                        Arc::clone(state),
                        listener,
                        stopping.clone(),
                    ));
                }
                Err(error) => tracing::error!(%error, "a listening socket is of no use"),
            }
        }
        stopping.clone().requested().await;
        let all = async { while accepting.join_next().await.is_some() {} };
        let _in_time = timeout(FAREWELL, all).await;
        settling.abort();
        watching.abort();
        state.failed_logins.log();
        state.log_limit.log_left_out(clock::mono() + SAID_EVERY);
    });
}

/// Applies facts from the reflector threads to the registry and the connections.
async fn apply_facts(state: Arc<ServerState>, mut facts: mpsc::Receiver<Fact>) {
    while let Some(fact) = facts.recv().await {
        let Some(over) = state.reflectors.apply(fact).await else {
            continue;
        };
        let how = match over.how {
            Ended::Stopped => "its timeout has passed",
            Ended::Refwait => "no packets for REFWAIT",
            Ended::Removed => "removed",
        };
        log_limit::log!(
            state,
            info,
            "session ended",
            session = %over.sid,
            how,
            received = over.counters.received,
            reflected = over.counters.reflected,
            not_started = over.counters.not_started,
            rate_limited = over.counters.rate_limited,
            forged = over.counters.forged,
            replays = over.counters.replays,
            old = over.counters.old
        );
        if over.how == Ended::Refwait {
            state.counts().sessions_expired += 1;
            // It fails where the connection is gone as well.
            let _told = over.owner.send(over.sid);
        }
    }
}

impl ServerRun {
    /// Where it listens for control connections.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Why there are no hardware timestamps, if they were requested; known from the first session on.
    pub fn no_hardware(&self) -> Option<&NoHardware> {
        self.state.reflectors.no_hardware()
    }

    /// Counts so far; those of packets at most about 100 ms old.
    pub fn counters(&self) -> ServerCounters {
        self.state.counters()
    }

    /// Other keys are to be in force as soon as they are derived: what they change. Those that are not among them open
    /// no connection from now on; connections and sessions that are set up stay as they are. Nothing
    /// happens on a Server that was started without keys.
    pub fn replace_keys(&self, ring: KeyRing) -> KeyChanges {
        let rotation = self.rotation.as_ref();
        rotation.map_or_else(KeyChanges::default, |rotation| rotation.replace(ring))
    }

    /// Puts other limits in force, in place of all before. Connections and sessions that are beyond them stay as they
    /// are. With another rate each sender has the replies of one second at once.
    pub fn replace_limits(&self, limits: ServerLimits) {
        let state = &self.state;
        state.connections.set_limits(&limits);
        state.reflectors.set_limits(&limits);
        state.in_force.send_modify(|in_force| {
            in_force.config = Arc::new(limited(&in_force.config, &limits));
            in_force.limits = limits;
        });
    }

    /// Whether each reflector thread and the control plane have gone on since this was true the last time. Wakes those
    /// that wait: a moment later it is true of them.
    pub fn has_turned(&self) -> bool {
        if !self.state.turned.load(Relaxed) {
            self.state.turn.notify_one();
            return false;
        }
        let have_turned = self.state.reflectors.have_turned();
        if have_turned {
            self.state.turned.store(false, Relaxed);
        }
        have_turned
    }

    /// Begins the end: no new connections; existing ones are closed, their sessions
    /// stopped, packets that have arrived answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// A thread has ended: by [`ServerRun::stop`] or by an error.
    pub fn is_finished(&self) -> bool {
        self.control.as_ref().is_none_or(JoinHandle::is_finished)
            || self.state.reflectors.is_finished()
    }

    /// Stops, waits for all threads and returns their counts.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub fn join(mut self) -> Result<ServerReport, RunError> {
        self.stop();
        drop(self.rotation.take());
        let control = self.control.take().map_or(Ok(()), JoinHandle::join);
        self.state.reflectors.end()?;
        control.map_err(|_| RunError::Fault)?;
        Ok(self.so_far())
    }

    /// What it did so far; counts of packets at most about 100 ms old.
    pub fn so_far(&self) -> ServerReport {
        let mut sum = self.state.reflectors.snapshot();
        sum.rebinds += self.state.rebinds.load(Relaxed);
        sum.report(&self.listening, self.started, self.state.counters())
    }
}

impl ServerRun {
    /// Its sessions with their ends, up to 256 of them. Waits half a second for its threads at most.
    pub fn sessions(&self) -> Vec<ServerSession> {
        self.state.reflectors.with_ends()
    }

    /// Control connections that are served, up to 256 of them.
    pub fn connections(&self) -> Vec<ListedConnection> {
        self.state.connections.listed()
    }

    /// What it did so far and its sessions. Waits half a second for its threads at most.
    pub fn status(&self) -> ReflectorStatus<ServerCounters> {
        ReflectorStatus {
            sessions: self.state.reflectors.listed(),
            report: self.so_far(),
        }
    }
}

impl Drop for ServerRun {
    fn drop(&mut self) {
        self.stop();
    }
}
