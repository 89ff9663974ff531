//! What a run has beside its output: pictures, a raw file, the live view. Each is a feature of the
//! program; only the two lists here depend on which of them were built.

use std::sync::Arc;

use twinpath_metrics::{Record, Series, Timeline};
use twinpath_proto::extension::ReplyTlvs;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Sample;

use super::subject::Beginning;
use super::warn;
use crate::args::RunOptions;
use crate::failure::Failure;
use crate::output::{Outcome, Written};
use crate::signals::Signals;

/// Follows a run from its first record to its report. Sessions are numbered from 0.
pub(super) trait Companion {
    /// How many columns it needs the timelines of so many sessions to have.
    fn columns(&self, _sessions: usize) -> Option<usize> {
        None
    }

    /// It writes a file, whatever becomes of the output.
    fn writes(&self) -> bool {
        false
    }

    /// It follows so many sessions record by record.
    fn reads_records(&self, _sessions: usize) -> bool {
        false
    }

    /// It has the terminal: what others print waits until it has given it back.
    fn has_terminal(&self) -> bool {
        false
    }

    /// The sessions are about to begin.
    fn begin(&mut self, _: &Beginning<'_>, _: &mut Signals) -> Result<(), Failure> {
        Ok(())
    }

    /// Sessions have come to the run, which is this now.
    fn grow(&mut self, _: &Beginning<'_>) {}

    /// Something happened in a session; the TLVs are those of the reply of which the record is.
    fn record(&mut self, _session: usize, _: &Record, _: Option<&ReplyTlvs>) {}

    /// A packet is counted lost; its record comes later.
    fn overdue(&mut self, _session: usize, _: &Sample) {}

    /// All that is counted of a session so far.
    fn snapshot(&mut self, _session: usize, _: &Arc<Series>) {}

    /// A line of the negotiation, or a warning.
    fn event(&mut self, _line: &str) {}

    /// All records of this turn were recorded. A warning to print, if any.
    fn look(&mut self) -> Option<String> {
        None
    }

    /// Shows the run as it is; true if its user ends it.
    fn show(&mut self, _: &[Arc<Series>], _: &mut [SessionHandle]) -> bool {
        false
    }

    /// The user requests the run's progress; true if this shows it.
    fn glance(&mut self) -> bool {
        false
    }

    /// Sending is over: gives the terminal back, and tells others how it ended.
    fn leave(&mut self, _: &[Arc<Series>], _: &[SessionHandle]) {}

    /// The run is over, and its report lacks only what the series add. The file, if there is one.
    fn save(&mut self, _: Outcome<'_>) -> Option<Written> {
        None
    }

    /// The report is complete. The files.
    fn draw(&self, _: Outcome<'_>) -> Vec<Written> {
        Vec::new()
    }
}

/// The most columns that all sessions have together, at half a kilobyte each, unless these are so many
/// that each has the least.
const MOST_COLUMNS: usize = 64 * Timeline::COLUMNS;
/// Enough for a small drawing.
const LEAST_COLUMNS: usize = 24;

fn columns_of_each(sessions: usize) -> usize {
    (MOST_COLUMNS / sessions.max(1)).max(LEAST_COLUMNS)
}

/// A requested one, or none.
pub(super) type Opened = Result<Option<Box<dyn Companion>>, Failure>;

/// All companions of a run.
#[derive(Default)]
pub(super) struct Companions {
    all: Vec<Box<dyn Companion>>,
    /// Warnings to print when the terminal is free again.
    unsaid: Vec<String>,
    quiet: bool,
}

impl Companions {
    /// The requested ones. Makes sure that their files can be written.
    pub(super) fn open(options: &RunOptions) -> Result<Self, Failure> {
        let asked: [Opened; _] = [
            #[cfg(feature = "pictures")]
            super::pictures::Pictures::open(&options.pictures, &options.results.labels),
            #[cfg(feature = "report")]
            super::saving::Saving::open(&options.saving),
            #[cfg(feature = "live")]
            Ok(super::live::Live::open(&options.live)),
            super::metrics::Metrics::open(
                &options.metrics,
                &options.results.labels,
                options.log.quiet,
            ),
        ];
        Self::of(asked, options.log.quiet)
    }

