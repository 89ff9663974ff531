//! A session's total, rows, columns and clocks.

use std::time::Duration;

use twinpath_wire::{Delta, Sample, Wall};

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
pub struct Series {
    /// Until it begins.
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
        Self {
            counters: Counters::Whole(Box::new(SessionMetrics::with_config(&config.metrics))),
            timeline: None,
            clocks: ClockModel::new(),
            far_steps: 0,
            restarts: 0,
            begun: None,
            config: Some(Box::new(config)),
        }
    }

    /// Records the next event.
    pub fn record(&mut self, record: &Record) {
        self.begin(match record {
            Record::Begun { at } | Record::NotSent { at, .. } | Record::SourceChange { at } => *at,
            Record::Sample(sample) => sample.t1.at,
            Record::ClockStep { now, by, .. } => *now - *by,
            Record::Missed { since, .. } => *since,
        });
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

    /// Records that a packet is counted lost before its record, as [`Intervals::record_overdue`].
    pub fn overdue(&mut self, lost: &Sample) {
        self.begin(lost.t1.at);
        if let Counters::ByInterval(rows) = &mut self.counters {
            rows.record_overdue(lost);
        }
    }

    /// When the session began, by the first record; `None` before that.
    pub fn begun(&self) -> Option<Wall> {
        self.begun
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
        match &mut self.counters {
            Counters::Whole(_) => None,
            Counters::ByInterval(rows) => Some(rows),
        }
    }

    /// A copy without the rows that are not known yet.
    #[must_use]
    pub fn without_rows(&self) -> Self {
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

    /// The figures of the whole session so far.
    pub fn metrics(&self) -> &SessionMetrics {
        match &self.counters {
            Counters::Whole(total) => total,
            Counters::ByInterval(rows) => rows.total(),
        }
    }

    /// The estimate of the two clocks from the packets so far; `None` without a packet, or if T2
    /// and T3 are not plausible.
    pub fn clocks(&self) -> Option<ClockEstimate> {
        let usable = self.metrics().far_times().are_usable();
        usable.then(|| self.clocks.estimate()).flatten()
    }

    /// The session over time; `None` without [`SeriesConfig::columns`], and before it began.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_deref()
    }

    fn begin(&mut self, at: Wall) {
        let Some(config) = self.config.take() else {
            return;
        };
        self.begun = Some(at);
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
