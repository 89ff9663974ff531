//! Alerts: conditions over the intervals of sessions, and what is done when one begins or ceases to hold.
//!
//! [`engine`] decides, [`actions`] act by threads of their own, [`state`] keeps what is active for the next process.
//! What is active is written before an action is run, so that no action is run twice.

mod actions;
mod condition;
mod engine;
mod maintenance;
mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tracing::{info, warn};
use twinpath_metrics::IntervalFigures;
use twinpath_runtime::{clock_state, wall};
use twinpath_wire::{Tos, Wall};

use crate::daemon::events::Event;
use crate::http::client::Endpoint;
use crate::output::rfc3339;
use crate::store::{AlarmEvent, AlarmLog, AlarmRecord, StoreSettings};

use actions::{ActiveAlert, Facts, Runners};
use engine::{Active, Change, Ended, Engine, Row, SessionKey};
use state::{SavedAlarm, StateFile};

pub(super) use crate::selector::Selector;
pub(super) use actions::{Action, SyslogServer, exec as programs};
pub(super) use condition::Condition;
pub(super) use maintenance::Maintenance;

/// An alert of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AlertSpec {
    pub(super) name: Arc<str>,
    pub(super) selector: Selector,
    /// Sessions that it is not for.
    pub(super) except: Vec<Selector>,
    pub(super) condition: Condition,
    pub(super) actions: Vec<Action>,
}

impl AlertSpec {
    /// Whether it is for the session of this name with these labels.
    fn is_for(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let selects = |selector: &Selector| selector.selects(name, labels);
        selects(&self.selector) && !self.except.iter().any(selects)
    }
}

/// What a configuration says of alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AlarmSettings {
    pub(super) alerts: Vec<Arc<AlertSpec>>,
    pub(super) maintenance: Vec<Maintenance>,
}

/// An alarm that is active, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActiveAlarm {
    pub(crate) alert: String,
    pub(crate) session: String,
    pub(crate) dscp: u8,
    pub(crate) path: Option<u16>,
    /// The condition.
    pub(crate) when: String,
    pub(crate) since: String,
    /// The same as a time.
    #[serde(skip)]
    pub(crate) raised: Wall,
    pub(crate) evidence: Vec<ShownRow>,
}

/// An interval that an alarm was raised or cleared by.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownRow {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) value: Option<twinpath_metrics::Value>,
}

/// All alerts of a daemon.
pub(super) struct Alarms {
    engine: Engine,
    runners: Runners,
    /// All windows of maintenance.
    maintenance: Vec<Maintenance>,
    labels: BTreeMap<Arc<str>, BTreeMap<String, String>>,
    state: StateFile,
    /// When alarms were raised and ended.
    log: AlarmLog,
    /// What was active before the process was started, until the first configuration is in force.
    earlier: Vec<SavedAlarm>,
    /// What has changed and is neither kept nor acted on.
    changes: Vec<Change>,
    is_unsaved: bool,
    /// Servers that have all that is active do not know it yet.
    is_untold: bool,
    /// What has changed, for others.
    events: Vec<Event>,
    /// What this host is called.
    host: String,
    /// Where the page is.
    page: Option<String>,
    /// Alerts that are for no session.
    idle: BTreeSet<Arc<str>>,
}

impl Alarms {
    /// Without an alert. What is active, and when alarms were raised and ended, is kept in this store, if there is one.
    pub(super) fn new(store: Option<&StoreSettings>) -> Self {
        let state = StateFile::within(store.map(|store| store.path.as_path()));
        let earlier = state.read();
        Self {
            engine: Engine::default(),
            runners: Runners::new(),
            maintenance: Vec::new(),
            labels: BTreeMap::new(),
            state,
            log: AlarmLog::of(store),
            earlier,
            changes: Vec::new(),
            is_unsaved: false,
            is_untold: true,
            events: Vec::new(),
            host: String::new(),
            page: None,
            idle: BTreeSet::new(),
        }
    }

