//! Files of secrets: `IDENTITY HEX` on each line. In a .pfs file the octets are a passphrase, in a .keys file of
//! older versions an AES key.

use std::collections::HashMap;

use twinpath_runtime::keys::{KeyFile, MOST_PASSPHRASE_OCTETS};
use zeroize::Zeroizing;

use super::MOST_STATEMENTS;

/// Octets of a Key-ID at most (RFC 4656 section 3.1).
const MOST_ID_OCTETS: usize = 80;

/// The passphrases of a .pfs file.
pub(crate) struct PassphraseStore(pub(super) Vec<StoredKey>);

/// A line of it.
pub(super) struct StoredKey {
    pub(super) line: usize,
    pub(super) id: String,
    /// Or why our file cannot have it.
    pub(super) passphrase: Result<Zeroizing<Vec<u8>>, &'static str>,
}

/// What is wrong with a line. It has nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreFault {
    /// The identity is not text.
    #[error("the identity is not UTF-8")]
    NotUtf8,
    /// It has one word.
    #[error("the identity has no passphrase")]
    NoPassphrase,
    /// It has a third word.
    #[error("more than an identity and a passphrase in hexadecimal digits")]
    TooMuch,
    /// Not an even number of hexadecimal digits.
    #[error("the passphrase is not octets in hexadecimal digits")]
    NotHex,
    /// The identity has a line already.
    #[error("the identity is already on line {0}")]
    Twice(usize),
    /// More lines than are read.
    #[error("more than {MOST_STATEMENTS} identities")]
    TooMany,
}

impl KeyFile for PassphraseStore {
    type Fault = StoreFault;
    const MOST_OCTETS: usize = 1 << 20;

