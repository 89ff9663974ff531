//! What is done when an alarm is raised or cleared: a program is run, a document is posted, a message is logged, an
//! Alertmanager has it. Threads of their own do it, within limits; what they cannot take is counted and logged.

mod alertmanager;
mod delivery;
pub(in crate::daemon) mod exec;
mod syslog;
mod template;

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::ShownRow;
use super::engine::Change;
use crate::failure::Failure;
use crate::http::client::Endpoint;
use crate::output::rfc3339;

use alertmanager::Managers;
use delivery::{Deliveries, Target};
use exec::Programs;

pub(super) use alertmanager::ActiveAlert;
pub(in crate::daemon) use syslog::SyslogServer;

/// How much time a link to the page shows before and after an alarm's intervals.
const AROUND_S: i64 = 300;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Action {
    /// A program with its arguments, never by a shell.
    Exec(Arc<[String]>),
    /// A document that is posted.
    Webhook(Endpoint),
    /// Servers that have each alert as long as it is active, and its end.
    Alertmanager(Arc<[Endpoint]>),
    /// A message of syslog.
    Syslog(SyslogServer),
}

impl Action {
    /// A program with its arguments, in which placeholders are filled in.
    ///
    /// # Errors
    /// What to write instead.
    pub(in crate::daemon) fn exec(words: &[String]) -> Result<Self, String> {
        let program = words.first().map_or("", String::as_str);
        if !std::path::Path::new(program).is_absolute() {
            return Err(format!(
                "exec {program}: write the whole path of the program, as in /usr/local/bin/page"
            ));
        }
        for argument in words.iter().skip(1) {
            template::check(argument)?;
        }
        Ok(Self::Exec(words.into()))
    }

    /// What this host lacks for it.
    pub(in crate::daemon) fn lacks(&self) -> Option<Failure> {
        match self {
            Self::Exec(words) => exec::lacks(words.first()?),
            Self::Webhook(at) => at.lacks(),
            Self::Alertmanager(all) => all.iter().find_map(Endpoint::lacks),
            Self::Syslog(at) => at.lacks(),
        }
    }

    /// The servers that have alerts for as long as they are active.
    pub(super) fn managers(&self) -> &[Endpoint] {
        match self {
            Self::Alertmanager(all) => all,
            Self::Exec(_) | Self::Webhook(_) | Self::Syslog(_) => &[],
        }
    }
}

/// What is said of an alarm that is raised or cleared.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Facts {
    schema: &'static str,
    alert: String,
    state: &'static str,
    session: String,
    class: String,
    path: Option<u16>,
    when: String,
    since: String,
    at: String,
    /// The figure of the last row that raised or cleared it, with its unit.
    value: String,
    evidence: Vec<ShownRow>,
    host: String,
    /// The page of the session at that time.
    url: String,
    /// The session in a log.
    #[serde(skip)]
    session_words: String,
    /// The known figures of the evidence, with their units.
    #[serde(skip)]
    values: Vec<String>,
    #[serde(skip)]
    pub(super) is_raised: bool,
}

impl Facts {
    pub(super) fn of(change: &Change, host: &str, page: Option<&str>) -> Self {
        let last = change.evidence.iter().rev().find_map(|row| row.value);
        let condition = &change.alert.condition;
        let rows = &change.evidence;
        let values = rows.iter().filter_map(|row| row.value);
        let url = page.map(|page| {
            let s = |ns: i64| ns.div_euclid(1_000_000_000);
            let first = rows.first().map_or(change.since, |row| row.start);
            let name = utf8_percent_encode(&change.session.name, NON_ALPHANUMERIC);
            let from = s(first.unix_ns()) - AROUND_S;
            let to = s(change.at.unix_ns()) + AROUND_S;
            format!("{page}session/{name}?from={from}&to={to}")
        });
        Self {
            schema: "twinpath-alarm-1",
            alert: change.alert.name.to_string(),
            state: if change.is_raised {
                "raised"
            } else {
                "cleared"
            },
            session: change.session.name.to_string(),
            class: change.session.class.dscp().to_string(),
            path: change.session.path,
            when: condition.text.clone(),
            since: rfc3339(change.since),
            at: rfc3339(change.at),
            value: last.map(|value| condition.words(value)).unwrap_or_default(),
            evidence: rows.iter().map(ShownRow::of).collect(),
            host: host.to_owned(),
            url: url.unwrap_or_default(),
            session_words: change.session.words(),
            values: values.map(|value| condition.words(value)).collect(),
            is_raised: change.is_raised,
        }
    }

    /// In a log.
    pub(super) fn words(&self) -> String {
        let (alert, session) = (&self.alert, &self.session_words);
        if self.is_raised {
            format!(
                "alert {alert}: raised for session {session}: {}",
                self.found()
            )
        } else {
            format!("alert {alert}: cleared for session {session}")
        }
    }

    /// The condition, and the figures by which it holds.
    fn found(&self) -> String {
        match self.values.as_slice() {
            [] => self.when.clone(),
            values => format!("{} ({})", self.when, values.join(", ")),
        }
    }

    /// By names, those that may be long at the end.
    fn data(&self) -> Vec<(&'static str, String)> {
        let path = self.path.map(|path| path.to_string());
        // Memory takes it, and all keys are strings.
        let evidence = serde_json::to_string(&self.evidence).unwrap_or_default();
        let all = [
            ("alert", self.alert.clone()),
            ("state", self.state.to_owned()),
            ("session", self.session.clone()),
            ("class", self.class.clone()),
            ("path", path.unwrap_or_default()),
            ("since", self.since.clone()),
            ("value", self.value.clone()),
            ("when", self.when.clone()),
            ("url", self.url.clone()),
            ("evidence", evidence),
        ];
        let known = all.into_iter().filter(|(_, text)| !text.is_empty());
        known.collect()
    }
}

/// What runs actions.
pub(super) struct Runners {
    programs: Programs,
    deliveries: Deliveries,
    managers: Managers,
}

impl Runners {
    pub(super) fn new() -> Self {
        Self {
            programs: Programs::new(),
            deliveries: Deliveries::new(),
            managers: Managers::default(),
        }
    }

    /// Has an action of this alert run.
    pub(super) fn run(&mut self, alert: &str, action: &Action, facts: &Facts) {
        match action {
            Action::Exec(words) => {
                let filled = words.iter().enumerate().map(|(place, word)| match place {
                    0 => word.clone(),
                    _ => template::filled(word, facts),
                });
                self.programs.run(alert, filled.collect());
            }
            Action::Webhook(at) => {
                // Memory takes it, and all keys are strings.
                let body = serde_json::to_vec(facts).unwrap_or_default();
                let target = Target::Webhook(at.clone());
                self.deliveries.send(alert, &target, body);
            }
            Action::Syslog(at) => {
                let target = Target::Syslog(at.clone());
                self.deliveries.send(alert, &target, at.message(facts));
            }
            // These have all that is active.
            Action::Alertmanager(_) => {}
        }
    }

    /// Has each Alertmanager know these alerts, and that all others have ended.
    pub(super) fn tell(&mut self, wanted: HashMap<Endpoint, Vec<ActiveAlert>>) {
        self.managers.tell(wanted);
    }

    /// Logs what was dropped since the last time.
    pub(super) fn attend(&mut self) {
        self.programs.attend();
        self.deliveries.attend();
    }

    /// Waits a short time for what runs.
    pub(super) fn close(self) {
        self.programs.close();
        self.deliveries.close();
        self.managers.close();
    }
}
