//! The socket with kernel timestamps: a UDP socket or, over a member of a link, a packet socket.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Type};
use twinpath_wire::{Arrival, Rung, Stamp, Tos, Wall};

use super::control::messages;
use super::member::Member;
use super::options::{bound, buffers, ip_options, larger_buffers, say_where};
use super::phc::Phc;
use super::system::NAME_KEY;
use super::{clock, error_queue, segments, system};
use crate::batch::RecvBatch;
use crate::error::BindError;
use crate::hardware::NoHardware;
use crate::options::{SocketOptions, StampChoice};
use crate::os::fragments::Fragments;
use crate::os::{Source, bind_device};
use crate::packet::QueueEvent;

/// Flags of every socket with kernel timestamps: receive timestamps by the kernel, reports in the
/// error queue without the packet's octets, packets counted.
const RECEIVE: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE
    | libc::SOF_TIMESTAMPING_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY;
const HARDWARE_RECEIVE: u32 =
    libc::SOF_TIMESTAMPING_RX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE;
/// `SOF_TIMESTAMPING_OPT_TX_SWHW`: a hardware transmit timestamp does not replace the kernel's.
const BOTH_DEPARTURES: u32 = 1 << 14;
#[derive(Debug)]
pub(crate) struct Socket {
    pub(super) inner: socket2::Socket,
    /// What it has over a member of a link, which makes it a packet socket.
    pub(super) member: Option<Box<Member>>,
    pub(super) v6: bool,
    /// The transmit flags of a packet to be timestamped.
    pub(super) departure: AtomicU32,
    /// Additional flags of the whole socket.
    flags: u32,
    pub(super) every_departure: bool,
    /// The key of the next timestamped packet.
    pub(super) next_key: AtomicU32,
    /// The ToS octet of packets without their own.
    pub(super) tos: Tos,
    /// Whether packets over the interface's MTU are refused ([`Fragments::Reported`]) although DF
    /// was not requested.
    pub(super) refuses_larger: AtomicBool,
    /// The destination of every packet, if the socket is bound to one address of the host.
    pub(super) to: Option<IpAddr>,
    /// The interface by which packets came that do not tell it; 0: unknown.
    assumed_interface: u32,
    /// Whether kernel timestamps are requested; otherwise all are from user space.
    pub(super) stamped: bool,
    pub(super) phc: Option<Phc>,
    /// Why there is no such clock, if it was requested.
    pub(crate) no_hardware: Option<NoHardware>,
    settled: AtomicBool,
    /// Whether packets name their keys; otherwise the kernel counts.
    pub(super) names_keys: AtomicBool,
    /// Packets that the socket had dropped before it was taken over.
    earlier_drops: u32,
}

/// More datagrams than wait in any receive buffer.
const MOST_WAITING: usize = 1 << 18;

/// Whether what arrived so far has its time of arrival and its destination with it.
fn tells_arrivals(socket: &socket2::Socket, near: SocketAddr) -> bool {
    let is_set =
        |level, name| system::int_option(socket.as_fd(), level, name).is_ok_and(|it| it != 0);
    // The last is what a process that had the socket before has set.
    let tells_time = [
        libc::SO_TIMESTAMPNS,
        libc::SO_TIMESTAMP,
        libc::SO_TIMESTAMPING,
    ];
    // IPv6 always has it.
    let has_destination = near.is_ipv6() || bound(near.ip()).is_some();
    tells_time
        .iter()
        .any(|name| is_set(libc::SOL_SOCKET, *name))
        && (has_destination || is_set(libc::SOL_IP, libc::IP_PKTINFO))
}

/// The clock of the interface that timestamps packets.
fn stamping_clock(options: &SocketOptions) -> Result<Phc, NoHardware> {
    let interface = options.stamping_interface().ok_or(NoHardware::Interface)?;
    Phc::of_interface(&interface)
}

