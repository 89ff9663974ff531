//! What all entries share, and how sessions are measured beside each other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use twinpath_metrics::FigureMemory;
use twinpath_runtime::measure::Engine;
use twinpath_runtime::wall;
use twinpath_wire::{Wall, nanoseconds};

use crate::args::ResultOptions;
use crate::plan::PlannedSession;

use super::Interval;
use super::mesh::Derived;
use super::pool::Pool;
use super::raw::RawPackets;

/// What all entries share.
#[derive(Clone)]
pub(super) struct Resources {
    pub(super) engine: Arc<Engine>,
    pub(super) pool: Pool,
    pub(super) intervals: Sender<Interval>,
    /// What saves raw packets, with a store.
    pub(super) raw: Option<Arc<RawPackets>>,
    /// Sessions that have begun, for the phases of those that follow.
    pub(super) begun: Arc<AtomicU32>,
    /// Phases of entries of a mesh.
    pub(super) phases: Arc<RwLock<Arc<Derived>>>,
    /// The daemon ends: connections are not waited for.
    pub(super) is_ending: Arc<AtomicBool>,
}

impl Resources {
    /// Whether the daemon ends.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Has these sessions of an entry measured beside others, with a row for each interval, and a record of each
    /// packet if these are saved.
    pub(super) fn prepare(
        &self,
        name: &str,
        sessions: &mut [PlannedSession],
        results: &ResultOptions,
        is_raw: bool,
    ) {
        let derived = self.phases.read().map(|phases| Arc::clone(&phases));
        let of_mesh = derived.ok().and_then(|it| it.phases.get(name).copied());
        let all = sessions.len();
        for (place, session) in sessions.iter_mut().enumerate() {
            name.clone_into(&mut session.target.name);
            session.target.labels.clone_from(&results.labels);
            session.target.is_listed = true;
            let plan = &mut session.plan;
            plan.exact = false;
            plan.records = is_raw && self.raw.is_some();
            plan.columns = None;
            // Rows have their own; metrics have far wider buckets.
            plan.figures.memory = FigureMemory::small(plan.most_in_flight());
            plan.rows = results.report_interval.map(|interval| interval.0);
            plan.start_delay = Duration::ZERO;
            let interval = plan.schedule.mean_interval();
            plan.phase = Some(match of_mesh {
                Some(phase) => aligned_phase(phase, [place, all], interval, wall()),
                None => phase(self.begun.fetch_add(1, Ordering::Relaxed), interval),
            });
        }
    }
}

/// The phase of a session: multiples of the golden ratio are spread evenly over an interval, however many there are.
fn phase(number: u32, interval: Duration) -> Duration {
    /// 2^32 divided by the golden ratio.
    const STEP: u32 = 0x9e37_79b9;
    let part = f64::from(number.wrapping_mul(STEP)) / (f64::from(u32::MAX) + 1.0);
    interval.mul_f64(part)
}

/// How long after now the first packet of a session of a mesh leaves, so that all leave at the same part of an interval
/// by the time of day. `phase`: that part in multiples of 2^-32; `place`: which of how many sessions of the entry.
fn aligned_phase(phase: u32, [place, all]: [usize; 2], interval: Duration, now: Wall) -> Duration {
    let interval = u128::from(nanoseconds::of(interval).max(1));
    let own = (u128::from(phase) * interval) >> 32;
    let own = own + interval * place as u128 / all.max(1) as u128;
    let now = u128::try_from(now.unix_ns()).unwrap_or_default() % interval;
    let wait = (own + 2 * interval - now) % interval;
    Duration::from_nanos(u64::try_from(wait).unwrap_or_default())
}
