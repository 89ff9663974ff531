//! The lines of a file of passphrases: `KEY-ID passphrase`.
//!
//! A Key-ID ends at the first space or tab; the passphrase is the rest of the line, without the white
//! space around it, with that inside it.

use std::collections::HashMap;

use twinpath_proto::security::{KeyId, KeyIdError, Passphrase};

use super::{Key, KeyRing, PassphraseError, check};
use crate::keys::file::{KeyFile, is_blank, lines, trim};

/// Keys in a file at most: a Server derives them all before it listens, some milliseconds each.
const MOST_KEYS: usize = 4_096;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The Key-ID is not text.
    #[error("the Key-ID is not UTF-8")]
    NotUtf8,
    /// The Key-ID has what no terminal shows.
    #[error("the Key-ID has a control character")]
    Control,
    /// The Key-ID does not fit.
    #[error(transparent)]
    KeyId(#[from] KeyIdError),
    /// There is a Key-ID and nothing else.
    #[error("the Key-ID has no passphrase")]
    NoPassphrase,
    /// The passphrase cannot be one.
    #[error(transparent)]
    Passphrase(PassphraseError),
    /// The Key-ID has a line already.
    #[error("the Key-ID is already on line {0}")]
    Twice(usize),
    /// More lines than keys can be.
    #[error("more than {MOST_KEYS} keys")]
    TooMany,
}

impl KeyFile for KeyRing {
    type Fault = LineFault;
    const MOST_OCTETS: usize = 1 << 20;

    fn parse(text: &[u8]) -> Result<Self, (usize, LineFault)> {
        let mut keys: Vec<Key> = Vec::new();
        let mut seen = HashMap::new();
        for (line, octets) in lines(text) {
            let (id, secret) = key_of(octets).map_err(|slip| (line, slip))?;
            if let Some(first) = seen.insert(id, line) {
                return Err((line, LineFault::Twice(first)));
            }
            if keys.len() == MOST_KEYS {
                return Err((line, LineFault::TooMany));
            }
            let passphrase = Passphrase::new(secret.to_vec());
            keys.push(Key { id, passphrase });
        }
        Ok(Self(keys))
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// Key-ID and passphrase.
fn key_of(line: &[u8]) -> Result<(KeyId, &[u8]), LineFault> {
    let end = line.iter().position(|octet| is_blank(*octet));
    let (id, secret) = line.split_at(end.unwrap_or(line.len()));
    let id = std::str::from_utf8(id).map_err(|_| LineFault::NotUtf8)?;
    if id.chars().any(char::is_control) {
        return Err(LineFault::Control);
    }
    let id = KeyId::new(id)?;
    let secret = trim(secret);
    match check(secret) {
        Ok(()) => Ok((id, secret)),
        Err(PassphraseError::Empty) => Err(LineFault::NoPassphrase),
        Err(error) => Err(LineFault::Passphrase(error)),
    }
}

#[cfg(test)]
mod tests;
