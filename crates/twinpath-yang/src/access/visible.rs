//! What a user may read.

use super::decision::Decision;
use super::rule::Right;
use crate::schema::NodeId;
use crate::tree::{Children, Data, Select, Step};
use crate::value::Value;

pub(super) fn visible(decision: &Decision<'_>, root: &Children) -> Children {
    if decision.is_open() {
        return root.clone();
    }
    let mut view = View {
        decision,
        steps: Vec::new(),
    };
    view.level(root)
}

struct View<'a> {
    decision: &'a Decision<'a>,
    steps: Vec<Step>,
}

impl View<'_> {
    fn level(&mut self, here: &Children) -> Children {
        let mut shown = Children::new();
        for (id, data) in here.iter() {
            if let Some(data) = self.data(id, data) {
                shown.insert(id, data);
            }
        }
        shown
    }

    /// What is made of a node, if it is permitted.
    fn at<T>(
        &mut self,
        node: NodeId,
        select: Select,
        then: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        self.steps.push(Step { node, select });
        let is_shown = self.decision.permits(Right::Read, &self.steps)
            && self.decision.shows_keys(&self.steps);
        let made = is_shown.then(|| then(self));
        self.steps.pop();
        made
    }

    fn data(&mut self, id: NodeId, data: &Data) -> Option<Data> {
        match data {
            Data::Leaf(_) | Data::Any(_) => self.at(id, Select::All, |_| data.clone()),
            Data::LeafList(values) => {
                let shown = values.iter().filter_map(|value| {
                    self.at(id, Select::Value(value.clone()), |_| value.clone())
                });
                let shown: Vec<Value> = shown.collect();
                (!shown.is_empty()).then_some(Data::LeafList(shown))
            }
            Data::Container(here) => {
                let shown = self.at(id, Select::All, |it| it.level(here))?;
                let is_plain = self.decision.schema.node(id).is_plain_container();
                (!is_plain || !shown.is_empty()).then_some(Data::Container(shown))
            }
            Data::List(entries) => {
                let mut shown = indexmap::IndexMap::new();
                for (key, entry) in entries {
                    let select = Select::Key(key.clone());
                    if let Some(entry) = self.at(id, select, |it| it.level(entry)) {
                        shown.insert(key.clone(), entry);
                    }
                }
                (!shown.is_empty()).then_some(Data::List(shown))
            }
            Data::Keyless(entries) => {
                let shown = entries.iter().enumerate().filter_map(|(at, entry)| {
                    self.at(id, Select::Position(at + 1), |it| it.level(entry))
                });
                let shown: Vec<Children> = shown.collect();
                (!shown.is_empty()).then_some(Data::Keyless(shown))
            }
        }
    }
}
