//! Data from TOML.

mod lists;

use std::sync::Arc;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::lines::{Document, FileFault, Lines, Place};
use super::{MAX_TEXT, Roots, fit};
use crate::fault::{Fault, FaultKind, MAX_FAULTS, unknown};
use crate::schema::{Kind, NodeId, Schema, Type};
use crate::tree::{Children, Data, Path, Select};
use crate::value::{Names, Unfit, Value};

/// Reads files into one tree.
#[derive(Debug)]
pub struct Reader<'a> {
    schema: &'a Schema,
    roots: &'a Roots,
    document: Document,
    faults: Vec<FileFault>,
}

impl<'a> Reader<'a> {
    /// Nothing is read yet.
    pub fn new(schema: &'a Schema, roots: &'a Roots) -> Self {
        Self {
            schema,
            roots,
            document: Document::default(),
            faults: Vec::new(),
        }
    }

    /// Reads one more file. Each value fits its type and each entry has its keys; what else must hold is for
    /// [`crate::validate`]. `file` is its name in messages.
    pub fn add(&mut self, file: &str, text: &str) {
        let mut reading = Reading {
            schema: self.schema,
            roots: self.roots,
            file: file.into(),
            lines: Lines::of(text),
            document: std::mem::take(&mut self.document),
            faults: Vec::new(),
            path: Path::root(),
        };
        reading.file(text);
        reading
            .faults
            .sort_by_key(|fault| fault.place.as_ref().map(|place| place.line));
        self.document = reading.document;
        self.faults.append(&mut reading.faults);
        self.faults.truncate(MAX_FAULTS);
    }

    /// What the files say, and what is wrong with them: no more than [`MAX_FAULTS`] faults, in the order of files and
    /// lines. What is wrong is not in the data.
    pub fn finish(self) -> (Document, Vec<FileFault>) {
        (self.document, self.faults)
    }
}

struct Reading<'a> {
    schema: &'a Schema,
    roots: &'a Roots,
    file: Arc<str>,
    lines: Lines,
    document: Document,
    faults: Vec<FileFault>,
    path: Path,
}

