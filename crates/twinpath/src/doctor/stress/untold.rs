//! Why a rate is not known.

use crate::doctor::checks::control_server;
use crate::doctor::{Judged, Seen, Untold};

/// Why no rate is tried.
pub(super) fn no_load(seen: &Seen) -> Judged {
    if control_server(seen).is_some() {
        return Judged::unknown("no rate is tried: --stress is for reflectors of TWAMP Light and STAMP, and not for sessions of a server")
            .advise("measure its rate by twinpath controller --interval");
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
