//! Packets into the intervals in which they were sent, and rows out of those that are over.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Delta, Exclusion, Fate, Sample, Wall};

use super::figures::{IntervalFigures, LossChange, Suspect};
use crate::run_time::RunTime;
use crate::rungs::FirstRungs;
use crate::{Figures, MetricsConfig, SessionMetrics};

/// Fewer packets make an interval suspect (row M-73).
const FEW: u64 = 10;
/// Stretches of missed departures that are remembered until their rows are given.
const STRETCHES: usize = 64;

/// Cuts a run into intervals by the time at which packets were sent, and keeps the total beside.
///
/// A row is given when all its packets have had their fate: `lag` (timeout, lingering and what
/// the caller takes to record) after its end. Until then an interval is open and has the metrics
/// of a session of its own; no more than [`OPEN`](Self::OPEN) with packets are, so that an
/// interval much shorter than `lag` is lengthened (see [`length`](Self::length)).
///
/// Memory is that of `OPEN` + 1 [`SessionMetrics`] at most. Nothing is allocated per packet, but
/// per interval.
#[derive(Clone, Debug)]
pub struct Intervals {
    config: MetricsConfig,
    time: RunTime,
    length: Duration,
    lag: Delta,
    total: SessionMetrics,
    /// Those with something in them, by ascending index.
    open: VecDeque<Open>,
    next_row: u64,
    /// The greatest index that anything was recorded for, and one more.
    begun: u64,
    /// Row M-41, over the whole run.
    next_expected: u64,
    rungs: FirstRungs,
    given: LossChange,
    /// Missed departures that reach over several intervals.
    missed: VecDeque<Stretch>,
}

/// Departures that were missed from one time to another, since the origin.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Delta,
    to: Delta,
    count: u64,
}

impl Stretch {
    /// Those before `at`, as though they were due at even distances.
    fn before(&self, at: Delta) -> u64 {
        let part = u128::try_from((at - self.from).ns()).unwrap_or(0);
        let whole = u128::try_from((self.to - self.from).ns()).unwrap_or(0);
        if part >= whole {
            return self.count;
        }
        u64::try_from(u128::from(self.count) * part / whole).unwrap_or(self.count)
    }
}

#[derive(Clone, Debug)]
struct Open {
    index: u64,
    metrics: SessionMetrics,
    reordered: u64,
    not_sent: u64,
    missed: u64,
    strays: u64,
    clock_step: bool,
    far_step: bool,
    lower_rung: bool,
}

impl Intervals {
    /// The most intervals with packets that can be open.
    pub const OPEN: u32 = 16;

    /// The first interval begins at `origin`; a packet's fate is recorded at most `lag` after it
    /// was sent. A `length` of less than a fourteenth of `lag` is taken as that.
    pub fn new(
        origin: Wall,
        length: Duration,
        lag: Duration,
        config: impl Into<MetricsConfig>,
    ) -> Self {
        let config = config.into();
        let least = lag / (Self::OPEN - 2);
        Self {
            time: RunTime::new(origin),
            length: length.max(least).max(Duration::from_nanos(1)),
            lag: Delta::from_duration(lag),
            total: SessionMetrics::with_config(&config),
            config,
            open: VecDeque::with_capacity(Self::OPEN as usize),
            next_row: 0,
            begun: 0,
            next_expected: 0,
            rungs: FirstRungs::default(),
            given: LossChange::default(),
            missed: VecDeque::new(),
        }
    }

    /// The length of an interval: the one asked for, or what memory allows.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// The metrics of the whole run: no others need be kept.
    pub fn total(&self) -> &SessionMetrics {
        &self.total
    }

    /// One packet's end, or one further copy of a reply, in the order of arrival as in
    /// [`SessionMetrics::record`].
    pub fn record(&mut self, sample: &Sample) {
        self.total.record(sample);
        let reordered = sample.fate == Fate::Received && sample.seq < self.next_expected;
        if sample.fate == Fate::Received && !reordered {
            self.next_expected = sample.seq.saturating_add(1);
        }
        let lower_rung = self.rungs.record(sample);
        let at = self.time.of_packet(sample.seq, sample.t1.at);
        let open = self.open_at(at);
        open.metrics.record(sample);
        open.reordered += u64::from(reordered);
        open.clock_step |= sample.excluded == Some(Exclusion::ClockStep);
        open.lower_rung |= lower_rung;
    }

    /// The network refused packet `seq` at `at`: it was never sent (row M-4).
    pub fn record_not_sent(&mut self, seq: u64, at: Wall) {
        self.total.record_not_sent(seq, at);
        let place = self.time.of_now(at);
        let open = self.open_at(place);
        open.not_sent += 1;
        open.metrics.record_not_sent(seq, at);
    }

