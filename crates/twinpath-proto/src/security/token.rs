//! The token: how a client proves that it has the secret, and hands over the session keys (RFC
//! 4656 section 3.1; rows TC-12, TC-13).

use std::fmt;

use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Decryptor, DerivedKey, Encryptor, KeyId, Passphrase, blocks};

/// Octets of a token: the Challenge, the AES Session-key, the HMAC Session-key.
const TOKEN: usize = 64;

/// The AES and the HMAC Session-key of one control connection, which the client makes. All else is
/// derived from them.
#[derive(Clone)]
pub struct SessionKeys {
    pub(super) aes: [u8; 16],
    pub(super) hmac: [u8; 32],
}

impl SessionKeys {
    /// From fresh random octets.
    pub const fn new(aes: [u8; 16], hmac: [u8; 32]) -> Self {
        Self { aes, hmac }
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.aes.zeroize();
        self.hmac.zeroize();
    }
}

impl ZeroizeOnDrop for SessionKeys {}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session keys]")
    }
}

/// What a Control-Client brings to a secured connection.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Whose secret it is.
    pub key_id: KeyId,
    /// The secret.
    pub passphrase: Passphrase,
    /// Fresh for each connection (RFC 4656 section 3.1).
    pub session: SessionKeys,
    /// Fresh for each connection.
    pub client_iv: [u8; 16],
}

/// The token that shows `challenge` to whoever has `key`.
pub(crate) fn seal_token(
    key: &DerivedKey,
    challenge: &[u8; 16],
    session: &SessionKeys,
) -> [u8; TOKEN] {
    let mut token = [0; TOKEN];
    let (first, rest) = token.split_at_mut(challenge.len());
    first.copy_from_slice(challenge);
    let (aes, hmac) = rest.split_at_mut(session.aes.len());
    aes.copy_from_slice(&session.aes);
    hmac.copy_from_slice(&session.hmac);
    Encryptor::new(key.octets().into(), &[0; 16].into()).encrypt_blocks(blocks(&mut token));
    token
}

/// The session keys in a token; `None` where it was not made with `key` for `challenge`.
pub(crate) fn open_token(
    key: &DerivedKey,
    challenge: &[u8; 16],
    token: &[u8; TOKEN],
) -> Option<SessionKeys> {
    let mut plain = Zeroizing::new(*token);
    Decryptor::new(key.octets().into(), &[0; 16].into())
        .decrypt_blocks(blocks(plain.as_mut_slice()));
    let (shown, rest) = plain.split_first_chunk::<16>()?;
    let (aes, rest) = rest.split_first_chunk::<16>()?;
    let (hmac, _) = rest.split_first_chunk::<32>()?;
    bool::from(shown.ct_eq(challenge)).then(|| SessionKeys::new(*aes, *hmac))
}