    /// The same for a run that was saved before, with these labels.
    #[cfg(feature = "report")]
    pub(super) fn of_report(
        args: &crate::args::ReportArgs,
        #[cfg_attr(
            not(feature = "pictures"),
            expect(unused_variables, reason = "pictures show them")
        )]
        labels: &[crate::args::Label],
    ) -> Result<Self, Failure> {
        let asked: [Opened; _] = [
            #[cfg(feature = "pictures")]
            super::pictures::Pictures::open(&args.pictures, labels),
        ];
        Self::of(asked, args.log.quiet)
    }

    fn of(asked: impl IntoIterator<Item = Opened>, quiet: bool) -> Result<Self, Failure> {
        let asked = asked.into_iter().filter_map(Result::transpose);
        Ok(Self {
            all: asked.collect::<Result<_, _>>()?,
            unsaid: Vec::new(),
            quiet,
        })
    }

    /// The number of columns in the timeline of each session.
    pub(super) fn columns(&self, sessions: usize) -> Option<usize> {
        let needed = self
            .all
            .iter()
            .filter_map(|it| it.columns(sessions))
            .max()?;
        Some(needed.min(columns_of_each(sessions)))
    }

    pub(super) fn write(&self) -> bool {
        self.all.iter().any(|it| it.writes())
    }

    pub(super) fn read_records(&self, sessions: usize) -> bool {
        self.all.iter().any(|it| it.reads_records(sessions))
    }

    pub(super) fn have_terminal(&self) -> bool {
        self.all.iter().any(|it| it.has_terminal())
    }

    /// Tells each of them.
    pub(super) fn each(&mut self, tell: impl FnMut(&mut Box<dyn Companion>)) {
        self.all.iter_mut().for_each(tell);
    }

    pub(super) fn begin(
        &mut self,
        run: &Beginning<'_>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        self.all
            .iter_mut()
            .try_for_each(|it| it.begin(run, signals))
    }

    /// Prints their warnings, or has the one with the terminal show them until it is free.
    pub(super) fn look(&mut self) {
        let lines: Vec<String> = self.all.iter_mut().filter_map(|it| it.look()).collect();
        for line in lines {
            self.each(|it| it.event(&line));
            self.unsaid.push(line);
        }
        if !self.have_terminal() {
            self.say();
        }
    }

    pub(super) fn show(&mut self, series: &[Arc<Series>], handles: &mut [SessionHandle]) -> bool {
        let shown = self.all.iter_mut().map(|it| it.show(series, handles));
        shown.fold(false, |ends, end| ends | end)
    }

    pub(super) fn glance(&mut self) -> bool {
        self.all.iter_mut().any(|it| it.glance())
    }

    pub(super) fn leave(&mut self, series: &[Arc<Series>], handles: &[SessionHandle]) {
        self.each(|it| it.leave(series, handles));
        self.say();
    }

    pub(super) fn save(&mut self, outcome: Outcome<'_>) -> Vec<Written> {
        self.all
            .iter_mut()
            .filter_map(|it| it.save(outcome))
            .collect()
    }

    pub(super) fn draw(&self, outcome: Outcome<'_>) -> Vec<Written> {
        self.all.iter().flat_map(|it| it.draw(outcome)).collect()
    }

    fn say(&mut self) {
        for line in self.unsaid.drain(..) {
            warn(self.quiet, Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Drawn;

    impl Companion for Drawn {
        fn columns(&self, _: usize) -> Option<usize> {
            Some(Timeline::COLUMNS)
        }
    }

    #[test]
    fn few_sessions_have_all_columns_and_many_fewer_of_them() {
        let mut companions = Companions::default();
        assert_eq!(companions.columns(1), None);
        companions.all.push(Box::new(Drawn));
        for (sessions, each) in [(0, 240), (1, 240), (64, 240), (128, 120), (10_000, 24)] {
            assert_eq!(companions.columns(sessions), Some(each), "{sessions}");
        }
    }
}
