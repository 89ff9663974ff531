//! Nodes from statements.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::types::RawDefault;
use super::{
    Condition, Extension, Identity, IdentityId, Kind, List, MAX_NODES, Module, ModuleId, Must,
    Node, NodeId, Schema, SchemaError, Status, When, features, index, number,
};
use crate::statement::{Statement, is_identifier};

/// Nodes within each other, at most: groupings may use others.
pub(super) const MAX_DEPTH: usize = 64;

/// Where a statement is written: definitions are looked for outwards (RFC 7950 section 5.5).
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) module: ModuleId,
    pub(super) statement: &'a Statement,
    outer: Option<Rc<Self>>,
}

impl<'a> Scope<'a> {
    /// That of a module.
    pub(super) fn of(module: ModuleId, root: &'a Statement) -> Self {
        Self {
            module,
            statement: root,
            outer: None,
        }
    }

    pub(super) fn within(&self, statement: &'a Statement) -> Self {
        Self {
            module: self.module,
            statement,
            outer: Some(Rc::new(self.clone())),
        }
    }
}

/// Where nodes are put.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) parent: Option<NodeId>,
    /// Module of their namespace.
    pub(super) module: ModuleId,
    pub(super) depth: usize,
}

/// What of a node is resolved when all nodes are there.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) config: Option<bool>,
    pub(super) defaults: Vec<RawDefault>,
    pub(super) type_default: Option<RawDefault>,
    pub(super) keys: Option<Box<str>>,
    pub(super) unique: Vec<Box<str>>,
}

