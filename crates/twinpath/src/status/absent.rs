//! A program without control sockets.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::args::ControlSocketOptions;
use crate::failure::Failure;

/// None.
pub(crate) struct ControlSocket;

impl ControlSocket {
    /// Nothing is opened.
    ///
    /// # Errors
    /// None.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "where there are sockets, one may not be had"
    )]
    pub(crate) fn open(
        _: &ControlSocketOptions,
        _: &'static str,
        _: &[SocketAddr],
    ) -> Result<(Self, Option<String>), Failure> {
        Ok((Self, None))
    }

    /// It is nowhere.
    pub(crate) fn place(_: &ControlSocketOptions) -> Option<PathBuf> {
        None
    }

    /// Never asked.
    #[expect(clippy::unused_self, reason = "where there are sockets, it has one")]
    pub(crate) fn answer(&mut self, _: impl FnOnce(&str) -> Vec<u8>) {}
}

/// Nothing.
pub(crate) fn responder<S>(_: &str, _: &S) -> Vec<u8> {
    Vec::new()
}

/// Nothing.
#[cfg(feature = "control")]
pub(crate) fn server<S>(_: &str, _: &S) -> Vec<u8> {
    Vec::new()
}
