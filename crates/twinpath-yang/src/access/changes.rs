//! What a user may change.

use std::collections::HashSet;

use super::decision::Decision;
use super::rule::Right;
use super::{Access, User};
use crate::diff::{Change, ChangeKind};
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
}

/// The changed node without what the user may not read.
fn fault(decision: &Decision<'_>, user: User<'_>, right: Right, change: &Change) -> Fault {
    let shown = decision.readable(change.path.steps());
    let mut path = Path::root();
    for step in change.path.steps().iter().take(shown) {
        path.push(step.node, step.select.clone());
    }
    let verb = match right {
        Right::Create => "create",
        Right::Update | Right::Read | Right::Exec => "change",
        Right::Delete => "delete",
    };
    let user = user.shown();
    let what = match path.node().map(|node| &decision.schema.node(node).name) {
        Some(name) if shown == change.path.steps().len() => {
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
