//! One direction of a secured control connection: a CBC chain through all messages and a running
//! HMAC (RFC 4656 sections 3.2 and 3.4; rows TC-14 to TC-18).

use std::fmt;

use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::Mac as _;

use super::{Decryptor, Encryptor, Mac, SessionKeys, TAG, blocks, keyed, off_stack, write_tag};

/// A message's HMAC does not match its octets: the connection ends (RFC 4656 section 6.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// The HMAC of all that was sent since the last one.
struct Running {
    keyed: Mac,
    mac: Mac,
}

impl Running {
    fn new(keys: &SessionKeys) -> Self {
        let keyed = keyed(keys.hmac());
        let mac = keyed.clone();
        Self { keyed, mac }
    }

    /// Returns the HMAC so far and begins the next one.
    fn take(&mut self) -> Mac {
        std::mem::replace(&mut self.mac, self.keyed.clone())
    }
}

/// The direction that this side sends.
pub(crate) struct SealingChain {
    cbc: Encryptor,
    running: Running,
}

impl SealingChain {
    pub(crate) fn new(keys: &SessionKeys, iv: &[u8; 16]) -> Box<Self> {
        off_stack(|| {
            Box::new(Self {
                cbc: Encryptor::new(keys.aes().into(), iv.into()),
                running: Running::new(keys),
            })
        })
    }

    /// Encrypts octets without their own HMAC; the next one covers them too (row TC-18).
    pub(crate) fn encrypt(&mut self, octets: &mut [u8]) {
        self.running.mac.update(octets);
        self.cbc.encrypt_blocks(blocks(octets));
    }

    /// Writes the HMAC into the last block of a whole message and encrypts it.
    pub(crate) fn seal(&mut self, message: &mut [u8]) {
        self.seal_changed(message, |_| {});
    }

    /// As [`Self::seal`], with a `change` after the HMAC is made and before the message is encrypted.
    fn seal_changed(&mut self, message: &mut [u8], change: impl FnOnce(&mut [u8])) {
        if let Some((covered, field)) = message.split_last_chunk_mut::<TAG>() {
            self.running.mac.update(covered);
            write_tag(self.running.take(), field);
        }
        change(message);
        self.cbc.encrypt_blocks(blocks(message));
    }
}

/// The direction that the peer sends.
pub(crate) struct OpeningChain {
    cbc: Decryptor,
    running: Running,
}

impl OpeningChain {
    pub(crate) fn new(keys: &SessionKeys, iv: &[u8; 16]) -> Box<Self> {
        off_stack(|| {
            Box::new(Self {
                cbc: Decryptor::new(keys.aes().into(), iv.into()),
                running: Running::new(keys),
            })
        })
    }

    /// Decrypts whole blocks, in the order of arrival.
    pub(crate) fn decrypt(&mut self, octets: &mut [u8]) {
        self.cbc.decrypt_blocks(blocks(octets));
    }

    /// Decrypts octets without their own HMAC; the next one covers them too (row TC-18).
    pub(crate) fn decrypt_uncovered(&mut self, octets: &mut [u8]) {
        self.decrypt(octets);
        self.running.mac.update(octets);
    }

    /// Verifies the HMAC at the end of a fully decrypted message, in constant time.
    pub(crate) fn verify(&mut self, message: &[u8]) -> Result<(), Forged> {
        let (covered, field) = message.split_last_chunk::<TAG>().ok_or(Forged)?;
        self.running.mac.update(covered);
        let mac = self.running.take();
        mac.verify_truncated_left(field).map_err(|_| Forged)
    }
}

/// Both directions of a secured control connection for a peer of conformance trials, which writes messages that no
/// client or server writes.
#[derive(Debug)]
pub struct ControlChains {
    sealing: Box<SealingChain>,
    opening: Box<OpeningChain>,
}

impl ControlChains {
    /// Of a connection with these keys, and the IV of each direction.
    pub fn new(keys: &SessionKeys, sent_iv: &[u8; 16], received_iv: &[u8; 16]) -> Self {
        Self {
            sealing: SealingChain::new(keys, sent_iv),
            opening: OpeningChain::new(keys, received_iv),
        }
    }

    /// Writes the HMAC into the last block of a message and encrypts it. `change` acts between the two. A message
    /// that is not of whole blocks stays as it is.
    pub fn seal(&mut self, message: &mut [u8], change: impl FnOnce(&mut [u8])) {
        if is_whole(message) {
            self.sealing.seal_changed(message, change);
        }
    }

    /// Encrypts blocks without their own HMAC: the next one covers them (Server-Start's last block).
    pub fn seal_uncovered(&mut self, blocks: &mut [u8]) {
        if is_whole(blocks) {
            self.sealing.encrypt(blocks);
        }
    }

    /// Decrypts a message, and says whether its HMAC is right. One that is not of whole blocks stays as it is.
    pub fn open(&mut self, message: &mut [u8]) -> bool {
        if !is_whole(message) {
            return false;
        }
        self.opening.decrypt(message);
        self.opening.verify(message).is_ok()
    }

    /// Decrypts blocks without their own HMAC: the next one covers them.
    pub fn open_uncovered(&mut self, blocks: &mut [u8]) {
        if is_whole(blocks) {
            self.opening.decrypt_uncovered(blocks);
        }
    }
}

fn is_whole(octets: &[u8]) -> bool {
    octets.len().is_multiple_of(TAG)
}

impl fmt::Debug for SealingChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealing]")
    }
}

impl fmt::Debug for OpeningChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[opening]")
    }
}
