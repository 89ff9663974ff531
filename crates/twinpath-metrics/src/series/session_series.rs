//! A session's total, rows, columns and clocks.

use std::borrow::Cow;
use std::time::Duration;

use twinpath_wire::{Delta, Sample, Wall};

use super::packed::PackedRecords;
use crate::loss::reply_status::{ReplyStatus, SinceReply};
use crate::{
    ClockEstimate, ClockModel, IntervalFigures, Intervals, Marks, MetricsConfig, SessionMetrics,
    Timeline, Waits,
};

/// An event of a session, in the order in which its sender learned of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The first packet is due.
    Begun {
        /// Time by the sender's clock.
        at: Wall,
    },
    /// One packet's fate, or one further copy of a reply.
    Sample(Sample),
    /// The network refused a packet: it was never sent (row M-4).
    NotSent {
        /// Its number.
        seq: u64,
        /// When.
        at: Wall,
    },
    /// The sender's clock stepped (row M-55).
    ClockStep {
        /// Its reading after the step.
        now: Wall,
        /// How far it jumped.
        by: Delta,
        /// The first number with timestamps of the stepped clock.
        first_seq: u64,
        /// How long the host was suspended, if that is the cause: the clock that schedules the
        /// packets stopped meanwhile.
        suspended: bool,
    },
    /// Packets leave with another source address: to a reflector they come from another sender.
    /// Recorded before the samples of replies to that address.
    SourceChange {
        /// When the first reply to it was read.
        at: Wall,
    },
    /// Scheduled packets were not sent (row M-67).
    Missed {
        /// How many.
        count: u64,
        /// The first of them.
        since: Wall,
        /// Until when.
        now: Wall,
    },
}

impl SessionMetrics {
    /// Records the next event, of any kind.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Begun { .. } => {}
            Record::Sample(sample) => self.record(sample),
            Record::NotSent { seq, at } => self.record_not_sent(*seq, *at),
            Record::ClockStep { .. } => self.record_clock_step(),
            Record::SourceChange { .. } => self.record_source_change(),
            Record::Missed { count, since, now } => self.record_missed(*count, *since, *now),
        }
    }
}

impl Intervals {
    /// Records the next event, of any kind.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Begun { .. } => {}
            Record::Sample(sample) => self.record(sample),
            Record::NotSent { seq, at } => self.record_not_sent(*seq, *at),
            Record::ClockStep {
                now, by, first_seq, ..
            } => self.record_clock_step(*now, *by, *first_seq),
            Record::SourceChange { .. } => self.record_source_change(),
            Record::Missed { count, since, now } => self.record_missed(*count, *since, *now),
        }
    }
}

impl Timeline {
    /// Records the next event, of any kind.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Begun { .. } => {}
            Record::Sample(sample) => self.record(sample),
            Record::NotSent { at, .. } => self.record_not_sent(*at),
            Record::ClockStep {
                now,
                by,
                first_seq,
                suspended,
            } => self.record_clock_step(*now, *by, *first_seq, *suspended),
            Record::SourceChange { at } => self.record_source_change(*at),
            Record::Missed { since, now, .. } => self.record_missed(*since, *now),
        }
    }
}

/// Configuration of a [`Series`].
#[derive(Clone, Debug)]
pub struct SeriesConfig {
    /// What is known about the session in advance.
    pub metrics: MetricsConfig,
    /// When the fates of packets are known.
    pub waits: Waits,
    /// Length of the intervals that get a row; `None`: no rows.
    pub interval: Option<Duration>,
    /// The number of columns of the timeline, and their initial width; `None`: no timeline.
    pub columns: Option<(usize, Duration)>,
}

/// Rows, columns and clocks of one session, computed from its records alone, during a run or from a
/// saved one. In bounded memory: that of [`ClockModel`], of [`Timeline`], and of [`Intervals`] or
/// one [`SessionMetrics`].
///
/// Figures are computed on demand, which takes some milliseconds: do not call from a thread that
/// sends packets.
#[derive(Clone, Debug)]
pub struct Series(State);

#[derive(Clone, Debug)]
enum State {
    /// As long as its records take less than what is counted of them.
    Kept(Box<KeptRecords>),
    Counted(Box<Counted>),
}

/// The records of a session without rows and columns.
#[derive(Clone, Debug)]
struct KeptRecords {
    metrics: MetricsConfig,
    begun: Option<Wall>,
    records: PackedRecords,
    since_reply: SinceReply,
    /// Beyond so many octets they are counted.
    most_octets: usize,
}

#[derive(Clone, Debug)]
struct Counted {
    /// Of rows and columns, until it begins.
    config: Option<Box<SeriesConfig>>,
    counters: Counters,
    timeline: Option<Box<Timeline>>,
    clocks: ClockModel,
    far_steps: u64,
    restarts: u64,
    begun: Option<Wall>,
}

