//! The threads that reflect negotiated sessions, as the control plane sees them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot};
use twinpath_net::{NoHardware, clock};
use twinpath_proto::reflector::{
    ClientRates, Ended, ListedSession, NegotiatedConfig, ReflectorPolicy, SessionCounters,
    SessionOrigin, SessionReflector,
};
use twinpath_wire::control::Sid;

use super::super::{ServerLimits, ServerPlan};
use super::duties::{Command, ControlDuties, Fact};
use super::session_registry::{ControlConnection, FreedSocket, SessionRegistry};
use super::{OpenError, OpenRequest};
use crate::error::{RunError, StartError};
use crate::reflect::{ReflectorThread, Snapshot, Sockets};

/// Commands that wait for a thread, and facts that wait for the control plane, at most.
const COMMANDS: usize = 1024;
const FACTS: usize = 1024;

/// A session of a Server, and the ends that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSession {
    /// What its thread has.
    pub session: ListedSession,
    /// Where it is reflected.
    pub reflector: SocketAddr,
    /// The control connection by which it was requested.
    pub connection: ControlConnection,
}

/// A session that is over.
#[derive(Debug)]
pub(crate) struct EndedSession {
    pub(crate) sid: Sid,
    pub(crate) how: Ended,
    pub(crate) counters: SessionCounters,
    /// Who opened it.
    pub(crate) owner: mpsc::UnboundedSender<Sid>,
}

/// A handle on the threads. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Reflectors {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) plan: Arc<ServerPlan>,
    threads: Vec<Thread>,
    registry: Mutex<SessionRegistry>,
    /// Shared by the threads; `None`: no sender is limited.
    rates: Mutex<Option<Arc<ClientRates>>>,
    /// Why the first test port has no hardware timestamps, if they were requested.
    pub(super) no_hardware: OnceLock<NoHardware>,
}

#[derive(Debug)]
pub(super) struct Thread {
    commands: mpsc::Sender<Command>,
    reflector: ReflectorThread,
}

impl Thread {
    /// Whether the thread is there to get it.
    async fn send(&self, command: Command) -> bool {
        let sent = self.commands.send(command).await.is_ok();
        self.reflector.wake();
        sent
    }

    /// As [`Thread::send`], from a thread that may wait.
    pub(super) fn send_blocking(&self, command: Command) -> bool {
        let sent = self.commands.blocking_send(command).is_ok();
        self.reflector.wake();
        sent
    }
}

