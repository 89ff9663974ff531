//! Batches of datagrams: allocated once, reused for every call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use twinpath_wire::{Arrival, Rung, Stamp, Wall};

#[cfg(linux_sockets)]
use crate::os::linux::headers::Headers;
use crate::packet::Outbound;

/// The most datagrams in a batch.
const SLOTS: usize = 1024;

/// Slots of equal size. The system maps their pages when they are first written, so large slots take
/// address space but not memory.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) data: Box<[u8]>,
    pub(crate) octets: usize,
}

impl Slots {
    fn new(slots: usize, octets: usize) -> Self {
        Self {
            data: vec![0; slots * octets].into_boxed_slice(),
            octets,
        }
    }

    pub(crate) fn slot(&mut self, index: usize) -> Option<&mut [u8]> {
        let start = index * self.octets;
        self.data.get_mut(start..start + self.octets)
    }

    /// The first octets of a slot.
    pub(crate) fn first(&self, index: usize, octets: usize) -> &[u8] {
        let start = index * self.octets;
        let octets = octets.min(self.octets);
        self.data.get(start..start + octets).unwrap_or_default()
    }
}

/// A datagram to send: its index for the caller, its octets and its destination.
pub(crate) type Datagram<'a> = (usize, &'a [u8], &'a Outbound);

/// Slots for a batch of datagrams to send by
/// [`TestSocket::send_batch`](crate::TestSocket::send_batch).
#[derive(Debug)]
pub struct SendBatch {
    pub(crate) slots: Slots,
    /// Length and destination of the datagram in each slot.
    pub(crate) outbound: Box<[Option<(usize, Outbound)>]>,
    #[cfg(linux_sockets)]
    pub(crate) headers: Headers,
}

impl SendBatch {
    /// Room for `slots` datagrams of up to `slot_octets`.
    pub fn new(slots: usize, slot_octets: usize) -> Self {
        let slots = slots.clamp(1, SLOTS);
        Self {
            slots: Slots::new(slots, slot_octets),
            outbound: vec![None; slots].into_boxed_slice(),
            #[cfg(linux_sockets)]
            headers: Headers::new(slots),
        }
    }

    /// The number of slots.
    pub fn slots(&self) -> usize {
        self.outbound.len()
    }

    /// The whole slot, to write a packet into.
    pub fn slot(&mut self, index: usize) -> Option<&mut [u8]> {
        self.slots.slot(index)
    }

    /// Makes the first `octets` of a slot a datagram to `out`.
    pub fn set(&mut self, index: usize, octets: usize, out: Outbound) {
        if let Some(outbound) = self.outbound.get_mut(index) {
            *outbound = Some((octets, out));
        }
    }
}

/// The datagrams in the slots `range`.
pub(crate) fn datagrams<'a>(
    slots: &'a Slots,
    outbound: &'a [Option<(usize, Outbound)>],
    range: Range<usize>,
) -> impl Iterator<Item = Datagram<'a>> + Clone {
    let slotted = outbound.iter().enumerate();
    let within = slotted.take(range.end).skip(range.start);
    within.filter_map(move |(index, outbound)| {
        let (octets, out) = outbound.as_ref()?;
        Some((index, slots.first(index, *octets), out))
    })
}

/// Slots for a batch of received datagrams and their arrivals.
#[derive(Debug)]
pub struct RecvBatch {
    pub(crate) slots: Slots,
    pub(crate) received: Box<[usize]>,
    pub(crate) arrivals: Box<[Arrival]>,
    /// Slots whose datagrams came in fragments, and octets of the largest fragment.
    pub(crate) fragmented: Vec<(usize, u32)>,
    #[cfg(linux_sockets)]
    pub(crate) headers: Headers,
}

/// Before anything was received.
const NOTHING: Arrival = Arrival::new(
    Stamp {
        at: Wall::from_unix_ns(0),
        rung: Rung::User,
    },
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
);

impl RecvBatch {
    /// Room for `slots` datagrams of up to `slot_octets`.
    pub fn new(slots: usize, slot_octets: usize) -> Self {
        let slots = slots.clamp(1, SLOTS);
        Self {
            #[cfg(linux_sockets)]
            headers: Headers::new(slots),
            slots: Slots::new(slots, slot_octets),
            received: vec![0; slots].into_boxed_slice(),
            arrivals: vec![NOTHING; slots].into_boxed_slice(),
            fragmented: Vec::new(),
        }
    }

    /// Octets of the largest fragment, with its IP header, that the `index`th datagram of the last call came
    /// in. `None`: it came whole, or the socket does not report it
    /// ([`report_fragments`](crate::TestSocket::report_fragments)).
    pub fn fragment_octets(&self, index: usize) -> Option<u32> {
        let mut fragmented = self.fragmented.iter();
        fragmented.find_map(|(slot, octets)| (*slot == index).then_some(*octets))
    }

    /// The most datagrams received at once.
    pub fn slots(&self) -> usize {
        self.received.len()
    }

    /// The `index`th datagram of the last call: its whole slot, so that a reply can be made in
    /// place, the number of octets received, and its arrival.
    pub fn packet(&mut self, index: usize) -> Option<(&mut [u8], usize, &Arrival)> {
        let received = *self.received.get(index)?;
        let arrival = self.arrivals.get(index)?;
        let slot = self.slots.slot(index)?;
        let received = received.min(slot.len());
        Some((slot, received, arrival))
    }
}