#[derive(Clone, Debug)]
enum Counters {
    Whole(Box<SessionMetrics>),
    ByInterval(Box<Intervals>),
}

impl Series {
    /// The series of a session that has not started.
    pub fn new(config: SeriesConfig) -> Self {
        let counted = Counted::new(&config.metrics);
        Self(State::Counted(Box::new(Counted {
            config: Some(Box::new(config)),
            ..counted
        })))
    }

    /// The same of a session that may have few packets. As long as its records take no more than so many
    /// `octets`, they are kept in place of what is counted of them, which takes more; then all are counted,
    /// which takes half a microsecond for each. With rows or columns they are counted at once.
    pub fn keeping_records(config: SeriesConfig, octets: usize) -> Self {
        if config.interval.is_some() || config.columns.is_some() {
            return Self::new(config);
        }
        Self(State::Kept(Box::new(KeptRecords {
            since_reply: SinceReply::new(config.metrics.failed_after),
            metrics: config.metrics,
            begun: None,
            records: PackedRecords::default(),
            most_octets: octets,
        })))
    }

    /// Records the next event.
    pub fn record(&mut self, record: &Record) {
        match &mut self.0 {
            State::Kept(kept) => {
                kept.record(record);
                if kept.records.octets() > kept.most_octets {
                    self.0 = State::Counted(Box::new(kept.counted()));
                }
            }
            State::Counted(counted) => counted.record(record),
        }
    }

    /// Records that a packet is counted lost before its record, as [`Intervals::record_overdue`].
    pub fn overdue(&mut self, lost: &Sample) {
        match &mut self.0 {
            State::Kept(kept) => kept.begun = kept.begun.or(Some(lost.t1.at)),
            State::Counted(counted) => counted.overdue(lost),
        }
    }

    /// When the session began, by the first record; `None` before that.
    pub fn begun(&self) -> Option<Wall> {
        match &self.0 {
            State::Kept(kept) => kept.begun,
            State::Counted(counted) => counted.begun,
        }
    }

    /// The next row that is final at `now`, by the sender's clock; call until `None`. Always `None`
    /// without [`SeriesConfig::interval`].
    pub fn poll_row(&mut self, now: Wall) -> Option<IntervalFigures> {
        self.rows().and_then(|rows| rows.poll(now))
    }

    /// The next row of a finished session; call until `None`.
    pub fn finish_row(&mut self) -> Option<IntervalFigures> {
        self.rows().and_then(Intervals::finish)
    }

    /// The intervals that get a row; `None` without [`SeriesConfig::interval`], and before the session
    /// began.
    pub fn rows(&mut self) -> Option<&mut Intervals> {
        match &mut self.0 {
            State::Kept(_) => None,
            State::Counted(counted) => counted.rows(),
        }
    }

    /// A copy without the rows that are not known yet.
    #[must_use]
    pub fn without_rows(&self) -> Self {
        Self(match &self.0 {
            State::Kept(kept) => State::Kept(kept.clone()),
            State::Counted(counted) => State::Counted(Box::new(counted.without_rows())),
        })
    }

    /// The same with all its records counted, for several questions.
    pub fn counted(&self) -> Cow<'_, Self> {
        match &self.0 {
            State::Kept(kept) => Cow::Owned(Self(State::Counted(Box::new(kept.counted())))),
            State::Counted(_) => Cow::Borrowed(self),
        }
    }

    /// The figures of the whole session so far.
    pub fn metrics(&self) -> Cow<'_, SessionMetrics> {
        match &self.0 {
            State::Kept(kept) => Cow::Owned(kept.counted().metrics().clone()),
            State::Counted(counted) => Cow::Borrowed(counted.metrics()),
        }
    }

    /// Whether the far end answers, as the figures have it.
    pub fn reply_status(&self) -> ReplyStatus {
        let since_reply = match &self.0 {
            State::Kept(kept) => &kept.since_reply,
            State::Counted(counted) => counted.metrics().since_reply(),
        };
        since_reply.reply_status()
    }

    /// The estimate of the two clocks from the packets so far; `None` without a packet, or if T2
    /// and T3 are not plausible.
    pub fn clocks(&self) -> Option<ClockEstimate> {
        match &self.0 {
            State::Kept(kept) => kept.counted().clocks(),
            State::Counted(counted) => counted.clocks(),
        }
    }

    /// The session over time; `None` without [`SeriesConfig::columns`], and before it began.
    pub fn timeline(&self) -> Option<&Timeline> {
        match &self.0 {
            State::Kept(_) => None,
            State::Counted(counted) => counted.timeline.as_deref(),
        }
    }

    /// Memory in octets, including the heap, but for that of rows and columns.
    pub fn memory_octets(&self) -> usize {
        let kept = match &self.0 {
            State::Kept(kept) => size_of::<KeptRecords>() + kept.records.heap_octets(),
            State::Counted(counted) => {
                let clocks = counted.clocks.memory_octets() - size_of::<ClockModel>();
                size_of::<Counted>() + clocks + counted.metrics().memory_octets()
            }
        };
        size_of::<Self>() + kept
    }
}

