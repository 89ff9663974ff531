//! What measures all the time: sessions, responders and servers as a configuration says, which may change while
//! they go on.
//!
//! One thread owns all of it and looks at everything in turn; packets are measured and answered by the threads of
//! the runtime, and what may wait for names, connections or keys is done by a [`Pool`]. Each entry of the
//! configuration is a [`Part`]: only those whose settings differ are begun again.

mod absences;
mod actions;
mod alarms;
mod api;
#[cfg(unix)]
mod apply;
mod causes;
mod control;
mod events;
mod exports;
mod growth;
pub(crate) mod mesh;
mod metrics;
mod model;
#[cfg_attr(not(feature = "netconf"), path = "netconf/absent.rs")]
mod netconf;
mod notices;
mod operational;
mod part;
mod places;
mod pool;
mod raw;
mod reflectors;
mod renewal;
mod replies;
mod resources;
mod sessions;
mod settings;
mod source;
mod status;
mod tree;
mod twamp;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tracing::warn;
use twinpath_metrics::{ClosedInterval, IntervalFigures};
use twinpath_report::words;
use twinpath_runtime::measure::Engine;
use twinpath_runtime::wall;
use twinpath_wire::{Tos, Wall};

use crate::failure::Failure;
use crate::plan::PlannedSession;
use crate::store::{Store, StoreCounters, StoreReader, StoredInterval};

use absences::Absences;
use alarms::Alarms;
use control::Running;
use events::{Events, SessionChange};
use exports::Exports;
use growth::Growth;
use mesh::{MeshKeeper, MeshState};
use metrics::Scrape;
use part::{Part, Parts};
use pool::Pool;
use raw::RawPackets;
use reflectors::{Responder, Server};
use replies::ReplyWatch;
use resources::Resources;
use sessions::MeasuredSessions;
use twamp::{RemoteRun, TwampServer};

pub(crate) use api::serve;
pub(crate) use control::{Control, Owner, control};
pub(crate) use events::Event;
pub(crate) use exports::ExportCounters;
pub(crate) use netconf::NetconfServer;
pub(crate) use settings::Settings;
pub(crate) use source::{Configuration, Source, module_text};

/// How long new sessions wait for responders and servers: keys may have to be derived.
const LONGEST_START: Duration = Duration::from_secs(10);

/// The length of an interval where none is given.
const USUAL_INTERVAL: Duration = Duration::from_secs(10);

/// How often alarms of sessions that are not measured any more are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(10);

/// The figures of an interval of a session.
struct Interval {
    /// The entry of the configuration.
    name: Arc<str>,
    /// Its session.
    session: Arc<PlannedSession>,
    row: ClosedInterval,
}

/// What runs.
pub(crate) struct Daemon {
    /// What this host is called.
    name: Option<String>,
    /// What it was started with.
    lasting: Settings,
    store: Option<Store>,
    exports: Exports,
    resources: Resources,
    intervals: Receiver<Interval>,
    responders: Parts<Responder>,
    servers: Parts<Server>,
    sessions: Parts<MeasuredSessions>,
    /// Control connections for senders on other hosts.
    remotes: Parts<RemoteRun>,
    /// What the server of the model of TWAMP had, and when it was asked.
    twamp_server: RefCell<Option<(Instant, TwampServer)>>,
    scrape: Option<Scrape>,
    /// The last complete interval of each session, by its entry.
    last: HashMap<Arc<str>, LastIntervals>,
    alarms: Alarms,
    absences: Absences,
    /// When alarms of sessions that are not measured any more were looked for.
    retained: Instant,
    started: Wall,
    began: Instant,
    /// When entries were wanted last: sessions wait a moment for this host's own reflectors.
    applied: Instant,
    /// That the store dropped rows.
    drops_are_said: bool,
    replies: ReplyWatch,
    events: Events,
    mesh: MeshKeeper,
    /// What of the settings in force it has once it is started again.
    needs_restart: Vec<&'static str>,
    /// What was logged of files that actions and exports lack.
    lacks: Vec<String>,
}

/// By class and path.
type LastIntervals = HashMap<(Tos, Option<u16>), Arc<IntervalFigures>>;

impl Daemon {
    /// One that has nothing to do yet, with the store and threads of these settings.
    ///
    /// # Errors
    /// What could not be had.
    pub(crate) fn start(settings: &Settings) -> Result<Self, Failure> {
        let (sender, intervals) = channel();
        let store = settings.store.as_ref().map(Store::open).transpose()?;
        let alarms = Alarms::new(settings.store.as_ref());
        let raw = store.as_ref().map(Store::raw_place);
        Ok(Self {
            name: settings.name.clone(),
            lasting: settings.clone(),
            store,
            exports: Exports::default(),
            resources: Resources {
                engine: Arc::new(Engine::start(settings.threads().max(1))?),
                pool: Pool::default(),
                intervals: sender,
                raw: raw.map(|place| Arc::new(RawPackets::new(place))),
                begun: Arc::default(),
                phases: Arc::default(),
                is_ending: Arc::default(),
            },
            intervals,
            responders: BTreeMap::new(),
            servers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            remotes: BTreeMap::new(),
            twamp_server: RefCell::default(),
            scrape: None,
            last: HashMap::new(),
            alarms,
            absences: Absences::default(),
            retained: Instant::now(),
            started: wall(),
            began: Instant::now(),
            applied: Instant::now(),
            drops_are_said: false,
            replies: ReplyWatch::default(),
            events: Events::default(),
            needs_restart: Vec::new(),
            lacks: Vec::new(),
            mesh: MeshKeeper::default(),
        })
    }

