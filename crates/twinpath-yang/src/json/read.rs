//! Data from JSON.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::raw::Json;
use crate::fault::{Fault, FaultKind, Faults, names, unknown};
use crate::schema::{Base, Kind, List, NodeId, Schema, Type};
use crate::tree::{Children, Data, Key, Path, Scope, Select};
use crate::value::{Names, Restriction, Value, fit_integer, fit_union, shorten};

/// How to read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The node that the members are below; the root by default.
    pub at: Path,
    /// The key of the entry that is read, where the text may leave it out (RFC 8040 section 4.6.1).
    pub key: Option<Key>,
    /// Whether state is allowed.
    pub scope: Scope,
    /// Octets of the text, at most.
    pub max_octets: usize,
    /// Nodes and values, at most.
    pub max_nodes: usize,
}

impl Default for ReadOptions {
    /// Configuration at the root, 16 MiB, 1,000,000 nodes.
    fn default() -> Self {
        Self {
            at: Path::root(),
            key: None,
            scope: Scope::Config,
            max_octets: 16 << 20,
            max_nodes: 1_000_000,
        }
    }
}

impl ReadOptions {
    /// The key of an entry of a list at a path, if the text may leave it out.
    pub(crate) fn known_key(&self, path: &Path, list: &List) -> Option<&Key> {
        let key = self.key.as_ref()?;
        (*path == self.at && key.len() == list.keys.len()).then_some(key)
    }
}

/// The data nodes of an object, whose members are below `options.at`.
///
/// Each value fits its type and each entry has its keys; what else must hold is for [`crate::validate`].
///
/// # Errors
///
/// All faults, at most [`crate::MAX_FAULTS`].
pub fn read(schema: &Schema, text: &[u8], options: &ReadOptions) -> Result<Children, Vec<Fault>> {
    let members = members(text, options)?;
    read_members(schema, members, options)
}

/// As [`read`], of an object that is the only member of another: `{"name": {...}}`.
///
/// # Errors
///
/// Those of [`read`], and another object.
pub fn read_member(
    schema: &Schema,
    text: &[u8],
    name: &str,
    options: &ReadOptions,
) -> Result<Children, Vec<Fault>> {
    let mut members = members(text, options)?;
    match (members.pop(), members.is_empty()) {
        (Some((found, Json::Object(inner))), true) if found == name => {
            read_members(schema, inner, options)
        }
        (Some(_) | None, _) => {
            let what = format!("write an object with one member, {name}, which is an object");
            Err(fail(options, FaultKind::NotReadable, what))
        }
    }
}

fn fail(options: &ReadOptions, kind: FaultKind, what: String) -> Vec<Fault> {
    vec![Fault::new(&options.at, kind, what)]
}

fn members(text: &[u8], options: &ReadOptions) -> Result<Vec<(String, Json)>, Vec<Fault>> {
    if text.len() > options.max_octets {
        let what = format!("more than {} octets", options.max_octets);
        return Err(fail(options, FaultKind::TooLarge, what));
    }
    let json: Json = serde_json::from_slice(text).map_err(|error| {
        fail(
            options,
            FaultKind::NotReadable,
            format!("not JSON: {error}"),
        )
    })?;
    let Json::Object(members) = json else {
        let what = format!("write an object, not {}", json.noun());
        return Err(fail(options, FaultKind::NotReadable, what));
    };
    Ok(members)
}

