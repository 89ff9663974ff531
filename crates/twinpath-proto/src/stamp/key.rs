//! One key, ready for use.

use std::fmt;

use hmac::block_api::HmacCore;
use hmac::digest::block_api::{Buffer, CoreProxy as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use twinpath_wire::StampSenderAuthenticated;

use crate::off_stack::off_stack;

/// Octets of an HMAC field: the first of the whole HMAC.
const TAG: usize = 16;
/// What the HMAC of a base packet covers, in a request as in its reply: all before it.
const COVERED: usize = StampSenderAuthenticated::OCTETS - TAG;

/// A key of STAMP: HMAC-SHA-256, truncated to 16 octets (RFC 8762 section 4.4; rows ST-10, ST-49).
///
/// It holds the two SHA-256 states in which every HMAC of this key starts, 80 octets wiped on drop,
/// rather than the key: a packet then costs 3 blocks of SHA-256 rather than 5.
#[derive(Clone)]
pub struct StampKey(HmacCore<Sha256>);

/// A key is too short to protect anything (row ST-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least {least} octets, this one has {0}", least = StampKey::LEAST_OCTETS)]
pub struct KeyTooShort(pub usize);

impl StampKey {
    /// The shortest key: as long as the HMAC on the wire (row ST-11).
    pub const LEAST_OCTETS: usize = 16;

    /// The key with these octets, which the caller wipes.
    ///
    /// # Errors
    /// [`KeyTooShort`]: fewer than [`Self::LEAST_OCTETS`].
    pub fn new(octets: &[u8]) -> Result<Self, KeyTooShort> {
        let short = KeyTooShort(octets.len());
        if octets.len() < Self::LEAST_OCTETS {
            return Err(short);
        }
        let started = off_stack(|| HmacCore::new_from_slice(octets));
        started.map(Self).map_err(|_| short)
    }

    /// The HMAC of `parts`, one after the other.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        let whole = self.mac(parts).finalize().into_bytes();
        tag.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        tag
    }

    /// Whether `tag` is the HMAC of `parts`, compared in constant time.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8; TAG]) -> bool {
        self.mac(parts).verify_truncated_left(tag).is_ok()
    }

    /// Writes the HMAC of a base packet, a request's or a reply's. `packet` may go on behind it;
    /// if it is shorter, nothing is written.
    pub fn seal(&self, packet: &mut [u8]) {
        if let Some((covered, rest)) = packet.split_at_mut_checked(COVERED)
            && let Some(field) = rest.first_chunk_mut()
        {
            *field = self.sign(&[covered]);
        }
    }

    /// Whether the HMAC of a base packet is right. `packet` may go on behind it.
    pub fn opens(&self, packet: &[u8]) -> bool {
        packet
            .split_at_checked(COVERED)
            .is_some_and(|(covered, rest)| {
                rest.first_chunk()
                    .is_some_and(|field| self.verify(&[covered], field))
            })
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        #[cfg(test)]
        COMPUTED.set(COMPUTED.get() + 1);
        let mut mac = Hmac::compose(self.0.clone(), Buffer::<HmacCore<Sha256>>::default());
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
thread_local! {
    /// HMACs that this thread has computed: a packet's cost, for tests.
    pub(crate) static COMPUTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl fmt::Debug for StampKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 4231 sections 4.2, 4.4 to 4.8. Its case 2 has a key of 4 octets.
    #[test]
    fn the_known_answers_of_hmac_sha_256_are_given_cut_to_16_octets() {
        for (key, text, tag) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a7",
            ),
            (
                (1..=25).collect(),
                vec![0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a",
            ),
            (
                vec![0x0c; 20],
                b"Test With Truncation".to_vec(),
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f",
            ),
            (
                vec![0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size \
                  data. The key needs to be hashed before being used by the HMAC algorithm."
                    .to_vec(),
                "9b09ffa71b942fcb27635fbcd5b0e944",
            ),
        ] {
            let key = StampKey::new(&key).unwrap();
            assert_eq!(key.sign(&[&text]).to_vec(), octets(tag));
            let (one, other) = text.split_at(text.len() / 3);
            assert_eq!(
                key.sign(&[one, &[], other]).to_vec(),
                octets(tag),
                "in parts"
            );
        }
    }

    #[test]
    fn a_bit_more_or_less_is_noticed_wherever_it_is() {
        let key = StampKey::new(&[7; 16]).unwrap();
        let mut packet: Vec<u8> = (0..120).collect();
        key.seal(&mut packet);
        assert_eq!(packet[112..], [112, 113, 114, 115, 116, 117, 118, 119]);
        for bit in 0..112 * 8 {
            assert!(key.opens(&packet));
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.opens(&packet), "bit {bit}");
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(!StampKey::new(&[8; 16]).unwrap().opens(&packet));
        assert!(!key.opens(&packet[..111]), "the HMAC is not all there");
        let mut short = [5; 111];
        key.seal(&mut short);
        assert_eq!(short, [5; 111]);
    }

    #[test]
    fn a_key_has_16_octets_or_more_and_is_not_shown() {
        for octets in [0, 1, 15] {
            let refused = StampKey::new(&vec![3; octets]).unwrap_err();
            assert_eq!(refused, KeyTooShort(octets));
        }
        let key = StampKey::new(&[3; 16]).unwrap();
        assert_eq!(format!("{key:?}"), "[key]");
        assert_eq!(
            KeyTooShort(15).to_string(),
            "a key has at least 16 octets, this one has 15"
        );
    }

    #[test]
    fn a_key_takes_80_octets() {
        assert_eq!(size_of::<StampKey>(), 80);
    }
}