    /// Puts a configuration in force, and what this host runs by the mesh document.
    pub(crate) fn put(&mut self, configuration: &Configuration) {
        let open = self.lasting.store.clone();
        let mut settings = configuration.settings.clone();
        self.needs_restart = self.needs_restart(&settings);
        settings.keep_in(open.as_ref());
        self.mesh.configure(settings.mesh.as_ref());
        let name = settings.name.as_deref();
        let mut derived = self.mesh.derive(name, configuration.root());
        if let Some(derived) = &mut derived {
            derived.keep_in(open.as_ref());
        }
        let state = self.mesh.state();
        let phases = state.map(|state| Arc::clone(&state.derived));
        if let Ok(mut noted) = self.resources.phases.write() {
            *noted = phases.unwrap_or_default();
        }
        self.apply(&derived.unwrap_or(settings));
        let lacks = configuration.lacks_beside();
        for line in lacks.iter().filter(|line| !self.lacks.contains(line)) {
            warn!("{line}");
        }
        self.lacks = lacks;
    }

    /// Puts another mesh document in force, if one has come. True: one has.
    pub(super) fn attend_mesh(&mut self, configuration: impl FnOnce() -> Arc<Running>) -> bool {
        let has_come = self.mesh.take_news();
        if has_come {
            self.put(&configuration().configuration);
        }
        has_come
    }

    /// What is known of the mesh; `None`: none is configured.
    pub(super) fn mesh(&self) -> Option<&MeshState> {
        self.mesh.state()
    }

    /// Puts these settings in force. What they do not change goes on.
    fn apply(&mut self, settings: &Settings) {
        self.name.clone_from(&settings.name);
        self.applied = Instant::now();
        part::apply(&mut self.responders, settings.responders.clone());
        part::apply(&mut self.servers, settings.servers.clone());
        part::apply(&mut self.sessions, settings.sessions.clone());
        part::apply(&mut self.remotes, settings.remotes.clone());
        let sessions = settings.sessions.iter();
        let labels = sessions.map(|(name, spec)| (Arc::clone(name), spec.labels()));
        let host = self.host();
        self.exports.apply(&settings.exports, &host);
        self.describe(settings);
        self.alarms.apply(&settings.alarms, host, labels.collect());
        self.alarms.settle();
    }

    /// Has the store know the labels of sessions.
    fn describe(&self, settings: &Settings) {
        if let Some(store) = &self.store {
            let sessions = settings.sessions.iter();
            let labels = sessions.map(|(name, spec)| (name.to_string(), spec.labels()));
            store.describe(&labels.collect());
        }
    }

    /// Says where its page is.
    pub(crate) fn show_at(&mut self, page: &str) {
        self.alarms.show_at(page);
    }

