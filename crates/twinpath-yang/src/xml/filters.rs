//! Subtree filters from elements (RFC 6241 section 6).

use super::Element;
use super::value::Modules;
use crate::fault::{Fault, FaultKind};
use crate::filter::{Filter, Test};
use crate::schema::{NodeId, Schema};
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
        left: MAX_FILTERS,
    };
    reader.filters(None, true, elements)
}

struct Reader<'a> {
    modules: Modules<'a>,
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
        let found: Vec<Option<NodeId>> = if !is_known || !element.attributes.is_empty() {
            Vec::new()
        } else if element.namespace.is_some() {
            vec![self.modules.child(of, element)]
        } else {
            let all = schema.data_children(of).iter();
            let named = all.filter(|id| schema.node(**id).name == element.name);
            named.map(|id| Some(*id)).collect()
        };
        if found.is_empty() { vec![None] } else { found }
    }
}
