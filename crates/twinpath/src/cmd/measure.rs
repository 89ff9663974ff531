//! A measurement from the opening of its files to its exit status: what `sender` and `controller` do
//! alike once they know what to measure.

use std::io::{self, Stderr};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, info};
use twinpath_report::{ControlReport, Finding, SessionReport};
use twinpath_runtime::measure::{self, SessionHandle};
use twinpath_runtime::{SenderPlan, StartError};
use twinpath_wire::Tos;

use super::companions::Companions;
use super::output_files::distinct_files;
use super::run_observers::RunObservers;
use super::run_output::RunOutput;
use super::subject::{Beginning, Subject};
use super::{remark, unwritten};
use crate::args::RunOptions;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::progress::{ProgressLine, together};
use crate::output::{Outcome, Written, WrittenFile, complain, packets, words};
use crate::signals::Signals;

/// How often the run is looked at: samples drained, signals seen.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(20);
/// How often the progress line changes.
pub(super) const PROGRESS: Duration = Duration::from_millis(200);

/// A run with its sessions, as it is watched.
pub(super) trait Run {
    fn sessions(&self) -> &[SessionHandle];
    fn sessions_mut(&mut self) -> &mut [SessionHandle];
    /// What happened on the control connection, where there is one.
    fn next_event(&self) -> Option<Event> {
        None
    }
    /// Ends sending; the result comes when the packets that were sent are answered or lost.
    fn stop(&self);
    fn is_finished(&self) -> bool;
    /// Waits for the end.
    fn join(self) -> Result<Measured, Failure>;
}

/// What happened on a control connection.
pub(super) struct Event {
    pub(super) line: String,
    /// It follows the packets of a session.
    pub(super) is_late: bool,
    /// Measuring goes on without what it ended.
    pub(super) warns: bool,
}

/// What a run came to.
pub(super) struct Measured {
    pub(super) sessions: Vec<SessionReport>,
    pub(super) control: Option<ControlReport>,
    /// Why it is not what was asked for, though there is a report.
    pub(super) failure: Option<Failure>,
}

/// Sessions without a control connection.
pub(super) struct PlainRun {
    sessions: Vec<SessionHandle>,
    classes: Vec<Tos>,
}

impl PlainRun {
    /// Begins to send in one session of each class.
    pub(super) fn start(plan: &SenderPlan, classes: &[Tos]) -> Result<Self, StartError> {
        let plans = classes.iter().enumerate();
        Ok(Self {
            sessions: measure::start_all(plans.map(|(index, tos)| plan.of_session(index, *tos)))?,
            classes: classes.to_vec(),
        })
    }
}

impl Run for PlainRun {
    fn sessions(&self) -> &[SessionHandle] {
        &self.sessions
    }

    fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        &mut self.sessions
    }

    fn stop(&self) {
        self.sessions.iter().for_each(SessionHandle::stop);
    }

    fn is_finished(&self) -> bool {
        self.sessions.iter().all(SessionHandle::is_finished)
    }

    fn join(self) -> Result<Measured, Failure> {
        let joined = measure::join(self.sessions)?;
        let some = joined.failures.len();
        let all = some + joined.sessions.len();
        let failure = joined.failures.first().map(|(index, error)| {
            let class = self.classes.get(*index).copied().unwrap_or_default();
            Failure::could_not(format!(
                "{some} of {all} sessions could not measure; {}: {error}",
                class.dscp()
            ))
        });
        Ok(Measured {
            sessions: joined.sessions,
            control: None,
            failure,
        })
    }
}

/// What a command line asks of a measurement beside its plan, and the files that it is written into.
pub(super) struct Measurement<'a> {
    options: &'a RunOptions,
    companions: Companions,
    pub(super) signals: Signals,
}

/// Makes sure that no file is named twice, those that are `read` included, and begins to log.
pub(super) fn begin(options: &RunOptions, read: &[(&'static str, &Path)]) -> Result<(), Failure> {
    distinct_files(&options.written_files(), read)?;
    packets::labels_fit(&options.results)?;
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
            signals: Signals::listen()?.and_hangups()?.and_glances()?,
        })
    }

    /// What its observers need of the sessions.
    pub(super) fn needs(&self, plan: SenderPlan) -> SenderPlan {
        let results = &self.options.results;
        SenderPlan {
            records: results.records()
                || results.report_interval.is_some()
                || self.companions.read_records(),
            columns: self.companions.columns(),
            ..plan
        }
    }

    /// From the first packet to the exit status. `amend`: what a command has to add to its reports.
    pub(super) fn run<R: Run>(
        self,
        subject: &Subject<'_>,
        start: impl FnOnce() -> Result<R, StartError>,
        amend: impl FnOnce(&mut [SessionReport]),
    ) -> Result<Exit, Failure> {
        let Self {
            options,
            mut companions,
            mut signals,
        } = self;
        let (results, log) = (&options.results, &options.log);
        let run = start()?;
        let mut output = match RunOutput::open(results, log, run.sessions().len() > 1) {
            Ok(output) => output.beside(companions.write()),
            Err(error) => return unwritten(&error),
        };
        let names = class_names(subject.classes);
        let beginning = Beginning {
            subject,
            options,
            sessions: run.sessions(),
            names: &names,
        };
        companions.begin(&beginning, &mut signals)?;
        let progress = if companions.have_terminal() {
            ProgressLine::none()
        } else {
            output.progress(results, log)
        };
        let interval = results.report_interval.map(|time| time.0);
        let sessions = run.sessions().iter();
        let series = sessions.map(|session| session.series(interval, companions.columns()));
        let mut observers = RunObservers::new(series.collect(), names, results.records())
            .of_run(interval.is_some())
            .with(companions)
            .waits_for(subject.plan.timeout, log.quiet);
        // With -v it is printed anyway.
        let alarms = !log.quiet && !results.verbose;
        let measured = match watch(run, &signals, alarms, &mut output, &mut observers, progress) {
            Ok(measured) => measured?,
            Err(error) => return unwritten(&error),
        };
        report(measured, observers, &mut output, amend)
    }
}

