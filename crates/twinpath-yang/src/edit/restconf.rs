//! The methods of RESTCONF that change data (RFC 8040 sections 4.4 to 4.7).
//!
//! A resource is a container, a leaf, an entry of a list, or a value of a leaf-list. Containers without `presence` exist
//! always.

use super::{EditContent, EditNode, Operation, edit};
use crate::diff::Place;
use crate::fault::{Fault, FaultKind};
use crate::schema::{Kind, NodeId, Schema};
use crate::tree::{Children, Path, Step};

fn fail<T>(path: &Path, kind: FaultKind, what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::new(path, kind, what))
}

/// POST: creates a resource below another, or below the root. `body` has that resource alone. Returns the new tree, and the
/// path of what was created.
///
/// # Errors
///
/// The body is not one resource, it exists already, or what it is below does not exist.
pub fn post(
    schema: &Schema,
    root: &Children,
    parent: &Path,
    body: &Children,
    place: Option<Place>,
) -> Result<(Children, Path), Fault> {
    let mut node = only(schema, parent, body)?;
    node.operation = Some(Operation::Create);
    node.place = place;
    let created = parent.join(node.node, node.select.clone());
    let nodes = [node.below(created.steps())];
    Ok((edit(schema, root, &nodes, Operation::None)?, created))
}

/// PUT: replaces a resource, or creates it; for the root, replaces all that there is. `body` has that resource alone, as a
/// child of what is above it. Returns the new tree, and whether the resource is new.
///
/// # Errors
///
/// The body is another resource, or what is above it does not exist.
pub fn put(
    schema: &Schema,
    root: &Children,
    target: &Path,
    body: &Children,
    place: Option<Place>,
) -> Result<(Children, bool), Fault> {
    let Some(last) = target.steps().last() else {
        let nodes = EditNode::of_data(schema, body);
        return Ok((edit(schema, root, &nodes, Operation::Replace)?, false));
    };
    let mut node = target_of(schema, target, last, body)?;
    node.operation = Some(Operation::Replace);
    node.place = place;
    let nodes = [node.below(target.steps())];
    let edited = edit(schema, root, &nodes, Operation::None)?;
    Ok((edited, !root.has(target)))
}

/// PATCH, plain (RFC 8040 section 4.6.1): merges the body with a resource that exists, or with all that there is. `body` is
/// as in [`put`].
///
/// # Errors
///
/// The body is another resource, or the resource does not exist.
pub fn patch(
    schema: &Schema,
    root: &Children,
    target: &Path,
    body: &Children,
) -> Result<Children, Fault> {
    let Some(last) = target.steps().last() else {
        return edit(
            schema,
            root,
            &EditNode::of_data(schema, body),
            Operation::Merge,
        );
    };
    let mut node = target_of(schema, target, last, body)?;
    node.operation = Some(Operation::Merge);
    if !root.has(target) && !schema.node(last.node).is_plain_container() {
        let what = format!("{}: it does not exist", schema.node(last.node).name);
        return fail(target, FaultKind::Absent, what);
    }
    edit(schema, root, &[node.below(target.steps())], Operation::None)
}

/// DELETE: deletes a resource that exists.
///
/// # Errors
///
/// The resource does not exist, or is not one alone: the root, or a list without a key.
pub fn delete(schema: &Schema, root: &Children, target: &Path) -> Result<Children, Fault> {
    let Some(last) = target.steps().last() else {
        let what = "the whole datastore is not deleted: delete its nodes";
        return fail(target, FaultKind::NotSupported, what);
    };
    let node = EditNode {
        node: last.node,
        select: last.select.clone(),
        operation: Some(Operation::Delete),
        place: None,
        content: EditContent::Nothing,
    };
    edit(schema, root, &[node.below(target.steps())], Operation::None)
}

/// The place that the parameters `insert` and `point` say (RFC 8040 sections 4.8.5 and 4.8.6), for an entry of `node`, a
/// list or leaf-list below `parent`.
///
/// # Errors
///
/// Values that are not allowed, or of another list; users do not order the list.
pub fn place(
    schema: &Schema,
    parent: &Path,
    node: NodeId,
    insert: Option<&str>,
    point: Option<&str>,
) -> Result<Option<Place>, Fault> {
    let wrong = |what: &str| Fault::new(parent, FaultKind::WrongValue, what);
    let beside = || {
        let Some(point) = point else {
            return Err(wrong("write the parameter point too, as insert needs it"));
        };
        let path = Path::parse_api(schema, point);
        let path = path.map_err(|error| Fault::new(parent, error.kind, error.what))?;
        match path.steps().split_last() {
            Some((last, above)) if above == parent.steps() && last.node == node => {
                Ok(last.select.clone())
            }
            Some(_) | None => Err(wrong("point: write an entry of the same list")),
        }
    };
    let place = match (insert, point) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(wrong("write the parameter insert too, as point needs it")),
        (Some("first"), None) => Place::First,
        (Some("last"), None) => Place::Last,
        (Some("first" | "last"), Some(_)) => {
            return Err(wrong("point: for insert=before or insert=after only"));
        }
        (Some("before"), _) => Place::Before(beside()?),
        (Some("after"), _) => Place::After(beside()?),
        (Some(_), _) => return Err(wrong("insert: use first, last, before or after")),
    };
    let is_ordered = match &schema.node(node).kind {
        Kind::List(list) => list.user_ordered,
        Kind::LeafList { user_ordered, .. } => *user_ordered,
        Kind::Container { .. }
        | Kind::Leaf { .. }
        | Kind::Choice { .. }
        | Kind::Case
        | Kind::Anydata { .. }
        | Kind::Rpc
        | Kind::Action
        | Kind::Input
        | Kind::Output
        | Kind::Notification => false,
    };
    if !is_ordered {
        return Err(wrong("insert: not allowed here, as users do not order it"));
    }
    Ok(Some(place))
}

/// The one resource of a body.
fn only(schema: &Schema, at: &Path, body: &Children) -> Result<EditNode, Fault> {
    let mut nodes = EditNode::of_data(schema, body);
    match (nodes.pop(), nodes.is_empty()) {
        (Some(node), true) => Ok(node),
        (Some(_), false) => fail(at, FaultKind::WrongValue, "write one resource, not several"),
        (None, _) => fail(at, FaultKind::WrongValue, "write a resource"),
    }
}

/// The resource of a body, which must be that of a path.
fn target_of(
    schema: &Schema,
    target: &Path,
    last: &Step,
    body: &Children,
) -> Result<EditNode, Fault> {
    let name = &schema.node(last.node).name;
    // A container without content is left out where data is read.
    if body.is_empty() && schema.node(last.node).is_plain_container() {
        return Ok(EditNode {
            node: last.node,
            select: last.select.clone(),
            operation: None,
            place: None,
            content: EditContent::Nothing,
        });
    }
    let node = only(schema, target, body)?;
    if node.node != last.node {
        let what = format!(
            "{}: write {name}, as the path has it",
            schema.node(node.node).name
        );
        return fail(target, FaultKind::WrongValue, what);
    }
    if node.select != last.select {
        let what = format!("{name}: write the same key as the path has");
        return fail(target, FaultKind::WrongValue, what);
    }
    Ok(node)
}
