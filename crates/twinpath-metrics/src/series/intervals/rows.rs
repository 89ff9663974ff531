//! Groups packets by the interval in which they were sent, and returns rows of finished intervals.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Delta, Exclusion, Fate, Sample, Wall};

use super::closed::ClosedInterval;
use super::figures::{IntervalFigures, LossChange};
use super::missed::{STRETCHES, Stretch};
use super::reported_lost::ReportedLost;
use super::waits::Waits;
use crate::clocks::rungs::FirstRungs;
use crate::series::run_time::RunTime;
use crate::{FigureMemory, MetricsConfig, SessionMetrics};

/// What is at an instant is before this much later.
const INSTANT: Delta = Delta::from_ns(1);
/// How many consecutive empty intervals get their own rows; longer stretches are one row.
const EMPTY: u64 = 10;

/// Divides a run into intervals by the time at which packets were sent, and also keeps the total.
///
/// A row is returned when the fates of its packets are known: [`Waits::row`] after its end. Until
/// then the interval is open and has its own session metrics. At most [`OPEN`](Self::OPEN)
/// intervals with events are open, enough for intervals of at least [`Intervals::shortest`].
///
/// Rows depend on what is recorded, not on when [`Intervals::poll`] is called: a run and its
/// records read from a file give the same rows.
///
/// Takes the memory of at most `OPEN` + 1 [`SessionMetrics`]. Allocates per interval, not per
/// packet.
#[derive(Clone, Debug)]
pub struct Intervals {
    config: MetricsConfig,
    time: RunTime,
    length: Duration,
    waits: Waits,
    total: SessionMetrics,
    reported_lost: ReportedLost,
    /// Open intervals with events, by ascending index.
    open: VecDeque<Open>,
    next_row: u64,
    /// Reordering over the whole run (row M-41).
    next_expected: u64,
    rungs: FirstRungs,
    given: LossChange,
    /// Missed departures that span several intervals.
    missed: VecDeque<Stretch>,
    /// The run's losses by direction at the time when the fates of intervals became known: for the
    /// intervals below each index, from the previous index on.
    losses: VecDeque<(u64, LossChange)>,
    /// The fates of the packets of intervals below this are known.
    known_below: u64,
    /// Packets that were counted lost in a returned row, and were received after all.
    recalled: u64,
    /// Until when the run was measured, as far as it is recorded.
    measured: Delta,
}

/// An interval with events.
#[derive(Clone, Debug)]
pub(super) struct Open {
    index: u64,
    pub(super) metrics: SessionMetrics,
    pub(super) reordered: u64,
    pub(super) late: u64,
    pub(super) copies: u64,
    /// Counted lost, and received after all.
    pub(super) recalled: u64,
    pub(super) not_sent: u64,
    missed: u64,
    pub(super) strays: u64,
    pub(super) clock_step: bool,
    pub(super) far_step: bool,
    pub(super) lower_rung: bool,
}

impl Intervals {
    /// The most intervals with packets that can be open.
    pub const OPEN: u32 = 128;

    /// The first interval begins at `origin`.
    pub fn new(
        origin: Wall,
        length: Duration,
        waits: Waits,
        config: impl Into<MetricsConfig>,
    ) -> Self {
        let config = config.into();
        Self {
            time: RunTime::new(origin),
            length: length.max(Duration::from_nanos(1)),
            waits,
            total: SessionMetrics::with_config(&config),
            config: MetricsConfig {
                memory: FigureMemory::default(),
                ..config
            },
            reported_lost: ReportedLost::default(),
            open: VecDeque::new(),
            next_row: 0,
            next_expected: 0,
            rungs: FirstRungs::default(),
            given: LossChange::default(),
            missed: VecDeque::new(),
            losses: VecDeque::new(),
            known_below: 0,
            recalled: 0,
            measured: Delta::ZERO,
        }
    }

    /// The shortest interval whose rows wait only for the fates of their packets.
    pub fn shortest(waits: &Waits) -> Duration {
        waits.row() / (Self::OPEN - 2)
    }

    /// The metrics of the whole run; callers need no others.
    pub fn total(&self) -> &SessionMetrics {
        &self.total
    }

    /// Records that a packet is counted lost but may still become late. `lost` is its record if it
    /// stays lost. If called at all, it must be before that record.
    pub fn record_overdue(&mut self, lost: &Sample) {
        self.reported_lost.insert(lost.seq);
        self.measure(lost);
        self.record_lost(lost);
    }