impl Socket {
    pub(crate) fn open(options: &SocketOptions) -> Result<Self, BindError> {
        let addr = options.near;
        let v6 = addr.is_ipv6();
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = socket2::Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))
            .map_err(|source| BindError::of_open(addr, source))?;
        if v6 {
            socket
                .set_only_v6(true)
                .map_err(BindError::of_option(addr, "IPV6_V6ONLY"))?;
        }
        if options.shares_port() {
            socket
                .set_reuse_port(true)
                .map_err(BindError::of_option(addr, "SO_REUSEPORT"))?;
        }
        if let Some(name) = &options.path.interface {
            bind_device(&socket, name).map_err(BindError::of_interface(name))?;
        }
        buffers(&socket, options.receive_buffer_octets());
        ip_options(socket.as_fd(), v6, options)
            .map_err(BindError::of_option(addr, "an IP option"))?;
        let this = Self::around(socket, options)?;
        this.inner
            .bind(&addr.into())
            .map_err(|source| BindError::of_bind(addr, source))?;
        Ok(this)
    }

    /// Around a socket that another process has bound.
    pub(crate) fn adopt(
        socket: socket2::Socket,
        options: &SocketOptions,
    ) -> Result<Self, BindError> {
        let addr = options.near;
        let v6 = addr.is_ipv6();
        let is_told = tells_arrivals(&socket, addr);
        socket
            .set_nonblocking(true)
            .map_err(BindError::of_option(addr, "non-blocking"))?;
        if let Some(name) = &options.path.interface {
            bind_device(&socket, name).map_err(BindError::of_interface(name))?;
        }
        larger_buffers(&socket, options.receive_buffer_octets())
            .map_err(BindError::of_option(addr, "the buffers"))?;
        ip_options(socket.as_fd(), v6, options)
            .map_err(BindError::of_option(addr, "an IP option"))?;
        let stamps = |name, value| {
            system::set_int(socket.as_fd(), libc::SOL_SOCKET, name, value)
                .map_err(BindError::of_option(addr, "timestamps"))
        };
        // Off and on again, so that a process that had the socket before leaves no count of its departures. Arrivals
        // are timestamped all the while.
        stamps(libc::SO_TIMESTAMPNS, 1)?;
        stamps(libc::SO_TIMESTAMPING, 0)?;
        let mut this = Self::around(socket, options)?;
        // Each packet would have it beside its other timestamps.
        system::set_int(this.fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0)
            .map_err(BindError::of_option(addr, "timestamps"))?;
        this.discard_waiting(is_told && this.stamped);
        this.earlier_drops = this.receive_drops();
        Ok(this)
    }

    /// Drops what waits: events of a process that had the socket before and, unless `is_told`, datagrams.
    fn discard_waiting(&self, is_told: bool) {
        let mut most = MOST_WAITING;
        while most > 0 && self.take_events(&mut |_| {}) > 0 {
            most -= 1;
        }
        while !is_told && most > 0 {
            match self.inner.recv(&mut []) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => most -= 1,
            }
        }
    }

    /// Around a socket with its own options, and with those of timestamps from now on.
    pub(super) fn around(
        socket: socket2::Socket,
        options: &SocketOptions,
    ) -> Result<Self, BindError> {
        let addr = options.near;
        let v6 = addr.is_ipv6();
        let (phc, no_hardware) = match options.path.stamps {
            StampChoice::Hardware => match stamping_clock(options) {
                Ok(phc) => (Some(phc), None),
                Err(why) => (None, Some(why)),
            },
            StampChoice::Auto | StampChoice::Kernel | StampChoice::User => (None, None),
        };
        let stamped = options.path.stamps != StampChoice::User;
        let mut this = Self {
            inner: socket,
            member: None,
            v6,
            departure: AtomicU32::new(0),
            flags: 0,
            every_departure: options.is_sender() && stamped,
            next_key: AtomicU32::new(0),
            tos: options.tos(),
            refuses_larger: AtomicBool::new(
                Fragments::of(v6, options.path.dont_fragment, options.is_sender())
                    == Fragments::Reported,
            ),
            to: bound(addr.ip()),
            assumed_interface: options.assumed_interface(),
            stamped,
            phc,
            no_hardware,
            settled: AtomicBool::new(false),
            names_keys: AtomicBool::new(NAME_KEY.is_some()),
            earlier_drops: 0,
        };
        if stamped {
            let mut departure =
                libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_TX_SCHED;
            this.flags = RECEIVE;
            if this.phc.is_some() {
                departure |= libc::SOF_TIMESTAMPING_TX_HARDWARE;
                this.flags |= HARDWARE_RECEIVE | BOTH_DEPARTURES;
            }
            this.departure = AtomicU32::new(departure);
            this.request_stamps(0)
                .map_err(BindError::of_option(addr, "SO_TIMESTAMPING"))?;
        }
        Ok(this)
    }

    /// Binds to the device of this name as it is now.
    pub(crate) fn bind_again(
        &mut self,
        (device, index): (&str, u32),
        options: &SocketOptions,
    ) -> io::Result<()> {
        match &mut self.member {
            Some(member) => member.bind_again(&self.inner, index)?,
            None => bind_device(&self.inner, device)?,
        }
        // An interface created again has timestamping off.
        if self.phc.is_some() {
            match stamping_clock(options) {
                Ok(phc) => self.phc = Some(phc),
                Err(why) => (self.phc, self.no_hardware) = (None, Some(why)),
            }
        }
        Ok(())
    }

    pub(crate) fn report_interface(&self) -> io::Result<()> {
        // A packet socket always does.
        if self.member.is_some() {
            return Ok(());
        }
        say_where(self.fd(), self.v6)
    }

    pub(crate) fn join(&self, group: IpAddr, index: u32) -> io::Result<()> {
        let joined = match group {
            IpAddr::V4(group) => {
                let interface = InterfaceIndexOrAddress::Index(index);
                self.inner.join_multicast_v4_n(&group, &interface)
            }
            IpAddr::V6(group) => self.inner.join_multicast_v6(&group, index),
        };
        match joined {
            // By a process that had the socket before.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            joined => joined,
        }
    }

    pub(crate) fn ignore_groups_of_others(&self) -> io::Result<()> {
        if self.v6 {
            self.inner.set_multicast_all_v6(false)
        } else {
            self.inner.set_multicast_all_v4(false)
        }
    }

    pub(crate) fn set_segments(&self, sids: &[Ipv6Addr]) -> io::Result<()> {
        segments::set(self.fd(), sids)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }

    pub(crate) fn source(&self) -> Source<'_> {
        self.fd()
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        let local = self.inner.local_addr()?;
        local
            .as_socket()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
    }

    /// Sets the whole socket's timestamping flags, except for `without`.
    pub(super) fn request_stamps(&self, without: u32) -> io::Result<()> {
        let every = if self.every_departure {
            self.departure.load(Ordering::Relaxed)
        } else {
            0
        };
        let flags = (self.flags | every) & !without;
        system::set_int(
            self.fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPING,
            flags.cast_signed(),
        )
    }

    pub(crate) fn receive(
        &self,
        batch: &mut RecvBatch,
        most: usize,
        local: SocketAddr,
    ) -> io::Result<usize> {
        batch.fragmented.clear();
        let count = self.receive_messages(batch, most)?;
        let mut read_at = None;
        let RecvBatch {
            headers,
            received,
            arrivals,
            slots,
            fragmented,
        } = batch;
        let told = received.iter_mut().zip(arrivals.iter_mut());
        for (slot, (message, (octets, arrival))) in headers.received(count).zip(told).enumerate() {
            *octets = message.octets;
            let mut told = FromControl::default();
            for control in messages(message.control) {
                told.take(&control);
            }
            let at = told.stamp(self.phc.as_ref()).unwrap_or_else(|| {
                let at = *read_at.get_or_insert_with(clock::wall);
                Stamp {
                    at,
                    rung: Rung::User,
                }
            });
            if let Some(octets) = told.fragment_octets {
                fragmented.push((slot, octets));
            }
            if let Some(member) = &self.member {
                (*octets, *arrival) = member.arrival(at, &message, slots, slot);
                continue;
            }
            *arrival = Arrival {
                at,
                // A datagram always has a source; no engine answers port 0.
                from: message
                    .name
                    .address()
                    .unwrap_or(SocketAddr::new(local.ip(), 0)),
                to: told.to.map(|(to, _)| to).or(self.to),
                to_port: local.port(),
                ttl: told.ttl,
                tos: told.tos,
                interface: told
                    .to
                    .map_or(self.assumed_interface, |(_, interface)| interface),
                mac: None,
                truncated: message.truncated,
            };
        }
        Ok(count)
    }

    fn receive_messages(&self, batch: &mut RecvBatch, most: usize) -> io::Result<usize> {
        // An ICMP error is returned by the next call, once each; packets may be queued behind it,
        // and the error queue has the details.
        for _ in 0..4 {
            let slots = &mut batch.slots;
            let messages = batch.headers.prepare(most, &mut slots.data, slots.octets);
            // SAFETY: `prepare` has just pointed each of these headers into `batch`, which is borrowed whole.
            match unsafe { system::receive_messages(self.fd(), messages, 0) } {
                Ok(count) => return Ok(count),
                Err(error) => match error.raw_os_error().unwrap_or(0) {
                    libc::EAGAIN => return Ok(0),
                    libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL => {
                        return Err(error);
                    }
                    _passing => {}
                },
            }
        }
        Ok(0)
    }

    pub(crate) fn report_fragments(&self) -> io::Result<()> {
        let (level, name) = if self.v6 {
            (libc::SOL_IPV6, libc::IPV6_RECVFRAGSIZE)
        } else {
            (libc::SOL_IP, libc::IP_RECVFRAGSIZE)
        };
        system::set_int(self.fd(), level, name, 1)
    }

    pub(crate) fn take_events(&self, tell: &mut dyn FnMut(QueueEvent)) -> usize {
        if let Some(member) = &self.member {
            member.take_errors(tell);
        }
        error_queue::take(self.fd(), self.phc.as_ref(), tell)
    }

    pub(crate) fn drop_lower_transmit_rung(&self) {
        if !self.stamped || self.settled.swap(true, Ordering::Relaxed) {
            return;
        }
        self.departure
            .fetch_and(!libc::SOF_TIMESTAMPING_TX_SCHED, Ordering::Relaxed);
        // If that is refused, both timestamps keep coming, and the better one counts.
        let _asked = self.request_stamps(0);
    }

    pub(crate) fn receive_buffer_octets(&self) -> usize {
        // The kernel returns twice the requested size, including its own overhead.
        self.inner.recv_buffer_size().unwrap_or(0) / 2
    }

    pub(crate) fn receive_drops(&self) -> u32 {
        system::drops(self.fd()).wrapping_sub(self.earlier_drops)
    }
}

