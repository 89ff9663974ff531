//! `twinpath sender`: from arguments to the sessions that it measures.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use twinpath_proto::sender::Protocol;
use twinpath_report::FailedTarget;
use twinpath_runtime::host::raise_descriptor_limit;
use twinpath_runtime::measure::spread;
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT, Tos};

use crate::args::{FarEnd, Label, MOST_SESSIONS, SenderArgs, SessionOptions};
use crate::failure::Failure;

use super::ends::ends;
use super::resolve::Lookup;
use super::sender::{Sending, classes, payload, ports_suffice, protocol, random_seed};
use super::targets::{self, Faults, FileTarget, Place};

/// Up to this many sessions have a thread each, which departs more exactly; more share threads.
const MOST_EXACT: usize = 16;
/// The same where they depart so often, or busy-wait, that sharing would be worse.
const MOST_EXACT_DENSE: usize = 64;
/// Packets that leave more often than this are dense.
const DENSE: Duration = Duration::from_millis(1);

/// Names are looked up by this many threads at most.
const MOST_LOOKUPS: usize = 64;

/// A session with a thread of its own has a socket, and what its thread is woken by.
const DESCRIPTORS_OF_ITS_OWN: usize = 2;
/// Those of a process with files, signals and a terminal.
const OTHER_DESCRIPTORS: usize = 32;

/// A session to measure: its plan, and what it is called in every output.
#[derive(Clone, Debug)]
pub(crate) struct PlannedSession {
    pub(crate) plan: SenderPlan,
    pub(crate) target: Target,
    pub(crate) class: Tos,
    /// From 1; `None` without `--paths`.
    pub(crate) path: Option<u16>,
}

/// A far end, as given and as used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name in the file, or its address as given.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) labels: Vec<Label>,
}

/// What is measured, and what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlannedSessions {
    pub(crate) sessions: Vec<PlannedSession>,
    pub(crate) failed: Vec<FailedTarget>,
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
}

/// A far end to measure, not yet resolved.
#[derive(Clone, Debug)]
struct AskedTarget {
    far: FarEnd,
    name: String,
    labels: Vec<Label>,
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
}

impl Way<'_> {
    fn paths(&self) -> u16 {
        self.options.paths.unwrap_or(1)
    }

    /// Sessions of each target.
    fn sessions(&self) -> usize {
        self.classes.len() * usize::from(self.paths())
    }
}

/// All sessions: targets x classes x paths. A far end that is the only one and cannot be resolved is a
/// failure; one of several is left out and listed.
///
/// # Errors
/// Arguments that exclude each other, a file that is not understood, sizes that do not fit, too many
/// sessions.
pub(crate) fn sessions(args: &SenderArgs, lookup: Lookup<'_>) -> Result<PlannedSessions, Failure> {
    let is_only_one = args.targets.to.is_empty() && args.targets.targets.is_none();
    let from_file = match &args.targets.targets {
        Some(path) => targets::read(path, &args.given)?,
        None => Vec::new(),
    };
    let seed = args.session.schedule.seed;
    let seed = seed.map_or_else(random_seed, u64::from);
    let (ways, asked) = ways(args, &from_file, seed)?;
    distinct(&asked, &ways)?;
    let all = count(&asked, &ways)?;
    let ends = in_parallel(&asked, |asked| {
        let way = ways.get(asked.way)?;
        let ends = ends(
            &asked.far,
            args.near.as_ref(),
            &way.options.ip,
            default_port(way.template.protocol),
            lookup,
        );
        Some(ends.and_then(|(far, near)| aim(&way.template, way.options, far, near)))
    });
    let mut planned = PlannedSessions::default();
    let mut of_far: HashMap<SocketAddr, usize> = HashMap::new();
    for (asked, end) in asked.into_iter().zip(ends) {
        let (Some(end), Some(way)) = (end, ways.get(asked.way)) else {
            continue;
        };
        let plan = match end {
            Ok(plan) => plan,
            Err(failure) if is_only_one => return Err(failure),
            Err(failure) => {
                planned.failed.push(asked.failed(&failure));
                continue;
            }
        };
        let target = Target {
            name: asked.name,
            address: plan.far,
            labels: asked.labels,
        };
        for path in 1..=way.paths() {
            for class in &way.classes {
                let number = planned.sessions.len();
                let exact = is_exact(&plan, all);
                let beside = of_far.entry(plan.far).or_default();
                // Sessions that share a thread share ports as well, unless they have one far end.
                let port = if exact { number } else { *beside };
                *beside += 1;
                planned.sessions.push(PlannedSession {
                    plan: SenderPlan {
                        exact,
                        seed: plan.seed + number as u64,
                        ..plan.of_session(port, *class)
                    },
                    target: target.clone(),
                    class: *class,
                    path: way.options.paths.map(|_| path),
                });
            }
        }
    }
    check_ports(&planned.sessions)?;
    check_descriptors(
        &planned.sessions,
        args.targets.threads,
        raise_descriptor_limit(),
    )?;
    spread(planned.sessions.iter_mut().map(|one| &mut one.plan), seed);
    Ok(planned)
}

