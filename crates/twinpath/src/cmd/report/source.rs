//! A file that a report is made from: a raw file, or a capture.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_metrics::{MetricsConfig, SessionMetrics};
use twinpath_report::finding::{self, Captured, RawFile};
use twinpath_report::words::is_plain;
use twinpath_report::{ControlReport, FailedTarget};
use twinpath_report::{Finding, SessionReport, SessionSetup};
use twinpath_runtime::FigureOptions;
use twinpath_runtime::file;
use twinpath_runtime::measure::SeriesFacts;

use super::Trouble;
use super::replay::Replay;
use super::saved_run::SavedRun;
use crate::args::ReportArgs;
use crate::captured::{self, Capture};
use crate::cmd::run_observers::RunObservers;
use crate::failure::Failure;
use crate::files::{self, Unfit};
use crate::output::captures::CaptureCounts;
use crate::output::{Meta, words};
use crate::plan;
use crate::saved::{FooterEnd, Row};

/// The default timeout for replies in a capture.
const USUAL_TIMEOUT: Duration = Duration::from_secs(2);

/// An open file, and its facts about sessions.
pub(super) struct Source {
    /// As the user wrote it.
    pub(super) path: String,
    pub(super) meta: Meta,
    pub(super) sessions: Vec<SessionSetup>,
    /// Bins and thresholds of the user's own, in place of the run's.
    wanted: FigureOptions,
    rows: Rows,
}

enum Rows {
    Saved(SavedRun),
    Captured(Box<Capture>),
}

impl Source {
    /// The files of a report. Those of one run are read as one, in their order. Captures that are
    /// merged are too: what was under way when one ended is answered in the next.
    pub(super) fn all(args: &ReportArgs) -> Result<Vec<Self>, Failure> {
        let are_captures = || {
            let mut files = args.files.iter();
            files.all(|path| magic(path).is_some_and(captured::is_magic))
        };
        if args.merge && args.files.len() > 1 && are_captures() {
            return Ok(vec![Self::captured(&args.files, args)?]);
        }
        // Two files that are compared may be two parts of a run.
        let joins = !args.compare;
        let mut sources: Vec<Self> = Vec::new();
        for path in &args.files {
            let new = Self::open(path, args)?;
            if let Some(new) = if joins {
                new.join(&mut sources)
            } else {
                Some(new)
            } {
                sources.push(new);
            }
        }
        for source in &mut sources {
            if let Rows::Saved(run) = &source.rows {
                run.check()?;
                source.path = run.name();
            }
        }
        Ok(sources)
    }

    /// Joins the one of the same run; `None`: it is part of that one now.
    fn join(mut self, others: &mut [Self]) -> Option<Self> {
        for other in others {
            if let (Rows::Saved(known), Rows::Saved(run)) = (&mut other.rows, &mut self.rows)
                && known.join(run)
            {
                // Sessions were added to the run as it went on.
                if self.sessions.len() > other.sessions.len() {
                    other.sessions = self.sessions;
                }
                return None;
            }
        }
        Some(self)
    }