    /// Records one packet's fate, or one further copy of a reply, in the order of arrival as in
    /// [`SessionMetrics::record`].
    pub fn record(&mut self, sample: &Sample) {
        let sent = self.time.of_packet(sample.seq, sample.t1.at);
        let arrived = sample.t4.map(|t4| self.time.of_now(t4.at));
        self.pass(arrived.unwrap_or_else(|| sent + Delta::from_duration(self.waits.records)));
        self.total.record(sample);
        self.measure(sample);
        let arrived = arrived.unwrap_or(sent);
        match sample.fate {
            Fate::Received => self.receive(sample, sent),
            Fate::Lost if self.reported_lost.take(sample.seq) => {}
            Fate::Lost | Fate::Unawaited => self.record_lost(sample),
            Fate::Late => {
                if !self.reported_lost.take(sample.seq) {
                    self.record_lost(&without_reply(sample));
                }
                self.open_at(arrived).late += 1;
            }
            Fate::Duplicate => self.open_at(arrived).copies += 1,
        }
    }

    /// The network refused packet `seq` at `at`: it was never sent (row M-4).
    pub fn record_not_sent(&mut self, seq: u64, at: Wall) {
        self.pass(self.time.of_now(at));
        self.total.record_not_sent(seq, at);
        let place = self.time.of_now(at);
        self.measured = self.measured.max(place + INSTANT);
        let open = self.open_at(place);
        open.not_sent += 1;
        open.metrics.record_not_sent(seq, at);
    }

    /// Records that `count` scheduled packets were not sent from `since` until `now` (row M-67).
    /// Those that belong to returned rows go to the next one.
    pub fn record_missed(&mut self, count: u64, since: Wall, now: Wall) {
        self.pass(self.time.of_now(now));
        self.total.record_missed(count, since, now);
        let from = self.time.of_now(since);
        let to = from.max(from + (now - since));
        self.measured = self.measured.max(to);
        let next = self.start_of(self.next_row);
        let (from, to) = (from.max(next), to.max(next));
        let is_within = self.index_of(from) == self.index_of(to);
        if is_within || self.missed.len() >= STRETCHES {
            let open = self.open_at(to);
            open.missed = open.missed.saturating_add(count);
            open.metrics.record_missed(count, since, now);
            return;
        }
        // Every interval up to the last one gets a row.
        self.open_at(to);
        let stretch = Stretch { from, to, count };
        self.missed.push_back(stretch);
        let ends: Vec<(Delta, Delta)> = self
            .open
            .iter()
            .map(|open| (self.start_of(open.index), self.start_of(open.index + 1)))
            .collect();
        for (open, (start, end)) in self.open.iter_mut().zip(ends) {
            let count = stretch.before(end) - stretch.before(start);
            if count > 0 {
                let (start, end) = (from.max(start) - from, to.min(end) - from);
                open.metrics
                    .record_missed(count, since + start, since + end);
            }
        }
    }

    /// The sender's clock jumped by `by` and reads `now`; packets from `first_seq` on have its
    /// timestamps. Intervals continue unaffected.
    pub fn record_clock_step(&mut self, now: Wall, by: Delta, first_seq: u64) {
        self.time.step(now, by, first_seq);
        self.total.record_clock_step();
        for open in &mut self.open {
            open.metrics.record_clock_step();
        }
        let at = self.time.of_now(now);
        self.measured = self.measured.max(at);
        self.open_at(at).clock_step = true;
    }

    /// The sender's source address changed, as [`SessionMetrics::record_source_change`].
    pub fn record_source_change(&mut self) {
        self.total.record_source_change();
        for open in &mut self.open {
            open.metrics.record_source_change();
        }
    }

    /// The reflector's clock stepped (row M-56), as packet `seq`, sent at `at`, was the first to
    /// show.
    pub fn record_far_step(&mut self, seq: u64, at: Wall) {
        let at = self.time.of_packet(seq, at);
        self.open_at(at).far_step = true;
    }

    /// The next row, if it is known at `now`. Call until `None`. Empty intervals get rows too, once
    /// something follows them; the last row, with everything that becomes known by the end, comes
    /// from [`Intervals::finish`].
    pub fn poll(&mut self, now: Wall) -> Option<IntervalFigures> {
        self.close(now).map(|row| row.figures())
    }

