//! What a command measures, for all parts of the run.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use twinpath_metrics::Series;
use twinpath_report::{FailedTarget, Identity, SessionReport};
use twinpath_runtime::measure::{Progress, SessionHandle};
use twinpath_wire::Wall;

use crate::args::RunOptions;
use crate::output::names::Differing;
use crate::output::progress::{self, together};
use crate::output::targets::{self, SoFar};
use crate::output::{SessionName, units};
use crate::plan::{PlannedSession, identities};

/// What is measured.
pub(super) struct Subject {
    pub(super) command: &'static str,
    /// The reflector, the Server, or how many targets there are.
    pub(super) far: String,
    /// The protocol, for the view.
    pub(super) what: String,
    /// Keys of the labels that targets have.
    pub(super) label_keys: Vec<String>,
}

/// A run whose sessions are about to begin.
pub(super) struct Beginning<'a> {
    pub(super) subject: &'a Subject,
    pub(super) options: &'a RunOptions,
    /// As many as `sessions`.
    pub(super) planned: &'a [PlannedSession],
    pub(super) sessions: &'a [SessionHandle],
    /// As many, of what is known in advance.
    pub(super) identities: &'a Arc<[Identity]>,
    /// What cannot be measured.
    pub(super) failed: &'a [FailedTarget],
    /// What the sessions are called, where there are several.
    pub(super) names: &'a Arc<[SessionName]>,
}

impl Beginning<'_> {
    /// Empty series of the sessions from `first` on. One stands for all until the sessions' own come: each
    /// takes some kilobytes.
    pub(super) fn series(&self, first: usize) -> Vec<Arc<Series>> {
        let new = self.sessions.iter().skip(first);
        let empty = self.sessions.first().map(|one| Arc::new(one.series()));
        new.filter_map(|_| empty.clone()).collect()
    }
}

/// What is known of the sessions of a run, to which others may come.
pub(super) struct Known {
    pub(super) planned: Vec<PlannedSession>,
    identities: Arc<[Identity]>,
    names: Arc<[SessionName]>,
    failed: Box<[FailedTarget]>,
    /// Sessions that were agreed on with a server.
    agreed: usize,
}

impl Known {
    /// `sessions`: as many as `planned`.
    pub(super) fn of(
        planned: Vec<PlannedSession>,
        sessions: &[SessionHandle],
        failed: &[FailedTarget],
    ) -> Self {
        let mut known = Self {
            planned: Vec::new(),
            identities: Arc::default(),
            names: Arc::default(),
            failed: failed.into(),
            agreed: 0,
        };
        known.grow(planned, 0, sessions);
        known
    }

    /// These have begun, and so many are agreed on; `sessions`: all of them. Whether anything is known that was
    /// not before.
    pub(super) fn grow(
        &mut self,
        begun: Vec<PlannedSession>,
        agreed: usize,
        sessions: &[SessionHandle],
    ) -> bool {
        if begun.is_empty() && agreed == self.agreed {
            return false;
        }
        self.agreed = agreed;
        self.planned.extend(begun);
        self.identities = identities(&self.planned, sessions).collect();
        let identities: Vec<&Identity> = self.identities.iter().collect();
        self.names = SessionName::all(&identities, !self.failed.is_empty()).into();
        true
    }

    /// In what the sessions differ.
    pub(super) fn differing(&self) -> Differing {
        Differing::of(self.identities.iter())
    }

    /// What the sessions are called, where there are several.
    pub(super) fn names(&self) -> &Arc<[SessionName]> {
        &self.names
    }

    /// `sessions`: all of them.
    pub(super) fn beginning<'a>(
        &'a self,
        subject: &'a Subject,
        options: &'a RunOptions,
        sessions: &'a [SessionHandle],
    ) -> Beginning<'a> {
        Beginning {
            subject,
            options,
            planned: &self.planned,
            sessions,
            identities: &self.identities,
            failed: &self.failed,
            names: &self.names,
        }
    }

    /// All sessions together, then what is remarkable about them by `now`, a line each.
    pub(super) fn so_far(&self, sessions: &[Progress], now: Wall) -> String {
        let all = together(sessions.iter().copied());
        let all = progress::one(&Progress {
            last_round_trip_ns: None,
            ..all
        });
        let count = units::count(sessions.len() as u64, "session", "sessions");
        let identities = self.identities.iter();
        let each = identities.zip(sessions);
        let each = each.map(|(identity, progress)| SoFar::of(identity, progress, now));
        let words = targets::so_far(each, self.differing(), &self.failed);
        format!("{count}: {all}\n{words}")
    }

    /// What the session of this number measures: a name and its address.
    pub(super) fn target(&self, number: usize) -> Option<(&str, IpAddr)> {
        let identity = self.identities.get(number.wrapping_sub(1))?;
        let target = identity.target.as_ref()?;
        Some((&target.name, identity.reflector.ip()))
    }

    /// Adds the facts to a report that its session does not have.
    pub(super) fn complete(&self, report: &mut SessionReport) {
        let known = self.identities.get(report.identity.number.wrapping_sub(1));
        if let Some(known) = known {
            report.identity.target.clone_from(&known.target);
            report.identity.path = known.path;
        }
    }
}

/// The system clock, by which packets are stamped.
pub(super) fn now() -> Wall {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Wall::from_unix_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