    pub(super) fn open(path: &Path, args: &ReportArgs) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let wanted = plan::figures(&args.results.figures);
        let mut file = files::open(path).map_err(|error| {
            let remedy = match error {
                Unfit::Kind(file::PIPE) => "write its output to a file, and give that",
                Unfit::Io(_) | Unfit::Kind(_) | Unfit::Link(_) => {
                    "give the name of a raw file (--save) or of a capture"
                }
            };
            Failure::could_not(format!("cannot read {shown}: {error}")).with_remedy(Some(remedy))
        })?;
        let mut magic = [0; 4];
        let known = file.read_exact(&mut magic).is_ok();
        if known && captured::is_magic(magic) {
            return Self::captured(&[path.to_owned()], args);
        }
        if !known || &magic != b"PAR1" {
            return Err(Failure::could_not(format!(
                "cannot read {shown}: neither a raw file nor a capture"
            ))
            .with_remedy(Some(
                "use a file written by --save, or a capture in pcap or pcapng",
            )));
        }
        let (saved, run) = SavedRun::open(path, file)?;
        Ok(Self {
            meta: run.meta(),
            sessions: run.sessions,
            path: shown,
            wanted,
            rows: Rows::Saved(saved),
        })
    }

    /// Captures, read as one.
    fn captured(paths: &[PathBuf], args: &ReportArgs) -> Result<Self, Failure> {
        let timeout = args.timeout.map_or(USUAL_TIMEOUT, |time| time.0);
        let keys = plan::stamp_keys(&args.keys)?;
        let capture = Capture::open(paths, args.port, timeout, keys)
            .map_err(|(path, error)| captured_failure(&path.display().to_string(), &error))?;
        let shown: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Ok(Self {
            sessions: capture.sessions(),
            meta: Meta::default(),
            path: shown.join(", "),
            wanted: plan::figures(&args.results.figures),
            rows: Rows::Captured(Box::new(capture)),
        })
    }

    /// What a series of a session begins with.
    pub(super) fn facts(&self, session: &SessionSetup) -> SeriesFacts {
        let mut facts = SeriesFacts {
            metrics: session.metrics.clone(),
            timeout: session.identity.timeout,
            schedule: session.identity.schedule,
        };
        self.wanted.apply(&mut facts.metrics);
        facts
    }

    /// Hands out every row.
    pub(super) fn each(
        &self,
        take: &mut dyn FnMut(Row) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match &self.rows {
            Rows::Saved(run) => run.each(take),
            Rows::Captured(capture) => capture.each(take).map_err(|stop| match stop {
                captured::Stop::Taker(trouble) => trouble,
                captured::Stop::Capture(error) => captured_failure(&self.path, &error).into(),
            }),
        }
    }

    /// The reports of its sessions, which have their series from `first` on.
    pub(super) fn reports(
        &self,
        first: usize,
        observers: &RunObservers,
        replays: &[Replay],
    ) -> Vec<SessionReport> {
        let series = |number: usize| {
            let metrics = observers
                .series((first + number).checked_sub(1)?)?
                .metrics();
            let session = self.sessions.get(number.checked_sub(1)?)?;
            Some((metrics, self.facts(session).metrics))
        };
        let mut reports = match (&self.rows, self.end()) {
            (Rows::Saved(_), Some(end)) => end
                .sessions
                .iter()
                .filter_map(|session| {
                    let (metrics, config) = series(session.identity.number)?;
                    let mut report = session.clone().with_samples(&metrics, config);
                    report.add(incomplete(&report, end.rows_missing));
                    Some(report)
                })
                .collect(),
            (Rows::Saved(run), None) => {
                let own = replays.iter().skip(first).take(self.sessions.len());
                let unrecorded = own.filter(|replay| replay.is_empty()).count() as u64;
                let finding = |replay: &Replay| run.findings(replay.newest(), unrecorded);
                let mut reports = self.by_rows(first, replays, series, finding);
                for report in &mut reports {
                    if run.is_a_part() {
                        report.counters.asked = None;
                    }
                    if run.has_gaps() {
                        report.achieved_pps = None;
                    }
                    report.add(finding::negative(report));
                }
                reports
            }
            (Rows::Captured(capture), _) => {
                let mut reports = self.by_rows(first, replays, series, |_| {
                    vec![Captured::FromCapture.into()]
                });
                for report in &mut reports {
                    capture.complete(report);
                }
                reports
            }
        };
        for report in &mut reports {
            report.decide_again();
            if let Rows::Saved(run) = &self.rows {
                report.add(run.left_out());
            }
            finding::sort(&mut report.findings);
            report.identity.number += first;
        }
        reports
    }

    /// What of a capture was read; its sessions have their numbers behind `first`.
    pub(super) fn counts(&self, first: usize) -> Option<CaptureCounts> {
        match &self.rows {
            Rows::Captured(capture) => Some(capture.counts(first)),
            Rows::Saved(_) => None,
        }
    }

    /// It is a capture with requests that have TLVs.
    pub(super) fn has_captured_tlvs(&self) -> bool {
        match &self.rows {
            Rows::Captured(capture) => capture.has_tlvs(),
            Rows::Saved(_) => false,
        }
    }

    pub(super) fn is_capture(&self) -> bool {
        matches!(self.rows, Rows::Captured(_))
    }

    /// Why nothing is known of any packet of it.
    pub(super) fn nothing(&self) -> Failure {
        let path = &self.path;
        match &self.rows {
            Rows::Saved(run) => run.nothing(),
            Rows::Captured(_) => Failure::could_not(format!(
                "{path} has no finished packet: it ends before the timeout of the first one"
            ))
            .with_remedy(Some("use a shorter --timeout")),
        }
    }

    /// The control connection of the run, if it had one and came to its end.
    pub(super) fn control(&self) -> Option<ControlReport> {
        let control = self.end()?.control.as_deref()?.clone();
        Some(control.as_read())
    }

    /// What the run could not measure, if it came to its end.
    pub(super) fn failed(&self) -> Vec<FailedTarget> {
        self.end().map_or_else(Vec::new, |end| end.failed.to_vec())
    }

    /// The end of a run that is here as a whole.
    fn end(&self) -> Option<&FooterEnd<'static>> {
        match &self.rows {
            Rows::Saved(run) => run.end(),
            Rows::Captured(_) => None,
        }
    }

    /// Reports of sessions whose end is not known, from their records alone.
    fn by_rows<'a>(
        &self,
        first: usize,
        replays: &[Replay],
        series: impl Fn(usize) -> Option<(Cow<'a, SessionMetrics>, MetricsConfig)>,
        findings: impl Fn(&Replay) -> Vec<Finding>,
    ) -> Vec<SessionReport> {
        let replays = replays.iter().skip(first);
        (1..)
            .zip(self.sessions.iter().zip(replays))
            .filter(|(_, (_, replay))| !replay.is_empty())
            .filter_map(|(number, (session, replay))| {
                let (metrics, config) = series(number)?;
                let identity = session.identity.clone();
                let mut report = SessionReport::new(identity, &metrics, config);
                replay.complete(&mut report, session.asked);
                report.add(finding::implausible(&report));
                report.add(findings(replay));
                Some(report)
            })
            .collect()
    }
}