    fn parse(text: &[u8]) -> Result<Self, (usize, StoreFault)> {
        let mut keys: Vec<StoredKey> = Vec::new();
        let mut seen = HashMap::new();
        for (line, words) in entries(text) {
            let fault = |fault| (line, fault);
            let (id, digits) = pair(words).map_err(fault)?;
            let octets = hex(digits).ok_or((line, StoreFault::NotHex))?;
            if let Some(first) = seen.insert(id.to_owned(), line) {
                return Err(fault(StoreFault::Twice(first)));
            }
            if keys.len() == MOST_STATEMENTS {
                return Err(fault(StoreFault::TooMany));
            }
            let passphrase = unwritable(id, &octets).map_or(Ok(octets), Err);
            keys.push(StoredKey {
                line,
                id: id.to_owned(),
                passphrase,
            });
        }
        Ok(Self(keys))
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

/// The identities of a file of AES keys, with their lines. The keys are not looked at.
pub(crate) fn aes_keys(text: &[u8]) -> Vec<(usize, String)> {
    let named = |(line, words): (usize, &[u8])| {
        let id = words.split(u8::is_ascii_whitespace).next()?;
        Some((line, String::from_utf8_lossy(id).into_owned()))
    };
    entries(text)
        .filter_map(named)
        .take(MOST_STATEMENTS)
        .collect()
}

/// The lines that are no comments, each with its number.
fn entries(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(text.split(|octet| *octet == b'\n'))
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

fn pair(line: &[u8]) -> Result<(&str, &[u8]), StoreFault> {
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let id = words.next().unwrap_or_default();
    let id = std::str::from_utf8(id).map_err(|_| StoreFault::NotUtf8)?;
    let digits = words.next().ok_or(StoreFault::NoPassphrase)?;
    match words.next() {
        None => Ok((id, digits)),
        Some(word) if word.starts_with(b"#") => Ok((id, digits)),
        Some(_) => Err(StoreFault::TooMuch),
    }
}

/// Octets; `None` where these are not digits of them.
fn hex(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    // Not by growing, which leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        octets.push(u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?);
    }
    Some(octets)
}

/// Why a line of our file, `KEY-ID passphrase`, cannot have these.
fn unwritable(id: &str, octets: &[u8]) -> Option<&'static str> {
    let is_blank = |octet: Option<&u8>| octet == Some(&b' ');
    if id.len() > MOST_ID_OCTETS {
        Some("an identity has at most 80 octets")
    } else if id.chars().any(char::is_control) {
        Some("the identity has a control character")
    } else if octets.len() > MOST_PASSPHRASE_OCTETS {
        Some("the passphrase has more than 1024 octets")
    } else if octets.iter().any(u8::is_ascii_control) {
        Some("the passphrase has a control character, which cannot be typed")
    } else if is_blank(octets.first()) || is_blank(octets.last()) {
        Some("the passphrase begins or ends with a blank")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, identity, and the passphrase or why our file cannot have it.
    type Read = (usize, String, Result<String, &'static str>);

    fn read(text: &str) -> Result<Vec<Read>, String> {
        let store = PassphraseStore::parse(text.as_bytes());
        let shown = |key: StoredKey| {
            let secret = key
                .passphrase
                .map(|it| String::from_utf8(it.to_vec()).unwrap());
            (key.line, key.id, secret)
        };
        store
            .map(|store| store.0.into_iter().map(shown).collect())
            .map_err(|(line, fault)| format!("{line}: {fault}"))
    }

    #[test]
    fn a_line_is_an_identity_and_the_octets_of_its_passphrase() {
        let text = "# comment\nnoc-1\t636f727265637420686f727365\njoe  C3BC20 # his\n\n";
        // "correct horse", and "ü " that ends with a blank.
        let keys = read(text).unwrap();
        assert_eq!(
            keys[0],
            (2, "noc-1".to_owned(), Ok("correct horse".to_owned()))
        );
        assert_eq!(
            keys[1],
            (
                3,
                "joe".to_owned(),
                Err("the passphrase begins or ends with a blank")
            )
        );
    }

    #[test]
    fn what_our_file_cannot_have_is_left_out_with_its_reason() {
        for (text, reason) in [
            ("a 0a".to_owned(), "control character"),
            ("a 2061".to_owned(), "begins or ends"),
            (format!("{} 61", "x".repeat(81)), "at most 80 octets"),
            (format!("a {}", "61".repeat(1_025)), "more than 1024"),
            ("a\u{85}b 61".to_owned(), "control character"),
        ] {
            let keys = read(&text).unwrap();
            let why = keys[0].2.as_ref().unwrap_err();
            assert!(why.contains(reason), "{text}: {why}");
        }
        assert!(
            read(&format!("{} {}", "x".repeat(80), "61".repeat(1_024))).unwrap()[0]
                .2
                .is_ok()
        );
    }

    #[test]
    fn a_wrong_line_is_named_and_its_secret_is_not() {
        for (text, said) in [
            ("a", "1: the identity has no passphrase"),
            (
                "# x\na 6g",
                "2: the passphrase is not octets in hexadecimal digits",
            ),
            (
                "a 616",
                "1: the passphrase is not octets in hexadecimal digits",
            ),
            (
                "a 61 62",
                "1: more than an identity and a passphrase in hexadecimal digits",
            ),
            ("a 61\nb 62\na 63", "3: the identity is already on line 1"),
        ] {
            assert_eq!(read(text).unwrap_err(), said);
        }
        let fault = PassphraseStore::parse(b"\xff 61").map(|_| ()).unwrap_err();
        assert_eq!(fault, (1, StoreFault::NotUtf8));
        let many: Vec<String> = (0..4_097).map(|n| format!("k{n} 61\n")).collect();
        assert_eq!(
            read(&many.concat()).unwrap_err(),
            "4097: more than 4096 identities"
        );
    }

    #[test]
    fn of_a_file_of_aes_keys_only_the_identities_are_read() {
        let text = b"#\njoe\t00112233445566778899aabbccddeeff\n\xff x\n";
        let expected = [(2, "joe".to_owned()), (3, "\u{fffd}".to_owned())];
        assert_eq!(aes_keys(text), expected);
    }
}
