//! State of a session for the view, besides its series: its last minutes, and counts for warnings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use twinpath_metrics::{Basis, ClockEstimate, ClockModel, Record, Series, Timeline};
use twinpath_report::{ClockState, Identity, is_one_host};
use twinpath_runtime::clock_state;
use twinpath_runtime::measure::Progress;
use twinpath_wire::Wall;

use super::COLUMNS;
use super::chart;
use super::columns::Strip;
use super::scene::{Session, Widths, Window};

/// The narrowest columns of the shorter window, and how many of them are one of the longer.
const NEAR: Duration = Duration::from_secs(1);
const TIMES: u32 = 10;
/// Columns of the shorter window that "now" is as long as.
const NOW: u32 = 10;
/// The columns for "now" are this many times narrower, so that a path that died shows quickly.
const FINER: u32 = 4;
/// How long after its timeout a packet is reported lost at the latest: the sender's grace period,
/// and the sleeps of sender and view.
const SLACK: Duration = Duration::from_millis(400);
/// The most packets remembered that are lost but may become late; further ones are shown once they
/// are finally lost.
const OVERDUE: usize = 16_384;
/// Time between two estimates of a session's clocks: one takes some ten milliseconds.
const ESTIMATE: Duration = Duration::from_secs(2);

/// One session's last minutes.
pub(super) struct Recent {
    name: Option<String>,
    near_width: Duration,
    timeout: Duration,
    one_host: bool,
    begun: Option<Instant>,
    /// The same by the sender's clock.
    begun_at: Option<Wall>,
    /// The whole time, where the session has no columns of its own.
    whole: Option<Timeline>,
    /// The shorter window, the longer, and what "now" is made of.
    timelines: Option<[Timeline; 3]>,
    /// When those were sent that are lost and may yet be late, by number: no record has them yet.
    overdue: BTreeMap<u64, Wall>,
    clocks: Option<ClockEstimate>,
    clock: ClockState,
    estimate_due: Instant,
    steps: u64,
    suspensions: u64,
    source_changes: u64,
}

impl Recent {
    /// Of a session with its `name` among others, if it is shown.
    pub(super) fn new(identity: &Identity, name: Option<String>) -> Self {
        Self {
            name,
            // Narrower columns would be empty now and then.
            near_width: NEAR.max(2 * identity.schedule.usual_gap()),
            timeout: identity.timeout,
            one_host: is_one_host(identity.sender.ip(), identity.reflector.ip()),
            begun: None,
            begun_at: None,
            whole: None,
            timelines: None,
            overdue: BTreeMap::new(),
            clocks: None,
            clock: clock_state(),
            estimate_due: Instant::now(),
            steps: 0,
            suspensions: 0,
            source_changes: 0,
        }
    }

    pub(super) fn record(&mut self, record: &Record) {
        match record {
            Record::Begun { at } => {
                self.begun_at = Some(*at);
                let near = Timeline::recent(*at, self.near_width, COLUMNS);
                let far = Timeline::recent(*at, TIMES * self.near_width, COLUMNS);
                // As many columns as "now" and the unsettled time need.
                let unsettled = NOW * self.near_width + self.timeout.saturating_mul(2);
                let columns = u32::try_from(COLUMNS).unwrap_or(u32::MAX);
                let width = (self.near_width / FINER).max(unsettled * 2 / columns);
                let now = Timeline::recent(*at, width, COLUMNS);
                self.timelines = Some([near, far, now]);
                self.begun = Some(Instant::now());
            }
            Record::Sample(sample) => {
                self.overdue.remove(&sample.seq);
            }
            Record::ClockStep { suspended, .. } => {
                let count = if *suspended {
                    &mut self.suspensions
                } else {
                    &mut self.steps
                };
                *count = count.saturating_add(1);
            }
            Record::SourceChange { .. } => {
                self.source_changes = self.source_changes.saturating_add(1);
            }
            // They are counted.
            Record::NotSent { .. } | Record::Missed { .. } => {}
        }
        let windows = self.timelines.iter_mut().flatten();
        for timeline in windows.chain(&mut self.whole) {
            timeline.take(record);
        }
    }

    /// Begins to follow a session that began before, and may keep no columns itself.
    pub(super) fn begin_late(&mut self, at: Wall) {
        self.record(&Record::Begun { at });
        self.whole = Some(Timeline::new(at, self.near_width / FINER, COLUMNS));
    }

