//! A measurement from the opening of its files to its exit status: what `sender` and `controller` do
//! alike once they know what to measure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Stderr};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, info};
use twinpath_report::{ControlReport, FailedTarget, Finding, SessionReport};
use twinpath_runtime::StartError;
use twinpath_runtime::measure::{EndedSession, Engine, SessionHandle};

use super::companions::Companions;
use super::ended_sessions::EndedSessions;
use super::output_files::distinct_files;
use super::run_events::{After, Event};
use super::run_observers::RunObservers;
use super::run_output::RunOutput;
use super::run_targets::{NOT_MEASURED, NOT_MEASURED_YET, Targets};
use super::session_states::SessionStates;
use super::subject::{Known, Subject};
use super::{remark, unwritten};
use crate::args::RunOptions;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::names::Differing;
use crate::output::progress::{self, ProgressLine, together};
use crate::output::{
    Outcome, Reports, Sink, Written, WrittenFile, packets, print_to_stderr, words,
};
use crate::plan::{self, PlannedSession};
use crate::signals::Signals;

/// How often the run is looked at: samples drained, signals seen.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(20);
/// How often the progress line changes.
pub(super) const PROGRESS: Duration = Duration::from_millis(200);

/// The same of a run with so many sessions that each look takes its time.
const POLL_MANY_EVERY: Duration = Duration::from_millis(100);
/// How many these are.
const MANY: usize = 256;

fn poll_every(sessions: usize) -> Duration {
    if sessions < MANY {
        POLL_EVERY
    } else {
        POLL_MANY_EVERY
    }
}

/// A run with its sessions, as it is watched.
pub(super) trait Run {
    fn sessions(&self) -> &[SessionHandle];
    fn sessions_mut(&mut self) -> &mut [SessionHandle];
    /// What happened on the control connection, where there is one.
    fn next_event(&mut self) -> Option<Event> {
        None
    }
    /// Sessions that began since the last time: the last ones of [`Self::sessions`]. `planned`: all
    /// others.
    fn renew(&mut self, _planned: &[PlannedSession]) -> Vec<PlannedSession> {
        Vec::new()
    }
    /// How many sessions have been agreed on with a server.
    fn agreed(&self) -> usize {
        0
    }
    /// How many sessions a server has accepted, where they are agreed on.
    fn accepted(&self) -> Option<usize> {
        None
    }
    /// Ends sending; the result comes when the packets that were sent are answered or lost.
    fn stop(&self);
    fn is_finished(&self) -> bool;
    /// Waits for the end.
    fn join(self) -> Result<Measured, Failure>;
}

/// What a run came to.
pub(super) struct Measured {
    /// What is left of its sessions, with their numbers.
    pub(super) sessions: Vec<(usize, EndedSession)>,
    /// What is known of some of them beside their packets, by their numbers.
    pub(super) findings: HashMap<usize, Vec<Finding>>,
    pub(super) control: Option<ControlReport>,
    /// What could not be measured.
    pub(super) failed: Vec<FailedTarget>,
    /// Why it is not what was asked for, though there is a report.
    pub(super) failure: Option<Failure>,
}

/// A run that has begun.
pub(super) struct Started<R> {
    pub(super) run: R,
    /// The sessions that it has, in their order.
    pub(super) sessions: Vec<PlannedSession>,
    /// What cannot be measured.
    pub(super) failed: Vec<FailedTarget>,
    /// What is not measured yet.
    pub(super) waiting: Vec<FailedTarget>,
}

/// With as many threads as are asked for, or needed, where sessions share them.
pub(super) fn engine<'a>(
    sessions: impl Iterator<Item = &'a PlannedSession>,
    threads: Option<usize>,
) -> Result<Engine, StartError> {
    let plans = sessions.map(|session| &session.plan);
    Engine::start(plan::shared_threads(plans, threads))
}

/// What a command line asks of a measurement beside its plan, and the files that it is written into.
pub(super) struct Measurement<'a> {
    options: &'a RunOptions,
    companions: Companions,
    pub(super) signals: Signals,
    /// What takes its reports in place of an output.
    sink: Option<Box<dyn Sink>>,
}

