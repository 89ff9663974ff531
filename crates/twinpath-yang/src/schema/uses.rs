//! `uses` with `refine` and `augment`, and `augment` at the top (RFC 7950 sections 7.13 and 7.17).

use super::build::{Builder, MAX_DEPTH, Scope, Target};
use super::{Kind, MAX_NODES, ModuleId, NodeId, SchemaError, When, index};
use crate::statement::Statement;

/// A step of a path to a schema node.
type Name<'n> = (ModuleId, &'n str);

impl<'a> Builder<'a> {
    /// The nodes of a grouping, as the statement changes them.
    pub(super) fn uses(
        &mut self,
        statement: &'a Statement,
        target: Target,
        scope: &Scope<'a>,
    ) -> Result<Vec<NodeId>, SchemaError> {
        let (grouping, at) = self.definition("grouping", statement, scope)?;
        let within = Target {
            // A grouping that uses itself ends here too.
            depth: target.depth + 1,
            ..target
        };
        self.expansions += 1;
        if within.depth > MAX_DEPTH || self.expansions > MAX_NODES {
            return Err(self.fail(scope, statement, "groupings that use each other"));
        }
        if !self.is_supported(statement, scope)? {
            return Ok(Vec::new());
        }
        let made = self.data_nodes(within, &at.within(grouping))?;
        let when = self.when(statement, scope, true)?;
        self.add_when(&made, when.as_ref());
        for refine in statement.all("refine") {
            let node = self.below(&made, refine, target.module, scope)?;
            self.refine(node, refine, scope)?;
        }
        for augment in statement.all("augment") {
            let node = self.below(&made, augment, target.module, scope)?;
            self.augment(node, augment, target.module, scope)?;
        }
        Ok(made)
    }

    fn add_when(&mut self, nodes: &[NodeId], when: Option<&When>) {
        for id in nodes {
            if let Some(node) = self.get_mut(*id) {
                node.when.extend(when.cloned());
            }
        }
    }

    /// The node of a path below the nodes of a grouping.
    fn below(
        &self,
        made: &[NodeId],
        statement: &Statement,
        namespace: ModuleId,
        scope: &Scope<'a>,
    ) -> Result<NodeId, SchemaError> {
        let mut names = Vec::new();
        for step in statement.arg().split('/') {
            let (module, name) = self
                .resolve(step.trim(), scope.module)
                .ok_or_else(|| self.fail(scope, statement, format!("{step}: unknown prefix")))?;
            // Nodes of a grouping have the namespace of the module that uses it.
            let is_own = module == scope.module;
            names.push((if is_own { namespace } else { module }, name));
        }
        self.walk(made, &names).map_err(|(_, name)| {
            let what = format!("{} {}: no node {name}", statement.keyword, statement.arg());
            self.fail(scope, statement, what)
        })
    }

