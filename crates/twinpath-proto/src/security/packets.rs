//! Test packets in the secured modes (RFC 4656 section 4.1.2, RFC 5357 section 4.2.1; rows TT-29 to
//! TT-35).
//!
//! A secured header ends with its HMAC: 48 octets in a request, 112 in a reply. The authenticated
//! mode encrypts and covers only the first block, the encrypted mode everything before the HMAC.
//! The HMAC itself and the padding are neither encrypted nor covered.

use std::sync::Arc;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Dec, Aes128Enc};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};
use hmac::Mac as _;
use twinpath_wire::control::{Modes, SecurityMode, Sid};
use zeroize::Zeroizing;

use crate::test_guard::{PacketFault, PacketProtection, TestGuard};

use super::{Mac, SessionKeys, TAG, blocks, keyed, off_stack, write_tag};

/// One AES block.
const BLOCK: usize = 16;

/// The keys of one test session, ready for use (rows TT-29 to TT-31).
struct TestKeys {
    enc: Aes128Enc,
    dec: Aes128Dec,
    mac: Mac,
}

impl TestKeys {
    fn derive(session: &SessionKeys, sid: Sid) -> Self {
        let by_sid = Aes128Enc::new(&sid.0.into());
        let mut aes = Zeroizing::new(*session.aes());
        by_sid.encrypt_blocks(blocks(aes.as_mut_slice()));
        let mut hmac = Zeroizing::new(*session.hmac());
        chain(&by_sid).encrypt_blocks(blocks(hmac.as_mut_slice()));
        Self {
            enc: Aes128Enc::new((&*aes).into()),
            dec: Aes128Dec::new((&*aes).into()),
            mac: keyed(&hmac),
        }
    }

    fn mac(&self, covered: &[u8]) -> Mac {
        self.mac.clone().chain_update(covered)
    }

    fn verify(&self, covered: &[u8], field: &[u8; TAG]) -> Result<(), PacketFault> {
        let judged = self.mac(covered).verify_truncated_left(field);
        judged.map_err(|_| PacketFault::Forged)
    }
}

/// CBC with an IV of 0: each packet is a chain of its own.
fn chain(enc: &Aes128Enc) -> cbc::Encryptor<&Aes128Enc> {
    cbc::Encryptor::inner_iv_init(enc, &[0; BLOCK].into())
}

/// Only the first block is encrypted and covered.
struct Authenticated(TestKeys);

impl PacketProtection for Authenticated {
    fn name(&self) -> &'static str {
        "authenticated"
    }

    fn prepare(&self, header: &mut [u8]) {
        let Some((plain, field)) = header.split_last_chunk_mut::<TAG>() else {
            return;
        };
        if let Some(first) = plain.get_mut(..BLOCK) {
            write_tag(self.0.mac(first), field);
            self.0.enc.encrypt_blocks(blocks(first));
        }
    }

    fn open(&self, header: &mut [u8]) -> Result<(), PacketFault> {
        let (plain, field) = header
            .split_last_chunk_mut::<TAG>()
            .ok_or(PacketFault::Short)?;
        let first = plain.get_mut(..BLOCK).ok_or(PacketFault::Short)?;
        self.0.dec.decrypt_blocks(blocks(first));
        self.0.verify(first, field)
    }
}

/// Everything before the HMAC is encrypted and covered.
struct Encrypted(TestKeys);

impl PacketProtection for Encrypted {
    fn name(&self) -> &'static str {
        "encrypted"
    }

    fn covers_headers(&self) -> bool {
        true
    }

    fn finish(&self, header: &mut [u8]) {
        if let Some((plain, field)) = header.split_last_chunk_mut::<TAG>() {
            write_tag(self.0.mac(plain), field);
            chain(&self.0.enc).encrypt_blocks(blocks(plain));
        }
    }

    fn open(&self, header: &mut [u8]) -> Result<(), PacketFault> {
        let (plain, field) = header
            .split_last_chunk_mut::<TAG>()
            .ok_or(PacketFault::Short)?;
        let mut chain = cbc::Decryptor::inner_iv_init(&self.0.dec, &[0; BLOCK].into());
        chain.decrypt_blocks(blocks(plain));
        self.0.verify(plain, field)
    }
}

impl TestGuard {
    /// The guard of session `sid` on a connection in `modes` with these keys.
    pub(crate) fn new(modes: Modes, session: &SessionKeys, sid: Sid) -> Self {
        let keys = || TestKeys::derive(session, sid);
        match modes.security() {
            Some(SecurityMode::Authenticated) => {
                Self::sealed(off_stack(|| Arc::new(Authenticated(keys()))))
            }
            Some(SecurityMode::Encrypted) => {
                Self::sealed(off_stack(|| Arc::new(Encrypted(keys()))))
            }
            Some(SecurityMode::Unauthenticated | SecurityMode::Mixed) | None => Self::default(),
        }
    }

    /// The guard of session `sid` on a connection in `modes` with these keys, for a peer without an engine.
    pub fn with_keys(modes: Modes, session: &SessionKeys, sid: Sid) -> Self {
        Self::new(modes, session, sid)
    }
}
