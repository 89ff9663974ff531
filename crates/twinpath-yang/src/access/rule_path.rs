//! Paths of rules: instance-identifiers whose keys may be left out, one by one (RFC 8341, `node-instance-identifier`).

use super::User;
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::syntax::{Predicate, leaf_value, predicates, step};
use crate::tree::{Path, PathError, Select, Step};
use crate::value::Value;

/// The path of a rule; empty for all data.
#[derive(Clone, Debug, Default)]
pub(super) struct RulePath(Vec<RuleStep>);

#[derive(Clone, Debug)]
struct RuleStep {
    node: NodeId,
    /// What entries it is about; all without.
    tests: Vec<Test>,
}

/// Which entries a step is about.
#[derive(Clone, Debug)]
enum Test {
    /// Those whose key has this value at a place.
    Key(usize, Wanted),
    /// The value of a leaf-list.
    Value(Wanted),
    /// The entry of a list without keys, from 1.
    Position(usize),
}

#[derive(Clone, Debug)]
enum Wanted {
    Value(Value),
    /// `$USER`.
    UserName,
}

impl RulePath {
    /// Reads a path with names of modules, as in JSON.
    pub(super) fn parse(schema: &Schema, text: &str) -> Result<Self, PathError> {
        Path::check_length(text)?;
        let mut steps = Vec::new();
        let mut left = text.trim();
        if left == "/" {
            return Ok(Self::default());
        }
        if left.is_empty() {
            return Err(PathError::unreadable("write a path; / is that of all data"));
        }
        while !left.is_empty() {
            let (name, rest) = Path::split_name(left)?;
            let above = steps.last().map(|last: &RuleStep| last.node);
            let node = step(schema, above, name, None)?;
            let (predicates, rest) = predicates(rest)?;
            left = rest;
            let tests = predicates.iter().map(|it| test(schema, node, it));
            steps.push(RuleStep {
                node,
                tests: tests.collect::<Result<_, _>>()?,
            });
        }
        Ok(Self(steps))
    }

    /// Whether a path leads to this one's node, or below it.
    pub(super) fn leads_to(&self, steps: &[Step], user: User<'_>) -> bool {
        let mut pairs = self.0.iter().zip(steps);
        self.0.len() <= steps.len() && pairs.all(|(own, step)| own.matches(step, user))
    }
}

impl RuleStep {
    fn matches(&self, step: &Step, user: User<'_>) -> bool {
        let is_wanted = |wanted: &Wanted, value: &Value| match wanted {
            Wanted::Value(wanted) => wanted == value,
            Wanted::UserName => user.name.is_some() && value.as_str() == user.name,
        };
        let holds = |test: &Test| match (test, &step.select) {
            (Test::Key(at, wanted), Select::Key(key)) => {
                key.get(*at).is_some_and(|value| is_wanted(wanted, value))
            }
            (Test::Value(wanted), Select::Value(value)) => is_wanted(wanted, value),
            (Test::Position(at), Select::Position(other)) => at == other,
            (Test::Key(..) | Test::Value(_) | Test::Position(_), _) => false,
        };
        self.node == step.node && self.tests.iter().all(holds)
    }
}

fn test(schema: &Schema, node: NodeId, predicate: &Predicate<'_>) -> Result<Test, PathError> {
    let value = |leaf: NodeId, text: &str| leaf_value(schema, leaf, text, None).map(Wanted::Value);
    let kind = &schema.node(node).kind;
    let unfit = |what: &str| {
        let name = &schema.node(node).name;
        Err(PathError::unreadable(format!("{name}: {what}")))
    };
    match (predicate, kind) {
        (Predicate::Dot(text), Kind::LeafList { .. }) => Ok(Test::Value(value(node, text)?)),
        (Predicate::User("."), Kind::LeafList { .. }) => Ok(Test::Value(Wanted::UserName)),
        (Predicate::Position(at), Kind::List(list)) if list.keys.is_empty() => {
            Ok(Test::Position(*at))
        }
        (Predicate::Name(name, _) | Predicate::User(name), Kind::List(list)) => {
            let (_, local) = name.rsplit_once(':').unwrap_or(("", name));
            let mut keys = list.keys.iter().enumerate();
            let Some((at, leaf)) = keys.find(|(_, key)| *schema.node(**key).name == *local) else {
                return unfit("a predicate that is not a key");
            };
            let wanted = match predicate {
                Predicate::Name(_, text) => value(*leaf, text)?,
                Predicate::User(_) | Predicate::Dot(_) | Predicate::Position(_) => Wanted::UserName,
            };
            Ok(Test::Key(at, wanted))
        }
        (
            Predicate::Dot(_) | Predicate::User(_) | Predicate::Position(_) | Predicate::Name(..),
            _,
        ) => unfit("a predicate that it cannot have"),
    }
}
