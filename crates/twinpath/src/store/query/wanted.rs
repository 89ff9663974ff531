//! The columns that a query reads.

use std::collections::HashSet;

use twinpath_metrics::Merge;

use crate::store::cells::{self, CELLS};
use crate::store::columns::{COLUMNS, Place, column};
use crate::store::cursor::Wanted;
use crate::store::row::Delay;

/// The columns that are read for these. `merges`: with all that makes one row of several.
pub(super) fn wanted(columns: Option<&[String]>, merges: bool) -> Wanted {
    let Some(columns) = columns else {
        return Wanted::All;
    };
    let mut places: HashSet<usize> = columns.iter().filter_map(|name| column(name)).collect();
    if merges {
        let mut needed = HashSet::new();
        for column in places.iter().filter_map(|place| COLUMNS.get(*place)) {
            if let Place::Cell(cell) = column.place {
                add_needed(cell, &column.name, &mut needed);
            }
        }
        // Whether a row is doubtful depends on it.
        needed.insert("sent".to_owned());
        places.extend(needed.iter().filter_map(|name| column(name)));
    }
    Wanted::Only(places)
}

/// What this figure of several rows is computed from.
fn add_needed(cell: usize, name: &str, needed: &mut HashSet<String>) {
    let is_computed = |merge: Merge| matches!(merge, Merge::Distribution | Merge::Derived);
    if !CELLS.get(cell).is_some_and(|cell| is_computed(cell.merge)) {
        return;
    }
    if name == "packets_loss_ratio" {
        let counts = ["lost", "packets_unsent", "packets_unawaited"];
        needed.extend(counts.map(str::to_owned));
    }
    for delay in Delay::ALL {
        let key = delay.key();
        let is_of = name
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('_'));
        if is_of {
            let sums = [
                "sum_ns",
                "squares_ns2",
                "ipdv_sum_ns",
                "ipdv_pairs",
                "lower_ns",
                "counts",
            ];
            needed.extend(sums.map(|sum| format!("histograms_{key}_{sum}")));
            let cells = cells::of_distribution(delay).into_iter();
            needed.extend(cells.filter_map(|place| Some(CELLS.get(place)?.name.clone())));
        }
    }
}