impl AskedTarget {
    fn failed(self, failure: &Failure) -> FailedTarget {
        FailedTarget {
            error: match &self.place {
                Some(place) => format!("{place}: {failure}"),
                None => failure.to_string(),
            },
            target: self.name,
        }
    }
}

/// How targets are measured, and all of them in the order in which they are given.
fn ways<'a>(
    args: &'a SenderArgs,
    from_file: &'a [FileTarget],
    seed: u64,
) -> Result<(Vec<Way<'a>>, Vec<AskedTarget>), Failure> {
    let mut ways = vec![way(args, &args.session, seed)?];
    let on_line = args.far.iter().chain(&args.targets.to);
    let mut asked: Vec<AskedTarget> = on_line
        .map(|far| AskedTarget {
            far: far.clone(),
            name: far.to_string(),
            labels: Vec::new(),
            place: None,
            way: 0,
        })
        .collect();
    let mut known: HashMap<*const SessionOptions, usize> = HashMap::new();
    let mut faults: Option<Faults> = None;
    for target in from_file {
        let way = match &target.options {
            None => 0,
            Some(options) => match known.entry(Arc::as_ptr(options)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    match way(args, options, seed) {
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
        asked.push(AskedTarget {
            far: target.far.clone(),
            name: target.name.clone(),
            labels: target.labels.clone(),
            place: Some(target.place.clone()),
            way,
        });
    }
    faults.map_or(Ok(()), Faults::none)?;
    Ok((ways, asked))
}

fn way<'a>(
    args: &'a SenderArgs,
    options: &'a SessionOptions,
    seed: u64,
) -> Result<Way<'a>, Failure> {
    let classes = classes(options.marking.tos, &options.marking.dscp, None)?;
    let sending = Sending::of_target(args, options);
    let mut template = sending.template(protocol(&options.stamp)?)?;
    if options.schedule.seed.is_none() {
        template.seed = seed;
    }
    Ok(Way {
        options,
        template,
        classes,
    })
}

fn default_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::TwampLight => LIGHT_PORT,
        Protocol::Twamp(_) | Protocol::Stamp { .. } => TWAMP_TEST_PORT,
    }
}

