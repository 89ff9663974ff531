//! What clients have of a daemon that runs: its configuration, which they may change, its state, and its actions.
//!
//! One thread owns the daemon. What clients ask of it waits until that thread has the time, some times a second.

mod changing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};
use twinpath_runtime::wall;
use twinpath_yang::access::Counters;
use twinpath_yang::diff;
use twinpath_yang::netconf::events::{self, Origin};
use twinpath_yang::netconf::{Datastore, Datastores};
use twinpath_yang::{Children, Fault};

use crate::failure::Failure;
use crate::http::Endpoints;
use crate::output::units::count;

use super::Daemon;
use super::actions::SessionAction;
use super::api::State;
use super::mesh::Derived;
use super::model::{Model, model};
use super::notices::Notices;
use super::settings::NetconfSettings;
use super::source::{Configuration, Source, Step, Unconfirmed};

/// Requests that wait for the daemon, at most.
const MOST_WAITING: usize = 256;
/// How long clients wait for the files to be read.
const REST: Duration = Duration::from_millis(50);
/// How long it may take to answer.
const OWNER: Duration = Duration::from_secs(8);

/// A configuration in force.
pub(crate) struct Running {
    pub(super) configuration: Configuration,
    /// Another one for each configuration.
    pub(super) tag: String,
    /// When it came into force.
    pub(super) since: SystemTime,
}

/// A client's end.
#[derive(Clone)]
pub(crate) struct Control {
    shared: Arc<Shared>,
    asks: SyncSender<Ask>,
}

/// The end of the thread that owns the daemon.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    asks: Receiver<Ask>,
}

struct Shared {
    source: Source,
    /// What undoes a commit that waits; changed by what changes the configuration.
    unconfirmed: std::sync::Mutex<Unconfirmed>,
    running: RwLock<Arc<Running>>,
    /// Held by what changes the configuration.
    changing: Arc<Mutex<()>>,
    /// The files are read next; clients wait.
    is_reread_due: AtomicBool,
    /// Locks, and what sessions of NETCONF prepare.
    datastores: std::sync::Mutex<Datastores>,
    /// State of a server that has more than this program's parts have in common.
    more_state: OnceLock<MoreState>,
    notices: Arc<Notices>,
    /// What users were denied.
    denied: Counters,
    /// What this host runs by the mesh document.
    derived: RwLock<Arc<Derived>>,
}

/// Who changes the configuration.
#[derive(Clone, Debug)]
pub(super) struct By {
    pub(super) user: Arc<str>,
    /// Number of the session of NETCONF; 0 for others.
    pub(super) session: u32,
    /// IP address of the client, where it is known.
    pub(super) host: Option<String>,
}

impl By {
    /// As notifications have it.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            user: &self.user,
            session: self.session,
            source_host: self.host.as_deref(),
        }
    }
}

/// Adds state to a tree.
pub(super) type MoreState = Box<dyn Fn(&Model, &mut Children) + Send + Sync>;

/// The right to change the configuration, which one at a time has.
pub(super) struct Changing {
    control: Control,
    from: Arc<Running>,
    _one: OwnedMutexGuard<()>,
}

enum Ask {
    State(oneshot::Sender<Arc<State>>),
    Apply(Box<Configuration>, oneshot::Sender<Arc<Running>>),
    Act(String, SessionAction, oneshot::Sender<Result<(), String>>),
}

/// Why a change was not made.
pub(super) enum ChangeError {
    /// The new configuration has these.
    Faults(Vec<Fault>),
    /// It could not be kept.
    NotSaved(Failure),
    /// A session of NETCONF has locked it.
    Locked(u32),
    /// A commit of this session of NETCONF waits to be confirmed: what undoes it would undo this change.
    Unconfirmed(u32),
    /// The daemon gave no answer.
    Late,
}

impl ChangeError {
    /// What SIGHUP leads to then.
    fn at_reload(&self) -> String {
        match self {
            Self::Unconfirmed(session) => format!(
                "a commit by session {session} of NETCONF is not confirmed yet: the configuration stays as it was; send SIGHUP again when it is confirmed or undone"
            ),
            Self::Locked(session) => format!(
                "the configuration is locked by session {session} of NETCONF: it stays as it was; send SIGHUP again when the session has ended"
            ),
            Self::Faults(_) | Self::NotSaved(_) | Self::Late => {
                "the configuration stays as it was".to_owned()
            }
        }
    }
}

/// What a change has done.
pub(super) struct Changed {
    pub(super) from: Arc<Running>,
    pub(super) to: Arc<Running>,
}

