//! What enumerations, bits, identityrefs and decimals consist of.

use super::super::build::{Builder, Scope};
use super::super::{Bit, EnumValue, IdentityId, SchemaError};
use crate::statement::Statement;

impl<'a> Builder<'a> {
    /// Words and numbers of an enumeration (RFC 7950 section 9.6.4), or of those of `base` that a statement leaves.
    pub(super) fn enum_values(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        base: Option<&[EnumValue]>,
    ) -> Result<Vec<EnumValue>, SchemaError> {
        let mut values: Vec<EnumValue> = Vec::new();
        let mut highest: Option<i32> = None;
        for child in statement.all("enum") {
            let given = self.number::<i32>(child, "value", scope)?;
            let inherited = self.inherited(base, child, scope, |it| (&*it.name, it.value))?;
            let value = match (inherited, given) {
                (Some(value), Some(given)) if value == given => value,
                (Some(_), Some(_)) => return Err(self.fail(scope, child, "another value")),
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => match highest {
                    None => 0,
                    Some(highest) => highest
                        .checked_add(1)
                        .ok_or_else(|| self.fail(scope, child, "a value is needed"))?,
                },
            };
            highest = Some(highest.map_or(value, |highest| highest.max(value)));
            if !self.is_supported(child, scope)? {
                continue;
            }
            if values
                .iter()
                .any(|it| &*it.name == child.arg() || it.value == value)
            {
                return Err(self.fail(scope, child, "the same name or value twice"));
            }
            values.push(EnumValue {
                name: child.arg().into(),
                value,
            });
        }
        if values.is_empty() {
            return Err(self.fail(scope, statement, "an enumeration without words"));
        }
        Ok(values)
    }

    /// Words and positions of bits (RFC 7950 section 9.7.4), in the order of positions.
    pub(super) fn bits(
        &self,
        statement: &'a Statement,
        scope: &Scope<'a>,
        base: Option<&[Bit]>,
    ) -> Result<Vec<Bit>, SchemaError> {
        let mut bits: Vec<Bit> = Vec::new();
        let mut highest: Option<u32> = None;
        for child in statement.all("bit") {
            let given = self.number::<u32>(child, "position", scope)?;
            let inherited = self.inherited(base, child, scope, |it| (&*it.name, it.position))?;
            let position = match (inherited, given) {
                (Some(position), Some(given)) if position == given => position,
                (Some(_), Some(_)) => return Err(self.fail(scope, child, "another position")),
                (Some(position), None) | (None, Some(position)) => position,
                (None, None) => match highest {
                    None => 0,
                    Some(highest) => highest
                        .checked_add(1)
                        .ok_or_else(|| self.fail(scope, child, "a position is needed"))?,
                },
            };
            highest = Some(highest.map_or(position, |highest| highest.max(position)));
            if !self.is_supported(child, scope)? {
                continue;
            }
            if bits
                .iter()
                .any(|it| &*it.name == child.arg() || it.position == position)
            {
                return Err(self.fail(scope, child, "the same name or position twice"));
            }
            bits.push(Bit {
                name: child.arg().into(),
                position,
            });
        }
        if bits.is_empty() {
            return Err(self.fail(scope, statement, "bits without words"));
        }
        bits.sort_by_key(|bit| bit.position);
        Ok(bits)
    }

    /// The number that a word has in the type that is restricted.
    fn inherited<M, N>(
        &self,
        base: Option<&[M]>,
        child: &Statement,
        scope: &Scope<'a>,
        parts: impl Fn(&M) -> (&str, N),
    ) -> Result<Option<N>, SchemaError> {
        let Some(base) = base else {
            return Ok(None);
        };
        let mut parts = base.iter().map(parts);
        let number = parts.find(|(name, _)| *name == child.arg());
        let what = || format!("{}: not in the type that it restricts", child.arg());
        let (_, number) = number.ok_or_else(|| self.fail(scope, child, what()))?;
        Ok(Some(number))
    }

    /// The number that a substatement says.
    pub(in crate::schema) fn number<N: std::str::FromStr>(
        &self,
        statement: &Statement,
        keyword: &str,
        scope: &Scope<'a>,
    ) -> Result<Option<N>, SchemaError> {
        let Some(child) = statement.find(keyword) else {
            return Ok(None);
        };
        match child.arg().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.fail(scope, child, format!("{keyword} {}", child.arg()))),
        }
    }

    pub(super) fn fraction_digits(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<u8, SchemaError> {
        match self.number(statement, "fraction-digits", scope)? {
            Some(digits @ 1..=18) => Ok(digits),
            Some(_) | None => {
                Err(self.fail(scope, statement, "fraction-digits from 1 to 18 are needed"))
            }
        }
    }

    pub(super) fn identity_bases(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<Vec<IdentityId>, SchemaError> {
        let bases = statement.all("base").map(|base| {
            self.find_identity(base.arg(), scope.module)
                .ok_or_else(|| self.fail(scope, base, format!("{}: unknown identity", base.arg())))
        });
        let bases = bases.collect::<Result<Vec<_>, _>>()?;
        if bases.is_empty() {
            return Err(self.fail(scope, statement, "an identityref without its base"));
        }
        Ok(bases)
    }

    /// `true` or `false`.
    pub(in crate::schema) fn boolean(
        &self,
        statement: &Statement,
        scope: &Scope<'a>,
    ) -> Result<bool, SchemaError> {
        match statement.arg() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => {
                let what = format!("{} {other}: use true or false", statement.keyword);
                Err(self.fail(scope, statement, what))
            }
        }
    }
}
