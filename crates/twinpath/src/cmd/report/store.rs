//! Reports over a store: rows of intervals in the place of packets.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::time::Duration;

use twinpath_metrics::{MetricsConfig, SessionMetrics, Timeline};
use twinpath_proto::sender::SenderCounters;
use twinpath_report::finding::Stored;
use twinpath_report::words::instant;
use twinpath_report::{Identity, Origin, SessionReport, Target};
use twinpath_runtime::wall;
use twinpath_wire::{Delta, Dscp, Wall};

use super::merge::recompute;
use super::{Open, Trouble};
use crate::args::{OutputFormat, ReportArgs};
use crate::cmd::companions::Companions;
use crate::cmd::measure::{conclude, verdict};
use crate::cmd::run_output::RunOutput;
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::names::Differing;
use crate::output::past_alarms::bars;
use crate::output::rows::Row;
use crate::output::{Meta, Outcome, SessionName, ShownAlarm, packets, words};
use crate::selector::Selector;
use crate::store::{
    OverTime, PastAlarms, RowKey, SourceError, StoreSource, StoredRow, Unread, column_length,
};

/// All that is ever stored.
const ALL: Range<Wall> = Wall::from_unix_ns(i64::MIN)..Wall::from_unix_ns(i64::MAX);
/// Sessions, classes and paths of a report at most.
const MOST_SESSIONS: usize = 100_000;
/// Sessions, classes and paths of a picture at most that has alarms.
const MOST_WITH_ALARMS: usize = 10;
const DAY: Duration = Duration::from_hours(24);

/// The store that is to be reported on; `None`: the files are others.
///
/// # Errors
/// Files of several kinds, or a directory that is no store's.
pub(super) fn source(args: &ReportArgs) -> Result<Option<StoreSource>, Failure> {
    let directories = args.files.iter().filter(|path| path.is_dir()).count();
    let files = args.files.iter().filter(|path| StoreSource::is_file(path));
    let count = directories + files.count();
    if count == 0 {
        return not_of_files(args).map(|()| None);
    }
    if count < args.files.len() || directories > 0 && args.files.len() > 1 {
        return Err(Failure::usage(
            "a store is reported on alone, by its directory or by files of it",
        )
        .with_remedy(Some("give one directory, or only files of a store")));
    }
    fits(args)?;
    let mut source = match args.files.as_slice() {
        [directory] if directories > 0 => of_directory(directory)?,
        files => of_files(files.to_vec())?,
    };
    let selectors = args.sessions.iter().map(|text| Selector::new(text));
    source.choose(selectors.collect());
    Ok(Some(source))
}

/// Raw files and captures are read whole.
fn not_of_files(args: &ReportArgs) -> Result<(), Failure> {
    let given = [
        args.from.map(|_| "--from"),
        args.to.map(|_| "--to"),
        args.sessions.first().map(|_| "--session"),
    ];
    match given.into_iter().flatten().next() {
        Some(option) => Err(Failure::usage(format!("{option} is for a store only"))
            .with_remedy(Some("leave it out, or give the directory of a store"))),
        None => Ok(()),
    }
}

fn of_directory(directory: &std::path::Path) -> Result<StoreSource, Failure> {
    let shown = directory.display();
    let unread = |error: io::Error| unreadable(&shown.to_string(), &error);
    if StoreSource::is_store(directory).map_err(unread)? {
        return Ok(StoreSource::directory(directory));
    }
    let files = StoreSource::files_in(directory).map_err(unread)?;
    if files.is_empty() || !files.iter().any(|path| StoreSource::is_file(path)) {
        let remedy = if files.is_empty() {
            "give the path of [store], or a file".to_owned()
        } else {
            format!("give the path of [store], or the files: {shown}/*.parquet")
        };
        return Err(
            Failure::could_not(format!("{shown} is not the directory of a store"))
                .with_remedy(Some(remedy)),
        );
    }
    of_files(files)
}

fn of_files(files: Vec<std::path::PathBuf>) -> Result<StoreSource, Failure> {
    let different: BTreeSet<_> = files.iter().map(|path| path.canonicalize().ok()).collect();
    if different.len() < files.len() {
        return Err(Failure::usage("a file of the store is given twice")
            .with_remedy(Some("give each file once")));
    }
    let (source, is_of_one_kind) = StoreSource::files(files);
    if is_of_one_kind {
        return Ok(source);
    }
    Err(
        Failure::usage("some files have rows as measured, and others their sums by the hour")
            .with_remedy(Some("give files of one kind")),
    )
}

