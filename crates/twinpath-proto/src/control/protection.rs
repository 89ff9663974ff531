//! The protection of one direction of a control connection.
//!
//! Framing decrypts octets block by block as they arrive, because the first block determines the
//! length of its message, and verifies the HMAC before any other field is used (RFC 4656 section
//! 3.4; row TC-19). The layers above do not depend on whether a connection is secured.

use crate::security::{Forged, OpeningChain, SealingChain};

/// The receiving side of one direction; by default nothing is encrypted, and HMAC fields are
/// ignored (row TC-20).
#[derive(Debug, Default)]
pub(super) struct Opening(Option<Box<OpeningChain>>);

impl Opening {
    /// Everything is encrypted.
    pub(super) fn secured(chain: Box<OpeningChain>) -> Self {
        Self(Some(chain))
    }

    /// Decrypts whole blocks in place, in the order of arrival.
    pub(super) fn open(&mut self, blocks: &mut [u8]) {
        if let Some(chain) = &mut self.0 {
            chain.decrypt(blocks);
        }
    }

    /// As [`Self::open`], for octets without their own HMAC: the next one covers them (row TC-18).
    pub(super) fn open_uncovered(&mut self, blocks: &mut [u8]) {
        if let Some(chain) = &mut self.0 {
            chain.decrypt_uncovered(blocks);
        }
    }

    /// Verifies the HMAC at the end of a message that was opened whole.
    pub(super) fn verify(&mut self, message: &[u8]) -> Result<(), Forged> {
        self.0
            .as_mut()
            .map_or(Ok(()), |chain| chain.verify(message))
    }
}

/// The sending side of one direction; by default nothing is encrypted, and HMAC fields stay zero
/// (row TC-20).
#[derive(Debug, Default)]
pub(super) struct Sealing(Option<Box<SealingChain>>);

impl Sealing {
    /// Everything is encrypted.
    pub(super) fn secured(chain: Box<SealingChain>) -> Self {
        Self(Some(chain))
    }

    /// Writes the HMAC into the last block of a whole message and encrypts it.
    pub(super) fn seal(&mut self, message: &mut [u8]) {
        if let Some(chain) = &mut self.0 {
            chain.seal(message);
        }
    }

    /// Encrypts octets without their own HMAC: the next one covers them (row TC-18).
    pub(super) fn seal_uncovered(&mut self, blocks: &mut [u8]) {
        if let Some(chain) = &mut self.0 {
            chain.encrypt(blocks);
        }
    }
}