impl Reading<'_> {
    fn line(&self, octet: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: self.lines.at(octet),
        }
    }

    /// A fault of the node that the path leads to.
    fn fault(&mut self, place: &Place, kind: FaultKind, what: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(FileFault {
                place: Some(place.clone()),
                fault: Fault::new(&self.path, kind, what),
            });
        }
    }

    fn file(&mut self, text: &str) {
        let start = self.line(0);
        if text.len() > MAX_TEXT {
            self.fault(&start, FaultKind::TooLarge, "longer than 4 MiB");
            return;
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let place = self.line(error.span().map_or(0, |span| span.start));
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            self.fault(
                &place,
                FaultKind::NotReadable,
                format!("not TOML: {message}"),
            );
        }
        if !errors.is_empty() {
            // What follows a fault of this kind may be understood wrongly.
            return;
        }
        let mut root = std::mem::take(&mut self.document.root);
        let roots = self.roots;
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            let table = roots.tables.iter().find(|(table, _)| **table == *name);
            let place = self.line(key.span().start);
            match table {
                Some((_, node)) => self.with_container(*node, &mut root, &mut |it, above| {
                    it.member(*node, name, value, &place, above);
                }),
                None => self.with_container(roots.main, &mut root, &mut |it, above| {
                    it.path.push(roots.main, Select::All);
                    it.mark(&place);
                    if let Some(children) = above.container_mut(roots.main) {
                        it.key(roots.main, key, value, children);
                    }
                    it.path.pop();
                    it.drop_if_empty(roots.main, above);
                }),
            }
        }
        self.document.root = root;
    }

    /// Goes to the children that hold a container.
    fn with_container(
        &mut self,
        node: NodeId,
        root: &mut Children,
        then: &mut dyn FnMut(&mut Self, &mut Children),
    ) {
        let mut above = Vec::new();
        let mut at = self.schema.data_parent(node);
        while let Some(id) = at {
            above.push(id);
            at = self.schema.data_parent(id);
        }
        above.reverse();
        self.descend(&above, root, then);
    }

    fn descend(
        &mut self,
        above: &[NodeId],
        children: &mut Children,
        then: &mut dyn FnMut(&mut Self, &mut Children),
    ) {
        let Some((first, rest)) = above.split_first() else {
            then(self, children);
            return;
        };
        self.path.push(*first, Select::All);
        if let Some(inner) = children.container_mut(*first) {
            self.descend(rest, inner, then);
        }
        self.path.pop();
        self.drop_if_empty(*first, children);
    }

    /// A container that says nothing by itself is not in the data without content.
    fn drop_if_empty(&self, node: NodeId, children: &mut Children) {
        let is_empty = children.get(node).is_some_and(Data::is_empty);
        if is_empty && self.schema.node(node).is_plain_container() {
            children.remove(node);
        }
    }

    /// The line of the node that the path leads to, the first one if there are several.
    fn mark(&mut self, place: &Place) {
        if !self.document.places.contains_key(&self.path) {
            self.document
                .places
                .insert(self.path.clone(), place.clone());
        }
    }

    /// A key of a table.
    fn key(
        &mut self,
        of: NodeId,
        key: &Spanned<::toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        children: &mut Children,
    ) {
        let place = self.line(key.span().start);
        let name = key.get_ref().as_ref();
        let found = match name.split_once(':') {
            Some((module, local)) => {
                let module = self.schema.module_named(module);
                module.and_then(|module| self.schema.child(Some(of), Some(module), local))
            }
            None => self.schema.child(Some(of), None, name),
        };
        if let Some(node) = found {
            self.member(node, name, value, &place, children);
        } else {
            let what = self.unknown(of, name);
            self.fault(&place, FaultKind::UnknownNode, what);
        }
    }

    fn unknown(&self, of: NodeId, name: &str) -> String {
        let children = self.schema.data_children(Some(of)).iter();
        let mut same = children.filter(|id| &*self.schema.node(**id).name == name);
        if let Some(id) = same.next() {
            return format!(
                "{name}: not unique: write \"{}\"",
                self.schema.qualified_name(*id)
            );
        }
        let is_main = of == self.roots.main;
        let tables = self.roots.tables.iter().filter(|_| is_main);
        let tables = tables.map(|(name, _)| name.to_string());
        let children = self.schema.data_children(Some(of)).iter();
        let children = children.map(|id| self.schema.node(*id));
        // State cannot be set.
        let keys = children.filter(|node| node.is_config);
        let keys = keys.map(|node| node.name.to_string());
        unknown(name, keys.chain(tables), "key")
    }

    /// A node with its value, among these children.
    fn member(
        &mut self,
        node: NodeId,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        children: &mut Children,
    ) {
        if self.faults.len() >= MAX_FAULTS {
            return;
        }
        if !self.schema.node(node).is_config {
            self.path.push(node, Select::All);
            self.fault(
                place,
                FaultKind::NotConfig,
                format!("{name}: state, which cannot be set"),
            );
            self.path.pop();
            return;
        }
        match &self.schema.node(node).kind {
            Kind::Container { .. } => self.container(node, name, value, place, children),
            Kind::List(_) => self.list(node, name, value, place, children),
            Kind::Leaf { ty, .. } => {
                let data = |it: &mut Self| {
                    let value = it.value(node, name, ty, value.get_ref(), place)?;
                    Some(Data::Leaf(value))
                };
                self.set(node, name, place, children, data);
            }
            Kind::LeafList { ty, .. } => {
                let data = |it: &mut Self| it.leaf_list(node, name, ty, value, place);
                self.set(node, name, place, children, data);
            }
            Kind::Anydata { .. } => {
                let data = |it: &mut Self| {
                    if let DeValue::Table(_) = value.get_ref() {
                        return Some(Data::Any(any(value.get_ref())));
                    }
                    let noun = fit::noun(value.get_ref());
                    let what = format!("{name}: write a table, not {noun}");
                    it.fault(place, FaultKind::WrongValue, what);
                    None
                };
                self.set(node, name, place, children, data);
            }
            Kind::Choice { .. }
            | Kind::Case
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => {}
        }
    }

    /// Sets what is not to be set twice.
    fn set(
        &mut self,
        node: NodeId,
        name: &str,
        place: &Place,
        children: &mut Children,
        data: impl FnOnce(&mut Self) -> Option<Data>,
    ) {
        self.path.push(node, Select::All);
        if let Some(earlier) = self.document.places.get(&self.path).cloned() {
            let what = format!("{name}: set in {earlier} too");
            self.fault(place, FaultKind::Duplicate, what);
        } else {
            self.mark(place);
            if let Some(data) = data(self) {
                children.insert(node, data);
            }
        }
        self.path.pop();
    }

    fn container(
        &mut self,
        node: NodeId,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        children: &mut Children,
    ) {
        self.path.push(node, Select::All);
        self.mark(place);
        match (value.get_ref(), children.container_mut(node)) {
            (DeValue::Table(table), Some(inner)) => {
                for (key, value) in table {
                    self.key(node, key, value, inner);
                }
            }
            (other, _) => {
                let what = format!(
                    "{name}: write [{name}] above its keys, not {}",
                    fit::noun(other)
                );
                self.fault(place, FaultKind::WrongValue, what);
            }
        }
        self.path.pop();
        self.drop_if_empty(node, children);
    }

    fn value(
        &mut self,
        node: NodeId,
        name: &str,
        ty: &Type,
        value: &DeValue<'_>,
        place: &Place,
    ) -> Option<Value> {
        let names = Names::Short(self.schema.node(node).module);
        match fit::value(self.schema, ty, value, &names) {
            Ok(value) => Some(value),
            Err(unfit) => {
                self.unfit(name, unfit, place);
                None
            }
        }
    }

    fn unfit(&mut self, name: &str, unfit: Unfit, place: &Place) {
        self.fault(place, FaultKind::WrongValue, format!("{name}: {unfit}"));
        if unfit.app_tag.is_some()
            && let Some(last) = self.faults.last_mut()
        {
            last.fault.app_tag = unfit.app_tag;
        }
    }

    /// The values of an array, or one value instead.
    fn leaf_list(
        &mut self,
        node: NodeId,
        name: &str,
        ty: &Type,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
    ) -> Option<Data> {
        let DeValue::Array(all) = value.get_ref() else {
            let only = self.value(node, name, ty, value.get_ref(), place)?;
            return Some(Data::LeafList(vec![only]));
        };
        let mut values = indexmap::IndexSet::new();
        for one in all {
            let place = self.line(one.span().start);
            let Some(value) = self.value(node, name, ty, one.get_ref(), &place) else {
                continue;
            };
            let text = self.schema.text(&value).into_owned();
            if !values.insert(value) {
                self.fault(
                    &place,
                    FaultKind::Duplicate,
                    format!("{name}: {text} twice"),
                );
            }
        }
        (!values.is_empty()).then(|| Data::LeafList(values.into_iter().collect()))
    }
}

/// Content of an `anydata` node; the parser bounds its depth.
fn any(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Integer(number) => fit::integer(number)
            .and_then(|number| i64::try_from(number).ok())
            .map_or(Json::Null, Json::from),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or(Json::Null, Json::from),
        DeValue::Boolean(is) => Json::Bool(*is),
        DeValue::Datetime(date) => Json::String(date.to_string()),
        DeValue::Array(all) => Json::Array(all.iter().map(|it| any(it.get_ref())).collect()),
        DeValue::Table(table) => {
            let members = table.iter();
            Json::Object(
                members
                    .map(|(key, value)| (key.get_ref().to_string(), any(value.get_ref())))
                    .collect(),
            )
        }
    }
}
