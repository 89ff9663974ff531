//! What RESTCONF shows of a resource (RFC 8040 section 4.8).

use indexmap::IndexMap;

use super::Fields;
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::{Children, Data, DefaultsMode, Path, Scope, Select};

/// Which nodes below a resource are shown (RFC 8040 section 4.8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Configuration.
    Config,
    /// State, with the configuration around it.
    NonConfig,
    /// Both.
    #[default]
    All,
}

/// What is shown of a resource.
#[derive(Clone, Debug)]
pub struct Query {
    /// Configuration, state or both.
    pub content: Content,
    /// Levels of nodes, of which the resource is the first (RFC 8040 section 4.8.2). An entry has its keys at the last level
    /// too, as it is no entry without them.
    pub depth: Option<u16>,
    /// Nodes below the resource; all without.
    pub fields: Option<Fields>,
    /// What is shown of defaults of configuration.
    pub defaults: DefaultsMode,
}

impl Default for Query {
    /// All that is set.
    fn default() -> Self {
        Self {
            content: Content::All,
            depth: None,
            fields: None,
            defaults: DefaultsMode::Explicit,
        }
    }
}

/// A resource and nothing else, as a child of what is above it: a container, a leaf, an entry, all entries, a value; of the
/// root, all. `None` if it does not exist; a container without `presence` exists if that around it does.
pub fn resource(schema: &Schema, root: &Children, target: &Path) -> Option<Children> {
    let Some((last, above)) = target.steps().split_last() else {
        return Some(root.clone());
    };
    let mut here = Some(root);
    for step in above {
        let mut path = Path::root();
        path.push(step.node, step.select.clone());
        here = here.and_then(|here| here.content(&path));
        if here.is_none() && !schema.node(step.node).is_plain_container() {
            return None;
        }
    }
    let data = match (here.and_then(|here| here.get(last.node)), &last.select) {
        (Some(data), Select::All) => data.clone(),
        (None, Select::All) if schema.node(last.node).is_plain_container() => {
            Data::Container(Children::new())
        }
        (Some(Data::List(entries)), Select::Key(key)) => Data::List(IndexMap::from_iter([(
            key.clone(),
            entries.get(key)?.clone(),
        )])),
        (Some(Data::LeafList(values)), Select::Value(value)) if values.contains(value) => {
            Data::LeafList(vec![value.clone()])
        }
        (Some(Data::Keyless(entries)), Select::Position(at)) => {
            Data::Keyless(vec![entries.get(at.checked_sub(1)?)?.clone()])
        }
        (Some(_) | None, _) => return None,
    };
    let mut alone = Children::new();
    alone.insert(last.node, data);
    Some(alone)
}

/// What a query shows of a resource, in the form of [`resource`]: nothing if the resource is no content that is asked for.
/// `None` if the resource does not exist.
pub fn get(schema: &Schema, root: &Children, target: &Path, query: &Query) -> Option<Children> {
    let found = match query.defaults {
        DefaultsMode::Explicit => resource(schema, root, target)?,
        DefaultsMode::ReportAll | DefaultsMode::Trim => {
            let shown = root.with_defaults(schema, query.defaults, Scope::Config);
            resource(schema, &shown, target)?
        }
    };
    let view = View { schema, query };
    if target.steps().is_empty() {
        let shown = content(schema, None, &found, query.content);
        return Some(view.below(None, &shown, 2, query.fields.as_ref()));
    }
    let mut shown = Children::new();
    for (id, data) in found.iter() {
        if !may_show(schema, id, data, query.content) {
            continue;
        }
        let data = map_content(data, &|here| content(schema, Some(id), here, query.content));
        shown.insert(id, view.node(id, &data, 1, query.fields.as_ref()));
    }
    Some(shown)
}

