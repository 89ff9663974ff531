//! Paths from their texts.

use super::{Key, Path, Select};
use crate::fault::{FaultKind, names, unknown};
use crate::schema::{Kind, List, NodeId, Schema};
use crate::statement::is_identifier;
use crate::value::{Names, Value, shorten};

/// Octets of a path, at most.
const MAX_TEXT: usize = 16 * 1024;

/// Why a text is not a path of the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PathError {
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// What is wrong, and what to write instead.
    pub what: String,
}

fn fail<T>(kind: FaultKind, what: impl Into<String>) -> Result<T, PathError> {
    Err(PathError {
        kind,
        what: what.into(),
    })
}

impl PathError {
    pub(crate) fn unreadable(what: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::NotReadable,
            what: what.into(),
        }
    }
}

/// A predicate as it is written.
pub(crate) enum Predicate<'a> {
    /// A key and its value.
    Name(&'a str, &'a str),
    /// The value of a leaf-list.
    Dot(&'a str),
    /// A key, or `.`, that is the variable `$USER`.
    User(&'a str),
    /// The place of an entry, from 1.
    Position(usize),
}

impl Path {
    /// The path of an instance-identifier with module names (RFC 7951 section 6.11). Keys may be left out, which means all
    /// entries (RFC 8341, `node-instance-identifier`). The last step may be an action or notification.
    ///
    /// # Errors
    ///
    /// What is not a path, or not in the schema.
    pub fn parse(schema: &Schema, text: &str) -> Result<Self, PathError> {
        Self::parse_with(schema, text, None)
    }

    /// The path of an instance-identifier with names as a context has them.
    pub(crate) fn parse_names(
        schema: &Schema,
        text: &str,
        names: &Names<'_>,
    ) -> Result<Self, PathError> {
        let prefixed = match names {
            Names::Prefixes(_) | Names::Declared(_) => Some(names),
            Names::Modules(_) | Names::Short(_) => None,
        };
        Self::parse_with(schema, text, prefixed)
    }

    /// `prefixed`: names with prefixes, as XML has them; else those of JSON.
    fn parse_with(
        schema: &Schema,
        text: &str,
        prefixed: Option<&Names<'_>>,
    ) -> Result<Self, PathError> {
        Self::check_length(text)?;
        let mut path = Self::root();
        let mut left = text.trim();
        if left == "/" {
            return Ok(path);
        }
        while !left.is_empty() {
            let (name, rest) = Self::split_name(left)?;
            let node = step(schema, path.node(), name, prefixed)?;
            let (predicates, rest) = predicates(rest)?;
            left = rest;
            let select = select(schema, node, &predicates, prefixed)?;
            path.push(node, select);
        }
        Ok(path)
    }

    pub(crate) fn check_length(text: &str) -> Result<(), PathError> {
        if text.len() > MAX_TEXT {
            return fail(FaultKind::TooLarge, "a path longer than 16 KiB");
        }
        Ok(())
    }

    /// The name after a slash, and what follows it.
    pub(crate) fn split_name(left: &str) -> Result<(&str, &str), PathError> {
        let Some(below) = left.strip_prefix('/') else {
            return fail(
                FaultKind::NotReadable,
                format!("{}: write / here", shorten(left)),
            );
        };
        let end = below.find(['/', '[']).unwrap_or(below.len());
        let (name, rest) = below.split_at_checked(end).unwrap_or((below, ""));
        Ok((name.trim(), rest))
    }

    /// The path of a RESTCONF resource below `data/` (RFC 8040 section 3.5.3). The last step may be an action, or a list
    /// without its keys.
    ///
    /// # Errors
    ///
    /// What is not a path, or not in the schema.
    pub fn parse_api(schema: &Schema, text: &str) -> Result<Self, PathError> {
        Self::check_length(text)?;
        let mut path = Self::root();
        let text = text.trim_start_matches('/').trim_end_matches('/');
        let mut parts = text.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let (name, keys) = match part.split_once('=') {
                Some((name, keys)) => (name, Some(keys)),
                None => (part, None),
            };
            let node = step(schema, path.node(), &decode(name)?, None)?;
            let select = match keys {
                Some(keys) => api_select(schema, node, keys)?,
                None if parts.peek().is_some() && schema.node(node).list().is_some() => {
                    let what = format!("{name}: write its key: {name}=KEY");
                    return fail(FaultKind::MissingKey, what);
                }
                None => Select::All,
            };
            path.push(node, select);
        }
        Ok(path)
    }
}