    /// `count` times to send passed unused from `since` until `now` (row M-67). What belongs to rows
    /// that were given goes to the next one.
    pub fn record_missed(&mut self, count: u64, since: Wall, now: Wall) {
        self.total.record_missed(count, since, now);
        let from = self.time.of_now(since);
        let to = from.max(from + (now - since));
        let next = self.start_of(self.next_row);
        let (from, to) = (from.max(next), to.max(next));
        let (first, last) = (self.index_of(from), self.index_of(to));
        if first == last || self.missed.len() >= STRETCHES {
            let open = self.open_at(to);
            open.missed += count;
            open.metrics.record_missed(count, since, now);
            return;
        }
        let stretch = Stretch { from, to, count };
        self.missed.push_back(stretch);
        self.begun = self.begun.max(last.saturating_add(1));
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

    /// The sender's clock jumped by `by` and tells `now`; packets from `first_seq` on are stamped
    /// with it. Intervals go on as if nothing had happened.
    pub fn record_clock_step(&mut self, now: Wall, by: Delta, first_seq: u64) {
        self.time.step(now, by, first_seq);
        self.total.record_clock_step();
        for open in &mut self.open {
            open.metrics.record_clock_step();
        }
        let at = self.time.of_now(now);
        self.open_at(at).clock_step = true;
    }

    /// The reflector's clock stepped (row M-56), as packet `seq`, sent at `at`, was the first to
    /// show.
    pub fn record_far_step(&mut self, seq: u64, at: Wall) {
        let at = self.time.of_packet(seq, at);
        self.open_at(at).far_step = true;
    }

    /// The next row, if it is final at `now`. To be called until there is none: intervals without
    /// a packet have rows as well.
    pub fn poll(&mut self, now: Wall) -> Option<IntervalFigures> {
        let end = self.start_of(self.next_row.saturating_add(1));
        (end + self.lag <= self.time.of_now(now)).then(|| self.row())
    }

    /// The next row of a run that is over, up to the last one with something in it.
    pub fn finish(&mut self) -> Option<IntervalFigures> {
        (self.next_row < self.begun).then(|| self.row())
    }

    /// The interval in progress as far as it is known: packets without an answer yet are not in
    /// it, and losses have no direction.
    pub fn glance(&self, now: Wall) -> IntervalFigures {
        let index = self.index_of(self.time.of_now(now)).max(self.next_row);
        let open = self.open.iter().find(|open| open.index == index);
        self.figures(index, open, LossChange::default())
    }

    /// Memory in octets, its heap included.
    pub fn memory_octets(&self) -> usize {
        let open = self.open.iter().map(|open| open.metrics.memory_octets());
        size_of::<Self>()
            + self.total.memory_octets()
            + open.sum::<usize>()
            + self.open.capacity() * size_of::<Open>()
    }

    fn row(&mut self) -> IntervalFigures {
        let index = self.next_row;
        let open = self.open.pop_front_if(|open| open.index == index);
        self.next_row = self.next_row.saturating_add(1);
        let total = self.total.figures();
        let now = LossChange {
            forward: total.lost_forward.map(u64::cast_signed),
            backward: total.lost_backward.map(u64::cast_signed),
            unattributed: total.lost_unattributed.unwrap_or(0).cast_signed(),
        };
        let change = now.since(self.given);
        self.given = now;
        let row = self.figures(index, open.as_ref(), change);
        let next = self.start_of(self.next_row);
        self.missed.retain(|stretch| stretch.to > next);
        row
    }

    fn figures(&self, index: u64, open: Option<&Open>, loss: LossChange) -> IntervalFigures {
        let figures = match open {
            Some(open) => open.metrics.figures(),
            None => SessionMetrics::new().figures(),
        };
        let sent = figures.received + figures.lost;
        let (not_sent, missed, strays) =
            open.map_or((0, 0, 0), |open| (open.not_sent, open.missed, open.strays));
        let (start, end) = (self.start_of(index), self.start_of(index.saturating_add(1)));
        let across = self.missed.iter();
        let across: u64 = across
            .map(|stretch| stretch.before(end) - stretch.before(start))
            .sum();
        let missed = missed.saturating_add(across);
        let has = |flag: fn(&Open) -> bool| open.is_some_and(flag);
        let reasons = [
            (Suspect::FewPackets, sent < FEW),
            (Suspect::ClockStep, has(|open| open.clock_step)),
            (Suspect::FarStep, has(|open| open.far_step)),
            (Suspect::LowerRung, has(|open| open.lower_rung)),
            (Suspect::NotSent, not_sent > 0 || missed > 0),
        ];
        IntervalFigures {
            index,
            start: self.time.wall(start),
            end: self.time.wall(end),
            figures: Figures {
                reordered: open.map_or(0, |open| open.reordered),
                lost_forward: None,
                lost_backward: None,
                lost_unattributed: None,
                ..figures
            },
            loss,
            not_sent,
            missed,
            strays,
            suspect: reasons
                .into_iter()
                .filter_map(|(reason, holds)| holds.then_some(reason))
                .collect(),
        }
    }

    /// The open interval at a time since the origin. What belongs to a row that was given goes to
    /// the next one, and what would open one too many to the last: rows still add up.
    fn open_at(&mut self, at: Delta) -> &mut Open {
        let wanted = self.index_of(at);
        let mut index = wanted.max(self.next_row);
        let full = self.open.len() >= Self::OPEN as usize;
        let mut place = self.open.partition_point(|open| open.index < index);
        if self.open.get(place).is_none_or(|open| open.index != index) {
            if full {
                place = place.min(self.open.len().saturating_sub(1));
            } else {
                self.open.insert(place, Open::new(index, &self.config));
            }
        }
        index = self.open.get(place).map_or(index, |open| open.index);
        self.begun = self.begun.max(index.saturating_add(1));
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
    /// The way from `earlier` to here. A direction that was not known counted as none.
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
