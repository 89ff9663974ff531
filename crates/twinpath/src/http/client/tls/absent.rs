//! A program without TLS: no URL with https is taken.

use std::error::Error;

use tokio::net::TcpStream;

use super::EndpointOptions;
use crate::failure::Failure;

/// Whether this program has TLS.
pub(super) const HAS_TLS: bool = false;

/// Never made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unusable(pub(super) Failure);

/// All names are taken.
pub(super) fn is_name(_: &str) -> bool {
    true
}

/// No file is needed.
pub(super) fn lacks(_: &EndpointOptions) -> Option<Failure> {
    None
}

/// Never called.
///
/// # Errors
/// Each time.
#[expect(clippy::unused_async, reason = "where there is TLS, it waits")]
pub(super) async fn connect(
    _: &str,
    _: &EndpointOptions,
    _: TcpStream,
) -> Result<TcpStream, Box<dyn Error + Send + Sync>> {
    Err("this program is built without TLS".into())
}

/// No error is of TLS.
pub(super) fn words(_: &(dyn Error + 'static), _: &str, _: &EndpointOptions) -> Option<String> {
    None
}
