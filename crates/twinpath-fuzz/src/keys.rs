//! A file of keys (`--keys`, `--hmac-key-file`) as any octets.

use std::fmt::Display;

use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::keys::{KeyFile as _, KeyRing, MOST_PASSPHRASE_OCTETS};

/// Keys in a file at most.
const MOST_KEYS: usize = 4_096;

pub(crate) fn keys(input: &[u8]) {
    let lines = input.split(|octet| *octet == b'\n').count();
    match StampKeys::parse(input) {
        Ok(keys) => assert!(keys.len() <= lines),
        Err((line, slip)) => quotes_nothing(input, line, &slip),
    }
    match KeyRing::parse(input) {
        Ok(ring) => {
            assert!(ring.len() <= MOST_KEYS.min(lines));
            for key in &ring {
                let id = key.id.as_str();
                assert!(!id.is_empty() && id.len() <= 80, "{id:?}");
                assert!(
                    !id.contains(char::is_control) && !id.contains(' '),
                    "{id:?}"
                );
                let found = ring.find(&key.id).expect("a key that is there");
                assert!(found.passphrase == key.passphrase, "{id:?} twice");
            }
            assert_eq!(ring.only().is_some(), ring.len() == 1);
        }
        Err((line, slip)) => quotes_nothing(input, line, &slip),
    }
}

/// What is said of a line of the input is short, and not what is in it.
fn quotes_nothing(input: &[u8], line: usize, slip: &impl Display) {
    let lines = input.split(|octet| *octet == b'\n').count();
    assert!((1..=lines).contains(&line), "line {line} of {lines}");
    let told = slip.to_string();
    assert!(!told.is_empty() && told.len() < 200, "{told}");
    // A short line may say the same by chance, and one of words what the message says.
    let secret = input.split(|octet| *octet == b'\n').nth(line - 1);
    let secret = secret.unwrap_or_default();
    let long = (16..=MOST_PASSPHRASE_OCTETS).contains(&secret.len());
    let words = secret
        .iter()
        .all(|octet| octet.is_ascii_alphanumeric() || b" -,.:;()".contains(octet));
    let quoted = long
        && !words
        && told
            .as_bytes()
            .windows(secret.len())
            .any(|part| part == secret);
    assert!(!quoted, "a line is quoted");
}
