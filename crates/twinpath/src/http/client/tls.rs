//! TLS 1.2 and 1.3 to servers whose names are verified (RFC 9525).

mod words;

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::EndpointOptions;
use crate::failure::Failure;
use crate::http::pem;

pub(super) use words::words;

/// Whether this program has TLS.
pub(super) const HAS_TLS: bool = true;

/// How long the authorities of the system are used before they are read again.
const SYSTEM_ROOTS_AGE: Duration = Duration::from_hours(1);

/// The authorities of the system, and when they were read.
static SYSTEM_ROOTS: Mutex<Option<(Instant, Arc<RootCertStore>)>> = Mutex::new(None);

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unusable(pub(super) Failure);

/// Whether a certificate can be for this name or address.
pub(super) fn is_name(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}

/// A file of these options that cannot be used.
pub(super) fn lacks(options: &EndpointOptions) -> Option<Failure> {
    let roots = match &options.ca {
        Some(path) => pem::certificates(path).and_then(|it| it.roots(path)),
        None => Ok(RootCertStore::empty()),
    };
    roots
        .and_then(|roots| config(options, Arc::new(roots)))
        .err()
}

/// The handshake with a server of this name, by the files as they are now.
///
/// # Errors
/// It failed, or a file cannot be used.
pub(super) async fn connect(
    host: &str,
    options: &EndpointOptions,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, Box<dyn Error + Send + Sync>> {
    let roots = match &options.ca {
        Some(path) => pem::certificates(path)
            .and_then(|it| it.roots(path))
            .map(Arc::new),
        None => system_roots(),
    };
    let config = roots.and_then(|roots| config(options, roots));
    let connector = TlsConnector::from(Arc::new(config.map_err(Unusable)?));
    let name = ServerName::try_from(host.to_owned())?;
    Ok(connector.connect(name, stream).await?)
}

fn config(options: &EndpointOptions, roots: Arc<RootCertStore>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::could_not(format!("TLS: {error}")))?
        .with_root_certificates(roots);
    let mut config = match (&options.certificate, &options.key) {
        (Some(path), Some(key)) => {
            let chain = pem::certificates(path)?.chain;
            let (private, _) = pem::private_key(key)?;
            let config = builder.with_client_auth_cert(chain, private);
            config.map_err(|error| {
                pem::wrong(path, &format!("{error} (with the key {})", key.display()))
            })?
        }
        (Some(_), None) | (None, _) => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn system_roots() -> Result<Arc<RootCertStore>, Failure> {
    let mut known = SYSTEM_ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((at, roots)) = known.as_ref()
        && at.elapsed() < SYSTEM_ROOTS_AGE
    {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems have certificates that cannot be authorities among them.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let line = match found.errors.first() {
            Some(error) => format!("no certificates of authorities on this host: {error}"),
            None => "no certificates of authorities on this host".to_owned(),
        };
        let remedy = "install them (ca-certificates), or add ca";
        return Err(Failure::could_not(line).with_remedy(Some(remedy)));
    }
    let roots = Arc::new(roots);
    *known = Some((Instant::now(), Arc::clone(&roots)));
    Ok(roots)
}
