//! What a daemon tells `twinpath status`: its entries, whether each runs, and what its sessions measure.

use serde::Serialize;
use twinpath_metrics::IntervalFigures;
use twinpath_report::ClockState;
use twinpath_runtime::clock_state;
use twinpath_wire::nanoseconds;

use crate::output::ends::named;
use crate::output::rfc3339;
use crate::output::units::count;

use super::part::{Part, Runs};
use super::sessions::MeasuredSessions;
use super::{Daemon, Parts};

/// The most sessions that are listed, so that the document stays below a megabyte.
const MOST_LISTED: usize = 1_000;

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
    entries: Vec<Entry<'a>>,
    sessions: Sessions,
}

#[derive(Serialize)]
struct Clock {
    synchronized: bool,
    error_ns: Option<u64>,
}

/// An entry of the configuration.
#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    name: &'a str,
    state: &'static str,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listening: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replies: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    measures: Vec<Session>,
}

/// How many sessions are measured, and how many of them are not listed.
#[derive(Serialize)]
struct Sessions {
    open: u64,
    left_out: u64,
}

#[derive(Serialize)]
struct Session {
    reflector: String,
    dscp: u8,
    path: Option<u16>,
    sent: u64,
    received: u64,
    lost: u64,
    /// The last complete interval.
    interval: Option<LastInterval>,
}

#[derive(Serialize)]
struct LastInterval {
    start: String,
    end: String,
    received: u64,
    lost: u64,
    round_trip_median_ns: Option<i64>,
    round_trip_p95_ns: Option<i64>,
}

impl LastInterval {
    fn of(interval: &IntervalFigures) -> Self {
        let figures = &interval.figures;
        let round_trip = figures.round_trip.as_ref();
        Self {
            start: rfc3339(interval.start),
            end: rfc3339(interval.end),
            received: figures.received,
            lost: figures.lost,
            round_trip_median_ns: round_trip.map(|delay| delay.median_ns),
            round_trip_p95_ns: round_trip.map(|delay| delay.p95_ns),
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
        let mut entries = Vec::new();
        entries.extend(self.responders.values().map(|part| {
            Entry {
                listening: listening(part.running().map(|responder| responder.run().listening())),
                replies: part
                    .running()
                    .map(|responder| responder.run().counted().counters.reflected),
                ..Entry::of(part)
            }
        }));
        entries.extend(self.servers.values().map(|part| {
            Entry {
                listening: listening(part.running().map(|server| server.run().listening())),
                replies: part
                    .running()
                    .map(|server| server.run().counters().packets.reflected),
                ..Entry::of(part)
            }
        }));
        let mut left = MOST_LISTED;
        let mut open = 0;
        for part in self.sessions.values() {
            let measures = self.measures(part.name());
            open += measures.len();
            let shown: Vec<Session> = measures.into_iter().take(left).collect();
            left -= shown.len();
            entries.push(Entry {
                measures: shown,
                ..Entry::of(part)
            });
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
        };
        // Memory takes it, and all keys are strings.
        let mut octets = serde_json::to_vec_pretty(&document).unwrap_or_default();
        octets.push(b'\n');
        octets
    }

    fn measures(&self, name: &str) -> Vec<Session> {
        let run = self.sessions.get(name).and_then(Part::running);
        let sessions = run.into_iter().flat_map(MeasuredSessions::sessions);
        let measures = sessions.map(|(planned, handle)| {
            let progress = handle.progress();
            let agreed = handle.agreed().map(|agreed| agreed.far);
            let last = self.last.get(name);
            let last = last.and_then(|last| last.get(&(planned.class, planned.path)));
            Session {
                reflector: named(agreed.unwrap_or(planned.target.address)),
                dscp: planned.class.dscp().value(),
                path: planned.path,
                sent: progress.sent,
                received: progress.received,
                lost: progress.lost,
                interval: last.map(LastInterval::of),
            }
        });
        measures.collect()
    }
}

impl<'a> Entry<'a> {
    fn of<R: Runs>(part: &'a Part<R>) -> Self {
        Self {
            kind: R::KIND,
            name: part.name(),
            state: part.state(),
            failure: part.failure(),
            listening: Vec::new(),
            replies: None,
            measures: Vec::new(),
        }
    }
}

fn not_running<R: Runs>(parts: &Parts<R>) -> usize {
    let running = parts.values().filter(|part| part.running().is_some());
    parts.len() - running.count()
}

fn listening(addresses: Option<&[std::net::SocketAddr]>) -> Vec<String> {
    addresses
        .into_iter()
        .flatten()
        .copied()
        .map(named)
        .collect()
}
