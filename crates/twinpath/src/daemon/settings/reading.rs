//! A tree that is read, with all that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use twinpath_yang::{Children, Fault, FaultKind, Path};

use crate::args::{ResponderArgs, above_zero};
use crate::daemon::model::Model;
use crate::daemon::reflectors::{OnAddresses, ServerSpec};
use crate::daemon::sessions::SessionSpec;
use crate::plan::Unread;
use crate::store::StoreSettings;

use super::leaves::Leaves;
use super::paths::leaf_about;
use super::readers::Readers;

pub(super) struct Reading<'a> {
    pub(super) model: &'a Model,
    pub(super) root: &'a Children,
    pub(super) readers: Readers,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(model: &'a Model, root: &'a Children) -> Self {
        Self {
            model,
            root,
            readers: Readers::new(),
            faults: Vec::new(),
        }
    }

    /// All that is wrong.
    pub(super) fn finish(self) -> Vec<Fault> {
        self.faults
    }

    pub(super) fn container(&self, name: &str) -> Leaves {
        let container = self.model.container(self.root, name);
        let leaves = container.map(|node| Leaves::of(&self.model.schema, node));
        leaves.unwrap_or_default()
    }

    fn entries(&self, list: &str) -> Vec<(String, Leaves)> {
        let entries = self.model.entries(self.root, list);
        let schema = &self.model.schema;
        entries
            .map(|(name, entry)| (name, Leaves::of(schema, entry)))
            .collect()
    }

    pub(super) fn text(&self, container: &str, leaf: &str) -> Option<String> {
        self.container(container).one(leaf).map(str::to_owned)
    }

    pub(super) fn number(&self, container: &str, leaf: &str) -> Option<usize> {
        self.text(container, leaf)?.parse().ok()
    }

    /// Where rows are kept.
    pub(super) fn store(&mut self) -> Option<StoreSettings> {
        let store = self.container("store");
        let path = store.one("path")?.into();
        let retention = store.one("retention").map(time_with_unit);
        let retention = retention.transpose().unwrap_or_else(|what| {
            self.leaf_fault("store", "retention", what);
            None
        });
        let max_octets = store.one("max-size").map(|text| size("max-size", text));
        let max_octets = max_octets.transpose().unwrap_or_else(|what| {
            self.leaf_fault("store", "max-size", what);
            None
        });
        Some(StoreSettings {
            path,
            retention,
            max_octets,
        })
    }

    fn leaf_fault(&mut self, container: &str, leaf: &str, what: String) {
        let path = self.model.path(container, None);
        let path = self.model.leaf_path(&path, leaf).unwrap_or(path);
        self.faults.push(wrong(path, what));
    }

    pub(super) fn responders(&mut self) -> BTreeMap<Arc<str>, OnAddresses<ResponderArgs>> {
        self.reflectors("responder", Readers::responder)
    }

    pub(super) fn servers(&mut self) -> BTreeMap<Arc<str>, ServerSpec> {
        self.reflectors("server", Readers::server)
    }

    fn reflectors<S>(
        &mut self,
        list: &str,
        read: impl Fn(&mut Readers, &Leaves) -> Result<Option<S>, Vec<Unread>>,
    ) -> BTreeMap<Arc<str>, S> {
        let mut all = BTreeMap::new();
        for (name, leaves) in self.entries(list) {
            let spec = read(&mut self.readers, &leaves);
            all.extend(self.entry(list, name, spec));
        }
        all
    }

    pub(super) fn sessions(&mut self) -> BTreeMap<Arc<str>, SessionSpec> {
        let defaults = self.container("defaults");
        let groups: BTreeMap<String, Leaves> = self.entries("group").into_iter().collect();
        let none = Leaves::default();
        let (of_store, has_store) = (self.saves_raw(), self.text("store", "path").is_some());
        let mut all = BTreeMap::new();
        for (name, own) in self.entries("session") {
            let group = own.one("group").and_then(|group| groups.get(group));
            let layers = [&defaults, group.unwrap_or(&none), &own];
            let raw = layers.iter().rev().find_map(|leaves| leaves.one("raw"));
            let is_raw = raw.map_or(of_store, |raw| raw == "true");
            let spec = self.readers.session(layers).and_then(|spec| match spec {
                Some(_) if is_raw && !has_store => Err(vec![no_store()]),
                spec => Ok(spec.map(|spec| spec.with_raw(is_raw))),
            });
            all.extend(self.entry("session", name, spec));
        }
        all
    }

    /// Whether raw packets are saved of sessions that do not say it.
    pub(super) fn saves_raw(&self) -> bool {
        self.text("store", "raw").as_deref() == Some("true")
    }

    /// An entry that was read; `None`: it is switched off, or wrong.
    fn entry<S>(
        &mut self,
        list: &str,
        name: String,
        spec: Result<Option<S>, Vec<Unread>>,
    ) -> Option<(Arc<str>, S)> {
        match spec {
            Ok(spec) => Some((Arc::from(name), spec?)),
            Err(unread) => {
                let faults = unread.into_iter().map(|one| {
                    let key = one.key.as_deref();
                    fault(self.model, self.root, list, &name, key, &one.why)
                });
                let faults: Vec<Fault> = faults.collect();
                self.faults.extend(faults);
                None
            }
        }
    }
}

