//! The test socket: UDP with timestamps and the fields of the IP header.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use crate::activation::{PassedFault, PassedSocket};
use crate::batch::{self, RecvBatch, SendBatch};
use crate::error::{BindError, SendError};
use crate::hardware::NoHardware;
use crate::local::check_address;
use crate::next_hop::NextHops;
use crate::options::{SocketOptions, StampChoice};
use crate::os::Source;
use crate::packet::{Outbound, QueueEvent};
use crate::{interface, os};

/// The most events that [`TestSocket::take_events`] takes.
pub const EVENTS_AT_ONCE: usize = 32;
/// Calls in a row, so that a storm of errors cannot keep the thread from its packets.
const MAX_CALLS: usize = 8;

/// A UDP socket that reports when its packets left and arrived. Never blocks: see
/// [`crate::SocketSet`].
#[derive(Debug)]
pub struct TestSocket {
    inner: Inner,
    local: SocketAddr,
    options: SocketOptions,
    device: Option<Device>,
    is_over_member: bool,
}

/// The interface that a socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its number when the socket was bound to it.
    pub index: u32,
}

impl Device {
    /// For a socket bound to `near` and `interface`: the zone of a link-local address takes
    /// precedence.
    pub fn of(near: SocketAddr, interface: Option<&str>) -> Option<Self> {
        if let SocketAddr::V6(near) = near
            && near.scope_id() != 0
        {
            let index = near.scope_id();
            return interface::name_of(index).map(|name| Self { name, index });
        }
        let name = interface?.to_owned();
        interface::index_of(&name).map(|index| Self { name, index })
    }
}

#[derive(Debug)]
enum Inner {
    #[cfg(linux_sockets)]
    Stamped(os::linux::socket::Socket),
    Plain(os::portable::Socket),
}

macro_rules! each {
    ($self:expr, $socket:ident => $call:expr) => {
        match &$self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped($socket) => $call,
            Inner::Plain($socket) => $call,
        }
    };
}

