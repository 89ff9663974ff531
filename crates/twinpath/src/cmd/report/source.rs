//! A file that a report is made from: a raw file, or a capture.

use std::collections::BTreeSet;
use std::fs::TryLockError;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_metrics::{MetricsConfig, SessionMetrics};
use twinpath_report::finding::{self, Captured, RawFile};
use twinpath_report::{ControlReport, FailedTarget};
use twinpath_report::{Finding, SessionReport, SessionSetup};
use twinpath_runtime::FigureOptions;
use twinpath_runtime::file;
use twinpath_runtime::measure::SeriesFacts;

use super::Trouble;
use super::replay::Replay;
use crate::args::ReportArgs;
use crate::captured::{self, Capture};
use crate::cmd::run_observers::RunObservers;
use crate::failure::Failure;
use crate::files::{self, Unfit};
use crate::output::captures::CaptureCounts;
use crate::output::{Meta, words};
use crate::plan;
use crate::saved::{FooterEnd, Reader, Row, Unreadable};

/// How long a reply in a capture is waited for, unless the user says.
const USUAL_TIMEOUT: Duration = Duration::from_secs(2);

/// An open file, and what it says of its sessions.
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
    Saved {
        reader: Box<Reader>,
        /// Its run is still being saved.
        growing: bool,
        end: Option<Box<FooterEnd<'static>>>,
    },
    Captured(Box<Capture>),
}

impl Source {
    /// The files of a report. Captures that are merged are read as one: what was under way when one
    /// ended is answered in the next.
    pub(super) fn all(args: &ReportArgs) -> Result<Vec<Self>, Failure> {
        let are_captures = || {
            let mut files = args.files.iter();
            files.all(|path| magic(path).is_some_and(captured::is_magic))
        };
        if args.merge && args.files.len() > 1 && are_captures() {
            return Ok(vec![Self::captured(&args.files, args)?]);
        }
        let sources = args.files.iter().map(|path| Self::open(path, args));
        sources.collect()
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
        // Whoever saves a run holds its file.
        let growing = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        if !growing {
            // A file system without locks is asked for none.
            let _ = file.unlock();
        }
        let reader = Reader::open(file).map_err(|error| broken(&shown, &error))?;
        let (run, end) = reader.facts().map_err(|error| broken(&shown, &error))?;
        Ok(Self {
            meta: run.meta(),
            sessions: run.sessions,
            path: shown,
            wanted,
            rows: Rows::Saved {
                reader: Box::new(reader),
                growing,
                end: end.map(Box::new),
            },
        })
    }

