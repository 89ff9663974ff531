//! Octets that nobody can foretell, from the system.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use twinpath_proto::control::Nonces;

/// The system's source.
#[derive(Debug)]
pub(super) struct Random {
    device: Option<File>,
}

impl Random {
    pub(super) fn new() -> Self {
        Self {
            device: File::open("/dev/urandom").ok(),
        }
    }

    /// For a new connection.
    pub(super) fn nonces(&self) -> Nonces {
        Nonces {
            challenge: self.octets(),
            salt: self.octets(),
            server_iv: self.octets(),
        }
    }

    /// For a new session.
    pub(super) fn number(&self) -> u32 {
        u32::from_ne_bytes(self.octets())
    }

    fn octets<const N: usize>(&self) -> [u8; N] {
        let mut octets = [0; N];
        let read = self
            .device
            .as_ref()
            .map(|mut device| device.read_exact(&mut octets));
        if !matches!(read, Some(Ok(()))) {
            // Each is keyed anew by the system, as far as std goes.
            for (place, chunk) in octets.chunks_mut(8).enumerate() {
                let word = RandomState::new().hash_one(place).to_ne_bytes();
                for (octet, random) in chunk.iter_mut().zip(word) {
                    *octet = random;
                }
            }
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_connections_get_the_same_octets() {
        for random in [Random::new(), Random { device: None }] {
            let (one, two) = (random.nonces(), random.nonces());
            assert_ne!(one.challenge, two.challenge);
            assert_ne!(one.salt, two.salt);
            assert_ne!(one.server_iv, one.challenge);
            assert_ne!(one.challenge[..8], one.challenge[8..]);
        }
    }
}