impl TestSocket {
    /// Opens and binds.
    ///
    /// # Errors
    /// [`BindError`]: why it could not be opened or bound.
    pub fn open(options: &SocketOptions) -> Result<Self, BindError> {
        let inner = Self::open_inner(options)?;
        let local = match &inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.local(),
            Inner::Plain(socket) => socket.local(),
        };
        let local = local.map_err(|source| BindError::Other {
            addr: options.near,
            source,
        })?;
        Ok(Self {
            inner,
            local,
            device: Device::of(local, options.path.interface.as_deref()),
            options: SocketOptions {
                near: local,
                ..options.clone()
            },
            is_over_member: false,
        })
    }

    /// Takes over a socket that a service manager has bound. Its address is in the place of that of `options`. Datagrams
    /// that it received before are answered only if it has told their time of arrival and destination since.
    ///
    /// # Errors
    /// [`BindError`]: it is no UDP socket, or an option was refused.
    pub fn adopt(passed: PassedSocket, options: &SocketOptions) -> Result<Self, BindError> {
        #[cfg(linux_sockets)]
        if !options.path.portable {
            let (socket, near) = passed.udp()?;
            let options = SocketOptions {
                near,
                ..options.clone()
            };
            check_address(&options)?;
            let socket = os::linux::socket::Socket::adopt(socket, &options)?;
            return Ok(Self {
                inner: Inner::Stamped(socket),
                local: near,
                device: Device::of(near, options.path.interface.as_deref()),
                options,
                is_over_member: false,
            });
        }
        let _ = options;
        Err(passed.refuse(PassedFault::Plain))
    }

    /// Another socket with the same options and the port of this one, over one member of a link alone (a
    /// bond, a team, a bridge), whatever member the link would choose. It gets the datagrams that come by
    /// the member too. Packets are not fragmented. A sender's has one address, and sends to
    /// its [next hops](Self::next_hops); a reflector's gets those to any address where this socket is
    /// bound to any, also packets that are to be forwarded, and sends to [`Outbound::mac`].
    ///
    /// # Errors
    /// [`BindError`]: no such interface, or no privilege.
    pub fn over_member(&self, member: &str) -> Result<Self, BindError> {
        #[cfg(linux_sockets)]
        if let Inner::Stamped(_) = &self.inner {
            let socket = os::linux::socket::Socket::over_member(&self.options, member)?;
            let local = socket.member_address().unwrap_or(self.local);
            let index = interface::index_of(member).unwrap_or(0);
            return Ok(Self {
                inner: Inner::Stamped(socket),
                local,
                device: Some(Device {
                    name: member.to_owned(),
                    index,
                }),
                options: self.options.clone(),
                is_over_member: true,
            });
        }
        Err(BindError::of_member(member)(
            io::ErrorKind::Unsupported.into(),
        ))
    }

    /// Of a sender's socket over a member: where it sends to. A packet to a far end without a next hop
    /// does not leave ([`SendError::NoNeighbour`]).
    pub fn next_hops(&self) -> Option<&Arc<NextHops>> {
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.next_hops(),
            Inner::Plain(_) => None,
        }
    }

    /// Has a socket over a member keep the socket that it shares its port with, which receives
    /// nothing any more but ICMP errors.
    ///
    /// # Errors
    /// The system's error.
    pub fn keep(&mut self, port: Arc<Self>) -> io::Result<()> {
        match &mut self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.keep(port),
            Inner::Plain(_) => {
                drop(port);
                Ok(())
            }
        }
    }

    #[cfg(linux_sockets)]
    pub(crate) fn stamped(&self) -> Option<&os::linux::socket::Socket> {
        match &self.inner {
            Inner::Stamped(socket) => Some(socket),
            Inner::Plain(_) => None,
        }
    }

    /// Whether it is one of [`TestSocket::over_member`].
    pub fn is_over_member(&self) -> bool {
        self.is_over_member
    }

    fn open_inner(options: &SocketOptions) -> Result<Inner, BindError> {
        if !options.is_sender() {
            check_address(options)?;
        }
        #[cfg(linux_sockets)]
        if !options.path.portable {
            return os::linux::socket::Socket::open(options).map(Inner::Stamped);
        }
        os::portable::Socket::open(options).map(Inner::Plain)
    }

    /// Why there are no hardware timestamps, if they were requested; `None`: they may be available.
    pub fn no_hardware(&self) -> Option<NoHardware> {
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.no_hardware.clone(),
            Inner::Plain(_) => {
                (self.options.path.stamps == StampChoice::Hardware).then_some(NoHardware::Plain)
            }
        }
    }

    /// The interface that it is bound to, if any: by `interface`, or by the zone of its address.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Binds it again to its device, which was deleted and created again under the same name, now
    /// with the number `index`. With `CAP_NET_RAW` it stays the same socket and keeps the packets
    /// that have arrived; otherwise a new socket replaces it.
    ///
    /// # Errors
    /// [`BindError`]: it is as it was.
    pub fn bind_again(&mut self, index: u32) -> Result<(), BindError> {
        let Some(device) = &mut self.device else {
            return Ok(());
        };
        let mut options = self.options.clone();
        if let SocketAddr::V6(near) = &mut options.near
            && near.scope_id() != 0
        {
            near.set_scope_id(index);
        }
        let bound = match &mut self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.bind_again((&device.name, index), &options),
            Inner::Plain(socket) => socket.bind_again(&device.name),
        };
        if let Err(source) = bound {
            if self.is_over_member || interface::index_of(&device.name) != Some(index) {
                let name = device.name.clone();
                return Err(BindError::Interface { name, source });
            }
            self.inner = Self::open_inner(&options)?;
        }
        device.index = index;
        if !self.is_over_member {
            self.local = options.near;
            self.options = options;
        }
        Ok(())
    }

    /// The address and port it is bound to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Receives at most a batch of datagrams, and returns how many.
    ///
    /// # Errors
    /// The system's error; if nothing has arrived, the result is 0.
    pub fn receive(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        self.receive_up_to(batch.slots(), batch)
    }

    /// The same of at most so many datagrams. To ask for more than there are costs a nanosecond or two for each.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_up_to(&self, most: usize, batch: &mut RecvBatch) -> io::Result<usize> {
        each!(self, socket => socket.receive(batch, most, self.local))
    }

    /// Sends one datagram. If a timestamp is requested (here or for the whole socket), returns the
    /// key under which [`TestSocket::drain_errors`] reports it. Keys grow by one, or restart at 0
    /// after a refused packet if the kernel assigns the keys.
    ///
    /// # Errors
    /// [`SendError`]: the packet did not leave.
    pub fn send(&self, octets: &[u8], out: &Outbound) -> Result<Option<u32>, SendError> {
        each!(self, socket => socket.send(octets, out))
    }

    /// Sends the datagrams in the slots `range` of `batch`, in order, by as few system calls as
    /// possible. Then calls `sent` once for each, with its slot and the result that
    /// [`TestSocket::send`] would have had. Skips slots that were never set. Only one thread may send
    /// at a time.
    pub fn send_batch(
        &self,
        batch: &mut SendBatch,
        range: Range<usize>,
        sent: &mut dyn FnMut(usize, Result<Option<u32>, SendError>),
    ) {
        let datagrams = batch::datagrams(&batch.slots, &batch.outbound, range);
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.send_all(&mut batch.headers, datagrams, sent),
            Inner::Plain(socket) => socket.send_all(datagrams, sent),
        }
    }

    /// Sends datagrams from the slots of a received `batch`: slot, octets and destination of each. Then calls
    /// `failed` with the slot of each that did not leave.
    pub fn send_from<'a>(
        &self,
        batch: &mut RecvBatch,
        packets: impl Iterator<Item = (usize, usize, &'a Outbound)> + Clone,
        failed: &mut dyn FnMut(usize),
    ) {
        let slots = &batch.slots;
        let datagrams = packets.map(|(slot, octets, out)| (slot, slots.first(slot, octets), out));
        let mut sent = |slot, result: Result<_, _>| {
            if result.is_err() {
                failed(slot);
            }
        };
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.send_all(&mut batch.headers, datagrams, &mut sent),
            Inner::Plain(socket) => socket.send_all(datagrams, &mut sent),
        }
    }

    /// Whether the system reports when packets left (as far as its drivers do).
    pub fn has_transmit_stamps(&self) -> bool {
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.has_transmit_stamps(),
            Inner::Plain(_) => false,
        }
    }

    /// Has what is sent from now on visit these segments, in this order, before its destination (IPv6, a
    /// routing header of type 4, RFC 8754); none: no more.
    ///
    /// # Errors
    /// The system's error, if it does not support it.
    pub fn set_segments(&self, segments: &[Ipv6Addr]) -> io::Result<()> {
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.set_segments(segments),
            Inner::Plain(_) if segments.is_empty() => Ok(()),
            Inner::Plain(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reports of each datagram whether it came in fragments ([`RecvBatch::fragment_octets`]).
    ///
    /// # Errors
    /// The system's error, if it does not support it.
    pub fn report_fragments(&self) -> io::Result<()> {
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.report_fragments(),
            Inner::Plain(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Receives what is sent to a multicast group and comes by this interface, or by one that the kernel chooses.
    ///
    /// # Errors
    /// [`BindError::Join`]: the system refuses, or does not support it.
    pub fn join(&self, group: IpAddr, interface: Option<&str>) -> Result<(), BindError> {
        let refused = |source| BindError::Join {
            group,
            interface: interface.map(str::to_owned),
            source,
        };
        let missing = || refused(io::ErrorKind::NotFound.into());
        let index = interface.map(|name| interface::index_of(name).ok_or_else(missing));
        let index = index.transpose()?.unwrap_or(0);
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.join(group, index).map_err(refused),
            Inner::Plain(_) => {
                let _ = index;
                Err(refused(io::ErrorKind::Unsupported.into()))
            }
        }
    }

    /// Receives nothing of groups that other sockets have joined.
    ///
    /// # Errors
    /// [`BindError::Option`]: the system does not support it.
    pub fn ignore_groups_of_others(&self) -> Result<(), BindError> {
        let refused = BindError::of_option(self.local(), "the groups that it receives");
        match &self.inner {
            #[cfg(linux_sockets)]
            Inner::Stamped(socket) => socket.ignore_groups_of_others().map_err(refused),
            Inner::Plain(_) => Err(refused(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Takes events from the error queue, transmit timestamps and ICMP errors, by one system call: at
    /// most [`EVENTS_AT_ONCE`]. Returns how many there were.
    pub fn take_events(&self, tell: &mut dyn FnMut(QueueEvent)) -> usize {
        each!(self, socket => socket.take_events(tell))
    }

    /// Takes a bounded number of events from the error queue, by several calls. Returns how many there
    /// were.
    pub fn drain_errors(&self, tell: &mut dyn FnMut(QueueEvent)) -> usize {
        let mut taken = 0;
        for _ in 0..MAX_CALLS {
            let count = self.take_events(tell);
            taken += count;
            if count < EVENTS_AT_ONCE {
                break;
            }
        }
        taken
    }

    /// Has each packet tell by which interface it came from now on, also where the socket has one address
    /// only. It costs 3 % of a reflector's rate.
    ///
    /// # Errors
    ///
    /// The system does not report it.
    pub fn report_interface(&self) -> io::Result<()> {
        each!(self, socket => socket.report_interface())
    }

    /// Stops requesting the lower transmit rung (`queue`) once a better one has arrived.
    pub fn drop_lower_transmit_rung(&self) {
        each!(self, socket => socket.drop_lower_transmit_rung());
    }

    /// The receive buffer that the system granted, in octets.
    pub fn receive_buffer_octets(&self) -> usize {
        each!(self, socket => socket.receive_buffer_octets())
    }

    /// What a poller waits for.
    pub(crate) fn source(&self) -> Source<'_> {
        each!(self, socket => socket.source())
    }

    /// Datagrams that the system dropped because the receive buffer was full, as far as it reports
    /// them.
    pub fn receive_drops(&self) -> u32 {
        each!(self, socket => socket.receive_drops())
    }
}
