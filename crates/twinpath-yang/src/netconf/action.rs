//! Actions and operations of the schema (RFC 7950 sections 7.14.4 and 7.15.2).

use super::error::{ErrorInfo, Layer, RpcError};
use super::operation::Operation;
use super::params::{Errors, element_error, unknown};
use super::rpc::of_xml;
use crate::fault::{Fault, FaultKind};
use crate::json::ReadOptions;
use crate::schema::{Kind, ModuleId, NodeId, Schema};
use crate::tree::{Children, Key, Path, Scope, Select, validate_below};
use crate::xml::{self, Element};

/// The operation of the schema that an element calls, if it is one.
pub(super) fn rpc(schema: &Schema, element: &Element) -> Result<Option<Operation>, Errors> {
    let found = module(schema, element)
        .filter(|module| schema.module(*module).is_implemented)
        .and_then(|module| schema.action(None, Some(module), &element.name));
    let Some(node) = found else {
        return Ok(None);
    };
    let path = Path::root().join(node, Select::All);
    let input = input(schema, &path, node, element)?;
    Ok(Some(Operation::Rpc { node, input }))
}

fn module(schema: &Schema, element: &Element) -> Option<ModuleId> {
    let namespace = element.namespace.as_deref()?;
    let mut modules = schema.modules();
    modules
        .find(|(_, it)| *it.namespace == *namespace)
        .map(|(id, _)| id)
}

/// The action that `action` leads to.
pub(super) fn action(schema: &Schema, root: &Element) -> Result<Operation, Errors> {
    let mut path = Path::root();
    let mut around = root;
    loop {
        let element = inner(schema, &path, around)?;
        let of = path.node();
        let module = module(schema, element);
        let action = of.and_then(|of| schema.action(Some(of), module, &element.name));
        if let Some(node) = action.filter(|_| module.is_some()) {
            path.push(node, Select::All);
            let input = input(schema, &path, node, element)?;
            return Ok(Operation::Action { path, input });
        }
        let found = module.and_then(|module| schema.child(of, Some(module), &element.name));
        let Some(node) = found else {
            return Err(unknown(schema, element, "node or action"));
        };
        let select = match &schema.node(node).kind {
            Kind::List(_) => Select::Key(key(schema, &path, node, element)?),
            Kind::Container { .. } => Select::All,
            Kind::Leaf { .. }
            | Kind::LeafList { .. }
            | Kind::Choice { .. }
            | Kind::Case
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => {
                let what = format!("{}: not a way to an action", element.name);
                return Err(element_error("bad-element", &element.name, what));
            }
        };
        path.push(node, select);
        around = element;
    }
}

/// The element in a container or entry that is not one of its keys.
fn inner<'a>(schema: &Schema, path: &Path, around: &'a Element) -> Result<&'a Element, Errors> {
    let keys = keys(schema, path.node());
    let is_key = |it: &&Element| {
        let module = module(schema, it);
        let mut keys = keys.iter().map(|key| schema.node(*key));
        keys.any(|key| key.name == it.name && Some(key.module) == module)
    };
    let mut others = around.children.iter().filter(|it| !is_key(it));
    match (others.next(), others.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(second)) => {
            let what = format!("action: {}: more than one", around.name);
            Err(element_error("bad-element", &second.name, what))
        }
        (None, _) => {
            let what = format!("action: {}: write an action in it", around.name);
            Err(element_error("missing-element", &around.name, what))
        }
    }
}

fn keys(schema: &Schema, of: Option<NodeId>) -> Vec<NodeId> {
    let list = of.and_then(|of| schema.node(of).list());
    list.map(|list| list.keys.clone()).unwrap_or_default()
}

/// The key of an entry, which is read as data.
fn key(schema: &Schema, path: &Path, list: NodeId, element: &Element) -> Result<Key, Errors> {
    let leaves = keys(schema, Some(list));
    let is_key = |it: &&Element| leaves.iter().any(|key| schema.node(*key).name == it.name);
    let mut entry = element.clone();
    entry.children = element.children.iter().filter(is_key).cloned().collect();
    let options = ReadOptions {
        at: path.clone(),
        scope: Scope::All,
        ..ReadOptions::default()
    };
    let read = xml::read(schema, std::slice::from_ref(&entry), &options);
    let read = read.map_err(|faults| of_xml(schema, &faults))?;
    let entries = read.get(list).and_then(|data| data.entries());
    let key = entries.and_then(|entries| entries.keys().next()).cloned();
    key.ok_or_else(|| {
        let what = format!("{}: a list without keys", element.name);
        element_error("bad-element", &element.name, what)
    })
}

/// The parameters of an operation, with all that is mandatory.
fn input(
    schema: &Schema,
    path: &Path,
    operation: NodeId,
    element: &Element,
) -> Result<Children, Errors> {
    let Some(node) = schema.child(Some(operation), None, "input") else {
        return match element.children.first() {
            None => Ok(Children::new()),
            Some(child) => Err(unknown(schema, child, "parameter")),
        };
    };
    let options = ReadOptions {
        at: path.join(node, Select::All),
        scope: Scope::All,
        ..ReadOptions::default()
    };
    let input = xml::read(schema, &element.children, &options);
    let input = input.map_err(|faults| of_xml(schema, &faults))?;
    let faults = validate_below(schema, &Children::new(), &options.at, &input);
    // References lead to data that is not known here.
    let faults = faults
        .iter()
        .filter(|it| it.kind != FaultKind::DanglingReference);
    let errors: Errors = faults.map(|it| parameter_error(schema, it)).collect();
    if errors.is_empty() {
        Ok(input)
    } else {
        Err(errors)
    }
}

/// A mandatory parameter that is missing is an element, not data (RFC 7950 section 8.3.1).
fn parameter_error(schema: &Schema, fault: &Fault) -> RpcError {
    let mut error = RpcError::of_fault(schema, fault);
    let name = fault.path.node().map(|node| schema.node(node).name.clone());
    if fault.kind == FaultKind::Missing {
        error.tag = "missing-element";
        error.layer = Layer::Protocol;
        error.info.extend(name.map(ErrorInfo::BadElement));
    }
    error
}
