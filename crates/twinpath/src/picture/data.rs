//! The plain data that a picture is drawn from.

use std::time::Duration;

use twinpath_metrics::{ClockEstimate, Column, Distribution};

/// A run as it is to be seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    /// One line.
    pub(crate) title: String,
    /// Its source, in a line or two.
    pub(crate) subtitle: String,
    /// In the order of the report.
    pub(crate) sessions: Vec<PictureSession>,
    /// Remarks, warnings first. The page has them.
    pub(crate) notes: Vec<PictureNote>,
}

/// One session, or class.
#[derive(Clone, Debug, Default)]
pub(crate) struct PictureSession {
    /// What distinguishes it from the others.
    pub(crate) name: String,
    /// Its result, in a sentence. Only the page shows it.
    pub(crate) summary: String,
    /// The run over time (see [`twinpath_metrics::Timeline`]).
    pub(crate) columns: Vec<Column>,
    /// The width of each.
    pub(crate) width: Duration,
    /// Packets whose fate is known.
    pub(crate) sent: u64,
    /// Those that were lost.
    pub(crate) lost: u64,
    /// Whether packets that were due were not sent, so that a share of losses would be misleading.
    pub(crate) incomplete: bool,
    /// Delays of the round trip.
    pub(crate) round_trip: Option<Distribution>,
    /// What is known about the two clocks.
    pub(crate) clocks: Option<ClockEstimate>,
    /// For the table of the page: the same names in the same order in each session.
    pub(crate) figures: Vec<KeyFigure>,
}

/// A number with its name, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFigure {
    /// Its name.
    pub(crate) name: &'static str,
    /// With its unit.
    pub(crate) value: String,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureNote {
    /// One line.
    pub(crate) line: String,
    /// Whether the figures are misleading without it.
    pub(crate) warning: bool,
}
