//! Waits that the delays do not include, and losses that depend on the size of packets.

use super::{Host, Losses, sending};
use crate::SessionReport;

/// A wait in this host that matters compared with the path's delay.
const WAIT_NS: i64 = 1_000_000;
/// The fewest lost packets of one size that are not a coincidence.
const LOST: u64 = 3;

/// The kernel timestamped packets long after they were handed to it: their wait in this host's own
/// queue is not part of any delay. The wait of the first packets for the neighbour's address is
/// reported as such.
pub(super) fn left_out(report: &SessionReport) -> Option<Host> {
    let counters = &report.counters;
    let first_ns = sending::waited_first(report).map_or(0, |first| first.sum_ns.unsigned_abs());
    let wait_ns = counters.own_wait_ns.saturating_sub(first_ns);
    let round_trip_ns = report.figures.round_trip?.median_ns;
    let mean_ns = i64::try_from(wait_ns.checked_div(counters.stamped)?).unwrap_or(i64::MAX);
    (mean_ns >= WAIT_NS && mean_ns >= round_trip_ns / 10).then_some(Host::OwnWait {
        mean_ns,
        round_trip_ns,
    })
}

/// Most packets of the largest size are lost, and hardly any others.
pub fn large_lost(report: &SessionReport) -> Option<Losses> {
    let (largest, others) = report.figures.by_size.split_last()?;
    let (lost, sent) = others.iter().fold((0, 0), |(lost, sent), size| {
        (lost + size.lost, sent + size.sent())
    });
    let most = largest.lost >= LOST && largest.lost.saturating_mul(2) >= largest.sent();
    let few = u128::from(lost) * 10 <= u128::from(sent);
    (most && few && sent > 0).then(|| Losses::LargeLost {
        octets: u64::from(largest.octets),
        lost: largest.lost,
        sent: largest.sent(),
        smaller_lost: lost,
        smaller_sent: sent,
    })
}