/// What a store cannot give.
fn fits(args: &ReportArgs) -> Result<(), Failure> {
    let refuse =
        |what: &str, remedy: &'static str| Err(Failure::usage(what).with_remedy(Some(remedy)));
    let given = [
        args.merge.then_some("--merge"),
        args.compare.then_some("--compare"),
        args.port.map(|_| "--port"),
        args.timeout.map(|_| "--timeout"),
        args.keys.given(),
    ];
    if let Some(option) = given.into_iter().flatten().next() {
        let line = format!("{option} is not for rows of a store, which have no packets");
        return refuse(&line, "leave it out");
    }
    let form = args.results.form();
    let interval = args.results.report_interval.map(|time| time.0);
    if form == OutputFormat::Csv {
        return refuse(
            "--output csv has packets, and rows of a store have none",
            "use --output json, or give files of raw packets (_raw) of the store",
        );
    }
    if interval.is_some() && !form.has_rows() {
        return refuse(
            "--report-interval works with --output text, json and jsonl",
            "use one of them",
        );
    }
    let divides = |interval: Duration| DAY.as_nanos().is_multiple_of(interval.as_nanos().max(1));
    if interval.is_some_and(|interval| !divides(interval)) {
        return refuse(
            "--report-interval is not a part of a day, by which a store is read",
            "use 10s, 1m, 1h, 1d or another part of a day",
        );
    }
    Ok(())
}

/// The report of a store.
pub(super) fn report(
    args: &ReportArgs,
    source: &StoreSource,
    output: &Open<'_>,
) -> Result<Exit, Trouble> {
    let time = time(args)?;
    let failed = |error: SourceError| failure(args, &error);
    let (totals, unread) = source.totals(&time).map_err(failed)?;
    if totals.is_empty() {
        return Err(nothing(args, source, &time, &unread).into());
    }
    if totals.len() > MOST_SESSIONS {
        let line = format!("{} has more than {MOST_SESSIONS} sessions", shown(args));
        let remedy = Some("choose some of them by --session");
        return Err(Failure::could_not(line).with_remedy(remedy).into());
    }
    let sessions = Sessions::of(&totals, source);
    let mut meta = Meta::default();
    meta.labels.clone_from(&args.results.labels);
    packets::labels_fit(&args.results, true)?;
    let companions = Companions::of_report(args, &meta.labels)?;
    let mut output = output(meta, &sessions.names)?.beside(companions.write())?;
    if let Some(step) = args.results.report_interval {
        sessions.intervals(source, &time, step.0, args, &mut output)?;
    }
    let span = span(&totals);
    let columns = companions.columns(totals.len());
    // Each has a row at least.
    let intervals = totals.iter().map(StoredRow::interval_length);
    let least = intervals.max().unwrap_or_default();
    let columns = columns.map(|most| sessions.columns(source, &time, &span, (most, least)));
    let mut columns = columns.transpose().map_err(failed)?;
    let alarms = columns.as_ref().map(|_| alarms(source, &totals, &span));
    let alarms = alarms.unwrap_or_default();
    let rows = totals.into_iter().zip(&sessions.identities);
    let reports: Vec<SessionReport> = rows
        .map(|(row, identity)| {
            let timeline = columns
                .as_mut()
                .and_then(|(width, columns)| Some((*width, columns.remove(&row.key())?)));
            session(&row, identity, timeline, &unread)
        })
        .collect();
    let outcome = Outcome::from(reports.as_slice()).with_alarms(&alarms);
    let mut written = Vec::from_iter(logs::written());
    written.extend(companions.draw(outcome.with_written(&written)));
    let printed = output.report(outcome.with_written(&written));
    Ok(conclude(&written, printed, || {
        verdict(
            reports.iter().map(Cow::Borrowed),
            Differing::of_reports(reports.as_slice().into()),
        )
    })?)
}

/// What each row is of, in the order of the rows.
struct Sessions {
    identities: Vec<Identity>,
    names: Vec<SessionName>,
    /// Their places.
    places: HashMap<RowKey, usize>,
}

