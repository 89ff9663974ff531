//! Placeholders in arguments: `{alert}`, `{session}`. Other braces stay as they are.

use super::Facts;

/// What a placeholder stands for.
type Field = fn(&Facts) -> String;

const FIELDS: [(&str, Field); 12] = [
    ("alert", |facts| facts.alert.clone()),
    ("state", |facts| facts.state.to_owned()),
    ("session", |facts| facts.session.clone()),
    ("class", |facts| facts.class.clone()),
    ("path", |facts| {
        facts.path.map(|path| path.to_string()).unwrap_or_default()
    }),
    ("when", |facts| facts.when.clone()),
    ("since", |facts| facts.since.clone()),
    ("at", |facts| facts.at.clone()),
    ("value", |facts| facts.value.clone()),
    ("evidence", |facts| {
        // Memory takes it, and all keys are strings.
        serde_json::to_string(&facts.evidence).unwrap_or_default()
    }),
    ("host", |facts| facts.host.clone()),
    ("url", |facts| facts.url.clone()),
];

/// A piece of a text.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    /// The name between braces.
    Name(&'a str),
}

/// Text and names, in their order.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let (first, rest) = text.split_at(text.find('{').unwrap_or(text.len()));
    let parts = rest.split('{').skip(1);
    let behind = parts.flat_map(|part| {
        let name = part.split_once('}').filter(|(name, _)| is_name(name));
        match name {
            Some((name, text)) => [Piece::Name(name), Piece::Text(text)],
            None => [Piece::Text("{"), Piece::Text(part)],
        }
    });
    [Piece::Text(first)].into_iter().chain(behind)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_lowercase())
}

fn field(name: &str) -> Option<Field> {
    let mut fields = FIELDS.iter();
    fields
        .find(|(known, _)| *known == name)
        .map(|(_, field)| *field)
}

/// Whether all placeholders of a text are known.
///
/// # Errors
/// One that is not.
pub(super) fn check(text: &str) -> Result<(), String> {
    for piece in pieces(text) {
        match piece {
            Piece::Name(name) if field(name).is_none() => {
                let names = FIELDS.map(|(name, _)| format!("{{{name}}}"));
                let line = format!("{{{name}}} is not known: use {}", names.join(" "));
                return Err(line);
            }
            Piece::Name(_) | Piece::Text(_) => {}
        }
    }
    Ok(())
}

/// The text with its placeholders filled in. What is filled in is not looked at again.
pub(super) fn filled(text: &str, facts: &Facts) -> String {
    let filled = pieces(text).map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Name(name) => match field(name) {
            Some(field) => field(facts),
            None => format!("{{{name}}}"),
        },
    });
    filled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_once() {
        let facts = Facts {
            schema: "",
            alert: "{session}".to_owned(),
            state: "raised",
            session: "$(a) {}".to_owned(),
            class: "ef".to_owned(),
            path: None,
            when: String::new(),
            since: String::new(),
            at: String::new(),
            value: "5 ms".to_owned(),
            evidence: Vec::new(),
            host: String::new(),
            url: String::new(),
            session_words: String::new(),
            values: Vec::new(),
            is_raised: true,
        };
        for (text, expected) in [
            ("", ""),
            ("{alert}", "{session}"),
            ("a{session}b", "a$(a) {}b"),
            ("{alert}{class}{path}.", "{session}ef."),
            ("{\"a\":\"{state}\"}", "{\"a\":\"raised\"}"),
            ("{{value}}", "{5 ms}"),
            ("{ alert }", "{ alert }"),
            ("{alert", "{alert"),
            ("}{", "}{"),
            ("{evidence}", "[]"),
        ] {
            assert_eq!(filled(text, &facts), expected, "{text}");
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let error = check("{alert} {name}").unwrap_err();
        assert!(
            error.starts_with("{name} is not known: use {alert} {state}"),
            "{error}"
        );
    }
}
