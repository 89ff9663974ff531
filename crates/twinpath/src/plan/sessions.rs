//! `twinpath sender`: from arguments to the sessions that it measures.

mod ports;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use twinpath_proto::sender::Limit;
use twinpath_report::{FailedTarget, words};
use twinpath_runtime::host::raise_descriptor_limit;
use twinpath_runtime::measure::spread;
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::Tos;

use crate::args::{FarEnd, Label, MOST_SESSIONS, OnNoSsid, Ports, SenderArgs, SessionOptions};
use crate::failure::{Exit, Failure};

use self::ports::{PortsTaken, check_descriptors};
use super::key_file::KeysRead;
use super::lookups::in_parallel;
use super::named_end::{Aim, NamedEnd};
use super::resolve::Lookup;
use super::sender::{Sending, classes, near_end, ports_suffice, random_seed, wire};
use super::targets::{self, Faults, FileTarget, Place};
use super::threads;

/// Up to this many sessions have a thread each, which departs more exactly; more share threads.
const MOST_EXACT: usize = 16;
/// The same where they depart so often, or busy-wait, that sharing would be worse.
const MOST_EXACT_DENSE: usize = 64;
/// Packets that leave more often than this are dense.
const DENSE: Duration = Duration::from_millis(1);

/// A session to measure: its plan, and what it is called in every output.
#[derive(Clone, Debug)]
pub(crate) struct PlannedSession {
    pub(crate) plan: SenderPlan,
    pub(crate) target: Target,
    pub(crate) class: Tos,
    /// From 1; `None` without `--paths`.
    pub(crate) path: Option<u16>,
    /// How its far end is found; the sessions of a target share it. `None`: it was agreed on.
    pub(crate) end: Option<Arc<NamedEnd>>,
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

/// A far end to measure, not yet resolved.
#[derive(Clone, Debug)]
struct AskedTarget {
    end: Arc<NamedEnd>,
    name: String,
    labels: Vec<Label>,
    /// There can be others.
    is_listed: bool,
    /// Where in a file; `None`: on the command line.
    place: Option<Place>,
    /// In which of the ways.
    way: usize,
}

/// How some of the targets are measured.
struct Way<'a> {
    options: &'a SessionOptions,
    /// The plan of each session, but for the far end and the class.
    template: SenderPlan,
    classes: Vec<Tos>,
    aim: Arc<Aim>,
}

impl Way<'_> {
    /// A target of this way.
    fn end(&self, far: &FarEnd) -> Arc<NamedEnd> {
        Arc::new(NamedEnd {
            far: far.clone(),
            aim: Arc::clone(&self.aim),
        })
    }

    fn paths(&self) -> u16 {
        self.options.paths.unwrap_or(1)
    }

    fn is_endless(&self) -> bool {
        self.template.limit == Limit::Endless
    }

    /// Sessions of each target.
    fn sessions(&self) -> usize {
        self.classes.len() * usize::from(self.paths())
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
        let sessions = (&*self.classes, self.options.paths);
        let mut sessions = ports.sessions_of(&plan, &target, sessions, asked.place.as_ref())?;
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
    let mut sessions = PortsTaken::default().sessions_of(&plan, target, (classes, paths), None)?;
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

impl AskedTarget {
    /// The failure with the line of the file that it is in.
    fn at_its_place(&self, failure: Failure) -> Failure {
        match &self.place {
            Some(place) => Failure {
                line: format!("{place}: {}", failure.line),
                ..failure
            },
            None => failure,
        }
    }

    fn failed(&self, failure: Failure) -> FailedTarget {
        FailedTarget {
            error: self.at_its_place(failure).to_string(),
            target: self.name.clone(),
            file: None,
        }
    }
}

fn label_keys(asked: &[AskedTarget]) -> Vec<String> {
    let mut known = HashSet::new();
    let labels = asked.iter().flat_map(|asked| &asked.labels);
    let keys = labels.map(|label| &*label.key);
    keys.filter(|key| known.insert(*key))
        .map(str::to_owned)
        .collect()
}

/// There is a far end that has no others beside it.
fn is_only_one(args: &SenderArgs) -> bool {
    args.targets.to.is_empty() && args.targets.targets.is_none()
}

/// How targets are measured, and all of them in the order in which they are given.
fn ways<'a>(
    args: &'a SenderArgs,
    from_file: &'a [FileTarget],
    seed: u64,
) -> Result<(Vec<Way<'a>>, Vec<AskedTarget>), Failure> {
    let mut keys = KeysRead::default();
    let common = way(args, &args.session, &mut keys, seed)?;
    let is_listed = !is_only_one(args);
    let on_line = args.far.iter().chain(&args.targets.to);
    let mut asked: Vec<AskedTarget> = on_line
        .map(|far| AskedTarget {
            end: common.end(far),
            name: far.to_string(),
            labels: Vec::new(),
            is_listed,
            place: None,
            way: 0,
        })
        .collect();
    let mut ways = vec![common];
    let mut known: HashMap<*const SessionOptions, usize> = HashMap::new();
    let mut faults: Option<Faults> = None;
    for target in from_file {
        let way = match &target.options {
            None => 0,
            Some(options) => match known.entry(Arc::as_ptr(options)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    match way(args, options, &mut keys, seed) {
                        Ok(way) => ways.push(way),
                        Err(failure) => {
                            let line = failure.to_string();
                            let place = &target.place;
                            let faults = faults.get_or_insert_with(|| Faults::of(&place.file));
                            faults.add(place.line, line.strip_prefix("--").unwrap_or(&line));
                        }
                    }
                    *new.insert(ways.len() - 1)
                }
            },
        };
        asked.extend(ways.get(way).map(|of_target| AskedTarget {
            end: of_target.end(&target.far),
            name: target.name.clone(),
            labels: target.labels.clone(),
            is_listed,
            place: Some(target.place.clone()),
            way,
        }));
    }
    faults.map_or(Ok(()), Faults::none)?;
    Ok((ways, asked))
}

