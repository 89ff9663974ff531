//! Conditions and defaults: what holds for a node among its data.

use super::{Children, Data, defaults};
use crate::schema::{Condition, DataPath, Kind, NodeId, Schema};
use crate::value::Value;

/// The data around a node: children of the root, of each node on the way, and last those that the node is among. `None`
/// for a container without data.
pub(super) struct Context<'a> {
    pub(super) schema: &'a Schema,
    pub(super) root: &'a Children,
    levels: Vec<Option<&'a Children>>,
}

/// The node that a condition is about.
#[derive(Clone, Copy)]
pub(super) enum Own<'a> {
    /// A container or entry.
    Content(Option<&'a Children>),
    /// A leaf, or one value of a leaf-list.
    Value(Option<&'a Value>),
}

impl<'a> Context<'a> {
    pub(super) fn new(schema: &'a Schema, root: &'a Children) -> Self {
        Self {
            schema,
            root,
            levels: vec![Some(root)],
        }
    }

    pub(super) fn push(&mut self, children: Option<&'a Children>) {
        self.levels.push(children);
    }

    pub(super) fn pop(&mut self) {
        self.levels.pop();
    }

    /// The children that the node at hand is among.
    pub(super) fn here(&self) -> Option<&'a Children> {
        self.levels.last().copied().flatten()
    }

    /// The data of a node here; `None` also for lists without entries and containers without data that mean nothing.
    pub(super) fn present(&self, id: NodeId) -> Option<&'a Data> {
        present(self.schema, self.here(), id)
    }

    /// Whether a node can have a default here: its case is chosen, and its conditions hold.
    pub(super) fn is_in_use(&self, id: NodeId) -> bool {
        case_applies(self.schema, self.here(), id) && self.conditions_hold(id)
    }

    /// Whether the conditions of a node and of the choices around it hold.
    fn conditions_hold(&self, id: NodeId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if !self.when_holds(id, Own::Content(None)) {
                return false;
            }
            let above = self.schema.node(id).parent;
            at = above.filter(|above| {
                matches!(
                    self.schema.node(*above).kind,
                    Kind::Choice { .. } | Kind::Case
                )
            });
        }
        true
    }

    /// Whether the `when` of a node holds.
    pub(super) fn when_holds(&self, id: NodeId, own: Own<'a>) -> bool {
        let mut all = self.schema.node(id).when.iter();
        all.all(|when| self.holds(&when.condition, (!when.is_of_parent).then_some(own)))
    }

    /// Whether a condition holds, of a node here or, without one, of that around it.
    pub(super) fn holds(&self, condition: &Condition, own: Option<Own<'a>>) -> bool {
        match condition {
            Condition::Exists(path) => self.any(path, own, &mut |_| true),
            Condition::Compare {
                path,
                is_equal,
                literal,
            } => self.any(path, own, &mut |value| {
                value.is_some_and(|value| (self.schema.text(value) == **literal) == *is_equal)
            }),
            Condition::Not(inner) => !self.holds(inner, own),
            Condition::All(all) => all.iter().all(|inner| self.holds(inner, own)),
            Condition::Any(all) => all.iter().any(|inner| self.holds(inner, own)),
        }
    }

    /// The children where a path begins to go down.
    pub(super) fn base(&self, path: &DataPath, is_own: bool) -> Option<&'a Children> {
        if path.is_absolute {
            return Some(self.root);
        }
        // Of a node here, the first step up leads here.
        let ups = if is_own {
            path.ups.checked_sub(1)?
        } else {
            path.ups
        };
        let at = self.levels.len().checked_sub(ups + 1)?;
        self.levels.get(at).copied().flatten()
    }

    /// Whether a test holds for any node that a path leads to; nodes but leaves have no value.
    fn any(
        &self,
        path: &DataPath,
        own: Option<Own<'a>>,
        test: &mut dyn FnMut(Option<&'a Value>) -> bool,
    ) -> bool {
        match own {
            Some(own) if !path.is_absolute && path.ups == 0 => match own {
                Own::Content(children) => self.below(children, &path.nodes, test),
                Own::Value(value) => path.nodes.is_empty() && value.is_some() && test(value),
            },
            _ => self.below(self.base(path, own.is_some()), &path.nodes, test),
        }
    }

    fn below(
        &self,
        children: Option<&'a Children>,
        nodes: &[NodeId],
        test: &mut dyn FnMut(Option<&'a Value>) -> bool,
    ) -> bool {
        let Some((first, rest)) = nodes.split_first() else {
            return test(None);
        };
        match present(self.schema, children, *first) {
            Some(Data::Leaf(value)) => rest.is_empty() && test(Some(value)),
            Some(Data::LeafList(values)) => {
                rest.is_empty() && values.iter().any(|value| test(Some(value)))
            }
            Some(Data::Container(inner)) => self.below(Some(inner), rest, test),
            Some(Data::List(entries)) => entries
                .values()
                .any(|inner| self.below(Some(inner), rest, test)),
            Some(Data::Keyless(entries)) => entries
                .iter()
                .any(|inner| self.below(Some(inner), rest, test)),
            Some(Data::Any(_)) => rest.is_empty() && test(None),
            None if self.schema.node(*first).is_plain_container() => self.below(None, rest, test),
            None if rest.is_empty() && case_applies(self.schema, children, *first) => {
                defaults::values(self.schema, *first)
                    .iter()
                    .any(|value| test(Some(value)))
            }
            None => false,
        }
    }

    /// All values that a path leads to, from some children.
    pub(super) fn values_below(
        &self,
        children: Option<&'a Children>,
        nodes: &[NodeId],
        found: &mut dyn FnMut(&'a Value),
    ) {
        self.below(children, nodes, &mut |value| {
            if let Some(value) = value {
                found(value);
            }
            false
        });
    }
}

/// The data of a node; `None` also for lists without entries and containers without data that mean nothing.
pub(crate) fn present<'a>(
    schema: &Schema,
    children: Option<&'a Children>,
    id: NodeId,
) -> Option<&'a Data> {
    let data = children?.get(id)?;
    let is_nothing = match data {
        Data::Leaf(_) | Data::Any(_) => false,
        Data::Container(children) => {
            schema.node(id).is_plain_container() && !has_any(schema, children)
        }
        Data::LeafList(_) | Data::List(_) | Data::Keyless(_) => data.is_empty(),
    };
    (!is_nothing).then_some(data)
}

