//! When alarms were raised and ended: a line of JSON for each, in files beside the rows.
//!
//! ```text
//! _alarms/2026-11.0001.jsonl    lines that were written in that month; the file with the greatest number grows
//! ```
//!
//! A line is whole or it is passed over: what a crash left of one is ended by the next writer. The line of an end has
//! all facts of its alarm but the evidence, so that a reader needs no older file. Files are deleted by age when all of
//! their month is too old, the oldest ones also by size.

mod files;
mod log;
mod reader;

use serde::{Deserialize, Serialize};

use files::AlarmFiles;

pub(crate) use files::AlarmFileUpkeep;
pub(crate) use log::AlarmLog;
pub(crate) use reader::{AlarmEnd, PastAlarm, PastAlarms};

/// Octets of a line at most.
const MOST_LINE: usize = 1 << 16;
/// Intervals of a line at most.
const MOST_EVIDENCE: usize = 10;

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AlarmEvent {
    /// It became active.
    Raised,
    /// Good intervals ended it.
    Cleared,
    /// Its alert or its session is no longer configured so.
    Ended,
}

/// A line. Times are nanoseconds of Unix time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlarmRecord {
    pub(crate) event: AlarmEvent,
    pub(crate) alert: String,
    /// The condition.
    pub(crate) when: String,
    /// The entry of the configuration.
    pub(crate) session: String,
    /// As rows have it.
    pub(crate) class: String,
    pub(crate) path: Option<u16>,
    pub(crate) raised_ns: i64,
    /// `None`: it is raised by this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_ns: Option<i64>,
    /// The intervals that raised it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) evidence: Vec<AlarmInterval>,
}

/// An interval that an alarm was raised by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlarmInterval {
    pub(crate) start_ns: i64,
    /// Excluded.
    pub(crate) end_ns: i64,
    /// The figure of the condition; `None`: it has none.
    pub(crate) value: Option<serde_json::Number>,
}

/// Which alarm a line is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AlarmKey {
    raised_ns: i64,
    alert: String,
    session: String,
    class: String,
    path: Option<u16>,
}

impl AlarmRecord {
    pub(crate) fn key(&self) -> AlarmKey {
        AlarmKey {
            raised_ns: self.raised_ns,
            alert: self.alert.clone(),
            session: self.session.clone(),
            class: self.class.clone(),
            path: self.path,
        }
    }

    /// The line of its end.
    pub(crate) fn ended(self, event: AlarmEvent, at_ns: i64) -> Self {
        Self {
            event,
            ended_ns: Some(at_ns),
            evidence: Vec::new(),
            ..self
        }
    }

    /// With its line feed; `None`: it is too long.
    fn line(&self) -> Option<Vec<u8>> {
        let mut record = self.clone();
        record.evidence.truncate(MOST_EVIDENCE);
        // Memory takes it, and all keys are strings.
        let mut line = serde_json::to_vec(&record).ok()?;
        line.push(b'\n');
        (line.len() <= MOST_LINE).then_some(line)
    }
}
