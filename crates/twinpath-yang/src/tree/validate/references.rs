//! Leafrefs and instance-identifiers (RFC 7950 sections 9.9 and 9.13).

use std::collections::HashSet;

use super::Walk;
use crate::fault::FaultKind;
use crate::schema::{Base, LeafRef, NodeId, Type};
use crate::value::{Names, Value};

impl Walk<'_> {
    /// Whether what a value refers to is there.
    pub(super) fn reference(&mut self, id: NodeId, value: &Value) {
        let Some(ty) = self.schema().leaf_type(id) else {
            return;
        };
        if self.is_there(id, ty, value) {
            return;
        }
        let text = self.schema().text(value);
        let what = if let Base::LeafRef(leafref) = &ty.base {
            let target = self.schema().node(leafref.target);
            let list = self.schema().data_parent(leafref.target);
            let list = list.map(|list| self.schema().node(list));
            match list.filter(|list| list.list().is_some()) {
                Some(list) => {
                    format!(
                        "{}: no {} has the {} {text}",
                        self.name(id),
                        list.name,
                        target.name
                    )
                }
                None => format!("{}: no {} is {text}", self.name(id), target.name),
            }
        } else {
            format!("{}: {text} does not exist", self.name(id))
        };
        self.fault(id, FaultKind::DanglingReference, what);
    }

    fn is_there(&mut self, id: NodeId, ty: &Type, value: &Value) -> bool {
        match &ty.base {
            Base::LeafRef(leafref) => !leafref.is_required || self.has_target(leafref, value),
            Base::InstanceIdentifier { is_required } => {
                let is_dangling =
                    matches!(value, Value::Instance(path) if !self.context.root.has(path));
                !(*is_required && is_dangling)
            }
            Base::Union(members) => {
                let names = Names::Modules(self.schema().node(id).module);
                let text = self.schema().text(value);
                members.iter().any(|member| {
                    let fits = self.schema().parse(member, &text, &names);
                    fits.as_ref() == Ok(value) && self.is_there(id, member, value)
                })
            }
            Base::Int(..)
            | Base::Decimal { .. }
            | Base::String { .. }
            | Base::Binary(_)
            | Base::Boolean
            | Base::Empty
            | Base::Enumeration(_)
            | Base::Bits(_)
            | Base::IdentityRef(_) => true,
        }
    }

    fn has_target(&mut self, leafref: &LeafRef, value: &Value) -> bool {
        let base = self.context.base(&leafref.path, true);
        let at = base.map_or(0, |children| std::ptr::from_ref(children).addr());
        let context = &self.context;
        let values = self.targets.entry((at, leafref.target)).or_insert_with(|| {
            let mut values = HashSet::new();
            context.values_below(base, &leafref.path.nodes, &mut |value| {
                values.insert(value);
            });
            values
        });
        values.contains(value)
    }
}
