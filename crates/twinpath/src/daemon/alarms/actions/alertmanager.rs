//! Alerts for Alertmanager (API version 2), which forgets an alert unless it is posted again: each server has those that
//! are active, every minute, and for a quarter of an hour those that have ended, as from Prometheus.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twinpath_report::words::is_plain;
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::clients;
use crate::http::client::{AnswerLimits, Call, Endpoint};
use crate::output::prometheus::user_label;
use crate::output::rfc3339;
use crate::plan::jitter;

use super::Facts;

/// How often active alerts are posted, and how long Alertmanager keeps one that is not posted again.
const RESEND_EVERY: Duration = Duration::from_mins(1);
const VALID: Duration = Duration::from_mins(4);
/// For how long an alert that has ended is posted.
const ENDED_FOR: Duration = Duration::from_mins(15);
/// Alerts of one request.
const MOST_AT_ONCE: usize = 256;
/// How long after a failure the next attempt is made, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LIMITS: AnswerLimits = AnswerLimits {
    within: Duration::from_secs(10),
    octets: 16 << 10,
};
/// Characters of an answer that are logged.
const MOST_SHOWN: usize = 300;
/// How long posts may go on after the daemon.
const LONGEST_END: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Where alerts are posted below the address of a server.
const PATH: &str = "/api/v2/alerts";

/// By these Alertmanager knows an alert.
type Labels = BTreeMap<String, String>;

/// An alert that is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon::alarms) struct ActiveAlert {
    pub(in crate::daemon::alarms) labels: Labels,
    annotations: BTreeMap<&'static str, String>,
    since: String,
    /// The page of the session, or nothing.
    url: String,
}

impl ActiveAlert {
    /// That of an alarm of a session with these labels.
    pub(in crate::daemon::alarms) fn of(facts: &Facts, session: &BTreeMap<String, String>) -> Self {
        let path = facts.path.map(|path| path.to_string());
        let own = [
            ("alertname", facts.alert.clone()),
            ("session", facts.session.clone()),
            ("class", facts.class.clone()),
            ("path", path.unwrap_or_default()),
            ("host", facts.host.clone()),
        ];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let user = session.iter();
        let user = user.map(|(name, value)| (user_label(name), value.clone()));
        let annotations = [
            (
                "summary",
                format!("session {}: {}", facts.session_words, facts.found()),
            ),
            ("when", facts.when.clone()),
            ("value", facts.value.clone()),
        ];
        let annotations = annotations.into_iter().filter(|(_, text)| !text.is_empty());
        Self {
            labels: own.chain(user).collect(),
            annotations: annotations.collect(),
            since: facts.since.clone(),
            url: facts.url.clone(),
        }
    }
}

/// A member of the document that is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a Labels,
    annotations: &'a BTreeMap<&'static str, String>,
    starts_at: &'a str,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

/// An alert that a server receives.
#[derive(Clone, Debug)]
struct Held {
    alert: ActiveAlert,
    /// When it has ended.
    ended: Option<(Wall, Instant)>,
}

/// All servers.
#[derive(Default)]
pub(super) struct Managers {
    /// Of their thread, once there is one.
    runtime: Option<Handle>,
    servers: HashMap<Endpoint, Arc<Server>>,
}

/// A server, and the alerts that it has.
struct Server {
    at: Endpoint,
    held: Mutex<BTreeMap<Labels, Held>>,
    changed: Notify,
    /// Something has changed since the last post.
    is_due: AtomicBool,
    /// No alert is for it any more.
    is_over: AtomicBool,
}

impl Managers {
    /// Has these servers told of these alerts, and no others.
    pub(super) fn tell(&mut self, mut wanted: HashMap<Endpoint, Vec<ActiveAlert>>) {
        self.servers.retain(|at, server| {
            let alerts = wanted.remove(at);
            let is_wanted = alerts.is_some();
            server.hold(alerts.unwrap_or_default());
            let is_over = !is_wanted && server.held().is_empty();
            if is_over {
                server.is_over.store(true, Ordering::Release);
                server.changed.notify_one();
            }
            !is_over
        });
        for (at, alerts) in wanted.into_iter().filter(|(_, alerts)| !alerts.is_empty()) {
            match self.begin(&at) {
                Ok(server) => {
                    server.hold(alerts);
                    self.servers.insert(at, server);
                }
                Err(error) => warn!("alerts for {at} have no thread: {error}"),
            }
        }
    }