fn read_members(
    schema: &Schema,
    members: Vec<(String, Json)>,
    options: &ReadOptions,
) -> Result<Children, Vec<Fault>> {
    let mut reader = Reader {
        schema,
        options,
        path: options.at.clone(),
        faults: Faults::default(),
        nodes_left: options.max_nodes,
    };
    let children = reader.object(options.at.node(), members);
    if reader.faults.0.is_empty() {
        Ok(children)
    } else {
        Err(reader.faults.0)
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    options: &'a ReadOptions,
    path: Path,
    faults: Faults,
    nodes_left: usize,
}

impl Reader<'_> {
    fn fault(&mut self, kind: FaultKind, what: impl Into<String>) {
        self.faults.add(&self.path, kind, what);
    }

    /// Whether one more node may be read.
    fn count(&mut self) -> bool {
        if self.faults.is_full() {
            return false;
        }
        if let Some(left) = self.nodes_left.checked_sub(1) {
            self.nodes_left = left;
            true
        } else {
            let is_said = self
                .faults
                .0
                .iter()
                .any(|it| it.kind == FaultKind::TooLarge);
            if !is_said {
                let what = format!("more than {} nodes", self.options.max_nodes);
                self.fault(FaultKind::TooLarge, what);
            }
            false
        }
    }

    fn object(&mut self, of: Option<NodeId>, members: Vec<(String, Json)>) -> Children {
        let mut children = Children::new();
        let mut seen = HashSet::new();
        for (name, json) in members {
            if !self.count() {
                break;
            }
            let Some(id) = self.node(of, &name) else {
                continue;
            };
            let node = self.schema.node(id);
            if !node.is_config && self.options.scope == Scope::Config {
                self.path.push(id, Select::All);
                self.fault(
                    FaultKind::NotConfig,
                    format!("{name}: state, which cannot be set"),
                );
                self.path.pop();
            } else if !seen.insert(id) {
                self.path.push(id, Select::All);
                // Not JSON that can be relied on (RFC 7493 section 2.3, which RFC 7951 section 1 asks for).
                self.fault(
                    FaultKind::NotReadable,
                    format!("{name}: twice in one object"),
                );
                self.path.pop();
            } else if let Some(data) = self.data(id, json) {
                children.insert(id, data);
            }
        }
        children
    }

    /// The node of a member (RFC 7951 section 4).
    fn node(&mut self, of: Option<NodeId>, name: &str) -> Option<NodeId> {
        if name.starts_with('@') {
            self.fault(
                FaultKind::UnknownNode,
                format!("{}: no metadata is read", shorten(name)),
            );
            return None;
        }
        let found = if let Some((module, local)) = name.split_once(':') {
            let Some(module) = self.schema.module_named(module) else {
                let modules = self.schema.modules().filter(|(_, it)| it.is_implemented);
                let what = unknown(module, modules.map(|(_, it)| it.name.to_string()), "module");
                self.fault(FaultKind::UnknownNode, what);
                return None;
            };
            self.schema.child(of, Some(module), local)
        } else {
            let module = of.map(|of| self.schema.node(of).module);
            module.and_then(|module| self.schema.child(of, Some(module), name))
        };
        if found.is_none() {
            let what = match self.schema.child(of, None, name) {
                Some(id) => format!("{name}: write {}", self.schema.qualified_name(id)),
                None if name.contains(':') || of.is_none() => {
                    let all = self.schema.data_children(of).iter();
                    unknown(
                        name,
                        all.map(|id| self.schema.qualified_name(*id)),
                        "member",
                    )
                }
                None => unknown(name, names(self.schema, of), "member"),
            };
            self.fault(FaultKind::UnknownNode, what);
        }
        found
    }

    fn data(&mut self, id: NodeId, json: Json) -> Option<Data> {
        match &self.schema.node(id).kind {
            Kind::Container { .. } | Kind::Input | Kind::Output => self.container(id, json),
            Kind::List(list) => self.list(id, list, json),
            Kind::Leaf { ty, .. } => {
                self.path.push(id, Select::All);
                let value = self.value(id, ty, &json);
                self.path.pop();
                value.map(Data::Leaf)
            }
            Kind::LeafList { ty, .. } => self.leaf_list(id, ty, json),
            Kind::Anydata { is_xml, .. } if *is_xml || matches!(json, Json::Object(_)) => {
                Some(Data::Any(json.into_any()))
            }
            Kind::Anydata { .. } => self.unexpected(id, "an object", &json),
            Kind::Choice { .. } | Kind::Case | Kind::Rpc | Kind::Action | Kind::Notification => {
                None
            }
        }
    }

    fn unexpected(&mut self, id: NodeId, form: &str, json: &Json) -> Option<Data> {
        let name = &self.schema.node(id).name;
        let what = format!("{name}: write {form}, not {}", json.noun());
        self.path.push(id, Select::All);
        self.fault(FaultKind::WrongValue, what);
        self.path.pop();
        None
    }

    fn container(&mut self, id: NodeId, json: Json) -> Option<Data> {
        let Json::Object(members) = json else {
            return self.unexpected(id, "an object", &json);
        };
        self.path.push(id, Select::All);
        let children = self.object(Some(id), members);
        self.path.pop();
        let says_nothing = children.is_empty() && self.schema.node(id).is_plain_container();
        (!says_nothing).then_some(Data::Container(children))
    }

    fn leaf_list(&mut self, id: NodeId, ty: &Type, json: Json) -> Option<Data> {
        let Json::Array(all) = json else {
            return self.unexpected(id, "an array", &json);
        };
        let mut values = Vec::new();
        let mut seen = HashSet::new();
        self.path.push(id, Select::All);
        for json in &all {
            if !self.count() {
                break;
            }
            let Some(value) = self.value(id, ty, json) else {
                continue;
            };
            if self.schema.node(id).is_config && !seen.insert(value.clone()) {
                let what = format!(
                    "{}: {} twice",
                    self.schema.node(id).name,
                    self.schema.text(&value)
                );
                self.fault(FaultKind::Duplicate, what);
            }
            values.push(value);
        }
        self.path.pop();
        (!values.is_empty()).then_some(Data::LeafList(values))
    }

    fn list(&mut self, id: NodeId, list: &List, json: Json) -> Option<Data> {
        let Json::Array(all) = json else {
            return self.unexpected(id, "an array of objects", &json);
        };
        let mut keyed: IndexMap<Key, Children> = IndexMap::new();
        let mut keyless = Vec::new();
        let known = self.options.known_key(&self.path, list);
        for (at, json) in all.into_iter().enumerate() {
            if !self.count() {
                break;
            }
            let Json::Object(members) = json else {
                self.unexpected(id, "an array of objects", &json);
                continue;
            };
            let key = self.key(list, &members, known);
            let select = match &key {
                Some(key) if !key.is_empty() => Select::Key(key.clone()),
                _ => Select::Position(at + 1),
            };
            self.path.push(id, select);
            if known.is_none() {
                self.missing_keys(id, list, &members);
            }
            let mut entry = self.object(Some(id), members);
            for (leaf, value) in list.keys.iter().zip(known.into_iter().flatten()) {
                if entry.get(*leaf).is_none() {
                    entry.insert(*leaf, Data::Leaf(value.clone()));
                }
            }
            match key {
                Some(key) if key.is_empty() => keyless.push(entry),
                Some(key) => {
                    let earlier = keyed.insert(key, entry);
                    if earlier.is_some() {
                        let what = format!("{}: the key twice", self.schema.node(id).name);
                        self.fault(FaultKind::Duplicate, what);
                    }
                }
                None => {}
            }
            self.path.pop();
        }
        if !keyed.is_empty() {
            Some(Data::List(keyed))
        } else if !keyless.is_empty() {
            Some(Data::Keyless(keyless))
        } else {
            None
        }
    }

    fn is_named(&self, id: NodeId, name: &str) -> bool {
        name == &*self.schema.node(id).name || name == self.schema.qualified_name(id)
    }

    /// The key of an entry; `None` if it is not complete, which is said elsewhere.
    fn key(&self, list: &List, members: &[(String, Json)], known: Option<&Key>) -> Option<Key> {
        let leaves = list.keys.iter().enumerate().map(|(at, leaf)| {
            let mut members = members.iter();
            let Some((_, json)) = members.find(|(name, _)| self.is_named(*leaf, name)) else {
                return known?.get(at).cloned();
            };
            let names = Names::Modules(self.schema.node(*leaf).module);
            fit(self.schema, self.schema.leaf_type(*leaf)?, json, &names).ok()
        });
        leaves.collect()
    }

    fn missing_keys(&mut self, id: NodeId, list: &List, members: &[(String, Json)]) {
        for leaf in &list.keys {
            if !members.iter().any(|(name, _)| self.is_named(*leaf, name)) {
                let name = &self.schema.node(*leaf).name;
                let what = format!("{}: its key {name} is missing", self.schema.node(id).name);
                self.fault(FaultKind::MissingKey, what);
            }
        }
    }

    /// The value of a leaf; a fault if it has none.
    fn value(&mut self, id: NodeId, ty: &Type, json: &Json) -> Option<Value> {
        let names = Names::Modules(self.schema.node(id).module);
        let restriction = match fit(self.schema, ty, json, &names) {
            Ok(value) => return Some(value),
            Err(restriction) => restriction,
        };
        let name = &self.schema.node(id).name;
        let own = self.schema.value_type(ty);
        let (what, app_tag) = match form(own) {
            Some((form, is_form)) if !is_form(json) => {
                (format!("{name}: write {form}, not {}", json.noun()), None)
            }
            _ => {
                let unfit = self.schema.unfit(own, &shown(json), restriction);
                (format!("{name}: {unfit}"), unfit.app_tag)
            }
        };
        if !self.faults.is_full() {
            let mut fault = Fault::new(&self.path, FaultKind::WrongValue, what);
            fault.app_tag = app_tag;
            self.faults.0.push(fault);
        }
        None
    }
}

