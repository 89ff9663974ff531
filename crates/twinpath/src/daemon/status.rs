//! What a daemon tells `twinpath status` and shows on its page: its entries, whether each runs, and what its sessions
//! measure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use twinpath_metrics::{IntervalFigures, SessionState};
use twinpath_report::ClockState;
use twinpath_runtime::clock_state;
use twinpath_runtime::responder::{ResponderReport, ResponderRun};
use twinpath_runtime::server::{ServerCounters, ServerRun};
use twinpath_wire::{Wall, nanoseconds};

use crate::output::ends::named;
use crate::output::units::count;
use crate::output::{self, rfc3339};

use super::alarms::ActiveAlarm;
use super::api::State;
use super::exports::ExportCounters;
use super::part::{Part, Runs};
use super::reflectors::{Responder, Server};
use super::sessions::{MeasuredSession, MeasuredSessions};
use super::{Daemon, Parts, causes};

/// The most sessions that are listed, so that the document stays below a megabyte.
const MOST_LISTED: usize = 1_000;

/// The most alarms that are listed, and rows of each.
const MOST_ALARMS: usize = 100;
const MOST_EVIDENCE: usize = 10;
/// The most alarms of a page and of metrics.
const MOST_SHOWN_ALARMS: usize = 1_000;

/// The document. Keys and their order are a contract; additions come last.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    name: &'a str,
    command: &'static str,
    version: &'static str,
    process: u32,
    started: String,
    uptime_ns: u64,
    clock: Clock,
    entries: Vec<Entry>,
    sessions: Sessions,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Stored>,
    alarms: Vec<ActiveAlarm>,
    /// Alarms that are active and not listed.
    alarms_left_out: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exports: Vec<Exported>,
}

/// What an export has done since it began, and what waits: numbers of rows.
#[derive(Serialize)]
struct Exported {
    name: String,
    kind: &'static str,
    sent: u64,
    waiting: u64,
    waiting_octets: u64,
    dropped: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    last_success: Option<String>,
}

impl Exported {
    fn of(counters: ExportCounters) -> Self {
        Self {
            name: counters.name,
            kind: counters.kind,
            sent: counters.sent,
            waiting: counters.waiting,
            waiting_octets: counters.octets,
            dropped: counters.dropped,
            refused: counters.refused,
            error: counters.error,
            last_error: counters.last_error,
            last_success: counters.last_success.map(rfc3339),
        }
    }
}

/// What its store has done since it was opened, and has.
#[derive(Serialize)]
struct Stored {
    rows: u64,
    dropped: u64,
    octets: u64,
    damaged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Records of raw packets: those in files, and those in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_dropped: Option<u64>,
}

#[derive(Serialize)]
struct Clock {
    synchronized: bool,
    error_ns: Option<u64>,
}

/// An entry of the configuration.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) listening: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replies: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) measures: Vec<Measured>,
    /// What a reflector did, as long as it runs.
    #[serde(skip)]
    pub(crate) counts: Option<Counts>,
}

/// What a reflector did.
#[derive(Clone, Debug)]
pub(crate) enum Counts {
    Responder(Box<ResponderReport>),
    Server(Box<ServerCounters>),
}

/// How many sessions are measured, and how many of them are not listed.
#[derive(Serialize)]
struct Sessions {
    open: u64,
    left_out: u64,
}

/// A session of an entry.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) reflector: String,
    pub(crate) dscp: u8,
    pub(crate) path: Option<u16>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// The last complete interval.
    pub(crate) interval: Option<LastInterval>,
    /// So many packets were lost in a row that it counts as failed.
    pub(crate) is_silent: bool,
    /// What ICMP errors say of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    #[serde(skip)]
    pub(crate) sender: String,
    #[serde(skip)]
    pub(crate) ssid: Option<u16>,
    #[serde(skip)]
    pub(crate) unawaited: u64,
    #[serde(skip)]
    pub(crate) unsent: u64,
    /// T1 of the last packet that was answered.
    #[serde(skip)]
    pub(crate) answered_until: Option<Wall>,
    #[serde(skip)]
    pub(crate) far_clock: Option<ClockState>,
}

