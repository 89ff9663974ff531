//! Remarks on what the delays leave out, and on losses that go by the size of packets.

use std::time::Duration;

use super::warning;
use crate::{Note, SessionReport};

/// A wait in this host that is worth a word, beside what packets take on the path.
const WAIT_NS: i64 = 1_000_000;
/// So many lost packets of one size, at least, are no accident.
const LOST: u64 = 3;

/// Packets left long after their time: what a user of this host waits is not in the delays.
pub(super) fn left_out(report: &SessionReport) -> Option<Note> {
    let departure = report.figures.departure?;
    let path = report.figures.round_trip?.median_ns;
    if departure.median_ns < WAIT_NS || departure.median_ns < path / 10 {
        return None;
    }
    let ms = |ns: i64| Duration::from_nanos(ns.unsigned_abs()).as_secs_f64() * 1e3;
    let of_it = report
        .tally
        .own_wait_mean()
        .map_or_else(String::new, |mean| {
            let mean = mean.as_secs_f64() * 1e3;
            format!("; from the send call to the time stamp {mean:.3} ms on average")
        });
    Some(warning(
        "own-wait",
        format!(
            "the delays leave out what packets wait in this host before they are stamped, in the process \
             and in the queue of its interface: median {:.3} ms, p99 {:.3} ms{of_it}. With it a round \
             trip takes about {:.3} ms",
            ms(departure.median_ns),
            ms(departure.p99_ns),
            ms(departure.median_ns.saturating_add(path.max(0)))
        ),
    ))
}

/// Most packets of the greatest size are lost, and hardly any others: a question of the size.
pub(super) fn large_lost(report: &SessionReport) -> Option<Note> {
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
