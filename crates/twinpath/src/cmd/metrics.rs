//! `--metrics` and `--otlp` of a run: its sessions answer scrapes while they are measured.

use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_metrics::Series;
use twinpath_report::Identity;
use twinpath_runtime::clock_state;
use twinpath_runtime::measure::{SeriesFacts, SessionHandle};

use super::companions::{Companion, Opened};
use super::responder::tell_metrics;
use super::subject::Beginning;
use crate::args::{Label, MetricsOptions, SandboxOptions};
use crate::exporter::{self, Counted, Exporter, Families, Labels, MOST_SESSIONS, SessionNow};
use crate::failure::Failure;
use crate::output::names::Differing;
use crate::output::prometheus::session_labels;
use crate::signals::Signals;

/// How long a scrape waits for the figures of the last session.
const SNAPSHOTS: Duration = Duration::from_secs(1);

/// The exporter of a reflector that has not confined itself yet. The thread that pushes connects to a collector, so it is
/// confined separately.
///
/// # Errors
/// Where metrics cannot be pushed.
#[cfg_attr(
    not(feature = "daemon"),
    expect(
        unused_variables,
        clippy::unnecessary_wraps,
        reason = "nothing is pushed"
    )
)]
pub(super) fn unconfined_exporter(
    options: &MetricsOptions,
    confines: &SandboxOptions,
) -> Result<Exporter, Failure> {
    #[cfg_attr(
        not(feature = "daemon"),
        expect(unused_mut, reason = "nothing is pushed")
    )]
    let mut exporter = Exporter::new();
    #[cfg(feature = "daemon")]
    exporter.push(options.push(), crate::sandbox::confine_client(confines))?;
    Ok(exporter)
}

pub(super) struct Metrics {
    exporter: Exporter,
    run_labels: Vec<Label>,
    sessions: Vec<Labels>,
    /// How long after its departure each session's packet has its record.
    known_within: Vec<Duration>,
    scrape: Option<Scrape>,
}

/// A scrape that waits for figures.
struct Scrape {
    counted: Vec<Option<Counted>>,
    /// Sessions that were asked and have not answered.
    missing: usize,
    by: Instant,
}

impl Metrics {
    pub(super) fn open(options: &MetricsOptions, labels: &[Label], quiet: bool) -> Opened {
        if !options.are_read() {
            return Ok(None);
        }
        let mut exporter = Exporter::new();
        exporter.listen(options.address())?;
        #[cfg(feature = "daemon")]
        exporter.push(options.push(), || {})?;
        if !quiet {
            tell_metrics(&exporter);
        }
        Ok(Some(Box::new(Self {
            exporter,
            run_labels: labels.to_vec(),
            sessions: Vec::new(),
            known_within: Vec::new(),
            scrape: None,
        })))
    }

    fn label(&mut self, run: &Beginning<'_>) {
        let are_named = Differing::of(run.identities.iter()).are_named();
        let first = run.identities.iter().take(MOST_SESSIONS);
        let of = |identity: &Identity| session_labels(identity, &self.run_labels, are_named).into();
        self.sessions = first.clone().map(of).collect();
        let known_within = first.map(|identity| SeriesFacts::longest_wait(identity.timeout));
        self.known_within = known_within.collect();
    }

    /// Asks the sessions for their figures. Those that are over have left them.
    fn ask(&self, handles: &[SessionHandle]) -> Scrape {
        let running = handles.iter().take(MOST_SESSIONS);
        let running = running.filter(|handle| !handle.is_finished());
        let asked = running.map(SessionHandle::request_snapshot);
        Scrape {
            missing: asked.count(),
            counted: vec![None; self.sessions.len()],
            by: Instant::now() + SNAPSHOTS,
        }
    }
}

impl Companion for Metrics {
    fn begin(&mut self, run: &Beginning<'_>, _: &mut Signals) -> Result<(), Failure> {
        self.label(run);
        Ok(())
    }

    fn grow(&mut self, run: &Beginning<'_>) {
        self.label(run);
    }

    fn snapshot(&mut self, session: usize, series: &Arc<Series>) {
        let Some(scrape) = &mut self.scrape else {
            return;
        };
        if let Some(counted) = scrape.counted.get_mut(session)
            && let Some(known_within) = self.known_within.get(session)
            && counted
                .replace(Counted::of(&series.metrics(), Some(*known_within)))
                .is_none()
        {
            scrape.missing = scrape.missing.saturating_sub(1);
        }
    }

    /// Answers a scrape, if one waits.
    fn show(&mut self, series: &[Arc<Series>], handles: &mut [SessionHandle]) -> bool {
        if self.scrape.is_none() && self.exporter.is_asked() {
            self.scrape = Some(self.ask(handles));
        }
        let now = Instant::now();
        let is_due = |scrape: &mut Scrape| scrape.missing == 0 || now >= scrape.by;
        let Some(scrape) = self.scrape.take_if(is_due) else {
            return false;
        };
        let families = families(&self.sessions, series, handles, scrape.counted);
        self.exporter.answer(families);
        false
    }

    fn leave(&mut self, series: &[Arc<Series>], handles: &[SessionHandle]) {
        let labels = &self.sessions;
        let none = || vec![None; labels.len()];
        self.exporter
            .end(|| families(labels, series, handles, none()));
    }
}

/// Of the sessions with these labels. `counted`: what they told about themselves.
fn families(
    labels: &[Labels],
    series: &[Arc<Series>],
    handles: &[SessionHandle],
    counted: Vec<Option<Counted>>,
) -> Families {
    let all = labels.iter().zip(handles).zip(series);
    let sessions = all
        .zip(counted)
        .map(|(((labels, handle), series), counted)| {
            // What is left of one that is over comes once, and is kept there.
            let last = || Counted::of(&series.metrics(), None);
            SessionNow {
                labels: Labels::clone(labels),
                progress: handle.progress(),
                counted: counted.or_else(|| handle.is_finished().then(last)),
            }
        });
    let sessions: Vec<SessionNow> = sessions.collect();
    exporter::sessions(&sessions, handles.len(), clock_state())
}
