//! Paths of leafrefs and conditions.

use super::super::build::Builder;
use super::super::condition::DataPath;
use super::super::{Base, Kind, LeafRef, NodeId, SchemaError, Type};

/// Leafrefs that refer to each other, at most.
const MAX_CHAIN: usize = 16;

impl Builder<'_> {
    /// The nodes that a path leads over, from a data node or the root.
    fn follow(
        &self,
        from: Option<NodeId>,
        owner: NodeId,
        path: &DataPath,
        top: &[NodeId],
    ) -> Result<Vec<NodeId>, String> {
        let own = self.get(owner).map(|node| node.module);
        let mut at = if path.is_absolute { None } else { from };
        for _ in 0..path.ups {
            let here = at.ok_or("the path leads above the root")?;
            at = self.data_above(here);
        }
        let mut nodes = Vec::new();
        for (module, name) in &path.names {
            let among = match at {
                Some(at) => self.get(at).map_or(&[][..], |node| &node.data),
                None => top,
            };
            let module = module.or(own);
            let mut found = among.iter().copied();
            let found = found.find(|id| {
                let node = self.get(*id);
                node.is_some_and(|node| Some(node.module) == module && node.name == *name)
            });
            let found = found.ok_or_else(|| format!("the path has no node {name}"))?;
            nodes.push(found);
            at = Some(found);
        }
        Ok(nodes)
    }

    fn data_above(&self, id: NodeId) -> Option<NodeId> {
        let mut above = self.get(id)?.parent;
        while let Some(id) = above {
            match self.get(id)?.kind {
                Kind::Choice { .. } | Kind::Case => above = self.get(id)?.parent,
                Kind::Container { .. }
                | Kind::List(_)
                | Kind::Leaf { .. }
                | Kind::LeafList { .. }
                | Kind::Anydata { .. }
                | Kind::Rpc
                | Kind::Action
                | Kind::Input
                | Kind::Output
                | Kind::Notification => return Some(id),
            }
        }
        None
    }

    pub(super) fn set_leafrefs(&mut self, id: NodeId, top: &[NodeId]) -> Result<(), SchemaError> {
        let Some(mut ty) = self.get(id).and_then(|node| node.kind.leaf_type()).cloned() else {
            return Ok(());
        };
        let mut leafrefs = Vec::new();
        collect(&mut ty, &mut leafrefs);
        if leafrefs.is_empty() {
            return Ok(());
        }
        for leafref in leafrefs {
            let nodes = self
                .follow(Some(id), id, &leafref.path, top)
                .map_err(|what| self.fail_node(id, what))?;
            let target = nodes.last().copied();
            let target = target.filter(|id| {
                let node = self.get(*id);
                node.is_some_and(|node| node.kind.leaf_type().is_some())
            });
            leafref.target =
                target.ok_or_else(|| self.fail_node(id, "its path leads to no leaf"))?;
            leafref.path.nodes = nodes;
            let (own, other) = (self.get(id), self.get(leafref.target));
            if let (Some(own), Some(other)) = (own, other)
                && own.is_config
                && leafref.is_required
                && !other.is_config
            {
                return Err(self.fail_node(id, "configuration that refers to state"));
            }
        }
        if let Some(of) = self.get_mut(id).and_then(|node| node.kind.leaf_type_mut()) {
            *of = ty;
        }
        Ok(())
    }

    /// A leafref that leads to itself has no type.
    pub(super) fn check_leafref_cycle(&self, id: NodeId) -> Result<(), SchemaError> {
        let ty = self.get(id).and_then(|node| node.kind.leaf_type());
        if ty.is_some_and(|ty| !self.ends(ty, 0)) {
            return Err(self.fail_node(id, "leafrefs that refer to each other"));
        }
        Ok(())
    }

    fn ends(&self, ty: &Type, chain: usize) -> bool {
        match &ty.base {
            Base::LeafRef(leafref) => {
                let target = self.get(leafref.target);
                let target = target.and_then(|node| node.kind.leaf_type());
                chain < MAX_CHAIN && target.is_some_and(|ty| self.ends(ty, chain + 1))
            }
            Base::Union(members) => members.iter().all(|member| self.ends(member, chain)),
            Base::Int(..)
            | Base::Decimal { .. }
            | Base::String { .. }
            | Base::Binary(_)
            | Base::Boolean
            | Base::Empty
            | Base::Enumeration(_)
            | Base::Bits(_)
            | Base::IdentityRef(_)
            | Base::InstanceIdentifier { .. } => true,
        }
    }

    pub(super) fn set_conditions(&mut self, id: NodeId, top: &[NodeId]) -> Result<(), SchemaError> {
        let Some(node) = self.get_mut(id) else {
            return Ok(());
        };
        let is_data = !matches!(node.kind, Kind::Choice { .. } | Kind::Case);
        let mut when = std::mem::take(&mut node.when);
        let mut must = std::mem::take(&mut node.must);
        for when in &mut when {
            // Choices and cases are not in the data (RFC 7950 section 7.21.5).
            when.is_of_parent |= !is_data;
            let from = if when.is_of_parent {
                self.data_above(id)
            } else {
                Some(id)
            };
            let mut paths = Vec::new();
            when.condition.paths_mut(&mut paths);
            for path in paths {
                path.nodes = self
                    .follow(from, id, path, top)
                    .map_err(|what| self.fail_node(id, format!("when: {what}")))?;
            }
        }
        for must in &mut must {
            let mut paths = Vec::new();
            must.condition.paths_mut(&mut paths);
            for path in paths {
                path.nodes = self
                    .follow(Some(id), id, path, top)
                    .map_err(|what| self.fail_node(id, format!("must: {what}")))?;
            }
        }
        if let Some(node) = self.get_mut(id) {
            node.when = when;
            node.must = must;
        }
        Ok(())
    }
}

fn collect<'t>(ty: &'t mut Type, leafrefs: &mut Vec<&'t mut LeafRef>) {
    match &mut ty.base {
        Base::LeafRef(leafref) => leafrefs.push(leafref),
        Base::Union(members) => {
            for member in members {
                collect(member, leafrefs);
            }
        }
        Base::Int(..)
        | Base::Decimal { .. }
        | Base::String { .. }
        | Base::Binary(_)
        | Base::Boolean
        | Base::Empty
        | Base::Enumeration(_)
        | Base::Bits(_)
        | Base::IdentityRef(_)
        | Base::InstanceIdentifier { .. } => {}
    }
}
