//! The document: of the same snapshot as metrics and the summary at the end. Keys, their order and
//! their values are a contract; additions come last.

use std::process;

use serde::{Serialize, Serializer};
use twinpath_metrics::RungCounts;
use twinpath_proto::reflector::{
    ListedSession, ReflectorCounters, SessionCounters, SessionOrigin, SessionStage,
};
#[cfg(feature = "control")]
use twinpath_runtime::server::{ConnectionCounts, ServerCounters};
use twinpath_runtime::{ReflectorStatus, clock_state, wall};
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Wall, nanoseconds};

use crate::exporter::rungs;
use crate::output::ends::named;
use crate::output::{self, rfc3339};

/// Of a responder called `name`.
pub(crate) fn responder(name: &str, status: &ReflectorStatus<ReflectorCounters>) -> Vec<u8> {
    let report = &status.report;
    let open = Open {
        sessions: report.counters.sessions,
        ports: None,
        connections: None,
    };
    octets(&Document {
        command: "responder",
        ..Document::of(name, status, open, output::responder::document(report))
    })
}

/// Of a server called `name`.
#[cfg(feature = "control")]
pub(crate) fn server(name: &str, status: &ReflectorStatus<ServerCounters>) -> Vec<u8> {
    let report = &status.report;
    let counters = &report.counters;
    let open = Open {
        sessions: counters.sessions,
        ports: Some(counters.ports),
        connections: Some(connections(&counters.connection_counts)),
    };
    octets(&Document {
        command: "server",
        ..Document::of(name, status, open, output::server::document(report))
    })
}

fn octets(document: &impl Serialize) -> Vec<u8> {
    // Memory takes it, and all keys are strings.
    let mut octets = serde_json::to_vec_pretty(document).unwrap_or_default();
    octets.push(b'\n');
    octets
}

#[derive(Serialize)]
struct Document<'a, S> {
    schema: &'static str,
    name: &'a str,
    command: &'static str,
    version: &'static str,
    process: u32,
    started: String,
    uptime_ns: u64,
    clock: Clock,
    receive_timestamps: ByRung<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Connections>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<u64>,
    sessions: Sessions<'a>,
    /// What the program prints at its end with `--json`, so far.
    summary: S,
}

/// What there is now.
struct Open {
    sessions: u64,
    ports: Option<u64>,
    connections: Option<Connections>,
}

impl<'a, S> Document<'a, S> {
    fn of<C>(name: &'a str, status: &'a ReflectorStatus<C>, open: Open, summary: S) -> Self {
        let report = &status.report;
        let (now, uptime_ns) = (wall(), nanoseconds::of(report.duration));
        let clock = clock_state();
        Self {
            schema: "twinpath-status-1",
            name,
            command: "",
            version: env!("CARGO_PKG_VERSION"),
            process: process::id(),
            started: rfc3339(Wall::from_unix_ns(
                now.unix_ns().saturating_sub_unsigned(uptime_ns),
            )),
            uptime_ns,
            clock: Clock {
                synchronized: clock.synchronized,
                error_ns: clock.error_ns,
            },
            receive_timestamps: ByRung(&report.receive_rungs),
            connections: open.connections,
            ports: open.ports,
            sessions: Sessions {
                open: open.sessions,
                left_out: open.sessions.saturating_sub(number(status.sessions.len())),
                listed: Listed(&status.sessions),
            },
            summary,
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
struct Clock {
    synchronized: bool,
    error_ns: Option<u64>,
}

struct ByRung<'a>(&'a RungCounts);

impl Serialize for ByRung<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(rungs(self.0))
    }
}

#[derive(Serialize)]
struct Connections {
    open: u64,
    by_state: Vec<ConnectionsInState>,
}

/// At least one of them.
#[derive(Serialize)]
struct ConnectionsInState {
    state: &'static str,
    mode: Option<&'static str>,
    count: u64,
}

#[cfg(feature = "control")]
fn connections(counts: &ConnectionCounts) -> Connections {
    let some = counts.iter().filter(|(.., count)| *count > 0);
    let by_state = some.map(|(stage, mode, count)| ConnectionsInState {
        state: stage.name(),
        mode: mode.map(SecurityMode::name),
        count,
    });
    Connections {
        open: counts.total(),
        by_state: by_state.collect(),
    }
}

#[derive(Serialize)]
struct Sessions<'a> {
    open: u64,
    left_out: u64,
    listed: Listed<'a>,
}

struct Listed<'a>(&'a [ListedSession]);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Session::of))
    }
}

#[derive(Serialize)]
struct Session {
    sender: String,
    port: u16,
    idle_ns: u64,
    replies: u64,
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Origin {
    Packet {
        ssid: Option<u16>,
        micro_session: Option<u16>,
    },
    Negotiated {
        sid: String,
        state: &'static str,
        mode: Option<&'static str>,
        dscp: u8,
        received: u64,
        not_answered: u64,
    },
}

impl Session {
    fn of(session: &ListedSession) -> Self {
        let (replies, origin) = match &session.origin {
            SessionOrigin::Packet {
                ssid,
                micro_session,
                next,
            } => {
                let some = |id: u16| (id > 0).then_some(id);
                let origin = Origin::Packet {
                    ssid: some(*ssid),
                    micro_session: some(*micro_session),
                };
                (u64::from(*next), origin)
            }
            SessionOrigin::Negotiated {
                sid,
                mode,
                dscp,
                stage,
                counters,
            } => {
                let SessionCounters {
                    received,
                    reflected,
                    ..
                } = *counters;
                let origin = Origin::Negotiated {
                    sid: sid.to_string(),
                    state: SessionStage::name(*stage),
                    mode: mode.map(SecurityMode::name),
                    dscp: dscp.value(),
                    received,
                    not_answered: received.saturating_sub(reflected),
                };
                (reflected, origin)
            }
        };
        Self {
            sender: named(session.sender),
            port: session.port,
            idle_ns: nanoseconds::of(session.idle),
            replies,
            origin,
        }
    }
}