/// Whether outputs can tell targets apart, and none is measured twice in the same way.
fn distinct(asked: &[AskedTarget], ways: &[Way<'_>]) -> Result<(), Failure> {
    let mut names: HashMap<&str, &AskedTarget> = HashMap::new();
    let mut ends: HashMap<(String, usize), &AskedTarget> = HashMap::new();
    let mut failures = Vec::new();
    for one in asked {
        let port = ways
            .get(one.way)
            .map(|way| default_port(way.template.protocol));
        let end = FarEnd {
            host: one.far.host.clone(),
            port: one.far.port.or(port),
        };
        let same_end = ends.insert((end.to_string(), one.way), one);
        let same_name = names.insert(&one.name, one);
        let (what, earlier) = match (same_end, same_name) {
            (Some(earlier), _) => (one.far.to_string(), earlier),
            (None, Some(earlier)) => (format!("the name {}", one.name), earlier),
            (None, None) => continue,
        };
        failures.push(Failure::usage(match (&one.place, &earlier.place) {
            (Some(place), Some(earlier)) => {
                format!("{place}: {what} is also in line {}: leave one out, or give them different names and options", earlier.line)
            }
            (Some(place), None) => format!("{place}: {what} is also on the command line: give it once"),
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
        let targets = asked.len();
        let factors = match ways {
            [way] => format!(
                " ({targets} targets x {} classes x {} paths)",
                way.classes.len(),
                way.paths()
            ),
            _ => format!(" of {targets} targets"),
        };
        return Err(Failure::usage(format!(
            "{all} sessions{factors}: use at most {MOST_SESSIONS}, in several processes"
        )));
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

/// Whether sessions that take consecutive ports all have one.
fn check_ports(sessions: &[PlannedSession]) -> Result<(), Failure> {
    let mut ports = sessions.iter().filter_map(|one| match one.plan.port {
        PortChoice::Exact(port @ 1..) => Some(port),
        PortChoice::Exact(0) | PortChoice::Prefer(_) | PortChoice::Range(..) => None,
    });
    let Some(first) = ports.next() else {
        return Ok(());
    };
    // Ports beyond the last one are the last one.
    let beyond = ports.filter(|port| *port == u16::MAX).count();
    if beyond <= 1 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "from port {first} on there are fewer ports than sessions need"
    ))
    .with_remedy(Some("use a lower port, or 0 for any free ones")))
}

/// Whether the sockets of all sessions can be open at once.
fn check_descriptors(
    sessions: &[PlannedSession],
    threads: usize,
    most: Option<u64>,
) -> Result<(), Failure> {
    let (mut own, mut shared) = (0, HashSet::new());
    for one in sessions {
        let plan = &one.plan;
        if plan.exact {
            own += 1;
        } else {
            let port = match plan.port {
                PortChoice::Exact(port) | PortChoice::Prefer(port) => port,
                PortChoice::Range(..) => one.path.unwrap_or(1),
            };
            shared.insert((port, one.class, plan.far.is_ipv4()));
        }
    }
    let needed = own * DESCRIPTORS_OF_ITS_OWN + shared.len() * threads + OTHER_DESCRIPTORS;
    match most {
        Some(most) if most < needed as u64 => Err(Failure::could_not(format!(
            "{} sessions need {needed} files and sockets open at once, but the limit is {most}",
            sessions.len()
        ))
        .with_remedy(Some("raise it (`ulimit -Hn`), or use fewer --paths"))),
        _ => Ok(()),
    }
}

/// The template with its far end.
fn aim(
    template: &SenderPlan,
    options: &SessionOptions,
    far: SocketAddr,
    near: Option<IpAddr>,
) -> Result<SenderPlan, Failure> {
    Ok(SenderPlan {
        far,
        near,
        payload: payload(options.packet.padding(), template.protocol, far.ip())?,
        ..template.clone()
    })
}

/// Does the same with all of them, some at a time: names are looked up so.
fn in_parallel<T: Sync, R: Send>(all: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = all.len().min(MOST_LOOKUPS);
    if threads <= 1 {
        return all.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            match all.get(index) {
                Some(one) => done.push((index, each(one))),
                None => return done,
            }
        }
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = work();
        done.extend(
            others
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .flatten(),
        );
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Whether a session has a thread of its own where there are so many.
fn is_exact(plan: &SenderPlan, all: usize) -> bool {
    let dense = plan.spin || plan.schedule.mean_interval() < DENSE;
    all <= MOST_EXACT || dense && all <= MOST_EXACT_DENSE
}

#[cfg(test)]
mod tests;
