//! Values from their text.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Decimal, Value};
use crate::schema::{Base, Bit, IdentityId, IntType, ModuleId, Pattern, Ranges, Schema, Type};
use crate::tree::Path;

/// Which names modules have in a text.
#[derive(Clone, Copy)]
pub enum Names<'a> {
    /// Module names, and none for the module of the leaf, as in JSON (RFC 7951 section 6.8).
    Modules(ModuleId),
    /// Prefixes of a module's text, as its defaults have; there integers may be octal or hexadecimal
    /// (RFC 7950 section 9.2.1).
    Prefixes(ModuleId),
    /// As a function says, for XML; `None` asks for names without prefix.
    Declared(&'a dyn Fn(Option<&str>) -> Option<ModuleId>),
    /// Module names, and none for any module that makes the name unambiguous, as people write.
    Short(ModuleId),
}

/// Why a text is not a value of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What was given, and what to write instead.
    pub what: String,
    /// `error-app-tag` of the restriction, where the module has one.
    pub app_tag: Option<Box<str>>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Schema {
    /// The value of a text.
    ///
    /// # Errors
    ///
    /// Why it does not fit, and what to write instead.
    pub fn parse(&self, ty: &Type, text: &str, names: &Names<'_>) -> Result<Value, Unfit> {
        self.fit(ty, text, names)
            .map_err(|restriction| self.unfit(ty, text, restriction))
    }

    /// What to say of a text that does not fit.
    pub(crate) fn unfit(&self, ty: &Type, text: &str, restriction: Option<Restriction>) -> Unfit {
        let shown = shorten(text);
        let restriction = restriction.unwrap_or_default();
        let what = match &restriction.message {
            Some(message) => format!("{shown}: {message}"),
            None => format!("{shown} is not allowed: use {}", self.expected(ty)),
        };
        Unfit {
            what,
            app_tag: restriction.app_tag,
        }
    }

    pub(crate) fn fit(
        &self,
        ty: &Type,
        text: &str,
        names: &Names<'_>,
    ) -> Result<Value, Option<Restriction>> {
        match &ty.base {
            Base::Int(int, ranges) => {
                let number = integer(text, matches!(names, Names::Prefixes(_))).ok_or(None)?;
                fit_integer(*int, ranges, number)
            }
            Base::Decimal { digits, ranges } => {
                let number = Decimal::parse(text, *digits).ok_or(None)?;
                check(ranges, number.scaled.into())?;
                Ok(Value::Decimal(number))
            }
            Base::String { lengths, patterns } => string(text, lengths, patterns),
            Base::Binary(lengths) => {
                let plain: String = text.split_ascii_whitespace().collect();
                let octets = STANDARD.decode(plain).map_err(|_| None)?;
                check(lengths, length(octets.len()))?;
                Ok(Value::Binary(octets.into()))
            }
            Base::Boolean => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(None),
            },
            Base::Empty if text.is_empty() => Ok(Value::Empty),
            Base::Empty => Err(None),
            Base::Enumeration(values) => {
                let value = values.iter().find(|value| &*value.name == text);
                let name = &value.ok_or(None)?.name;
                Ok(Value::Enum(Arc::clone(name)))
            }
            Base::Bits(bits) => words(text, bits).ok_or(None),
            Base::IdentityRef(bases) => self
                .identity_named(text, bases, names)
                .map(Value::Identity)
                .ok_or(None),
            Base::LeafRef(_) => self.fit(self.value_type(ty), text, names),
            Base::InstanceIdentifier { .. } => Path::parse_names(self, text, names)
                .map(Value::Instance)
                .map_err(|_| None),
            Base::Union(members) => fit_union(members, |member| self.fit(member, text, names)),
        }
    }

    /// The identity of a name, derived from all the bases.
    fn identity_named(
        &self,
        text: &str,
        bases: &[IdentityId],
        names: &Names<'_>,
    ) -> Option<IdentityId> {
        let (prefix, name) = match text.trim().split_once(':') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, text.trim()),
        };
        let module = names.module(self, prefix);
        let fits = |id: IdentityId| bases.iter().all(|base| self.is_derived(id, *base));
        let found: Vec<_> = self
            .identities()
            .filter(|(id, it)| &*it.name == name && fits(*id))
            .collect();
        let exact = found.iter().find(|(_, it)| Some(it.module) == module);
        match (exact, found.as_slice()) {
            (Some((id, _)), _) => Some(*id),
            (None, [(id, _)]) if prefix.is_none() && matches!(names, Names::Short(_)) => Some(*id),
            (None, _) => None,
        }
    }
}

