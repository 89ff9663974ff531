//! What sessions are called in lines, rows and records, where there are several.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::Serialize;
use twinpath_report::words::is_plain;
use twinpath_report::{FailedTarget, Identity};

use super::{Reports, ends};

/// What one of several sessions is called.
#[derive(Clone, Debug)]
pub(crate) struct SessionName {
    /// Its number in the run, from 1.
    pub(crate) number: usize,
    /// What tells it from the others, in one line for people.
    pub(crate) text: String,
    /// Its class, or the file that it is from.
    pub(crate) class: String,
    /// Where targets are listed, or have paths.
    pub(crate) target: Option<NamedTarget>,
    /// Those of its target.
    pub(crate) labels: BTreeMap<String, String>,
}

/// The target of a session, and which path to it.
#[derive(Clone, Debug)]
pub(crate) struct NamedTarget {
    /// As given.
    pub(crate) name: String,
    /// The address and port used; `None`: unknown.
    pub(crate) address: Option<String>,
    pub(crate) path: Option<u16>,
}

impl NamedTarget {
    /// By its address, if it has no name.
    pub(crate) fn of(identity: &Identity) -> Self {
        let address = || ends::named(identity.reflector);
        let target = identity.target.as_ref();
        Self {
            name: target.map_or_else(address, |target| target.name.clone()),
            address: identity.has_ends().then(address),
            path: identity.path,
        }
    }
}

/// A target in the record of a packet or of an interval.
#[derive(Debug, Serialize)]
pub(crate) struct TargetOfRecord<'a> {
    name: &'a str,
    address: Option<&'a str>,
}

impl<'a> From<&'a NamedTarget> for TargetOfRecord<'a> {
    fn from(target: &'a NamedTarget) -> Self {
        Self {
            name: &target.name,
            address: target.address.as_deref(),
        }
    }
}

impl SessionName {
    /// A session that differs from others in this alone.
    pub(crate) fn new(number: usize, name: impl Into<String>) -> Self {
        let text = name.into();
        Self {
            number,
            class: text.clone(),
            text,
            target: None,
            labels: BTreeMap::new(),
        }
    }

    /// The sessions of one run; none if it can have only one, whatever became of the others. `has_failed`:
    /// there are others, which could not be measured.
    pub(crate) fn all(identities: &[&Identity], has_failed: bool) -> Vec<Self> {
        let differing = Differing::of(identities.iter().copied());
        if identities.len() < 2 && !has_failed && !differing.are_named() {
            return Vec::new();
        }
        let name = |(index, identity): (usize, &&Identity)| {
            let has_target = differing.are_named() && identity.target.is_some();
            Self {
                number: index + 1,
                text: differing.name(identity),
                class: identity.tos.dscp().to_string(),
                target: has_target.then(|| NamedTarget::of(identity)),
                labels: identity
                    .target
                    .as_ref()
                    .map_or_else(BTreeMap::new, |target| target.labels.clone()),
            }
        };
        identities.iter().enumerate().map(name).collect()
    }
}

/// In what the sessions of a run differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Differing {
    targets: Targets,
    classes: bool,
    paths: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Targets {
    #[default]
    One,
    /// There can be several, but there is one.
    Listed,
    Several,
}

impl Differing {
    pub(crate) fn of<I: Borrow<Identity>>(identities: impl Iterator<Item = I>) -> Self {
        let mut differing = Self::default();
        let (mut first_target, mut first_class) = (None, None);
        for identity in identities {
            let identity = identity.borrow();
            if let Some(target) = &identity.target {
                // Sessions with one server may each have a port of it.
                let address = identity.reflector.ip();
                let own = || (target.name.clone(), address);
                let first = first_target.get_or_insert_with(own);
                let targets = if first.0 != target.name || first.1 != address {
                    Targets::Several
                } else if target.is_listed {
                    Targets::Listed
                } else {
                    Targets::One
                };
                differing.targets = differing.targets.max(targets);
            }
            differing.classes |= identity.tos != *first_class.get_or_insert(identity.tos);
            differing.paths |= identity.path.is_some();
        }
        differing
    }

    /// The same of reports.
    pub(crate) fn of_reports(reports: Reports<'_>) -> Self {
        Self::of(reports.iter().map(|report| report.identity.clone()))
    }

    /// There are targets of the list of which nothing was measured.
    pub(crate) fn with_others(self) -> Self {
        let targets = match self.targets {
            Targets::One => Targets::One,
            Targets::Listed | Targets::Several => Targets::Several,
        };
        Self { targets, ..self }
    }

    /// There are several targets, or several paths to one.
    pub(crate) fn is_mesh(self) -> bool {
        self.targets == Targets::Several || self.paths
    }

    /// Records name targets and paths. That depends on what was asked for, not on what became of it.
    pub(crate) fn are_named(self) -> bool {
        self.has_targets() || self.paths
    }

    pub(crate) fn has_targets(self) -> bool {
        self.targets > Targets::One
    }

