//! Data and edits from elements.

use std::collections::HashSet;

use indexmap::map::Entry;

use super::Element;
use super::any::{is_mixed, object};
use super::marks::Marks;
use super::value::Modules;
use crate::MAX_FAULTS;
use crate::edit::{EditContent, EditNode, Operation};
use crate::fault::{Fault, FaultKind, names, unknown};
use crate::json::ReadOptions;
use crate::schema::{Kind, List, NodeId, Schema, Type};
use crate::tree::{Children, Data, Key, Path, Scope, Select};
use crate::value::{Value, shorten};

/// What is wrong with data in XML, and what NETCONF's errors say of it beside (`error-info`, RFC 6241 appendix A).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlFault {
    /// What is wrong, and where.
    pub fault: Fault,
    /// Name of the element that it is about, or that is missing.
    pub element: Box<str>,
    /// Name of the attribute that it is about, or that is missing.
    pub attribute: Option<Box<str>>,
    /// Namespace that is not known.
    pub namespace: Option<Box<str>>,
}

/// The data nodes of elements, which are below `options.at`. What is marked as a default is left out.
///
/// Each value fits its type and each entry has its keys; what else must hold is for [`crate::validate`].
///
/// # Errors
///
/// All faults, at most [`MAX_FAULTS`].
pub fn read(
    schema: &Schema,
    elements: &[Element],
    options: &ReadOptions,
) -> Result<Children, Vec<XmlFault>> {
    let mut reader = Reader::new(schema, options, false);
    let nodes = reader.elements(options.at.node(), elements, None);
    if reader.faults.is_empty() {
        Ok(children(schema, nodes))
    } else {
        Err(reader.faults)
    }
}

/// The edit of elements at the root, such as those in NETCONF's `config` (RFC 6241 section 7.2).
///
/// # Errors
///
/// All faults, at most [`MAX_FAULTS`].
pub fn edits(
    schema: &Schema,
    elements: &[Element],
    options: &ReadOptions,
) -> Result<Vec<EditNode>, Vec<XmlFault>> {
    let mut reader = Reader::new(schema, options, true);
    let nodes = reader.elements(options.at.node(), elements, None);
    if reader.faults.is_empty() {
        Ok(nodes)
    } else {
        Err(reader.faults)
    }
}

pub(super) struct Reader<'a> {
    modules: Modules<'a>,
    options: &'a ReadOptions,
    /// Whether attributes of edits are read.
    pub(super) is_edit: bool,
    path: Path,
    faults: Vec<XmlFault>,
    nodes_left: usize,
}

impl<'a> Reader<'a> {
    fn new(schema: &'a Schema, options: &'a ReadOptions, is_edit: bool) -> Self {
        Self {
            modules: Modules::new(schema),
            options,
            is_edit,
            path: options.at.clone(),
            faults: Vec::new(),
            nodes_left: options.max_nodes,
        }
    }

