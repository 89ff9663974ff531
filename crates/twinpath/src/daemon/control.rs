//! What clients have of a daemon that runs: its configuration, which they may change, its state, and its actions.
//!
//! One thread owns the daemon. What clients ask of it waits until that thread has the time, some times a second.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, info, warn};
use twinpath_yang::access::Counters;
use twinpath_yang::{Children, Fault};

use crate::failure::Failure;
use crate::http::{Endpoints, Guarded};
use crate::output::units::count;

use super::Daemon;
use super::actions::SessionAction;
use super::api::State;
use super::model::model;
use super::notices::Notices;
use super::source::{Configuration, Source};

/// Requests that wait for the daemon, at most.
const MOST_WAITING: usize = 256;
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
    running: RwLock<Arc<Running>>,
    /// Held by what changes the configuration.
    changing: Mutex<()>,
    notices: Arc<Notices>,
    /// What users were denied.
    denied: Counters,
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
    /// The daemon gave no answer.
    Late,
}

/// What a change has done.
pub(super) struct Changed {
    pub(super) from: Arc<Running>,
    pub(super) to: Arc<Running>,
}

/// Both ends for a daemon with this configuration.
pub(crate) fn control(source: Source, configuration: Configuration) -> (Owner, Control) {
    let (sender, asks) = sync_channel(MOST_WAITING);
    let shared = Arc::new(Shared {
        source,
        running: RwLock::new(Arc::new(Running::new(configuration))),
        changing: Mutex::new(()),
        notices: Arc::default(),
        denied: Counters::default(),
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
    ) -> Result<Option<Configuration>, ChangeError> {
        let to = from.with_root(root).map_err(ChangeError::Faults)?;
        if from.differences(&to).is_empty() {
            return Ok(None);
        }
        self.source.save(from, &to).map_err(ChangeError::NotSaved)?;
        Ok(Some(to))
    }

    /// Has the daemon do what a configuration says.
    fn put_in_force(&self, daemon: &mut Daemon, configuration: Configuration) -> Arc<Running> {
        for key in daemon.needs_restart(&configuration.settings) {
            warn!("{key} changes when the daemon is started again");
        }
        daemon.apply(&configuration.settings);
        let new = Arc::new(Running::new(configuration));
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

    /// Where the page, metrics and RESTCONF are served, and for whom.
    pub(crate) fn endpoints(&self) -> Endpoints {
        self.shared.running().configuration.settings.api.clone()
    }

    /// Does what clients wait for.
    pub(crate) fn attend(&self, daemon: &mut Daemon) {
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

    /// Reads tokens, the configuration and key files again; a configuration with faults changes nothing. `false`: a client changes it just now.
    pub(crate) fn reread(&self, daemon: &mut Daemon, api: Option<&Guarded>) -> bool {
        let Ok(_changing) = self.shared.changing.try_lock() else {
            return false;
        };
        // A token that is taken back does not wait for a fault to be mended.
        if let Some(api) = api {
            api.reread();
        }
        match self.shared.source.read() {
            Ok(configuration) => {
                daemon.reread_keys();
                let running = self.shared.running();
                let changes = running.configuration.differences(&configuration);
                let changes = count(changes.len() as u64, "change", "changes");
                info!("configuration read again: {changes}");
                self.shared.put_in_force(daemon, configuration);
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

    /// What the daemon does now; `None`: it gave no answer in time.
    pub(super) async fn state(&self) -> Option<Arc<State>> {
        self.ask(Ask::State).await
    }

    /// Puts in force what `edit` makes of the configuration, one change after another, and keeps it in its files.
    ///
    /// # Errors
    /// Those of `edit`, or why the new configuration is not in force.
    pub(super) async fn change<E>(
        &self,
        edit: impl FnOnce(&Running) -> Result<Children, E> + Send + 'static,
    ) -> Result<Changed, E>
    where
        E: From<ChangeError> + Send + 'static,
    {
        let _changing = self.shared.changing.lock().await;
        let from = self.running();
        let (shared, base) = (Arc::clone(&self.shared), Arc::clone(&from));
        let edited = spawn_blocking(move || {
            let root = edit(&base)?;
            Ok::<_, E>(shared.kept(&base.configuration, root)?)
        });
        let edited = edited
            .await
            .map_err(|error| ChangeError::NotSaved(Failure::could_not(error.to_string())))?;
        let Some(to) = edited? else {
            let to = Arc::clone(&from);
            return Ok(Changed { from, to });
        };
        let to = Box::new(to);
        let to = self.ask(|answer| Ask::Apply(to, answer)).await;
        let to = to.ok_or(ChangeError::Late)?;
        Ok(Changed { from, to })
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
