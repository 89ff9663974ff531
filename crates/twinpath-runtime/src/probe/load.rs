//! Packets to a far end at a steady rate: how many are answered, and when.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use twinpath_proto::TestGuard;
use twinpath_proto::sender::{Limit, PayloadSize, Schedule, Wire};
use twinpath_report::SessionReport;

use crate::error::{RunError, StartError};
use crate::{SenderPlan, measure};

/// How often a run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Packets at a steady rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Packets a second, at least 1.
    pub rate_pps: u32,
    /// How many.
    pub packets: u32,
    /// A reply after it counts as lost.
    pub timeout: Duration,
}

/// What came of a load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadSeen {
    /// Packets that left.
    pub sent: u64,
    /// Packets that this host could not send.
    pub not_sent: u64,
    /// Packets a second at which they left; `None` under two packets.
    pub achieved_pps: Option<f64>,
    /// Packets with a reply in time.
    pub answered: u64,
    /// Packets without one.
    pub lost: u64,
    /// Of those, packets with a reply after the timeout.
    pub late: u64,
    /// Of the lost ones, those that did not arrive at the reflector, and those whose reply was lost; `None`:
    /// it does not count.
    pub lost_by_direction: Option<(u64, u64)>,
    /// Replies that this host dropped.
    pub dropped_here: u64,
    /// From departure to reply, the time in the reflector included, in nanoseconds: the median.
    pub answer_ns: Option<i64>,
}

/// Why there was no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not go on.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Load {
    /// How long its packets leave, at its rate.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(1) * self.packets / self.rate_pps.max(1)
    }
}

/// Sends a load to `far`, whose packets look like `wire` and are protected by `guard`, and waits for its replies, until
/// `stopped`.
///
/// # Errors
/// [`LoadError`]: nothing was sent, or nothing could be received.
pub fn load(
    far: SocketAddr,
    (wire, guard): (Wire, TestGuard),
    load: &Load,
    stopped: &dyn Fn() -> bool,
) -> Result<LoadSeen, LoadError> {
    let octets = wire.reply_octets(wire.request_header());
    let plan = SenderPlan {
        wire,
        guard,
        payload: PayloadSize::Fixed(octets),
        ..SenderPlan::to(far)
    };
    run(load, plan, stopped)
}

/// The same by a sender like this.
pub(super) fn run(
    load: &Load,
    sender: SenderPlan,
    stopped: &dyn Fn() -> bool,
) -> Result<LoadSeen, LoadError> {
    let run = measure::start(SenderPlan {
        limit: Limit::Count(load.packets.into()),
        schedule: Schedule::every(Duration::from_secs(1) / load.rate_pps.max(1)),
        timeout: load.timeout,
        records: false,
        ..sender
    })?;
    while !run.is_finished() {
        if stopped() {
            run.stop();
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(seen(&run.join()?))
}

fn seen(report: &SessionReport) -> LoadSeen {
    let (counters, figures) = (&report.counters, &report.figures);
    let median = |delay: &Option<twinpath_metrics::DelayFigures>| {
        delay.as_ref().map(|delay| delay.median_ns)
    };
    let residence = median(&figures.residence).unwrap_or(0);
    LoadSeen {
        sent: counters.sent,
        not_sent: counters.send_errors,
        achieved_pps: report.achieved_pps,
        answered: counters.received,
        lost: counters.lost,
        late: counters.late,
        lost_by_direction: figures.lost_forward.zip(figures.lost_backward),
        dropped_here: report.receive_drops,
        answer_ns: median(&figures.round_trip).map(|trip| trip.saturating_add(residence)),
    }
}
