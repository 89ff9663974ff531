//! What the view keeps of a session beside its books: its last minutes, and counts for warnings.

use std::time::{Duration, Instant};

use twinpath_metrics::{Basis, Books, ClockEstimate, Record, Timeline};
use twinpath_runtime::{ClockState, Progress, clock_state};

use super::COLUMNS;
use super::columns::Strip;
use super::scene::{Session, Window};

/// The narrowest columns of the shorter window, and how many of them are one of the longer.
const NEAR: Duration = Duration::from_secs(1);
const TIMES: u32 = 10;
/// Columns of the shorter window that are "now".
const NOW: u32 = 10;
/// How long after its timeout a packet's fate is known at the latest.
const SLACK: Duration = Duration::from_millis(750);
/// Time between two estimates of a session's clocks: one takes some ten milliseconds.
const ESTIMATE: Duration = Duration::from_secs(2);

/// What is known of a run in advance.
pub(crate) struct About {
    /// `sender`, `controller`.
    pub(crate) command: &'static str,
    /// Address and port.
    pub(crate) far: String,
    /// Protocol.
    pub(crate) what: String,
    /// The sessions by name; without a name where there is one.
    pub(crate) sessions: Vec<Option<String>>,
    /// Time between packets.
    pub(crate) interval: Duration,
    /// When a packet is lost.
    pub(crate) timeout: Duration,
}

/// One session's last minutes.
pub(super) struct Recent {
    name: Option<String>,
    near_width: Duration,
    timeout: Duration,
    begun: Option<Instant>,
    /// The shorter window and the longer.
    timelines: Option<[Timeline; 2]>,
    clocks: Option<ClockEstimate>,
    clock: ClockState,
    estimate_due: Instant,
    refused: u64,
    missed: u64,
    steps: u64,
}

impl Recent {
    pub(super) fn new(about: &About, name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            // Narrower columns would be empty now and then.
            near_width: NEAR.max(2 * about.interval),
            timeout: about.timeout,
            begun: None,
            timelines: None,
            clocks: None,
            clock: clock_state(),
            estimate_due: Instant::now(),
            refused: 0,
            missed: 0,
            steps: 0,
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Begun { at } => {
                let near = Timeline::recent(*at, self.near_width, COLUMNS);
                let far = Timeline::recent(*at, TIMES * self.near_width, COLUMNS);
                self.timelines = Some([near, far]);
                self.begun = Some(Instant::now());
            }
            Record::Sample(sample) => {
                for timeline in self.timelines.iter_mut().flatten() {
                    timeline.record(sample);
                }
            }
            Record::NotSent { .. } => self.refused = self.refused.saturating_add(1),
            Record::ClockStep { now, by, first_seq } => {
                self.steps = self.steps.saturating_add(1);
                for timeline in self.timelines.iter_mut().flatten() {
                    timeline.record_clock_step(*now, *by, *first_seq);
                }
            }
            Record::Missed { count, .. } => self.missed = self.missed.saturating_add(*count),
        }
    }

    /// Since the first packet was due.
    pub(super) fn elapsed(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.begun?))
    }

    /// Looks at the clocks anew, where that is due.
    pub(super) fn estimate(&mut self, now: Instant, books: &Books) {
        if now >= self.estimate_due {
            self.estimate_due = now + ESTIMATE;
            self.clocks = books.clocks();
            self.clock = clock_state();
        }
    }

    /// The session as it is shown.
    pub(super) fn session(
        &self,
        now: Instant,
        books: &Books,
        progress: Option<Progress>,
        window: Window,
    ) -> Session {
        let elapsed = self.elapsed(now).unwrap_or_default();
        let settled = elapsed.saturating_sub(self.timeout + SLACK);
        let near = self.timelines.as_ref().map(|[near, _]| near);
        let shown = match window {
            Window::Whole => books.timeline(),
            Window::Near => near,
            Window::Far => self.timelines.as_ref().map(|[_, far]| far),
        };
        let error = |clock: ClockState| clock.error_ns.filter(|_| clock.synchronized);
        let far_clock = progress.and_then(|progress| progress.far_clock);
        Session {
            name: self.name.clone(),
            figures: books.metrics().figures(),
            clocks: self.clocks.clone(),
            basis: Basis::of(
                error(self.clock),
                far_clock.and_then(error),
                self.clocks.as_ref(),
            ),
            now: near.map_or((0, 0), |near| last(near, settled)),
            refused: self.refused,
            missed: self.missed,
            steps: self.steps,
            strip: shown.map_or_else(Strip::default, |timeline| Strip {
                columns: timeline.columns().collect(),
                width: timeline.width(),
                reach: timeline.reach(),
                settled,
                recent: window != Window::Whole,
            }),
        }
    }
}

/// Lost and sent in the last columns that are settled.
fn last(timeline: &Timeline, settled: Duration) -> (u64, u64) {
    let width = timeline.width();
    let since = settled.saturating_sub(NOW * width);
    let columns: Vec<_> = timeline.columns().collect();
    let mut end = timeline.reach();
    let mut sum = (0, 0);
    for column in columns.iter().rev() {
        if end > since && end <= settled.max(width) {
            sum = (sum.0 + column.lost, sum.1 + column.sent);
        }
        end = end.saturating_sub(width);
    }
    sum
}