/// Both ends for a daemon with this configuration; `unconfirmed`: what its source has recovered.
pub(crate) fn control(
    source: Source,
    unconfirmed: Unconfirmed,
    configuration: Configuration,
) -> (Owner, Control) {
    let (sender, asks) = sync_channel(MOST_WAITING);
    let shared = Arc::new(Shared {
        source,
        unconfirmed: std::sync::Mutex::new(unconfirmed),
        running: RwLock::new(Arc::new(Running::new(configuration))),
        changing: Arc::default(),
        is_reread_due: AtomicBool::new(false),
        datastores: std::sync::Mutex::default(),
        more_state: OnceLock::new(),
        notices: Arc::default(),
        denied: Counters::default(),
        derived: RwLock::default(),
    });
    let control = Control {
        shared: Arc::clone(&shared),
        asks: sender,
    };
    (Owner { shared, asks }, control)
}

impl Running {
    fn new(configuration: Configuration) -> Self {
        let since = SystemTime::now();
        let time = since.duration_since(SystemTime::UNIX_EPOCH);
        let tag = format!("{:x}", time.unwrap_or_default().as_nanos());
        Self {
            configuration,
            tag,
            since,
        }
    }
}

impl Shared {
    fn running(&self) -> Arc<Running> {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&running)
    }

    /// A tree as a configuration that the files have; `None`: they have it already.
    fn kept(
        &self,
        from: &Configuration,
        root: Children,
        step: Step,
    ) -> Result<Option<Configuration>, ChangeError> {
        let to = from.with_root(root).map_err(ChangeError::Faults)?;
        let is_same = from.differences(&to).is_empty();
        if is_same && step != Step::Rollback {
            // What is in force is what was asked for, but the files may have something else.
            self.source.check(from).map_err(ChangeError::NotSaved)?;
            return Ok(None);
        }
        let mut unconfirmed = self.unconfirmed();
        let saved = self.source.save(from, &to, (step, &mut unconfirmed));
        saved.map_err(ChangeError::NotSaved)?;
        Ok((!is_same).then_some(to))
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        self.unconfirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries again to write what could not be written of a commit's end.
    fn attend_unconfirmed(&self) {
        // It is locked for long only by what changes the configuration.
        let is_due = |it: MutexGuard<'_, Unconfirmed>| it.is_due();
        if self.unconfirmed.try_lock().is_ok_and(is_due)
            && let Ok(_changing) = self.changing.try_lock()
        {
            self.unconfirmed().turn(&self.source);
        }
    }

    /// What the files have now.
    fn read(&self) -> Result<Configuration, Failure> {
        self.source.settle(&mut self.unconfirmed())?;
        self.source.read()
    }

    fn datastores(&self) -> MutexGuard<'_, Datastores> {
        self.datastores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Why what is in force may not be changed but by a session of NETCONF.
    fn obstacle(&self) -> Option<ChangeError> {
        let datastores = self.datastores();
        let lock = datastores.lock_of(Datastore::Running);
        lock.map(|lock| ChangeError::Locked(lock.session))
            .or_else(|| datastores.unconfirmed().map(ChangeError::Unconfirmed))
    }

    /// Notifies of a change of the configuration (RFC 6470); `by`: `None` for the daemon itself.
    fn notify_change(&self, from: &Running, to: &Running, by: Option<&By>) {
        let Ok(Model { schema, .. }) = model() else {
            return;
        };
        let [from, to] = [from, to].map(|it| it.configuration.root());
        let changes = diff(schema, from, to);
        if !changes.is_empty() {
            let by = by.map(By::origin);
            let event = events::config_change(schema, by.as_ref(), changes.iter());
            self.notices.add(wall(), event);
        }
    }

    fn note_derived(&self, daemon: &Daemon) {
        let mut derived = self.derived.write();
        let derived = derived.as_deref_mut();
        if let (Ok(derived), Some(state)) = (derived, daemon.mesh()) {
            *derived = Arc::clone(&state.derived);
        }
    }

    /// Has the daemon do what a configuration says.
    fn put_in_force(&self, daemon: &mut Daemon, configuration: Configuration) -> Arc<Running> {
        for key in daemon.needs_restart(&configuration.settings) {
            warn!("{key} changes when the daemon is started again");
        }
        daemon.put(&configuration);
        self.note_derived(daemon);
        let before = self.running();
        let new = if before.configuration.differences(&configuration).is_empty() {
            // It is the same resource (RFC 8040 section 3.5.2).
            Running {
                configuration,
                tag: before.tag.clone(),
                since: before.since,
            }
        } else {
            Running::new(configuration)
        };
        let new = Arc::new(new);
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        *running = Arc::clone(&new);
        new
    }
}

impl Owner {
    /// Where the configuration comes from.
    pub(crate) fn source(&self) -> &Source {
        &self.shared.source
    }

    /// Where the page, metrics and RESTCONF are served, and to which users.
    pub(crate) fn endpoints(&self) -> Endpoints {
        self.shared.running().configuration.settings.api.clone()
    }

    /// Where NETCONF is served; `None`: nowhere.
    pub(crate) fn netconf(&self) -> Option<NetconfSettings> {
        self.shared.running().configuration.settings.netconf.clone()
    }

