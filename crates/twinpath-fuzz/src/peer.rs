//! A peer that knows the keys: what RFC 4656 and RFC 5357 say of HMACs and encryption, written here
//! once more and not by the code that is under test.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit as _};
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

/// Octets of an HMAC as it is in a message.
pub(crate) const TAG: usize = 16;
/// Session keys of every connection here.
pub(crate) const AES: [u8; 16] = [0x11; 16];
pub(crate) const HMAC: [u8; 32] = [0x22; 32];

fn tag(key: &[u8; 32], covered: &[u8]) -> [u8; TAG] {
    let mut mac = <Hmac<Sha1> as hmac::KeyInit>::new_from_slice(key).expect("any length will do");
    mac.update(covered);
    let whole = mac.finalize().into_bytes();
    whole[..TAG].try_into().expect("20 octets")
}

/// Encrypts the whole blocks that these octets are.
fn encrypt(cbc: &mut cbc::Encryptor<Aes128>, octets: &mut [u8]) {
    let (blocks, _) = aes::Block::slice_as_chunks_mut(octets);
    cbc.encrypt_blocks(blocks);
}

/// One direction of a control connection (RFC 4656 sections 3.2 and 3.4).
pub(crate) struct Chain {
    cbc: cbc::Encryptor<Aes128>,
    covered: Vec<u8>,
}

impl Chain {
    pub(crate) fn from_iv(iv: [u8; 16]) -> Self {
        Self {
            cbc: cbc::Encryptor::new(&AES.into(), &iv.into()),
            covered: Vec::new(),
        }
    }

    /// Encrypts what has no HMAC of its own; the next one covers it too.
    pub(crate) fn encrypt(&mut self, octets: &mut [u8]) {
        self.covered.extend_from_slice(octets);
        encrypt(&mut self.cbc, octets);
    }

    /// Writes the HMAC into the last 16 octets of a message, changed by `forgery`, and encrypts it.
    pub(crate) fn seal(&mut self, message: &mut [u8], forgery: u8) {
        let Some((covered, field)) = message.split_last_chunk_mut::<TAG>() else {
            return;
        };
        self.covered.extend_from_slice(covered);
        *field = tag(&HMAC, &std::mem::take(&mut self.covered));
        field[0] ^= forgery;
        encrypt(&mut self.cbc, message);
    }
}

/// The token of a client that has `key` (RFC 4656 section 3.1).
pub(crate) fn token(key: [u8; 16], challenge: [u8; 16]) -> [u8; 64] {
    let mut token = [0; 64];
    token[..16].copy_from_slice(&challenge);
    token[16..32].copy_from_slice(&AES);
    token[32..].copy_from_slice(&HMAC);
    encrypt(
        &mut cbc::Encryptor::new(&key.into(), &[0; 16].into()),
        &mut token,
    );
    token
}

/// The keys of one test session (RFC 5357 section 4.2.1).
pub(crate) struct TestKeys {
    aes: [u8; 16],
    hmac: [u8; 32],
    /// All of a header is encrypted and covered, or its first block alone.
    whole: bool,
}

impl TestKeys {
    pub(crate) fn new(sid: [u8; 16], whole: bool) -> Self {
        let mut aes = aes::Block::from(AES);
        Aes128::new(&sid.into()).encrypt_block(&mut aes);
        let mut hmac = HMAC;
        encrypt(
            &mut cbc::Encryptor::new(&sid.into(), &[0; 16].into()),
            &mut hmac,
        );
        Self {
            aes: aes.into(),
            hmac,
            whole,
        }
    }

    fn covered(&self, header: usize) -> usize {
        if self.whole { header - TAG } else { 16 }
    }

    /// Makes the first `header` octets of a plain packet what goes over the network, its HMAC
    /// changed by `forgery`. A packet that is shorter stays as it is.
    pub(crate) fn seal(&self, packet: &mut [u8], header: usize, forgery: u8) {
        let Some(header) = packet.get_mut(..header) else {
            return;
        };
        let covered = self.covered(header.len());
        let mut tag = tag(&self.hmac, &header[..covered]);
        tag[0] ^= forgery;
        let end = header.len() - TAG;
        header[end..].copy_from_slice(&tag);
        encrypt(
            &mut cbc::Encryptor::new(&self.aes.into(), &[0; 16].into()),
            &mut header[..covered],
        );
    }

    /// Makes a packet plain, and says whether its HMAC is right.
    pub(crate) fn open(&self, packet: &mut [u8], header: usize) -> bool {
        let Some(header) = packet.get_mut(..header) else {
            return false;
        };
        let covered = self.covered(header.len());
        let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut header[..covered]);
        cbc::Decryptor::<Aes128>::new(&self.aes.into(), &[0; 16].into()).decrypt_blocks(blocks);
        let end = header.len() - TAG;
        header[end..] == tag(&self.hmac, &header[..covered])
    }
}