    /// The timeout of a packet passed; its record comes later.
    pub(super) fn overdue(&mut self, seq: u64, at: Wall) {
        if self.overdue.len() < OVERDUE {
            self.overdue.insert(seq, at);
        }
    }

    /// Since the first packet was due.
    pub(super) fn elapsed(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.begun?))
    }

    /// Looks at the clocks again, where that is due.
    pub(super) fn estimate(&mut self, now: Instant, series: &Series) {
        if now >= self.estimate_due {
            self.estimate_due = now + ESTIMATE;
            self.clocks = series.clocks();
            self.clock = clock_state();
        }
    }

    /// The columns of a screen of this width, in each window.
    pub(super) fn widths(&self, series: &Series, width: u16) -> Widths {
        let whole = self.whole(series).map_or(Duration::ZERO, |timeline| {
            let strip = Strip::of(timeline, Duration::ZERO, false);
            strip.time_of_a_slot(chart::room(width))
        });
        Widths {
            whole,
            near: self.near_width,
            far: TIMES * self.near_width,
        }
    }

    fn whole<'a>(&'a self, series: &'a Series) -> Option<&'a Timeline> {
        series.timeline().or(self.whole.as_ref())
    }

    /// The session as it is shown.
    pub(super) fn session(
        &self,
        now: Instant,
        series: &Series,
        progress: Option<&Progress>,
        window: Window,
    ) -> Session {
        let elapsed = self.elapsed(now).unwrap_or_default();
        let settled = elapsed.saturating_sub(self.timeout + SLACK);
        let timelines = self.timelines.as_ref();
        let shown = match window {
            Window::Whole => self.whole(series),
            Window::Near => timelines.map(|[near, _, _]| near),
            Window::Far => timelines.map(|[_, far, _]| far),
        };
        let strip = |timeline: &Timeline, recent: bool| {
            let since = self.begun_at.unwrap_or_default() - timeline.origin();
            let before = Duration::from_nanos(u64::try_from(since.ns()).unwrap_or(0));
            let mut strip = Strip::of(timeline, settled + before, recent);
            for at in self.overdue.values() {
                strip.lose(*at);
            }
            strip
        };
        let latest = timelines.map(|[_, _, now]| strip(now, true));
        let figures = series.metrics().figures();
        // The figures include a lost packet once it can no longer become late; the sender knows it
        // earlier.
        let (lost, received) = progress.map_or((figures.lost, figures.received), |progress| {
            (progress.lost, progress.received)
        });
        let error = |clock: ClockState| clock.error_ns.filter(|_| clock.synchronized);
        let far_clock = progress.and_then(|progress| progress.far_clock);
        let clocks = self.clocks.as_ref();
        let refused = figures.not_sent;
        let usable = figures.far_times.are_usable();
        let one_clock =
            self.one_host && usable && clocks.is_none_or(ClockEstimate::may_be_one_clock);
        Session {
            name: self.name.clone(),
            figures,
            counted: (lost, received.saturating_add(lost)),
            clocks: self.clocks.clone(),
            one_clock,
            basis: if one_clock {
                Basis::Synchronized {
                    error_ns: ClockModel::STAMP_ERROR_NS,
                }
            } else {
                Basis::of(
                    error(self.clock),
                    far_clock.and_then(error),
                    self.clocks.as_ref(),
                )
            },
            now: latest.map_or((0, 0), |latest| last(&latest, NOW * self.near_width)),
            refused,
            missed: progress.map_or(0, |progress| progress.missed),
            asked: progress.and_then(|progress| progress.asked),
            steps: self.steps,
            suspensions: self.suspensions,
            source_changes: self.source_changes,
            strip: shown.map_or_else(Strip::default, |timeline| {
                strip(timeline, window != Window::Whole)
            }),
        }
    }
}

/// Lost and sent in the columns that are settled and no longer ago than `time` before.
fn last(strip: &Strip, time: Duration) -> (u64, u64) {
    let since = strip.settled.saturating_sub(time);
    let mut end = strip.reach;
    let mut sum = (0, 0);
    for column in strip.columns.iter().rev() {
        if end > since && end <= strip.settled {
            sum = (sum.0 + column.lost, sum.1 + column.sent);
        }
        end = end.saturating_sub(strip.width);
    }
    sum
}
