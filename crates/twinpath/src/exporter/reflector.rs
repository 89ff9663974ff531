//! What a Session-Reflector reports, that of a responder and that of a server.

use twinpath_proto::reflector::{ControlCounters, ReflectorCounters};
use twinpath_runtime::ReflectorReport;
use twinpath_runtime::responder::ResponderReport;

use super::family::{Families, Family, rungs, seconds};

/// Of a responder.
pub(crate) fn responder(report: &ResponderReport) -> Families {
    let counters = &report.counters;
    let mut families = reflector(report, counters);
    families.extend(sessions(counters));
    families.extend(control(&counters.control));
    families
}

/// Of any reflector.
pub(super) fn reflector<C>(report: &ReflectorReport<C>, packets: &ReflectorCounters) -> Families {
    vec![
        Family::counter(
            "reflector_replies",
            "test packets that were answered",
            packets.reflected,
        ),
        Family::counters(
            "reflector_unanswered_packets",
            "test packets without a reply, by reason",
            "reason",
            packets.ignored_by_kind(),
        ),
        Family::counter(
            "reflector_send_errors",
            "replies that the system refused to send",
            report.send_errors,
        ),
        Family::counter(
            "reflector_receive_drops",
            "test packets that the system dropped because they came faster than they were read",
            report.receive_drops,
        ),
        Family::counter(
            "reflector_zero_error_multipliers",
            "test packets answered although their Error Estimate Multiplier is 0 (RFC 4656 section 4.1.2)",
            packets.error_multiplier_zero,
        ),
        Family::counter(
            "reflector_interface_rebinds",
            "sockets that were bound again to an interface that was deleted and made again",
            report.rebinds,
        ),
        Family::counters(
            "reflector_received_packets",
            "datagrams that came, by the source of their receive timestamp (T2 of those answered)",
            "rung",
            rungs(&report.receive_rungs),
        ),
        Family::seconds(
            "reflector_t3_advance",
            "by how much T3 was advanced last, the measured transmit latency; without a sample if it was not",
            report.t3_advance_ns.map(seconds),
        ),
    ]
}

/// Sessions of senders that agreed on nothing.
fn sessions(counters: &ReflectorCounters) -> Families {
    vec![
        Family::gauge(
            "reflector_sessions",
            "sessions that are remembered now",
            counters.sessions,
        ),
        Family::counter(
            "reflector_sessions_created",
            "sessions that were made, those made again after they were forgotten among them",
            counters.sessions_made,
        ),
        Family::counters(
            "reflector_sessions_forgotten",
            "sessions that were forgotten: idle for the configured time, or for a new one",
            "reason",
            [
                ("idle", counters.sessions_expired),
                ("evicted", counters.sessions_evicted),
            ],
        ),
        Family::counter(
            "reflector_sessions_restarted",
            "sessions whose sender began again at number 0",
            counters.sessions_restarted,
        ),
        Family::counter(
            "reflector_stateless_replies",
            "replies made without state because all sessions were in use",
            counters.answered_stateless,
        ),
        Family::counter(
            "reflector_ordinary_ways",
            "replies that took the ordinary way because the system refused the one asked for (RFC 9503)",
            counters.ways_refused,
        ),
    ]
}

/// What Reflected Test Packet Control came to.
fn control(counters: &ControlCounters) -> Families {
    vec![
        Family::counters(
            "reflector_control_requests",
            "requests for several replies by what came of them (RFC 10052); all but granted ones have one reply",
            "answer",
            [
                ("granted", counters.granted),
                ("not_allowed", counters.not_allowed),
                ("contradictory", counters.contradictory),
                ("repeated", counters.repeated),
                ("table_full", counters.table_full),
                ("over_limit", counters.over_limit),
                ("over_mtu", counters.over_mtu),
            ],
        ),
        Family::counter(
            "reflector_further_replies",
            "replies that left after the first one to a request",
            counters.copies,
        ),
        Family::counter(
            "reflector_further_replies_late",
            "those that were late by their interval or more",
            counters.copies_late,
        ),
        Family::counter(
            "reflector_further_replies_unsent",
            "those that were granted and not sent",
            counters.copies_not_sent,
        ),
        Family::seconds(
            "reflector_further_replies_latest",
            "the longest time that one was late",
            [seconds(counters.latest_copy_ns)],
        ),
    ]
}
