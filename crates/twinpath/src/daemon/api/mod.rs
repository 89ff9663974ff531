//! What a daemon serves by HTTP: the page of its sessions, metrics.
//!
//! Requests are answered by a thread of their own. What they need of the daemon it gives between two turns; what they
//! need of the store is read by other threads. No client delays a measurement.

mod alarms;
mod grid;
mod labels;
mod markup;
mod mesh;
mod past_alarms;
mod range;
pub(super) mod restconf;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, StatusCode, Uri};
use tokio::task::spawn_blocking;
use twinpath_report::ClockState;
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::exporter::{Scrapes, respond};
use crate::failure::Failure;
use crate::http::{Endpoints, Guarded, Reply, User, only_read, reply, short};
use crate::store::{StoreCounters, StoreReader};

use super::Daemon;
use super::alarms::ActiveAlarm;
use super::control::Control;
use super::exports::ExportCounters;
use super::mesh::MeshState;
use super::model::model;
use super::status::Entry;
use super::twamp::TwampState;
use range::TimeRange;
use restconf::rights::Rights;
use session::History;

/// What pages say of their origin.
const MADE_BY: &str = concat!("twinpath ", env!("CARGO_PKG_VERSION"));
const HTML: &str = "text/html; charset=utf-8";

/// What a daemon does now.
#[derive(Clone)]
pub(crate) struct State {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    /// Those that are active, the latest first.
    pub(super) alarms: Vec<ActiveAlarm>,
    /// How many alarms of each alert are active, those that are not listed among them.
    pub(super) alerts: BTreeMap<Arc<str>, usize>,
    pub(super) started: Wall,
    /// For how long it runs.
    pub(super) uptime: Duration,
    /// The clock of this host.
    pub(super) clock: ClockState,
    /// `None`: nothing is stored.
    pub(super) store: Option<StoreCounters>,
    pub(super) exports: Vec<ExportCounters>,
    /// `None`: no mesh is configured.
    pub(super) mesh: Option<MeshState>,
    /// Notifications that were dropped.
    pub(super) events_dropped: u64,
    pub(super) twamp: TwampState,
    /// Settings that it has once it is started again.
    pub(super) needs_restart: Vec<&'static str>,
}

impl State {
    /// Leaves out alarms of alerts or sessions that are not shown, by kind and name; each names both.
    pub(super) fn retain_alarms(&mut self, shows: impl Fn(&str, &str) -> bool) {
        let alerts = &mut self.alerts;
        self.alarms.retain(|alarm| {
            let is_shown = shows("alert", &alarm.alert) && shows("session", &alarm.session);
            if let (false, Some(active)) = (is_shown, alerts.get_mut(&*alarm.alert)) {
                *active = active.saturating_sub(1);
            }
            is_shown
        });
    }
}

/// What requests are answered with.
#[derive(Clone)]
struct Answering {
    control: Control,
    scrapes: Scrapes,
    /// `None`: nothing is stored.
    reader: Option<StoreReader>,
}

/// Serves the page of a daemon, its metrics and RESTCONF.
///
/// # Errors
/// Where it cannot.
pub(crate) fn serve(
    endpoints: &Endpoints,
    scrapes: Scrapes,
    daemon: &Daemon,
    control: Control,
) -> Result<Guarded, Failure> {
    let answering = Answering {
        control,
        scrapes,
        reader: daemon.store_reader(),
    };
    let answer = move |request| {
        let answering = answering.clone();
        async move { answering.answer(request).await }
    };
    Guarded::start(endpoints, answer, restconf::denied)
}

impl Answering {
    async fn answer(self, request: Request<Incoming>) -> Reply {
        if restconf::has(request.uri().path()) {
            return restconf::answer(self.control, request).await;
        }
        let path = request.uri().path();
        if path == "/metrics" && !self.shows_all(&request).await {
            let line = "metrics have entries that this user may not read: use /restconf";
            return short(StatusCode::FORBIDDEN, line);
        }
        if let Some(metrics) = respond(&request, &self.scrapes).await {
            return metrics;
        }
        let session = path.strip_prefix("/session/");
        let mesh = path.strip_prefix("/mesh");
        let mesh = mesh.filter(|part| part.is_empty() || part.starts_with(['/', '.']));
        if path != "/" && session.is_none() && mesh.is_none() {
            return short(
                StatusCode::NOT_FOUND,
                "see /, /mesh, /metrics, /healthz and /restconf",
            );
        }
        if let Some(refusal) = only_read(request.method()) {
            return refusal;
        }
        let Some(state) = self.control.state().await else {
            return short(StatusCode::SERVICE_UNAVAILABLE, "no answer within 8 s");
        };
        let Some(state) = self.visible(&request, state) else {
            return short(StatusCode::INTERNAL_SERVER_ERROR, "a fault in the schema");
        };
        let query = Query::of(request.uri());
        if let Some(part) = mesh {
            return mesh::answer(part, &state, &query);
        }
        match session {
            None => reply(
                StatusCode::OK,
                HTML,
                grid::page(&state, &query).into_bytes(),
            ),
            Some(part) => self.session(part, &request, &state, &query).await,
        }
    }