    pub(super) fn schema(&self) -> &'a Schema {
        self.modules.schema
    }

    pub(super) fn modules(&self) -> &Modules<'a> {
        &self.modules
    }

    fn add(&mut self, fault: XmlFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    fn new_fault(&self, element: &str, kind: FaultKind, what: impl Into<String>) -> XmlFault {
        XmlFault {
            fault: Fault::new(&self.path, kind, what),
            element: element.into(),
            attribute: None,
            namespace: None,
        }
    }

    fn fault(&mut self, element: &str, kind: FaultKind, what: impl Into<String>) {
        let fault = self.new_fault(element, kind, what);
        self.add(fault);
    }

    pub(super) fn attribute_fault(
        &mut self,
        element: &Element,
        kind: FaultKind,
        attribute: &str,
        what: String,
    ) {
        let mut fault = self.new_fault(&element.name, kind, what);
        fault.attribute = Some(attribute.into());
        self.add(fault);
    }

    /// Whether one more node may be read.
    fn count(&mut self, element: &Element) -> bool {
        if self.faults.len() >= MAX_FAULTS {
            return false;
        }
        if let Some(left) = self.nodes_left.checked_sub(1) {
            self.nodes_left = left;
            return true;
        }
        let mut kinds = self.faults.iter().map(|it| it.fault.kind);
        if kinds.all(|kind| kind != FaultKind::TooLarge) {
            let what = format!("more than {} nodes", self.options.max_nodes);
            self.fault(&element.name, FaultKind::TooLarge, what);
        }
        false
    }

    /// The nodes of elements; `around`: what is done with the node that they are in.
    fn elements(
        &mut self,
        of: Option<NodeId>,
        elements: &[Element],
        around: Option<Operation>,
    ) -> Vec<EditNode> {
        let mut nodes = Vec::new();
        let mut seen = HashSet::new();
        let mut keys = HashSet::new();
        let mut positions = 0;
        for element in elements {
            if !self.count(element) {
                break;
            }
            let Some(id) = self.node(of, element) else {
                continue;
            };
            let node = self.schema().node(id);
            let is_several = matches!(node.kind, Kind::List(_) | Kind::LeafList { .. });
            if !is_several && !seen.insert(id) {
                self.at(id, Select::All, |it| {
                    it.fault(
                        &element.name,
                        FaultKind::Duplicate,
                        format!("{}: twice in one element", element.name),
                    );
                });
                continue;
            }
            positions += 1;
            let Some(node) = self.element(id, element, around, positions) else {
                continue;
            };
            let is_identified = matches!(node.select, Select::Key(_) | Select::Value(_));
            let may_repeat = self.is_edit
                || matches!(node.select, Select::Value(_)) && !self.schema().node(id).is_config;
            if is_identified && !may_repeat && !keys.insert((id, node.select.clone())) {
                self.at(id, node.select.clone(), |it| {
                    it.fault(
                        &element.name,
                        FaultKind::Duplicate,
                        format!("{}: the same twice", element.name),
                    );
                });
                continue;
            }
            nodes.push(node);
        }
        nodes
    }

    fn at<T>(&mut self, id: NodeId, select: Select, then: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(id, select);
        let result = then(self);
        self.path.pop();
        result
    }

    /// The node of an element, which may be written here.
    fn node(&mut self, of: Option<NodeId>, element: &Element) -> Option<NodeId> {
        let schema = self.schema();
        let namespace = element.namespace.as_deref().unwrap_or_default();
        let Some(module) = self.modules.module(namespace) else {
            let implemented = schema.modules().filter(|(_, it)| it.is_implemented);
            let all = implemented.map(|(_, it)| it.namespace.to_string());
            let what = format!(
                "{}: {}",
                shorten(&element.name),
                unknown(namespace, all, "namespace")
            );
            let mut fault = self.new_fault(&element.name, FaultKind::UnknownNamespace, what);
            fault.namespace = Some(namespace.into());
            self.add(fault);
            return None;
        };
        let Some(id) = schema.child(of, Some(module), &element.name) else {
            let what = match schema.child(of, None, &element.name) {
                Some(other) => {
                    let namespace = &schema.module(schema.node(other).module).namespace;
                    format!("{}: write it in the namespace {namespace}", element.name)
                }
                None => unknown(&element.name, names(schema, of), "element"),
            };
            self.fault(&element.name, FaultKind::UnknownNode, what);
            return None;
        };
        if !schema.node(id).is_config && self.options.scope == Scope::Config {
            self.at(id, Select::All, |it| {
                let what = format!("{}: state, which cannot be set", element.name);
                it.fault(&element.name, FaultKind::NotConfig, what);
            });
            return None;
        }
        Some(id)
    }

    fn element(
        &mut self,
        id: NodeId,
        element: &Element,
        around: Option<Operation>,
        position: usize,
    ) -> Option<EditNode> {
        let schema = self.schema();
        let select = match &schema.node(id).kind {
            Kind::List(list) if list.keys.is_empty() => Select::Position(position),
            Kind::List(list) => Select::Key(self.key(id, list, element)?),
            Kind::Container { .. }
            | Kind::Leaf { .. }
            | Kind::LeafList { .. }
            | Kind::Choice { .. }
            | Kind::Case
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => Select::All,
        };
        self.at(id, select.clone(), |it| {
            let marks = it.marks(id, element);
            let operation = marks.operation.or(around);
            let is_deletion = matches!(operation, Some(Operation::Delete | Operation::Remove));
            match &schema.node(id).kind {
                Kind::List(_) | Kind::Container { .. } | Kind::Input | Kind::Output => {
                    let content = it.content(id, element, operation);
                    Some(node(id, select, marks, EditContent::Nodes(content)))
                }
                Kind::Leaf { ty, default, .. } => {
                    if is_deletion && element.word().is_empty() && element.children.is_empty() {
                        return Some(node(id, select, marks, EditContent::Nothing));
                    }
                    let value = it.value(ty, element)?;
                    let marks =
                        it.default_mark(element, marks, default.as_ref() == Some(&value))?;
                    let content = EditContent::Data(Data::Leaf(value));
                    Some(node(id, select, marks, content))
                }
                Kind::LeafList { ty, defaults, .. } => {
                    let value = it.value(ty, element)?;
                    let marks = it.default_mark(element, marks, defaults.contains(&value))?;
                    Some(node(id, Select::Value(value), marks, EditContent::Nothing))
                }
                Kind::Anydata { .. } => {
                    let json = object(&it.modules, element);
                    let content = EditContent::Data(Data::Any(json));
                    Some(node(id, select, marks, content))
                }
                Kind::Choice { .. }
                | Kind::Case
                | Kind::Rpc
                | Kind::Action
                | Kind::Notification => None,
            }
        })
    }

    fn content(
        &mut self,
        id: NodeId,
        element: &Element,
        operation: Option<Operation>,
    ) -> Vec<EditNode> {
        if is_mixed(element) || element.children.is_empty() && !element.word().is_empty() {
            let what = format!("{}: text where elements are expected", element.name);
            self.fault(&element.name, FaultKind::WrongValue, what);
        }
        self.elements(Some(id), &element.children, operation)
    }

    /// What a value that is marked as a default becomes: it is left out of data, and an edit removes it (RFC 6243
    /// section 2.3.3).
    fn default_mark(
        &mut self,
        element: &Element,
        mut marks: Marks,
        is_equal: bool,
    ) -> Option<Marks> {
        if !marks.is_default {
            return Some(marks);
        }
        if !is_equal {
            let what = format!(
                "{}: marked as the default, which is another value",
                element.name
            );
            self.fault(&element.name, FaultKind::WrongValue, what);
            return None;
        }
        marks.operation = Some(Operation::Remove);
        self.is_edit.then_some(marks)
    }

    /// The value of a leaf; a fault if it has none.
    fn value(&mut self, ty: &Type, element: &Element) -> Option<Value> {
        if let Some(child) = element.children.first() {
            let what = format!(
                "{}: {}: a leaf has no elements",
                element.name,
                shorten(&child.name)
            );
            self.fault(&child.name, FaultKind::UnknownNode, what);
            return None;
        }
        match self.modules.value(ty, element, &element.text) {
            Ok(value) => Some(value),
            Err(unfit) => {
                let what = format!("{}: {unfit}", element.name);
                let mut fault = self.new_fault(&element.name, FaultKind::WrongValue, what);
                fault.fault.app_tag = unfit.app_tag;
                self.add(fault);
                None
            }
        }
    }

    /// The key of an entry.
    fn key(&mut self, id: NodeId, list: &List, element: &Element) -> Option<Key> {
        let schema = self.schema();
        let known = self.options.known_key(&self.path, list);
        let mut key = Vec::with_capacity(list.keys.len());
        for (at, leaf) in list.keys.iter().enumerate() {
            let name = &schema.node(*leaf).name;
            let namespace = &schema.module(schema.node(*leaf).module).namespace;
            let found = element.child(namespace, name);
            let value = match (found, known.and_then(|known| known.get(at))) {
                (Some(found), _) => schema.leaf_type(*leaf).and_then(|ty| {
                    self.path.push(id, Select::All);
                    let value = self.at(*leaf, Select::All, |it| it.value(ty, found));
                    self.path.pop();
                    value
                }),
                (None, Some(value)) => Some(value.clone()),
                (None, None) => {
                    self.at(id, Select::All, |it| {
                        let what = format!("{}: its key {name} is missing", element.name);
                        it.fault(name, FaultKind::MissingKey, what);
                    });
                    None
                }
            };
            key.extend(value);
        }
        (key.len() == list.keys.len()).then(|| key.into())
    }
}

