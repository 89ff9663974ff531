//! The metadata of a run in a raw file: JSON in the footer, written when the run begins and when it
//! ends. Its sessions are those of reports.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinpath_report::words::is_plain;
use twinpath_report::{ControlReport, FailedTarget, SessionReport, SessionSetup};
use twinpath_wire::Wall;

use crate::args::Label;
use crate::output::Meta;

/// What is known when a run begins: `twinpath.run`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FooterBegin {
    /// Of twinpath.
    pub(crate) version: String,
    pub(crate) host: Option<String>,
    pub(crate) labels: Vec<Label>,
    /// Unix time.
    #[serde(rename = "started_ns")]
    pub(crate) started: Wall,
    pub(crate) sessions: Vec<SessionSetup>,
}

/// What is known when a run is over: `twinpath.end`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FooterEnd<'a, S = Vec<SessionReport>> {
    pub(crate) sessions: S,
    pub(crate) control: Option<Cow<'a, ControlReport>>,
    /// Rows that are not in the file because the disk was too slow.
    pub(crate) rows_missing: u64,
    /// What could not be measured.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) failed: Cow<'a, [FailedTarget]>,
}

/// Which part of its run a file holds, if the run is saved in one file after the other:
/// `twinpath.part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FooterPart {
    /// The same in all files of the run, and in no others.
    pub(crate) run: u64,
    /// From 1.
    pub(crate) number: u64,
    /// It has the packets whose fate became known from then on, by the clock of the host.
    #[serde(rename = "from_ns")]
    pub(crate) from: Wall,
    /// Until then; `None`: the file was not closed.
    #[serde(rename = "until_ns")]
    pub(crate) until: Option<Wall>,
    /// Rows since the part before was closed that are in no file.
    pub(crate) rows_missing: u64,
    /// It is the last of a run that ends without reports of its sessions.
    #[serde(default, rename = "last", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_last: bool,
}

impl FooterBegin {
    pub(crate) fn new(meta: &Meta, started: Wall, sessions: Vec<SessionSetup>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: meta.host.clone(),
            labels: meta.labels.clone(),
            started,
            sessions,
        }
    }

    pub(crate) fn meta(&self) -> Meta {
        Meta {
            host: self.host.clone(),
            labels: self.labels.clone(),
            ..Meta::default()
        }
    }
}

/// The contents of a file, with all strings made safe for a terminal.
///
/// # Errors
/// Not valid JSON of this type.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_value(plain_value(serde_json::from_str(text)?))
}

fn plain_value(value: Value) -> Value {
    match value {
        Value::String(text) => plain(&text).into(),
        Value::Array(values) => values.into_iter().map(plain_value).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(key, value)| (key, plain_value(value)))
                    .collect(),
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// The most characters of a remark.
const LONGEST: usize = 4_096;

/// One line of plain characters, of limited length.
fn plain(text: &str) -> String {
    let replaced = |c: char| {
        if is_plain(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    text.chars().take(LONGEST).map(replaced).collect()
}