/// Raw packets are to be saved, and there is nowhere.
fn no_store() -> Unread {
    Unread {
        line: None,
        key: Some("raw".to_owned()),
        why: "raw needs [store]: set its path, or leave raw out".to_owned(),
    }
}

/// A time as the schema has it.
fn time_with_unit(text: &str) -> Result<Duration, String> {
    let time = above_zero(text).map_err(|advice| format!("retention {text}: {advice}"));
    time.map(|time| time.0)
}

/// A size as the schema has it.
pub(super) fn size(leaf: &str, text: &str) -> Result<u64, String> {
    let units = [
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let octets = units.into_iter().find_map(|(unit, octets)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(octets)
    });
    octets.ok_or_else(|| format!("{leaf} {text}: use a whole number and its unit, as in 10GB"))
}

/// A leaf or an entry that is wrong.
pub(super) fn wrong(path: Path, what: String) -> Fault {
    Fault {
        path,
        kind: FaultKind::WrongValue,
        what,
        app_tag: None,
    }
}

/// What is wrong with an entry, at the leaf that sets the option it is about: `key`, or the first that `line` names.
pub(super) fn fault(
    model: &Model,
    root: &Children,
    list: &str,
    name: &str,
    key: Option<&str>,
    line: &str,
) -> Fault {
    let entry = model.path(list, Some(name));
    let options = line.split([' ', ',', ':', '=']);
    let options = key
        .into_iter()
        .chain(options.filter_map(|word| word.strip_prefix("--")));
    let leaf = |option| match option {
        "dscp" => "classes",
        "stamp" => "protocol",
        other => other,
    };
    let places = layers(model, root, list, name);
    let options: Vec<&str> = options.map(leaf).collect();
    let path = places.iter().find_map(|(above, leaves)| {
        let set = options.iter().find(|leaf| leaves.has(leaf))?;
        model.leaf_path(above, set)
    });
    let about = || {
        let above = places.iter().map(|(above, _)| above);
        let mut entries = above.filter_map(|above| Some((above, root.content(above)?)));
        entries.find_map(|(above, entry)| leaf_about(model, above, entry, line))
    };
    wrong(path.or_else(about).unwrap_or(entry), as_keys(line))
}

/// The nodes that set the leaves of an entry, the first before all others.
fn layers(model: &Model, root: &Children, list: &str, name: &str) -> Vec<(Path, Leaves)> {
    let entry = |list: &str, name: &str| {
        let mut entries = model.entries(root, list);
        let (_, entry) = entries.find(|(known, _)| known == name)?;
        let leaves = Leaves::of(&model.schema, entry);
        Some((model.path(list, Some(name)), leaves))
    };
    let own = entry(list, name);
    if list != "session" {
        return own.into_iter().collect();
    }
    let group = own.as_ref().and_then(|(_, leaves)| leaves.one("group"));
    let group = group.and_then(|group| entry("group", group));
    let defaults = model.container(root, "defaults");
    let defaults = defaults.map(|node| {
        let leaves = Leaves::of(&model.schema, node);
        (model.path("defaults", None), leaves)
    });
    own.into_iter().chain(group).chain(defaults).collect()
}

/// A line about options as one about keys of a configuration.
pub(in crate::daemon) fn as_keys(line: &str) -> String {
    let word = |word: &str| match word.strip_prefix("--") {
        None => word.to_owned(),
        Some(option) => {
            let end = option.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let (option, rest) = option.split_at(end.unwrap_or(option.len()));
            let key = match option {
                "dscp" => "classes",
                "stamp" => "protocol = \"stamp\"",
                other => other,
            };
            format!("{key}{rest}")
        }
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
