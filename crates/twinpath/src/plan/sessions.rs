//! `twinpath sender`: from arguments to the sessions that it measures.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use twinpath_proto::sender::Protocol;
use twinpath_runtime::SenderPlan;
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT, Tos};

use crate::args::{FarEnd, Label, MOST_SESSIONS, SenderArgs, SessionOptions};
use crate::failure::Failure;

use super::ends::ends;
use super::resolve::Lookup;
use super::sender::{Sending, classes, ports_suffice, protocol, random_seed};

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
    #[expect(dead_code, reason = "the outputs of many sessions come next")]
    pub(crate) target: Target,
    pub(crate) class: Tos,
    /// From 1; `None` without `--paths`.
    pub(crate) path: Option<u16>,
}

/// A far end, as given and as used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// Its name in the file, or its address as given.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    #[serde(skip)]
    pub(crate) labels: Vec<Label>,
}

/// A target that cannot be measured, and why: one line, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FailedTarget {
    pub(crate) target: String,
    pub(crate) error: String,
}

/// What is measured, and what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlannedSessions {
    pub(crate) sessions: Vec<PlannedSession>,
    pub(crate) failed: Vec<FailedTarget>,
}

/// A far end to measure, not yet resolved.
struct AskedTarget<'a> {
    far: FarEnd,
    name: String,
    labels: Vec<Label>,
    options: &'a SessionOptions,
}

/// All sessions: targets x classes x paths. A far end that is the only one and cannot be resolved is a
/// failure; one of several is left out and listed.
///
/// # Errors
/// Arguments that exclude each other, sizes that do not fit, too many sessions.
pub(crate) fn sessions(args: &SenderArgs, lookup: Lookup<'_>) -> Result<PlannedSessions, Failure> {
    let asked: Vec<AskedTarget<'_>> = asked(args);
    let is_only_one = args.targets.to.is_empty() && args.targets.targets.is_none();
    let options = &args.session;
    let classes = classes(options.marking.tos, &options.marking.dscp, None)?;
    let paths = usize::from(options.paths.unwrap_or(1));
    let each = classes.len() * paths;
    let all = asked.len() * each;
    if all > MOST_SESSIONS {
        return Err(Failure::usage(format!(
            "{all} sessions ({} targets x {} classes x {paths} paths): use at most {MOST_SESSIONS}",
            asked.len(),
            classes.len(),
        )));
    }
    if let Some(ports) = options.ports {
        let with_a_port_each = if all <= MOST_EXACT { all } else { each };
        ports_suffice(ports, with_a_port_each)?;
    }
    let mut planned = PlannedSessions::default();
    let seed = args
        .session
        .schedule
        .seed
        .map_or_else(random_seed, u64::from);
    let mut of_far: HashMap<SocketAddr, usize> = HashMap::new();
    for asked in asked {
        let template = match template(args, &asked, lookup) {
            Ok(template) => template,
            Err(failure) if is_only_one => return Err(failure),
            Err(failure) => {
                planned.failed.push(FailedTarget {
                    target: asked.name,
                    error: failure.to_string(),
                });
                continue;
            }
        };
        let target = Target {
            name: asked.name,
            address: template.far,
            labels: asked.labels,
        };
        for path in 1..=asked.options.paths.unwrap_or(1) {
            for class in &classes {
                let number = planned.sessions.len();
                let exact = is_exact(&template, all);
                let beside = of_far.entry(template.far).or_default();
                // Sessions that share a thread share ports as well, unless they have one far end.
                let port = if exact { number } else { *beside };
                *beside += 1;
                let plan = SenderPlan {
                    exact,
                    seed: seed + number as u64,
                    ..template.of_session(port, *class)
                };
                planned.sessions.push(PlannedSession {
                    plan,
                    target: target.clone(),
                    class: *class,
                    path: asked.options.paths.map(|_| path),
                });
            }
        }
    }
    Ok(planned)
}

/// Far ends, in the order in which they are given.
fn asked(args: &SenderArgs) -> Vec<AskedTarget<'_>> {
    let far = args.far.iter().chain(&args.targets.to);
    let asked = far.map(|far| AskedTarget {
        far: far.clone(),
        name: far.to_string(),
        labels: Vec::new(),
        options: &args.session,
    });
    asked.collect()
}

/// The plan of a target's first session.
fn template(
    args: &SenderArgs,
    asked: &AskedTarget<'_>,
    lookup: Lookup<'_>,
) -> Result<SenderPlan, Failure> {
    let options = asked.options;
    let protocol = protocol(&options.stamp)?;
    let default_port = match protocol {
        Protocol::TwampLight => LIGHT_PORT,
        Protocol::Twamp(_) | Protocol::Stamp { .. } => TWAMP_TEST_PORT,
    };
    let near = args.near.as_ref();
    let (far, near) = ends(&asked.far, near, &options.ip, default_port, lookup)?;
    Sending::of_target(args, options).plan(protocol, far, near, Tos::default())
}

/// Whether a session has a thread of its own where there are so many.
fn is_exact(plan: &SenderPlan, all: usize) -> bool {
    let dense = plan.spin || plan.schedule.mean_interval() < DENSE;
    all <= MOST_EXACT || dense && all <= MOST_EXACT_DENSE
}