fn way<'a>(
    args: &'a SenderArgs,
    options: &'a SessionOptions,
    keys: &mut KeysRead<'a>,
    seed: u64,
) -> Result<Way<'a>, Failure> {
    let classes = classes(options.marking.tos, &options.marking.dscp)?;
    let sending = Sending::of_target(args, options);
    let (wire, tlvs) = wire(&options.stamp)?;
    let mut template = sending.template(wire)?;
    template.tlvs = tlvs;
    template.stop_without_ssid = options.stamp.on_no_ssid == OnNoSsid::Stop;
    if options.schedule.seed.is_none() {
        template.seed = seed;
    }
    Ok(Way {
        aim: Aim::new(
            near_end(args, options),
            options,
            template.wire,
            keys.keys(&options.stamp.keys)?,
        ),
        options,
        template,
        classes,
    })
}

/// Whether outputs can tell targets apart, and none is measured twice in the same way.
fn distinct(asked: &[AskedTarget]) -> Result<(), Failure> {
    let mut names: HashMap<&str, &AskedTarget> = HashMap::new();
    let mut ends: HashMap<(String, usize), &AskedTarget> = HashMap::new();
    let mut failures = Vec::new();
    for one in asked {
        let NamedEnd { far, aim } = &*one.end;
        let end = FarEnd {
            host: far.host.clone(),
            port: Some(far.port.unwrap_or(aim.default_port())),
        };
        let same_end = ends.insert((end.to_string(), one.way), one);
        let same_name = names.insert(&one.name, one);
        let (what, earlier, remedy) = match (same_end, same_name) {
            // A line has no options by which it could be measured in another way.
            (Some(earlier), _) if one.way == 0 => (far.to_string(), earlier, ""),
            (Some(earlier), _) => {
                let remedy = ", or give them different names and options";
                (far.to_string(), earlier, remedy)
            }
            (None, Some(earlier)) => {
                let remedy = ", or give them different names";
                (format!("the name {}", one.name), earlier, remedy)
            }
            (None, None) => continue,
        };
        failures.push(Failure::usage(match (&one.place, &earlier.place) {
            (Some(place), Some(earlier)) => {
                let line = earlier.line;
                format!("{place}: {what} is also in line {line}: leave one out{remedy}")
            }
            (Some(place), None) => {
                format!("{place}: {what} is also on the command line: give it once")
            }
            (None, _) => format!("{what} is given twice: give it once"),
        }));
    }
    targets::all_of(failures)
}

/// How many sessions there will be.
fn count(asked: &[AskedTarget], ways: &[Way<'_>]) -> Result<usize, Failure> {
    let of_way = |asked: &AskedTarget| ways.get(asked.way);
    let all: usize = asked.iter().filter_map(of_way).map(Way::sessions).sum();
    if all > MOST_SESSIONS {
        let targets = asked.len() as u64;
        let factors = match ways {
            [way] => format!(
                " ({} x {} x {})",
                words::count(targets, "target", "targets"),
                words::count(way.classes.len() as u64, "class", "classes"),
                words::count(way.paths().into(), "path", "paths"),
            ),
            _ => format!(" of {}", words::count(targets, "target", "targets")),
        };
        return Err(too_many(all, &factors));
    }
    for one in asked {
        let Some((way, ports)) = of_way(one).and_then(|way| Some((way, way.options.ports?))) else {
            continue;
        };
        let with_a_port_each = if is_exact(&way.template, all) {
            all
        } else {
            way.sessions()
        };
        ports_suffice(ports, with_a_port_each).map_err(|failure| match &one.place {
            Some(place) if one.way > 0 => Failure::usage(format!("{place}: {failure}")),
            Some(_) | None => failure,
        })?;
    }
    Ok(all)
}

/// Whether a session has a thread of its own where there are so many.
fn is_exact(plan: &SenderPlan, all: usize) -> bool {
    let dense = plan.spin || plan.schedule.mean_interval() < DENSE;
    all <= MOST_EXACT || dense && all <= MOST_EXACT_DENSE
}

#[cfg(test)]
mod tests;