    /// Does something with what a user may do; `None`: that is not known.
    fn with_rights<T>(
        &self,
        request: &Request<Incoming>,
        then: impl FnOnce(&Rights<'_>) -> T,
    ) -> Option<T> {
        let user = request.extensions().get::<User>()?;
        let running = self.control.running();
        Some(then(&Rights::of(
            model().ok()?,
            &self.control,
            user,
            &running,
        )))
    }

    /// Whether a user may read all entries.
    async fn shows_all(&self, request: &Request<Incoming>) -> bool {
        let Some(state) = self.control.state().await else {
            return false;
        };
        let all = self.with_rights(request, |rights| {
            let mut entries = state.entries.iter();
            let mut exports = state.exports.iter();
            entries.all(|entry| rights.shows(entry.kind, &entry.name))
                && state.alerts.keys().all(|name| rights.shows("alert", name))
                && exports.all(|export| rights.shows("export", &export.name))
        });
        all.unwrap_or(false)
    }

    /// What a user may read of the state (RFC 8341). `None`: that is not known.
    fn visible(&self, request: &Request<Incoming>, state: Arc<State>) -> Option<Arc<State>> {
        self.with_rights(request, |rights| {
            if !rights.has_rules() {
                return state;
            }
            let mut visible = State::clone(&state);
            let all = visible.entries.len();
            visible
                .entries
                .retain(|entry| rights.shows(entry.kind, &entry.name));
            // What other nodes measure is for who may read all of this one.
            if visible.entries.len() < all {
                visible.mesh = visible.mesh.map(MeshState::without_others);
            }
            visible.retain_alarms(|kind, name| rights.shows(kind, name));
            Arc::new(visible)
        })
    }

    /// The page of a session, or with `.json` behind its name its rows.
    async fn session(
        &self,
        part: &str,
        request: &Request<Incoming>,
        state: &State,
        query: &Query,
    ) -> Reply {
        let (part, is_json) = match part.strip_suffix(".json") {
            Some(part) => (part, true),
            None => (part, false),
        };
        let name = markup::decoded_path(part);
        let Some(reader) = self.reader.clone() else {
            let line = "there is no store: add [store] to the configuration";
            return short(StatusCode::NOT_FOUND, line);
        };
        let range = match TimeRange::of(query, wall(), state.uptime) {
            Ok(range) => range,
            Err(why) => return short(StatusCode::BAD_REQUEST, &why),
        };
        let is_shown = self.with_rights(request, |rights| rights.shows("session", &name));
        if is_shown != Some(true) {
            return short(StatusCode::NOT_FOUND, "no session has this name");
        }
        let of = name.clone();
        let active = state.alarms.iter().filter(|alarm| alarm.session == name);
        let active: Vec<ActiveAlarm> = active.cloned().collect();
        let history = spawn_blocking(move || History::read(&reader, &of, range, &active)).await;
        let mut history = match history {
            Ok(Ok(history)) => history,
            Ok(Err(error)) => {
                let line = format!("the store cannot be read: {error}");
                return short(StatusCode::INTERNAL_SERVER_ERROR, &line);
            }
            Err(error) => return short(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        };
        let retained = self.with_rights(request, |rights| {
            history.retain_alerts(|alert| rights.shows("alert", alert));
        });
        if retained.is_none() {
            return short(StatusCode::INTERNAL_SERVER_ERROR, "a fault in the schema");
        }
        let stored = state.store.as_ref();
        history.note_unwritten(stored.and_then(|stored| stored.error.as_deref()));
        let mut entries = state.entries.iter();
        let entry = entries.find(|entry| entry.kind == "session" && entry.name == name);
        if entry.is_none() && history.is_empty() {
            return short(StatusCode::NOT_FOUND, "no session has this name");
        }
        if is_json {
            return reply(StatusCode::OK, "application/json", history.json(&name));
        }
        reply(
            StatusCode::OK,
            HTML,
            history.page(&name, entry, &state.alarms).into_bytes(),
        )
    }
}

/// The query of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        let pairs = uri.query().unwrap_or_default().split('&');
        let pairs = pairs.filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (markup::decoded(name), markup::decoded(value))
        });
        Self(pairs.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All but these.
    pub(super) fn others(&self, names: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        let others = pairs.filter(|(name, _)| !names.contains(&name.as_str()));
        others.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
