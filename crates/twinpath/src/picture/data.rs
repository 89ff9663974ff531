//! The plain data that a picture is drawn from.

use std::time::Duration;

use twinpath_metrics::{ClockEstimate, Column, Distribution};

use super::scale::Range;
use super::smoke;
use super::times::TimeAxis;
use crate::output::ShownAlarm;

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
    /// What could not be measured, one line each. The page has them.
    pub(crate) failed: Vec<String>,
}

/// A run with so many sessions that each is drawn small: what they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overview {
    /// As in [`Picture`].
    pub(crate) title: String,
    pub(crate) subtitle: String,
    /// What is remarkable, a sentence each.
    pub(crate) summary: Vec<String>,
    /// Remarks, each kind once, warnings first.
    pub(crate) notes: Vec<PictureNote>,
    /// As in [`Picture`].
    pub(crate) failed: Vec<String>,
    /// How many sessions there are.
    pub(crate) sessions: usize,
    /// When; `None` if no packet has a known fate.
    pub(crate) time: Option<TimeAxis>,
}

/// One of many sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tile {
    /// How many sessions are worse, or as bad and earlier.
    pub(crate) rank: usize,
    /// Its number in the run.
    pub(crate) number: usize,
    /// `192.0.2.1:20000 to 192.0.2.2:862`.
    pub(crate) ends: String,
    /// Its losses in some words.
    pub(crate) loss: String,
    /// Its round trips in some words.
    pub(crate) delay: String,
    /// That by which they are sorted.
    pub(crate) delay_ns: Option<i64>,
    /// Remarks on it alone, warnings first.
    pub(crate) notes: Vec<PictureNote>,
    /// From where to where its delays are drawn: the same in all sessions of a target.
    pub(crate) range: Option<Range>,
    pub(crate) session: PictureSession,
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
    /// Alarms in this time.
    pub(crate) alarms: Vec<ShownAlarm>,
}

impl PictureSession {
    /// From where to where its delays are drawn, were it alone.
    pub(crate) fn range(&self) -> Option<Range> {
        smoke::range(std::slice::from_ref(self))
    }

    /// When it was, were it alone.
    pub(crate) fn time(&self) -> Option<TimeAxis> {
        TimeAxis::of_one(self)
    }
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
