//! Where nothing came back: what is known, and what to try.

use std::net::SocketAddr;

use twinpath_net::IcmpKind;
use twinpath_proto::sender::Protocol;
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::{OWAMP, OWAMP_PORT, forged, replies, warning};
use crate::words::time;
use crate::{Note, SessionReport};

/// Nothing came back in time: what is known, and what to try.
pub(super) fn silence(report: &SessionReport) -> Note {
    let far = report.reflector;
    let odd = &report.tally.odd;
    if report.tally.late > 0 {
        let (late, timeout) = (report.tally.late, report.timeout);
        return warning(
            "all-replies-late",
            format!(
                "{} came, each after the timeout of {}: raise --timeout",
                replies(late),
                time(timeout)
            ),
        );
    }
    if let Some(elsewhere) = odd.last_elsewhere {
        return warning(
            "answers-from-elsewhere",
            format!(
                "replies come from {elsewhere}, not from {far}: NAT, or a host with several \
                 addresses; measure towards {elsewhere} instead"
            ),
        );
    }
    if odd.looks_like_request > 0 {
        return warning(
            "echo-service",
            format!("{far} sends packets back as they are: an echo service, not a reflector"),
        );
    }
    if let Some(note) = refused(report) {
        return note;
    }
    if odd.other_ssid > 0 {
        let count = odd.other_ssid;
        return warning(
            "another-ssid",
            format!(
                "{far} answers with another SSID ({}): another session's answers",
                replies(count)
            ),
        );
    }
    if odd.forged > 0 {
        return forged(report);
    }
    let strange = odd.not_a_reply + odd.too_short + odd.foreign_t1 + odd.unknown_seq;
    if strange > 0 {
        let (asked, other) = match report.protocol {
            Protocol::Twamp(_) => ("TWAMP", "look what listens there"),
            Protocol::TwampLight => ("TWAMP Light", "try --stamp, or look what listens there"),
            Protocol::Stamp { .. } => ("STAMP", "try without --stamp, or look what listens there"),
        };
        return warning(
            "another-protocol",
            format!("{far} answers, but its answers are not {asked} ({strange}): {other}"),
        );
    }
    if report.refusals.no_departure_seen {
        return warning(
            "nothing-left",
            format!(
                "no packet to {far} left this host: the link is down, or no \
                 neighbour has that address or the gateway's"
            ),
        );
    }
    if let Protocol::Twamp(_) = report.protocol {
        return warning(
            "nothing-came-back",
            format!(
                "no reply and no error from {far}, though the server agreed to reflect there: a \
                 firewall drops packets or replies silently (let UDP port {} pass, or wish for an \
                 open one by --receiver-port), an address is translated on the way (try --nat), or \
                 the reflector needs a moment to begin (try --start-delay 1)",
                far.port()
            ),
        );
    }
    let other_port = match far.port() {
        TWAMP_TEST_PORT => LIGHT_PORT,
        _ => TWAMP_TEST_PORT,
    };
    warning(
        "nothing-came-back",
        format!(
            "no reply and no error from {far}: a firewall drops packets or replies silently, the \
             address is wrong, or no reflector runs there (another usual port is {other_port}){}",
            other_protocol(far)
        ),
    )
}

/// What else may run there, where no reflector answers.
fn other_protocol(far: SocketAddr) -> String {
    let server = "; a TWAMP server reflects only what was agreed on with it: for one, write twinpath \
                  controller in place of sender";
    match far.port() {
        OWAMP_PORT => format!("; {OWAMP}{server}"),
        _ => server.to_owned(),
    }
}

/// An ICMP error says why.
pub(super) fn refused(report: &SessionReport) -> Option<Note> {
    let far = report.reflector;
    let icmp = report.refusals.icmp?;
    let kind = icmp.kind;
    let by = icmp
        .from
        .filter(|from| from.to_canonical() != far.ip().to_canonical())
        .map_or_else(String::new, |from| format!(" (says {from})"));
    let agreed = matches!(report.protocol, Protocol::Twamp(_));
    let (key, line) = match kind {
        IcmpKind::PortUnreachable if agreed => (
            "port-unreachable",
            format!(
                "nothing listens on UDP port {} of {}{by}, though the server agreed to reflect \
                 there: its reflector failed, the server ended the session because nothing came \
                 for its REFWAIT, or the address is another host's (see --nat)",
                far.port(),
                far.ip()
            ),
        ),
        IcmpKind::PortUnreachable => (
            "port-unreachable",
            format!(
                "nothing listens on UDP port {} of {}{by}: start a reflector there, or try {}{}",
                far.port(),
                far.ip(),
                match far.port() {
                    TWAMP_TEST_PORT => format!("the other usual port, {LIGHT_PORT}"),
                    LIGHT_PORT => format!("the other usual port, {TWAMP_TEST_PORT}"),
                    _ => format!("the usual ports {TWAMP_TEST_PORT} and {LIGHT_PORT}"),
                },
                other_protocol(far)
            ),
        ),
        IcmpKind::Prohibited => (
            "prohibited",
            format!(
                "a firewall forbids packets to {far}{by}: let UDP port {} pass",
                far.port()
            ),
        ),
        IcmpKind::HostUnreachable | IcmpKind::NetworkUnreachable => (
            "unreachable",
            format!(
                "{} cannot be reached{by}: the host is down or a route is missing",
                far.ip()
            ),
        ),
        IcmpKind::TtlExceeded => (
            "ttl-exceeded",
            format!("packets die on the way to {far}{by}: raise --ttl, or there is a routing loop"),
        ),
        IcmpKind::TooBig { .. } => (
            "too-big",
            format!("packets are too big for the way to {far}{by}: use a smaller --padding"),
        ),
        IcmpKind::Other { .. } | _ => (
            "icmp-error",
            format!("an ICMP error came back for packets to {far}{by}"),
        ),
    };
    let unproven = if icmp.is_own {
        ""
    } else {
        "; the ICMP error quotes too little of a packet to be sure that it is about one of this run"
    };
    Some(warning(key, format!("{line}{unproven}")))
}

#[cfg(test)]
mod tests;
