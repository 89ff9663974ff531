//! The alarms of a session in a time: on the time line of its page, in a table, as JSON.

use std::fmt::Write as _;

use serde::Serialize;
use twinpath_report::words;
use twinpath_wire::Dscp;

use crate::daemon::alarms::ActiveAlarm;
use crate::output::past_alarms::for_how_long;
use crate::output::rfc3339;
use crate::output::units::count;
use crate::picture::escaped;
use crate::store::{AlarmEnd, PastAlarm, PastAlarms};

/// Rows of a table at most: others are counted.
const MOST_ROWS: usize = 100;
/// Alarms of a document at most.
const MOST_LISTED: usize = 1_000;

/// One that is active, as the store has it.
pub(super) fn of_active(alarm: &ActiveAlarm) -> PastAlarm {
    let class = Dscp::new(alarm.dscp).map(|dscp| dscp.to_string());
    PastAlarm {
        alert: alarm.alert.clone(),
        when: alarm.when.clone(),
        class: class.unwrap_or_default().into(),
        path: alarm.path,
        raised: alarm.raised,
        end: AlarmEnd::Active,
    }
}

/// A table with all of them, the latest first; nothing without one.
pub(super) fn table(alarms: &PastAlarms, out: &mut String) {
    if alarms.alarms.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Alarms in this time</h2>\n<div class=\"wide-table\"><table class=\"alarms\"><thead><tr>\
         <th scope=\"col\">Alert</th><th scope=\"col\" class=\"text\">Condition</th>\
         <th scope=\"col\" class=\"text\">Class</th><th scope=\"col\">Raised</th>\
         <th scope=\"col\">Cleared</th><th scope=\"col\">Length</th></tr></thead>\n<tbody>\n",
    );
    for alarm in alarms.alarms.iter().take(MOST_ROWS) {
        let path = alarm.path.map(|path| format!(" path {path}"));
        let end = match alarm.end {
            AlarmEnd::Active => "<b>active</b>".to_owned(),
            AlarmEnd::Cleared(at) => words::instant(at, 0),
            AlarmEnd::Ended(at) => format!("not cleared, ended {}", words::instant(at, 0)),
        };
        // Memory takes it.
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td>\
             <td>{end}</td><td>{}</td></tr>",
            escaped(&alarm.alert),
            escaped(&alarm.when),
            escaped(&format!("{}{}", alarm.class, path.unwrap_or_default())),
            words::instant(alarm.raised, 0),
            for_how_long(alarm).unwrap_or_default(),
        );
    }
    out.push_str("</tbody></table></div>\n");
    let more = alarms.alarms.len().saturating_sub(MOST_ROWS) as u64 + alarms.left_out();
    if more > 0 {
        let more = count(more, "more alarm", "more alarms");
        let _ = writeln!(out, "<p class=\"sub\">and {more}, earlier than these</p>");
    }
}

/// What could not be read, in words.
pub(super) fn unread(alarms: &PastAlarms) -> Vec<String> {
    let mut lines = alarms.unread.clone();
    if alarms.damaged > 0 {
        let damaged = count(alarms.damaged, "line", "lines");
        lines.push(format!("{damaged} about alarms of sessions cannot be read"));
    }
    lines
}

/// In a document.
#[derive(Serialize)]
pub(super) struct JsonAlarms {
    /// The latest first.
    alarms: Vec<JsonAlarm>,
    /// How many more there are.
    alarms_left_out: u64,
}

#[derive(Serialize)]
struct JsonAlarm {
    alert: String,
    when: String,
    class: String,
    path: Option<u16>,
    /// `active`, `cleared`, `ended`.
    state: &'static str,
    raised: String,
    /// `null`: it is active, or ended otherwise.
    cleared: Option<String>,
    /// `null`: it is active, or cleared.
    ended: Option<String>,
}

impl JsonAlarms {
    pub(super) fn of(alarms: &PastAlarms) -> Self {
        let left_out = alarms.alarms.len().saturating_sub(MOST_LISTED) as u64;
        let listed = alarms.alarms.iter().take(MOST_LISTED);
        Self {
            alarms: listed.map(JsonAlarm::of).collect(),
            alarms_left_out: left_out + alarms.left_out(),
        }
    }
}

impl JsonAlarm {
    fn of(alarm: &PastAlarm) -> Self {
        let (state, cleared, ended) = match alarm.end {
            AlarmEnd::Active => ("active", None, None),
            AlarmEnd::Cleared(at) => ("cleared", Some(at), None),
            AlarmEnd::Ended(at) => ("ended", None, Some(at)),
        };
        Self {
            alert: alarm.alert.clone(),
            when: alarm.when.clone(),
            class: alarm.class.to_string(),
            path: alarm.path,
            state,
            raised: rfc3339(alarm.raised),
            cleared: cleared.map(rfc3339),
            ended: ended.map(rfc3339),
        }
    }
}