    fn begin(&mut self, at: &Endpoint) -> io::Result<Arc<Server>> {
        let runtime = self.runtime()?;
        let server = Arc::new(Server {
            at: at.clone().below(PATH),
            held: Mutex::default(),
            changed: Notify::new(),
            is_due: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        runtime.spawn(Arc::clone(&server).run());
        Ok(server)
    }

    fn runtime(&mut self) -> io::Result<Handle> {
        if let Some(runtime) = &self.runtime {
            return Ok(runtime.clone());
        }
        let runtime = clients::runtime()?;
        let handle = runtime.handle().clone();
        clients::spawn("alertmanager", runtime, std::future::pending::<()>)?;
        self.runtime = Some(handle.clone());
        Ok(handle)
    }

    /// Waits a short time until all servers know what has changed.
    pub(super) fn close(self) {
        let by = Instant::now() + LONGEST_END;
        let is_due = |server: &Arc<Server>| server.is_due.load(Ordering::Acquire);
        while self.servers.values().any(is_due) && Instant::now() < by {
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Server {
    fn held(&self) -> MutexGuard<'_, BTreeMap<Labels, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has these alerts; all others have ended.
    fn hold(&self, alerts: Vec<ActiveAlert>) {
        let (now, at) = (Instant::now(), wall());
        let mut held = self.held();
        let mut is_changed = false;
        let mut active: BTreeMap<Labels, ActiveAlert> = alerts
            .into_iter()
            .map(|alert| (alert.labels.clone(), alert))
            .collect();
        for (labels, one) in held.iter_mut() {
            match active.remove(labels) {
                Some(alert) if one.ended.is_none() && one.alert == alert => {}
                Some(alert) => {
                    *one = Held { alert, ended: None };
                    is_changed = true;
                }
                None if one.ended.is_none() => {
                    one.ended = Some((at, now));
                    is_changed = true;
                }
                None => {}
            }
        }
        is_changed |= !active.is_empty();
        let new = active.into_iter();
        held.extend(new.map(|(labels, alert)| (labels, Held { alert, ended: None })));
        if is_changed {
            self.is_due.store(true, Ordering::Release);
            self.changed.notify_one();
        }
    }

    /// Posts for as long as there are alerts for it.
    async fn run(self: Arc<Self>) {
        let mut wait = FIRST_WAIT;
        let mut said: Option<String> = None;
        while !self.is_over.load(Ordering::Acquire) {
            match self.post().await {
                Ok(()) => {
                    if said.take().is_some() {
                        info!("alertmanager {}: takes alerts again", self.at);
                    }
                    wait = FIRST_WAIT;
                    let _changed = timeout(RESEND_EVERY, self.changed.notified()).await;
                }
                Err(why) => {
                    if said.as_ref() != Some(&why) {
                        warn!("alertmanager {}: {why}; tried again", self.at);
                    }
                    said = Some(why);
                    sleep(wait.mul_f64(jitter())).await;
                    wait = (wait * 2).min(RESEND_EVERY);
                }
            }
        }
    }

    /// Posts all alerts once.
    async fn post(&self) -> Result<(), String> {
        self.is_due.store(false, Ordering::Release);
        let posted = self.post_all().await;
        if posted.is_err() {
            self.is_due.store(true, Ordering::Release);
        }
        posted
    }

    async fn post_all(&self) -> Result<(), String> {
        let all: Vec<Held> = {
            let mut held = self.held();
            held.retain(|_, one| one.ended.is_none_or(|(_, at)| at.elapsed() < ENDED_FOR));
            held.values().cloned().collect()
        };
        for part in all.chunks(MOST_AT_ONCE) {
            let valid = rfc3339(valid_until());
            let document: Vec<Posted<'_>> = part.iter().map(|one| one.posted(&valid)).collect();
            // Memory takes it, and all keys are strings.
            let body = serde_json::to_vec(&document).unwrap_or_default();
            let json = HeaderValue::from_static("application/json");
            let call = Call::post(body, LIMITS).with_field(CONTENT_TYPE, json);
            let answer = self.at.send(&call).await;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status != StatusCode::OK {
                let said = String::from_utf8_lossy(&answer.body.unwrap_or_default()).into_owned();
                let said = said.trim().chars().take(MOST_SHOWN);
                let said: String = said.map(|c| if is_plain(c) { c } else { ' ' }).collect();
                return Err(format!("answered {} {said}", answer.status)
                    .trim_end()
                    .to_owned());
            }
        }
        Ok(())
    }
}

/// Until when an alert is known that is posted now.
fn valid_until() -> Wall {
    let valid = i64::try_from(VALID.as_nanos()).unwrap_or(i64::MAX);
    Wall::from_unix_ns(wall().unix_ns().saturating_add(valid))
}

impl Held {
    /// `valid`: until when an active alert is known, unless it is posted again.
    fn posted(&self, valid: &str) -> Posted<'_> {
        let ended = self.ended.map(|(at, _)| rfc3339(at));
        Posted {
            labels: &self.alert.labels,
            annotations: &self.alert.annotations,
            starts_at: &self.alert.since,
            ends_at: ended.unwrap_or_else(|| valid.to_owned()),
            generator_url: &self.alert.url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::EndpointOptions;

    fn alert(session: &str) -> ActiveAlert {
        ActiveAlert {
            labels: Labels::from([("session".to_owned(), session.to_owned())]),
            annotations: BTreeMap::new(),
            since: "2026-11-30T12:00:00Z".to_owned(),
            url: String::new(),
        }
    }

    fn server() -> Server {
        let at = Endpoint::parse("http://127.0.0.1:1/", EndpointOptions::default()).unwrap();
        Server {
            at: at.below(PATH),
            held: Mutex::default(),
            changed: Notify::new(),
            is_due: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// What is posted: the session, and when it ends.
    fn posted(server: &Server) -> Vec<(String, String)> {
        let held = server.held();
        let all = held.values().map(|one| {
            let document = serde_json::to_value(one.posted("later")).unwrap();
            assert_eq!(document["startsAt"], "2026-11-30T12:00:00Z");
            assert!(document.get("generatorURL").is_none(), "{document}");
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (
                text(&document["labels"]["session"]),
                text(&document["endsAt"]),
            )
        });
        all.collect()
    }

    #[test]
    fn what_is_active_has_a_later_end_and_what_is_not_has_ended() {
        let server = server();
        assert_eq!(server.at.to_string(), "http://127.0.0.1:1/api/v2/alerts");
        server.hold(vec![alert("a"), alert("b")]);
        let both = [
            ("a".to_owned(), "later".to_owned()),
            ("b".to_owned(), "later".to_owned()),
        ];
        assert_eq!(posted(&server), both);
        assert!(server.is_due.swap(false, Ordering::AcqRel));
        // Nothing has changed.
        server.hold(vec![alert("b"), alert("a")]);
        assert!(!server.is_due.load(Ordering::Acquire));
        server.hold(vec![alert("b")]);
        assert!(server.is_due.swap(false, Ordering::AcqRel));
        let all = posted(&server);
        let (session, end) = &all[0];
        assert!(session == "a" && end.ends_with('Z'), "{all:?}");
        assert_eq!(all[1], both[1]);
        // Its end stays what it is, and one that is raised again has none.
        server.hold(vec![alert("b")]);
        assert_eq!(posted(&server), all);
        server.hold(vec![alert("a"), alert("b")]);
        assert_eq!(posted(&server), both);
    }
}
