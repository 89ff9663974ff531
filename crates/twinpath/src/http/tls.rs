//! TLS 1.2 and 1.3, and the users that client certificates name.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use twinpath_runtime::keys::KeyFile;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::Zeroizing;

use super::access::{TlsFiles, secret_file};
use crate::failure::Failure;
use crate::files;

/// Whether this program has TLS.
pub(crate) const HAS_TLS: bool = true;
/// The fault of a configuration with TLS in a program without it.
pub(crate) const WITHOUT: &str = "";
/// Octets of a file of certificates.
const MOST_OCTETS: u64 = 1 << 20;
/// Octets of a user's name.
const MOST_NAME: usize = 255;

/// The certificate of a server, its key, and whose clients it knows.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    /// Of all files.
    digest: [u8; 32],
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tls {}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A stream of TLS over another one.
pub(super) type Encrypted<S> = tokio_rustls::server::TlsStream<S>;

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

impl Tls {
    /// Reads the files. Other users must not be able to read the key.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, Failure> {
        let mut digest = Sha256::new();
        let chain = certificates(&files.certificate, &mut digest)?;
        let key: KeyPem = secret_file(
            &files.key,
            "write the private key of the certificate in PEM",
        )?;
        digest.update(Sha256::digest(&key.0));
        let key = PrivateKeyDer::from_pem_slice(&key.0);
        let key = key.map_err(|_| wrong(&files.key, &NoKey))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::could_not(format!("tls: {error}")))?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(roots(path, &mut digest)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                // A client without a certificate may have a token.
                let verifier = verifier.allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(|error| wrong(path, &error))?)
            }
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| {
            let key = files.key.display();
            wrong(&files.certificate, &format!("{error} (with the key {key})"))
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            digest: digest.finalize().into(),
        })
    }

    /// The handshake of a connection, and the user that the certificate of its client names.
    ///
    /// # Errors
    /// It failed.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<(Encrypted<S>, Option<Arc<str>>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.acceptor.accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        let user = certificate.and_then(|certificate| subject(certificate));
        Ok((stream, user))
    }
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::could_not(format!("{}: {error}", path.display()))
}

/// All certificates of a file, at least one.
fn certificates(path: &Path, digest: &mut Sha256) -> Result<Vec<CertificateDer<'static>>, Failure> {
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
    digest.update(Sha256::digest(&octets));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(wrong(path, &"no certificate in PEM")),
    }
}

/// The authorities of a file.
fn roots(path: &Path, digest: &mut Sha256) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, digest)? {
        let added = roots.add(certificate);
        added.map_err(|error| wrong(path, &error))?;
    }
    Ok(roots)
}

/// The common name of a certificate's subject, or where it has none its first alternative name.
fn subject(certificate: &[u8]) -> Option<Arc<str>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let certificate = certificate.tbs_certificate();
    let name: String = if let Some(name) = certificate.subject().common_name().ok()? {
        name.into()
    } else {
        let (_, names): (bool, SubjectAltName) = certificate.get_extension().ok()??;
        alternative(names.0.first()?)?
    };
    let is_plain = !name.is_empty() && name.len() <= MOST_NAME && !name.contains(char::is_control);
    is_plain.then(|| name.into())
}

fn alternative(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Rfc822Name(text)
        | GeneralName::DnsName(text)
        | GeneralName::UniformResourceIdentifier(text) => Some(text.as_str().to_owned()),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(|it| std::net::IpAddr::from(it).to_string());
            let v6 =
                || <[u8; 16]>::try_from(octets).map(|it| std::net::IpAddr::from(it).to_string());
            v4.or_else(|_| v6()).ok()
        }
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::RegisteredId(_) => None,
    }
}
