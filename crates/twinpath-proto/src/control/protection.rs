//! What protects one direction of a control connection.
//!
//! Framing opens the octets block by block as they come, so that the first block tells the length
//! of its message, and verifies the HMAC before any other field is used (RFC 4656 section 3.4;
//! row TC-19). Nothing above this knows whether a connection is secured.

use crate::security::{Forged, OpeningChain, SealingChain};

/// The receiving side of one direction.
#[derive(Debug, Default)]
pub(super) enum Opening {
    /// Nothing is encrypted, HMAC fields are not looked at (row TC-20).
    #[default]
    Open,
    /// Everything is encrypted.
    Secured(Box<OpeningChain>),
}

impl Opening {
    /// Whole blocks, in the order in which they came, made plain in place.
    pub(super) fn open(&mut self, blocks: &mut [u8]) {
        match self {
            Self::Open => {}
            Self::Secured(chain) => chain.decrypt(blocks),
        }
    }

    /// As [`Self::open`], of what has no HMAC of its own: the next one covers it (row TC-18).
    pub(super) fn open_uncovered(&mut self, blocks: &mut [u8]) {
        match self {
            Self::Open => {}
            Self::Secured(chain) => chain.decrypt_uncovered(blocks),
        }
    }

    /// Judges the HMAC at the end of a message that was opened whole.
    pub(super) fn verify(&mut self, message: &[u8]) -> Result<(), Forged> {
        match self {
            Self::Open => Ok(()),
            Self::Secured(chain) => chain.verify(message),
        }
    }
}

/// The sending side of one direction.
#[derive(Debug, Default)]
pub(super) enum Sealing {
    /// Nothing is encrypted, HMAC fields stay zero (row TC-20).
    #[default]
    Open,
    /// Everything is encrypted.
    Secured(Box<SealingChain>),
}

impl Sealing {
    /// Writes the HMAC into the last block of a whole message and encrypts it.
    pub(super) fn seal(&mut self, message: &mut [u8]) {
        match self {
            Self::Open => {}
            Self::Secured(chain) => chain.seal(message),
        }
    }

    /// Encrypts what has no HMAC of its own: the next one covers it (row TC-18).
    pub(super) fn seal_uncovered(&mut self, blocks: &mut [u8]) {
        match self {
            Self::Open => {}
            Self::Secured(chain) => chain.encrypt(blocks),
        }
    }
}
