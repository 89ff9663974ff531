//! Which sessions an alert, a maintenance window or a report is for: a name, a pattern, or `label=value`.

use std::collections::BTreeMap;

/// Sessions by their name or by a label; `*` in it is any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector(String);

impl Selector {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether it selects the session of this name with these labels.
    pub(crate) fn selects(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let labelled = self.0.split_once('=');
        labelled.is_some_and(|(label, pattern)| {
            labels
                .get(label)
                .is_some_and(|value| matches(pattern, value))
        }) || matches(&self.0, name)
    }
}

/// Whether a text is like a pattern, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        // The first place leaves the most for what follows.
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("*", "fra", true),
            ("fra", "fra", true),
            ("fra", "fra1", false),
            ("fra*", "fra1", true),
            ("fra*", "muc", false),
            ("*1", "fra1", true),
            ("*1", "fra12", false),
            ("f*a*1", "fra-a1", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("**", "x", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn labels_select_sessions() {
        let labels = BTreeMap::from([("site".to_owned(), "fra1".to_owned())]);
        for (selector, is) in [
            ("site=fra1", true),
            ("site=fra*", true),
            ("site=muc", false),
            ("pop=fra1", false),
            ("a", true),
            ("b", false),
        ] {
            assert_eq!(
                Selector::new(selector).selects("a", &labels),
                is,
                "{selector}"
            );
        }
        assert!(Selector::new("x=*").selects("x=1", &BTreeMap::new()));
    }
}
