//! Connections to other servers, as they are or by TLS.

use std::error::Error;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::failure::Failure;

use super::call::CallError;
use super::endpoint::{EndpointFault, EndpointOptions};
use super::exchange::cause;
use super::tls::{self, HAS_TLS};

/// A stream in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A server that is connected to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a> {
    /// A name, or an address without brackets.
    host: &'a str,
    port: u16,
    /// By TLS, with these files.
    tls: Option<&'a EndpointOptions>,
}

impl<'a> Peer<'a> {
    /// One whose connections are not encrypted.
    pub(crate) fn plain(host: &'a str, port: u16) -> Self {
        Self {
            host,
            port,
            tls: None,
        }
    }

    /// One whose connections are by TLS.
    pub(crate) fn tls(host: &'a str, port: u16, options: &'a EndpointOptions) -> Self {
        Self {
            host,
            port,
            tls: Some(options),
        }
    }

    /// Whether TLS with a server of this name, and with these options, is possible.
    ///
    /// # Errors
    /// What to write instead.
    pub(crate) fn check(host: &str, options: &EndpointOptions) -> Result<(), EndpointFault> {
        let advice = if !HAS_TLS {
            "this program is built without TLS: build it with the feature tls, or use a server without TLS"
        } else if !tls::is_name(host) {
            "write a host name or an address that a certificate can be for"
        } else {
            return options.check_certificate();
        };
        Err(EndpointFault {
            option: None,
            advice: advice.to_owned(),
        })
    }

    /// A file of TLS that cannot be used.
    pub(crate) fn lacks(&self) -> Option<Failure> {
        self.tls.and_then(tls::lacks)
    }

    /// Connects.
    ///
    /// # Errors
    /// It does not answer, is not the one that is meant, or a file cannot be used.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, CallError> {
        let stream = TcpStream::connect((self.host, self.port)).await;
        let stream = stream.map_err(|source| CallError::Connect {
            host: self.place(),
            source,
        })?;
        let Some(options) = self.tls else {
            return Ok(Box::new(stream));
        };
        match tls::connect(self.host, options, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(self.failed(error.as_ref())),
        }
    }

    /// Why there is no answer over a connection.
    pub(crate) fn failed(&self, error: &(dyn Error + 'static)) -> CallError {
        if let Some(failure) = error.downcast_ref::<tls::Unusable>() {
            return CallError::File(failure.0.clone());
        }
        let words = self
            .tls
            .and_then(|options| tls::words(error, self.host, options));
        match words {
            Some(what) => CallError::Tls {
                host: self.place(),
                what,
            },
            None => self.broken(cause(error)),
        }
    }

    /// There is no answer for this reason.
    pub(super) fn broken(&self, what: String) -> CallError {
        CallError::Broken {
            host: self.place(),
            what,
        }
    }

    /// The host and its port.
    fn place(&self) -> String {
        let (host, port) = (self.host, self.port);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }
}