/// Whether a resource is shown, or what is below it.
fn may_show(schema: &Schema, id: NodeId, data: &Data, content: Content) -> bool {
    let is_config = schema.node(id).is_config;
    match content {
        Content::All => true,
        Content::Config => is_config,
        Content::NonConfig => match data {
            Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => !is_config,
            Data::Container(_) | Data::List(_) | Data::Keyless(_) => true,
        },
    }
}

/// Data with other content of its container or entries.
fn map_content(data: &Data, change: &dyn Fn(&Children) -> Children) -> Data {
    match data {
        Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => data.clone(),
        Data::Container(here) => Data::Container(change(here)),
        Data::List(entries) => {
            let entries = entries.iter();
            Data::List(
                entries
                    .map(|(key, entry)| (key.clone(), change(entry)))
                    .collect(),
            )
        }
        Data::Keyless(entries) => Data::Keyless(entries.iter().map(change).collect()),
    }
}

fn is_key(schema: &Schema, of: Option<NodeId>, id: NodeId) -> bool {
    let list = of.and_then(|of| schema.node(of).list());
    list.is_some_and(|list| list.keys.contains(&id))
}

fn content(schema: &Schema, of: Option<NodeId>, here: &Children, content_of: Content) -> Children {
    let mut shown = Children::new();
    for (id, data) in here.iter() {
        let node = schema.node(id);
        let data = match content_of {
            Content::All => data.clone(),
            Content::Config if !node.is_config => continue,
            Content::NonConfig if !node.is_config || is_key(schema, of, id) => data.clone(),
            Content::Config => {
                map_content(data, &|here| content(schema, Some(id), here, content_of))
            }
            Content::NonConfig => match state(schema, id, data) {
                Some(data) => data,
                None => continue,
            },
        };
        shown.insert(id, data);
    }
    shown
}

/// The state below a node of configuration.
fn state(schema: &Schema, id: NodeId, data: &Data) -> Option<Data> {
    let within = |here: &Children| {
        let shown = content(schema, Some(id), here, Content::NonConfig);
        let is_any = shown
            .iter()
            .any(|(child, _)| !is_key(schema, Some(id), child));
        is_any.then_some(shown)
    };
    match data {
        Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => None,
        Data::Container(here) => within(here).map(Data::Container),
        Data::List(entries) => {
            let entries = entries.iter();
            let shown = entries.filter_map(|(key, entry)| Some((key.clone(), within(entry)?)));
            let shown: IndexMap<_, _> = shown.collect();
            (!shown.is_empty()).then_some(Data::List(shown))
        }
        Data::Keyless(entries) => {
            let shown: Vec<Children> = entries.iter().filter_map(within).collect();
            (!shown.is_empty()).then_some(Data::Keyless(shown))
        }
    }
}

struct View<'a> {
    schema: &'a Schema,
    query: &'a Query,
}

impl View<'_> {
    /// A node that is shown.
    fn node(&self, id: NodeId, data: &Data, depth: u16, fields: Option<&Fields>) -> Data {
        let below = depth.saturating_add(1);
        map_content(data, &|here| self.below(Some(id), here, below, fields))
    }

    fn below(
        &self,
        of: Option<NodeId>,
        here: &Children,
        depth: u16,
        fields: Option<&Fields>,
    ) -> Children {
        let mut shown = Children::new();
        for (id, data) in here.iter() {
            // Fields are shown at any depth, and those below them as if they were asked for themselves.
            let (depth, inner) = match fields {
                _ if is_key(self.schema, of, id) => (1, None),
                Some(fields) if !fields.is_all() => match fields.below(id) {
                    Some(inner) => (1, Some(inner)),
                    None => continue,
                },
                _ if self.query.depth.is_some_and(|max| depth > max) => continue,
                _ => (depth, None),
            };
            let data = self.node(id, data, depth, inner);
            let is_container = matches!(self.schema.node(id).kind, Kind::Container { .. });
            if inner.is_none() || !is_container || !data.is_empty() {
                shown.insert(id, data);
            }
        }
        shown
    }
}