impl Names<'_> {
    /// The module of a prefix, or of a name without one.
    pub(crate) fn module(&self, schema: &Schema, prefix: Option<&str>) -> Option<ModuleId> {
        match (self, prefix) {
            (Self::Modules(own) | Self::Short(own) | Self::Prefixes(own), None) => Some(*own),
            (Self::Modules(_) | Self::Short(_), Some(name)) => schema.module_named(name),
            (Self::Prefixes(own), Some(prefix)) => {
                let module = schema.module(*own);
                if *module.prefix == *prefix {
                    return Some(*own);
                }
                let mut imports = module.imports.iter();
                imports.find(|it| &*it.prefix == prefix).map(|it| it.module)
            }
            (Self::Declared(look_up), prefix) => look_up(prefix),
        }
    }
}

/// What a module says of a value that it does not allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restriction {
    pub(crate) message: Option<Box<str>>,
    pub(crate) app_tag: Option<Box<str>>,
}

pub(crate) fn check(ranges: &Ranges, number: i128) -> Result<(), Option<Restriction>> {
    if ranges.contain(number) {
        return Ok(());
    }
    Err(Some(Restriction {
        message: ranges.message.clone(),
        app_tag: ranges.app_tag.clone(),
    }))
}

fn length(of: usize) -> i128 {
    i128::try_from(of).unwrap_or(i128::MAX)
}

/// The first member that fits; else the restriction of the only one that has a message.
pub(crate) fn fit_union(
    members: &[Type],
    mut fit: impl FnMut(&Type) -> Result<Value, Option<Restriction>>,
) -> Result<Value, Option<Restriction>> {
    let mut said = None;
    for member in members {
        match fit(member) {
            Ok(value) => return Ok(value),
            Err(Some(restriction)) if restriction.message.is_some() => said = Some(restriction),
            Err(_) => {}
        }
    }
    Err(said)
}

pub(crate) fn fit_integer(
    int: IntType,
    ranges: &Ranges,
    number: i128,
) -> Result<Value, Option<Restriction>> {
    check(ranges, number)?;
    let value = if int.is_unsigned() {
        u64::try_from(number).map(Value::Uint)
    } else {
        i64::try_from(number).map(Value::Int)
    };
    value.map_err(|_| None)
}

fn string(
    text: &str,
    lengths: &Ranges,
    patterns: &[Pattern],
) -> Result<Value, Option<Restriction>> {
    check(lengths, length(text.chars().count()))?;
    if !text.chars().all(is_allowed) {
        return Err(Some(Restriction {
            message: Some("it has control characters or others that YANG does not allow".into()),
            app_tag: None,
        }));
    }
    if let Some(pattern) = patterns.iter().find(|pattern| !pattern.allows(text)) {
        return Err(Some(Restriction {
            message: pattern.message.clone(),
            app_tag: pattern.app_tag.clone(),
        }));
    }
    Ok(Value::String(text.into()))
}

/// Whether a string can have a character (RFC 7950 section 9.4).
fn is_allowed(c: char) -> bool {
    let is_control = c < ' ' && !matches!(c, '\t' | '\n' | '\r');
    let is_noncharacter = matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE;
    !is_control && !is_noncharacter
}

fn integer(text: &str, is_schema: bool) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty()
        || digits.len() > 64
        || !digits.bytes().all(|it| it.is_ascii_alphanumeric())
    {
        return None;
    }
    let (radix, digits) = match (digits.strip_prefix("0x"), digits.strip_prefix('0')) {
        (Some(digits), _) if is_schema => (16, digits),
        (None, Some(digits)) if is_schema && !digits.is_empty() => (8, digits),
        _ => (10, digits),
    };
    Some(sign * i128::from_str_radix(digits, radix).ok()?)
}

fn words(text: &str, bits: &[Bit]) -> Option<Value> {
    let mut set = vec![false; bits.len()];
    for word in text.split_ascii_whitespace() {
        let at = bits.iter().position(|bit| &*bit.name == word)?;
        let flag = set.get_mut(at)?;
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    let chosen = bits.iter().zip(set).filter(|(_, is_set)| *is_set);
    Some(Value::Bits(
        chosen.map(|(bit, _)| Arc::clone(&bit.name)).collect(),
    ))
}

/// What messages show of a text from outside.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    if shown.is_empty() || shown.chars().any(char::is_control) {
        shown = format!("{shown:?}");
    }
    shown
}
