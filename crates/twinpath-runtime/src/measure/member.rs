//! The sockets of micro-sessions (RFC 9534): one on each member link, all at the same port.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use twinpath_net::{BindError, NextHop, TestSocket, host, interface};

use crate::error::StartError;
use crate::neighbours;

/// The member of a link by which a session's packets leave and its replies come.
#[derive(Clone)]
pub struct Member {
    /// Its interface.
    pub interface: String,
    /// What has the port: sessions of several members of one link share it.
    port: Arc<Mutex<Weak<TestSocket>>>,
}

impl Member {
    /// Each of these interfaces; their sessions share a port.
    pub fn of_one_link<'a>(
        interfaces: impl IntoIterator<Item = &'a str>,
    ) -> impl Iterator<Item = Self> {
        let port: Arc<Mutex<Weak<TestSocket>>> = Arc::default();
        interfaces.into_iter().map(move |interface| Self {
            interface: interface.to_owned(),
            port: Arc::clone(&port),
        })
    }

    /// The next hop to a far end on its link, looked for from now on.
    pub(super) fn next_hop(&self, far: IpAddr) -> Result<Arc<NextHop>, StartError> {
        let link = self.link().map_err(|source| BindError::Interface {
            name: self.interface.clone(),
            source,
        })?;
        Ok(neighbours::next_hop(&link, far))
    }

    /// The bond, team or bridge that it is a member of, or itself.
    pub(super) fn link(&self) -> io::Result<String> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let index = interface::index_of(&self.interface).ok_or_else(missing)?;
        interface::name_of(host::link_of(index)?).ok_or_else(missing)
    }

    /// A socket on it, that sends to this far end. `open`: a UDP socket, if no other member's session has
    /// one.
    pub(super) fn socket(
        &self,
        far: IpAddr,
        open: impl FnOnce() -> Result<TestSocket, StartError>,
    ) -> Result<TestSocket, StartError> {
        let mut shared = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        let port = match shared.upgrade() {
            Some(port) => port,
            None => Arc::new(open()?),
        };
        let mut socket = port.over_member(&self.interface)?;
        if let Some(hops) = socket.next_hops() {
            hops.insert(self.next_hop(far)?);
        }
        *shared = Arc::downgrade(&port);
        socket.keep(port).map_err(|source| BindError::Member {
            name: self.interface.clone(),
            source,
        })?;
        Ok(socket)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Member").field(&self.interface).finish()
    }
}