/// The contents of a packet's control messages.
#[derive(Default)]
struct FromControl {
    software_ns: i64,
    hardware_ns: i64,
    ttl: Option<u8>,
    tos: Option<Tos>,
    to: Option<(IpAddr, u32)>,
    fragment_octets: Option<u32>,
}

impl FromControl {
    fn take(&mut self, message: &super::control::Message<'_>) {
        let octet = || message.int().and_then(|value| u8::try_from(value).ok());
        match (message.level, message.kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                (self.software_ns, self.hardware_ns) = message.stamps_ns();
            }
            (libc::SOL_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) => {
                self.ttl = octet();
            }
            (libc::SOL_IP, libc::IP_TOS) | (libc::SOL_IPV6, libc::IPV6_TCLASS) => {
                self.tos = octet().map(Tos);
            }
            (libc::SOL_IP, libc::IP_PKTINFO) | (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                self.to = message.packet_info();
            }
            (libc::SOL_IP, libc::IP_RECVFRAGSIZE) | (libc::SOL_IPV6, libc::IPV6_RECVFRAGSIZE) => {
                self.fragment_octets = message.int().and_then(|octets| u32::try_from(octets).ok());
            }
            _ => {}
        }
    }

    fn stamp(&self, phc: Option<&Phc>) -> Option<Stamp> {
        if self.hardware_ns != 0
            && let Some(at) = phc.and_then(|phc| phc.to_wall(self.hardware_ns))
        {
            return Some(Stamp {
                at,
                rung: Rung::Hardware,
            });
        }
        (self.software_ns != 0).then(|| Stamp {
            at: Wall::from_unix_ns(self.software_ns),
            rung: Rung::Kernel,
        })
    }
}
