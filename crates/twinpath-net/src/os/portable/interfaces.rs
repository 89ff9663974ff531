//! This host's interfaces, as far as any system reports them.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::host::{Interfaces, Neighbour};
use crate::os::addresses;

/// This host's addresses; MAC addresses and MTUs are unknown. `None` if the system does not report
/// them.
pub fn interfaces() -> Option<Interfaces> {
    Some(Interfaces {
        addresses: addresses::own_addresses(0)?,
        ..Interfaces::default()
    })
}

/// The neighbours of this host: not known here.
pub fn neighbours(_interface: Option<u32>) -> Option<Vec<Neighbour>> {
    None
}

/// The EUI-48 address of a neighbour: not known here.
pub(crate) fn neighbour(_interface: u32, _address: IpAddr) -> Option<[u8; 6]> {
    None
}

/// The interface that has the addresses of another one's link: not known here.
///
/// # Errors
/// Always.
pub fn link_of(_interface: u32) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The members of a link: not known here.
///
/// # Errors
/// Always.
pub fn members_of(_link: u32) -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Says when interfaces or their addresses have changed: not known here.
#[derive(Debug)]
pub struct InterfaceChanges;

impl InterfaceChanges {
    /// Of changes from now on.
    pub fn watch() -> Self {
        Self
    }

    /// Waits this long. Something may have changed.
    pub fn wait(&self, longest: Duration) -> bool {
        std::thread::sleep(longest);
        true
    }
}
