//! What a Server reports: control connections and agreed sessions beside its Session-Reflector.

use twinpath_runtime::server::{ConnectionCounts, ServerReport};
use twinpath_wire::control::SecurityMode;

use super::family::{Families, Family, Kind, Sample, Value};
use super::reflector::reflector;

/// Of a Server.
pub(crate) fn server(report: &ServerReport) -> Families {
    let counters = &report.counters;
    let mut families = reflector(report, &counters.packets);
    families.extend([
        connections(&counters.connection_counts),
        Family::counter(
            "server_connections_served",
            "control connections that were served",
            counters.connections_served,
        ),
        Family::counters(
            "server_connections_refused",
            "control connections that were refused, by reason",
            "reason",
            [
                ("client_limit", counters.connections_over_client_limit),
                ("full", counters.connections_when_full),
                ("not_allowed", counters.connections_not_allowed),
                ("system", counters.accept_errors),
            ],
        ),
        Family::counter(
            "server_connections_closed_for_room",
            "control connections without sessions that were closed for another client",
            counters.connections_made_room,
        ),
        Family::counter(
            "server_keys_refused",
            "control connections whose client proved no key: unknown Key-ID or wrong passphrase",
            counters.keys_refused,
        ),
        Family::gauge(
            "server_sessions",
            "agreed sessions that are not over now",
            counters.sessions,
        ),
        Family::counter(
            "server_sessions_accepted",
            "sessions that were agreed",
            counters.sessions_made,
        ),
        Family::counter(
            "server_sessions_started",
            "sessions that were started",
            counters.sessions_started,
        ),
        Family::counter(
            "server_sessions_refused",
            "requests for a session that were refused: a limit, no port, or the system",
            counters.sessions_refused,
        ),
        Family::counter(
            "server_sessions_expired",
            "sessions that ended because no packet came for REFWAIT (RFC 5357 section 3.1)",
            counters.sessions_expired,
        ),
        Family::gauge(
            "server_ports",
            "UDP ports of sessions that are open now",
            counters.ports,
        ),
        Family::counter(
            "reflector_replays",
            "test packets of secured sessions that were answered although their number came before",
            counters.packets.replays,
        ),
    ]);
    families
}

/// All of them in each state and mode, so that their number does not depend on clients.
fn connections(counts: &ConnectionCounts) -> Family {
    let samples = counts.iter().map(|(stage, mode, count)| {
        let labels = [
            ("state".into(), stage.name().to_owned()),
            (
                "mode".into(),
                mode.map_or("none", SecurityMode::name).to_owned(),
            ),
        ];
        Sample {
            labels: labels.into(),
            own: None,
            value: Value::Count(count),
        }
    });
    Family::of(
        Kind::Gauge,
        "server_connections",
        "control connections that are open now, by state and security mode; none: not chosen yet",
        samples,
    )
}
