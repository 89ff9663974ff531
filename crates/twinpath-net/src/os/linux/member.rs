//! A socket over one member of a link: of a bond, a team, a bridge. Addresses and routes are the link's,
//! so a UDP socket can neither choose the member by which its packets leave nor tell by which one a
//! packet came. A packet socket on the member does both; a UDP socket beside it has the port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use socket2::{Domain, Type};
use twinpath_wire::{Arrival, Stamp, Tos};

use super::control::messages;
use super::datagram::{Headers, Received};
use super::names::Name;
use super::socket::Socket;
use super::{filter, headers, netlink, system};
use crate::batch::Slots;
use crate::error::{BindError, SendError};
use crate::next_hop::NextHops;
use crate::options::{Role, SocketOptions};
use crate::packet::{Outbound, QueueEvent};
use crate::socket::TestSocket;
use crate::{interface, os};

/// Of packet sockets (`linux/if_packet.h`).
const AUXDATA: libc::c_int = 8;
const IGNORE_OUTGOING: libc::c_int = 23;
const CHECKSUM_NOT_READY: u32 = 1 << 3;
const CHECKSUM_VALID: u32 = 1 << 7;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ALL: u16 = 0x0003;

/// What a socket over a member has beside others.
#[derive(Debug)]
pub(super) struct Member {
    /// The member's number, and the one that it had first, which arrivals tell.
    index: u32,
    first_index: u32,
    /// The link that it is a member of.
    link: u32,
    /// The address of packets that have no other, and the port of all.
    near: (IpAddr, u16),
    ttl: u8,
    /// Of a sender: where it sends to. A reflector's replies name their next hops.
    hops: Option<Arc<NextHops>>,
    /// The UDP socket that has the port and gets ICMP errors, unless another owner keeps it.
    port: Option<Arc<TestSocket>>,
}

impl Socket {
    /// Over this member, beside a UDP socket with these options, which has the port.
    pub(crate) fn over_member(options: &SocketOptions, member: &str) -> Result<Self, BindError> {
        let options = SocketOptions {
            path: crate::PathOptions {
                interface: Some(member.to_owned()),
                ..options.path.clone()
            },
            ..options.clone()
        };
        let refused = || BindError::of_member(member);
        // Of no protocol, so that nothing comes before the filter is there.
        let packets = socket2::Socket::new(Domain::PACKET, Type::DGRAM.nonblocking(), None)
            .map_err(refused())?;
        let missing = || io::Error::from_raw_os_error(libc::ENODEV);
        let index = interface::index_of(member)
            .ok_or_else(missing)
            .map_err(BindError::of_interface(member))?;
        if !netlink::may_be_member(index).map_err(refused())? {
            let name = member.to_owned();
            return Err(BindError::NotMember { name });
        }
        let member = Member::new(&options, index).map_err(refused())?;
        let to = (!member.near.0.is_unspecified()).then_some(member.near.0);
        let set = || {
            filter::datagrams(&packets, options.near.is_ipv6(), to, member.near.1)?;
            system::set_int(packets.as_fd(), libc::SOL_PACKET, AUXDATA, 1)?;
            // Older kernels give back what this host sends, which is not for this host.
            let _ = system::set_int(packets.as_fd(), libc::SOL_PACKET, IGNORE_OUTGOING, 1);
            super::options::buffers(&packets, options.receive_buffer_octets());
            bind(&packets, index)
        };
        set().map_err(refused())?;
        let mut socket = Self::around(packets, &options)?;
        socket.member = Some(Box::new(member));
        Ok(socket)
    }

    /// Has it keep the UDP socket that has its port, from which nothing is received any more.
    pub(crate) fn keep(&mut self, port: Arc<TestSocket>) -> io::Result<()> {
        if let (Some(member), Some(udp)) = (&mut self.member, port.stamped()) {
            filter::nothing(&udp.inner)?;
            member.port = Some(port);
        }
        Ok(())
    }

    /// The address that packets have without one of their own, and the port.
    pub(crate) fn member_address(&self) -> Option<SocketAddr> {
        let (address, port) = self.member.as_ref()?.near;
        Some(SocketAddr::new(address, port))
    }

    /// The next hops of a sender's socket.
    pub(crate) fn next_hops(&self) -> Option<&Arc<NextHops>> {
        self.member.as_ref()?.hops.as_ref()
    }
}

