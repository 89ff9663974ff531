//! What a compiled schema answers.

use super::{
    Base, Identity, IdentityId, Kind, Module, ModuleId, Node, NodeId, Schema, Type, index, number,
};

impl Schema {
    /// All modules, in the order of their texts.
    pub fn modules(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        (0..number(self.modules.len()))
            .map(ModuleId)
            .zip(&self.modules)
    }

    /// A module.
    ///
    /// # Panics
    ///
    /// For an id of another schema.
    #[expect(clippy::indexing_slicing, reason = "ids come from the schema itself")]
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[index(id.0)]
    }

    /// A module by its name.
    pub fn module_named(&self, name: &str) -> Option<ModuleId> {
        self.names.get(name).copied()
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// For an id of another schema.
    #[expect(clippy::indexing_slicing, reason = "ids come from the schema itself")]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[index(id.0)]
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..number(self.nodes.len())).map(NodeId).zip(&self.nodes)
    }

    /// An identity.
    ///
    /// # Panics
    ///
    /// For an id of another schema.
    #[expect(clippy::indexing_slicing, reason = "ids come from the schema itself")]
    pub fn identity(&self, id: IdentityId) -> &Identity {
        &self.identities[index(id.0)]
    }

    /// All identities.
    pub fn identities(&self) -> impl Iterator<Item = (IdentityId, &Identity)> {
        (0..number(self.identities.len()))
            .map(IdentityId)
            .zip(&self.identities)
    }

    /// Whether an identity is derived from another one, over any number of steps (RFC 7950 section 9.10.2).
    pub fn is_derived(&self, id: IdentityId, base: IdentityId) -> bool {
        // Bases of an identity have lower numbers than itself, so this ends.
        let mut bases = self.identity(id).bases.iter();
        bases.any(|direct| *direct == base || self.is_derived(*direct, base))
    }

    /// Data nodes at the top, in schema order, with choices looked through.
    pub fn top(&self) -> &[NodeId] {
        self.data_children(None)
    }

    /// Top-level RPCs.
    pub fn rpcs(&self) -> &[NodeId] {
        &self.rpcs
    }

    /// Top-level notifications.
    pub fn notifications(&self) -> &[NodeId] {
        &self.notifications
    }

    /// Nodes of a node, or of the top, as they are written: choices with cases, actions and notifications too.
    pub fn children(&self, of: Option<NodeId>) -> &[NodeId] {
        of.map_or(&self.top, |of| &self.node(of).children)
    }

    /// Data nodes below a node, or at the top, in schema order, with choices and cases looked through. Of an RPC or
    /// action these are its input and output.
    pub fn data_children(&self, of: Option<NodeId>) -> &[NodeId] {
        of.map_or(&self.data, |of| &self.node(of).data)
    }

    /// The data node below a node, or at the top, by module and name. Without a module: the one in the module of
    /// `of`, else the only one with this name.
    pub fn child(
        &self,
        of: Option<NodeId>,
        module: Option<ModuleId>,
        name: &str,
    ) -> Option<NodeId> {
        self.named(self.data_children(of), of, module, name)
    }

    /// The action of a node, or the RPC at the top; names as in [`Schema::child`].
    pub fn action(
        &self,
        of: Option<NodeId>,
        module: Option<ModuleId>,
        name: &str,
    ) -> Option<NodeId> {
        let among = of.map_or(&self.rpcs, |of| &self.node(of).children);
        let found = self.named(among, of, module, name)?;
        matches!(self.node(found).kind, Kind::Action | Kind::Rpc).then_some(found)
    }

    /// The notification of a node, or at the top; names as in [`Schema::child`].
    pub fn notification(
        &self,
        of: Option<NodeId>,
        module: Option<ModuleId>,
        name: &str,
    ) -> Option<NodeId> {
        let among = of.map_or(&self.notifications, |of| &self.node(of).children);
        let found = self.named(among, of, module, name)?;
        matches!(self.node(found).kind, Kind::Notification).then_some(found)
    }

    fn named(
        &self,
        among: &[NodeId],
        of: Option<NodeId>,
        module: Option<ModuleId>,
        name: &str,
    ) -> Option<NodeId> {
        let mut named = among
            .iter()
            .copied()
            .filter(|id| &*self.node(*id).name == name);
        let own = module.or_else(|| of.map(|of| self.node(of).module));
        let exact = own.and_then(|own| named.clone().find(|id| self.node(*id).module == own));
        if exact.is_some() || module.is_some() {
            return exact;
        }
        let only = named.next()?;
        named.next().is_none().then_some(only)
    }

    /// The nearest node above that is not a choice or case.
    pub fn data_parent(&self, id: NodeId) -> Option<NodeId> {
        let mut above = self.node(id).parent;
        while let Some(id) = above {
            if !matches!(self.node(id).kind, Kind::Choice { .. } | Kind::Case) {
                return Some(id);
            }
            above = self.node(id).parent;
        }
        None
    }

    /// The name of a node as JSON writes it below its parent: with its module where that is another one
    /// (RFC 7951 section 4).
    pub fn json_name(&self, id: NodeId) -> String {
        let node = self.node(id);
        let above = self.data_parent(id).map(|above| self.node(above).module);
        if above == Some(node.module) {
            node.name.to_string()
        } else {
            self.qualified_name(id)
        }
    }

    /// The name of a node after that of its module: `module:name`.
    pub fn qualified_name(&self, id: NodeId) -> String {
        let node = self.node(id);
        format!("{}:{}", self.module(node.module).name, node.name)
    }

    /// The type of a leaf or leaf-list.
    pub fn leaf_type(&self, id: NodeId) -> Option<&Type> {
        self.node(id).kind.leaf_type()
    }

    /// The type that values of a type have: of a leafref, that of its target.
    pub fn value_type<'a>(&'a self, ty: &'a Type) -> &'a Type {
        let mut ty = ty;
        // Cycles are refused when modules are loaded.
        while let Base::LeafRef(leafref) = &ty.base {
            match self.leaf_type(leafref.target) {
                Some(target) => ty = target,
                None => break,
            }
        }
        ty
    }
}
