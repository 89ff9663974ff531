//! What the store of a daemon reports.

use crate::store::StoreCounters;

use super::family::{Families, Family};

/// Of a store.
pub(crate) fn store(counters: &StoreCounters) -> Families {
    let raw = counters.raw.unwrap_or_default();
    vec![
        Family::counter(
            "store_rows",
            "rows of intervals that were stored",
            counters.rows,
        ),
        Family::counter(
            "store_rows_dropped",
            "rows of intervals that were not stored, because the disk took none for too long",
            counters.dropped,
        ),
        Family::gauge(
            "store_octets",
            "octets of all files of the store",
            counters.octets,
        ),
        Family::counter(
            "store_octets_deleted",
            "octets of files that were deleted because all had too many",
            counters.deleted_octets,
        ),
        Family::counter(
            "store_files_damaged",
            "files that could not be read and were set aside",
            counters.damaged,
        ),
        Family::gauge(
            "store_failing",
            "1 if the disk takes no rows now, else 0",
            counters.error.is_some().into(),
        ),
        Family::counter(
            "store_raw_records",
            "records of raw packets that were saved",
            raw.records,
        ),
        Family::counter(
            "store_raw_records_dropped",
            "records of raw packets that were not saved, because the disk was full or too slow",
            raw.dropped,
        ),
    ]
}