fn has_any(schema: &Schema, children: &Children) -> bool {
    children
        .iter()
        .any(|(id, _)| present(schema, Some(children), id).is_some())
}

/// Whether any node of a case, or the node itself, is there.
pub(super) fn is_chosen(schema: &Schema, children: Option<&Children>, id: NodeId) -> bool {
    match schema.node(id).kind {
        Kind::Choice { .. } | Kind::Case => schema
            .children(Some(id))
            .iter()
            .any(|child| is_chosen(schema, children, *child)),
        Kind::Container { .. }
        | Kind::List(_)
        | Kind::Leaf { .. }
        | Kind::LeafList { .. }
        | Kind::Anydata { .. }
        | Kind::Rpc
        | Kind::Action
        | Kind::Input
        | Kind::Output
        | Kind::Notification => present(schema, children, id).is_some(),
    }
}

/// Whether each case around a node is the one that is chosen, or the default where none is.
fn case_applies(schema: &Schema, children: Option<&Children>, id: NodeId) -> bool {
    let mut at = id;
    while let Some(above) = schema.node(at).parent {
        match &schema.node(above).kind {
            Kind::Case => at = above,
            Kind::Choice { default, .. } => {
                let is_default = || *default == Some(at) && !is_chosen(schema, children, above);
                if !is_chosen(schema, children, at) && !is_default() {
                    return false;
                }
                at = above;
            }
            Kind::Container { .. }
            | Kind::List(_)
            | Kind::Leaf { .. }
            | Kind::LeafList { .. }
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => return true,
        }
    }
    true
}
