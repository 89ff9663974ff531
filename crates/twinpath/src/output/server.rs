//! The final summary of a server.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_runtime::server::ServerReport;
use twinpath_wire::nanoseconds;

use super::ends::named;
use super::responder::{IgnoredByKind, TimeStamps, ignored, packets, sockets};
use super::table::fact;
use super::units;

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(report: &ServerReport, out: &mut impl Write) -> io::Result<()> {
    let counters = &report.counters;
    let took = units::took(report.duration);
    let answered = packets(counters.packets.reflected);
    fact(out, "Answered", &format!("{answered} in {took}"))?;
    let mut connections = vec![format!("{} served", counters.connections_served)];
    let mut sessions = vec![
        format!("{} made", counters.sessions_made),
        format!("{} started", counters.sessions_started),
    ];
    some(
        &mut connections,
        [
            (counters.accept_errors, "failed"),
            (
                counters.keys_refused,
                "with unknown Key-ID or wrong passphrase",
            ),
        ],
    );
    some(
        &mut sessions,
        [
            (counters.sessions_refused, "refused"),
            (counters.sessions_expired, "ended by REFWAIT"),
        ],
    );
    let mut refused = Vec::new();
    some(
        &mut refused,
        [
            (counters.connections_when_full, "when the server was full"),
            (
                counters.connections_over_client_limit,
                "over a client's limit",
            ),
            (counters.connections_not_allowed, "not allowed"),
        ],
    );
    fact(out, "Connections", &connections.join(", "))?;
    if !refused.is_empty() {
        fact(out, "Refused", &refused.join(", "))?;
    }
    if counters.connections_made_room > 0 {
        let idle = units::count(
            counters.connections_made_room,
            "idle connection",
            "idle connections",
        );
        let closed = format!("{idle} closed for others: the server was full");
        fact(out, "Made room", &closed)?;
    }
    fact(out, "Sessions", &sessions.join(", "))?;
    if counters.packets.replays > 0 {
        let replays = packets(counters.packets.replays);
        fact(
            out,
            "Replayed",
            &format!("{replays}, answered nevertheless"),
        )?;
    }
    ignored(&counters.packets, out)?;
    sockets(report, out)
}

fn some<const N: usize>(list: &mut Vec<String>, counts: [(u64, &str); N]) {
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    list.extend(counts.map(|(count, what)| format!("{count} {what}")));
}

/// For machines.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn json(report: &ServerReport, out: &mut impl Write) -> io::Result<()> {
    super::json::write(&document(report), out)
}

/// The document for machines.
pub(crate) fn document(report: &ServerReport) -> impl Serialize + '_ {
    let counters = &report.counters;
    Document {
        schema: "twinpath-server-1",
        version: env!("CARGO_PKG_VERSION"),
        host: super::host_name(),
        listening: report.listening.iter().copied().map(named).collect(),
        duration_ns: nanoseconds::of(report.duration),
        connections: Connections {
            served: counters.connections_served,
            refused: counters.connections_refused(),
            refused_full: counters.connections_when_full,
            refused_client_limit: counters.connections_over_client_limit,
            made_room: counters.connections_made_room,
            not_allowed: counters.connections_not_allowed,
            failed: counters.accept_errors,
            keys_refused: counters.keys_refused,
        },
        sessions: Sessions {
            made: counters.sessions_made,
            started: counters.sessions_started,
            refused: counters.sessions_refused,
            expired: counters.sessions_expired,
        },
        reflected: counters.packets.reflected,
        send_errors: report.send_errors,
        receive_drops: report.receive_drops,
        interface_rebinds: report.rebinds,
        error_multiplier_zero: counters.packets.error_multiplier_zero,
        ignored: IgnoredByKind(&counters.packets),
        timestamps: TimeStamps::of(report),
        replays: counters.packets.replays,
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    host: Option<String>,
    listening: Vec<String>,
    duration_ns: u64,
    connections: Connections,
    sessions: Sessions,
    reflected: u64,
    send_errors: u64,
    receive_drops: u64,
    interface_rebinds: u64,
    error_multiplier_zero: u64,
    ignored: IgnoredByKind<'a>,
    timestamps: TimeStamps,
    replays: u64,
}

#[derive(Serialize)]
struct Connections {
    served: u64,
    refused: u64,
    refused_full: u64,
    refused_client_limit: u64,
    made_room: u64,
    not_allowed: u64,
    failed: u64,
    keys_refused: u64,
}

#[derive(Serialize)]
struct Sessions {
    made: u64,
    started: u64,
    refused: u64,
    expired: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_metrics::RungCounts;
    use twinpath_runtime::OneWayReport;
    use twinpath_runtime::server::ServerCounters;

    use super::*;

    #[test]
    fn the_summary_has_what_was_served() {
        let mut counters = ServerCounters {
            connections_served: 3,
            connections_when_full: 1,
            connections_over_client_limit: 4,
            connections_made_room: 6,
            sessions_made: 5,
            sessions_started: 4,
            sessions_expired: 2,
            ..ServerCounters::default()
        };
        counters.packets.reflected = 1_000;
        counters.packets.replays = 3;
        counters.keys_refused = 7;
        let report = ServerReport {
            listening: vec!["127.0.0.1:862".parse().unwrap()],
            duration: Duration::from_millis(61_250),
            counters,
            send_errors: 1,
            receive_drops: 0,
            rebinds: 0,
            receive_rungs: RungCounts {
                kernel: 1_000,
                ..RungCounts::default()
            },
            t3_advance_ns: Some(4_200),
            one_way: OneWayReport::default(),
        };
        let mut out = Vec::new();
        text(&report, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
