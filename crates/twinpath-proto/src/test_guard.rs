//! Protection of test packets, as the engines use it: without access to keys.

use std::fmt;
use std::sync::Arc;

use crate::stamp::StampKey;

/// How a secured mode protects the headers of one session's test packets, of TWAMP or STAMP.
pub(crate) trait PacketProtection: Send + Sync {
    /// The mode's name.
    fn name(&self) -> &'static str;

    /// Whether the HMAC covers all of a header.
    fn covers_headers(&self) -> bool {
        false
    }

    /// Prepares a header as far as possible before the timestamp is written.
    fn prepare(&self, _header: &mut [u8]) {}

    /// Seals a header once the timestamp is written.
    fn finish(&self, _header: &mut [u8]) {}

    /// Decrypts a received header, and checks its HMAC.
    fn open(&self, header: &mut [u8]) -> Result<(), PacketFault>;
}

/// The protection of one session's test packets, both ways; by default none, as in the
/// unauthenticated and the mixed mode (RFC 5618).
#[derive(Clone, Default)]
pub struct TestGuard(Option<Arc<dyn PacketProtection>>);

/// STAMP's authenticated mode: nothing is encrypted, and the HMAC covers all before it (RFC 8762
/// section 4.4).
impl PacketProtection for StampKey {
    fn name(&self) -> &'static str {
        "authenticated"
    }

    fn covers_headers(&self) -> bool {
        true
    }

    fn finish(&self, header: &mut [u8]) {
        self.seal(header);
    }

    fn open(&self, header: &mut [u8]) -> Result<(), PacketFault> {
        if self.opens(header) {
            Ok(())
        } else {
            Err(PacketFault::Forged)
        }
    }
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketFault {
    /// It is shorter than its header.
    Short,
    /// Its HMAC is wrong.
    Forged,
}

impl TestGuard {
    #[cfg(feature = "control")]
    pub(crate) fn sealed(seal: Arc<dyn PacketProtection>) -> Self {
        Self(Some(seal))
    }

    /// That of STAMP's authenticated mode.
    pub fn stamp(key: StampKey) -> Self {
        Self(Some(Arc::new(key)))
    }

    /// Whether packets are protected.
    pub fn is_secured(&self) -> bool {
        self.0.is_some()
    }

    /// Seals the header of a packet whose timestamp is written.
    pub fn seal_header(&self, header: &mut [u8]) {
        self.prepare(header);
        self.finish(header);
    }

    /// The decrypted header of a received packet; `None`: it is too short, or its HMAC is wrong.
    pub fn open_header<const HEADER: usize>(&self, packet: &[u8]) -> Option<[u8; HEADER]> {
        self.open(packet).ok()
    }

    pub(crate) fn covers_headers(&self) -> bool {
        self.0.as_ref().is_some_and(|seal| seal.covers_headers())
    }

    pub(crate) fn prepare(&self, header: &mut [u8]) {
        if let Some(seal) = &self.0 {
            seal.prepare(header);
        }
    }

    pub(crate) fn finish(&self, header: &mut [u8]) {
        if let Some(seal) = &self.0 {
            seal.finish(header);
        }
    }

    /// The decrypted header of a received packet, if its HMAC is right. The packet is unchanged.
    pub(crate) fn open<const HEADER: usize>(
        &self,
        packet: &[u8],
    ) -> Result<[u8; HEADER], PacketFault> {
        let mut header = *packet.first_chunk::<HEADER>().ok_or(PacketFault::Short)?;
        if let Some(seal) = &self.0 {
            seal.open(&mut header)?;
        }
        Ok(header)
    }
}

impl fmt::Debug for TestGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}]",
            self.0.as_ref().map_or("open", |seal| seal.name())
        )
    }
}
