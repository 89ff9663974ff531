//! What a user may change.

use std::collections::HashSet;

use super::decision::Decision;
use super::rule::Right;
use super::{Access, User};
use crate::diff::{Change, ChangeKind};
use crate::edit::{EditContent, EditNode, Operation};
use crate::fault::{Fault, FaultKind};
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::{Children, Data, Path, Select, Step};

impl Access {
    /// Whether a user may make changes, such as those of [`crate::diff()`] (RFC 8341 section 3.2.5): each node that is created,
    /// changed or deleted must be permitted, and those within it too. Deletions that follow from the creation of another
    /// case of a choice need no permission.
    ///
    /// # Errors
    ///
    /// [`FaultKind::AccessDenied`] for the first change that is not permitted, to be counted as a denied write. Its path ends
    /// where the user may not read.
    pub fn may_change(
        &self,
        schema: &Schema,
        user: User<'_>,
        changes: &[Change],
    ) -> Result<(), Fault> {
        let decision = self.decision(schema, user);
        if decision.is_open() {
            return Ok(());
        }
        let chosen = chosen_cases(schema, changes);
        for change in changes {
            if matches!(change.kind, ChangeKind::Deleted(_)) && is_implied(schema, &chosen, change)
            {
                continue;
            }
            let mut check = Check {
                decision: &decision,
                steps: change.path.steps().to_vec(),
            };
            if let Some(right) = check.denied(&change.kind) {
                return Err(fault(&decision, user, right, change));
            }
        }
        Ok(())
    }

    /// Whether a user may send data below `at` in a change. What the user may not read must be permitted to be created and
    /// changed even where it changes nothing: the answer would say otherwise that a node exists, or which value it has.
    ///
    /// # Errors
    ///
    /// [`FaultKind::AccessDenied`] for the first node that is not permitted, to be counted as a denied write.
    pub fn may_send(
        &self,
        schema: &Schema,
        user: User<'_>,
        at: &Path,
        data: &Children,
    ) -> Result<(), Fault> {
        let decision = self.decision(schema, user);
        if decision.is_open() {
            return Ok(());
        }
        let mut check = Check {
            decision: &decision,
            steps: at.steps().to_vec(),
        };
        check
            .sent(data)
            .map_err(|steps| denied(&decision, user, Right::Update, &steps))
    }

    /// The same for the nodes of an edit.
    ///
    /// # Errors
    ///
    /// As [`Access::may_send`].
    pub fn may_send_edit(
        &self,
        schema: &Schema,
        user: User<'_>,
        nodes: &[EditNode],
        default: Operation,
    ) -> Result<(), Fault> {
        let decision = self.decision(schema, user);
        if decision.is_open() {
            return Ok(());
        }
        let mut check = Check {
            decision: &decision,
            steps: Vec::new(),
        };
        check
            .edited(nodes, default)
            .map_err(|steps| denied(&decision, user, Right::Update, &steps))
    }
}

/// The changed node without what the user may not read.
fn fault(decision: &Decision<'_>, user: User<'_>, right: Right, change: &Change) -> Fault {
    denied(decision, user, right, change.path.steps())
}

/// That a user may not do something with a node. Of one that the user may not read it does not say what, which tells whether
/// the node exists.
pub(super) fn denied(
    decision: &Decision<'_>,
    user: User<'_>,
    right: Right,
    steps: &[Step],
) -> Fault {
    let shown = decision.readable(steps);
    let mut path = Path::root();
    for step in steps.iter().take(shown) {
        path.push(step.node, step.select.clone());
    }
    let verb = match right {
        _ if shown < steps.len() => "change",
        Right::Create => "create",
        Right::Update | Right::Read | Right::Exec => "change",
        Right::Delete => "delete",
    };
    let user = user.shown();
    let what = match path.node().map(|node| &decision.schema.node(node).name) {
        Some(name) if shown == steps.len() => {
            format!("{name}: {user} may not {verb} it or a node in it")
        }
        Some(name) => format!("{name}: {user} may not {verb} a node in it"),
        None => format!("{user} may not {verb} a node"),
    };
    Fault::new(&path, FaultKind::AccessDenied, what)
}

struct Check<'a> {
    decision: &'a Decision<'a>,
    steps: Vec<Step>,
}