/// The node of a name below another.
pub(crate) fn step(
    schema: &Schema,
    of: Option<NodeId>,
    name: &str,
    prefixed: Option<&Names<'_>>,
) -> Result<NodeId, PathError> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if !is_identifier(local) {
        return fail(
            FaultKind::NotReadable,
            format!("{}: not a name", shorten(name)),
        );
    }
    let module = match (prefixed, prefix) {
        (Some(names), prefix) => names.module(schema, prefix),
        (None, Some(module)) => schema.module_named(module),
        (None, None) => of.map(|of| schema.node(of).module),
    };
    let Some(module) = module else {
        let what = match prefix {
            Some(prefix) => format!("{}: unknown module", shorten(prefix)),
            None => format!("{local}: write its module: MODULE:{local}"),
        };
        return fail(FaultKind::UnknownNode, what);
    };
    let found = schema.child(of, Some(module), local);
    let found = found.or_else(|| {
        let of = of?;
        schema
            .action(Some(of), Some(module), local)
            .or_else(|| schema.notification(Some(of), Some(module), local))
    });
    match found {
        Some(found) => Ok(found),
        None => fail(
            FaultKind::UnknownNode,
            unknown(local, names(schema, of), "node"),
        ),
    }
}

pub(crate) fn predicates(text: &str) -> Result<(Vec<Predicate<'_>>, &str), PathError> {
    let mut found = Vec::new();
    let mut left = text.trim_start();
    let wrong = || PathError {
        kind: FaultKind::NotReadable,
        what: format!("{}: write [key='value']", shorten(text)),
    };
    while let Some(inner) = left.strip_prefix('[') {
        let inner = inner.trim_start();
        let name_end = inner.find(['=', ']']).ok_or_else(wrong)?;
        let (name, rest) = inner.split_at_checked(name_end).ok_or_else(wrong)?;
        let name = name.trim();
        let after = if let Some(value) = rest.strip_prefix('=') {
            let value = value.trim_start();
            if let Some(rest) = value.strip_prefix("$USER") {
                found.push(Predicate::User(name));
                left = after_predicate(rest).ok_or_else(wrong)?;
                continue;
            }
            let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let quote = quote.ok_or_else(wrong)?;
            let inner = value.strip_prefix(quote).ok_or_else(wrong)?;
            let (value, rest) = inner.split_once(quote).ok_or_else(wrong)?;
            found.push(if name == "." {
                Predicate::Dot(value)
            } else {
                Predicate::Name(name, value)
            });
            rest
        } else {
            let at = name.parse().ok().filter(|at| *at > 0);
            found.push(Predicate::Position(at.ok_or_else(wrong)?));
            rest
        };
        left = after_predicate(after).ok_or_else(wrong)?;
    }
    Ok((found, left))
}

fn after_predicate(text: &str) -> Option<&str> {
    let after = text.trim_start().strip_prefix(']')?;
    Some(after.trim_start())
}

/// The entry of a list by predicates alone, as in `[a='1'][b='2']`; names as a context has them.
pub(crate) fn key_predicates(
    schema: &Schema,
    list: NodeId,
    text: &str,
    names: &Names<'_>,
) -> Result<Select, PathError> {
    let (predicates, rest) = predicates(text)?;
    if predicates.is_empty() || !rest.is_empty() {
        let what = format!("{}: write [key='value']", shorten(text));
        return fail(FaultKind::NotReadable, what);
    }
    select(schema, list, &predicates, Some(names))
}

