//! A program without TLS.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use super::access::TlsFiles;
use crate::failure::Failure;

/// Whether this program has TLS.
pub(crate) const HAS_TLS: bool = false;

/// None.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls(Infallible);

/// A stream as it is.
pub(super) type Encrypted<S> = S;

impl Tls {
    /// It fails: this program is built without TLS.
    ///
    /// # Errors
    /// That.
    pub(super) fn read(_: &TlsFiles) -> Result<Self, Failure> {
        Err(Failure::usage(WITHOUT))
    }

    /// Never called.
    #[expect(clippy::unused_async, reason = "where there is TLS, it waits")]
    pub(super) async fn accept<S>(&self, _: S) -> io::Result<(Encrypted<S>, Option<Arc<str>>)> {
        match self.0 {}
    }
}

/// The fault of a configuration with TLS.
pub(crate) const WITHOUT: &str =
    "tls: this program is built without TLS: build it with the feature tls, or leave tls out";
