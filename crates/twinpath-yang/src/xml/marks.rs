//! Attributes by which an edit says what to do (RFC 6241 section 7.2, RFC 7950 sections 7.7.9 and 7.8.6, RFC 6243
//! section 2).

use super::read::Reader;
use super::{Attribute, Element, NETCONF, WITH_DEFAULTS, XML, YANG};
use crate::diff::Place;
use crate::edit::Operation;
use crate::fault::FaultKind;
use crate::schema::{Kind, NodeId};
use crate::tree::Select;
use crate::tree::key_predicates;
use crate::value::{Names, shorten};

/// What the attributes of an element say.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) operation: Option<Operation>,
    pub(super) place: Option<Place>,
    /// Whether its value is said to be the default.
    pub(super) is_default: bool,
}

impl Reader<'_> {
    pub(super) fn marks(&mut self, id: NodeId, element: &Element) -> Marks {
        let mut marks = Marks::default();
        let mut insert = None;
        let mut beside = None;
        for attribute in &element.attributes {
            match (attribute.namespace.as_deref(), &*attribute.name) {
                (Some(NETCONF), "operation") if self.is_edit => {
                    marks.operation = self.operation(element, attribute);
                }
                (Some(YANG), "insert") if self.is_edit => insert = Some(attribute),
                (Some(YANG), "key" | "value") if self.is_edit => beside = Some(attribute),
                (Some(WITH_DEFAULTS), "default") => match &*attribute.value {
                    "true" | "1" => marks.is_default = true,
                    "false" | "0" => {}
                    _ => self.bad_attribute(element, attribute, "true or false"),
                },
                (Some(XML), _) => {}
                _ => self.unknown_attribute(element, attribute, "unknown attribute"),
            }
        }
        match (insert, beside) {
            (Some(insert), beside) => marks.place = self.place(id, element, insert, beside),
            (None, Some(beside)) => {
                self.unknown_attribute(element, beside, "it needs the attribute insert");
            }
            (None, None) => {}
        }
        marks
    }

    fn operation(&mut self, element: &Element, attribute: &Attribute) -> Option<Operation> {
        let operation = match &*attribute.value {
            "merge" => Operation::Merge,
            "replace" => Operation::Replace,
            "create" => Operation::Create,
            "delete" => Operation::Delete,
            "remove" => Operation::Remove,
            _ => {
                self.bad_attribute(
                    element,
                    attribute,
                    "merge, replace, create, delete or remove",
                );
                return None;
            }
        };
        Some(operation)
    }

    fn place(
        &mut self,
        id: NodeId,
        element: &Element,
        insert: &Attribute,
        beside: Option<&Attribute>,
    ) -> Option<Place> {
        let (is_ordered, name) = match &self.schema().node(id).kind {
            Kind::List(list) => (list.user_ordered, "key"),
            Kind::LeafList { user_ordered, .. } => (*user_ordered, "value"),
            Kind::Container { .. }
            | Kind::Leaf { .. }
            | Kind::Choice { .. }
            | Kind::Case
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => (false, ""),
        };
        if !is_ordered {
            let what = "not allowed here, as users do not order it";
            self.unknown_attribute(element, insert, what);
            return None;
        }
        let make = match &*insert.value {
            "first" => return Some(Place::First),
            "last" => return Some(Place::Last),
            "before" => Place::Before,
            "after" => Place::After,
            _ => {
                self.bad_attribute(element, insert, "first, last, before or after");
                return None;
            }
        };
        let Some(beside) = beside.filter(|it| &*it.name == name) else {
            let what = format!(
                "{}: write the attribute {name}, as insert needs it",
                element.name
            );
            self.attribute_fault(element, FaultKind::MissingAttribute, name, what);
            return None;
        };
        self.beside(id, element, beside).map(make)
    }

    /// The entry that an attribute refers to.
    fn beside(&mut self, id: NodeId, element: &Element, attribute: &Attribute) -> Option<Select> {
        let text = &*attribute.value;
        let found = if let Some(ty) = self.schema().leaf_type(id) {
            let value = self.modules().value(ty, element, text);
            value.map(Select::Value).map_err(|unfit| unfit.what)
        } else {
            let look_up = |prefix: Option<&str>| {
                let namespace = element.namespace_of(prefix)?;
                self.modules().module(namespace)
            };
            let names = Names::Declared(&look_up);
            key_predicates(self.schema(), id, text, &names).map_err(|error| error.what)
        };
        match found {
            Ok(select) => Some(select),
            Err(why) => {
                let what = format!("{}: attribute {}: {why}", element.name, attribute.name);
                self.attribute_fault(element, FaultKind::BadAttribute, &attribute.name, what);
                None
            }
        }
    }

    fn bad_attribute(&mut self, element: &Element, attribute: &Attribute, allowed: &str) {
        let (name, value) = (&attribute.name, shorten(&attribute.value));
        let what = format!(
            "{}: attribute {name}: {value} is not allowed: use {allowed}",
            element.name
        );
        self.attribute_fault(element, FaultKind::BadAttribute, name, what);
    }

    fn unknown_attribute(&mut self, element: &Element, attribute: &Attribute, why: &str) {
        let name = &attribute.name;
        let what = format!("{}: attribute {}: {why}", element.name, shorten(name));
        self.attribute_fault(element, FaultKind::UnknownAttribute, name, what);
    }
}
