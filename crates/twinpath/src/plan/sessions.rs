//! `twinpath sender`: from arguments to the sessions that it measures.

mod ports;
mod ways;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_report::FailedTarget;
use twinpath_runtime::host::raise_descriptor_limit;
use twinpath_runtime::measure::spread;
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::Tos;

use crate::args::{Label, MOST_SESSIONS, Ports, SenderArgs};
use crate::failure::{Exit, Failure};

use self::ports::{PortsTaken, check_descriptors};
use self::ways::{AskedTarget, Way, count, distinct, is_only_one, label_keys, ways};
use super::lookups::in_parallel;
use super::named_end::NamedEnd;
use super::resolve::Lookup;
use super::sender::{ports_suffice, random_seed};
use super::targets;
use super::threads;

/// Up to this many sessions have a thread each, which departs more exactly; more share threads.
const MOST_EXACT: usize = 16;
/// The same where they depart so often, or busy-wait, that sharing would be worse.
const MOST_EXACT_DENSE: usize = 64;
/// A far end is silent when nothing came back for this long, for so many timeouts and so many intervals.
const SILENCE: Duration = Duration::from_secs(10);
const SILENT_TIMEOUTS: u32 = 3;
const SILENT_INTERVALS: u32 = 4;
/// Packets that leave more often than this are dense.
const DENSE: Duration = Duration::from_millis(1);

/// A session to measure: its plan, and what it is called in every output.
#[derive(Clone, Debug)]
pub(crate) struct PlannedSession {
    pub(crate) plan: SenderPlan,
    pub(crate) target: Target,
    pub(crate) class: Tos,
    /// From 1; `None` without `--paths` and several member links.
    pub(crate) path: Option<u16>,
    /// How its far end is found; the sessions of a target share it. `None`: it was agreed on.
    pub(crate) end: Option<Arc<NamedEnd>>,
}

impl PlannedSession {
    /// For how long it is silent before its far end's name is looked up again.
    pub(crate) fn silence(&self) -> Duration {
        SILENCE
            .max(self.plan.timeout * SILENT_TIMEOUTS)
            .max(self.plan.schedule.mean_interval() * SILENT_INTERVALS)
    }
}

/// A far end, as given and as used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name in the file, or its address as given.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) labels: Vec<Label>,
    /// It had another address before.
    pub(crate) has_moved: bool,
    /// It was given where there can be others.
    pub(crate) is_listed: bool,
}

/// What is measured, and what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlannedSessions {
    pub(crate) sessions: Vec<PlannedSession>,
    /// What is measured once its name has an address.
    pub(crate) waiting: Vec<WaitingTarget>,
    pub(crate) failed: Vec<FailedTarget>,
    /// Keys of the labels that targets have, each once.
    pub(crate) label_keys: Vec<String>,
}

/// A target whose name has no address yet.
#[derive(Clone, Debug)]
pub(crate) struct WaitingTarget {
    pub(crate) end: Arc<NamedEnd>,
    /// Its sessions, without an address.
    pub(crate) sessions: Vec<PlannedSession>,
    /// Why it is not measured.
    pub(crate) failed: FailedTarget,
}

impl PlannedSessions {
    /// How many targets are measured.
    pub(crate) fn targets(&self) -> usize {
        let targets = self.sessions.iter();
        let targets: HashSet<(&str, SocketAddr)> = targets
            .map(|session| (&*session.target.name, session.target.address))
            .collect();
        targets.len()
    }

    /// Those that are measured, and those that wait for an address.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PlannedSession> {
        let waiting = self.waiting.iter().flat_map(|target| &target.sessions);
        self.sessions.iter().chain(waiting)
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut PlannedSession> {
        let waiting = self.waiting.iter_mut();
        let waiting = waiting.flat_map(|target| &mut target.sessions);
        self.sessions.iter_mut().chain(waiting)
    }
}

