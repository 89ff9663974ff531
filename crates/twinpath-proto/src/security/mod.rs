//! The secured modes of TWAMP: keys, and how they protect control connections and test packets (RFC
//! 4656 sections 3.1 to 3.4, 4.1.2 and 6; RFC 5357 sections 3 and 4; RFC 5618).
//!
//! Every cipher and hash comes from a library; this module applies them in the order of the
//! standard. Secrets are wiped on drop, and no `Debug` shows one.
//!
//! ```text
//! passphrase --PBKDF2(Salt, Count)--> K --opens the token--> AES and HMAC Session-keys
//!                                                               |                |
//!                                              control: one CBC chain and one    | with the SID:
//!                                              running HMAC per direction        v
//!                                                                         a test session's keys
//! ```

mod chain;
mod keys;
mod packets;
#[cfg(test)]
mod tests;
mod token;

pub use chain::ControlChains;
pub(crate) use chain::{Forged, OpeningChain, SealingChain};
pub use keys::{DerivedKey, InForce, KeyId, KeyIdError, KeyTable, Passphrase};
pub use token::{Credentials, SessionKeys};
pub(crate) use token::{open_token, seal_token};

use aes::Aes128;
use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::off_stack::off_stack;

/// AES-CBC of one direction, enciphering.
type Encryptor = cbc::Encryptor<Aes128>;
/// AES-CBC of one direction, deciphering.
type Decryptor = cbc::Decryptor<Aes128>;
/// HMAC-SHA1, of which the first 16 octets are sent (RFC 4656 section 3.2).
type Mac = Hmac<Sha1>;

/// Octets of an HMAC field.
const TAG: usize = 16;

/// The whole blocks of `octets`. The standard encrypts whole blocks only, so they cover all octets.
fn blocks(octets: &mut [u8]) -> &mut [aes::Block] {
    let (blocks, rest) = aes::Block::slice_as_chunks_mut(octets);
    debug_assert!(rest.is_empty(), "what is encrypted is whole blocks");
    blocks
}

/// HMAC-SHA1 with a key of 32 octets. HMAC pads a key with zeros to its block size.
fn keyed(key: &[u8; 32]) -> Mac {
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Mac::new((&*block).into())
}

/// The HMAC, truncated to its field (RFC 4656 section 3.2).
fn write_tag(mac: Mac, field: &mut [u8; TAG]) {
    let whole = mac.finalize().into_bytes();
    field
        .iter_mut()
        .zip(whole)
        .for_each(|(to, from)| *to = from);
}