    /// A session's name among the others, in plain characters.
    pub(crate) fn name(self, identity: &Identity) -> String {
        let target = identity.target.as_ref().filter(|_| self.has_targets());
        let class = (self.classes || !self.are_named()).then(|| identity.tos.dscp().to_string());
        let parts = [
            target.map(|_| target_name(identity)),
            class,
            path_name(identity),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join(" ")
    }
}

/// Which path it takes; with the member link, if it takes one.
fn path_name(identity: &Identity) -> Option<String> {
    let path = identity.path.map(|path| format!("path {path}"))?;
    Some(match &identity.micro_session {
        Some(micro_session) => format!("{path} ({})", plain(&micro_session.name())),
        None => path,
    })
}

/// The name of a session's target; with its address, where it had another one before.
pub(super) fn target_name(identity: &Identity) -> String {
    let name = target_of(identity);
    match &identity.target {
        Some(target) if target.has_moved => {
            format!("{name} at {}", ends::named(identity.reflector))
        }
        _ => name,
    }
}

/// The name of a target of a list, if it is not its address alone.
pub(super) fn listed_name(identity: &Identity) -> Option<String> {
    let target = identity.target.as_ref().filter(|target| target.is_listed)?;
    let (ip, address) = (identity.reflector.ip(), ends::named(identity.reflector));
    let is_address = target.name == ip.to_string() || target.name == address;
    (!is_address).then(|| plain(&target.name))
}

/// The name of a session's target, whichever address that had.
pub(super) fn target_of(identity: &Identity) -> String {
    let name = identity.target.as_ref().map(|target| plain(&target.name));
    name.unwrap_or_else(|| ends::named(identity.reflector))
}

/// What could not be measured, with the file that says so, if there are several.
pub(super) fn failed(one: &FailedTarget) -> String {
    let target = plain(&one.target);
    match &one.file {
        Some(file) => format!("{file}: {target}"),
        None => target,
    }
}

/// A name from outside, in plain characters.
pub(crate) fn plain(name: &str) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '?' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use twinpath_report::{MicroSession, Target};
    use twinpath_wire::Dscp;

    use super::*;
    use crate::output::fixtures;

    fn identity(target: &str, class: &str, path: Option<u16>) -> Identity {
        Identity {
            tos: class.parse::<Dscp>().unwrap().tos(),
            target: Some(Target {
                name: target.to_owned(),
                labels: BTreeMap::new(),
                has_moved: false,
                is_listed: false,
            }),
            path,
            ..fixtures::quiet_path().identity
        }
    }

    fn texts(identities: &[Identity]) -> Vec<String> {
        let identities: Vec<&Identity> = identities.iter().collect();
        let names = SessionName::all(&identities, false);
        names.into_iter().map(|name| name.text).collect()
    }

    #[test]
    fn a_session_is_named_by_what_tells_it_from_the_others() {
        let one = identity("a", "ef", None);
        assert!(texts(std::slice::from_ref(&one)).is_empty());
        let classes = [one.clone(), identity("a", "be", None)];
        assert_eq!(texts(&classes), ["ef", "be"]);
        let targets = [one, identity("b\u{1b}c", "ef", None)];
        assert_eq!(texts(&targets), ["a", "b?c"]);
        let paths = [1, 2].map(|path| identity("a", "ef", Some(path)));
        assert_eq!(texts(&paths), ["path 1", "path 2"]);
        let members = [Some("eth1".to_owned()), None].map(|interface| Identity {
            micro_session: Some(MicroSession {
                id: 7,
                far_id: None,
                interface,
            }),
            ..identity("a", "ef", Some(1))
        });
        let named = ["path 1 (eth1)", "path 1 (ID 7)"];
        assert_eq!(texts(&members), named);
        let all = [identity("a", "ef", Some(1)), identity("b", "be", Some(2))];
        assert_eq!(texts(&all), ["a ef path 1", "b be path 2"]);
    }

    #[test]
    fn only_runs_that_can_have_several_targets_or_paths_name_them_in_records() {
        let has_target = |identities: [Identity; 2]| {
            let names = SessionName::all(&identities.each_ref(), false);
            names.iter().all(|name| name.target.is_some())
        };
        let one = || identity("a", "ef", None);
        assert!(!has_target([one(), identity("a", "be", None)]));
        assert!(has_target([one(), identity("b", "ef", None)]));
        let paths = [1, 2].map(|path| identity("a", "ef", Some(path)));
        assert!(has_target(paths));
        // The others of a list may have failed.
        let mut listed = one();
        listed.target.as_mut().unwrap().is_listed = true;
        listed
            .target
            .as_mut()
            .unwrap()
            .labels
            .insert("site".into(), "fra".into());
        let names = SessionName::all(&[&listed], false);
        assert_eq!(names[0].text, "a");
        assert_eq!(names[0].target.as_ref().unwrap().name, "a");
        assert_eq!(names[0].labels["site"], "fra");
        let path = identity("a", "ef", Some(1));
        assert!(SessionName::all(&[&path], false)[0].target.is_some());
        assert!(SessionName::all(&[&one()], false).is_empty());
        // Of another class, say.
        let [name] = &SessionName::all(&[&one()], true)[..] else {
            panic!("one session");
        };
        assert_eq!((&*name.text, name.number), ("ef", 1));
        assert!(name.target.is_none());
    }
}
