//! Certificates and private keys of files in PEM.

use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use twinpath_runtime::keys::KeyFile;
use zeroize::Zeroizing;

use super::access::secret_file;
use crate::failure::Failure;
use crate::files;

/// Octets of a file of certificates.
const MOST_OCTETS: u64 = 1 << 20;

/// The certificates of a file, at least one.
pub(super) struct Certificates {
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Of the file.
    pub(super) digest: [u8; 32],
}

/// A file with a private key.
struct KeyPem(Zeroizing<Vec<u8>>);

#[derive(Debug, thiserror::Error)]
#[error("no private key in PEM")]
struct NoKey;

impl KeyFile for KeyPem {
    type Fault = NoKey;
    const MOST_OCTETS: usize = 65_536;

    fn parse(text: &[u8]) -> Result<Self, (usize, NoKey)> {
        // Its errors may quote what is there.
        PrivateKeyDer::from_pem_slice(text).map_err(|_| (1, NoKey))?;
        Ok(Self(Zeroizing::new(text.to_vec())))
    }

    fn count(&self) -> usize {
        1
    }
}

/// What is wrong with a file.
pub(super) fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::could_not(format!("{}: {error}", path.display()))
}

/// Reads certificates.
///
/// # Errors
/// The file cannot be read, is too large, or has no certificate.
pub(super) fn certificates(path: &Path) -> Result<Certificates, Failure> {
    let cannot_read = |error: &dyn std::fmt::Display| {
        Failure::could_not(format!("cannot read {}: {error}", path.display()))
    };
    let file = files::open(path).map_err(|error| cannot_read(&error))?;
    let mut octets = Vec::new();
    let read = file.take(MOST_OCTETS + 1).read_to_end(&mut octets);
    read.map_err(|error| cannot_read(&error))?;
    if octets.len() as u64 > MOST_OCTETS {
        return Err(wrong(path, &"more than 1 MiB of certificates"));
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(Certificates {
            chain,
            digest: Sha256::digest(&octets).into(),
        }),
        Ok(_) | Err(_) => Err(wrong(path, &"no certificate in PEM")),
    }
}

impl Certificates {
    /// The authorities of this file.
    ///
    /// # Errors
    /// One of them cannot be an authority.
    pub(super) fn roots(self, path: &Path) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        for certificate in self.chain {
            let added = roots.add(certificate);
            added.map_err(|error| wrong(path, &error))?;
        }
        Ok(roots)
    }
}

/// Reads a private key, which other users must not be able to read, and the digest of its file.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, [u8; 32]), Failure> {
    let pem: KeyPem = secret_file(path, "write the private key of the certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(&pem.0).map_err(|_| wrong(path, &NoKey))?;
    Ok((key, Sha256::digest(&pem.0).into()))
}
