//! Values of leaves as XML has them.

use std::collections::HashMap;

use super::Element;
use super::names::{trim, with_prefixes};
use crate::schema::{Base, ModuleId, Schema, Type};
use crate::value::{Names, Unfit, Value};

/// A schema by its namespaces.
pub(super) struct Modules<'a> {
    pub(super) schema: &'a Schema,
    by_namespace: HashMap<&'a str, ModuleId>,
}

impl<'a> Modules<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        let modules = schema.modules();
        Self {
            schema,
            by_namespace: modules
                .map(|(id, module)| (&*module.namespace, id))
                .collect(),
        }
    }

    pub(super) fn module(&self, namespace: &str) -> Option<ModuleId> {
        self.by_namespace.get(namespace).copied()
    }

    /// The value of a text, where prefixes are those of an element.
    pub(super) fn value(&self, ty: &Type, element: &Element, text: &str) -> Result<Value, Unfit> {
        let declared =
            |prefix: Option<&str>| self.module(element.scope.namespace(prefix).map(|it| &**it)?);
        let names = Names::Declared(&declared);
        let own = self.schema.value_type(ty);
        match &own.base {
            Base::String { .. } if is_xpath(self.schema, own) => {
                let text = with_prefixes(trim(text), |prefix| {
                    let module = declared(Some(prefix))?;
                    Some(self.schema.module(module).name.to_string())
                });
                self.schema.parse(ty, &text, &names)
            }
            Base::String { .. } => self.schema.parse(ty, text, &names),
            Base::Union(_) => {
                let value = self.schema.parse(ty, text, &names);
                value.or_else(|unfit| match trim(text) {
                    trimmed if trimmed.len() == text.len() => Err(unfit),
                    trimmed => self.schema.parse(ty, trimmed, &names),
                })
            }
            Base::Int(..)
            | Base::Decimal { .. }
            | Base::Binary(_)
            | Base::Boolean
            | Base::Empty
            | Base::Enumeration(_)
            | Base::Bits(_)
            | Base::IdentityRef(_)
            | Base::LeafRef(_)
            | Base::InstanceIdentifier { .. } => self.schema.parse(ty, trim(text), &names),
        }
    }
}

/// Whether a string is an XPath, whose prefixes are declared around it (RFC 6991, `xpath1.0`). In a [`Value`] they are names
/// of modules.
pub(super) fn is_xpath(schema: &Schema, ty: &Type) -> bool {
    let mut typedefs = ty.typedefs.iter();
    typedefs
        .any(|it| &*it.name == "xpath1.0" && &*schema.module(it.module).name == "ietf-yang-types")
}
