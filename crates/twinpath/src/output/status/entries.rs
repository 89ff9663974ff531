//! What a daemon says of the entries of its configuration.

use std::io::{self, Write};

use serde::Deserialize;

use super::super::table::fact;
use super::super::units;
use super::table;

/// Rows of a text: a document has more.
const SHOWN: usize = 40;
/// Over which times the figures of sessions are.
const PERIODS: &str = "sent and lost since each began, median and 95 % of the round trip over its last complete interval";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    kind: String,
    name: String,
    state: String,
    failure: Option<String>,
    listening: Vec<String>,
    replies: Option<u64>,
    measures: Vec<Measured>,
}

/// The store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    rows: u64,
    dropped: u64,
    octets: u64,
    damaged: u64,
    error: Option<String>,
    raw_records: Option<u64>,
    raw_dropped: Option<u64>,
}

impl Stored {
    /// All that is shown of it as it came.
    pub(super) fn strings(&self) -> impl Iterator<Item = &String> {
        self.error.iter()
    }

    /// What it has done and has.
    pub(super) fn line(&self) -> String {
        let rows = units::count(self.rows, "row", "rows");
        let mut parts = vec![
            format!("{rows} written"),
            format!("{} kB in all", self.octets.div_ceil(1_000)),
        ];
        if self.dropped > 0 {
            parts.push(format!(
                "{} dropped",
                units::count(self.dropped, "row", "rows")
            ));
        }
        if self.damaged > 0 {
            let files = units::count(self.damaged, "damaged file", "damaged files");
            parts.push(format!("{files} set aside"));
        }
        if let Some(records) = self.raw_records {
            let records = units::count(records, "record", "records");
            parts.push(format!("{records} of raw packets written"));
        }
        if let Some(dropped @ 1..) = self.raw_dropped {
            let records = units::count(dropped, "record", "records");
            parts.push(format!("{records} of raw packets dropped"));
        }
        if let Some(error) = &self.error {
            parts.push(format!("it takes no rows now: {error}"));
        }
        parts.join(", ")
    }
}

/// A session of an entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Measured {
    reflector: String,
    dscp: u8,
    path: Option<u16>,
    sent: u64,
    received: u64,
    lost: u64,
    interval: Option<Interval>,
    is_silent: bool,
    cause: Option<String>,
}

/// Its last complete interval.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Interval {
    received: u64,
    lost: u64,
    round_trip_median_ns: Option<i64>,
    round_trip_p95_ns: Option<i64>,
}

impl Entry {
    /// All that is shown of it as it came.
    pub(super) fn strings(&self) -> impl Iterator<Item = &String> {
        let own = [&self.kind, &self.name, &self.state];
        let listening = self.listening.iter().chain(&self.failure);
        let reflectors = self.measures.iter();
        let reflectors =
            reflectors.flat_map(|session| [&session.reflector].into_iter().chain(&session.cause));
        own.into_iter().chain(listening).chain(reflectors)
    }

    /// Replies of a responder or server.
    pub(super) fn replies(&self) -> u64 {
        self.replies.unwrap_or(0)
    }

    pub(super) fn listening(&self) -> &[String] {
        &self.listening
    }
}

/// Responders and servers, then a line for each session.
pub(super) fn text(entries: &[Entry], out: &mut impl Write) -> io::Result<()> {
    let (sessions, reflectors): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.kind == "session");
    let mut rows = vec![["Reflector", "State", "Listening", "Replies"].map(str::to_owned)];
    rows.extend(reflectors.iter().take(SHOWN).map(|entry| {
        [
            format!("{} {}", entry.kind, entry.name),
            entry.state.clone(),
            entry.listening.join(", "),
            entry
                .replies
                .map_or_else(String::new, |replies| replies.to_string()),
        ]
    }));
    if rows.len() > 1 {
        fact(out, "Reflectors", &number(reflectors.len()))?;
        table(&rows, [false, false, false, true], out)?;
    }
    let rows = session_rows(&sessions);
    if !sessions.is_empty() {
        let number = number(sessions.len());
        fact(out, "Sessions", &format!("{number}; {PERIODS}"))?;
        let shown = rows.get(..=SHOWN).unwrap_or(&rows);
        table(shown, [false, false, false, true, true, true, true], out)?;
        if let more @ 1.. = rows.len() - shown.len() {
            writeln!(out, "  and {more} more")?;
        }
    }
    let silent = sessions.iter().filter_map(|entry| {
        let cause = entry.measures.iter().find_map(|one| one.cause.as_ref())?;
        Some(format!("session {}: {cause}", entry.name))
    });
    for line in silent.take(SHOWN) {
        fact(out, "No replies", &line)?;
    }
    for entry in entries {
        if let Some(failure) = &entry.failure {
            fact(
                out,
                "Not running",
                &format!("{} {}: {failure}", entry.kind, entry.name),
            )?;
        }
    }
    Ok(())
}

fn number(count: usize) -> String {
    units::count(count as u64, "entry", "entries")
}

/// With the heading.
fn session_rows(entries: &[&Entry]) -> Vec<[String; 7]> {
    let heading = [
        "Session", "State", "Far end", "Sent", "Lost", "Median", "95 %",
    ];
    let mut rows = vec![heading.map(str::to_owned)];
    for entry in entries {
        if entry.measures.is_empty() {
            let none = String::new;
            let (name, state) = (entry.name.clone(), entry.state.clone());
            rows.push([name, state, none(), none(), none(), none(), none()]);
        }
        rows.extend(entry.measures.iter().map(|session| session.row(entry)));
    }
    rows
}

impl Measured {
    fn row(&self, entry: &Entry) -> [String; 7] {
        let class = (self.dscp > 0).then(|| format!(" dscp {}", self.dscp));
        let path = self.path.map(|path| format!(" path {path}"));
        let which = [class, path].into_iter().flatten().collect::<String>();
        let delay = |of: fn(&Interval) -> Option<i64>| {
            let ns = self.interval.as_ref().and_then(of);
            ns.map_or_else(|| "-".to_owned(), units::delay)
        };
        [
            format!("{}{which}", entry.name),
            if self.is_silent {
                "no replies".to_owned()
            } else {
                entry.state.clone()
            },
            self.reflector.clone(),
            self.sent.to_string(),
            self.lost.to_string(),
            delay(|interval| interval.round_trip_median_ns),
            delay(|interval| interval.round_trip_p95_ns),
        ]
    }
}
