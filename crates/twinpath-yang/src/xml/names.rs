//! Characters and names of XML 1.0.

/// Whether XML 1.0 can have a character (its production `Char`).
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn is_name_start(c: char) -> bool {
    c == '_'
        || c.is_ascii_alphabetic()
        || matches!(c,
            '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
            | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
            | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || c.is_ascii_digit()
        || matches!(c, '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether a text is a name without a colon (`NCName` of Namespaces in XML 1.0).
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// A text as a name: what a name cannot have is `_`.
pub(super) fn as_name(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| if is_name_char(c) { c } else { '_' })
        .collect();
    if !is_name(&name) {
        name.insert(0, '_');
    }
    name
}

/// An XPath with other prefixes. `rename` has the new one, or `None` to keep it; it is asked for each.
pub(super) fn with_prefixes(xpath: &str, mut rename: impl FnMut(&str) -> Option<String>) -> String {
    let mut renamed = String::with_capacity(xpath.len());
    let mut left = xpath;
    while let Some(first) = left.chars().next() {
        let end = if first == '\'' || first == '"' {
            let inner = left.get(1..).unwrap_or_default();
            inner.find(first).map_or(left.len(), |at| at + 2)
        } else if is_name_start(first) {
            left.find(|c| !is_name_char(c)).unwrap_or(left.len())
        } else {
            first.len_utf8()
        };
        let (token, rest) = left.split_at_checked(end).unwrap_or((left, ""));
        let is_prefix = is_name_start(first) && rest.starts_with(':') && !rest.starts_with("::");
        match is_prefix.then(|| rename(token)).flatten() {
            Some(prefix) => renamed.push_str(&prefix),
            None => renamed.push_str(token),
        }
        left = rest;
    }
    renamed
}
