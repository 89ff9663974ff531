//! The token, with which a client proves that it has the secret and passes on the session keys (RFC
//! 4656 section 3.1; rows TC-12, TC-13).

use std::fmt;

use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Decryptor, DerivedKey, Encryptor, KeyId, Passphrase, blocks, off_stack};

/// Octets of a token: the Challenge, the AES Session-key, the HMAC Session-key.
const TOKEN: usize = 64;

/// The AES and HMAC Session-keys of one control connection, chosen by the client. All other keys
/// are derived from them. On the heap, so that moving their owner leaves no copy behind.
pub struct SessionKeys(Box<Octets>);

#[derive(Default, Zeroize, ZeroizeOnDrop)]
struct Octets {
    aes: [u8; 16],
    hmac: [u8; 32],
}

impl SessionKeys {
    /// From given octets.
    pub fn new(aes: [u8; 16], hmac: [u8; 32]) -> Self {
        Self::copied(&aes, &hmac)
    }

    /// From a source of fresh random octets, which fills them in place.
    ///
    /// # Errors
    /// The source's error.
    pub fn fresh<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut keys = Box::<Octets>::default();
        fill(&mut keys.aes)?;
        fill(&mut keys.hmac)?;
        Ok(Self(keys))
    }

    /// The token that takes these keys and a greeting's Challenge to a Server (RFC 4656 section 3.1).
    pub fn to_token(&self, key: &DerivedKey, challenge: &[u8; 16]) -> [u8; TOKEN] {
        seal_token(key, challenge, self)
    }

    /// The keys in a token; `None` if it was not made with `key` for `challenge`.
    pub fn from_token(key: &DerivedKey, challenge: &[u8; 16], token: &[u8; TOKEN]) -> Option<Self> {
        open_token(key, challenge, token)
    }

    fn copied(aes: &[u8; 16], hmac: &[u8; 32]) -> Self {
        let mut keys = Box::<Octets>::default();
        keys.aes.copy_from_slice(aes);
        keys.hmac.copy_from_slice(hmac);
        Self(keys)
    }

    pub(super) fn aes(&self) -> &[u8; 16] {
        &self.0.aes
    }

    pub(super) fn hmac(&self) -> &[u8; 32] {
        &self.0.hmac
    }
}

impl Clone for SessionKeys {
    fn clone(&self) -> Self {
        Self::copied(self.aes(), self.hmac())
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session keys]")
    }
}

/// What a Control-Client brings to a secured connection.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Name of the secret.
    pub key_id: KeyId,
    /// The secret.
    pub passphrase: Passphrase,
    /// Fresh for each connection (RFC 4656 section 3.1).
    pub session: SessionKeys,
    /// Fresh for each connection.
    pub client_iv: [u8; 16],
}

/// The token that contains `challenge` and the session keys, encrypted with `key`.
pub(crate) fn seal_token(
    key: &DerivedKey,
    challenge: &[u8; 16],
    session: &SessionKeys,
) -> [u8; TOKEN] {
    let mut token = [0; TOKEN];
    let (first, rest) = token.split_at_mut(challenge.len());
    first.copy_from_slice(challenge);
    let (aes, hmac) = rest.split_at_mut(session.aes().len());
    aes.copy_from_slice(session.aes());
    hmac.copy_from_slice(session.hmac());
    off_stack(|| {
        Encryptor::new(key.octets().into(), &[0; 16].into()).encrypt_blocks(blocks(&mut token));
    });
    token
}

/// The session keys in a token; `None` if it was not made with `key` for `challenge`.
pub(crate) fn open_token(
    key: &DerivedKey,
    challenge: &[u8; 16],
    token: &[u8; TOKEN],
) -> Option<SessionKeys> {
    let mut plain = Zeroizing::new(*token);
    off_stack(|| {
        Decryptor::new(key.octets().into(), &[0; 16].into())
            .decrypt_blocks(blocks(plain.as_mut_slice()));
    });
    let (shown, rest) = plain.split_first_chunk::<16>()?;
    let (aes, rest) = rest.split_first_chunk::<16>()?;
    let (hmac, _) = rest.split_first_chunk::<32>()?;
    bool::from(shown.ct_eq(challenge)).then(|| SessionKeys::copied(aes, hmac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_key_moves_only_a_pointer() {
        assert_eq!(size_of::<SessionKeys>(), size_of::<usize>());
        assert_eq!(size_of::<DerivedKey>(), size_of::<usize>());
    }

    #[test]
    fn fresh_keys_are_what_their_source_filled_in() {
        let mut from = 0_u8;
        let keys = SessionKeys::fresh(|octets| {
            from += 1;
            octets.fill(from);
            Ok::<_, ()>(())
        });
        let keys = keys.unwrap();
        assert_eq!((keys.aes(), keys.hmac()), (&[1; 16], &[2; 32]));
        assert!(SessionKeys::fresh(|_| Err(())).is_err());
    }
}
