//! What is resolved when all nodes are there: config, keys, references, conditions, defaults.

mod defaults;
mod references;

use super::build::{Builder, Draft};
use super::{Kind, NodeId, Schema, SchemaError, index, number};

impl Builder<'_> {
    pub(super) fn finish(mut self) -> Result<Schema, SchemaError> {
        for id in self.top.clone() {
            self.set_config(id, Some(true))?;
        }
        let all: Vec<NodeId> = (0..number(self.nodes.len())).map(NodeId).collect();
        let data = self.flatten(&self.top.clone())?;
        for id in &all {
            let children = self.get(*id).map(|node| node.children.clone());
            let data = self.flatten(&children.unwrap_or_default())?;
            if let Some(node) = self.get_mut(*id) {
                node.data = data;
            }
        }
        for id in &all {
            self.set_keys(*id)?;
            self.set_unique(*id)?;
        }
        for id in &all {
            self.set_leafrefs(*id, &data)?;
            self.set_conditions(*id, &data)?;
        }
        for id in &all {
            self.check_leafref_cycle(*id)?;
        }
        let of_kind = |is: fn(&Kind) -> bool| -> Vec<NodeId> {
            let top = self.top.iter().copied();
            top.filter(|id| self.get(*id).is_some_and(|node| is(&node.kind)))
                .collect()
        };
        let rpcs = of_kind(|kind| matches!(kind, Kind::Rpc));
        let notifications = of_kind(|kind| matches!(kind, Kind::Notification));
        let drafts = std::mem::take(&mut self.drafts);
        let mut schema = Schema {
            modules: self.modules,
            identities: self.identities,
            nodes: self.nodes,
            data,
            top: self.top,
            rpcs,
            notifications,
            names: self.names,
        };
        defaults::set(&mut schema, &drafts)?;
        Ok(schema)
    }

    fn fail_node(&self, id: NodeId, what: impl Into<String>) -> SchemaError {
        let node = self.get(id);
        let name = node.map_or("", |node| &node.name);
        let what = format!("{name}: {}", what.into());
        match node {
            Some(node) => self.fail_at(node.source, node.line, what),
            None => self.fail_at(super::ModuleId(0), 0, what),
        }
    }

    fn draft(&self, id: NodeId) -> Option<&Draft> {
        self.drafts.get(index(id.0))
    }

    /// `config` of a node and of all below; `None` within operations and notifications, where it has no meaning
    /// (RFC 7950 section 7.21.1).
    fn set_config(&mut self, id: NodeId, above: Option<bool>) -> Result<(), SchemaError> {
        let is_data = self.get(id).is_some_and(|node| {
            !matches!(node.kind, Kind::Rpc | Kind::Action | Kind::Notification)
        });
        let own = self.draft(id).and_then(|draft| draft.config);
        let config = match (above, is_data, own) {
            (None, _, _) | (_, false, _) => None,
            (Some(false), true, Some(true)) => {
                return Err(self.fail_node(id, "config true below config false"));
            }
            (Some(above), true, own) => Some(own.unwrap_or(above)),
        };
        let mut children = Vec::new();
        if let Some(node) = self.get_mut(id) {
            node.is_config = config == Some(true);
            children.clone_from(&node.children);
        }
        for child in children {
            self.set_config(child, config)?;
        }
        Ok(())
    }

    /// Nodes of data among some nodes, with choices and cases looked through.
    fn flatten(&self, among: &[NodeId]) -> Result<Vec<NodeId>, SchemaError> {
        let mut data = Vec::new();
        self.flatten_into(among, &mut data);
        let mut names = std::collections::HashSet::new();
        for id in &data {
            if let Some(node) = self.get(*id)
                && !names.insert((node.module, &node.name))
            {
                return Err(self.fail_node(*id, "the name twice among siblings"));
            }
        }
        Ok(data)
    }

    fn flatten_into(&self, among: &[NodeId], data: &mut Vec<NodeId>) {
        for id in among {
            let Some(node) = self.get(*id) else {
                continue;
            };
            match node.kind {
                Kind::Choice { .. } | Kind::Case => self.flatten_into(&node.children, data),
                Kind::Rpc | Kind::Action | Kind::Notification => {}
                Kind::Container { .. }
                | Kind::List(_)
                | Kind::Leaf { .. }
                | Kind::LeafList { .. }
                | Kind::Anydata { .. }
                | Kind::Input
                | Kind::Output => data.push(*id),
            }
        }
    }

    /// The data node below a list that a word of `key` or `unique` names.
    fn local(&self, of: NodeId, name: &str) -> Option<NodeId> {
        let list = self.get(of)?;
        // A prefix can only be that of the list's own module for keys, and is rare.
        let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
        let mut data = list.data.iter().copied();
        data.find(|id| self.get(*id).is_some_and(|node| &*node.name == name))
    }

    fn set_keys(&mut self, id: NodeId) -> Result<(), SchemaError> {
        let Some(node) = self.get(id).filter(|node| node.list().is_some()) else {
            return Ok(());
        };
        let is_config = node.is_config;
        let words = self.draft(id).and_then(|draft| draft.keys.clone());
        let mut keys = Vec::new();
        for word in words.as_deref().unwrap_or_default().split_whitespace() {
            let key = self
                .local(id, word)
                .ok_or_else(|| self.fail_node(id, format!("key {word}: no such leaf")))?;
            let key_config = self.get(key).map(|node| node.is_config);
            if keys.contains(&key) || key_config != Some(is_config) {
                return Err(self.fail_node(id, format!("key {word}: twice, or another config")));
            }
            keys.push(key);
        }
        if keys.is_empty() && is_config {
            return Err(self.fail_node(id, "a list of configuration without its key"));
        }
        for key in &keys {
            match self.get_mut(*key).map(|node| &mut node.kind) {
                Some(Kind::Leaf { mandatory, .. }) => *mandatory = true,
                _ => return Err(self.fail_node(*key, "a key that is not a leaf")),
            }
        }
        if let Some(Kind::List(list)) = self.get_mut(id).map(|node| &mut node.kind) {
            list.keys = keys;
        }
        Ok(())
    }

    fn set_unique(&mut self, id: NodeId) -> Result<(), SchemaError> {
        let sets = self.draft(id).map(|draft| draft.unique.clone());
        let mut unique = Vec::new();
        for set in sets.unwrap_or_default() {
            let mut leaves = Vec::new();
            for path in set.split_whitespace() {
                let wrong = || self.fail_node(id, format!("unique {path}: no such leaf"));
                let mut at = id;
                let mut steps = Vec::new();
                for step in path.split('/') {
                    at = self.local(at, step).ok_or_else(wrong)?;
                    steps.push(at);
                }
                let is_leaf = self
                    .get(at)
                    .is_some_and(|it| matches!(it.kind, Kind::Leaf { .. }));
                let parents = steps.iter().rev().skip(1);
                let mut parents = parents.filter_map(|id| self.get(*id));
                if !is_leaf || !parents.all(|it| matches!(it.kind, Kind::Container { .. })) {
                    return Err(wrong());
                }
                leaves.push(steps);
            }
            unique.push(leaves);
        }
        if let Some(Kind::List(list)) = self.get_mut(id).map(|node| &mut node.kind) {
            list.unique = unique;
        }
        Ok(())
    }
}