    /// Puts these settings in force, for sessions with these labels.
    pub(super) fn apply(
        &mut self,
        settings: &AlarmSettings,
        host: String,
        labels: BTreeMap<Arc<str>, BTreeMap<String, String>>,
    ) {
        let sessions = labels.iter();
        let sessions: Vec<_> = sessions
            .map(|(name, labels)| (Arc::clone(name), labels.clone()))
            .collect();
        let ended = self.engine.apply(&settings.alerts, &sessions);
        self.note_ended(ended);
        let earlier = std::mem::take(&mut self.earlier);
        for saved in earlier {
            let (session, active) = (saved.session(), saved.active());
            let is_known = self
                .engine
                .restore(&saved.alert, &saved.when, session, active);
            self.is_unsaved |= !is_known;
        }
        self.reconcile();
        if self.state.is_nowhere() && self.labels.is_empty() && !settings.alerts.is_empty() {
            info!("alarms are not kept for the next start: add [store] to the configuration");
        }
        self.note_idle(&settings.alerts, &sessions);
        self.maintenance.clone_from(&settings.maintenance);
        self.labels = labels;
        self.host = host;
        self.is_untold = true;
    }

    /// Logs which alerts are for no session, as they may be meant for one.
    fn note_idle(
        &mut self,
        alerts: &[Arc<AlertSpec>],
        sessions: &[(Arc<str>, BTreeMap<String, String>)],
    ) {
        let is_idle = |alert: &&Arc<AlertSpec>| {
            let mut sessions = sessions.iter();
            !sessions.any(|(name, labels)| alert.is_for(name, labels))
        };
        let idle = alerts.iter().filter(is_idle);
        let idle: BTreeSet<Arc<str>> = idle.map(|alert| Arc::clone(&alert.name)).collect();
        for name in idle.difference(&self.idle) {
            warn!("alert {name}: it is for none of the sessions: check session and except");
        }
        self.idle = idle;
    }

    /// Says where the page is, for links to it.
    pub(super) fn show_at(&mut self, page: &str) {
        self.page = Some(page.to_owned());
        self.is_untold = true;
    }

    /// Takes an interval of a session.
    pub(super) fn observe(
        &mut self,
        name: &Arc<str>,
        class: Tos,
        path: Option<u16>,
        interval: &IntervalFigures,
    ) {
        let session = SessionKey {
            name: Arc::clone(name),
            class,
            path,
        };
        let is_ignored = self.is_maintained(name, interval);
        let is_synchronized = clock_state().synchronized;
        let changes = self
            .engine
            .observe(&session, interval, is_ignored, is_synchronized);
        for change in &changes {
            self.log.push(&change.record());
        }
        self.changes.extend(changes);
    }

    fn is_maintained(&self, name: &Arc<str>, interval: &IntervalFigures) -> bool {
        let none = BTreeMap::new();
        let labels = self.labels.get(name).unwrap_or(&none);
        self.maintenance.iter().any(|window| {
            window.overlaps(interval.start, interval.end) && window.selector.selects(name, labels)
        })
    }

    /// Forgets sessions that are not measured.
    pub(super) fn retain(&mut self, is_measured: impl Fn(&Arc<str>, Tos, Option<u16>) -> bool) {
        let engine = &mut self.engine;
        let ended =
            engine.retain(|session| is_measured(&session.name, session.class, session.path));
        self.note_ended(ended);
    }

    /// Writes down that these ended without a good interval.
    fn note_ended(&mut self, ended: Vec<Ended>) {
        let now = wall().unix_ns();
        for Ended {
            alert,
            session,
            active,
        } in ended
        {
            self.is_unsaved = true;
            let record = SavedAlarm::of(&alert, &session, &active).record();
            self.log.push(&record.ended(AlarmEvent::Ended, now));
        }
    }

    /// At the first configuration: has what is written down agree with what is active, as a process that was killed
    /// may have left it.
    fn reconcile(&mut self) {
        let Some(mut open) = self.log.take_open() else {
            return;
        };
        for (alert, session, active) in self.engine.active() {
            let record = SavedAlarm::of(alert, session, active).record();
            if open.remove(&record.key()).is_none() {
                self.log.push(&record);
            }
        }
        let now = wall().unix_ns();
        for record in open.into_values() {
            self.log.push(&record.ended(AlarmEvent::Ended, now));
        }
    }