    /// Follows names from some nodes downwards; else the step that leads nowhere.
    pub(super) fn walk<'n>(&self, from: &[NodeId], names: &[Name<'n>]) -> Result<NodeId, Name<'n>> {
        let mut among = from;
        let mut found = None;
        for (module, name) in names {
            let is_named = |id: &&NodeId| {
                let node = self.get(**id);
                node.is_some_and(|node| node.module == *module && &*node.name == *name)
            };
            let id = among.iter().find(is_named).ok_or((*module, *name))?;
            among = self.get(*id).map_or(&[], |node| &node.children);
            found = Some(*id);
        }
        found.ok_or((ModuleId(0), ""))
    }

    fn refine(
        &mut self,
        id: NodeId,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        if !self.is_supported(statement, scope)? {
            return Err(self.fail(
                scope,
                statement,
                "a refinement by a feature that is not supported",
            ));
        }
        let config = self.flag(statement, "config", scope)?;
        let mandatory = self.flag(statement, "mandatory", scope)?;
        let must = self.must(statement, scope)?;
        let extensions = self.extensions(statement, scope)?;
        let defaults = statement.all("default");
        let defaults: Vec<_> = defaults.map(|it| (it.arg().into(), scope.module)).collect();
        let has_elements = ["min-elements", "max-elements"]
            .iter()
            .any(|it| statement.find(it).is_some());
        let (_, min, max) = self.elements(statement, scope)?;
        let unfit = self.fail(scope, statement, "not a refinement of this kind of node");
        let at = index(id.0);
        let (Some(node), Some(draft)) = (self.nodes.get_mut(at), self.drafts.get_mut(at)) else {
            return Err(unfit);
        };
        if let Some(description) = statement.text("description") {
            node.description = Some(description.into());
        }
        node.must.extend(must);
        node.extensions.extend(extensions);
        draft.config = config.or(draft.config);
        if !defaults.is_empty() {
            draft.defaults = defaults;
        }
        match (&mut node.kind, mandatory) {
            (
                Kind::Leaf { mandatory: is, .. }
                | Kind::Choice { mandatory: is, .. }
                | Kind::Anydata { mandatory: is, .. },
                Some(mandatory),
            ) => *is = mandatory,
            (_, Some(_)) => return Err(unfit),
            (_, None) => {}
        }
        if statement.find("presence").is_some() {
            match &mut node.kind {
                Kind::Container { presence } => *presence = true,
                Kind::List(_)
                | Kind::Leaf { .. }
                | Kind::LeafList { .. }
                | Kind::Choice { .. }
                | Kind::Case
                | Kind::Anydata { .. }
                | Kind::Rpc
                | Kind::Action
                | Kind::Input
                | Kind::Output
                | Kind::Notification => return Err(unfit),
            }
        }
        if has_elements {
            let (of_min, of_max) = match &mut node.kind {
                Kind::List(list) => (&mut list.min, &mut list.max),
                Kind::LeafList { min, max, .. } => (min, max),
                Kind::Container { .. }
                | Kind::Leaf { .. }
                | Kind::Choice { .. }
                | Kind::Case
                | Kind::Anydata { .. }
                | Kind::Rpc
                | Kind::Action
                | Kind::Input
                | Kind::Output
                | Kind::Notification => return Err(unfit),
            };
            if statement.find("min-elements").is_some() {
                *of_min = min;
            }
            if statement.find("max-elements").is_some() {
                *of_max = max;
            }
        }
        Ok(())
    }

    /// Augments at the top: those of nodes that others add come after them.
    pub(super) fn augment_all(
        &mut self,
        augments: Vec<(&'a Statement, Scope<'a>)>,
    ) -> Result<(), SchemaError> {
        let mut left = augments;
        while !left.is_empty() {
            let before = left.len();
            let mut later = Vec::new();
            for (augment, scope) in left {
                let names = self.absolute(augment, &scope)?;
                match self.walk(&self.top, &names) {
                    Ok(node) => self.augment(node, augment, scope.module, &scope)?,
                    // Of a node that does not exist here.
                    Err((module, name)) if self.dropped.contains(&(module, name.into())) => {}
                    Err(_) => later.push((augment, scope)),
                }
            }
            left = later;
            if left.len() == before
                && let Some((augment, scope)) = left.first()
            {
                let what = format!("augment {}: no such node", augment.arg());
                return Err(self.fail(scope, augment, what));
            }
        }
        Ok(())
    }

    pub(super) fn absolute(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<Vec<Name<'a>>, SchemaError> {
        let path = statement.arg();
        let below = path.strip_prefix('/').ok_or_else(|| {
            let what = format!(
                "{} {path}: write a path that begins with /",
                statement.keyword
            );
            self.fail(scope, statement, what)
        })?;
        let steps = below.split('/').map(|step| {
            self.resolve(step.trim(), scope.module)
                .ok_or_else(|| self.fail(scope, statement, format!("{step}: unknown prefix")))
        });
        steps.collect()
    }

    fn augment(
        &mut self,
        node: NodeId,
        statement: &'a Statement,
        module: ModuleId,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        if !self.is_supported(statement, scope)? {
            return Ok(());
        }
        let kind = self.get(node).map(|node| &node.kind);
        let takes_nodes = kind.is_some_and(|kind| match kind {
            Kind::Container { .. }
            | Kind::List(_)
            | Kind::Choice { .. }
            | Kind::Case
            | Kind::Input
            | Kind::Output
            | Kind::Notification => true,
            Kind::Leaf { .. }
            | Kind::LeafList { .. }
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action => false,
        });
        if !takes_nodes {
            let what = format!("augment {}: it takes no nodes", statement.arg());
            return Err(self.fail(scope, statement, what));
        }
        let target = Target {
            parent: Some(node),
            module,
            depth: self.depth(node) + 1,
        };
        let when = self.when(statement, scope, true)?;
        let made = self.data_nodes(target, &scope.within(statement))?;
        self.add_when(&made, when.as_ref());
        Ok(())
    }

    fn depth(&self, id: NodeId) -> usize {
        let above = std::iter::successors(Some(id), |id| self.get(*id)?.parent);
        above.count()
    }
}
