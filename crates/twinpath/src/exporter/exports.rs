//! What the exports of a daemon report.

use crate::daemon::ExportCounters;

use super::family::{Families, Family, seconds};

/// Of an export.
pub(crate) fn exports(counters: &ExportCounters) -> Families {
    let last = counters.last_success;
    let last = last.map(|at| seconds(u64::try_from(at.unix_ns()).unwrap_or(0)));
    vec![
        Family::counter(
            "export_rows",
            "rows of intervals that the receiver of an export has taken",
            counters.sent,
        ),
        Family::counter("export_batches", "batches of them", counters.batches),
        Family::gauge(
            "export_rows_waiting",
            "rows that wait to be sent",
            counters.waiting,
        ),
        Family::gauge(
            "export_octets_waiting",
            "octets of the files in which they wait",
            counters.octets,
        ),
        Family::counter(
            "export_rows_dropped",
            "rows that were not sent, because too many waited",
            counters.dropped,
        ),
        Family::counter(
            "export_rows_refused",
            "rows of batches that the receiver refused as wrong",
            counters.refused,
        ),
        Family::gauge(
            "export_failing",
            "1 if rows are not taken now, else 0",
            counters.error.is_some().into(),
        ),
        Family::seconds(
            "export_last_success_timestamp",
            "when rows were taken last, in Unix time",
            last,
        ),
    ]
}
