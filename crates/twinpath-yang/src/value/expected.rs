//! What a type allows, in words for messages.

use crate::schema::{Base, Ranges, Schema, Type};
use crate::value::Decimal;

/// Words that a message lists, at most.
const MAX_WORDS: usize = 20;
/// Typedefs of RFC 6991 whose patterns say little to a reader.
const KNOWN: [(&str, &str); 7] = [
    (
        "date-and-time",
        "a date and time such as 2026-01-31T12:00:00Z",
    ),
    ("domain-name", "a domain name"),
    ("host", "a host name or an IP address"),
    ("ip-address", "an IP address"),
    ("ip-prefix", "an IP prefix such as 192.0.2.0/24"),
    ("ipv4-address", "an IPv4 address"),
    ("ipv6-address", "an IPv6 address"),
];

impl Schema {
    /// What a type allows: `an integer from 1 to 10`, `on or off`.
    pub fn expected(&self, ty: &Type) -> String {
        let known = ty.typedefs.iter().find_map(|typedef| {
            let module = &*self.module(typedef.module).name;
            let is_known = matches!(module, "ietf-inet-types" | "ietf-yang-types");
            let mut known = KNOWN.iter().filter(|_| is_known);
            known.find(|(name, _)| *name == &*typedef.name)
        });
        if let Some((_, words)) = known {
            return (*words).to_owned();
        }
        match &ty.base {
            Base::Int(int, ranges) if int.is_64_bits() => integer(int.limits(), ranges),
            Base::Int(_, ranges) => format!("an integer {}", spans(ranges, None)),
            Base::Decimal { digits, ranges } => {
                let point = format!("with up to {digits} digits after the point");
                match ranges.parts.as_slice() {
                    [(first, last)]
                        if *first == i128::from(i64::MIN) && *last == i128::from(i64::MAX) =>
                    {
                        format!("a number {point}")
                    }
                    _ => format!("a number {}, {point}", spans(ranges, Some(*digits))),
                }
            }
            Base::String { lengths, patterns } => {
                let length = count(lengths, "characters");
                let mut wanted = patterns.iter().filter(|pattern| !pattern.is_inverted);
                let words = wanted
                    .clone()
                    .find_map(|pattern| pattern.message.as_deref());
                match (words, wanted.next(), patterns.first()) {
                    (Some(words), _, _) => words.strip_prefix("write ").unwrap_or(words).to_owned(),
                    (None, Some(pattern), _) => {
                        format!("text{length} that matches {}", pattern.text)
                    }
                    (None, None, Some(pattern)) if ty.typedefs.is_empty() => {
                        format!("text{length} that does not match {}", pattern.text)
                    }
                    (None, None, _) => format!("text{length}"),
                }
            }
            Base::Binary(lengths) => format!("base64{}", count(lengths, "octets")),
            Base::Boolean => "true or false".to_owned(),
            Base::Empty => "no value".to_owned(),
            Base::Enumeration(values) => either(values.iter().map(|value| value.name.to_string())),
            Base::Bits(bits) => {
                let words = either(bits.iter().map(|bit| bit.name.to_string()));
                format!("any of {words}, with blanks between them")
            }
            Base::IdentityRef(bases) => {
                let all = self.identities();
                let derived =
                    all.filter(|(id, _)| bases.iter().all(|base| self.is_derived(*id, *base)));
                either(derived.map(|(_, it)| it.name.to_string()))
            }
            Base::LeafRef(_) => self.expected(self.value_type(ty)),
            Base::InstanceIdentifier { .. } => "the path of a node: /module:node/node".to_owned(),
            Base::Union(members) => {
                let mut all: Vec<String> =
                    members.iter().map(|member| self.expected(member)).collect();
                all.dedup();
                all.join(", or ")
            }
        }
    }
}

/// Of 64 bits: their bounds say little to a reader.
fn integer((lowest, highest): (i128, i128), ranges: &Ranges) -> String {
    match ranges.parts.as_slice() {
        [(first, last)] if *last == highest && *first == lowest && lowest < 0 => {
            "an integer".to_owned()
        }
        [(first, last)] if *last == highest => format!("an integer of {first} or more"),
        _ => format!("an integer {}", spans(ranges, None)),
    }
}

fn spans(ranges: &Ranges, digits: Option<u8>) -> String {
    let number = |number: i128| match digits {
        Some(digits) => {
            let scaled = i64::try_from(number).unwrap_or_default();
            Decimal { scaled, digits }.to_string()
        }
        None => number.to_string(),
    };
    let parts = ranges.parts.iter().map(|(first, last)| {
        if first == last {
            number(*first)
        } else {
            format!("from {} to {}", number(*first), number(*last))
        }
    });
    parts.collect::<Vec<_>>().join(" or ")
}

fn count(lengths: &Ranges, of: &str) -> String {
    let parts = lengths
        .parts
        .iter()
        .map(|(first, last)| match (*first, *last) {
            (0, last) if last == i128::from(u64::MAX) => String::new(),
            (first, last) if last == i128::from(u64::MAX) => format!(" of {first} {of} or more"),
            (first, last) if first == last => format!(" of {first} {of}"),
            (first, last) => format!(" of {first} to {last} {of}"),
        });
    parts.collect::<Vec<_>>().join(" or")
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn either(words: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = words.take(MAX_WORDS + 1).collect();
    if all.len() > MAX_WORDS {
        all.truncate(MAX_WORDS);
        return format!("{} or others", all.join(", "));
    }
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => format!("{} or {last}", all.join(", ")),
        (None, _) => String::new(),
    }
}