fn select(
    schema: &Schema,
    node: NodeId,
    predicates: &[Predicate<'_>],
    prefixed: Option<&Names<'_>>,
) -> Result<Select, PathError> {
    let unfit = || {
        fail(
            FaultKind::NotReadable,
            format!("{}: not a list", schema.node(node).name),
        )
    };
    match (predicates, &schema.node(node).kind) {
        ([], _) => Ok(Select::All),
        ([Predicate::Dot(text)], Kind::LeafList { .. }) => {
            leaf_value(schema, node, text, prefixed).map(Select::Value)
        }
        ([Predicate::Position(at)], Kind::List(list)) if list.keys.is_empty() => {
            Ok(Select::Position(*at))
        }
        (predicates, Kind::List(list)) if !list.keys.is_empty() => {
            let mut key = Vec::new();
            for leaf in &list.keys {
                let name = &*schema.node(*leaf).name;
                let mut values = predicates.iter().filter_map(|it| match it {
                    Predicate::Name(written, value) => {
                        let local = written
                            .rsplit_once(':')
                            .map_or(*written, |(_, local)| local);
                        (local == name).then_some(*value)
                    }
                    Predicate::Dot(_) | Predicate::User(_) | Predicate::Position(_) => None,
                });
                let (Some(value), None) = (values.next(), values.next()) else {
                    let list = &schema.node(node).name;
                    let what = format!("{list}: write its key: {list}[{name}='...']");
                    return fail(FaultKind::MissingKey, what);
                };
                key.push(leaf_value(schema, *leaf, value, prefixed)?);
            }
            if key.len() != predicates.len() {
                return fail(
                    FaultKind::UnknownNode,
                    format!("{}: a predicate that is not a key", schema.node(node).name),
                );
            }
            Ok(Select::Key(Key::from(key)))
        }
        _ => unfit(),
    }
}

/// What to write where a path has another number of keys than its list.
fn keys_wanted(schema: &Schema, name: &str, list: &List) -> String {
    let keys = list.keys.iter();
    let keys = keys.map(|key| schema.node(*key).name.to_uppercase());
    let keys: Vec<String> = keys.collect();
    let form = format!("{name}={}", keys.join(","));
    let comma = "a comma within a key is %2C";
    match keys.len() {
        1 => format!("{name}: write its key: {form}; {comma}"),
        count => format!("{name}: write its {count} keys: {form}; {comma}"),
    }
}

fn api_select(schema: &Schema, node: NodeId, text: &str) -> Result<Select, PathError> {
    let name = &schema.node(node).name;
    match &schema.node(node).kind {
        Kind::LeafList { .. } => leaf_value(schema, node, &decode(text)?, None).map(Select::Value),
        Kind::List(list) if !list.keys.is_empty() => {
            let parts: Vec<&str> = text.split(',').collect();
            if parts.len() != list.keys.len() {
                return fail(FaultKind::MissingKey, keys_wanted(schema, name, list));
            }
            let key = list.keys.iter().zip(parts);
            let key = key.map(|(leaf, part)| leaf_value(schema, *leaf, &decode(part)?, None));
            Ok(Select::Key(key.collect::<Result<Key, _>>()?))
        }
        Kind::List(_)
        | Kind::Container { .. }
        | Kind::Leaf { .. }
        | Kind::Choice { .. }
        | Kind::Case
        | Kind::Anydata { .. }
        | Kind::Rpc
        | Kind::Action
        | Kind::Input
        | Kind::Output
        | Kind::Notification => fail(FaultKind::NotReadable, format!("{name}: it has no key")),
    }
}

pub(crate) fn leaf_value(
    schema: &Schema,
    leaf: NodeId,
    text: &str,
    prefixed: Option<&Names<'_>>,
) -> Result<Value, PathError> {
    let own = Names::Modules(schema.node(leaf).module);
    let name = &schema.node(leaf).name;
    let Some(ty) = schema.leaf_type(leaf) else {
        return fail(FaultKind::NotReadable, format!("{name}: it has no value"));
    };
    let value = schema.parse(ty, text, prefixed.unwrap_or(&own));
    value.or_else(|unfit| fail(FaultKind::WrongValue, format!("{name}: {unfit}")))
}

/// Percent-decoded.
fn decode(text: &str) -> Result<String, PathError> {
    let wrong = || PathError {
        kind: FaultKind::NotReadable,
        what: format!("{}: not percent-encoded UTF-8", shorten(text)),
    };
    let mut octets = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(octet) = left.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || left.next().and_then(|it| char::from(it).to_digit(16));
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        octets.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(octets).map_err(|_| wrong())
}
