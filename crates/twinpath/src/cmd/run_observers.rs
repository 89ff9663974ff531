//! A run as it goes on: the series of each session, the rows that come of them, and who else follows it.

use std::cmp::Reverse;
use std::io::{self, Stderr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_metrics::{ClosedInterval, Record, Series};
use twinpath_proto::extension::ReplyTlvs;
use twinpath_runtime::measure::{EndedSession, Progress, STOP_WAIT, SessionHandle, SessionNews};
use twinpath_wire::Wall;

use super::companions::Companions;
use super::run_output::RunOutput;
use super::subject::{Beginning, Known, now};
use crate::output::progress::{self, ProgressLine};
use crate::output::rows::{self, Row};
use crate::output::style::Style;
use crate::output::{SessionName, print_to_stderr};
use crate::output::{summary, units};

/// Samples drained in one go before signals are looked at again.
const DRAIN: usize = 4_096;

/// A run that was told to stop and goes on for longer says what it waits for.
const SAID_AFTER: Duration = Duration::from_millis(500);

/// A look at the run that waits for snapshots.
struct Glance {
    missing: usize,
    by: Instant,
}

/// How long a look at the run waits for the last of them.
const GLANCE_WAIT: Duration = Duration::from_millis(500);

/// Sessions that a look at many shows.
const MOST_GLANCES: usize = 10;

/// Series of all sessions of a run.
pub(super) struct RunObservers {
    series: Vec<Arc<Series>>,
    /// They are counted here, from records. Else they are snapshots of what the sessions count.
    counts: bool,
    /// A user asked how far the run is, and the snapshots for it are on their way.
    glance: Option<Glance>,
    /// Names of the sessions, where there are several.
    names: Arc<[SessionName]>,
    /// A line for each packet is wanted.
    lines: bool,
    pub(super) companions: Companions,
    /// How long replies are waited for, where that is to be said; said once.
    timeout: Option<Duration>,
    /// When the run was told to stop.
    told: Option<Instant>,
}

impl RunObservers {
    /// Of sessions with these empty series. `names`: as many, or none for a single session.
    pub(super) fn new(series: Vec<Arc<Series>>, names: Arc<[SessionName]>, lines: bool) -> Self {
        Self {
            series,
            counts: true,
            glance: None,
            names,
            lines,
            companions: Companions::default(),
            timeout: None,
            told: None,
        }
    }

    /// Sessions have come to the run, which is this now.
    pub(super) fn grow(&mut self, run: &Beginning<'_>) {
        self.names = Arc::clone(run.names);
        let new = run.series(self.series.len());
        self.series.extend(new);
        self.companions.each(|it| it.grow(run));
    }

    /// With these beside it.
    pub(super) fn with(self, companions: Companions) -> Self {
        Self { companions, ..self }
    }

    /// The sessions are measured now and count by themselves.
    pub(super) fn of_run(self) -> Self {
        Self {
            counts: false,
            ..self
        }
    }

    /// Says what a run that was told to stop waits for, which is this timeout or [`STOP_WAIT`] at most. `quiet`: not.
    pub(super) fn waits_for(self, timeout: Duration, quiet: bool) -> Self {
        Self {
            timeout: (!quiet).then_some(timeout),
            ..self
        }
    }

    /// The run was told to stop and is not over: packets of `sent` may still be answered.
    pub(super) fn stopping(&mut self, sent: &Progress, progress: &mut ProgressLine<Stderr>) {
        let told = *self.told.get_or_insert_with(Instant::now);
        let unanswered = sent.sent > sent.received;
        if told.elapsed() < SAID_AFTER || !unanswered || self.companions.have_terminal() {
            return;
        }
        if let Some(timeout) = self.timeout.take() {
            progress.erase();
            print_to_stderr(&format!(
                "note: waiting up to {} for replies; a second signal ends at once, without a report",
                units::time(timeout.min(STOP_WAIT))
            ));
        }
    }

    /// Without lines for packets, whatever was asked for.
    pub(super) fn silent(mut self) -> Self {
        self.lines = false;
        self
    }

    /// What happened next in one session, from 0, with the TLVs of the reply of which the record is.
    pub(super) fn record(
        &mut self,
        session: usize,
        record: &Record,
        tlvs: Option<&ReplyTlvs>,
        output: &mut RunOutput,
    ) -> io::Result<()> {
        if self.counts
            && let Some(series) = self.at(session)
        {
            series.record(record);
        }
        self.companions.each(|it| it.record(session, record, tlvs));
        match record {
            Record::Sample(sample) if self.lines => {
                output.sample(self.names.get(session), sample, tlvs)
            }
            Record::Begun { .. }
            | Record::Sample(_)
            | Record::NotSent { .. }
            | Record::ClockStep { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => Ok(()),
        }
    }

    /// Shows the run; whether its user wants the end.
    pub(super) fn show(&mut self, sessions: &mut [SessionHandle]) -> bool {
        self.companions.show(&self.series, sessions)
    }

    /// Sending is over.
    pub(super) fn leave(&mut self, sessions: &[SessionHandle]) {
        self.companions.leave(&self.series, sessions);
    }

    /// The news of all sessions that wait; whether these were all.
    pub(super) fn drain(
        &mut self,
        sessions: &mut [SessionHandle],
        output: &mut RunOutput,
    ) -> io::Result<bool> {
        let mut all = true;
        for session in 0..sessions.len() {
            all &= self.drain_session(session, sessions, output)?;
        }
        Ok(all)
    }

    /// The same of one session, from 0.
    pub(super) fn drain_session(
        &mut self,
        session: usize,
        sessions: &mut [SessionHandle],
        output: &mut RunOutput,
    ) -> io::Result<bool> {
        let Some(handle) = sessions.get_mut(session) else {
            return Ok(true);
        };
        // Their packets' records are among those that wait, and are printed first.
        let rows = handle.take_rows();
        let most = if rows.is_empty() {
            DRAIN
        } else {
            handle.waiting().max(DRAIN)
        };
        let mut drained = 0;
        while drained < most {
            match handle.next_news() {
                None => break,
                Some(SessionNews::Record(record, tlvs)) => {
                    self.record(session, &record, tlvs.as_deref(), output)?;
                }
                Some(SessionNews::Overdue(lost)) => {
                    self.companions.each(|it| it.overdue(session, &lost));
                }
            }
            drained += 1;
        }
        for row in rows {
            self.row(session, &row, output)?;
        }
        Ok(drained < most)
    }

    fn row(&self, session: usize, row: &ClosedInterval, output: &mut RunOutput) -> io::Result<()> {
        output.row(&Row::of_interval(self.names.get(session), &row.figures()))
    }

    /// Rows of one session that are known at a time of the sender's clock.
    pub(super) fn look_at(
        &mut self,
        session: usize,
        now: Wall,
        output: &mut RunOutput,
    ) -> io::Result<()> {
        while let Some(interval) = self.at(session).and_then(|series| series.poll_row(now)) {
            output.row(&Row::of_interval(self.names.get(session), &interval))?;
        }
        Ok(())
    }

    /// The run so far, on stderr, for a user who asks; the view shows it anyway.
    pub(super) fn ask_glance(&mut self, known: &Known, sessions: &[SessionHandle]) {
        if self.companions.glance() {
            return;
        }
        if self.have_targets() {
            let so_far: Vec<Progress> = sessions.iter().map(SessionHandle::progress).collect();
            let now = now();
            print_to_stderr(&known.so_far(&so_far, now));
            self.print_worst(&so_far, now);
            return;
        }
        sessions.iter().for_each(SessionHandle::request_snapshot);
        self.glance = Some(Glance {
            missing: sessions.len(),
            by: Instant::now() + GLANCE_WAIT,
        });
    }

    /// There are several targets, or several paths to one.
    pub(super) fn have_targets(&self) -> bool {
        self.names.len() > 1 && self.names.iter().any(|name| name.target.is_some())
    }

    /// The sessions that lose most so far.
    fn print_worst(&self, sessions: &[Progress], now: Wall) {
        let mut ranked: Vec<(&SessionName, &Progress)> = self.names.iter().zip(sessions).collect();
        ranked.sort_by_key(|(_, progress)| {
            let lost = u128::from(progress.lost) * 1_000_000_000;
            let share = lost.checked_div(progress.sent.into());
            Reverse((share, progress.last_round_trip_ns))
        });
        let all = ranked.len();
        ranked.truncate(MOST_GLANCES);
        for (name, progress) in &ranked {
            let silence = summary::silent_so_far(progress, now);
            let silence = silence.map(|(_, since)| format!("; {}", summary::no_replies(&since)));
            let counts = progress::one(progress) + &silence.unwrap_or_default();
            print_to_stderr(&format!("{}: {counts}", name.text));
        }
        if let Some(more @ 1..) = all.checked_sub(ranked.len()) {
            let more = units::count(more as u64, "other session", "other sessions");
            print_to_stderr(&format!("{more} with no more loss"));
        }
    }

    fn print_glance(&mut self) {
        let now = now();
        let mut stderr = io::stderr();
        let style = Style::of(&stderr);
        for session in 0..self.series.len() {
            let Some(series) = self.series.get(session) else {
                continue;
            };
            let begun = series.begun().unwrap_or(now);
            let figures = series.metrics().figures();
            let row = Row::so_far(self.names.get(session), begun, now, &figures);
            // Where stderr is closed nobody reads.
            let _ = rows::write_glance(&row, style, &mut stderr);
        }
    }

    /// The run is over: the last rows of its sessions, which have these numbers.
    pub(super) fn last_rows(
        &self,
        sessions: &[(usize, EndedSession)],
        output: &mut RunOutput,
    ) -> io::Result<()> {
        for (number, ended) in sessions {
            for row in ended.rows() {
                self.row(number.wrapping_sub(1), row, output)?;
            }
        }
        Ok(())
    }

    /// All was recorded: the last rows.
    pub(super) fn finish(&mut self, output: &mut RunOutput) -> io::Result<()> {
        for session in 0..self.series.len() {
            while let Some(interval) = self.at(session).and_then(Series::finish_row) {
                output.row(&Row::of_interval(self.names.get(session), &interval))?;
            }
        }
        Ok(())
    }

    /// What is kept of one session, from 0.
    pub(super) fn series(&self, session: usize) -> Option<&Series> {
        self.series.get(session).map(Arc::as_ref)
    }

    /// Takes the snapshots that have come.
    pub(super) fn refresh(&mut self, sessions: &[SessionHandle]) {
        // Those of many would take their room twice.
        let keeps_all = !self.have_targets();
        for (place, (series, session)) in self.series.iter_mut().zip(sessions).enumerate() {
            let Some(newer) = session.take_snapshot() else {
                continue;
            };
            self.companions.each(|it| it.snapshot(place, &newer));
            if keeps_all || session.is_finished() {
                *series = newer;
            }
            if let Some(glance) = &mut self.glance {
                glance.missing = glance.missing.saturating_sub(1);
            }
        }
        let now = Instant::now();
        let is_due = |glance: &mut Glance| glance.missing == 0 || now >= glance.by;
        if self.glance.take_if(is_due).is_some() {
            self.print_glance();
        }
    }

    /// One that is counted here.
    fn at(&mut self, session: usize) -> Option<&mut Series> {
        self.series.get_mut(session).and_then(Arc::get_mut)
    }
}
