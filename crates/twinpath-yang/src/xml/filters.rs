//! Subtree filters from elements (RFC 6241 section 6).

use super::Element;
use super::value::Modules;
use crate::fault::{Fault, FaultKind};
use crate::filter::{Filter, Test};
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::Path;

/// Nodes of a filter, at most.
pub const MAX_FILTERS: usize = 10_000;

/// The filters of elements, such as those in NETCONF's `filter`. An element in no namespace is of any; one that the schema
/// does not have, or with an attribute, selects nothing.
///
/// # Errors
///
/// There are more than [`MAX_FILTERS`].
pub fn filters(schema: &Schema, elements: &[Element]) -> Result<Vec<Filter>, Fault> {
    let mut reader = Reader {
        modules: Modules::new(schema),
        has_notifications: false,
        left: MAX_FILTERS,
    };
    reader.filters(None, true, elements)
}

/// As [`filters`], of notifications and the data that they are in (RFC 5277 section 3.2.5.2.1).
///
/// # Errors
///
/// As [`filters`].
pub fn notification_filters(schema: &Schema, elements: &[Element]) -> Result<Vec<Filter>, Fault> {
    let mut reader = Reader {
        modules: Modules::new(schema),
        has_notifications: true,
        left: MAX_FILTERS,
    };
    reader.filters(None, true, elements)
}

struct Reader<'a> {
    modules: Modules<'a>,
    has_notifications: bool,
    left: usize,
}

impl Reader<'_> {
    /// `is_known`: whether there is a node that they are below.
    fn filters(
        &mut self,
        of: Option<NodeId>,
        is_known: bool,
        elements: &[Element],
    ) -> Result<Vec<Filter>, Fault> {
        let mut filters = Vec::new();
        for element in elements {
            for node in self.nodes(of, is_known, element) {
                let Some(left) = self.left.checked_sub(1) else {
                    let what = format!("a filter of more than {MAX_FILTERS} elements");
                    return Err(Fault::new(&Path::root(), FaultKind::TooLarge, what));
                };
                self.left = left;
                let test = if !element.children.is_empty() {
                    Test::Below(self.filters(node, node.is_some(), &element.children)?)
                } else if element.word().is_empty() {
                    Test::All
                } else {
                    let ty = node.and_then(|node| self.modules.schema.leaf_type(node));
                    let value =
                        ty.and_then(|ty| self.modules.value(ty, element, element.word()).ok());
                    Test::Equals(value)
                };
                filters.push(Filter { node, test });
            }
        }
        Ok(filters)
    }

    /// The nodes that an element can be of, or one that is not known.
    fn nodes(&self, of: Option<NodeId>, is_known: bool, element: &Element) -> Vec<Option<NodeId>> {
        let schema = self.modules.schema;
        if !is_known || !element.attributes.is_empty() {
            return vec![None];
        }
        let named = |id: &&NodeId| schema.node(**id).name == element.name;
        let is_of = |id: &&NodeId| match element.namespace.as_deref() {
            Some(namespace) => self.modules.module(namespace) == Some(schema.node(**id).module),
            None => true,
        };
        let notifications = match of {
            _ if !self.has_notifications => &[][..],
            Some(of) => schema.children(Some(of)),
            None => schema.notifications(),
        };
        let is_notification = |id: &&NodeId| matches!(schema.node(**id).kind, Kind::Notification);
        let all = schema.data_children(of).iter();
        let all = all.chain(notifications.iter().filter(is_notification));
        let found: Vec<_> = all
            .filter(named)
            .filter(is_of)
            .map(|id| Some(*id))
            .collect();
        if found.is_empty() { vec![None] } else { found }
    }
}
