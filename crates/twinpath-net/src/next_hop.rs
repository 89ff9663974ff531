//! Next hops of what is sent over a member of a link: the EUI-48 addresses of far ends on the link, as
//! the kernel's table of neighbours has them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(linux_sockets)]
use crate::error::SendError;
use crate::{interface, os};

/// Where an empty datagram goes for which the kernel looks for the neighbour: the discard service.
const DISCARD: u16 = 9;
/// Set where the address is known.
const KNOWN: u64 = 1 << 48;

/// A far end on a link, and its EUI-48 address there. Frames that come teach nothing: only what the
/// kernel knows counts.
#[derive(Debug)]
pub struct NextHop {
    link: String,
    far: IpAddr,
    /// [`KNOWN`], and the address in the lower bits.
    mac: AtomicU64,
    is_heard: AtomicBool,
}

impl NextHop {
    /// The far end on the link of this name; its EUI-48 address is not known yet.
    pub fn new(link: &str, far: IpAddr) -> Self {
        Self {
            link: link.to_owned(),
            far,
            mac: AtomicU64::new(0),
            is_heard: AtomicBool::new(false),
        }
    }

    /// The name of the link.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The far end.
    pub fn far(&self) -> IpAddr {
        self.far
    }

    /// Its EUI-48 address, as far as it is known.
    pub fn mac(&self) -> Option<[u8; 6]> {
        let known = self.mac.load(Ordering::Relaxed);
        let [_, _, mac @ ..] = known.to_be_bytes();
        (known & KNOWN != 0).then_some(mac)
    }

    /// Takes its EUI-48 address from the kernel's table. Without an entry the previous address remains in
    /// use.
    pub fn look(&self) -> Option<[u8; 6]> {
        let found = os::neighbour(interface::index_of(&self.link)?, self.far)?;
        let mac = found
            .iter()
            .fold(0, |mac, octet| mac << 8 | u64::from(*octet));
        self.mac.store(mac | KNOWN, Ordering::Relaxed);
        Some(found)
    }

    /// Has the kernel look for it, or confirm what it knows, by an empty datagram to its discard service.
    pub fn ask(&self) {
        let mut to = SocketAddr::new(self.far, DISCARD);
        if let SocketAddr::V6(to) = &mut to {
            to.set_scope_id(interface::index_of(&self.link).unwrap_or(0));
        }
        // Should it fail, packets to the neighbour fail as well, and are counted.
        if let Ok(socket) = os::portable::towards(to, Some(&self.link)) {
            let _ = socket.send(&[]);
        }
    }

    /// A packet from it has come.
    #[cfg(linux_sockets)]
    fn record_packet(&self) {
        if !self.is_heard.load(Ordering::Relaxed) {
            self.is_heard.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a packet from it has come since this was called last.
    pub fn take_heard(&self) -> bool {
        self.is_heard.swap(false, Ordering::Relaxed)
    }
}

/// The next hops of a socket over a member, one for each far end.
#[derive(Debug, Default)]
pub struct NextHops(Mutex<HashMap<IpAddr, Arc<NextHop>>>);

impl NextHops {
    /// Has packets to this far end sent there.
    pub fn insert(&self, hop: Arc<NextHop>) {
        self.lock().insert(hop.far(), hop);
    }

    /// Nothing is sent to this far end any more.
    pub fn remove(&self, far: IpAddr) {
        self.lock().remove(&far);
    }

    /// Where packets to this far end go.
    #[cfg(linux_sockets)]
    pub(crate) fn mac(&self, far: IpAddr) -> Result<[u8; 6], SendError> {
        let hops = self.lock();
        let mac = hops.get(&far).and_then(|hop| hop.mac());
        mac.ok_or(SendError::NoNeighbour)
    }

    /// A packet from there has come.
    #[cfg(linux_sockets)]
    pub(crate) fn record_packet(&self, from: IpAddr) {
        if let Some(hop) = self.lock().get(&from) {
            hop.record_packet();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<NextHop>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, linux_sockets))]
mod tests {
    use super::*;

    #[test]
    fn each_far_end_has_an_address_of_its_own_and_frames_change_none() {
        let hops = NextHops::default();
        let [one, other]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        for (far, mac) in [(one, 0x0200_0000_0001), (other, 0x0200_0000_0002)] {
            let hop = NextHop::new("lo", far);
            assert_eq!(hop.mac(), None);
            hop.mac.store(mac | KNOWN, Ordering::Relaxed);
            hops.insert(Arc::new(hop));
        }
        hops.record_packet(one);
        assert_eq!(hops.mac(one), Ok([2, 0, 0, 0, 0, 1]));
        assert_eq!(hops.mac(other), Ok([2, 0, 0, 0, 0, 2]));
        let heard = |far| hops.lock().get(&far).unwrap().take_heard();
        assert_eq!([heard(one), heard(one), heard(other)], [true, false, false]);
        hops.remove(one);
        assert_eq!(hops.mac(one), Err(SendError::NoNeighbour));
        // Loopback has no neighbours.
        assert_eq!(NextHop::new("lo", one).look(), None);
    }
}