/// A schema on its way.
pub(super) struct Builder<'a> {
    pub(super) modules: Vec<Module>,
    pub(super) roots: Vec<&'a Statement>,
    pub(super) names: HashMap<Arc<str>, ModuleId>,
    pub(super) identities: Vec<Identity>,
    pub(super) identity_names: HashMap<(ModuleId, Box<str>), IdentityId>,
    pub(super) nodes: Vec<Node>,
    pub(super) drafts: Vec<Draft>,
    pub(super) top: Vec<NodeId>,
    /// Groupings that were used.
    pub(super) expansions: usize,
    /// Nodes that do not exist, because a feature is not supported.
    pub(super) dropped: HashSet<(ModuleId, Box<str>)>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        modules: Vec<Module>,
        roots: Vec<&'a Statement>,
        names: HashMap<Arc<str>, ModuleId>,
    ) -> Self {
        Self {
            modules,
            roots,
            names,
            identities: Vec::new(),
            identity_names: HashMap::new(),
            nodes: Vec::new(),
            drafts: Vec::new(),
            top: Vec::new(),
            expansions: 0,
            dropped: HashSet::new(),
        }
    }

    pub(super) fn build(mut self) -> Result<Schema, SchemaError> {
        let mut augments = Vec::new();
        let mut deviations = Vec::new();
        for (at, root) in self.roots.clone().into_iter().enumerate() {
            if !self.modules.get(at).is_some_and(|it| it.is_implemented) {
                continue;
            }
            let module = ModuleId(number(at));
            let scope = Scope::of(module, root);
            let target = Target {
                parent: None,
                module,
                depth: 0,
            };
            self.data_nodes(target, &scope)?;
            augments.extend(root.all("augment").map(|augment| (augment, scope.clone())));
            let all = root.all("deviation");
            deviations.extend(all.map(|deviation| (deviation, scope.clone())));
        }
        self.augment_all(augments)?;
        self.deviate_all(&deviations)?;
        self.finish()
    }

    pub(super) fn fail(
        &self,
        scope: &Scope<'a>,
        statement: &Statement,
        what: impl Into<String>,
    ) -> SchemaError {
        self.fail_at(scope.module, statement.line, what)
    }

    pub(super) fn fail_at(
        &self,
        module: ModuleId,
        line: usize,
        what: impl Into<String>,
    ) -> SchemaError {
        let module = self.modules.get(index(module.0));
        SchemaError {
            module: module.map_or_else(|| "".into(), |module| (&*module.name).into()),
            line,
            what: what.into(),
        }
    }

    pub(super) fn root(&self, module: ModuleId) -> Option<(&'a Statement, &Module)> {
        let at = index(module.0);
        Some((self.roots.get(at)?, self.modules.get(at)?))
    }

    /// The module of a prefix in the text of a module.
    pub(super) fn prefix(&self, module: ModuleId, prefix: &str) -> Option<ModuleId> {
        let of = self.modules.get(index(module.0))?;
        if &*of.prefix == prefix {
            return Some(module);
        }
        let import = of.imports.iter().find(|it| &*it.prefix == prefix)?;
        Some(import.module)
    }

    /// Module and local part of a name in the text of a module.
    pub(super) fn resolve<'n>(
        &self,
        name: &'n str,
        module: ModuleId,
    ) -> Option<(ModuleId, &'n str)> {
        match name.split_once(':') {
            Some((prefix, local)) => Some((self.prefix(module, prefix)?, local)),
            None => Some((module, name)),
        }
    }

    pub(super) fn find_identity(&self, name: &str, module: ModuleId) -> Option<IdentityId> {
        let (module, local) = self.resolve(name, module)?;
        self.identity_names.get(&(module, local.into())).copied()
    }

    /// The typedef or grouping that a statement names, and the scope that it is in.
    pub(super) fn definition(
        &self,
        keyword: &str,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<(&'a Statement, Scope<'a>), SchemaError> {
        let name = statement.arg();
        let (module, local) = self
            .resolve(name, scope.module)
            .ok_or_else(|| self.fail(scope, statement, format!("{name}: unknown prefix")))?;
        let mut at = if module == scope.module {
            Some(scope.clone())
        } else {
            self.root(module).map(|(root, _)| Scope::of(module, root))
        };
        while let Some(level) = at {
            let found = level.statement.children.iter();
            let mut found = found.filter(|it| it.is(keyword) && it.arg() == local);
            if let Some(definition) = found.next() {
                return Ok((definition, level));
            }
            at = level.outer.as_deref().cloned();
        }
        Err(self.fail(scope, statement, format!("{name}: unknown {keyword}")))
    }

    /// Whether all features that a statement needs are supported.
    pub(super) fn is_supported(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<bool, SchemaError> {
        let mut look_up = |name: &str| {
            let (module, local) = self
                .resolve(name, scope.module)
                .ok_or_else(|| format!("{name}: unknown prefix"))?;
            let module = self.modules.get(index(module.0));
            let mut features = module.into_iter().flat_map(|it| &it.features);
            let feature = features.find(|it| &*it.name == local);
            feature
                .map(|it| it.is_supported)
                .ok_or_else(|| format!("{name}: unknown feature"))
        };
        for condition in statement.all("if-feature") {
            let holds = features::evaluate(condition.arg(), &mut look_up);
            if !holds.map_err(|what| self.fail(scope, condition, what))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The nodes of the scope's statement.
    pub(super) fn data_nodes(
        &mut self,
        target: Target,
        scope: &Scope<'a>,
    ) -> Result<Vec<NodeId>, SchemaError> {
        let mut made = Vec::new();
        for statement in &scope.statement.children {
            if statement.prefix.is_some() {
                continue;
            }
            match &*statement.keyword {
                "uses" => made.extend(self.uses(statement, target, scope)?),
                "container" | "list" | "leaf" | "leaf-list" | "choice" | "case" | "anydata"
                | "anyxml" | "rpc" | "action" | "input" | "output" | "notification" => {
                    made.extend(self.child(statement, target, scope)?);
                }
                _ => {}
            }
        }
        Ok(made)
    }

    /// A node; below a choice within its case (RFC 7950 section 7.9.2).
    fn child(
        &mut self,
        statement: &'a Statement,
        target: Target,
        scope: &Scope<'a>,
    ) -> Result<Option<NodeId>, SchemaError> {
        if !self.is_supported(statement, scope)? {
            self.dropped.insert((target.module, statement.arg().into()));
            return Ok(None);
        }
        let parent = target.parent.and_then(|id| self.nodes.get(index(id.0)));
        let is_in_choice = parent.is_some_and(|it| matches!(it.kind, Kind::Choice { .. }));
        if !is_in_choice || statement.is("case") {
            return self.node(statement, target, scope).map(Some);
        }
        let case = self.push(statement, target, scope, Kind::Case, Draft::default())?;
        let within = Target {
            parent: Some(case),
            depth: target.depth + 1,
            ..target
        };
        self.node(statement, within, scope)?;
        Ok(Some(case))
    }

    fn node(
        &mut self,
        statement: &'a Statement,
        target: Target,
        scope: &Scope<'a>,
    ) -> Result<NodeId, SchemaError> {
        let (kind, draft) = self.kind(statement, scope)?;
        let is_operation = matches!(kind, Kind::Rpc | Kind::Action);
        let id = self.push(statement, target, scope, kind, draft)?;
        self.describe(id, statement, scope)?;
        let within = Target {
            parent: Some(id),
            depth: target.depth + 1,
            ..target
        };
        let made = self.data_nodes(within, &scope.within(statement))?;
        if is_operation {
            // Both exist, also where they are not written (RFC 7950 section 7.14).
            for (keyword, kind) in [("input", Kind::Input), ("output", Kind::Output)] {
                if statement.find(keyword).is_none() {
                    let empty = self.push(statement, within, scope, kind, Draft::default())?;
                    self.rename(empty, keyword);
                }
            }
            let first = made.first().copied();
            if first.is_some_and(|id| {
                self.get(id)
                    .is_some_and(|it| matches!(it.kind, Kind::Output))
            }) && let Some(node) = self.get_mut(id)
            {
                node.children.reverse();
            }
        }
        Ok(id)
    }

    fn rename(&mut self, id: NodeId, name: &str) {
        if let Some(node) = self.get_mut(id) {
            node.name = name.into();
        }
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(index(id.0))
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(index(id.0))
    }

    fn push(
        &mut self,
        statement: &Statement,
        target: Target,
        scope: &Scope<'a>,
        kind: Kind,
        draft: Draft,
    ) -> Result<NodeId, SchemaError> {
        if self.nodes.len() >= MAX_NODES || target.depth > MAX_DEPTH {
            return Err(self.fail(
                scope,
                statement,
                "too many nodes, or too many within each other",
            ));
        }
        let name = match kind {
            Kind::Input => "input",
            Kind::Output => "output",
            Kind::Container { .. }
            | Kind::List(_)
            | Kind::Leaf { .. }
            | Kind::LeafList { .. }
            | Kind::Choice { .. }
            | Kind::Case
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Notification => statement.arg(),
        };
        if !is_identifier(name) {
            return Err(self.fail(scope, statement, format!("{name}: not a name")));
        }
        let id = NodeId(number(self.nodes.len()));
        self.nodes.push(Node {
            name: name.into(),
            module: target.module,
            parent: target.parent,
            kind,
            is_config: true,
            description: None,
            status: Status::Current,
            extensions: Vec::new(),
            when: Vec::new(),
            must: Vec::new(),
            source: scope.module,
            line: statement.line,
            children: Vec::new(),
            data: Vec::new(),
        });
        self.drafts.push(draft);
        match target.parent.and_then(|parent| self.get_mut(parent)) {
            Some(parent) => parent.children.push(id),
            None => self.top.push(id),
        }
        Ok(id)
    }

    /// What all nodes may have.
    pub(super) fn describe(
        &mut self,
        id: NodeId,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        let extensions = self.extensions(statement, scope)?;
        let when = self.when(statement, scope, false)?;
        let must = self.must(statement, scope)?;
        let status = match statement.text("status") {
            None | Some("current") => Status::Current,
            Some("deprecated") => Status::Deprecated,
            Some("obsolete") => Status::Obsolete,
            Some(other) => return Err(self.fail(scope, statement, format!("status {other}"))),
        };
        if let Some(node) = self.get_mut(id) {
            node.description = statement.text("description").map(Into::into);
            node.status = status;
            node.extensions = extensions;
            node.when.extend(when);
            node.must.extend(must);
        }
        Ok(())
    }

    pub(super) fn extensions(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<Vec<Extension>, SchemaError> {
        let mut extensions = Vec::new();
        for child in &statement.children {
            let Some(prefix) = &child.prefix else {
                continue;
            };
            let module = self.prefix(scope.module, prefix);
            let found = module.and_then(|module| self.root(module));
            let found = found
                .filter(|(root, _)| root.all("extension").any(|it| it.arg() == &*child.keyword));
            let Some((_, module)) = found else {
                let what = format!("{prefix}:{}: unknown extension", child.keyword);
                return Err(self.fail(scope, child, what));
            };
            extensions.push(Extension {
                module: (&*module.name).into(),
                keyword: child.keyword.clone(),
                argument: child.argument.clone(),
            });
        }
        Ok(extensions)
    }

    pub(super) fn when(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
        is_of_parent: bool,
    ) -> Result<Option<When>, SchemaError> {
        let Some(when) = statement.find("when") else {
            return Ok(None);
        };
        Ok(Some(When {
            condition: self.condition(when, scope)?,
            is_of_parent,
        }))
    }

    pub(super) fn must(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<Vec<Must>, SchemaError> {
        let must = statement.all("must").map(|must| {
            Ok(Must {
                condition: self.condition(must, scope)?,
                text: must.arg().into(),
                message: must.text("error-message").map(Into::into),
                app_tag: must.text("error-app-tag").map(Into::into),
            })
        });
        must.collect()
    }

    fn condition(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<Condition, SchemaError> {
        let resolve = |prefix: &str| self.prefix(scope.module, prefix);
        Condition::parse(statement.arg(), &resolve).map_err(|what| {
            let what = format!("{} {}: {what}", statement.keyword, statement.arg());
            self.fail(scope, statement, what)
        })
    }

    pub(super) fn list_kind(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<List, SchemaError> {
        let (user_ordered, min, max) = self.elements(statement, scope)?;
        Ok(List {
            keys: Vec::new(),
            unique: Vec::new(),
            user_ordered,
            min,
            max,
        })
    }
}