    /// The same, with its figures yet to be computed.
    pub fn close(&mut self, now: Wall) -> Option<ClosedInterval> {
        let at = self.time.of_now(now);
        self.pass(at - Delta::from_duration(self.waits.slack));
        let wait = self.until_close(now)?;
        let next = self.open.front()?.index;
        wait.is_zero().then(|| self.row(next))
    }

    /// How long the next row waits from `now` on; `None`: nothing follows it yet.
    pub fn until_close(&self, now: Wall) -> Option<Duration> {
        let (next, _following) = (self.open.front()?.index, self.open.get(1)?);
        let end = self.start_of(next.saturating_add(1));
        let wait = end + Delta::from_duration(self.waits.row()) - self.time.of_now(now);
        Some(Duration::from_nanos(u64::try_from(wait.ns()).unwrap_or(0)))
    }

    /// The next row of a finished run, up to the last one with events, which ends where what was measured ended.
    pub fn finish(&mut self) -> Option<IntervalFigures> {
        self.close_last().map(|row| row.figures())
    }

    /// The same, with its figures yet to be computed.
    pub fn close_last(&mut self) -> Option<ClosedInterval> {
        let next = self.open.front()?.index;
        Some(self.row(next))
    }

    /// The interval in progress as far as it is known: without packets not yet answered, and
    /// without directions of losses.
    pub fn glance(&self, now: Wall) -> IntervalFigures {
        let index = self.index_of(self.time.of_now(now)).max(self.next_row);
        let open = self.open.iter().find(|open| open.index == index);
        self.closed(index, 1, open.cloned(), LossChange::default())
            .figures()
    }

    /// Memory in octets, including the heap.
    pub fn memory_octets(&self) -> usize {
        let open = self.open.iter().map(|open| open.metrics.memory_octets());
        size_of::<Self>()
            + self.total.memory_octets()
            + open.sum::<usize>()
            + self.open.capacity() * size_of::<Open>()
            + self.losses.capacity() * size_of::<(u64, LossChange)>()
            + self.reported_lost.octets()
    }

    fn receive(&mut self, sample: &Sample, sent: Delta) {
        let reordered = sample.seq < self.next_expected;
        if !reordered {
            self.next_expected = sample.seq.saturating_add(1);
        }
        let lower_rung = self.rungs.record(sample);
        let recalled = self.reported_lost.take(sample.seq);
        let was_given = self.index_of(sent) < self.next_row;
        self.recalled += u64::from(recalled && was_given);
        let open = self.open_at(sent);
        open.metrics.record(sample);
        open.recalled += u64::from(recalled && !was_given);
        open.reordered += u64::from(reordered);
        open.clock_step |= sample.excluded == Some(Exclusion::ClockStep);
        open.lower_rung |= lower_rung;
    }

    fn record_lost(&mut self, lost: &Sample) {
        let at = self.time.of_packet(lost.seq, lost.t1.at);
        self.open_at(at).metrics.record(lost);
    }

    /// The run was measured until this reply came, or until the wait for it was over.
    fn measure(&mut self, sample: &Sample) {
        let sent = self.time.of_packet(sample.seq, sample.t1.at);
        let until = match (sample.fate, sample.t4) {
            (Fate::Lost, _) => sent + Delta::from_duration(self.waits.fates),
            (_, Some(t4)) => self.time.of_now(t4.at),
            (_, None) => sent,
        };
        self.measured = self.measured.max(until).max(sent + INSTANT);
    }

    /// Events recorded from now on were not known before this time since the origin.
    fn pass(&mut self, at: Delta) {
        let known = at - Delta::from_duration(self.waits.fates);
        let below = self.index_of(known);
        if below <= self.known_below {
            return;
        }
        self.known_below = below;
        let change = LossChange::of(&self.total);
        match self.losses.back_mut() {
            Some((last, same)) if *same == change => *last = below,
            Some(_) | None => self.losses.push_back((below, change)),
        }
    }

    /// The change of losses up to the interval `index`, which is being returned.
    fn loss(&mut self, index: u64) -> LossChange {
        while self
            .losses
            .front()
            .is_some_and(|(below, _)| *below <= index)
        {
            self.losses.pop_front();
        }
        let known = self.losses.front().map(|(_, change)| *change);
        let known = known
            .filter(|_| !self.open.is_empty())
            .unwrap_or_else(|| LossChange::of(&self.total));
        let change = known.since(self.given);
        self.given = known;
        change
    }

