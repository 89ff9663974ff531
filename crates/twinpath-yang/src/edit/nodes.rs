//! Nodes of edits, made of data.

use super::{EditContent, EditNode};
use crate::schema::Schema;
use crate::tree::{Children, Data, Select, Step};

impl EditNode {
    /// Data as nodes of an edit, without operations.
    pub fn of_data(schema: &Schema, children: &Children) -> Vec<Self> {
        let mut nodes = Vec::new();
        for (id, data) in children.iter() {
            let mut add = |select: Select, content| {
                nodes.push(Self {
                    node: id,
                    select,
                    operation: None,
                    place: None,
                    content,
                });
            };
            match data {
                Data::List(entries) => {
                    for (key, entry) in entries {
                        let nodes = Self::of_data(schema, entry);
                        add(Select::Key(key.clone()), EditContent::Nodes(nodes));
                    }
                }
                Data::LeafList(values) if schema.node(id).is_config => {
                    for value in values {
                        add(Select::Value(value.clone()), EditContent::Nothing);
                    }
                }
                Data::Leaf(_)
                | Data::LeafList(_)
                | Data::Container(_)
                | Data::Keyless(_)
                | Data::Any(_) => {
                    let content = Self::content(schema, &Select::All, data);
                    add(Select::All, content);
                }
            }
        }
        nodes
    }

    pub(super) fn content(schema: &Schema, select: &Select, data: &Data) -> EditContent {
        match (select, data) {
            (Select::Value(_), _) => EditContent::Nothing,
            (_, Data::Container(children)) => EditContent::Nodes(Self::of_data(schema, children)),
            (_, data) => EditContent::Data(data.clone()),
        }
    }

    /// This node with those above it, which must be there; `steps` lead to this one.
    pub(super) fn below(self, steps: &[Step]) -> Self {
        let above = steps.split_last().map(|(_, above)| above);
        let above = above.unwrap_or_default().iter().rev();
        above.fold(self, |node, step| Self {
            node: step.node,
            select: step.select.clone(),
            operation: None,
            place: None,
            content: EditContent::Nodes(vec![node]),
        })
    }
}
