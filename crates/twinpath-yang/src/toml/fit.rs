//! Values of TOML as values of types.

use ::toml::de::{DeInteger, DeValue};

use crate::schema::{Base, Schema, Type};
use crate::value::{
    Decimal, Names, Restriction, Unfit, Value, check, fit_integer, fit_union, shorten,
};

/// The value of a type, or what to write instead.
pub(super) fn value(
    schema: &Schema,
    ty: &Type,
    given: &DeValue<'_>,
    names: &Names<'_>,
) -> Result<Value, Unfit> {
    let own = schema.value_type(ty);
    let strict = match fit(schema, own, given, names, false) {
        Ok(value) => return Ok(value),
        Err(restriction) => restriction,
    };
    let restriction = match fit(schema, own, given, names, true) {
        Ok(value) => return Ok(value),
        Err(restriction) => restriction.or(strict),
    };
    if let Some(unfit) = unquoted(own, given) {
        return Err(unfit);
    }
    if let Some(what) = misquoted(schema, own, given, restriction.as_ref()) {
        return Err(Unfit {
            what,
            app_tag: None,
        });
    }
    Err(match shown(given) {
        Some(shown) => schema.unfit(own, &shown, restriction),
        None => Unfit {
            what: format!("write {}, not {}", schema.expected(own), noun(given)),
            app_tag: None,
        },
    })
}

/// The value of a type. `is_lenient`: numbers and dates are taken as text too.
fn fit(
    schema: &Schema,
    ty: &Type,
    given: &DeValue<'_>,
    names: &Names<'_>,
    is_lenient: bool,
) -> Result<Value, Option<Restriction>> {
    let as_text = || {
        let text = shown(given).filter(|_| is_lenient).ok_or(None)?;
        schema.fit(ty, &text, names)
    };
    match (&ty.base, given) {
        (Base::LeafRef(_), _) => fit(schema, schema.value_type(ty), given, names, is_lenient),
        (Base::Union(members), _) => fit_union(members, |member| {
            fit(schema, member, given, names, is_lenient)
        }),
        (Base::Int(int, ranges), DeValue::Integer(number)) => {
            let number = integer(number).filter(|number| !is_over(*number));
            fit_integer(*int, ranges, number.ok_or(None)?)
        }
        (Base::Int(int, ranges), DeValue::String(text)) => {
            let number = text.parse().ok().filter(|number| is_over(*number));
            fit_integer(*int, ranges, number.ok_or(None)?)
        }
        (Base::Decimal { digits, ranges }, DeValue::Integer(_) | DeValue::Float(_)) => {
            let text = shown(given);
            let number = text.and_then(|text| Decimal::parse_float(&text, *digits));
            let number = number.ok_or(None)?;
            check(ranges, number.scaled.into())?;
            Ok(Value::Decimal(number))
        }
        (Base::Boolean, DeValue::Boolean(is)) => Ok(Value::Bool(*is)),
        (Base::Empty, DeValue::Boolean(true)) => Ok(Value::Empty),
        (Base::Bits(_), DeValue::Array(words)) => {
            let words = words.iter().map(|word| word.get_ref().as_str());
            let words = words.collect::<Option<Vec<_>>>().ok_or(None)?;
            schema.fit(ty, &words.join(" "), names)
        }
        (Base::Int(..) | Base::Decimal { .. } | Base::Boolean | Base::Empty, _)
        | (_, DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_)) => Err(None),
        (_, DeValue::String(text)) => schema.fit(ty, text, names),
        (_, DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_)) => as_text(),
    }
}

/// Whether a number is over what all programs have as an integer of TOML: it is written in quotes.
pub(super) fn is_over(number: i128) -> bool {
    number > i128::from(i64::MAX)
}

/// What to write instead of a number that is too large for TOML, where the type has it.
fn unquoted(own: &Type, given: &DeValue<'_>) -> Option<Unfit> {
    let (Base::Int(int, ranges), DeValue::Integer(number)) = (&own.base, given) else {
        return None;
    };
    let number = integer(number).filter(|number| is_over(*number))?;
    fit_integer(*int, ranges, number).ok()?;
    Some(Unfit {
        what: format!(
            "write \"{number}\", in quotes: integers of TOML end at {}",
            i64::MAX
        ),
        app_tag: None,
    })
}

pub(super) fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}

/// The text of a value, as it is written without quotes.
fn shown(given: &DeValue<'_>) -> Option<String> {
    Some(match given {
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', ""),
        DeValue::Integer(number) => integer(number)?.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => return None,
    })
}

pub(super) fn noun(given: &DeValue<'_>) -> &'static str {
    match given {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// What to say where only quotes are too many or missing.
fn misquoted(
    schema: &Schema,
    ty: &Type,
    given: &DeValue<'_>,
    restriction: Option<&Restriction>,
) -> Option<String> {
    let expected = schema.expected(ty);
    let shown = shorten(&shown(given)?);
    match (&ty.base, given) {
        (Base::Empty, DeValue::Boolean(false)) => Some("write true, or leave it out".to_owned()),
        (Base::Empty, _) => Some(format!("write true, not {shown}")),
        (Base::Int(..) | Base::Decimal { .. } | Base::Boolean, DeValue::String(_)) => Some(
            format!("{shown} in quotes: write {expected}, without quotes"),
        ),
        (Base::String { .. } | Base::Enumeration(_) | Base::Bits(_), DeValue::Boolean(_))
            if restriction.is_none() =>
        {
            Some(format!(
                "{shown} without quotes: write {expected}, in quotes"
            ))
        }
        _ => None,
    }
}