/// The columns of each session, and how long one is.
type Timelines = (Duration, HashMap<RowKey, OverTime>);

impl Sessions {
    fn of(rows: &[StoredRow], source: &StoreSource) -> Self {
        let identities = (1..).zip(rows).map(|(number, row)| {
            let target = Target {
                name: row.session.to_string(),
                labels: source.labels_of(&row.session),
                is_listed: true,
                ..Target::default()
            };
            let dscp: Dscp = row.class.parse().unwrap_or_default();
            Identity::unknown(number, target, dscp.tos(), row.path)
        });
        let identities: Vec<Identity> = identities.collect();
        Self {
            names: SessionName::all(&identities.iter().collect::<Vec<_>>(), false),
            identities,
            places: rows.iter().map(StoredRow::key).zip(0..).collect(),
        }
    }

    /// Writes a row for each interval.
    fn intervals(
        &self,
        source: &StoreSource,
        time: &Range<Wall>,
        step: Duration,
        args: &ReportArgs,
        output: &mut RunOutput,
    ) -> Result<(), Trouble> {
        let step_ns = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
        let mut first = None;
        let read = source.steps(time, step, |row| {
            let Some(place) = self.places.get(&row.key()) else {
                // A session that is new since.
                return Ok(());
            };
            let number = row.start.unix_ns().div_euclid(step_ns);
            let index = number - *first.get_or_insert(number);
            let interval = row.interval(u64::try_from(index).unwrap_or(0));
            let name = self.names.get(*place);
            output
                .row(&Row::of_interval(name, &interval))
                .map_err(|error| Stop::Trouble(error.into()))
        });
        match read {
            Ok(_) => Ok(()),
            Err(Stop::Trouble(trouble)) => Err(trouble),
            Err(Stop::Source(error)) => Err(failure(args, &error).into()),
        }
    }

    /// At most so many columns of each, over the time that rows are of.
    fn columns(
        &self,
        source: &StoreSource,
        time: &Range<Wall>,
        span: &Range<Wall>,
        (most, least): (usize, Duration),
    ) -> Result<Timelines, SourceError> {
        let length = u64::try_from((span.end - span.start).ns()).unwrap_or(0);
        let most = most.saturating_sub(1).max(1) as u64;
        let width = column_length(Duration::from_nanos(length), most, least);
        let keys = self.places.keys().cloned();
        let empty = OverTime::new(span.start, span.end, width);
        let mut columns: HashMap<RowKey, OverTime> = keys.map(|key| (key, empty.clone())).collect();
        source.steps(time, width, |row| {
            if let Some(columns) = columns.get_mut(&row.key()) {
                columns.put(&row);
            }
            Ok::<(), SourceError>(())
        })?;
        Ok((width, columns))
    }
}

/// The alarms of each row, for pictures of few sessions: those of many have no room for them.
fn alarms(source: &StoreSource, rows: &[StoredRow], span: &Range<Wall>) -> Vec<Vec<ShownAlarm>> {
    if rows.len() > MOST_WITH_ALARMS {
        return Vec::new();
    }
    let mut known: HashMap<&str, PastAlarms> = HashMap::new();
    let of_rows = rows.iter().map(|row| {
        let of = || source.alarms_of(&row.session, span);
        let all = known.entry(&row.session).or_insert_with(of);
        bars(all, &row.class, row.path)
    });
    of_rows.collect()
}

