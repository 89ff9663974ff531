//! ICMP errors in place of replies: their meaning, and what to try.

use twinpath_report::finding::{IcmpCause, Others, Unreached};
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::silence::{although_others, other_protocol};
use crate::output::ends::named;
use crate::output::words::no_reply::{NoReply, hint};

pub(super) fn line(finding: &Unreached) -> String {
    match finding {
        Unreached::PortUnreachable(
            cause @ IcmpCause {
                others: Some(others),
                ..
            },
        ) => some("port unreachable", cause, others),
        Unreached::Prohibited(
            cause @ IcmpCause {
                others: Some(others),
                ..
            },
        ) => some("prohibited by a firewall", cause, others),
        Unreached::Unreachable(
            cause @ IcmpCause {
                others: Some(others),
                ..
            },
        ) => some("host or network unreachable", cause, others),
        Unreached::PortUnreachable(cause) => port_unreachable(cause) + unproven(cause),
        Unreached::Prohibited(cause) => {
            let port = cause.far.port();
            let (far, from) = ends(cause);
            let unproven = unproven(cause);
            let hint = hint(NoReply::Prohibited, &format!("{far}{from}"), &[port]);
            hint.line() + unproven
        }
        Unreached::Unreachable(cause) => {
            let hint = hint(NoReply::Unreachable, &cause.far.ip().to_string(), &[]);
            let (fact, from) = (hint.fact, ends(cause).1);
            format!("{fact}{from}: {}{}", hint.remedy, unproven(cause))
        }
        Unreached::TtlExceeded(cause) => {
            let (far, from) = ends(cause);
            let unproven = unproven(cause);
            format!(
                "TTL expired on the path to {far}{from}: raise --ttl, or check for a routing loop{unproven}"
            )
        }
        Unreached::TooBig(cause) => {
            let (far, from) = ends(cause);
            let unproven = unproven(cause);
            format!(
                "packets are too big for the path to {far}{from}: use a smaller --padding{unproven}"
            )
        }
        Unreached::IcmpError(cause) => {
            let (far, from) = ends(cause);
            let unproven = unproven(cause);
            format!("an ICMP error came back for packets to {far}{from}{unproven}")
        }
    }
}

/// An error for some of the sessions to a far end.
fn some(what: &str, cause: &IcmpCause, others: &Others) -> String {
    let (far, from) = ends(cause);
    let (others, unproven) = (although_others(others), unproven(cause));
    format!("ICMP error ({what}) for packets to {far}{from}{others}{unproven}")
}

/// The far end, and who sent the error.
fn ends(cause: &IcmpCause) -> (String, String) {
    let from = cause.from.map(|from| format!(" (says {from})"));
    (named(cause.far), from.unwrap_or_default())
}

fn unproven(cause: &IcmpCause) -> &'static str {
    super::if_so(
        !cause.is_own,
        "; the ICMP error quotes too little to be certain that it concerns this run",
    )
}

fn port_unreachable(cause: &IcmpCause) -> String {
    let (far, port) = (cause.far.ip(), cause.far.port());
    let from = ends(cause).1;
    if cause.is_negotiated {
        return format!(
            "nothing listens on UDP port {port} of {far}{from}, although the server agreed to reflect \
             there: its reflector failed, the server ended the session after its REFWAIT without packets, or the address belongs to another host (see --nat)"
        );
    }
    let usual = match port {
        TWAMP_TEST_PORT => format!("the other usual port, {LIGHT_PORT}"),
        LIGHT_PORT => format!("the other usual port, {TWAMP_TEST_PORT}"),
        _ => format!("the usual ports {TWAMP_TEST_PORT} and {LIGHT_PORT}"),
    };
    let hint = hint(
        NoReply::Closed,
        &format!("UDP port {port} of {far}{from}"),
        &[port],
    );
    format!(
        "{}: {} (try {usual}){}",
        hint.fact,
        hint.remedy,
        other_protocol(cause.far)
    )
}
