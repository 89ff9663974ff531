//! An interval that is over, whose figures are computed when they are wanted.

use twinpath_wire::Wall;

use super::figures::{IntervalFigures, LossChange, Suspect};
use super::rows::Open;
use crate::{FarTimes, Figures, Histograms, SessionMetrics};

/// Fewer packets make an interval suspect (row M-73).
const FEW: u64 = 10;

/// What was counted in an interval. To compute its figures takes too long for a thread that sends packets:
/// it hands this over.
#[derive(Clone, Debug)]
pub struct ClosedInterval {
    pub(super) index: u64,
    pub(super) intervals: u64,
    pub(super) start: Wall,
    pub(super) end: Wall,
    /// `None`: without events.
    pub(super) open: Option<Open>,
    /// What the whole session shows about T2 and T3.
    pub(super) far_times: FarTimes,
    pub(super) loss: LossChange,
    pub(super) missed: u64,
    /// Packets that were counted lost in earlier rows, and received after all.
    pub(super) recalled: u64,
    /// The run ended within it.
    pub(super) is_cut: bool,
}

impl ClosedInterval {
    /// Packets counted lost in it and not received after all.
    pub(super) fn lost(&self) -> u64 {
        let open = self.open.as_ref();
        open.map_or(0, |open| open.metrics.lost().saturating_sub(open.recalled))
    }

    /// The delays of which [`figures`](Self::figures) has the figures. `None`: without events.
    pub fn delays(&self) -> Option<Histograms<'_>> {
        let open = self.open.as_ref()?;
        Some(open.metrics.histograms_as(self.far_times))
    }

    /// Its row.
    pub fn figures(&self) -> IntervalFigures {
        let open = self.open.as_ref();
        let figures = match open {
            Some(open) => open.metrics.figures_as(self.far_times),
            None => SessionMetrics::new().figures(),
        };
        let count = |of: fn(&Open) -> u64| open.map_or(0, of);
        let has = |flag: fn(&Open) -> bool| open.is_some_and(flag);
        let lost = self.lost();
        let not_sent = count(|open| open.not_sent);
        let strays = count(|open| open.strays);
        let reasons = [
            (
                Suspect::FewPackets,
                figures.received + figures.unawaited + lost < FEW,
            ),
            (Suspect::ClockStep, has(|open| open.clock_step)),
            (Suspect::FarStep, has(|open| open.far_step)),
            (Suspect::LowerRung, has(|open| open.lower_rung)),
            (Suspect::NotSent, not_sent > 0 || self.missed > 0),
            (Suspect::Strays, strays > 0),
        ];
        IntervalFigures {
            index: self.index,
            intervals: self.intervals,
            start: self.start,
            end: self.end,
            is_cut: self.is_cut,
            figures: Figures {
                lost: lost - self.recalled,
                late: count(|open| open.late),
                duplicates: count(|open| open.copies),
                reordered: count(|open| open.reordered),
                lost_forward: None,
                lost_backward: None,
                lost_unattributed: None,
                ..figures
            },
            loss: self.loss,
            not_sent,
            missed: self.missed,
            strays,
            suspect: reasons
                .into_iter()
                .filter_map(|(reason, holds)| holds.then_some(reason))
                .collect(),
        }
    }
}
