//! Defaults as values, and the default cases of choices.

use super::super::build::Draft;
use super::super::types::RawDefault;
use super::super::{Kind, NodeId, Schema, SchemaError, number};
use crate::value::{Names, Value};

/// Sets the defaults of all nodes.
pub(super) fn set(schema: &mut Schema, drafts: &[Draft]) -> Result<(), SchemaError> {
    for (at, draft) in drafts.iter().enumerate() {
        let id = NodeId(number(at));
        match &schema.node(id).kind {
            Kind::Choice { .. } => set_case(schema, id, draft)?,
            Kind::Leaf { mandatory, .. } => {
                let raw = draft.defaults.first().or(draft.type_default.as_ref());
                let raw = raw.filter(|_| !*mandatory);
                let value = raw.map(|raw| parse(schema, id, raw)).transpose()?;
                if let Some(Kind::Leaf { default, .. }) = kind_mut(schema, at) {
                    *default = value;
                }
            }
            Kind::LeafList { min, .. } => {
                let own = &draft.defaults;
                let of_type = draft.type_default.iter().filter(|_| own.is_empty());
                let raw = own.iter().chain(of_type).filter(|_| *min == 0);
                let values = raw.map(|raw| parse(schema, id, raw));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                if let Some(Kind::LeafList { defaults, .. }) = kind_mut(schema, at) {
                    *defaults = values;
                }
            }
            Kind::Container { .. }
            | Kind::List(_)
            | Kind::Case
            | Kind::Anydata { .. }
            | Kind::Rpc
            | Kind::Action
            | Kind::Input
            | Kind::Output
            | Kind::Notification => {}
        }
    }
    Ok(())
}

fn kind_mut(schema: &mut Schema, at: usize) -> Option<&mut Kind> {
    schema.nodes.get_mut(at).map(|node| &mut node.kind)
}

fn fail(schema: &Schema, id: NodeId, what: impl std::fmt::Display) -> SchemaError {
    let node = schema.node(id);
    SchemaError {
        module: (&*schema.module(node.source).name).into(),
        line: node.line,
        what: format!("{}: {what}", node.name),
    }
}

fn parse(schema: &Schema, id: NodeId, raw: &RawDefault) -> Result<Value, SchemaError> {
    let (text, module) = raw;
    let Some(ty) = schema.leaf_type(id) else {
        return Err(fail(schema, id, "it has no type"));
    };
    let value = schema.parse(ty, text, &Names::Prefixes(*module));
    value.map_err(|unfit| fail(schema, id, format!("default {unfit}")))
}

fn set_case(schema: &mut Schema, id: NodeId, draft: &Draft) -> Result<(), SchemaError> {
    let Some((name, _)) = draft.defaults.first() else {
        return Ok(());
    };
    let mut cases = schema.children(Some(id)).iter().copied();
    let case = cases.find(|case| schema.node(*case).name == *name);
    let case = case.ok_or_else(|| fail(schema, id, format!("default {name}: no such case")))?;
    if let Some(Kind::Choice { default, mandatory }) = kind_mut(schema, super::super::index(id.0)) {
        *default = Some(case);
        if *mandatory {
            return Err(fail(schema, id, "default and mandatory"));
        }
    }
    Ok(())
}