impl KeptRecords {
    fn record(&mut self, record: &Record) {
        self.begun = self.begun.or(Some(begins(record)));
        if let Record::Sample(sample) = record {
            self.since_reply.record(sample);
        }
        if !matches!(record, Record::Begun { .. }) {
            self.records.push(record);
        }
    }

    /// What is counted of them.
    #[cold]
    fn counted(&self) -> Counted {
        let mut counted = Counted {
            begun: self.begun,
            ..Counted::new(&self.metrics)
        };
        for record in self.records.iter() {
            counted.record(&record);
        }
        counted
    }
}

/// When a session began whose first record this is.
fn begins(record: &Record) -> Wall {
    match record {
        Record::Begun { at } | Record::NotSent { at, .. } | Record::SourceChange { at } => *at,
        Record::Sample(sample) => sample.t1.at,
        Record::ClockStep { now, by, .. } => *now - *by,
        Record::Missed { since, .. } => *since,
    }
}

impl Counted {
    /// Without rows and columns.
    fn new(metrics: &MetricsConfig) -> Self {
        Self {
            config: None,
            counters: Counters::Whole(Box::new(SessionMetrics::with_config(metrics))),
            timeline: None,
            clocks: ClockModel::within(metrics.memory),
            far_steps: 0,
            restarts: 0,
            begun: None,
        }
    }

    fn record(&mut self, record: &Record) {
        if self.begun.is_none() {
            self.begin(begins(record));
        }
        match &mut self.counters {
            Counters::Whole(metrics) => metrics.take(record),
            Counters::ByInterval(rows) => rows.take(record),
        }
        if let Some(timeline) = &mut self.timeline {
            timeline.take(record);
        }
        match record {
            Record::Sample(sample) => self.watch_clocks(sample),
            Record::ClockStep {
                suspended: true, ..
            } => self.clocks.record_suspension(),
            Record::ClockStep { .. } => self.clocks.record_clock_step(),
            Record::Begun { .. }
            | Record::NotSent { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => {}
        }
    }

    fn overdue(&mut self, lost: &Sample) {
        if self.begun.is_none() {
            self.begin(lost.t1.at);
        }
        if let Counters::ByInterval(rows) = &mut self.counters {
            rows.record_overdue(lost);
        }
    }

    fn rows(&mut self) -> Option<&mut Intervals> {
        match &mut self.counters {
            Counters::Whole(_) => None,
            Counters::ByInterval(rows) => Some(rows),
        }
    }

    fn without_rows(&self) -> Self {
        Self {
            config: self.config.clone(),
            counters: Counters::Whole(Box::new(self.metrics().clone())),
            timeline: self.timeline.clone(),
            clocks: self.clocks.clone(),
            far_steps: self.far_steps,
            restarts: self.restarts,
            begun: self.begun,
        }
    }

    fn metrics(&self) -> &SessionMetrics {
        match &self.counters {
            Counters::Whole(total) => total,
            Counters::ByInterval(rows) => rows.total(),
        }
    }

    fn clocks(&self) -> Option<ClockEstimate> {
        let usable = self.metrics().far_times().are_usable();
        usable.then(|| self.clocks.estimate()).flatten()
    }

    fn begin(&mut self, at: Wall) {
        self.begun = Some(at);
        let Some(config) = self.config.take() else {
            return;
        };
        self.timeline = config
            .columns
            .map(|(columns, width)| Box::new(Timeline::new(at, width, columns)));
        if let Some(length) = config.interval {
            let rows = Intervals::new(at, length, config.waits, config.metrics);
            self.counters = Counters::ByInterval(Box::new(rows));
        }
    }

    fn watch_clocks(&mut self, sample: &Sample) {
        self.clocks.record(sample);
        let far_steps = self.clocks.far_steps_total();
        if far_steps != self.far_steps {
            self.far_steps = far_steps;
            self.far_step(sample);
        }
        let restarts = self.metrics().reflector_restarts();
        if restarts != self.restarts {
            self.restarts = restarts;
            let mark = Marks {
                restart: true,
                ..Marks::default()
            };
            if let Some(timeline) = &mut self.timeline {
                timeline.mark(mark, sample.seq, sample.t1.at);
            }
        }
    }

    #[cold]
    fn far_step(&mut self, sample: &Sample) {
        let (seq, at) = (sample.seq, sample.t1.at);
        if let Some(timeline) = &mut self.timeline {
            let mark = Marks {
                far_step: true,
                ..Marks::default()
            };
            timeline.mark(mark, seq, at);
        }
        if let Counters::ByInterval(rows) = &mut self.counters {
            rows.record_far_step(seq, at);
        }
    }
}
