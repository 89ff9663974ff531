//! Everything that any command reports.

use std::time::Duration;

use twinpath_metrics::{RungCounts, SessionMetrics};
use twinpath_proto::reflector::ReflectorCounters;
use twinpath_report::ClockState;
use twinpath_runtime::measure::Progress;
#[cfg(feature = "control")]
use twinpath_runtime::server::ServerCounters;
use twinpath_runtime::{OneWayReport, ReflectorReport};
use twinpath_wire::{Fate, Rung, Sample, Stamp, Wall};

use super::family::Families;
#[cfg(feature = "daemon")]
use super::family::{Sample as FamilySample, Value};
use super::host;
use super::session::{Counted, SessionNow};
use crate::output::fixtures::quiet_path;
use crate::output::prometheus::session_labels;

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

/// Of packets that were under way for so long.
pub(super) fn delays(round_trips_ns: [i64; 5]) -> SessionMetrics {
    let mut metrics = SessionMetrics::new();
    for (seq, round_trip_ns) in (0..).zip(round_trips_ns) {
        metrics.record(&answered(seq, round_trip_ns));
    }
    metrics
}

/// The reflector answers at once.
pub(super) fn answered(seq: u32, round_trip_ns: i64) -> Sample {
    let at = |ns: i64| Stamp {
        at: Wall::from_unix_ns(1_700_000_000_000_000_000 + ns),
        rung: Rung::Kernel,
    };
    let sent = i64::from(seq) * 20_000_000_000;
    let reflected = Some(at(sent + round_trip_ns / 2).at);
    Sample {
        fate: Fate::Received,
        t2: reflected,
        t3: reflected,
        t4: Some(at(sent + round_trip_ns)),
        reflector_seq: Some(seq),
        ..Sample::lost(seq.into(), at(sent))
    }
}

/// One of which all is known.
pub(super) fn session() -> SessionNow {
    let clock = ClockState {
        synchronized: true,
        error_ns: Some(1_000),
    };
    SessionNow {
        labels: session_labels(&quiet_path().identity, &[], false).into(),
        progress: Progress {
            far_clock: Some(clock),
            ..Progress::default()
        },
        counted: Some(Counted::of(
            &delays([1_000, 2_000, 3_000, 4_000, 5_000]),
            None,
        )),
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
    all.extend(super::sessions(&[session()], 1, clock));
    #[cfg(feature = "daemon")]
    all.extend(of_daemon());
    let mut names = std::collections::BTreeSet::new();
    all.retain(|family| names.insert(family.name));
    all
}

/// What a daemon has beside all that.
#[cfg(feature = "daemon")]
fn of_daemon() -> Families {
    let alarm = FamilySample {
        labels: [("alert".into(), "slow".to_owned())].into(),
        own: None,
        value: Value::Count(1),
    };
    let mut families = super::alarms([alarm]);
    families.extend(super::store(&crate::store::StoreCounters::default()));
    families.extend(super::exports(&crate::daemon::ExportCounters {
        last_success: Some(Wall::from_unix_ns(1)),
        ..crate::daemon::ExportCounters::default()
    }));
    families
}
