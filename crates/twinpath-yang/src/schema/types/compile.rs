//! Types from their statements.

use super::super::build::{Builder, Scope};
use super::super::condition::DataPath;
use super::super::{
    Base, IntType, LeafRef, NodeId, Pattern, Ranges, SchemaError, Type, TypedefName,
};
use crate::schema::ModuleId;
use crate::statement::Statement;

/// Typedefs and unions within each other, at most.
const MAX_DEPTH: usize = 32;

/// A default as it is written, and the module whose prefixes it has.
pub(in crate::schema) type RawDefault = (Box<str>, ModuleId);

/// A type with what its typedefs say beside it.
pub(in crate::schema) struct Compiled {
    pub(in crate::schema) ty: Type,
    pub(in crate::schema) default: Option<RawDefault>,
    pub(in crate::schema) units: Option<Box<str>>,
}

impl<'a> Builder<'a> {
    /// The type of a statement `type`.
    pub(in crate::schema) fn compile_type(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        depth: usize,
    ) -> Result<Compiled, SchemaError> {
        if depth > MAX_DEPTH {
            return Err(self.fail(scope, statement, "typedefs that refer to each other"));
        }
        if let Some(base) = self.built_in(statement, scope, depth)? {
            return Ok(Compiled {
                ty: Type {
                    base,
                    typedefs: Vec::new(),
                },
                default: None,
                units: None,
            });
        }
        let (definition, at) = self.definition("typedef", statement, scope)?;
        let inner = definition
            .find("type")
            .ok_or_else(|| self.fail(&at, definition, "a typedef without its type"))?;
        let mut compiled = self.compile_type(inner, &at, depth + 1)?;
        self.restrict(&mut compiled.ty.base, statement, scope)?;
        let name = TypedefName {
            module: at.module,
            name: definition.arg().into(),
        };
        compiled.ty.typedefs.insert(0, name);
        if let Some(default) = definition.text("default") {
            compiled.default = Some((default.into(), at.module));
        }
        if let Some(units) = definition.text("units") {
            compiled.units = Some(units.into());
        }
        Ok(compiled)
    }

    fn built_in(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        depth: usize,
    ) -> Result<Option<Base>, SchemaError> {
        let whole = || Ranges::of(0, u64::MAX.into());
        let mut base = match statement.arg() {
            "decimal64" => Base::Decimal {
                digits: self.fraction_digits(statement, scope)?,
                ranges: Ranges::of(i64::MIN.into(), i64::MAX.into()),
            },
            "string" => Base::String {
                lengths: whole(),
                patterns: Vec::new(),
            },
            "binary" => Base::Binary(whole()),
            "boolean" => Base::Boolean,
            "empty" => Base::Empty,
            "enumeration" => Base::Enumeration(self.enum_values(statement, scope, None)?),
            "bits" => Base::Bits(self.bits(statement, scope, None)?),
            "identityref" => Base::IdentityRef(self.identity_bases(statement, scope)?),
            "leafref" => Base::LeafRef(self.leafref(statement, scope)?),
            "instance-identifier" => Base::InstanceIdentifier { is_required: true },
            "union" => Base::Union(self.union_members(statement, scope, depth)?),
            name => match IntType::named(name) {
                Some(int) => Base::Int(int, int.ranges()),
                None => return Ok(None),
            },
        };
        self.restrict_built_in(&mut base, statement, scope)?;
        Ok(Some(base))
    }

    /// Restrictions beyond those that a built-in type needs to be one.
    fn restrict_built_in(
        &self,
        base: &mut Base,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        let needed = match base {
            Base::Enumeration(_) => "enum",
            Base::Bits(_) => "bit",
            Base::IdentityRef(_) => "base",
            Base::Union(_) => "type",
            Base::Int(..)
            | Base::Decimal { .. }
            | Base::String { .. }
            | Base::Binary(_)
            | Base::Boolean
            | Base::Empty
            | Base::LeafRef(_)
            | Base::InstanceIdentifier { .. } => return self.restrict(base, statement, scope),
        };
        let mut children = statement.children.iter();
        match children.find(|child| child.prefix.is_none() && !child.is(needed)) {
            Some(child) => {
                let what = format!("{} on {}", child.keyword, statement.arg());
                Err(self.fail(scope, child, what))
            }
            None => Ok(()),
        }
    }