impl Reflectors {
    /// Starts the threads. The facts that they send are for [`Reflectors::apply`].
    ///
    /// # Errors
    /// [`StartError`]: no thread or no descriptor to be had.
    pub(crate) fn start(
        plan: &Arc<ServerPlan>,
    ) -> Result<(Self, mpsc::Receiver<Fact>), StartError> {
        let (facts, told) = mpsc::channel(FACTS);
        let count = plan.threads.max(1);
        let config = config(plan, &plan.limits);
        let rates = ClientRates::renewed(None, plan.limits.max_rate_pps, count);
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let (commands, obeyed) = mpsc::channel(COMMANDS);
            let sockets = Sockets::new().map_err(StartError::system("a descriptor to wait by"))?;
            let engine =
                SessionReflector::for_negotiated(config.clone()).sharing_rates(rates.as_ref());
            let duties = ControlDuties::new(obeyed, facts.clone());
            threads.push(Thread {
                commands,
                reflector: ReflectorThread::start(index, sockets, engine, plan.raw_t3, duties)?,
            });
        }
        let registry = Mutex::new(SessionRegistry::new(plan.limits.clone(), count));
        let inner = Arc::new(Inner {
            plan: Arc::clone(plan),
            threads,
            registry,
            rates: Mutex::new(rates),
            no_hardware: OnceLock::new(),
        });
        Ok((Self { inner }, told))
    }

    /// Puts other limits in force. Sessions beyond them stay. From a thread that may wait.
    pub(crate) fn set_limits(&self, limits: &ServerLimits) {
        let inner = &self.inner;
        inner.registry().limits = limits.clone();
        let mut rates = inner.rates.lock().unwrap_or_else(PoisonError::into_inner);
        *rates = ClientRates::renewed(rates.as_ref(), limits.max_rate_pps, inner.threads.len());
        let config = config(&inner.plan, limits);
        for thread in &inner.threads {
            // One that has ended needs none.
            thread.send_blocking(Command::Configure(Box::new(config.clone()), rates.clone()));
        }
    }

    /// Takes a session on; it is not reflected yet. The port that its packets are to go to.
    ///
    /// # Errors
    /// [`OpenError`]: why not.
    pub(crate) async fn open(&self, request: OpenRequest) -> Result<u16, OpenError> {
        let inner = Arc::clone(&self.inner);
        // Binding may take a while where many ports are in use.
        let opening = tokio::task::spawn_blocking(move || inner.open(&request));
        opening.await.unwrap_or(Err(OpenError::Gone))
    }

    /// Reflects sessions: from the moment that this returns no packet of theirs comes too early.
    /// Those that could not be started.
    pub(crate) async fn set_running(&self, sids: &[Sid]) -> Vec<Sid> {
        let mut failed = Vec::new();
        let mut involved = vec![false; self.inner.threads.len()];
        for sid in sids {
            let thread = self.inner.registry().thread_of(*sid);
            match thread.and_then(|thread| self.inner.threads.get(thread)) {
                Some(to) if to.send(Command::Start(*sid)).await => {
                    if let Some(involved) = thread.and_then(|thread| involved.get_mut(thread)) {
                        *involved = true;
                    }
                }
                _ => failed.push(*sid),
            }
        }
        for (thread, _) in self
            .inner
            .threads
            .iter()
            .zip(involved)
            .filter(|(_, is)| *is)
        {
            let (done, obeyed) = oneshot::channel();
            if !thread.send(Command::Mark(done)).await || obeyed.await.is_err() {
                return sids.to_vec();
            }
        }
        failed
    }

    /// Reflects a session for its Timeout and no longer.
    pub(crate) async fn stop(&self, sid: Sid) {
        self.inner.registry().ending(sid);
        self.send(sid, Command::Stop(sid)).await;
    }

    /// Forgets a session at once.
    pub(crate) async fn close(&self, sid: Sid) {
        self.inner.registry().ending(sid);
        self.send(sid, Command::Remove(sid)).await;
    }

    async fn send(&self, sid: Sid, command: Command) {
        let thread = self.inner.registry().thread_of(sid);
        if let Some(thread) = thread.and_then(|thread| self.inner.threads.get(thread)) {
            thread.send(command).await;
        }
    }

    /// Applies a fact from a thread to the registry.
    pub(crate) async fn apply(&self, fact: Fact) -> Option<EndedSession> {
        let (over, freed) = match fact {
            Fact::Closed(socket_index) => {
                self.inner.registry().closed(socket_index);
                return None;
            }
            Fact::Ended(sid, how, counters) => {
                let mut registry = self.inner.registry();
                let freed = registry.leave_port(sid);
                let over = registry.remove(sid).map(|held| EndedSession {
                    sid,
                    how,
                    counters,
                    owner: held.owner,
                });
                (over, freed)
            }
        };
        if let Some(FreedSocket {
            thread,
            socket_index,
        }) = freed
            && let Some(thread) = self.inner.threads.get(thread)
        {
            thread.send(Command::Close(socket_index)).await;
        }
        over
    }

    /// Sessions that are not over, and sockets that are not closed.
    pub(crate) fn open_counts(&self) -> (usize, usize) {
        let registry = self.inner.registry();
        (registry.sessions(), registry.ports())
    }

    /// Counts so far, summed over the threads, at most about 100 ms old.
    pub(crate) fn snapshot(&self) -> Snapshot {
        ReflectorThread::sum(self.inner.reflectors())
    }

    /// Sessions that the threads have, those heard last. Waits half a second for them at most.
    pub(crate) fn listed(&self) -> Vec<ListedSession> {
        ReflectorThread::so_far(self.inner.reflectors()).sessions
    }

    /// The same with the ends of each.
    pub(crate) fn with_ends(&self) -> Vec<ServerSession> {
        let listed = self.listed();
        let registry = self.inner.registry();
        let known = listed.into_iter().filter_map(|session| {
            let SessionOrigin::Negotiated { sid, .. } = session.origin else {
                return None;
            };
            let (reflector, connection) = registry.ends(sid)?;
            Some(ServerSession {
                session,
                reflector,
                connection,
            })
        });
        known.collect()
    }

    /// Why the first test port has no hardware timestamps, if they were requested.
    pub(crate) fn no_hardware(&self) -> Option<&NoHardware> {
        self.inner.no_hardware.get()
    }

    /// A thread has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.inner.reflectors().any(ReflectorThread::is_finished)
    }

    /// See [`ReflectorThread::have_turned`].
    pub(crate) fn have_turned(&self) -> bool {
        ReflectorThread::have_turned(self.inner.reflectors())
    }

    /// Lets the threads answer what has arrived, and waits for their end. From a thread that may
    /// wait.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub(crate) fn end(&self) -> Result<(), RunError> {
        ReflectorThread::join(self.inner.reflectors())
    }
}

fn config(plan: &ServerPlan, limits: &ServerLimits) -> NegotiatedConfig {
    NegotiatedConfig {
        policy: ReflectorPolicy {
            strict: plan.strict,
            tai_offset_s: clock::discipline().tai_offset_s,
            max_rate_pps: limits.max_rate_pps,
            ..ReflectorPolicy::default()
        },
        allow_sender: limits.allow_sender.clone(),
    }
}

impl Inner {
    pub(super) fn registry(&self) -> MutexGuard<'_, SessionRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reflectors(&self) -> impl Iterator<Item = &ReflectorThread> + Clone {
        self.threads.iter().map(|thread| &thread.reflector)
    }

    pub(super) fn thread(&self, index: usize) -> Option<&Thread> {
        self.threads.get(index)
    }
}
