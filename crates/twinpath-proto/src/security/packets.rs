//! What the secured modes do to test packets (RFC 4656 section 4.1.2, RFC 5357 section 4.2.1; rows
//! TT-29 to TT-35).
//!
//! A secured header ends with its HMAC: 48 octets in a request, 112 in a reply. The authenticated
//! mode encrypts and covers the first block alone, the encrypted mode all that stands before the
//! HMAC. The HMAC itself and the padding are neither encrypted nor covered.

use std::fmt;
use std::sync::Arc;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Dec, Aes128Enc};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};
use hmac::Mac as _;
use twinpath_wire::control::{Modes, SecurityMode, Sid};
use zeroize::Zeroizing;

use super::{Mac, SessionKeys, TAG, blocks, keyed, off_stack, write_tag};

/// One AES block.
const BLOCK: usize = 16;

/// What protects the test packets of one session, both ways.
#[derive(Clone, Default)]
pub struct TestGuard(Guard);

#[derive(Clone, Default)]
enum Guard {
    /// Nothing: the unauthenticated and the mixed mode (RFC 5618).
    #[default]
    Open,
    Authenticated(Arc<TestKeys>),
    Encrypted(Arc<TestKeys>),
}

/// The keys of one test session, ready for use (rows TT-29 to TT-31).
struct TestKeys {
    enc: Aes128Enc,
    dec: Aes128Dec,
    mac: Mac,
}

impl TestKeys {
    fn new(session: &SessionKeys, sid: Sid) -> Arc<Self> {
        off_stack(|| Arc::new(Self::derive(session, sid)))
    }

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
}

/// CBC with an IV of 0: each packet is a chain of its own.
fn chain(enc: &Aes128Enc) -> cbc::Encryptor<&Aes128Enc> {
    cbc::Encryptor::inner_iv_init(enc, &[0; BLOCK].into())
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It is shorter than its header.
    Short,
    /// Its HMAC is wrong.
    Forged,
}

impl TestGuard {
    /// The guard of session `sid` on a connection in `modes` with these keys.
    pub(crate) fn new(modes: Modes, session: &SessionKeys, sid: Sid) -> Self {
        let keys = || TestKeys::new(session, sid);
        Self(match modes.security() {
            Some(SecurityMode::Authenticated) => Guard::Authenticated(keys()),
            Some(SecurityMode::Encrypted) => Guard::Encrypted(keys()),
            Some(SecurityMode::Unauthenticated | SecurityMode::Mixed) | None => Guard::Open,
        })
    }

    /// A guard from keys that were agreed on elsewhere: for tests and benchmarks.
    #[doc(hidden)]
    pub fn with_keys(modes: Modes, session: &SessionKeys, sid: Sid) -> Self {
        Self::new(modes, session, sid)
    }

    /// Packets are protected.
    pub fn is_secured(&self) -> bool {
        !matches!(self.0, Guard::Open)
    }

    /// The HMAC covers all of a header: the encrypted mode.
    pub(crate) fn covers_headers(&self) -> bool {
        matches!(self.0, Guard::Encrypted(_))
    }

    /// What can be done before the timestamp is written: in the authenticated mode, all of it.
    pub(crate) fn prepare(&self, header: &mut [u8]) {
        let Guard::Authenticated(keys) = &self.0 else {
            return;
        };
        let Some((plain, field)) = header.split_last_chunk_mut::<TAG>() else {
            return;
        };
        if let Some(first) = plain.get_mut(..BLOCK) {
            write_tag(keys.mac(first), field);
            keys.enc.encrypt_blocks(blocks(first));
        }
    }

    /// What needs the timestamp: the HMAC and the encryption of the encrypted mode.
    pub(crate) fn finish(&self, header: &mut [u8]) {
        let Guard::Encrypted(keys) = &self.0 else {
            return;
        };
        if let Some((plain, field)) = header.split_last_chunk_mut::<TAG>() {
            write_tag(keys.mac(plain), field);
            chain(&keys.enc).encrypt_blocks(blocks(plain));
        }
    }

    /// The header of a packet that came, made plain, once its HMAC is found right. The packet is
    /// left as it is.
    pub(crate) fn open<const HEADER: usize>(
        &self,
        packet: &[u8],
    ) -> Result<[u8; HEADER], Unopened> {
        let mut header = *packet.first_chunk::<HEADER>().ok_or(Unopened::Short)?;
        let keys = match &self.0 {
            Guard::Open => return Ok(header),
            Guard::Authenticated(keys) | Guard::Encrypted(keys) => keys,
        };
        let (plain, field) = header
            .split_last_chunk_mut::<TAG>()
            .ok_or(Unopened::Short)?;
        let covered = match &self.0 {
            Guard::Encrypted(_) => {
                let mut chain = cbc::Decryptor::inner_iv_init(&keys.dec, &[0; BLOCK].into());
                chain.decrypt_blocks(blocks(plain));
                plain
            }
            Guard::Open | Guard::Authenticated(_) => {
                let first = plain.get_mut(..BLOCK).ok_or(Unopened::Short)?;
                keys.dec.decrypt_blocks(blocks(first));
                first
            }
        };
        let judged = keys.mac(covered).verify_truncated_left(field);
        judged.map(|()| header).map_err(|_| Unopened::Forged)
    }
}

impl fmt::Debug for TestGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Guard::Open => "[open]",
            Guard::Authenticated(_) => "[authenticated]",
            Guard::Encrypted(_) => "[encrypted]",
        })
    }
}
