//! Known answers, slow twins and properties of the metrics.
#![cfg(test)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the twins compute in floats, and every number here is a small one"
)]

mod availability;
mod clock_bounds;
mod clock_checks;
mod clock_rates;
mod clock_runs;
mod clocks;
mod day;
mod deviations;
mod direction;
mod distributions;
mod far_times;
mod histograms;
mod interval_lengths;
mod intervals;
mod known_answers;
mod marks;
mod memory;
mod merging;
mod offsets;
#[path = "../oracle/mod.rs"]
mod oracle;
mod order;
mod periods;
mod registry;
mod restarts;
mod series;
mod timeline;
mod trace;
mod twins;
mod voice;
