//! What is done when an alarm is raised or cleared: a program is run, a document is posted. Threads of their own do
//! it, within limits; what they cannot take is counted and logged.

pub(in crate::daemon) mod exec;
mod template;
mod webhook;

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::ShownRow;
use super::engine::Change;
use crate::failure::Failure;
use crate::http::client::Endpoint;
use crate::output::rfc3339;

use exec::Programs;
use webhook::Webhooks;

/// How much time a link to the page shows before and after an alarm's intervals.
const AROUND_S: i64 = 300;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Action {
    /// A program with its arguments, never by a shell.
    Exec(Arc<[String]>),
    /// A document that is posted.
    Webhook(Endpoint),
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
    pub(super) fn lacks(&self) -> Option<Failure> {
        match self {
            Self::Exec(words) => exec::lacks(words.first()?),
            Self::Webhook(at) => at.lacks(),
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
    pub(super) session_words: String,
}

impl Facts {
    pub(super) fn of(change: &Change, host: &str, page: Option<&str>) -> Self {
        let last = change.evidence.iter().rev().find_map(|row| row.value);
        let condition = &change.alert.condition;
        let rows = &change.evidence;
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
        }
    }
}

/// What runs actions.
pub(super) struct Runners {
    programs: Programs,
    webhooks: Webhooks,
}

impl Runners {
    pub(super) fn new() -> Self {
        Self {
            programs: Programs::new(),
            webhooks: Webhooks::new(),
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
            Action::Webhook(target) => {
                // Memory takes it, and all keys are strings.
                let body = serde_json::to_vec(facts).unwrap_or_default();
                self.webhooks.post(alert, target, body);
            }
        }
    }

    /// Logs what was dropped since the last time.
    pub(super) fn attend(&mut self) {
        self.programs.attend();
        self.webhooks.attend();
    }

    /// Waits a short time for what runs.
    pub(super) fn close(self) {
        self.programs.close();
        self.webhooks.close();
    }
}
