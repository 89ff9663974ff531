//! Key-IDs, passphrases, and the keys that are derived from them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::off_stack;

/// Octets of a KeyID field.
const KEY_ID: usize = 80;
/// A key of AES-128.
type Key = [u8; 16];

/// The name of a shared secret: up to 80 octets of UTF-8 (RFC 4656 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KEY_ID]);

/// The text is not a valid Key-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyIdError {
    /// Empty.
    #[error("a Key-ID has at least one character")]
    Empty,
    /// Over 80 octets.
    #[error("a Key-ID has at most 80 octets of UTF-8, this one has {0}")]
    TooLong(usize),
    /// Contains a zero octet, which ends a Key-ID on the wire.
    #[error("a Key-ID has no zero octet")]
    Zero,
}

impl KeyId {
    /// From text that a user entered.
    ///
    /// # Errors
    /// [`KeyIdError`] if it is empty, too long or contains a zero octet.
    pub fn new(text: &str) -> Result<Self, KeyIdError> {
        let octets = text.as_bytes();
        if octets.is_empty() {
            return Err(KeyIdError::Empty);
        }
        if octets.contains(&0) {
            return Err(KeyIdError::Zero);
        }
        let mut field = [0; KEY_ID];
        let place = field.get_mut(..octets.len());
        place
            .ok_or(KeyIdError::TooLong(octets.len()))?
            .copy_from_slice(octets);
        Ok(Self(field))
    }

    /// From the wire: the octets before the first zero octet. `None` if they are empty or not
    /// UTF-8: no such key exists (row TC-26).
    pub fn from_field(field: &[u8; KEY_ID]) -> Option<Self> {
        let octets = field.split(|octet| *octet == 0).next()?;
        Self::new(std::str::from_utf8(octets).ok()?).ok()
    }

