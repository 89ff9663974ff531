//! `twinpath report`: what was saved or captured, through the same series and outputs as a run.

mod alike;
mod compare;
mod merge;
mod replay;
mod saved_run;
mod source;
mod store;
#[cfg(test)]
#[cfg(feature = "pictures")]
mod tests;

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;

use tracing::Level;
use twinpath_report::{FailedTarget, SessionReport};

use self::replay::Replay;
use self::source::Source;
use super::companions::Companions;
use super::ended_sessions::take_series;
use super::measure::{conclude, verdict};
use super::output_files::distinct_files;
use super::run_observers::RunObservers;
use super::run_output::RunOutput;
use super::{remark, unwritten};
use crate::args::ReportArgs;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::SessionName;
use crate::output::names::{Differing, NamedTarget};
use crate::output::style::Style;
use crate::output::{Meta, Outcome, packets, words};
use crate::plan;
use crate::saved::Row;

/// Why there is no report: of the files, or of the stream that it goes to.
enum Trouble {
    File(Failure),
    Output(io::Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::File(failure)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let files = args.files.iter().map(|path| ("FILE", path.as_path()));
    let read: Vec<_> = files.chain(args.keys.read_files()).collect();
    distinct_files(&args.written_files(), &read)?;
    packets::labels_fit(&args.results, false)?;
    logs::start(&args.log, Level::WARN)?;
    remark(&args.log, args.unshown_figures());
    let done = if args.compare {
        store::source(args)?;
        compare::run(args)
    } else {
        report(args, &|meta, names| {
            RunOutput::of(meta, &args.results, &args.log, names)
        })
    };
    match done {
        Ok(exit) => Ok(exit),
        Err(Trouble::File(failure)) => Err(failure),
        Err(Trouble::Output(error)) => unwritten(&error),
    }
}

/// The report of these files, and no comparison, on another stream than stdout.
pub(super) fn on(args: &ReportArgs, out: Box<dyn Write>) -> Result<Exit, Failure> {
    let out = Cell::new(Some(out));
    let done = report(args, &|meta, names| {
        let out = out.take().unwrap_or_else(|| Box::new(io::sink()));
        let style = Style::PLAIN;
        RunOutput::on(out, style, meta, &args.results, &args.log, names)
    });
    match done {
        Ok(exit) => Ok(exit),
        Err(Trouble::File(failure)) => Err(failure),
        Err(Trouble::Output(error)) => unwritten(&error),
    }
}

/// Opens what a report goes to: about which runs, and the names of several sessions.
type Open<'a> = dyn Fn(Meta, &[SessionName]) -> io::Result<RunOutput> + 'a;

fn report(args: &ReportArgs, output: &Open<'_>) -> Result<Exit, Trouble> {
    if let Some(source) = store::source(args)? {
        return store::report(args, &source, output);
    }
    let sources = open(args)?;
    let sessions: usize = sources.iter().map(|source| source.sessions.len()).sum();
    let meta = together(&sources, args);
    let companions = Companions::of_report(args, &meta.labels)?;
    let names = source::names(&sources);
    let session_names = session_names(&sources, &names, args.merge);
    let has_targets = session_names.iter().any(|name| name.target.is_some());
    packets::labels_fit(&args.results, has_targets)?;
    let mut output = output(meta, &session_names)?.beside(companions.write())?;
    let mut observers = follow(&sources, session_names, args, companions.columns(sessions))?;
    let mut replays = vec![Replay::default(); sessions];
    let mut first = 0;
    let mut reports = Vec::with_capacity(sessions);
    let mut control = None;
    let mut captures = Vec::new();
    let mut failed = Vec::new();
    for (source, name) in sources.iter().zip(&names) {
        read(source, first, &mut observers, &mut replays, &mut output)?;
        let of_file = source.reports(first, &observers, &replays);
        if sources.len() == 1 {
            control = source.control();
        }
        let file = (sources.len() > 1).then(|| name.clone());
        failed.extend(source.failed().into_iter().map(|one| FailedTarget {
            file: file.clone(),
            ..one
        }));
        reports.extend(of_file);
        captures.extend(source.counts(first));
        first += source.sessions.len();
    }
    let files = if args.merge {
        Vec::new()
    } else {
        source::files(&reports, &sources, &names)
    };
    if args.merge {
        let series = (0..sessions).filter_map(|session| observers.series(session));
        let merged = merge::merge(&reports, &sources, series);
        reports.clear();
        reports.extend(merged);
        control = None;
    }
    // Each run has clocks of its own.
    let own: &mut [SessionReport] = if args.merge && sessions > 1 {
        &mut []
    } else {
        &mut reports
    };
    observers.finish(&mut output)?;
    for report in &mut *own {
        if let Some(series) = observers.series(report.identity.number.wrapping_sub(1)) {
            take_series(report, series);
        }
    }
    words::finding::put(own, control.as_mut());
    let sent: u64 = reports.iter().map(|report| report.counters.sent).sum();
    let verdict = match sources.first() {
        Some(source) if sent == 0 => Err(source.nothing()),
        _ => verdict(
            reports.iter().map(Cow::Borrowed),
            Differing::of_reports(reports.as_slice().into()),
        ),
    };
    let outcome = Outcome {
        files: &files,
        captures: &captures,
        failed: &failed,
        ..Outcome::new(reports.as_slice(), control.as_ref())
    };
    let mut written = Vec::from_iter(logs::written());
    written.extend(companions.draw(outcome.with_written(&written)));
    let printed = output.report(outcome.with_written(&written));
    Ok(conclude(&written, printed, || verdict)?)
}

/// The files, if one of them is a capture.
fn open(args: &ReportArgs) -> Result<Vec<Source>, Failure> {
    let sources = Source::all(args)?;
    let given = [
        args.port.map(|_| "--port"),
        args.timeout.map(|_| "--timeout"),
        args.keys.given(),
    ];
    match given.into_iter().flatten().next() {
        Some(option) if !sources.iter().any(Source::is_capture) => {
            Err(Failure::usage(format!("{option} is for captures only"))
                .with_remedy(Some("leave it out: a raw file keeps its own setting")))
        }
        _ => Ok(sources),
    }
}

/// Every row of a file into the series of its sessions, which begin at `first`.
fn read(
    source: &Source,
    first: usize,
    observers: &mut RunObservers,
    replays: &mut [Replay],
    output: &mut RunOutput,
) -> Result<(), Trouble> {
    source.each(&mut |row: Row| {
        let session = usize::try_from(row.session).unwrap_or(0).wrapping_sub(1);
        if session >= source.sessions.len() {
            return Ok(());
        }
        let session = first + session;
        observers.record(session, &row.record, row.tlvs.as_deref(), output)?;
        if let Some(replay) = replays.get_mut(session) {
            replay.record(&row.record);
            observers.look_at(session, replay.newest(), output)?;
        }
        Ok(())
    })
}

/// Empty series of all sessions, as their runs began with, and with a timeline of `columns`.
fn follow(
    sources: &[Source],
    names: Vec<SessionName>,
    args: &ReportArgs,
    columns: Option<usize>,
) -> Result<RunObservers, Failure> {
    let interval = args.results.report_interval.map(|time| time.0);
    let mut series = Vec::new();
    for source in sources {
        for session in &source.sessions {
            let facts = source.facts(session);
            plan::rows_fit(&args.results, facts.timeout)?;
            series.push(Arc::new(facts.open_saved(interval, columns)));
        }
    }
    let lines = args.results.records();
    Ok(RunObservers::new(series, names.into(), lines))
}

/// What the sessions are called, where there can be several.
fn session_names(sources: &[Source], files: &[String], are_merged: bool) -> Vec<SessionName> {
    if are_merged {
        return Vec::new();
    }
    if let [source] = sources {
        let identities = source.sessions.iter().map(|session| &session.identity);
        let has_failed = !source.failed().is_empty();
        return SessionName::all(&identities.collect::<Vec<_>>(), has_failed);
    }
    let mut names = Vec::new();
    for (source, file) in sources.iter().zip(files) {
        let identities = source.sessions.iter().map(|session| &session.identity);
        if source.sessions.len() == 1 {
            names.push(SessionName::new(names.len() + 1, file.clone()));
            continue;
        }
        for name in SessionName::all(&identities.collect::<Vec<_>>(), false) {
            names.push(SessionName {
                number: names.len() + 1,
                text: format!("{file} {}", name.text),
                ..name
            });
        }
    }
    // All have the same columns.
    let have_targets = names.iter().any(|name| name.target.is_some());
    let sessions = sources.iter().flat_map(|source| &source.sessions);
    for (name, session) in names.iter_mut().zip(sessions) {
        let target = session.identity.target.as_ref();
        name.labels = target.map_or_else(Default::default, |target| target.labels.clone());
        if have_targets {
            name.class = session.identity.tos.dscp().to_string();
            name.target = Some(NamedTarget::of(&session.identity));
        }
    }
    names
}

/// Host and labels: what all files agree on, and the user's own.
fn together(sources: &[Source], args: &ReportArgs) -> Meta {
    let mut metas = sources.iter().map(|source| &source.meta);
    let mut meta = metas.next().cloned().unwrap_or_default();
    for other in metas {
        meta.host = meta.host.filter(|host| Some(host) == other.host.as_ref());
        meta.labels.retain(|label| other.labels.contains(label));
    }
    let mut sessions = sources.iter().flat_map(|source| &source.sessions);
    meta.has_tlvs = sessions.any(|session| session.identity.wire.tlv_octets > 0)
        || sources.iter().any(Source::has_captured_tlvs);
    for label in &args.results.labels {
        meta.labels.retain(|known| known.key != label.key);
        meta.labels.push(label.clone());
    }
    meta
}
