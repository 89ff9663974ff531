//! Why a rate is not known.

use super::Step;
use crate::doctor::checks::control_server;
use crate::doctor::{Judged, Seen, Untold};
use crate::output::units;

/// Why no rate is tried.
pub(super) fn no_load(seen: &Seen) -> Judged {
    if control_server(seen).is_some() {
        return Judged::unknown(
            "no rate is tried: no session of the server is reflected, and nothing else reflects test packets",
        );
    }
    Judged::unknown("no rate is tried: nothing reflects test packets")
}

/// Steps are left: something failed, or the examination ended.
pub(super) fn unfinished(error: Option<String>, so_far: &str) -> Judged {
    error.map_or_else(
        || {
            Judged::unknown(format!(
                "the load of --stress was stopped before it was over{so_far}"
            ))
            .because(Untold::Cut)
        },
        |error| Judged::unknown(format!("the load of --stress ended early: {error}{so_far}")),
    )
}

/// What this host did in place of what was asked.
pub(super) fn own_limit(step: &Step) -> String {
    let seen = &step.seen;
    if seen.dropped_here > 0 {
        format!("dropped {} replies", seen.dropped_here)
    } else {
        let sent = seen.achieved_pps.map_or_else(String::new, units::rate);
        format!("sent {sent}/s")
    }
}
