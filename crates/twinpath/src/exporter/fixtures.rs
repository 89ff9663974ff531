//! Everything that any command reports.

use std::time::Duration;

use twinpath_metrics::RungCounts;
use twinpath_proto::reflector::ReflectorCounters;
use twinpath_report::ClockState;
#[cfg(feature = "control")]
use twinpath_runtime::server::ServerCounters;
use twinpath_runtime::{OneWayReport, ReflectorReport};
use twinpath_wire::Wall;

use super::family::Families;
use super::host;

fn report<C>(counters: C) -> ReflectorReport<C> {
    ReflectorReport {
        listening: Vec::new(),
        duration: Duration::from_secs(1),
        counters,
        send_errors: 0,
        receive_drops: 0,
        rebinds: 0,
        receive_rungs: RungCounts::default(),
        t3_advance_ns: Some(1_000),
        one_way: OneWayReport::default(),
    }
}

/// Each family once, with samples.
pub(super) fn all() -> Families {
    let clock = ClockState {
        synchronized: true,
        error_ns: Some(1_000),
    };
    let mut all = host::families(Wall::from_unix_ns(1), clock);
    all.extend(super::responder(&report(ReflectorCounters::default())));
    #[cfg(feature = "control")]
    all.extend(super::server(&report(ServerCounters::default())));
    let mut names = std::collections::BTreeSet::new();
    all.retain(|family| names.insert(family.name));
    all
}
