//! The sockets of micro-sessions (RFC 9534): one on each member link, all at the same port.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use twinpath_net::{BindError, TestSocket};

use crate::error::StartError;

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

    /// A socket on it. `open`: a UDP socket, if no other member's session has one.
    pub(super) fn socket(
        &self,
        open: impl FnOnce() -> Result<TestSocket, StartError>,
    ) -> Result<TestSocket, StartError> {
        let mut shared = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        let port = match shared.upgrade() {
            Some(port) => port,
            None => Arc::new(open()?),
        };
        let mut socket = port.over_member(&self.interface)?;
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