    /// Keeps what has changed, logs it and runs actions.
    pub(super) fn settle(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() || self.is_unsaved || self.state.is_lost() {
            self.is_unsaved = false;
            self.is_untold = true;
            let active = self.engine.active();
            let saved =
                active.map(|(alert, session, active)| SavedAlarm::of(alert, session, active));
            self.state.write(saved.collect());
        }
        self.log.flush();
        let is_untold = std::mem::take(&mut self.is_untold) || !changes.is_empty();
        for change in changes {
            self.act(&change);
        }
        if is_untold {
            self.tell();
        }
        self.runners.attend();
    }

    /// Has each Alertmanager know what is active.
    fn tell(&mut self) {
        let mut wanted: HashMap<Endpoint, Vec<ActiveAlert>> = HashMap::new();
        let none = BTreeMap::new();
        for (alert, session, active) in self.engine.active() {
            let servers = alert.actions.iter().flat_map(Action::managers);
            let servers: Vec<&Endpoint> = servers.collect();
            if servers.is_empty() {
                continue;
            }
            let raised = Change {
                is_raised: true,
                alert: Arc::clone(alert),
                session: session.clone(),
                since: active.since,
                at: active.since,
                evidence: active.evidence.clone(),
            };
            let facts = Facts::of(&raised, &self.host, self.page.as_deref());
            let labels = self.labels.get(&session.name).unwrap_or(&none);
            let shown = ActiveAlert::of(&facts, labels);
            for at in servers {
                wanted.entry(at.clone()).or_default().push(shown.clone());
            }
        }
        self.runners.tell(wanted);
    }

    fn act(&mut self, change: &Change) {
        let facts = Facts::of(change, &self.host, self.page.as_deref());
        let alert = &change.alert.name;
        if change.is_raised {
            warn!("{}", facts.words());
        } else {
            info!("{}", facts.words());
        }
        for action in &change.alert.actions {
            self.runners.run(alert, action, &facts);
        }
        let alarm = ActiveAlarm::of(
            &change.alert,
            &change.session,
            change.since,
            &change.evidence,
        );
        self.events.push(Event::Alert {
            is_raised: change.is_raised,
            at: change.at,
            alarm,
        });
    }

    /// Alarms that were raised and cleared since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// How many alarms of each alert are active.
    pub(super) fn counts(&self) -> BTreeMap<Arc<str>, usize> {
        self.engine.counts()
    }

    /// Alarms that are active, the latest first, and how many more than `most` there are.
    pub(super) fn active(&self, most: usize) -> (Vec<ActiveAlarm>, usize) {
        let mut all: Vec<_> = self.engine.active().collect();
        all.sort_by(
            |(alert, session, active), (other_alert, other_session, other)| {
                let times = other.since.cmp(&active.since);
                let names = alert.name.cmp(&other_alert.name);
                let sessions = session.name.cmp(&other_session.name);
                times.then(names).then(sessions)
            },
        );
        let left_out = all.len().saturating_sub(most);
        let shown = all.into_iter().take(most).map(|(alert, session, active)| {
            ActiveAlarm::of(alert, session, active.since, &active.evidence)
        });
        (shown.collect(), left_out)
    }

    /// Waits a short time for actions that run.
    pub(super) fn close(self) {
        self.log.close();
        self.runners.close();
    }
}

impl Change {
    /// Its line.
    fn record(&self) -> AlarmRecord {
        let active = Active {
            since: self.since,
            evidence: self.evidence.clone(),
        };
        let record = SavedAlarm::of(&self.alert, &self.session, &active).record();
        if self.is_raised {
            record
        } else {
            record.ended(AlarmEvent::Cleared, self.at.unix_ns())
        }
    }
}

impl ActiveAlarm {
    fn of(alert: &AlertSpec, session: &SessionKey, since: Wall, evidence: &[Row]) -> Self {
        Self {
            alert: alert.name.to_string(),
            session: session.name.to_string(),
            dscp: session.class.dscp().value(),
            path: session.path,
            when: alert.condition.text.clone(),
            since: rfc3339(since),
            raised: since,
            evidence: evidence.iter().map(ShownRow::of).collect(),
        }
    }
}

impl ShownRow {
    fn of(row: &Row) -> Self {
        Self {
            start: rfc3339(row.start),
            end: rfc3339(row.end),
            value: row.value,
        }
    }
}