/// What files are called: without their directories, where that is enough to tell them apart; in
/// plain characters.
pub(super) fn names(sources: &[Source]) -> Vec<String> {
    let paths = sources.iter().map(|source| Path::new(&source.path));
    let short: Option<Vec<_>> = paths.map(Path::file_name).collect();
    let short = short.filter(|names| {
        let different: BTreeSet<_> = names.iter().collect();
        different.len() == names.len()
    });
    let names: Vec<String> = match short {
        Some(names) => names
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect(),
        None => sources.iter().map(|source| source.path.clone()).collect(),
    };
    names.iter().map(|name| plain(name)).collect()
}

/// A file's name as a terminal may have it.
pub(super) fn plain(name: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '?' };
    name.chars().map(plain).collect()
}

/// The file that each session is from, by its name; none where there is one file.
pub(super) fn files(
    reports: &[SessionReport],
    sources: &[Source],
    names: &[String],
) -> Vec<String> {
    if sources.len() < 2 {
        return Vec::new();
    }
    let of_sessions = sources.iter().zip(names);
    let of_sessions: Vec<&String> = of_sessions
        .flat_map(|(source, name)| source.sessions.iter().map(move |_| name))
        .collect();
    reports
        .iter()
        .map(|report| {
            let name = of_sessions.get(report.identity.number.wrapping_sub(1));
            name.map_or_else(String::new, |name| (*name).clone())
        })
        .collect()
}

/// What a file begins with.
fn magic(path: &Path) -> Option<[u8; 4]> {
    let mut magic = [0; 4];
    files::open(path).ok()?.read_exact(&mut magic).ok()?;
    Some(magic)
}

/// The file does not hold all that the run counted.
fn incomplete(report: &SessionReport, rows_missing: u64) -> Option<RawFile> {
    let (counters, figures) = (&report.counters, &report.figures);
    let same = counters.received == figures.received
        && counters.lost == figures.lost
        && counters.unawaited == figures.unawaited;
    (rows_missing > 0 || !same).then(|| RawFile::RecordsMissing {
        count: counters.sent.saturating_sub(figures.sent()),
        sent: counters.sent,
    })
}

fn captured_failure(path: &str, error: &captured::CaptureError) -> Failure {
    // Of what was left out, what may be why.
    let left_out = error.findings().iter();
    let left_out = left_out.filter(|finding| finding.is_warning());
    let said = left_out.fold(String::new(), |said, finding| {
        format!("{said}; {}", words::finding::line(finding))
    });
    Failure::could_not(format!("cannot read {path}: {error}{said}"))
        .with_remedy(Some(error.remedy()))
}