    /// Does what clients wait for.
    pub(crate) fn attend(&self, daemon: &mut Daemon) {
        self.shared.attend_unconfirmed();
        if daemon.attend_mesh(|| self.shared.running()) {
            self.shared.note_derived(daemon);
        }
        let mut state = None;
        for ask in self.asks.try_iter() {
            match ask {
                Ask::State(ask) if !ask.is_closed() => {
                    let state = state.get_or_insert_with(|| Arc::new(daemon.state()));
                    // A client that has gone needs no answer.
                    let _gone = ask.send(Arc::clone(state));
                }
                Ask::State(_) => {}
                Ask::Apply(configuration, answer) => {
                    let running = self.shared.put_in_force(daemon, *configuration);
                    let _gone = answer.send(running);
                    state = None;
                }
                Ask::Act(session, action, answer) => {
                    let _gone = answer.send(daemon.act(&session, action));
                    state = None;
                }
            }
        }
        let events = daemon.take_events();
        if let (false, Ok(model)) = (events.is_empty(), model()) {
            self.shared.notices.publish(model, &events);
        }
    }

    /// Reads tokens and keys of servers (`reread_servers`), the configuration and key files again; a configuration with faults
    /// changes nothing. `false`: a client changes it just now.
    pub(crate) fn reread(&self, daemon: &mut Daemon, reread_servers: impl FnOnce()) -> bool {
        let is_due = &self.shared.is_reread_due;
        // A token that is taken back waits neither for clients nor for a fault to be mended.
        if !is_due.swap(true, Ordering::AcqRel) {
            reread_servers();
        }
        let Ok(_changing) = self.shared.changing.try_lock() else {
            return false;
        };
        is_due.store(false, Ordering::Release);
        if let Some(obstacle) = self.shared.obstacle() {
            daemon.reread_keys();
            error!("{}", obstacle.at_reload());
            return true;
        }
        match self.shared.read() {
            Ok(configuration) => {
                daemon.reread_keys();
                daemon.reread_mesh();
                let running = self.shared.running();
                let changes = running.configuration.differences(&configuration);
                let changes = count(changes.len() as u64, "change", "changes");
                info!("configuration read again: {changes}");
                if let Some(remark) = configuration.remark() {
                    warn!("{remark}");
                }
                let new = self.shared.put_in_force(daemon, configuration);
                self.shared.notify_change(&running, &new, None);
            }
            Err(failure) => {
                for fault in failure.earlier.iter().chain([&failure]) {
                    error!("{fault}");
                }
                warn!("the configuration stays as it was");
            }
        }
        true
    }
}

impl Control {
    /// The configuration in force.
    pub(super) fn running(&self) -> Arc<Running> {
        self.shared.running()
    }

    /// Whether this host runs a session of this name by the mesh document.
    pub(super) fn is_of_mesh(&self, session: &str) -> bool {
        let derived = self.shared.derived.read();
        derived.is_ok_and(|derived| derived.has_session(session))
    }

    /// What the daemon does now; `None`: it gave no answer in time.
    pub(super) async fn state(&self) -> Option<Arc<State>> {
        self.ask(Ask::State).await
    }

    /// Begins a change, after those that were begun before. It waits for the time that these take.
    pub(super) async fn begin(&self) -> Changing {
        loop {
            let one = Arc::clone(&self.shared.changing).lock_owned().await;
            if !self.shared.is_reread_due.load(Ordering::Acquire) {
                return Changing {
                    control: self.clone(),
                    from: self.running(),
                    _one: one,
                };
            }
            drop(one);
            sleep(REST).await;
        }
    }

    /// Locks, and what sessions of NETCONF prepare. What changes them has begun a [`Changing`].
    pub(super) fn datastores(&self) -> MutexGuard<'_, Datastores> {
        self.shared.datastores()
    }

    /// Has this state in what is shown. It is for one server; others are not added.
    #[cfg_attr(
        not(feature = "netconf"),
        expect(dead_code, reason = "NETCONF has such state")
    )]
    pub(super) fn add_state(&self, state: MoreState) {
        let _added = self.shared.more_state.set(state);
    }

    /// The state that was added.
    pub(super) fn more_state(&self) -> Option<&MoreState> {
        self.shared.more_state.get()
    }

    /// Has a session do something; `None`: the daemon gave no answer in time.
    pub(super) async fn act(
        &self,
        session: String,
        action: SessionAction,
    ) -> Option<Result<(), String>> {
        self.ask(|answer| Ask::Act(session, action, answer)).await
    }

    /// What has happened.
    pub(super) fn notices(&self) -> &Arc<Notices> {
        &self.shared.notices
    }

    /// What users were denied.
    pub(super) fn denied(&self) -> &Counters {
        &self.shared.denied
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(ask(answer)).ok()?;
        timeout(OWNER, answered).await.ok()?.ok()
    }
}
