//! What a statement makes of its node.

use super::build::{Builder, Draft, Scope};
use super::{Kind, SchemaError};
use crate::statement::Statement;

impl<'a> Builder<'a> {
    /// The kind of a node, and what is resolved later.
    pub(super) fn kind(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(Kind, Draft), SchemaError> {
        let mut draft = Draft {
            config: self.flag(statement, "config", scope)?,
            ..Draft::default()
        };
        let mandatory = self.flag(statement, "mandatory", scope)?.unwrap_or(false);
        let defaults = statement.all("default");
        draft.defaults = defaults.map(|it| (it.arg().into(), scope.module)).collect();
        let kind = match &*statement.keyword {
            "container" => Kind::Container {
                presence: statement.find("presence").is_some(),
            },
            "list" => {
                draft.keys = statement.text("key").map(Into::into);
                draft.unique = statement.all("unique").map(|it| it.arg().into()).collect();
                Kind::List(self.list_kind(statement, scope)?)
            }
            "leaf" | "leaf-list" => self.leaf(statement, scope, mandatory, &mut draft)?,
            "choice" => Kind::Choice {
                default: None,
                mandatory,
            },
            "case" => Kind::Case,
            "anydata" | "anyxml" => Kind::Anydata {
                mandatory,
                is_xml: statement.is("anyxml"),
            },
            "rpc" => Kind::Rpc,
            "action" => Kind::Action,
            "input" => Kind::Input,
            "output" => Kind::Output,
            "notification" => Kind::Notification,
            other => return Err(self.fail(scope, statement, format!("{other}: not a node"))),
        };
        Ok((kind, draft))
    }

    fn leaf(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        mandatory: bool,
        draft: &mut Draft,
    ) -> Result<Kind, SchemaError> {
        let ty = statement
            .find("type")
            .ok_or_else(|| self.fail(scope, statement, "type is missing"))?;
        let compiled = self.compile_type(ty, scope, 0)?;
        draft.type_default = compiled.default;
        let units = statement.text("units").map(Into::into).or(compiled.units);
        if statement.is("leaf") {
            if draft.defaults.len() > 1 || mandatory && !draft.defaults.is_empty() {
                return Err(self.fail(
                    scope,
                    statement,
                    "one default at most, and none if mandatory",
                ));
            }
            return Ok(Kind::Leaf {
                ty: compiled.ty,
                default: None,
                mandatory,
                units,
            });
        }
        let (user_ordered, min, max) = self.elements(statement, scope)?;
        Ok(Kind::LeafList {
            ty: compiled.ty,
            defaults: Vec::new(),
            user_ordered,
            min,
            max,
            units,
        })
    }

    /// Whether users order elements, and how many there are at least and at most.
    pub(super) fn elements(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<(bool, u64, Option<u64>), SchemaError> {
        let user_ordered = match statement.text("ordered-by") {
            None | Some("system") => false,
            Some("user") => true,
            Some(other) => {
                return Err(self.fail(scope, statement, format!("ordered-by {other}")));
            }
        };
        let min = self.number(statement, "min-elements", scope)?.unwrap_or(0);
        let max = match statement.text("max-elements") {
            Some("unbounded") | None => None,
            Some(_) => self.number(statement, "max-elements", scope)?,
        };
        if max.is_some_and(|max| max < min || max == 0) {
            return Err(self.fail(scope, statement, "max-elements below min-elements, or 0"));
        }
        Ok((user_ordered, min, max))
    }

    /// `true` or `false` of a substatement.
    pub(super) fn flag(
        &self,
        statement: &Statement,
        keyword: &str,
        scope: &Scope<'a>,
    ) -> Result<Option<bool>, SchemaError> {
        let child = statement.find(keyword);
        child.map(|child| self.boolean(child, scope)).transpose()
    }
}