/// All sessions: targets x classes x paths. A far end that is the only one and cannot be resolved is a
/// failure; one of several is left out and listed. `say`: how many names of how many are looked up.
///
/// # Errors
/// Arguments that exclude each other, a file that is not understood, sizes that do not fit, too many
/// sessions.
pub(crate) fn sessions(
    args: &SenderArgs,
    lookup: Lookup<'_>,
    mut say: impl FnMut(usize, usize),
) -> Result<PlannedSessions, Failure> {
    let is_only_one = is_only_one(args);
    let from_file = match &args.targets.targets {
        Some(path) => targets::read(path, &args.given)?,
        None => Vec::new(),
    };
    let seed = args.session.schedule.seed;
    let seed = seed.map_or_else(random_seed, u64::from);
    let (ways, asked) = ways(args, &from_file, seed)?;
    distinct(&asked)?;
    let all = count(&asked, &ways)?;
    let of_all = asked.len();
    let ends = in_parallel(
        &asked,
        |asked| asked.end.ends(lookup),
        |done| say(done, of_all),
    );
    let mut planned = PlannedSessions {
        label_keys: label_keys(&asked),
        ..PlannedSessions::default()
    };
    let mut ports = PortsTaken::default();
    let mut faults = Vec::new();
    for (asked, ends) in asked.into_iter().zip(ends) {
        let Some(way) = ways.get(asked.way) else {
            continue;
        };
        let template = way.template.clone();
        let plan = match ends.and_then(|ends| asked.end.aim(template, ends)) {
            Ok(plan) => plan,
            Err(failure) if is_only_one => return Err(failure),
            // No look-up can mend an address.
            Err(failure) if failure.exit == Exit::Usage && !asked.end.is_name() => {
                faults.push(asked.at_its_place(failure));
                continue;
            }
            Err(failure) if of_all > 1 && way.is_endless() && asked.end.is_name() => {
                planned.waiting.push(WaitingTarget {
                    sessions: way.sessions_of(&asked, &way.template, all, &mut ports)?,
                    end: Arc::clone(&asked.end),
                    failed: asked.failed(failure),
                });
                continue;
            }
            Err(failure) => {
                planned.failed.push(asked.failed(failure));
                continue;
            }
        };
        let sessions = way.sessions_of(&asked, &plan, all, &mut ports)?;
        match guarded(sessions, &asked.end) {
            Ok(sessions) => planned.sessions.extend(sessions),
            Err(failure) if is_only_one => return Err(failure),
            Err(failure) => planned.failed.push(asked.failed(failure)),
        }
    }
    targets::all_of(faults)?;
    let threads = threads::shared(planned.all().map(|one| &one.plan), args.targets.threads);
    check_descriptors(&planned.sessions, threads, raise_descriptor_limit())?;
    spread(planned.all_mut().map(|one| &mut one.plan), seed);
    Ok(planned)
}

/// With what protects their packets: each has its own SSID, by which a key may be chosen.
fn guarded(
    mut sessions: Vec<PlannedSession>,
    end: &NamedEnd,
) -> Result<Vec<PlannedSession>, Failure> {
    for PlannedSession { plan, .. } in &mut sessions {
        let far = plan.far.ip();
        end.protect(plan, far)?;
    }
    Ok(sessions)
}

impl Way<'_> {
    /// The sessions of one target, whose plan has its addresses. `all`: how many sessions there are
    /// of all targets.
    fn sessions_of(
        &self,
        asked: &AskedTarget,
        plan: &SenderPlan,
        all: usize,
        ports: &mut PortsTaken,
    ) -> Result<Vec<PlannedSession>, Failure> {
        let target = Target {
            name: asked.name.clone(),
            address: plan.far,
            labels: asked.labels.clone(),
            has_moved: false,
            is_listed: asked.is_listed,
        };
        let plan = SenderPlan {
            exact: is_exact(plan, all),
            ..plan.clone()
        };
        let of_each = (&*self.classes, self.several_paths());
        let micro_sessions = &self.options.stamp.micro_session;
        let place = asked.place.as_ref();
        let mut sessions = ports.sessions_of(&plan, &target, of_each, micro_sessions, place)?;
        for session in &mut sessions {
            session.end = Some(Arc::clone(&asked.end));
        }
        Ok(sessions)
    }
}

/// The sessions that a controller agrees on with one server: classes x paths, each as `plan` says.
///
/// # Errors
/// Too many sessions, fewer ports or descriptors than they need.
#[cfg(feature = "control")]
pub(super) fn of_server(
    plan: SenderPlan,
    target: &Target,
    classes: &[Tos],
    paths: Option<u16>,
    threads: Option<usize>,
) -> Result<Vec<PlannedSession>, Failure> {
    let side_by_side = paths.unwrap_or(1);
    let all = classes.len() * usize::from(side_by_side);
    if all > MOST_SESSIONS {
        let factors = format!(" ({} classes x {side_by_side} paths)", classes.len());
        return Err(too_many(all, &factors));
    }
    if let PortChoice::Range(low, high) = plan.port {
        ports_suffice(Ports { low, high }, all)?;
    }
    let plan = SenderPlan {
        exact: is_exact(&plan, all),
        ..plan
    };
    let mut sessions =
        PortsTaken::default().sessions_of(&plan, target, (classes, paths), &[], None)?;
    let threads = threads::shared(sessions.iter().map(|one| &one.plan), threads);
    check_descriptors(&sessions, threads, raise_descriptor_limit())?;
    spread(sessions.iter_mut().map(|one| &mut one.plan), plan.seed);
    Ok(sessions)
}

fn too_many(all: usize, factors: &str) -> Failure {
    Failure::usage(format!(
        "{all} sessions{factors}: use at most {MOST_SESSIONS}, in several processes"
    ))
}

/// Whether a session has a thread of its own where there are so many.
fn is_exact(plan: &SenderPlan, all: usize) -> bool {
    let dense = plan.spin || plan.schedule.mean_interval() < DENSE;
    all <= MOST_EXACT || dense && all <= MOST_EXACT_DENSE
}

#[cfg(test)]
mod tests;