/// Follows a run to its end. The outer error is the output's: then the run is given up.
fn watch<R: Run>(
    mut run: R,
    signals: &Signals,
    alarms: bool,
    output: &mut RunOutput,
    observers: &mut RunObservers,
    mut progress: ProgressLine<Stderr>,
) -> io::Result<Result<Measured, Failure>> {
    let mut next_progress = Instant::now();
    loop {
        // Asked before the draining: what was written before the end is drained after it.
        let finished = run.is_finished();
        let mut all = true;
        while let Some(event) = run.next_event() {
            // What comes after a session's packets is printed after them.
            if event.is_late {
                all = observers.drain(run.sessions_mut(), output)?;
            }
            let line = event.line;
            if alarms && event.warns {
                progress.erase();
                complain(&format!("warning: {line}"));
            }
            observers.companions.each(|it| it.event(&line));
            output.event(&line)?;
        }
        all &= observers.drain(run.sessions_mut(), output)?;
        if all {
            observers.look(output)?;
        }
        observers.companions.look();
        if signals.asked_how_far() {
            progress.erase();
            observers.ask_glance(run.sessions());
        }
        observers.refresh(run.sessions());
        output.flush()?;
        if finished && all {
            progress.erase();
            observers.companions.leave();
            return Ok(run.join());
        }
        let so_far = || together(run.sessions().iter().map(SessionHandle::progress));
        let left = observers.show(run.sessions());
        let told = left || signals.stop_requested();
        if told || output.is_closed() {
            run.stop();
        }
        if told {
            observers.stopping(so_far(), &mut progress);
        }
        let now = Instant::now();
        if now >= next_progress {
            progress.show(&so_far());
            next_progress = now + PROGRESS;
        }
        if all {
            thread::sleep(POLL_EVERY);
        }
    }
}

/// The run is over: its files, its report and the exit status.
fn report(
    measured: Measured,
    mut observers: RunObservers,
    output: &mut RunOutput,
    amend: impl FnOnce(&mut [SessionReport]),
) -> Result<Exit, Failure> {
    let Measured {
        sessions: mut reports,
        mut control,
        failure,
    } = measured;
    amend(&mut reports);
    // For the files, and again with what is decided then.
    words::finding::put(&mut reports, control.as_mut());
    for session in &reports {
        let counters = &session.counters;
        info!(
            sent = counters.sent,
            received = counters.received,
            lost = counters.lost,
            dscp = %session.identity.tos.dscp(),
            "finished"
        );
    }
    let outcome = Outcome::new(&reports, control.as_ref());
    let mut written = observers.companions.save(outcome);
    written.extend(logs::written());
    if let Err(error) = observers.finish(&mut reports, output) {
        return unwritten(&error);
    }
    words::finding::put(&mut reports, None);
    let outcome = Outcome::new(&reports, control.as_ref());
    let drawn = observers.companions.draw(outcome.with_written(&written));
    written.extend(drawn);
    let printed = output.report(outcome.with_written(&written));
    conclude(&written, printed, || {
        failure.map_or_else(|| verdict(&reports), Err)
    })
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

/// What the sessions of these classes are called, where there are several.
fn class_names(classes: &[Tos]) -> Vec<String> {
    match classes {
        [] | [_] => Vec::new(),
        classes => classes.iter().map(|tos| tos.dscp().to_string()).collect(),
    }
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
        complain(&format!("twinpath: {failure}"));
        if logs::in_file() {
            tracing::error!("{failure}");
        }
    }
    Err(last)
}

/// The exit status of a run with reports.
pub(super) fn verdict(reports: &[SessionReport]) -> Result<Exit, Failure> {
    let sent: u64 = reports.iter().map(|report| report.counters.sent).sum();
    let received: u64 = reports.iter().map(|report| report.counters.received).sum();
    let incomplete: Vec<(&SessionReport, &Finding)> = reports
        .iter()
        .filter_map(|report| Some((report, report.incompletely_measured()?)))
        .collect();
    match (sent, received) {
        (0, _) => Err(Failure::could_not(
            if reports.iter().any(SessionReport::has_begun) {
                "stopped before the fate of any packet was known"
            } else {
                "stopped before the first packet was due"
            },
        )),
        _ if let Some((first, finding)) = incomplete.first() => {
            let line = words::finding::line(finding);
            Err(Failure::could_not(
                match (incomplete.len(), reports.len()) {
                    (_, 1) => line,
                    (some, all) => format!(
                        "{some} of {all} sessions {} measured incompletely; {}: {line}",
                        if some == 1 { "was" } else { "were" },
                        first.identity.tos.dscp()
                    ),
                },
            ))
        }
        (_, 0) => Ok(Exit::AllLost),
        _ => Ok(Exit::Done),
    }
}
