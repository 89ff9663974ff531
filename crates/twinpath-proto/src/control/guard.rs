//! What protects one direction of a control connection: the seam for the secured modes.
//!
//! Framing opens the octets block by block as they come, so that the first block tells the length
//! of its message, and verifies the HMAC before any other field is used (RFC 4656 section 3.4;
//! row TC-19). Nothing above this knows whether a connection is secured.

/// A message's HMAC is not that of its octets: the connection ends (RFC 4656 section 6.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forged;

/// The receiving side of one direction.
#[derive(Debug, Default)]
pub(super) enum Opening {
    /// Nothing is encrypted, HMAC fields are not looked at (row TC-20).
    #[default]
    Open,
}

impl Opening {
    /// Whole blocks, in the order in which they came, made plain in place.
    pub(super) fn open(&mut self, _blocks: &mut [u8]) {
        match self {
            Self::Open => {}
        }
    }

    /// Judges the HMAC at the end of a message that was opened whole.
    #[expect(clippy::unnecessary_wraps, reason = "the secured modes refuse here")]
    pub(super) fn verify(&mut self, _message: &[u8]) -> Result<(), Forged> {
        match self {
            Self::Open => Ok(()),
        }
    }
}

/// The sending side of one direction.
#[derive(Debug, Default)]
pub(super) enum Sealing {
    /// Nothing is encrypted, HMAC fields stay zero (row TC-20).
    #[default]
    Open,
}

impl Sealing {
    /// Writes the HMAC into the last block of a whole message and encrypts it.
    pub(super) fn seal(&mut self, _message: &mut [u8]) {
        match self {
            Self::Open => {}
        }
    }
}
