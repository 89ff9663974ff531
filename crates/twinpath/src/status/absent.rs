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

    /// Nobody asks.
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
