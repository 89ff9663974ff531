//! The targets that are asked for, and how each is measured.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use twinpath_proto::sender::Limit;
use twinpath_report::{FailedTarget, words};
use twinpath_runtime::SenderPlan;
use twinpath_wire::Tos;

use crate::args::{FarEnd, Label, MOST_SESSIONS, OnNoSsid, SenderArgs, SessionOptions};
use crate::failure::Failure;
use crate::plan::key_file::KeysRead;
use crate::plan::named_end::{Aim, NamedEnd};
use crate::plan::sender::{Sending, classes, near_end, ports_suffice, wire};
use crate::plan::targets::{self, Faults, FileTarget, Place};
use crate::plan::tlvs;

use super::{is_exact, too_many};

/// A far end to measure, not yet resolved.
#[derive(Clone, Debug)]
pub(super) struct AskedTarget {
    pub(super) end: Arc<NamedEnd>,
    pub(super) name: String,
    pub(super) labels: Vec<Label>,
    /// There can be others.
    pub(super) is_listed: bool,
    /// Where in a file; `None`: on the command line.
    pub(super) place: Option<Place>,
    /// In which of the ways.
    pub(super) way: usize,
}

/// How some of the targets are measured.
pub(super) struct Way<'a> {
    pub(super) options: &'a SessionOptions,
    /// The plan of each session, but for the far end and the class.
    pub(super) template: SenderPlan,
    pub(super) classes: Vec<Tos>,
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

    /// How many paths there are to each target, if there can be several: source ports or member links.
    pub(super) fn several_paths(&self) -> Option<u16> {
        let links = u16::try_from(self.options.stamp.micro_session.len()).unwrap_or(u16::MAX);
        self.options.paths.or((links > 1).then_some(links))
    }

    pub(super) fn paths(&self) -> u16 {
        self.several_paths().unwrap_or(1)
    }

    pub(super) fn is_endless(&self) -> bool {
        self.template.limit == Limit::Endless
    }

    /// Sessions of each target.
    fn sessions(&self) -> usize {
        self.classes.len() * usize::from(self.paths())
    }
}

impl AskedTarget {
    /// The failure with the line of the file that it is in.
    pub(super) fn at_its_place(&self, failure: Failure) -> Failure {
        match &self.place {
            Some(place) => Failure {
                line: format!("{place}: {}", failure.line),
                ..failure
            },
            None => failure,
        }
    }

    pub(super) fn failed(&self, failure: Failure) -> FailedTarget {
        FailedTarget {
            error: self.at_its_place(failure).to_string(),
            target: self.name.clone(),
            file: None,
            sessions: None,
        }
    }
}

pub(super) fn label_keys(asked: &[AskedTarget]) -> Vec<String> {
    let mut known = HashSet::new();
    let labels = asked.iter().flat_map(|asked| &asked.labels);
    let keys = labels.map(|label| &*label.key);
    keys.filter(|key| known.insert(*key))
        .map(str::to_owned)
        .collect()
}

/// There is a far end that has no others beside it.
pub(super) fn is_only_one(args: &SenderArgs) -> bool {
    args.targets.to.is_empty() && args.targets.targets.is_none()
}

/// How targets are measured, and all of them in the order in which they are given.
pub(super) fn ways<'a>(
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
    let micro_sessions = &options.stamp.micro_session;
    if options.stamps.portable
        && micro_sessions
            .iter()
            .any(|one| one.member.interface.is_some())
    {
        let line = "--micro-session ID@NAME and --portable exclude each other: use one of them";
        return Err(Failure::usage(line));
    }
    let (wire, tlvs) = wire(&options.stamp)?;
    let mut template = sending.template(wire)?;
    tlvs::apply(tlvs, &mut template)?;
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
pub(super) fn distinct(asked: &[AskedTarget]) -> Result<(), Failure> {
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
pub(super) fn count(asked: &[AskedTarget], ways: &[Way<'_>]) -> Result<usize, Failure> {
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