impl Check<'_> {
    /// The steps to the first node of data that is neither shown nor permitted.
    fn sent(&mut self, here: &Children) -> Result<(), Vec<Step>> {
        for (id, data) in here.iter() {
            match data {
                Data::Leaf(_) | Data::Any(_) => self.one(id, Select::All, None)?,
                Data::Container(inner) => self.one(id, Select::All, Some(inner))?,
                Data::LeafList(values) => {
                    for value in values {
                        self.one(id, Select::Value(value.clone()), None)?;
                    }
                }
                Data::List(entries) => {
                    for (key, entry) in entries {
                        self.one(id, Select::Key(key.clone()), Some(entry))?;
                    }
                }
                Data::Keyless(entries) => {
                    for (at, entry) in entries.iter().enumerate() {
                        self.one(id, Select::Position(at + 1), Some(entry))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn one(
        &mut self,
        node: NodeId,
        select: Select,
        content: Option<&Children>,
    ) -> Result<(), Vec<Step>> {
        self.steps.push(Step { node, select });
        self.shown_or(&[Right::Create, Right::Update])?;
        if let Some(content) = content {
            self.sent(content)?;
        }
        self.steps.pop();
        Ok(())
    }

    fn edited(&mut self, nodes: &[EditNode], around: Operation) -> Result<(), Vec<Step>> {
        for node in nodes {
            let operation = node.operation.unwrap_or(around);
            self.steps.push(Step {
                node: node.node,
                select: node.select.clone(),
            });
            self.shown_or(match operation {
                Operation::Merge | Operation::Replace => &[Right::Create, Right::Update],
                Operation::Create => &[Right::Create],
                Operation::Delete | Operation::Remove => &[Right::Delete],
                Operation::None => &[Right::Update],
            })?;
            if let EditContent::Nodes(nodes) = &node.content {
                self.edited(nodes, operation)?;
            }
            self.steps.pop();
        }
        Ok(())
    }

    /// Whether the last step's node may be read, or the user has these rights to it.
    fn shown_or(&self, rights: &[Right]) -> Result<(), Vec<Step>> {
        let is_plain = self
            .steps
            .last()
            .is_some_and(|it| self.decision.schema.node(it.node).is_plain_container());
        let is_permitted = is_plain
            || self.decision.readable(&self.steps) == self.steps.len()
            || rights
                .iter()
                .all(|it| self.decision.permits(*it, &self.steps));
        is_permitted.then_some(()).ok_or_else(|| self.steps.clone())
    }

    /// The first right that the user lacks.
    fn denied(&mut self, kind: &ChangeKind) -> Option<Right> {
        let (right, data) = match kind {
            ChangeKind::Created { data, .. } => (Right::Create, Some(data)),
            ChangeKind::Deleted(data) => (Right::Delete, Some(data)),
            ChangeKind::Replaced { .. } | ChangeKind::Moved(_) => (Right::Update, None),
        };
        let is_permitted = self.decision.permits(right, &self.steps)
            && data.is_none_or(|data| self.within(right, data));
        (!is_permitted).then_some(right)
    }

    /// Whether all that data has is permitted; the steps lead to it.
    fn within(&mut self, right: Right, data: &Data) -> bool {
        match data {
            Data::Leaf(_) | Data::Any(_) | Data::LeafList(_) | Data::List(_) | Data::Keyless(_) => {
                true
            }
            Data::Container(here) => self.level(right, here),
        }
    }

    fn level(&mut self, right: Right, here: &Children) -> bool {
        here.iter().all(|(id, data)| match data {
            Data::Leaf(_) | Data::Any(_) => self.at(right, id, Select::All, None),
            Data::Container(inner) => self.at(right, id, Select::All, Some(inner)),
            Data::LeafList(values) => values
                .iter()
                .all(|value| self.at(right, id, Select::Value(value.clone()), None)),
            Data::List(entries) => entries
                .iter()
                .all(|(key, entry)| self.at(right, id, Select::Key(key.clone()), Some(entry))),
            Data::Keyless(entries) => {
                let mut entries = entries.iter().enumerate();
                entries.all(|(at, entry)| self.at(right, id, Select::Position(at + 1), Some(entry)))
            }
        })
    }

    fn at(
        &mut self,
        right: Right,
        node: NodeId,
        select: Select,
        content: Option<&Children>,
    ) -> bool {
        self.steps.push(Step { node, select });
        // A container without presence is no node of its own.
        let is_plain = self.decision.schema.node(node).is_plain_container();
        let is_permitted = (is_plain || self.decision.permits(right, &self.steps))
            && content.is_none_or(|content| self.level(right, content));
        self.steps.pop();
        is_permitted
    }
}

/// A choice among the data below some steps, and one of its cases.
type Chosen<'a> = HashSet<(&'a [Step], NodeId, NodeId)>;

/// The cases that changes create.
fn chosen_cases<'a>(schema: &Schema, changes: &'a [Change]) -> Chosen<'a> {
    let created = changes
        .iter()
        .filter(|it| matches!(it.kind, ChangeKind::Created { .. }));
    created.flat_map(|change| cases(schema, change)).collect()
}

/// Whether a change deletes what another case replaces (RFC 8341 section 3.2.5).
fn is_implied(schema: &Schema, chosen: &Chosen<'_>, change: &Change) -> bool {
    let mut own = cases(schema, change);
    own.any(|(above, choice, case)| {
        let all = schema.children(Some(choice)).iter();
        let mut others = all.filter(|other| **other != case);
        others.any(|other| chosen.contains(&(above, choice, *other)))
    })
}

/// The cases of choices that a change is in: the steps above, the choice, the case.
fn cases<'a>(
    schema: &Schema,
    change: &'a Change,
) -> impl Iterator<Item = (&'a [Step], NodeId, NodeId)> {
    let steps = change.path.steps();
    let places = steps.iter().enumerate();
    places.flat_map(move |(at, step)| {
        let above = move |id: &NodeId| {
            let parent = schema.node(*id).parent?;
            matches!(schema.node(parent).kind, Kind::Choice { .. } | Kind::Case).then_some(parent)
        };
        let steps = steps.get(..at).unwrap_or_default();
        std::iter::successors(Some(step.node), above).filter_map(move |case| {
            let choice = above(&case)?;
            matches!(schema.node(choice).kind, Kind::Choice { .. }).then_some((steps, choice, case))
        })
    })
}
