//! TLS 1.2 and 1.3, and the users that client certificates name.

use std::io;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::access::TlsFiles;
use super::pem;
use crate::failure::Failure;

/// Whether this program has TLS.
pub(crate) const HAS_TLS: bool = true;
/// The fault of a configuration with TLS in a program without it.
pub(crate) const WITHOUT: &str = "";
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

impl Tls {
    /// Reads the files. Other users must not be able to read the key.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, Failure> {
        let mut digest = Sha256::new();
        let certificates = pem::certificates(&files.certificate)?;
        digest.update(certificates.digest);
        let (key, key_digest) = pem::private_key(&files.key)?;
        digest.update(key_digest);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::could_not(format!("tls: {error}")))?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let authorities = pem::certificates(path)?;
                digest.update(authorities.digest);
                let roots = Arc::new(authorities.roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                // A client without a certificate may have a token.
                let verifier = verifier.allow_unauthenticated().build();
                builder
                    .with_client_cert_verifier(verifier.map_err(|error| pem::wrong(path, &error))?)
            }
        };
        let config = builder.with_single_cert(certificates.chain, key);
        let mut config = config.map_err(|error| {
            let key = files.key.display();
            pem::wrong(&files.certificate, &format!("{error} (with the key {key})"))
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
