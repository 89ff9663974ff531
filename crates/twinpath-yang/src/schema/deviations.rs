//! Deviations (RFC 7950 section 7.20.3): what an implementation does not have, or has in another form.

use super::build::{Builder, Scope};
use super::{ModuleId, NodeId, SchemaError};
use crate::statement::Statement;

impl<'a> Builder<'a> {
    /// The deviations of all implemented modules: `not-supported`, and `replace` of a type.
    pub(super) fn deviate_all(
        &mut self,
        deviations: &[(&'a Statement, Scope<'a>)],
    ) -> Result<(), SchemaError> {
        for (deviation, scope) in deviations {
            let names = self.absolute(deviation, scope)?;
            let Ok(node) = self.walk(&self.top, &names) else {
                let what = format!("deviation {}: no such node", deviation.arg());
                return Err(self.fail(scope, deviation, what));
            };
            for deviate in deviation.all("deviate") {
                self.deviate(node, deviate, scope)?;
            }
            self.note(node, scope.module);
        }
        Ok(())
    }

    fn deviate(
        &mut self,
        node: NodeId,
        deviate: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        match (deviate.arg(), deviate.children.as_slice()) {
            ("not-supported", []) => self.drop_node(node),
            ("replace", [ty]) if ty.is("type") => {
                let compiled = self.compile_type(ty, scope, 0)?;
                let kind = self.get_mut(node).map(|node| &mut node.kind);
                let Some(ty) = kind.and_then(|kind| kind.leaf_type_mut()) else {
                    let what = "deviate replace of a type: the node has none";
                    return Err(self.fail(scope, deviate, what));
                };
                *ty = compiled.ty;
            }
            (other, _) => {
                let what = format!(
                    "deviate {other}: only not-supported, and replace of a type, are supported"
                );
                return Err(self.fail(scope, deviate, what));
            }
        }
        Ok(())
    }

    /// The node does not exist.
    fn drop_node(&mut self, id: NodeId) {
        let parent = self.get(id).and_then(|node| node.parent);
        match parent.and_then(|parent| self.get_mut(parent)) {
            Some(parent) => parent.children.retain(|child| *child != id),
            None => self.top.retain(|top| *top != id),
        }
    }

    /// Notes which module changes that of a node.
    fn note(&mut self, node: NodeId, by: ModuleId) {
        let module = self.get(node).map(|node| node.module);
        if let Some(module) = module.and_then(|id| self.modules.get_mut(super::index(id.0)))
            && !module.deviated_by.contains(&by)
        {
            module.deviated_by.push(by);
        }
    }
}
