//! Shared secrets for the secured modes of TWAMP-Control (RFC 4656 section 3.1): a file of them, the
//! environment, a terminal.

mod lines;

use std::ffi::CStr;
use std::fmt;

use twinpath_proto::security::{KeyId, Passphrase};

pub use lines::LineFault;

/// Octets of a passphrase at most: more than anybody types.
pub const MOST_PASSPHRASE_OCTETS: usize = 1_024;

/// A shared secret and its name.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name, which is no secret.
    pub id: KeyId,
    /// The secret.
    pub passphrase: Passphrase,
}

/// Shared secrets, each name once.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// Adds a key in place of the one of its name.
    pub fn insert(&mut self, key: Key) {
        self.0.retain(|other| other.id != key.id);
        self.0.push(key);
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.0.iter()
    }

    /// The key of that name.
    pub fn find(&self, id: &KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// The key, where there is one alone.
    pub fn only(&self) -> Option<&Key> {
        match self.0.as_slice() {
            [key] => Some(key),
            _ => None,
        }
    }

    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.0
    }
}

impl<'a> IntoIterator for &'a KeyRing {
    type Item = &'a Key;
    type IntoIter = std::slice::Iter<'a, Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} keys]", self.0.len())
    }
}

/// Octets cannot be a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing.
    #[error("the passphrase is empty")]
    Empty,
    /// Over [`MOST_PASSPHRASE_OCTETS`].
    #[error("the passphrase has more than {MOST_PASSPHRASE_OCTETS} octets")]
    TooLong,
    /// A line's end, a tab, an escape: it cannot be typed at the other end (row TC-11).
    #[error("the passphrase has a control character")]
    Control,
}

/// A passphrase as it was typed.
///
/// # Errors
/// [`PassphraseError`]: what is wrong with it; the octets are wiped.
pub fn passphrase(octets: Vec<u8>) -> Result<Passphrase, PassphraseError> {
    let judged = check(&octets);
    let passphrase = Passphrase::new(octets);
    twinpath_net::host::forbid_core_dumps();
    judged.map(|()| passphrase)
}

fn check(octets: &[u8]) -> Result<(), PassphraseError> {
    if octets.is_empty() {
        Err(PassphraseError::Empty)
    } else if octets.len() > MOST_PASSPHRASE_OCTETS {
        Err(PassphraseError::TooLong)
    } else if octets.iter().any(u8::is_ascii_control) {
        Err(PassphraseError::Control)
    } else {
        Ok(())
    }
}

/// The passphrase in a variable of the environment, which is taken out of it as far as that can be;
/// `None`: it is not set. For a process that has no other thread yet.
///
/// # Errors
/// As [`passphrase`].
pub fn from_environment(name: &CStr) -> Result<Option<Passphrase>, PassphraseError> {
    let octets = twinpath_net::host::take_variable(name);
    octets.map(passphrase).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str) -> Key {
        Key {
            id: KeyId::new(id).unwrap(),
            passphrase: passphrase(secret.into()).unwrap(),
        }
    }

    #[test]
    fn a_ring_has_each_name_once() {
        let mut ring = KeyRing::default();
        ring.insert(key("alice", "one"));
        assert!(ring.only().is_some());
        ring.insert(key("bob", "two"));
        ring.insert(key("alice", "three"));
        assert_eq!((ring.len(), ring.only().is_none()), (2, true));
        assert!(ring.find(&KeyId::new("alice").unwrap()).is_some());
        assert!(ring.find(&KeyId::new("carol").unwrap()).is_none());
        assert_eq!(format!("{ring:?}"), "[2 keys]");
    }

    #[test]
    fn a_passphrase_is_what_can_be_typed() {
        assert!(passphrase("mit Ümlaut und  Leerzeichen".into()).is_ok());
        for (octets, error) in [
            (Vec::new(), PassphraseError::Empty),
            (vec![b'x'; 1_025], PassphraseError::TooLong),
            (b"a\n".to_vec(), PassphraseError::Control),
            (b"a\tb".to_vec(), PassphraseError::Control),
            (b"\x7f".to_vec(), PassphraseError::Control),
        ] {
            assert_eq!(passphrase(octets).unwrap_err(), error);
        }
        assert!(passphrase(vec![b'x'; 1_024]).is_ok());
    }
}