    /// What these settings change that it has for as long as it lives.
    pub(crate) fn needs_restart(&self, settings: &Settings) -> Vec<&'static str> {
        self.lasting.needs_restart(settings)
    }

    /// Reads the key files of responders and servers again.
    pub(crate) fn reread_keys(&self) {
        for part in self.responders.values() {
            if let Some(responder) = part.running() {
                responder.reread(part.spec());
            }
        }
        for part in self.servers.values() {
            if let Some(server) = part.running() {
                server.reread(part.spec());
            }
        }
    }

    /// Fetches the mesh document again.
    pub(crate) fn reread_mesh(&self) {
        self.mesh.hurry();
    }

    /// What is due. To be called some times a second.
    pub(crate) fn turn(&mut self) {
        part::turn(&mut self.responders, &self.resources, true, |_, _| {});
        part::turn(&mut self.servers, &self.resources, true, |_, _| {});
        // Sessions with this host's own reflectors lose nothing at the start.
        let may_begin = self.reflectors_are_settled() || self.applied.elapsed() > LONGEST_START;
        let events = &mut self.events;
        part::turn(
            &mut self.sessions,
            &self.resources,
            may_begin,
            |part, states| {
                let change = SessionChange::entry(part.name(), states, part.failure());
                events.push(Event::Session(change));
            },
        );
        part::turn(&mut self.remotes, &self.resources, may_begin, |_, _| {});
        self.replies.look(&self.sessions, &mut self.events);
        self.observe_absent();
        self.take_intervals();
        if let Some(raw) = &self.resources.raw {
            raw.look();
        }
        for event in self.alarms.take_events() {
            self.events.push(event);
        }
        // The last packets of sessions with this host's own responders are answered.
        if self.resources.is_ending() && self.sessions.is_empty() && self.remotes.is_empty() {
            part::dismiss(&mut self.responders);
            part::dismiss(&mut self.servers);
        }
    }

    /// What happened since the last call, as much as is kept.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.events.take()
    }

    /// Has alerts judge the intervals of sessions that cannot run.
    fn observe_absent(&mut self) {
        for absent in self.absences.take(&self.sessions) {
            for (class, path) in absent.measures {
                let figures = &absent.figures;
                self.alarms.observe(&absent.name, class, path, figures);
            }
        }
    }

    fn take_intervals(&mut self) {
        while let Ok(Interval { name, session, row }) = self.intervals.try_recv() {
            self.absences.end(&name);
            let figures = Arc::new(row.figures());
            self.alarms
                .observe(&name, session.class, session.path, &figures);
            let last = self.last.entry(Arc::clone(&name)).or_default();
            last.insert((session.class, session.path), figures);
            self.keep(name, &session, row);
        }
        let sessions = &self.sessions;
        self.last.retain(|name, _| sessions.contains_key(name));
        self.retain_alarms();
        self.alarms.settle();
    }

    /// Gives a row to the store and to exports.
    fn keep(&mut self, name: Arc<str>, session: &Arc<PlannedSession>, row: ClosedInterval) {
        if self.store.is_none() && self.exports.is_empty() {
            return;
        }
        let interval = Arc::new(StoredInterval {
            session: name,
            class: session.class,
            path: session.path,
            row,
        });
        self.exports.add(&interval, session);
        let is_taken = self.store.as_ref().is_none_or(|store| store.add(interval));
        if !is_taken && !std::mem::replace(&mut self.drops_are_said, true) {
            warn!("the store does not keep up: rows are dropped, and counted in its status");
        }
    }

    /// Ends alarms of classes and paths that a session does not have any more.
    fn retain_alarms(&mut self) {
        if self.retained.elapsed() < RETAIN_EVERY {
            return;
        }
        self.retained = Instant::now();
        let sessions = &self.sessions;
        self.alarms.retain(|name, class, path| {
            let running = sessions.get(name).and_then(Part::running);
            running.is_none_or(|run| {
                let mut planned = run.sessions().map(|(planned, _)| planned);
                planned.any(|session| (session.class, session.path) == (class, path))
            })
        });
    }

    fn reflectors_are_settled(&self) -> bool {
        self.responders.values().all(Part::is_settled)
            && self.servers.values().all(Part::is_settled)
    }

    /// Everything has begun, or failed to.
    pub(crate) fn is_settled(&self) -> bool {
        self.reflectors_are_settled()
            && self.sessions.values().all(Part::is_settled)
            && self.remotes.values().all(Part::is_settled)
    }

    /// Ends all sessions, then responders and servers.
    pub(crate) fn stop(&mut self) {
        self.resources.is_ending.store(true, Ordering::Release);
        part::dismiss(&mut self.sessions);
        part::dismiss(&mut self.remotes);
    }

    /// Reads what is stored.
    fn store_reader(&self) -> Option<StoreReader> {
        self.store.as_ref().map(Store::reader)
    }

    /// Where rows are stored, and how many octets they take.
    pub(crate) fn about_store(&self) -> Option<String> {
        let store = self.store.as_ref()?;
        let settings = self.lasting.store.as_ref()?;
        let specs = self.sessions.values().map(Part::spec);
        let growth = specs.fold(Growth::default(), |growth, spec| {
            let growth = growth.with(spec.count(), spec.interval().unwrap_or(USUAL_INTERVAL));
            match spec.packet_interval() {
                Some(interval) if spec.is_raw() => growth.with_raw(spec.count(), interval),
                Some(_) | None => growth,
            }
        });
        let span = store.reader().span().ok().flatten();
        let since = span.map_or_else(
            || "empty".to_owned(),
            |span| format!("rows since {}", words::instant(*span.start(), 0)),
        );
        Some(format!(
            "store {}: {since}; {}",
            store.path().display(),
            growth.in_words(store.octets_per_row(), settings)
        ))
    }

    /// What the store has done and has; `None` without a store.
    pub(crate) fn store_counters(&self) -> Option<StoreCounters> {
        let store = self.store.as_ref()?;
        let raw = self.resources.raw.as_ref();
        Some(StoreCounters {
            raw: raw.and_then(|raw| raw.counters()),
            ..store.counters()
        })
    }

    /// Writes all that is measured to the disk.
    pub(crate) fn close(mut self) -> Option<StoreCounters> {
        self.take_intervals();
        self.exports.close();
        self.alarms.close();
        if let Some(raw) = &self.resources.raw {
            raw.close();
        }
        self.store.take().map(Store::close)
    }

    /// Nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.responders.is_empty()
            && self.servers.is_empty()
            && self.sessions.is_empty()
            && self.remotes.is_empty()
    }
}