/// Why the rows came to an end before theirs.
enum Stop {
    Trouble(Trouble),
    Source(SourceError),
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// The report of a session, from the sum of its rows.
fn session(
    row: &StoredRow,
    identity: &Identity,
    columns: Option<(Duration, OverTime)>,
    unread: &Unread,
) -> SessionReport {
    let metrics = SessionMetrics::new();
    let mut report = SessionReport::new(identity.clone(), &metrics, MetricsConfig::default());
    report.origin = Origin::Store;
    report.started = row.start;
    let length = u64::try_from((row.end - row.start).ns()).unwrap_or(0);
    report.duration = Duration::from_nanos(length);
    report.figures = row.all_figures();
    report.delays = row.distributions();
    recompute_with_loss(&mut report);
    report.counters = counters(row, &report);
    report.timeline =
        columns.map(|(width, columns)| Timeline::of_columns(width, columns.into_columns()));
    report.add([Stored::FromStore]);
    report.add(unread.files.first().map(|first| Stored::StoreUnread {
        count: unread.count,
        first: first.clone(),
    }));
    report.add(unread.deleted.clone().map(|time| Stored::StoreDeleted {
        from: time.start,
        until: time.end,
    }));
    report.decide_coverage_again();
    twinpath_report::finding::sort(&mut report.findings);
    words::finding::put([&mut report], None);
    report
}

/// What follows from the delays; of a single row, jitter is known besides.
fn recompute_with_loss(report: &mut SessionReport) {
    let known = [
        report.figures.round_trip,
        report.figures.forward,
        report.figures.backward,
    ];
    recompute(&report.delays, &mut report.figures);
    let figures = &mut report.figures;
    [figures.round_trip, figures.forward, figures.backward] = known;
}

fn counters(row: &StoredRow, report: &SessionReport) -> SenderCounters {
    let figures = &report.figures;
    let skipped = row.count("packets_slots_skipped").unwrap_or(0);
    SenderCounters {
        sent: figures.sent(),
        received: figures.received,
        lost: figures.lost,
        late: figures.late,
        duplicates: figures.duplicates,
        unawaited: figures.unawaited,
        send_errors: figures.not_sent,
        slots_skipped: skipped,
        slots_left_out: skipped,
        ..SenderCounters::default()
    }
}

/// What time is asked for.
fn time(args: &ReportArgs) -> Result<Range<Wall>, Failure> {
    let now = wall();
    let from = args.from.map_or(ALL.start, |from| from.at(now));
    let to = args.to.map_or(ALL.end, |to| to.at(now));
    if from < to {
        return Ok(from..to);
    }
    let (from, to) = (instant(from, 0), instant(to, 0));
    Err(
        Failure::usage(format!("--to {to} is not after --from {from}"))
            .with_remedy(Some("give a later --to")),
    )
}

/// When the first row begins, and the last one ends.
fn span(rows: &[StoredRow]) -> Range<Wall> {
    let start = rows.iter().map(|row| row.start).min().unwrap_or_default();
    let end = rows.iter().map(|row| row.end).max().unwrap_or(start);
    start..end.max(start + Delta::from_ns(1))
}

/// Why there is nothing to report.
fn nothing(
    args: &ReportArgs,
    source: &StoreSource,
    time: &Range<Wall>,
    unread: &Unread,
) -> Failure {
    let shown = shown(args);
    if let Some(first) = unread.files.first() {
        return Failure::could_not(format!("{shown} has no file that can be read: {first}"))
            .with_remedy(Some(
                "use an account that may read it, such as the daemon's",
            ));
    }
    let of = match args.sessions.as_slice() {
        [] => String::new(),
        names => format!(" of {}", names.join(", ")),
    };
    let mut when = String::new();
    if time.start > ALL.start {
        when = format!(" from {}", instant(time.start, 0));
    }
    if time.end < ALL.end {
        when = format!("{when} up to {}", instant(time.end, 0));
    }
    let line = format!("{shown} has no rows{of}{when}");
    let span = source.span().ok().flatten();
    let remedy = span.map(|span| {
        let (from, to) = (instant(span.start, 0), instant(span.end, 0));
        format!("its days are those from {from} to {to}: use other times or sessions")
    });
    Failure::could_not(line).with_remedy(remedy)
}

fn shown(args: &ReportArgs) -> String {
    let files = args.files.iter().map(|path| path.display().to_string());
    match args.files.as_slice() {
        [first, _, ..] => format!("{} and {} more", first.display(), args.files.len() - 1),
        _ => format!("the store {}", files.collect::<String>()),
    }
}

fn failure(args: &ReportArgs, error: &SourceError) -> Failure {
    match error {
        SourceError::Io(error) => unreadable(&shown(args), error),
        SourceError::TooDense => {
            Failure::could_not(format!("cannot report on {}: {error}", shown(args))).with_remedy(
                Some("use a longer --report-interval, or choose sessions by --session"),
            )
        }
    }
}

fn unreadable(shown: &str, error: &io::Error) -> Failure {
    let remedy = if error.kind() == io::ErrorKind::PermissionDenied {
        "use an account that may read it, such as the daemon's"
    } else {
        "give the path of [store]"
    };
    Failure::could_not(format!("cannot read {shown}: {error}")).with_remedy(Some(remedy))
}