    fn restrict(
        &self,
        base: &mut Base,
        statement: &'a Statement,
        scope: &Scope<'a>,
    ) -> Result<(), SchemaError> {
        for child in statement.children.iter().filter(|it| it.prefix.is_none()) {
            match (&mut *base, &*child.keyword) {
                (Base::Int(_, ranges), "range") => {
                    *ranges = self.ranges(ranges, child, None, scope)?;
                }
                (Base::Decimal { digits, ranges }, "range") => {
                    *ranges = self.ranges(ranges, child, Some(*digits), scope)?;
                }
                (Base::String { lengths, .. } | Base::Binary(lengths), "length") => {
                    *lengths = self.ranges(lengths, child, None, scope)?;
                }
                (Base::String { patterns, .. }, "pattern") => {
                    patterns.push(self.pattern(child, scope)?);
                }
                (
                    Base::InstanceIdentifier { is_required }
                    | Base::LeafRef(LeafRef { is_required, .. }),
                    "require-instance",
                ) => {
                    *is_required = self.boolean(child, scope)?;
                }
                // A derived type may leave words out.
                (Base::Enumeration(of), "enum") => {
                    *of = self.enum_values(statement, scope, Some(of.as_slice()))?;
                    return Ok(());
                }
                (Base::Bits(of), "bit") => {
                    *of = self.bits(statement, scope, Some(of.as_slice()))?;
                    return Ok(());
                }
                (Base::Decimal { .. }, "fraction-digits") | (Base::LeafRef(_), "path")
                    if is_built_in(statement) => {}
                _ => {
                    let what = format!("{} on {}", child.keyword, statement.arg());
                    return Err(self.fail(scope, child, what));
                }
            }
        }
        Ok(())
    }

    fn ranges(
        &self,
        of: &Ranges,
        statement: &Statement,
        digits: Option<u8>,
        scope: &Scope<'a>,
    ) -> Result<Ranges, SchemaError> {
        let mut ranges = of
            .restrict(statement.arg(), digits)
            .map_err(|what| self.fail(scope, statement, what))?;
        ranges.message = statement.text("error-message").map(Into::into);
        ranges.app_tag = statement.text("error-app-tag").map(Into::into);
        Ok(ranges)
    }

    fn pattern(&self, statement: &Statement, scope: &Scope<'a>) -> Result<Pattern, SchemaError> {
        let is_inverted = match statement.text("modifier") {
            None => false,
            Some("invert-match") => true,
            Some(other) => return Err(self.fail(scope, statement, format!("modifier {other}"))),
        };
        let mut pattern = Pattern::new(statement.arg(), is_inverted)
            .map_err(|what| self.fail(scope, statement, what))?;
        pattern.message = statement.text("error-message").map(Into::into);
        pattern.app_tag = statement.text("error-app-tag").map(Into::into);
        Ok(pattern)
    }

    fn leafref(&self, statement: &Statement, scope: &Scope<'a>) -> Result<LeafRef, SchemaError> {
        let path = statement
            .find("path")
            .ok_or_else(|| self.fail(scope, statement, "a leafref without its path"))?;
        let resolve = |prefix: &str| self.prefix(scope.module, prefix);
        Ok(LeafRef {
            path: DataPath::parse(path.arg(), &resolve)
                .map_err(|what| self.fail(scope, path, what))?,
            // Found when all nodes are there.
            target: NodeId(u32::MAX),
            is_required: true,
        })
    }

    fn union_members(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        depth: usize,
    ) -> Result<Vec<Type>, SchemaError> {
        let members = statement.all("type").map(|member| {
            let compiled = self.compile_type(member, scope, depth + 1)?;
            Ok(compiled.ty)
        });
        let members = members.collect::<Result<Vec<_>, _>>()?;
        if members.is_empty() {
            return Err(self.fail(scope, statement, "a union without types"));
        }
        Ok(members)
    }
}

fn is_built_in(statement: &Statement) -> bool {
    matches!(statement.arg(), "decimal64" | "leafref")
}
