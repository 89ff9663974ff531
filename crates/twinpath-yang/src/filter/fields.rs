//! The parameter `fields` of RESTCONF (RFC 8040 section 4.8.3).

use indexmap::IndexMap;

use crate::fault::{FaultKind, names, unknown};
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::PathError;
use crate::value::shorten;

/// Octets of the parameter, at most.
const MAX_TEXT: usize = 16 * 1024;

/// Nodes below another that are shown, and which below them; without any, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(IndexMap<NodeId, Fields>);

impl Fields {
    /// Nodes by an expression as in `name;admin(label;number);a/b`. `of`: the node that they are below.
    ///
    /// # Errors
    ///
    /// What is not such an expression, or not in the schema.
    pub fn parse(schema: &Schema, of: Option<NodeId>, text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_TEXT {
            return fail(FaultKind::TooLarge, "fields longer than 16 KiB");
        }
        let mut fields = Self::default();
        // Nodes around what is read, by parenthesis.
        let mut around: Vec<Vec<NodeId>> = vec![Vec::new()];
        let mut left = text;
        loop {
            let end = left.find(['(', ')', ';']).unwrap_or(left.len());
            let (path, rest) = left.split_at_checked(end).unwrap_or((left, ""));
            let mut nodes = around.last().cloned().unwrap_or_default();
            for name in path.split('/') {
                let above = nodes.last().copied().or(of);
                nodes.push(child(schema, above, name)?);
            }
            let mut rest = rest;
            if let Some(inner) = rest.strip_prefix('(') {
                around.push(nodes);
                left = inner;
                continue;
            }
            fields.add(&nodes);
            while let Some(outer) = rest.strip_prefix(')') {
                around.pop();
                if around.is_empty() {
                    return fail(FaultKind::NotReadable, "fields: a ) without its (");
                }
                rest = outer;
            }
            match rest.strip_prefix(';') {
                Some(next) => left = next,
                None if rest.is_empty() => break,
                None => {
                    let what = format!("{}: write ; or ) here", shorten(rest));
                    return fail(FaultKind::NotReadable, what);
                }
            }
        }
        if around.len() > 1 {
            return fail(FaultKind::NotReadable, "fields: a ( without its )");
        }
        Ok(fields)
    }

    fn add(&mut self, nodes: &[NodeId]) {
        let Some((first, rest)) = nodes.split_first() else {
            // All of the node, whatever else is asked for below it.
            self.0.clear();
            return;
        };
        match self.0.get_mut(first) {
            Some(inner) if inner.is_all() => {}
            Some(inner) => inner.add(rest),
            None => {
                let mut inner = Self::default();
                inner.add(rest);
                self.0.insert(*first, inner);
            }
        }
    }

    pub(super) fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// What is shown below a node; `None` if the node is not shown.
    pub(super) fn below(&self, node: NodeId) -> Option<&Self> {
        self.0.get(&node)
    }
}

fn fail<T>(kind: FaultKind, what: impl Into<String>) -> Result<T, PathError> {
    Err(PathError {
        kind,
        what: what.into(),
    })
}

fn child(schema: &Schema, of: Option<NodeId>, name: &str) -> Result<NodeId, PathError> {
    let found = match name.split_once(':') {
        Some((module, local)) => schema
            .module_named(module)
            .and_then(|module| schema.child(of, Some(module), local)),
        None => of.and_then(|of| schema.child(Some(of), Some(schema.node(of).module), name)),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let is_leaf = of.is_some_and(|of| {
        matches!(
            schema.node(of).kind,
            Kind::Leaf { .. } | Kind::LeafList { .. }
        )
    });
    let what = match schema.child(of, None, name) {
        Some(id) => format!("{name}: write {}", schema.qualified_name(id)),
        None if is_leaf => format!("{}: nothing is below a leaf", shorten(name)),
        None if of.is_none() => {
            let all = schema.data_children(None).iter();
            unknown(name, all.map(|id| schema.qualified_name(*id)), "node")
        }
        None => unknown(name, names(schema, of), "node"),
    };
    fail(FaultKind::UnknownNode, what)
}
