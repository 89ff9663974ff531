//! A batch of received datagrams: allocated once, reused for every call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_wire::{Arrival, Rung, Stamp, Wall};

#[cfg(linux_sockets)]
use crate::os::linux::headers::Headers;

/// Slots for a batch of datagrams and their arrivals. Octets are touched only when packets arrive,
/// so large slots take address space but not memory.
#[derive(Debug)]
pub struct RecvBatch {
    pub(crate) data: Box<[u8]>,
    pub(crate) slot_octets: usize,
    pub(crate) received: Box<[usize]>,
    pub(crate) arrivals: Box<[Arrival]>,
    #[cfg(linux_sockets)]
    pub(crate) headers: Headers,
}

/// Before anything was received.
const NOTHING: Arrival = Arrival {
    at: Stamp {
        at: Wall::from_unix_ns(0),
        rung: Rung::User,
    },
    from: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    to: None,
    to_port: 0,
    ttl: None,
    tos: None,
    interface: 0,
    truncated: false,
};

impl RecvBatch {
    /// Room for `slots` datagrams of up to `slot_octets`.
    pub fn new(slots: usize, slot_octets: usize) -> Self {
        let slots = slots.clamp(1, 1024);
        Self {
            #[cfg(linux_sockets)]
            headers: Headers::new(slots),
            // A zeroed allocation, whose pages the system maps when they are first written.
            data: vec![0; slots * slot_octets].into_boxed_slice(),
            slot_octets,
            received: vec![0; slots].into_boxed_slice(),
            arrivals: vec![NOTHING; slots].into_boxed_slice(),
        }
    }

    /// The most datagrams received at once.
    pub fn slots(&self) -> usize {
        self.received.len()
    }

    /// The first octets of a slot.
    pub(crate) fn octets(&self, index: usize, octets: usize) -> &[u8] {
        let start = index * self.slot_octets;
        self.data.get(start..start + octets).unwrap_or_default()
    }

    /// The `index`th datagram of the last call: its whole slot, so that a reply can be made in
    /// place, the number of octets received, and its arrival.
    pub fn packet(&mut self, index: usize) -> Option<(&mut [u8], usize, &Arrival)> {
        let received = *self.received.get(index)?;
        let arrival = self.arrivals.get(index)?;
        let start = index * self.slot_octets;
        let slot = self.data.get_mut(start..start + self.slot_octets)?;
        Some((slot, received.min(self.slot_octets), arrival))
    }
}
