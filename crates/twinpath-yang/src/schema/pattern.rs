//! Patterns: regular expressions of XML Schema, which match a whole value (RFC 7950 section 9.4.5).

use regex::Regex;

/// A pattern of a string type.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it is written.
    pub text: Box<str>,
    /// Whether values must not match.
    pub is_inverted: bool,
    /// Message that the module gives for it.
    pub message: Option<Box<str>>,
    /// Value of `error-app-tag`.
    pub app_tag: Option<Box<str>>,
    regex: Regex,
}

impl Pattern {
    pub(super) fn new(text: &str, is_inverted: bool) -> Result<Self, String> {
        let translated = translate(text).map_err(|what| format!("pattern {text}: {what}"))?;
        let regex = Regex::new(&format!(r"\A(?:{translated})\z"))
            .map_err(|error| format!("pattern {text}: {}", last_line(&error.to_string())))?;
        Ok(Self {
            text: text.into(),
            is_inverted,
            message: None,
            app_tag: None,
            regex,
        })
    }

    /// Whether a value is allowed.
    pub fn allows(&self, value: &str) -> bool {
        self.regex.is_match(value) != self.is_inverted
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default().trim()
}

/// In the syntax of the crate `regex`.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    // Depth of `[`: a class may subtract another one.
    let mut classes = 0_usize;
    let mut begins = false;
    while let Some(c) = chars.next() {
        let begin = std::mem::take(&mut begins);
        match c {
            '\\' => out.push_str(&escape(chars.next(), &mut chars)?),
            '[' if classes == 0 => {
                classes = 1;
                out.push('[');
                begins = true;
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            // Subtraction: `[a-z-[aeiou]]`.
            '-' if classes > 0 && chars.peek() == Some(&'[') => {
                chars.next();
                classes += 1;
                out.push_str("--[");
                begins = true;
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' if classes > 0 => {
                classes -= 1;
                out.push(']');
            }
            '-' if classes > 0 && (begin || chars.peek() == Some(&']')) => out.push_str(r"\-"),
            '-' if classes > 0 => out.push('-'),
            c if classes > 0 => push_literal(&mut out, c),
            '.' => out.push_str(r"[^\n\r]"),
            '(' if chars.peek() == Some(&'?') => return Err("(? is not supported".to_owned()),
            '^' | '$' | ']' => push_literal(&mut out, c),
            '{' => {
                let count: String = chars.by_ref().take_while(|c| *c != '}').collect();
                if !count.chars().all(|c| c.is_ascii_digit() || c == ',') {
                    return Err(format!("{{{count}}} is not a count"));
                }
                out.extend(['{', '}']);
                out.insert_str(out.len() - 1, &count);
                not_twice(chars.peek())?;
            }
            '*' | '+' | '?' => {
                out.push(c);
                not_twice(chars.peek())?;
            }
            '(' | ')' | '|' => out.push(c),
            c => push_literal(&mut out, c),
        }
    }
    Ok(out)
}

/// Quantifiers after quantifiers would be lazy ones, which XML Schema does not have.
fn not_twice(next: Option<&char>) -> Result<(), String> {
    match next {
        Some('*' | '+' | '?' | '{') => Err("a quantifier after a quantifier".to_owned()),
        _ => Ok(()),
    }
}

fn push_literal(out: &mut String, c: char) {
    // `\<` and `\>` would be edges of words.
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}

fn escape(
    c: Option<char>,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<String, String> {
    let c = c.ok_or("it ends with \\")?;
    Ok(match c {
        'n' => r"\n".to_owned(),
        'r' => r"\r".to_owned(),
        't' => r"\t".to_owned(),
        'd' => r"\p{Nd}".to_owned(),
        'D' => r"\P{Nd}".to_owned(),
        's' => r"[ \t\n\r]".to_owned(),
        'S' => r"[^ \t\n\r]".to_owned(),
        'w' => r"[^\p{P}\p{Z}\p{C}]".to_owned(),
        'W' => r"[\p{P}\p{Z}\p{C}]".to_owned(),
        // Name characters of XML, as far as categories describe them.
        'i' => r"[\p{L}_:]".to_owned(),
        'I' => r"[^\p{L}_:]".to_owned(),
        'c' => r"[\p{L}\p{Nd}._:\-]".to_owned(),
        'C' => r"[^\p{L}\p{Nd}._:\-]".to_owned(),
        'p' | 'P' => {
            if chars.next() != Some('{') {
                return Err(format!("\\{c} without its category"));
            }
            let category: String = chars.by_ref().take_while(|c| *c != '}').collect();
            if category.starts_with("Is") || category.is_empty() {
                return Err(format!("\\{c}{{{category}}} is not supported"));
            }
            format!("\\{c}{{{category}}}")
        }
        c if c.is_ascii_punctuation() => {
            let mut out = String::new();
            push_literal(&mut out, c);
            out
        }
        c => return Err(format!("\\{c} is not an escape")),
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn allows(pattern: &str, value: &str) -> bool {
        Pattern::new(pattern, false).unwrap().allows(value)
    }

    /// The last two: RFC 7950 section 9.4.7.
    #[test]
    fn patterns_match_whole_values() {
        for (pattern, value, is_allowed) in [
            ("a", "ba", false),
            ("a|b", "ab", false),
            ("[0-9a-fA-F]*", "DEAD", true),
            ("[0-9a-fA-F]*", "x", false),
            (".", "\n", false),
            ("^a$", "^a$", true),
            ("[a-z-[aeiou]]+", "xyz", true),
            ("[a-z-[aeiou]]+", "xyze", false),
            (r"[\w-]+", "a-b_c", false),
            (r"[\w\-_]+", "a-b_c", true),
            (r"\d{2}", "12", true),
            (r"[^\*].*", "*", false),
            (r"[^\*].*", "a*", true),
            (r"\p{L}+", "häuser", true),
            ("[a&&b]", "&", true),
            ("[a-]+", "-a", true),
            (
                r"((:|[0-9a-fA-F]{0,4}):)([0-9a-fA-F]{0,4}:){0,5}.*",
                "::1",
                true,
            ),
            ("[a-zA-Z_][a-zA-Z0-9\\-_.]*", "enabled", true),
            ("[xX][mM][lL].*", "enabled", false),
        ] {
            assert_eq!(allows(pattern, value), is_allowed, "{pattern} {value}");
        }
        assert!(
            !Pattern::new("[xX][mM][lL].*", true)
                .unwrap()
                .allows("xml-element")
        );
    }

    #[test]
    fn what_xml_schema_does_not_have_is_refused() {
        for wrong in [
            "(?i)a",
            "a*?",
            r"\bx",
            r"\p{IsGreek}",
            "[a",
            "a{2,1}",
            "a{b}",
            "\\",
        ] {
            assert!(Pattern::new(wrong, false).is_err(), "{wrong}");
        }
    }
}