    /// The next row; `next` is the next interval with events.
    fn row(&mut self, next: u64) -> ClosedInterval {
        let index = self.next_row;
        let intervals = match next.saturating_sub(index) {
            0..=EMPTY => 1,
            many => many,
        };
        let open = self.open.pop_front_if(|open| open.index == index);
        self.next_row = index.saturating_add(intervals);
        let change = self.loss(self.next_row.saturating_sub(1));
        let is_last = open.is_some() && self.open.is_empty();
        let mut row = self.closed(index, intervals, open, change);
        if is_last {
            self.cut(&mut row);
        }
        row.recalled = self.recalled.min(row.lost());
        self.recalled -= row.recalled;
        let next = self.start_of(self.next_row);
        self.missed.retain(|stretch| stretch.to > next);
        row
    }

    /// The last row ends where what was measured ended.
    fn cut(&self, row: &mut ClosedInterval) {
        let planned = self.start_of(row.index.saturating_add(row.intervals));
        let end = self.measured.max(self.start_of(row.index) + INSTANT);
        if end < planned {
            row.end = self.time.wall(end);
            row.is_cut = true;
        }
    }

    fn closed(
        &self,
        index: u64,
        intervals: u64,
        open: Option<Open>,
        change: LossChange,
    ) -> ClosedInterval {
        let start = self.start_of(index);
        let end = self.start_of(index.saturating_add(intervals));
        let of_open = open.as_ref().map_or(0, |open| open.missed);
        let missed = self.missed.iter().fold(of_open, |sum, stretch| {
            sum.saturating_add(stretch.before(end) - stretch.before(start))
        });
        ClosedInterval {
            index,
            intervals,
            start: self.time.wall(start),
            end: self.time.wall(end),
            open,
            far_times: self.total.far_times(),
            loss: change,
            missed,
            recalled: 0,
            is_cut: false,
        }
    }

    /// The open interval at a time since the origin. Events of a returned row go to the next one,
    /// and events that would open one too many go to the last, so that rows add up.
    fn open_at(&mut self, at: Delta) -> &mut Open {
        let wanted = self.index_of(at);
        let index = wanted.max(self.next_row);
        let full = self.open.len() >= Self::OPEN as usize;
        let mut place = self.open.partition_point(|open| open.index < index);
        if self.open.get(place).is_none_or(|open| open.index != index) {
            if full {
                place = place.min(self.open.len().saturating_sub(1));
            } else {
                self.open.insert(place, Open::new(index, &self.config));
            }
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "it was found or put there just now"
        )]
        let open = &mut self.open[place];
        open.strays += u64::from(open.index != wanted);
        open
    }

    fn index_of(&self, at: Delta) -> u64 {
        let at = u128::from(u64::try_from(at.ns()).unwrap_or(0));
        u64::try_from(at / self.length.as_nanos()).unwrap_or(u64::MAX)
    }

    fn start_of(&self, index: u64) -> Delta {
        let ns = u128::from(index).saturating_mul(self.length.as_nanos());
        Delta::from_ns(i64::try_from(ns).unwrap_or(i64::MAX))
    }
}

impl Open {
    fn new(index: u64, config: &MetricsConfig) -> Self {
        Self {
            index,
            metrics: SessionMetrics::with_config(config),
            reordered: 0,
            late: 0,
            copies: 0,
            recalled: 0,
            not_sent: 0,
            missed: 0,
            strays: 0,
            clock_step: false,
            far_step: false,
            lower_rung: false,
        }
    }
}

impl LossChange {
    /// The change from zero.
    fn of(metrics: &SessionMetrics) -> Self {
        let (forward, backward, unattributed) = metrics.losses_by_direction();
        Self {
            forward: forward.map(u64::cast_signed),
            backward: backward.map(u64::cast_signed),
            unattributed: unattributed.cast_signed(),
        }
    }

    /// The change since `earlier`. An unknown direction counted as zero.
    fn since(self, earlier: Self) -> Self {
        let change = |now: Option<i64>, before: Option<i64>| match (now, before) {
            (None, None) => None,
            (now, before) => Some(now.unwrap_or(0) - before.unwrap_or(0)),
        };
        Self {
            forward: change(self.forward, earlier.forward),
            backward: change(self.backward, earlier.backward),
            unattributed: self.unattributed - earlier.unattributed,
        }
    }
}

/// A late packet as it was counted lost.
fn without_reply(late: &Sample) -> Sample {
    Sample {
        departure: late.departure,
        excluded: late.excluded,
        ..Sample::lost(late.seq, late.t1)
    }
}
