//! Conditions of `when` and `must`: the part of XPath that modules here need. Anything else is refused when a module is
//! loaded, so that no constraint is ignored.

use super::{ModuleId, NodeId};
use crate::statement::is_identifier;

/// Parentheses within each other, at most.
const MAX_DEPTH: usize = 16;

/// A condition: paths that exist, paths compared with literals, `not()`, `and`, `or`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A path leads to a node.
    Exists(DataPath),
    /// A path leads to a leaf whose canonical value is, or is not, a literal.
    Compare {
        /// The path.
        path: DataPath,
        /// `=`; else `!=`.
        is_equal: bool,
        /// The literal.
        literal: Box<str>,
    },
    /// The condition does not hold.
    Not(Box<Condition>),
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
}

/// A path from one data node to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPath {
    /// Whether it begins at the root.
    pub is_absolute: bool,
    /// Steps up that come first.
    pub ups: usize,
    /// Steps down that follow.
    pub nodes: Vec<NodeId>,
    pub(super) names: Vec<(Option<ModuleId>, Box<str>)>,
}

/// The module of a prefix in the text at hand.
pub(super) type Resolve<'a> = dyn Fn(&str) -> Option<ModuleId> + 'a;

impl DataPath {
    /// `/a/b`, `../a/b` or `a/b` with prefixes, `.` alone, or `current()/..` before it; names are resolved later.
    pub(super) fn parse(text: &str, resolve: &Resolve<'_>) -> Result<Self, String> {
        let text = text.trim();
        let unsupported = || format!("the path {text}: not supported");
        let below = text.strip_prefix("current()/").unwrap_or(text);
        let (is_absolute, below) = match below.strip_prefix('/') {
            Some(below) => (true, below),
            None => (false, below),
        };
        let mut path = Self {
            is_absolute,
            ups: 0,
            nodes: Vec::new(),
            names: Vec::new(),
        };
        for step in below.split('/').map(str::trim) {
            let (module, name) = match step.split_once(':') {
                Some((prefix, name)) => {
                    let module = resolve(prefix)
                        .ok_or_else(|| format!("{prefix}: not the prefix of an imported module"))?;
                    (Some(module), name)
                }
                None => (None, step),
            };
            match name {
                "." if below == "." => {}
                ".." if module.is_none() && path.names.is_empty() && !is_absolute => path.ups += 1,
                name if is_identifier(name) => path.names.push((module, name.into())),
                _ => return Err(unsupported()),
            }
        }
        Ok(path)
    }
}

impl Condition {
    pub(super) fn parse(text: &str, resolve: &Resolve<'_>) -> Result<Self, String> {
        let mut parser = Parser {
            left: text,
            resolve,
        };
        let condition = parser.any(0)?;
        match parser.left.trim() {
            "" => Ok(condition),
            left => Err(format!("{left}: not supported in a condition")),
        }
    }

    /// All paths in it.
    pub(super) fn paths_mut<'a>(&'a mut self, paths: &mut Vec<&'a mut DataPath>) {
        match self {
            Self::Exists(path) | Self::Compare { path, .. } => paths.push(path),
            Self::Not(inner) => inner.paths_mut(paths),
            Self::All(all) | Self::Any(all) => {
                for inner in all {
                    inner.paths_mut(paths);
                }
            }
        }
    }
}

struct Parser<'a> {
    left: &'a str,
    resolve: &'a Resolve<'a>,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let after = self.left.trim_start().strip_prefix(token);
        after.map(|left| self.left = left).is_some()
    }

    /// A word between operands.
    fn take_word(&mut self, word: &str) -> bool {
        let after = self.left.trim_start().strip_prefix(word);
        let after = after.filter(|left| left.starts_with([' ', '\t', '\n', '(']));
        after.map(|left| self.left = left).is_some()
    }

    fn any(&mut self, depth: usize) -> Result<Condition, String> {
        let first = self.all(depth)?;
        let mut all = vec![first];
        while self.take_word("or") {
            all.push(self.all(depth)?);
        }
        Ok(only(all, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, String> {
        let first = self.one(depth)?;
        let mut all = vec![first];
        while self.take_word("and") {
            all.push(self.one(depth)?);
        }
        Ok(only(all, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > MAX_DEPTH {
            return Err("too many parentheses".to_owned());
        }
        let is_negated = self.take("not(");
        if is_negated || self.take("(") {
            let inner = self.any(depth + 1)?;
            if !self.take(")") {
                return Err(") is missing".to_owned());
            }
            return Ok(if is_negated {
                Condition::Not(Box::new(inner))
            } else {
                inner
            });
        }
        let path = self.path()?;
        let is_equal = match (self.take("!="), self.take("=")) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => return Ok(Condition::Exists(path)),
        };
        Ok(Condition::Compare {
            path,
            is_equal,
            literal: self.literal()?.into(),
        })
    }

    fn path(&mut self) -> Result<DataPath, String> {
        let left = self.left.trim_start();
        let start = "current()/";
        let skipped = if left.starts_with(start) {
            start.len()
        } else {
            0
        };
        let is_end = |c: char| {
            matches!(
                c,
                ' ' | '\t' | '\n' | '=' | '!' | ')' | '(' | '<' | '>' | '['
            )
        };
        let length = left.get(skipped..).unwrap_or_default().find(is_end);
        let (path, after) = left
            .split_at_checked(length.map_or(left.len(), |length| skipped + length))
            .unwrap_or((left, ""));
        let path = DataPath::parse(path, self.resolve)?;
        self.left = after;
        Ok(path)
    }

    fn literal(&mut self) -> Result<&str, String> {
        let left = self.left.trim_start();
        let quoted = ['\'', '"']
            .iter()
            .find_map(|quote| left.strip_prefix(*quote)?.split_once(*quote));
        let Some((literal, after)) = quoted else {
            return Err(format!(
                "{left}: not supported: compare with a string in quotes"
            ));
        };
        self.left = after;
        Ok(literal)
    }
}

fn only(mut all: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            several(all)
        }
    }
}