    /// Its form on the wire: padded with zeros.
    pub const fn field(&self) -> &[u8; KEY_ID] {
        &self.0
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        let octets = self.0.split(|octet| *octet == 0).next();
        std::str::from_utf8(octets.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A shared secret as entered (row TC-11); empty by default.
#[derive(Clone, Default)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the octets, which are wiped on drop.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// K of RFC 4656 section 3.1: PBKDF2 with HMAC-SHA1, `count` iterations, 16 octets. Takes
    /// milliseconds, on purpose.
    pub fn derive(&self, salt: &[u8; 16], count: u32) -> DerivedKey {
        let mut key = DerivedKey::from_octets(Key::default());
        off_stack(|| pbkdf2::pbkdf2_hmac::<sha1::Sha1>(&self.0, salt, count, key.0.as_mut_slice()));
        key
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Passphrase {}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[passphrase]")
    }
}

/// K, the key that encrypts a token. On the heap, so that a table that grows and moves leaves no
/// copy behind.
pub struct DerivedKey(Box<Zeroizing<Key>>);

impl DerivedKey {
    /// A key without a passphrase.
    pub fn from_octets(octets: Key) -> Self {
        Self(Box::new(Zeroizing::new(octets)))
    }

    pub(super) fn octets(&self) -> &Key {
        &self.0
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// Whether a shared secret is in force. Shared by all tables that contain it, including those of
/// earlier greetings, so that a change takes effect in all of them at once.
#[derive(Clone, Debug)]
pub struct InForce(Arc<AtomicBool>);

impl InForce {
    /// In force from now on.
    pub fn begin() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Permanently out of force.
    pub fn end(&self) {
        self.0.store(false, Ordering::Release);
    }

    fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// All keys of a Server, derived beforehand for one Salt and one Count.
///
/// A client's attempt takes one table lookup, whether its Key-ID is unknown, its passphrase wrong
/// or the key out of force, so neither the answer nor its timing reveals which (row TC-26). Guesses
/// and reconnecting clients never cause a PBKDF2 computation (row TC-25).
pub struct KeyTable {
    salt: [u8; 16],
    count: u32,
    keys: HashMap<KeyId, (DerivedKey, InForce)>,
    /// Used in place of an unknown key.
    nobody: DerivedKey,
}

impl KeyTable {
    /// A table without keys. `nobody` is random, so it opens no token.
    pub fn new(salt: [u8; 16], count: u32, nobody: [u8; 16]) -> Self {
        Self {
            salt,
            count,
            keys: HashMap::new(),
            nobody: DerivedKey::from_octets(nobody),
        }
    }

    /// Adds a key, derived with this table's Salt and Count, that opens tokens while it is
    /// `in_force`.
    pub fn insert(&mut self, id: KeyId, key: DerivedKey, in_force: InForce) {
        self.keys.insert(id, (key, in_force));
    }

    /// For PBKDF2, in the greeting.
    pub const fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// PBKDF2 iterations, in the greeting.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the table has no key, so that no secured mode can be offered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key of that name, or one that opens no token.
    pub(crate) fn key(&self, id: Option<&KeyId>) -> &DerivedKey {
        let found = id.and_then(|id| self.keys.get(id));
        found
            .filter(|(_, in_force)| in_force.is_so())
            .map_or(&self.nobody, |(key, _)| key)
    }
}

impl fmt::Debug for KeyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} keys]", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_has_1_to_80_octets_of_utf_8() {
        let long = "ü".repeat(40);
        assert_eq!(KeyId::new(&long).unwrap().as_str(), long);
        assert_eq!(
            KeyId::from_field(KeyId::new(&long).unwrap().field())
                .unwrap()
                .as_str(),
            long
        );
        assert_eq!(
            KeyId::new(&"x".repeat(81)),
            Err(KeyIdError::TooLong(81)),
            "81 octets"
        );
        assert_eq!(KeyId::new(""), Err(KeyIdError::Empty));
        assert_eq!(KeyId::new("a\0b"), Err(KeyIdError::Zero));
        assert_eq!(KeyId::from_field(&[0; 80]), None);
        assert_eq!(KeyId::from_field(&[0xff; 80]), None, "not UTF-8");
    }

    #[test]
    fn octets_after_the_first_zero_are_not_part_of_the_name() {
        let mut field = *KeyId::new("alice").unwrap().field();
        field[40] = b'x';
        assert_eq!(KeyId::from_field(&field), KeyId::new("alice").ok());
    }

    #[test]
    fn a_key_out_of_force_opens_no_token_in_any_table() {
        let (alice, bob) = (KeyId::new("alice").unwrap(), KeyId::new("bob").unwrap());
        let in_force = InForce::begin();
        let mut tables = [1, 2].map(|salt| KeyTable::new([salt; 16], 1024, [9; 16]));
        for (at, table) in tables.iter_mut().enumerate() {
            let at = u8::try_from(at).unwrap();
            table.insert(
                alice,
                DerivedKey::from_octets([3 + at; 16]),
                in_force.clone(),
            );
            let other = DerivedKey::from_octets([5; 16]);
            table.insert(bob, other, InForce::begin());
            assert_eq!(table.key(Some(&alice)).octets(), &[3 + at; 16]);
        }
        in_force.end();
        for table in &tables {
            assert_eq!(table.key(Some(&alice)).octets(), &[9; 16]);
            assert_eq!(table.key(None).octets(), &[9; 16]);
            assert_eq!(table.key(Some(&bob)).octets(), &[5; 16]);
        }
    }

    #[test]
    fn passphrases_are_compared_octet_by_octet() {
        let phrase = |text: &str| Passphrase::new(text.into());
        assert_eq!(phrase("secret"), phrase("secret"));
        assert_ne!(phrase("secret"), phrase("Secret"));
        assert_ne!(phrase("secret"), phrase("secrets"));
    }

    #[test]
    fn no_debug_shows_a_secret() {
        let secret = Passphrase::new(b"secretpass".to_vec());
        let mut table = KeyTable::new([1; 16], 1024, [2; 16]);
        let key = secret.derive(&[1; 16], 1024);
        table.insert(KeyId::new("alice").unwrap(), key, InForce::begin());
        let shown = format!("{secret:?} {table:?} {:?}", table.key(None));
        assert_eq!(shown, "[passphrase] [1 keys] [key]");
    }
}