impl Member {
    fn new(options: &SocketOptions, index: u32) -> io::Result<Self> {
        let link = netlink::link_of(index)?;
        let (mut near, port) = (options.near.ip(), options.near.port());
        let hops = match options.role {
            Role::Sender { far, .. } => {
                let name = interface::name_of(link);
                if near.is_unspecified() {
                    near = os::portable::local_address_towards(far, name.as_deref())?;
                }
                Some(Arc::default())
            }
            Role::Reflector { .. } => None,
        };
        Ok(Self {
            index,
            first_index: index,
            link,
            near: (near, port),
            ttl: options.path.ttl,
            hops,
            port: None,
        })
    }

    /// The name and the headers with which a packet is sent.
    pub(super) fn outgoing(
        &self,
        octets: &[u8],
        out: &Outbound,
        tos: Tos,
    ) -> Result<(Name, Headers), SendError> {
        let from = (out.from.unwrap_or(self.near.0), self.near.1);
        let tos = out.tos.unwrap_or(tos);
        let headers = Headers::of(octets, from, out.to, tos, self.ttl);
        let headers = headers.ok_or(SendError::TooLarge)?;
        let mac = match &self.hops {
            Some(hops) => hops.mac(out.to.ip())?,
            None => out.mac.ok_or(SendError::NoNeighbour)?,
        };
        let protocol = if out.to.is_ipv4() { IPV4 } else { IPV6 };
        Ok((Name::of_link(protocol, self.index, mac), headers))
    }

    /// The arrival of a packet, of which only the payload stays in its slot. An unusable packet has no
    /// octets and no sender.
    pub(super) fn arrival(
        &self,
        at: Stamp,
        message: &headers::Received<'_>,
        slots: &mut Slots,
        index: usize,
    ) -> (usize, Arrival) {
        let mut arrival = Arrival {
            at,
            from: SocketAddr::new(self.near.0, 0),
            to: None,
            to_port: self.near.1,
            ttl: None,
            tos: None,
            interface: self.first_index,
            mac: None,
            truncated: message.truncated,
        };
        let packet = slots.first(index, message.octets);
        let Some(received) = Received::read(packet, has_sum(message.control)) else {
            return (0, arrival);
        };
        arrival.from = SocketAddr::from(received.from);
        if let SocketAddr::V6(from) = &mut arrival.from
            && from.ip().is_unicast_link_local()
        {
            from.set_scope_id(self.link);
        }
        arrival.to = Some(received.to);
        (arrival.ttl, arrival.tos) = (Some(received.ttl), Some(received.tos));
        match &self.hops {
            Some(hops) => hops.record_packet(received.from.0),
            None => arrival.mac = message.name.mac(),
        }
        let octets = received.payload.len();
        if let Some(slot) = slots.slot(index) {
            slot.copy_within(received.payload, 0);
        }
        (octets, arrival)
    }

    /// Takes ICMP errors about the packets that it sent.
    pub(super) fn take_errors(&self, tell: &mut dyn FnMut(QueueEvent)) {
        if let Some(port) = &self.port {
            port.take_events(tell);
        }
    }

    /// The member was made again, with this number.
    pub(super) fn bind_again(&mut self, socket: &socket2::Socket, index: u32) -> io::Result<()> {
        bind(socket, index)?;
        // It may not be a member again yet: then it will be one of the same link.
        match netlink::link_of(index)? {
            itself if itself == index && self.link != self.index => {}
            link => self.link = link,
        }
        self.index = index;
        Ok(())
    }
}

fn bind(packets: &socket2::Socket, index: u32) -> io::Result<()> {
    let (name, octets) = (Name::of_link(ALL, index, [0; 6]), Name::LINK_OCTETS);
    // SAFETY: `name` lives across the call, which only reads it, and has this many octets.
    system::check(unsafe { libc::bind(packets.as_raw_fd(), name.0.as_ptr().cast(), octets) })
}

/// Whether a packet's UDP checksum was verified, or is not there yet because the packet has been on no wire.
fn has_sum(control: &[u8]) -> bool {
    let mut all = messages(control);
    let told = all.find(|it| (it.level, it.kind) == (libc::SOL_PACKET, AUXDATA));
    let status = told.and_then(|it| it.data.first_chunk().copied());
    status.is_some_and(|status| {
        u32::from_ne_bytes(status) & (CHECKSUM_NOT_READY | CHECKSUM_VALID) != 0
    })
}
