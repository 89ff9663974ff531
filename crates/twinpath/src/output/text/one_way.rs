//! One-way delays with the clocks removed, if they mean more than the raw ones (row M-57).

use std::io::{self, Write};

use twinpath_metrics::{Basis, OneWay, Spread};
use twinpath_report::SessionReport;

use crate::output::clocks::offset;
use crate::output::style::Style;
use crate::output::table::{CELL, fact, row};
use crate::output::units::Unit;

/// Empty if both clocks are synchronized, because the table has the delays.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(report: &SessionReport, style: Style, out: &mut impl Write) -> io::Result<()> {
    let Some(clocks) = &report.clocks else {
        return Ok(());
    };
    match report.basis() {
        Basis::Synchronized { .. } => return Ok(()),
        Basis::Disproved { .. } | Basis::Unsynchronized => {}
    }
    fact(out, "Reflector clock", &offset(clocks))?;
    let ways = [("out", clocks.forward), ("in", clocks.backward)];
    let ways = ways.map(|(name, way)| way.map(|way| (name, way)));
    let ways: Vec<(&str, OneWay)> = ways.into_iter().flatten().collect();
    let delays = ways.iter().map(|(name, way)| {
        let name = format!("De-skewed {name}");
        (name, &way.delay, way.error_bound_ns)
    });
    // In a short run it is the same as in the table: no skew is removed.
    let skewed = ways.iter().filter(|_| clocks.skew_ppm.is_some());
    let variations = skewed.map(|(name, way)| {
        let name = format!("Variation {name}");
        (name, &way.variation, way.variation_bound_ns)
    });
    let rows: Vec<(String, &Spread, u64)> = delays.chain(variations).collect();
    let greatest = rows
        .iter()
        .map(|(_, spread, _)| spread.max_ns.unsigned_abs());
    let unit = Unit::fit(greatest.max().unwrap_or(0));
    let heads = ["Min", "Median", "p99", "Max", "Within"];
    writeln!(
        out,
        "{}",
        style.heading(&row("Clocks removed", &heads, CELL))
    )?;
    for (name, spread, bound_ns) in rows {
        let values = [
            spread.min_ns,
            spread.median_ns,
            spread.p99_ns,
            spread.max_ns,
        ];
        let bound = i64::try_from(bound_ns).unwrap_or(i64::MAX);
        let cells = [values.as_slice(), &[bound]].concat();
        let cells: Vec<String> = cells.into_iter().map(|ns| unit.delay(ns)).collect();
        writeln!(out, "{}", row(&name, &cells, CELL))?;
    }
    let assumed = "(if minimum delays are equal both ways; bounds hold anyway)";
    fact(out, "", assumed)
}
