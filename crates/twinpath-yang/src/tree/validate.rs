//! Whether data is valid as a whole (RFC 7950 section 8).

mod references;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::evaluate::{Context, Own, is_chosen};
use super::{Children, Data, Key, Path, Select};
use crate::fault::{Fault, FaultKind, Faults};
use crate::schema::{Kind, List, Must, NodeId, Schema};
use crate::value::{Value, either};

/// Which nodes data has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Configuration only.
    #[default]
    Config,
    /// State too, and what operations and notifications have.
    All,
}

/// What is wrong with the data of a datastore beyond what its readers check: missing and superfluous nodes, references,
/// uniqueness, conditions. At most [`crate::MAX_FAULTS`] faults.
pub fn validate(schema: &Schema, root: &Children, scope: Scope) -> Vec<Fault> {
    let mut walk = Walk::new(schema, root, scope);
    walk.level(None);
    walk.faults.0
}

/// The same for data below one node, such as the input of an operation; `path` leads to that node, and references may
/// lead into `root`.
pub fn validate_below(
    schema: &Schema,
    root: &Children,
    path: &Path,
    data: &Children,
) -> Vec<Fault> {
    let mut walk = Walk::new(schema, root, Scope::All);
    let (last, above) = match path.steps().split_last() {
        Some((last, above)) => (Some(last), above),
        None => (None, path.steps()),
    };
    for step in above {
        let content = walk.context.here().and_then(|here| here.step(step));
        walk.context.push(content);
    }
    walk.path = path.clone();
    walk.context.push(Some(data));
    walk.level(last.map(|step| step.node));
    walk.faults.0
}

struct Walk<'a> {
    context: Context<'a>,
    scope: Scope,
    path: Path,
    faults: Faults,
    /// Values that leafrefs can have, by where their paths begin and end.
    targets: HashMap<(usize, NodeId), HashSet<&'a Value>>,
}

impl<'a> Walk<'a> {
    fn new(schema: &'a Schema, root: &'a Children, scope: Scope) -> Self {
        Self {
            context: Context::new(schema, root),
            scope,
            path: Path::root(),
            faults: Faults::default(),
            targets: HashMap::new(),
        }
    }

