//! A program without NETCONF.

use std::convert::Infallible;
use std::net::SocketAddr;

use super::control::Control;
use super::settings::NetconfSettings;
use crate::failure::Failure;

/// Whether this program has NETCONF.
pub(super) const HAS_NETCONF: bool = false;

/// What is wrong with `[netconf]` in such a program.
pub(super) const WITHOUT: &str = "netconf: this program is built without NETCONF: build it with the feature netconf, or leave [netconf] out";

/// None.
pub(crate) struct NetconfServer(Infallible);

impl NetconfServer {
    /// It fails: this program is built without NETCONF.
    ///
    /// # Errors
    /// That.
    pub(crate) fn start(_: NetconfSettings, _: Control) -> Result<Self, Failure> {
        Err(Failure::usage(WITHOUT))
    }

    /// Never called.
    pub(crate) fn listening(&self) -> SocketAddr {
        match self.0 {}
    }

    /// Never called.
    pub(crate) fn reread(&self) {
        match self.0 {}
    }
}

/// Nothing: such a program has no settings of it.
pub(super) fn lacking(_: &NetconfSettings) -> Vec<(&'static str, Failure)> {
    Vec::new()
}