    /// Captures, read as one.
    fn captured(paths: &[PathBuf], args: &ReportArgs) -> Result<Self, Failure> {
        let timeout = args.timeout.map_or(USUAL_TIMEOUT, |time| time.0);
        let capture = Capture::open(paths, args.port, timeout)
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
            Rows::Saved { reader, .. } => reader
                .each(|row| take(row).map_err(Stop::Trouble))
                .map_err(|stop| match stop {
                    Stop::Trouble(trouble) => trouble,
                    Stop::Unreadable(error) => broken(&self.path, &error).into(),
                }),
            Rows::Captured(capture) => capture
                .each(|row| take(row).map_err(Stop::Trouble))
                .map_err(|stop| match stop {
                    captured::Stop::Taker(Stop::Trouble(trouble)) => trouble,
                    captured::Stop::Taker(Stop::Unreadable(error)) => {
                        broken(&self.path, &error).into()
                    }
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
        let mut reports = match &self.rows {
            Rows::Saved { end: Some(end), .. } => end
                .sessions
                .iter()
                .filter_map(|session| {
                    let (metrics, config) = series(session.identity.number)?;
                    let mut report = session.clone().with_samples(metrics, config);
                    report.add(incomplete(&report, end.rows_missing));
                    Some(report)
                })
                .collect(),
            Rows::Saved {
                end: None, growing, ..
            } => {
                let finding = |replay: &Replay| unfinished(replay, *growing).into();
                let mut reports = self.by_rows(first, replays, series, finding);
                for report in &mut reports {
                    report.add(finding::negative(report));
                }
                reports
            }
            Rows::Captured(capture) => {
                let mut reports =
                    self.by_rows(first, replays, series, |_| Captured::FromCapture.into());
                for report in &mut reports {
                    capture.complete(report);
                }
                reports
            }
        };
        for report in &mut reports {
            report.decide_again();
            report.add(self.left_out());
            finding::sort(&mut report.findings);
            report.identity.number += first;
        }
        reports
    }

    /// What of a capture was read; its sessions have their numbers behind `first`.
    pub(super) fn counts(&self, first: usize) -> Option<CaptureCounts> {
        match &self.rows {
            Rows::Captured(capture) => Some(capture.counts(first)),
            Rows::Saved { .. } => None,
        }
    }

    pub(super) fn is_capture(&self) -> bool {
        matches!(self.rows, Rows::Captured(_))
    }

    /// Why nothing is known of any packet of it.
    pub(super) fn nothing(&self) -> Failure {
        let path = &self.path;
        match self.rows {
            Rows::Saved {
                growing: true,
                end: None,
                ..
            } => Failure::could_not(format!(
                "{path} has no finished packet yet: its run has just begun"
            ))
            .with_remedy(Some("try again in a few seconds")),
            Rows::Saved {
                end: None,
                ref reader,
                ..
            } if reader.octets_behind() > 0 => Failure::could_not(format!(
                "{path} has no finished packet in what is left of it: its end is missing or damaged"
            ))
            .with_remedy(Some("copy the file again")),
            Rows::Saved { end: None, .. } => Failure::could_not(format!(
                "{path} has no finished packet: its run was killed soon after it began, or \
                 could not be saved"
            )),
            Rows::Saved { .. } => Failure::could_not(format!(
                "{path} has no finished packet: its run was stopped before"
            )),
            Rows::Captured(_) => Failure::could_not(format!(
                "{path} has no finished packet: it ends before the timeout of the first one"
            ))
            .with_remedy(Some("use a shorter --timeout")),
        }
    }

    /// What of the file is not of its records: a write that was broken off, or, behind a run that came
    /// to its end, octets of others.
    fn left_out(&self) -> Option<RawFile> {
        let Rows::Saved { reader, end, .. } = &self.rows else {
            return None;
        };
        match (reader.octets_behind(), end) {
            (0, _) => None,
            (count, Some(_)) => Some(RawFile::OctetsBehind { count }),
            (_, None) => Some(RawFile::FileTorn),
        }
    }

    /// The control connection of the run, if it had one and came to its end.
    pub(super) fn control(&self) -> Option<ControlReport> {
        match &self.rows {
            Rows::Saved { end: Some(end), .. } => {
                let control = end.control.as_deref()?.clone();
                Some(control.as_read())
            }
            Rows::Saved { end: None, .. } | Rows::Captured(_) => None,
        }
    }

    /// What the run could not measure, if it came to its end.
    pub(super) fn failed(&self) -> Vec<FailedTarget> {
        match &self.rows {
            Rows::Saved { end: Some(end), .. } => end.failed.to_vec(),
            Rows::Saved { end: None, .. } | Rows::Captured(_) => Vec::new(),
        }
    }

    /// Reports of sessions whose end is not known, from their records alone.
    fn by_rows<'a>(
        &self,
        first: usize,
        replays: &[Replay],
        series: impl Fn(usize) -> Option<(&'a SessionMetrics, MetricsConfig)>,
        finding: impl Fn(&Replay) -> Finding,
    ) -> Vec<SessionReport> {
        let replays = replays.iter().skip(first);
        (1..)
            .zip(self.sessions.iter().zip(replays))
            .filter(|(_, (_, replay))| !replay.is_empty())
            .filter_map(|(number, (session, replay))| {
                let (metrics, config) = series(number)?;
                let identity = session.identity.clone();
                let mut report = SessionReport::new(identity, metrics, config);
                replay.complete(&mut report, session.asked);
                report.add(finding::implausible(&report));
                report.findings.push(finding(replay));
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
    let plain = |c: char| if c.is_control() { '?' } else { c };
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

/// Why the rows came to an end before theirs.
enum Stop {
    Trouble(Trouble),
    Unreadable(Unreadable),
}

impl From<Unreadable> for Stop {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

/// The file ends, or the run goes on.
fn unfinished(replay: &Replay, growing: bool) -> RawFile {
    let newest = replay.newest();
    if growing {
        RawFile::StillRunning { newest }
    } else {
        RawFile::Interrupted { newest }
    }
}

/// The file does not hold all that the run counted.
fn incomplete(report: &SessionReport, rows_missing: u64) -> Option<RawFile> {
    let (counters, figures) = (&report.counters, &report.figures);
    let same = counters.received == figures.received && counters.lost == figures.lost;
    (rows_missing > 0 || !same).then(|| RawFile::RecordsMissing {
        count: counters
            .sent
            .saturating_sub(figures.received + figures.lost),
        sent: counters.sent,
    })
}

fn broken(path: &str, error: &Unreadable) -> Failure {
    let remedy = match error {
        Unreadable::Parquet(_)
        | Unreadable::Facts(_)
        | Unreadable::Rows
        | Unreadable::Sessions
        | Unreadable::TooDense
        | Unreadable::Checksum
        | Unreadable::Missing(_) => "use an unchanged file written by --save",
        Unreadable::TooLarge | Unreadable::Encoding => {
            "use the file as written by --save, not one rewritten by another program"
        }
        Unreadable::NoColumn(_) | Unreadable::NoFormat | Unreadable::OtherColumn(_) => {
            "use a file written by --save"
        }
        Unreadable::Unit(_) => {
            "rewrite it with timestamps in nanoseconds (pyarrow: without coerce_timestamps)"
        }
        Unreadable::Format(_) | Unreadable::Word(_) => {
            "read it with the version that wrote it, or a newer one"
        }
    };
    Failure::could_not(format!("cannot read {path}: {error}")).with_remedy(Some(remedy))
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