/// Makes sure that no file is named twice, those that are `read` included, and begins to log.
pub(super) fn begin(options: &RunOptions, read: &[(&'static str, &Path)]) -> Result<(), Failure> {
    distinct_files(&options.written_files(), read)?;
    packets::labels_fit(&options.results, false)?;
    logs::start(&options.log, Level::WARN)?;
    remark(&options.log, options.unshown_figures());
    Ok(())
}

impl<'a> Measurement<'a> {
    /// Makes sure that files can be written, and listens to signals.
    pub(super) fn open(options: &'a RunOptions) -> Result<Self, Failure> {
        Ok(Self {
            options,
            companions: Companions::open(options)?,
            signals: Signals::listen()?
                .with_hangups()?
                .with_progress_requests()?,
            sink: None,
        })
    }

    /// Its reports go into this alone, and these signals end it.
    pub(super) fn into_sink(
        options: &'a RunOptions,
        sink: Box<dyn Sink>,
        signals: Signals,
    ) -> Self {
        Self {
            options,
            companions: Companions::default(),
            signals,
            sink: Some(sink),
        }
    }

    /// Has these of `all` sessions keep and tell what its observers need.
    pub(super) fn prepare<'s>(
        &self,
        sessions: impl Iterator<Item = &'s mut PlannedSession>,
        all: usize,
    ) {
        let results = &self.options.results;
        let records = results.records() || self.companions.read_records(all);
        let rows = results.report_interval.map(|time| time.0);
        let columns = self.companions.columns(all);
        for session in sessions {
            session.plan.records = records;
            session.plan.rows = rows;
            session.plan.columns = columns;
        }
    }

    /// From the first packet to the exit status. `further`: what a command has to add to its reports.
    pub(super) fn run<R: Run>(
        self,
        subject: &Subject,
        start: impl FnOnce() -> Result<Started<R>, StartError>,
        further: impl FnOnce(Reports<'_>) -> Option<Finding>,
    ) -> Result<Exit, Failure> {
        let Self {
            options,
            mut companions,
            mut signals,
            sink,
        } = self;
        let (results, log) = (&options.results, &options.log);
        let Started {
            run,
            sessions: planned,
            mut failed,
            waiting,
        } = start()?;
        let mut targets = Targets::of(&planned, failed.iter().chain(&waiting));
        targets.say(log, &failed, NOT_MEASURED);
        targets.say(log, &waiting, NOT_MEASURED_YET);
        let has_tlvs = planned.iter().any(|it| !it.plan.tlvs.is_empty());
        let mut known = Known::of(planned, run.sessions(), &failed);
        let (names, keys) = (known.names(), &subject.label_keys);
        let output = match sink {
            Some(sink) => Ok(RunOutput::into_sink(sink)),
            None => RunOutput::open(results, log, names, keys, has_tlvs),
        };
        let mut output = match output.and_then(|output| output.beside(companions.write())) {
            Ok(output) => output,
            Err(error) => return unwritten(&error),
        };
        let beginning = known.beginning(subject, options, run.sessions());
        companions.begin(&beginning, &mut signals)?;
        let progress = if companions.have_terminal() {
            ProgressLine::none()
        } else {
            output.progress(results, log)
        };
        let series = beginning.series(0);
        let names = Arc::clone(known.names());
        let mut observers = RunObservers::new(series, names, results.records())
            .of_run()
            .with(companions)
            .waits_for(targets.timeout, log.quiet);
        let watched = watch(
            run,
            (subject, &mut known),
            options,
            &signals,
            &mut output,
            &mut observers,
            (progress, targets.length),
        );
        let mut measured = match watched {
            Ok(measured) => measured?,
            Err(error) => return unwritten(&error),
        };
        let refused = measured
            .control
            .iter_mut()
            .flat_map(|control| &mut control.refused);
        for session in refused {
            let planned = known.planned.get(session.number.wrapping_sub(1));
            session.path = planned.and_then(|planned| planned.path);
        }
        failed.append(&mut measured.failed);
        measured.failure = measured.failure.or_else(|| targets.failure(&failed));
        measured.failed = failed;
        report(measured, &known, observers, &mut output, further)
    }
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch<R: Run>(
    mut run: R,
    (subject, known): (&Subject, &mut Known),
    options: &RunOptions,
    signals: &Signals,
    output: &mut RunOutput,
    observers: &mut RunObservers,
    (mut progress, length): (ProgressLine<Stderr>, Option<Duration>),
) -> io::Result<Result<Measured, Failure>> {
    // With -v it is printed anyway.
    let notices = !options.log.quiet && !options.results.verbose;
    let mut next_progress = Instant::now();
    // Since when packets have been sent.
    let mut sending: Option<Instant> = None;
    let poll_every = poll_every(run.sessions().len());
    let mut states = SessionStates::of_run(length);
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let renewed = run.renew(&known.planned);
        if known.grow(renewed, run.agreed(), run.sessions()) {
            observers.grow(&known.beginning(subject, options, run.sessions()));
        }
        while let Some(event) = run.next_event() {
            match event.after {
                After::Nothing => {}
                After::Session(session) => {
                    observers.drain_session(session, run.sessions_mut(), output)?;
                }
                After::All => {
                    observers.drain(run.sessions_mut(), output)?;
                }
            }
            event.tell(notices.then_some(&mut progress), observers, output)?;
        }
        let all = observers.drain(run.sessions_mut(), output)?;
        if !finished {
            for event in states.look(known, run.sessions()) {
                event.tell(notices.then_some(&mut progress), observers, output)?;
            }
        }
        observers.companions.look();
        if signals.progress_requested() {
            progress.erase();
            observers.ask_glance(known, run.sessions());
        }
        observers.refresh(run.sessions());
        output.flush()?;
        if finished && all {
            progress.erase();
            observers.leave(run.sessions());
            return Ok(run.join());
        }
        let left = observers.show(run.sessions_mut());
        let told = left || signals.stop_requested();
        if told || output.is_closed() {
            run.stop();
        }
        if told {
            let so_far = together(run.sessions().iter().map(SessionHandle::progress));
            observers.stopping(&so_far, &mut progress);
        }
        let now = Instant::now();
        if now >= next_progress {
            let sessions = run.sessions().iter().map(SessionHandle::progress);
            if sending.is_none() && sessions.clone().any(|session| session.sent > 0) {
                sending = Some(now);
            }
            progress.show(&if observers.have_targets() {
                let elapsed = sending.map(|since| now - since);
                progress::many(sessions, elapsed.ok_or_else(|| run.accepted()), length)
            } else {
                progress::one(&together(sessions))
            });
            next_progress = now + PROGRESS;
        }
        if all {
            thread::sleep(poll_every);
        }
    }
}

/// The run is over: its files, its report and the exit status.
fn report(
    measured: Measured,
    known: &Known,
    mut observers: RunObservers,
    output: &mut RunOutput,
    further: impl FnOnce(Reports<'_>) -> Option<Finding>,
) -> Result<Exit, Failure> {
    let Measured {
        sessions: all,
        findings,
        mut control,
        failed,
        failure,
    } = measured;
    words::finding::put([], control.as_mut());
    let mut ended = EndedSessions::new(all, known, findings);
    let count = ended.all().len();
    ended.further = further(Reports::OnDemand(count, &|place| ended.report(place)));
    let to_save = |place| ended.to_save(place);
    let to_save = Outcome::new(Reports::OnDemand(count, &to_save), control.as_ref());
    let mut written = observers.companions.save(to_save.with_failed(&failed));
    written.extend(logs::written());
    if let Err(error) = observers.last_rows(ended.all(), output) {
        return unwritten(&error);
    }
    let make = |place| ended.report(place);
    let outcome = Outcome::new(Reports::OnDemand(count, &make), control.as_ref());
    let outcome = outcome.with_failed(&failed);
    let sessions = outcome.sessions.iter().inspect(|report| log_end(report));
    let verdict = verdict(sessions, known.differing());
    let drawn = observers.companions.draw(outcome.with_written(&written));
    written.extend(drawn);
    let printed = output.report(outcome.with_written(&written));
    conclude(&written, printed, || failure.map_or(verdict, Err))
}

fn log_end(report: &SessionReport) {
    let counters = &report.counters;
    info!(
        sent = counters.sent,
        received = counters.received,
        lost = counters.lost,
        dscp = %report.identity.tos.dscp(),
        "finished"
    );
}

/// Waits for the end of a run without a view.
pub(super) fn finish(run: impl Run, signals: &Signals) -> Result<Measured, Failure> {
    while !run.is_finished() {
        if signals.stop_requested() {
            run.stop();
        }
        thread::sleep(POLL_EVERY);
    }
    run.join()
}

/// The end of a command: that of its output and its `verdict`, unless a file could not be written. Of
/// several failures all are said.
pub(super) fn conclude(
    written: &[Written],
    printed: io::Result<()>,
    verdict: impl FnOnce() -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let end = printed.map_or_else(|error| unwritten(&error), |()| verdict());
    // The log file's is said when no more lines can be lost.
    let files = written.iter().filter(|file| file.what != WrittenFile::Log);
    let mut failures: Vec<Failure> = files.filter_map(Written::failure).collect();
    let Some(last) = failures.pop() else {
        return end;
    };
    for failure in end.err().iter().chain(&failures) {
        print_to_stderr(&format!("twinpath: {failure}"));
        if logs::in_file() {
            tracing::error!("{failure}");
        }
    }
    Err(last)
}

/// The exit status of a run with reports, which are called by what they are `differing` in.
pub(super) fn verdict<'a>(
    reports: impl Iterator<Item = Cow<'a, SessionReport>>,
    differing: Differing,
) -> Result<Exit, Failure> {
    // Of those that replies were to come to.
    let mut lost = 0;
    let (mut all, mut sent, mut received, mut begun) = (0_usize, 0, 0, false);
    // How many are incomplete, and the first of them.
    let (mut some, mut first) = (0_usize, None);
    for report in reports {
        all += 1;
        sent += report.counters.sent;
        received += report.counters.received;
        lost += report.counters.lost;
        begun |= report.has_begun();
        if let Some(finding) = report.incompletely_measured() {
            some += 1;
            first.get_or_insert_with(|| {
                let name = differing.name(&report.identity);
                (name, words::finding::line(finding))
            });
        }
    }
    match (sent, received) {
        (0, _) => Err(Failure::could_not(if begun {
            "stopped before the fate of any packet was known"
        } else {
            "stopped before the first packet was due"
        })),
        _ if let Some((name, line)) = first => Err(Failure::could_not(if all == 1 {
            line
        } else {
            let were = if some == 1 { "was" } else { "were" };
            format!("{some} of {all} sessions {were} measured incompletely; {name}: {line}")
        })),
        (_, 0) if lost > 0 => Ok(Exit::AllLost),
        _ => Ok(Exit::Done),
    }
}