    fn schema(&self) -> &'a Schema {
        self.context.schema
    }

    fn name(&self, id: NodeId) -> &'a str {
        &self.schema().node(id).name
    }

    /// A fault of a node here.
    fn fault(&mut self, id: NodeId, kind: FaultKind, what: impl Into<String>) {
        self.path.push(id, Select::All);
        self.faults.add(&self.path, kind, what);
        self.path.pop();
    }

    /// All nodes below one.
    fn level(&mut self, of: Option<NodeId>) {
        if let Some(of) = of {
            let own = Own::Content(self.context.here());
            // Of the node itself, whose children are the last level.
            let here = self.context.here();
            self.context.pop();
            self.must(of, own, true);
            self.context.push(here);
        }
        for id in self.schema().children(of) {
            self.child(*id);
        }
    }

    fn child(&mut self, id: NodeId) {
        let node = self.schema().node(id);
        let is_operation = matches!(node.kind, Kind::Rpc | Kind::Action | Kind::Notification);
        if self.faults.is_full() || is_operation || self.scope == Scope::Config && !node.is_config {
            return;
        }
        let data = self.context.present(id);
        let own = match data {
            Some(Data::Leaf(value)) => Own::Value(Some(value)),
            Some(Data::Container(children)) => Own::Content(Some(children)),
            _ => Own::Content(None),
        };
        if !self.context.when_holds(id, own) {
            if is_chosen(self.schema(), self.context.here(), id) {
                let what = format!(
                    "{}: not allowed here: its condition does not hold",
                    node.name
                );
                self.fault(id, FaultKind::WhenFalse, what);
            }
            return;
        }
        match &node.kind {
            Kind::Choice { mandatory, .. } => self.choice(id, *mandatory),
            Kind::Case => {
                for child in self.schema().children(Some(id)) {
                    self.child(*child);
                }
            }
            Kind::Container { presence } => self.container(id, *presence, data),
            Kind::Leaf { mandatory, .. } => self.leaf(id, *mandatory, data),
            Kind::LeafList { min, max, .. } => self.leaf_list(id, (*min, *max), data),
            Kind::List(list) => self.list(id, list, data),
            Kind::Anydata { mandatory, .. } => {
                if *mandatory && data.is_none() {
                    self.missing(id);
                }
            }
            Kind::Rpc | Kind::Action | Kind::Input | Kind::Output | Kind::Notification => {}
        }
    }

    fn missing(&mut self, id: NodeId) {
        let what = format!("{} is missing", self.name(id));
        self.fault(id, FaultKind::Missing, what);
    }

    fn choice(&mut self, id: NodeId, mandatory: bool) {
        let (schema, here) = (self.schema(), self.context.here());
        let cases = schema.children(Some(id)).iter().copied();
        let chosen: Vec<NodeId> = cases
            .filter(|case| is_chosen(schema, here, *case))
            .collect();
        match chosen.as_slice() {
            [] if mandatory => {
                let cases = schema.children(Some(id)).iter();
                let names = either(cases.map(|case| self.case_names(*case)));
                let what = format!("{} is missing: write {names}", self.name(id));
                // The choice itself is not in the data.
                self.faults.add(&self.path, FaultKind::MissingChoice, what);
            }
            [_, second, ..] => {
                let names = either(chosen.iter().map(|case| self.case_names(*case)));
                let first = self.first_of(*second).unwrap_or(*second);
                self.fault(
                    first,
                    FaultKind::SeveralCases,
                    format!("use only one of {names}"),
                );
            }
            _ => {}
        }
        for case in chosen {
            self.child(case);
        }
    }

    /// The nodes of a case that are there, else all that it has.
    fn case_names(&self, case: NodeId) -> String {
        let mut names = Vec::new();
        let mut left = vec![case];
        while let Some(id) = left.pop() {
            let node = self.schema().node(id);
            if matches!(node.kind, Kind::Case | Kind::Choice { .. }) {
                left.extend(self.schema().children(Some(id)).iter().rev());
            } else {
                names.push((self.context.present(id).is_some(), &*node.name));
            }
        }
        let is_any = names.iter().any(|(is_there, _)| *is_there);
        let shown = names.iter().filter(|(is_there, _)| *is_there || !is_any);
        let shown: Vec<&str> = shown.map(|(_, name)| *name).collect();
        shown.join(" and ")
    }

    /// The first node of a case that is there.
    fn first_of(&self, case: NodeId) -> Option<NodeId> {
        let mut left = vec![case];
        while let Some(id) = left.pop() {
            if matches!(
                self.schema().node(id).kind,
                Kind::Case | Kind::Choice { .. }
            ) {
                left.extend(self.schema().children(Some(id)).iter().rev());
            } else if self.context.present(id).is_some() {
                return Some(id);
            }
        }
        None
    }

    fn container(&mut self, id: NodeId, presence: bool, data: Option<&'a Data>) {
        let content = data.and_then(Data::container);
        if content.is_none() && presence {
            return;
        }
        self.within(id, Select::All, content);
    }

    fn within(&mut self, id: NodeId, select: Select, content: Option<&'a Children>) {
        self.path.push(id, select);
        self.context.push(content);
        self.level(Some(id));
        self.context.pop();
        self.path.pop();
    }

    fn leaf(&mut self, id: NodeId, mandatory: bool, data: Option<&'a Data>) {
        match data.and_then(Data::leaf) {
            Some(value) => {
                self.reference(id, value);
                self.must(id, Own::Value(Some(value)), false);
            }
            None if mandatory => self.missing(id),
            None => {}
        }
    }

    fn leaf_list(&mut self, id: NodeId, limits: (u64, Option<u64>), data: Option<&'a Data>) {
        let values = data.and_then(Data::values).unwrap_or_default();
        self.count(id, limits, values.len());
        let mut seen = HashSet::new();
        for value in values {
            if self.schema().node(id).is_config && !seen.insert(value) {
                let what = format!("{}: {} twice", self.name(id), self.schema().text(value));
                self.fault(id, FaultKind::Duplicate, what);
            }
            self.reference(id, value);
            self.must(id, Own::Value(Some(value)), false);
        }
    }

    fn count(&mut self, id: NodeId, (min, max): (u64, Option<u64>), count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let name = self.name(id);
        if count < min {
            let what = format!("{name}: {count} of them, at least {min} are needed");
            self.fault(id, FaultKind::TooFew, what);
        }
        if let Some(max) = max.filter(|max| count > *max) {
            let what = format!("{name}: {count} of them, at most {max} are allowed");
            self.fault(id, FaultKind::TooMany, what);
        }
    }

    fn list(&mut self, id: NodeId, list: &'a List, data: Option<&'a Data>) {
        let no_entries = IndexMap::new();
        let (keyed, keyless): (&IndexMap<Key, Children>, &'a [Children]) = match data {
            Some(Data::List(entries)) => (entries, &[]),
            Some(Data::Keyless(entries)) => (&no_entries, entries),
            Some(Data::Leaf(_) | Data::LeafList(_) | Data::Container(_) | Data::Any(_)) | None => {
                (&no_entries, &[])
            }
        };
        self.count(id, (list.min, list.max), keyed.len() + keyless.len());
        let mut seen = vec![HashSet::new(); list.unique.len()];
        if let Some(Data::List(entries)) = data {
            for (key, entry) in entries {
                let select = Select::Key(key.clone());
                self.unique(id, list, &select, entry, &mut seen);
                self.within(id, select, Some(entry));
            }
        }
        for (at, entry) in keyless.iter().enumerate() {
            let select = Select::Position(at + 1);
            self.unique(id, list, &select, entry, &mut seen);
            self.within(id, select, Some(entry));
        }
    }

    /// Whether an entry shares nothing unique with those before it (RFC 7950 section 7.8.3).
    fn unique(
        &mut self,
        id: NodeId,
        list: &'a List,
        select: &Select,
        entry: &'a Children,
        seen: &mut [HashSet<Vec<&'a Value>>],
    ) {
        for (leaves, seen) in list.unique.iter().zip(seen) {
            let values = leaves.iter().map(|leaf| {
                let mut found = None;
                self.context
                    .values_below(Some(entry), leaf, &mut |value| found = Some(value));
                found
            });
            let Some(values) = values.collect::<Option<Vec<_>>>() else {
                continue;
            };
            if !seen.insert(values) {
                let names = leaves.iter().map(|leaf| {
                    let names: Vec<&str> = leaf.iter().map(|id| self.name(*id)).collect();
                    names.join("/")
                });
                let names: Vec<String> = names.collect();
                let what = format!(
                    "{}: another entry has the same {}",
                    self.name(id),
                    names.join(" and ")
                );
                let path = self.path.join(id, select.clone());
                self.faults.add(&path, FaultKind::NotUnique, what);
            }
        }
    }

    /// The `must` of a node; `is_around`: the path leads to it already.
    fn must(&mut self, id: NodeId, own: Own<'a>, is_around: bool) {
        for must in &self.schema().node(id).must {
            if self.context.holds(&must.condition, Some(own)) {
                continue;
            }
            let path = if is_around {
                self.path.clone()
            } else {
                self.path.join(id, Select::All)
            };
            self.must_fault(id, must, &path);
        }
    }

    fn must_fault(&mut self, id: NodeId, must: &Must, path: &Path) {
        let name = self.name(id);
        let what = match &must.message {
            Some(message) => format!("{name}: {message}"),
            None => format!("{name}: it must hold that {}", must.text),
        };
        if self.faults.is_full() {
            return;
        }
        let mut fault = Fault::new(path, FaultKind::MustFalse, what);
        if must.app_tag.is_some() {
            fault.app_tag.clone_from(&must.app_tag);
        }
        self.faults.0.push(fault);
    }
}
