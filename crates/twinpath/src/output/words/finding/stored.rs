//! Limits of a report that is made from rows of intervals.

use twinpath_report::finding::Stored;
use twinpath_report::words::instant;

use crate::output::names::plain;
use crate::output::units::count;

pub(super) fn line(finding: &Stored) -> String {
    match finding {
        Stored::FromStore => {
            "made from rows of intervals: jitter, bursts of losses, extents of reordering and all else that takes each \
             packet is unknown"
                .to_owned()
        }
        Stored::StoreUnread {
            count: number,
            first,
        } => format!(
            "{} could not be read, whose rows are not counted: {}",
            count(*number, "file of the store", "files of the store"),
            plain(first)
        ),
        Stored::StoreDeleted { from, until } => format!(
            "between {} and {} only whole hours are stored: parts of hours are not counted",
            instant(*from, 0),
            instant(*until, 0)
        ),
    }
}