/// Some figures of an interval.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LastInterval {
    #[serde(serialize_with = "time")]
    start: Wall,
    #[serde(serialize_with = "time")]
    pub(crate) end: Wall,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) round_trip_median_ns: Option<i64>,
    pub(crate) round_trip_p95_ns: Option<i64>,
    #[serde(skip)]
    figures: Arc<IntervalFigures>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn time<S: Serializer>(at: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

impl LastInterval {
    /// All of them.
    pub(super) fn figures(&self) -> &IntervalFigures {
        &self.figures
    }

    /// How long it was, to the millisecond.
    pub(super) fn length(&self) -> Duration {
        let ms = (self.end - self.start).abs_ns() / 1_000_000;
        Duration::from_millis(ms)
    }

    pub(super) fn of(interval: &Arc<IntervalFigures>) -> Self {
        let figures = &interval.figures;
        let round_trip = figures.round_trip.as_ref();
        Self {
            start: interval.start,
            end: interval.end,
            received: figures.received,
            lost: figures.lost,
            round_trip_median_ns: round_trip.map(|delay| delay.median_ns),
            round_trip_p95_ns: round_trip.map(|delay| delay.p95_ns),
            figures: Arc::clone(interval),
        }
    }
}

impl Daemon {
    /// What a service manager shows of it, in a line.
    pub(crate) fn summary(&self) -> String {
        let waiting = not_running(&self.responders)
            + not_running(&self.servers)
            + not_running(&self.sessions);
        let of = |number: usize, one, many| count(number as u64, one, many);
        let all = [
            of(self.sessions.len(), "session entry", "session entries"),
            of(self.responders.len(), "responder", "responders"),
            of(self.servers.len(), "server", "servers"),
        ];
        let all = all.join(", ");
        if waiting == 0 {
            all
        } else {
            format!("{all}; {waiting} not running")
        }
    }

    /// The document.
    pub(crate) fn document(&self, name: &str) -> Vec<u8> {
        let ClockState {
            synchronized,
            error_ns,
        } = clock_state();
        let mut entries = self.entries();
        let mut left = MOST_LISTED;
        let mut open = 0;
        for entry in &mut entries {
            open += entry.measures.len();
            entry.measures.truncate(left);
            left -= entry.measures.len();
        }
        let (mut alarms, alarms_left_out) = self.alarms.active(MOST_ALARMS);
        for alarm in &mut alarms {
            alarm.evidence.truncate(MOST_EVIDENCE);
        }
        let document = Document {
            schema: "twinpath-status-1",
            name,
            command: "daemon",
            version: env!("CARGO_PKG_VERSION"),
            process: std::process::id(),
            started: rfc3339(self.started),
            uptime_ns: nanoseconds::of(self.began.elapsed()),
            clock: Clock {
                synchronized,
                error_ns,
            },
            entries,
            sessions: Sessions {
                open: open as u64,
                left_out: open.saturating_sub(MOST_LISTED) as u64,
            },
            store: self.store_counters().map(|counters| Stored {
                rows: counters.rows,
                dropped: counters.dropped,
                octets: counters.octets,
                damaged: counters.damaged,
                error: counters.error,
                raw_records: counters.raw.map(|raw| raw.records),
                raw_dropped: counters.raw.map(|raw| raw.dropped),
            }),
            alarms,
            alarms_left_out: alarms_left_out as u64,
            exports: self
                .exports
                .counters()
                .into_iter()
                .map(Exported::of)
                .collect(),
        };
        // Memory takes it, and all keys are strings.
        let mut octets = serde_json::to_vec_pretty(&document).unwrap_or_default();
        octets.push(b'\n');
        octets
    }

    /// What this host is called.
    pub(super) fn host(&self) -> String {
        let name = self.name.clone().or_else(output::host_name);
        name.unwrap_or_else(|| "this host".to_owned())
    }

    /// What it does now.
    pub(super) fn state(&self) -> State {
        State {
            name: self.host(),
            entries: self.entries(),
            alarms: self.shown_alarms(),
            alerts: self.alarms.counts(),
            started: self.started,
            uptime: self.began.elapsed(),
            clock: clock_state(),
            store: self.store_counters(),
            exports: self.exports.counters(),
            mesh: self.mesh.shown(),
            events_dropped: self.events.dropped(),
            needs_restart: self.needs_restart.clone(),
            twamp: self.twamp(),
        }
    }

    /// Alarms that are active, as many as a page and metrics have.
    pub(super) fn shown_alarms(&self) -> Vec<ActiveAlarm> {
        self.alarms.active(MOST_SHOWN_ALARMS).0
    }

    /// All entries: responders, servers, sessions.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let responders = self.responders.values().map(|part| {
            let run = part.running().map(Responder::run);
            let report = run.map(ResponderRun::counted);
            Entry {
                listening: listening(run.map(ResponderRun::listening)),
                replies: report.as_ref().map(|report| report.counters.reflected),
                counts: report.map(|report| Counts::Responder(Box::new(report))),
                ..Entry::of(part)
            }
        });
        let servers = self.servers.values().map(|part| {
            let run = part.running().map(Server::run);
            let counters = run.map(ServerRun::counters);
            Entry {
                listening: listening(run.map(ServerRun::listening)),
                replies: counters.map(|counters| counters.packets.reflected),
                counts: counters.map(|counters| Counts::Server(Box::new(counters))),
                ..Entry::of(part)
            }
        });
        let sessions = self.sessions.values().map(|part| Entry {
            labels: part.spec().labels(),
            measures: self.measures(part.name()),
            ..Entry::of(part)
        });
        responders.chain(servers).chain(sessions).collect()
    }

    fn measures(&self, name: &str) -> Vec<Measured> {
        let Some(part) = self.sessions.get(name) else {
            return Vec::new();
        };
        let running = part.running().map(MeasuredSessions::measured);
        let ended = part.outcome().map(|(_, measured)| measured);
        let last = self.last.get(name);
        let is_negotiated = part.running().is_some_and(MeasuredSessions::is_negotiated);
        let of = |one: &MeasuredSession| Measured {
            reflector: named(one.reflector),
            dscp: one.class.dscp().value(),
            path: one.path,
            sent: one.progress.sent,
            received: one.progress.received,
            lost: one.progress.lost,
            interval: last
                .and_then(|last| last.get(&(one.class, one.path)))
                .map(LastInterval::of),
            is_silent: one.progress.reply_status.state == SessionState::Failed,
            cause: causes::of(&one.progress, one.reflector, is_negotiated),
            sender: named(one.sender),
            ssid: one.wire.format.ssid(),
            unawaited: one.progress.unawaited,
            unsent: one.progress.unsent,
            answered_until: one.progress.reply_status.answered_until,
            far_clock: one.progress.far_clock,
        };
        let measured = running.as_ref().or(ended);
        measured.into_iter().flatten().map(of).collect()
    }
}

impl Entry {
    fn of<R: Runs>(part: &Part<R>) -> Self {
        Self {
            kind: R::KIND,
            name: part.name().to_string(),
            state: part.state(),
            failure: part.failure().map(str::to_owned),
            listening: Vec::new(),
            replies: None,
            labels: BTreeMap::new(),
            measures: Vec::new(),
            counts: None,
        }
    }
}

fn not_running<R: Runs>(parts: &Parts<R>) -> usize {
    let all = parts.values();
    all.filter(|part| part.running().is_none() && !part.is_finished())
        .count()
}

fn listening(addresses: Option<&[std::net::SocketAddr]>) -> Vec<String> {
    addresses
        .into_iter()
        .flatten()
        .copied()
        .map(named)
        .collect()
}
