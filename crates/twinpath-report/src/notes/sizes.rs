//! Remarks on what the delays leave out, and on losses that go by the size of packets.

use std::time::Duration;

use super::warning;
use crate::{Note, SessionReport};

/// A wait in this host that is worth a word, beside what packets take on the path.
const WAIT_NS: i64 = 1_000_000;
/// So many lost packets of one size, at least, are no accident.
const LOST: u64 = 3;

/// The kernel stamped packets long after they were handed to it: their wait in this host's own queue
/// is in none of the delays.
pub(super) fn left_out(report: &SessionReport) -> Option<Note> {
    let wait = report.tally.own_wait_mean()?;
    let path = report.figures.round_trip?.median_ns;
    let wait_ns = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
    if wait_ns < WAIT_NS || wait_ns < path / 10 {
        return None;
    }
    let ms = |ns: i64| Duration::from_nanos(ns.unsigned_abs()).as_secs_f64() * 1e3;
    Some(warning(
        "own-wait",
        format!(
            "the delays leave out what packets wait in the queue of this host's interface: {:.3} ms on \
             average, from the send call to the timestamp; with it a round trip takes about {:.3} ms",
            ms(wait_ns),
            ms(wait_ns.saturating_add(path.max(0)))
        ),
    ))
}

/// Most packets of the greatest size are lost, and hardly any others: a question of the size.
pub(crate) fn large_lost(report: &SessionReport) -> Option<Note> {
    let (largest, others) = report.figures.by_size.split_last()?;
    let (lost, sent) = others.iter().fold((0, 0), |(lost, sent), size| {
        (lost + size.lost, sent + size.sent())
    });
    let most = largest.lost >= LOST && largest.lost.saturating_mul(2) >= largest.sent();
    let few = u128::from(lost) * 10 <= u128::from(sent);
    (most && few && sent > 0).then(|| {
        warning(
            "large-lost",
            format!(
                "{} of {} packets of {} octets were lost, and {lost} of {sent} smaller ones: the path \
                 loses large packets (an MTU, fragments)",
                largest.lost,
                largest.sent(),
                largest.octets
            ),
        )
    })
}
