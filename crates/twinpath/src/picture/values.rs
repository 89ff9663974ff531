//! Delays in the words and units of the other outputs.

use super::num;
use crate::output::units::{self, Unit};

/// The unit in which the greatest of some values is written, and its length in nanoseconds.
pub(super) fn unit_for(greatest_ns: f64) -> (f64, &'static str) {
    let unit = Unit::fit(num::whole(greatest_ns).unsigned_abs());
    let length = match unit {
        Unit::Microseconds => 1e3,
        Unit::Milliseconds => 1e6,
        Unit::Seconds => 1e9,
    };
    (length, unit.name())
}

/// A delay with its unit.
pub(super) fn delay(ns: f64) -> String {
    units::delay(num::whole(ns))
}