fn node(id: NodeId, select: Select, marks: Marks, content: EditContent) -> EditNode {
    EditNode {
        node: id,
        select,
        operation: marks.operation,
        place: marks.place,
        content,
    }
}

/// The data of nodes that have no operations.
fn children(schema: &Schema, nodes: Vec<EditNode>) -> Children {
    let mut all = Children::new();
    for node in nodes {
        let id = node.node;
        match (node.select, node.content) {
            (Select::Key(key), EditContent::Nodes(content)) => {
                if let Some(entries) = all.entries_mut(id)
                    && let Entry::Vacant(entry) = entries.entry(key)
                {
                    let mut content = children(schema, content);
                    let keys = schema.node(id).list().map(|list| list.keys.as_slice());
                    for (leaf, value) in keys.unwrap_or_default().iter().zip(entry.key()) {
                        if content.get(*leaf).is_none() {
                            content.insert(*leaf, Data::Leaf(value.clone()));
                        }
                    }
                    entry.insert(content);
                }
            }
            (Select::Position(_), EditContent::Nodes(content)) => {
                let content = children(schema, content);
                match all.get_mut(id) {
                    Some(Data::Keyless(entries)) => entries.push(content),
                    _ => drop(all.insert(id, Data::Keyless(vec![content]))),
                }
            }
            (Select::Value(value), _) => match all.get_mut(id) {
                Some(Data::LeafList(values)) => values.push(value),
                _ => drop(all.insert(id, Data::LeafList(vec![value]))),
            },
            (_, EditContent::Nodes(content)) => {
                let content = children(schema, content);
                if !content.is_empty() || !schema.node(id).is_plain_container() {
                    all.insert(id, Data::Container(content));
                }
            }
            (_, EditContent::Data(data)) => drop(all.insert(id, data)),
            (_, EditContent::Nothing) => {}
        }
    }
    all
}
