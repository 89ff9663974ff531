//! What programs that run say of themselves (`twinpath status`).

mod alarms;
mod entries;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use twinpath_report::ClockState;
use twinpath_report::words::is_plain;

use super::table::{clock, fact};
use super::units;

/// The schema of a program's document.
const SCHEMA: &str = "twinpath-status-1";
/// Sessions of a text: a document has more.
const SHOWN: usize = 20;

/// A program's document as far as people are shown it. One of another version may lack some of it or have more.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Program {
    schema: String,
    pub(crate) name: String,
    version: String,
    process: u32,
    uptime_ns: u64,
    clock: Clock,
    receive_timestamps: BTreeMap<String, u64>,
    connections: Option<Connections>,
    ports: Option<u64>,
    sessions: Sessions,
    summary: Map<String, Value>,
    /// Of a daemon.
    command: String,
    entries: Vec<entries::Entry>,
    store: Option<entries::Stored>,
    alarms: Vec<alarms::Alarm>,
    alarms_left_out: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Clock {
    synchronized: bool,
    error_ns: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Connections {
    open: u64,
    by_state: Vec<ConnectionsInState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ConnectionsInState {
    state: String,
    mode: Option<String>,
    count: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Sessions {
    open: u64,
    listed: Vec<Session>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Session {
    sender: String,
    port: u16,
    idle_ns: u64,
    replies: u64,
    ssid: Option<u16>,
    #[serde(rename = "micro_session")]
    micro: Option<u16>,
    state: Option<String>,
    mode: Option<String>,
}

impl Program {
    /// `None`: the text is not such a document, or not one that a terminal may be given.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let may_be_shown = text.chars().all(|c| is_plain(c) || c == '\n');
        let program: Self = serde_json::from_str(text).ok().filter(|_| may_be_shown)?;
        // What a string quotes may be anything all the same.
        let is_ours = program.schema == SCHEMA && program.strings().all(is_line);
        is_ours.then_some(program)
    }

    /// All that is shown of it as it came.
    fn strings(&self) -> impl Iterator<Item = &str> {
        let connections = self.connections.iter().flat_map(|it| &it.by_state);
        let connections = connections.flat_map(|it| [Some(&it.state), it.mode.as_ref()]);
        let sessions = self.sessions.listed.iter();
        let sessions =
            sessions.flat_map(|it| [Some(&it.sender), it.state.as_ref(), it.mode.as_ref()]);
        let own = [Some(&self.name), Some(&self.version)];
        let all = own.into_iter().chain(connections).chain(sessions);
        let names = self.receive_timestamps.keys();
        let entries = self.entries.iter().flat_map(entries::Entry::strings);
        let entries = entries.chain(self.store.iter().flat_map(entries::Stored::strings));
        let alarms = self.alarms.iter().flat_map(alarms::Alarm::strings);
        all.flatten()
            .chain(names)
            .chain(entries)
            .chain(alarms)
            .map(String::as_str)
    }

    /// Replies so far.
    fn answered(&self) -> u64 {
        let entries = self.entries.iter().map(entries::Entry::replies);
        self.count("reflected") + entries.sum::<u64>()
    }

    /// Packets without a reply so far.
    fn not_answered(&self) -> u64 {
        let counts = self.summary.get("ignored").and_then(Value::as_object);
        let counts = counts.into_iter().flat_map(Map::values);
        counts.filter_map(Value::as_u64).sum()
    }

    fn count(&self, key: &str) -> u64 {
        self.summary.get(key).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Counts in an object of the summary that are not 0, by their names.
    fn counts(&self, key: &str) -> Vec<String> {
        let counts = self.summary.get(key).and_then(Value::as_object);
        let counts = counts.into_iter().flatten();
        let counts = counts.filter(|(name, _)| is_line(name) && !name.ends_with("_ns"));
        let some = counts.filter_map(|(name, count)| Some((name, count.as_u64()?)));
        some.filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
            .collect()
    }

    fn listening(&self) -> String {
        let all = self.summary.get("listening").and_then(Value::as_array);
        let all = all.into_iter().flatten().filter_map(Value::as_str);
        let entries = self.entries.iter().flat_map(entries::Entry::listening);
        let all = all.chain(entries.map(String::as_str));
        let all: Vec<&str> = all.filter(|at| is_line(at)).collect();
        all.join(", ")
    }

    fn clock(&self) -> String {
        clock(ClockState {
            synchronized: self.clock.synchronized,
            error_ns: self.clock.error_ns,
        })
    }

    /// Replies per second since it was asked `before`; `None`: it is another process, or no time passed.
    fn rate(&self, before: Option<&Self>) -> Option<f64> {
        let before = before.filter(|before| before.process == self.process)?;
        let ns = self.uptime_ns.checked_sub(before.uptime_ns)?;
        let replies = self.answered().checked_sub(before.answered())?;
        (ns > 0).then(|| per_second(replies, ns))
    }
}

/// May be part of a line.
fn is_line(text: &str) -> bool {
    text.chars().all(is_plain)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate over seconds is shown with few digits"
)]
fn per_second(count: u64, ns: u64) -> f64 {
    count as f64 / (ns as f64 / 1e9)
}

/// All of one program. `before`: what it said the last time.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(
    program: &Program,
    before: Option<&Program>,
    out: &mut impl Write,
) -> io::Result<()> {
    let about = format!(
        "{}: twinpath {}, process {}, up {}",
        program.name,
        program.version,
        program.process,
        lasting(program.uptime_ns)
    );
    fact(out, "Program", &about)?;
    if program.command == "daemon" {
        fact(out, "Clock", &program.clock())?;
        if let Some(store) = &program.store {
            fact(out, "Store", &store.line())?;
        }
        alarms::text(&program.alarms, program.alarms_left_out, out)?;
        entries::text(&program.entries, out)?;
        return out.flush();
    }
    fact(out, "Listening", &program.listening())?;
    fact(out, "Clock", &program.clock())?;
    let rate = program.rate(before);
    let rate = rate.map_or_else(String::new, |pps| {
        format!(", {} now", units::rate(pps) + "/s")
    });
    let answered = units::count(program.answered(), "packet", "packets");
    fact(out, "Answered", &format!("{answered}{rate}"))?;
    for (name, key) in [
        ("Not answered", "ignored"),
        ("Several replies", "reflected_control"),
    ] {
        some(out, name, &program.counts(key))?;
    }
    for (key, what) in [
        ("send_errors", "replies refused by the host's network"),
        (
            "receive_drops",
            "packets dropped: they came faster than they were read",
        ),
        (
            "interface_rebinds",
            "sockets bound again: their interface was recreated",
        ),
        (
            "answered_stateless",
            "replies without state: all sessions were in use",
        ),
        (
            "ways_refused",
            "replies by the ordinary way: the one asked for was refused",
        ),
        (
            "error_multiplier_zero",
            "requests with Error Estimate Multiplier 0",
        ),
        ("replays", "packets replayed, answered nevertheless"),
    ] {
        let count = program.count(key);
        if count > 0 {
            fact(out, "", &format!("{count} {what}"))?;
        }
    }
    timestamps(program, out)?;
    connections(program, out)?;
    let mut told = vec![format!("{} open", program.sessions.open)];
    told.extend(
        program
            .counts("sessions")
            .into_iter()
            .filter(|it| !it.ends_with(" live")),
    );
    fact(out, "Sessions", &told.join(", "))?;
    sessions(&program.sessions, out)?;
    out.flush()
}

fn some(out: &mut impl Write, name: &str, parts: &[String]) -> io::Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    fact(out, name, &parts.join(", "))
}

fn timestamps(program: &Program, out: &mut impl Write) -> io::Result<()> {
    let by_rung = program
        .receive_timestamps
        .iter()
        .filter(|(_, count)| **count > 0);
    let by_rung: Vec<String> = by_rung
        .map(|(rung, count)| format!("{count} {rung}"))
        .collect();
    if by_rung.is_empty() {
        return Ok(());
    }
    let stamps = program.summary.get("timestamps");
    let advance_ns = stamps.and_then(|it| it["t3_advance_ns"].as_u64());
    let t3 = match advance_ns {
        None => "as read".to_owned(),
        Some(ns) => format!("advanced by {}", units::span(ns)),
    };
    fact(
        out,
        "Timestamps",
        &format!("T2 {}; T3 {t3}", by_rung.join(", ")),
    )
}

fn connections(program: &Program, out: &mut impl Write) -> io::Result<()> {
    let Some(connections) = &program.connections else {
        return Ok(());
    };
    let mut told = vec![format!("{} open", connections.open)];
    told.extend(program.counts("connections"));
    fact(out, "Connections", &told.join(", "))?;
    for one in &connections.by_state {
        let mode = one
            .mode
            .as_ref()
            .map_or_else(String::new, |mode| format!(", {mode}"));
        fact(
            out,
            "",
            &format!("{} {}{mode}", one.count, one.state.replace('_', " ")),
        )?;
    }
    if let Some(ports) = program.ports {
        fact(out, "Ports", &format!("{ports} open"))?;
    }
    Ok(())
}

/// A line each.
fn sessions(sessions: &Sessions, out: &mut impl Write) -> io::Result<()> {
    let shown = sessions.listed.iter().take(SHOWN);
    let mut rows = vec![["Sender", "Port", "Kind", "Replies", "Last packet"].map(str::to_owned)];
    rows.extend(shown.map(|session| {
        [
            session.sender.clone(),
            session.port.to_string(),
            kind(session),
            session.replies.to_string(),
            format!("{} ago", lasting(session.idle_ns)),
        ]
    }));
    if rows.len() > 1 {
        table(&rows, [false, true, false, true, true], out)?;
    }
    let shown = u64::try_from(rows.len() - 1).unwrap_or(u64::MAX);
    let more = sessions.open.saturating_sub(shown);
    if more > 0 {
        writeln!(out, "  and {more} more")?;
    }
    Ok(())
}

fn kind(session: &Session) -> String {
    let id = |name: &str, id: Option<u16>| id.map(|id| format!("{name} {id}"));
    let parts = [
        session.state.clone(),
        session.mode.clone(),
        id("SSID", session.ssid),
        id("micro-session", session.micro),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Columns as wide as what is in them. `right`: those of numbers.
fn table<const N: usize>(
    rows: &[[String; N]],
    right: [bool; N],
    out: &mut impl Write,
) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(widths).zip(right) {
            let cell = if right {
                format!("  {cell:>width$}")
            } else {
                format!("  {cell:<width$}")
            };
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Several programs, a line each.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn list(programs: &[&Program], out: &mut impl Write) -> io::Result<()> {
    let heading = [
        "Name",
        "Listening",
        "Up",
        "Answered",
        "Not answered",
        "Sessions",
    ];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(programs.iter().map(|program| {
        [
            program.name.clone(),
            program.listening(),
            lasting(program.uptime_ns),
            program.answered().to_string(),
            program.not_answered().to_string(),
            program.sessions.open.to_string(),
        ]
    }));
    table(&rows, [false, false, true, true, true, true], out)?;
    out.flush()
}

/// One program in a line, for files and pipes. `at`: the time.
pub(crate) fn line(program: &Program, before: Option<&Program>, at: &str) -> String {
    let rate = program.rate(before);
    let rate = rate.map_or_else(|| "-".to_owned(), units::rate);
    let connections = program.connections.as_ref();
    let connections =
        connections.map_or_else(String::new, |it| format!(" connections {}", it.open));
    format!(
        "{at} {} answered {} rate {rate} not-answered {} sessions {}{connections}",
        program.name,
        program.answered(),
        program.not_answered(),
        program.sessions.open
    )
}

/// The documents of several programs in one. `failed`: sockets that gave none, and why.
pub(crate) fn json(documents: &[&str], failed: &[(String, String)]) -> String {
    let programs: Vec<String> = documents
        .iter()
        .map(|document| document.trim_end().replace('\n', "\n    "))
        .collect();
    let programs = if programs.is_empty() {
        "[]".to_owned()
    } else {
        format!("[\n    {}\n  ]", programs.join(",\n    "))
    };
    let failed: Vec<Value> = failed
        .iter()
        .map(|(socket, reason)| serde_json::json!({ "socket": socket, "reason": reason }))
        .collect();
    let failed = Value::from(failed);
    format!(
        "{{\n  \"schema\": \"twinpath-status-list-1\",\n  \"programs\": {programs},\n  \"failed\": {failed}\n}}\n"
    )
}

/// A document in one line: its strings have no line breaks.
pub(crate) fn in_one_line(document: &str) -> String {
    document.lines().map(str::trim_start).collect()
}

/// A time to two units, as in `3 d 4 h`; below a minute to the tenth of a second.
fn lasting(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    for (unit, name, next, next_name) in [
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ] {
        if seconds >= unit {
            return format!(
                "{} {name} {} {next_name}",
                seconds / unit,
                seconds % unit / next
            );
        }
    }
    units::took(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests;
