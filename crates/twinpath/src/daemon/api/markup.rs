//! Pieces of pages and of the addresses that they lead to.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a part of an address (RFC 3986 section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A part of an address as text; `+` is a blank, as forms have it.
pub(super) fn decoded(part: &str) -> String {
    let part = part.replace('+', " ");
    percent_decode_str(&part).decode_utf8_lossy().into_owned()
}

/// A part of a path as text.
pub(super) fn decoded_path(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// A query of these pairs, with `?` before it; nothing without a pair.
pub(super) fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        let between = if query.is_empty() { '?' } else { '&' };
        // Memory takes it.
        let _ = write!(query, "{between}{}={}", encoded(name), encoded(value));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_in_addresses() {
        let name = "fra core/1?x=y&z %é";
        assert_eq!(decoded(&encoded(name)), name);
        assert_eq!(encoded("a b/c"), "a%20b%2Fc");
        assert_eq!(decoded("a+b%zz"), "a b%zz");
        let pairs = [("site", "a b"), ("x", "1")];
        assert_eq!(query(pairs.into_iter()), "?site=a%20b&x=1");
        assert_eq!(query([].into_iter()), "");
    }
}