fn shown(json: &Json) -> String {
    match json {
        Json::Integer(number) => number.to_string(),
        Json::Float(number) => number.to_string(),
        Json::Text(text) => text.clone(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => json.noun().to_owned(),
    }
}

type IsForm = fn(&Json) -> bool;

/// What JSON has for a type, in words, and whether a value is that; `None` for unions (RFC 7951 section 6).
fn form(ty: &Type) -> Option<(&'static str, IsForm)> {
    let is_text: IsForm = |json| matches!(json, Json::Text(_));
    Some(match &ty.base {
        Base::Int(int, _) if !int.is_64_bits() => ("a number", |json| {
            matches!(json, Json::Integer(_) | Json::Float(_))
        }),
        Base::Int(..) | Base::Decimal { .. } => ("the number as a string", is_text),
        Base::Boolean => ("true or false", |json| matches!(json, Json::Bool(_))),
        Base::Empty => ("[null]", is_empty),
        Base::Union(_) => return None,
        Base::String { .. }
        | Base::Binary(_)
        | Base::Enumeration(_)
        | Base::Bits(_)
        | Base::IdentityRef(_)
        | Base::LeafRef(_)
        | Base::InstanceIdentifier { .. } => ("a string", is_text),
    })
}

fn is_empty(json: &Json) -> bool {
    matches!(json, Json::Array(all) if matches!(all.as_slice(), [Json::Null]))
}

/// The value of a type that JSON says.
fn fit(
    schema: &Schema,
    ty: &Type,
    json: &Json,
    names: &Names<'_>,
) -> Result<Value, Option<Restriction>> {
    match (&ty.base, json) {
        (Base::LeafRef(_), json) => fit(schema, schema.value_type(ty), json, names),
        (Base::Union(members), json) => fit_union(members, |it| fit(schema, it, json, names)),
        (Base::Int(int, ranges), Json::Integer(number)) if !int.is_64_bits() => {
            fit_integer(*int, ranges, *number)
        }
        (Base::Int(int, _), Json::Text(_)) if !int.is_64_bits() => Err(None),
        (Base::Boolean, Json::Bool(is)) => Ok(Value::Bool(*is)),
        (Base::Boolean | Base::Empty, Json::Text(_)) => Err(None),
        (Base::Empty, json) if is_empty(json) => Ok(Value::Empty),
        (_, Json::Text(text)) => schema.fit(ty, text, names),
        _ => Err(None),
    }
}
