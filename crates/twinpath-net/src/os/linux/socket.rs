//! The stamped socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use libc::c_int;
use socket2::{Domain, Protocol, Type};
use twinpath_wire::{Arrival, Rung, Stamp, Tos, Wall};

use super::control::{Control, Writer, messages};
use super::names::Name;
use super::phc::Phc;
use super::{clock, error_queue, steering, system};
use crate::batch::RecvBatch;
use crate::error::{BindError, SendError};
use crate::socket::{Outbound, SocketOptions, StampMode, Told};

/// What every stamped socket asks for: receive stamps by the kernel, reports by the error queue
/// without the packet's octets, packets counted.
const RECEIVE: u32 = libc::SOF_TIMESTAMPING_RX_SOFTWARE
    | libc::SOF_TIMESTAMPING_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY;
const HARDWARE_RECEIVE: u32 =
    libc::SOF_TIMESTAMPING_RX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE;
/// `SOF_TIMESTAMPING_OPT_TX_SWHW`: a hardware transmit stamp does not displace the kernel's.
const BOTH_DEPARTURES: u32 = 1 << 14;
/// The count of stamped packets starts anew when this is switched on.
const COUNT: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
/// `SCM_TS_OPT_ID` (Linux 6.13): a packet names its own key, so that a refused one cannot shift the
/// others'. The number is that of the architectures with the generic list.
const NAME_KEY: Option<c_int> = if cfg!(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "arm",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "powerpc64",
    target_arch = "s390x",
)) {
    Some(81)
} else {
    None
};
/// After the kernel's count started anew, stamps of before may still come: so long none is believed.
const QUARANTINE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Socket {
    udp: socket2::Socket,
    v6: bool,
    /// The transmit flags of a packet that is to be stamped.
    departure: AtomicU32,
    /// Flags of the whole socket besides.
    flags: u32,
    every_departure: bool,
    /// The key that the next stamped packet gets.
    next_key: AtomicU32,
    drops: AtomicU32,
    /// Kernel stamps are asked for; without, all stamps are user space's.
    stamped: bool,
    pub(super) phc: Option<Phc>,
    /// The last error that a receive call met and passed over, for debugging.
    last_error: AtomicI32,
    settled: AtomicBool,
    /// Packets name their keys; else the kernel counts.
    names_keys: AtomicBool,
    /// With counted keys: until when, on the monotonic clock, no stamp is believed.
    quarantine_ns: AtomicU64,
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
                .map_err(option(addr, "IPV6_V6ONLY"))?;
        }
        if options.reuse_port {
            socket
                .set_reuse_port(true)
                .map_err(option(addr, "SO_REUSEPORT"))?;
        }
        if let Some(name) = &options.interface {
            socket
                .bind_device(Some(name.as_bytes()))
                .map_err(|source| BindError::Interface {
                    name: name.clone(),
                    source,
                })?;
        }
        buffers(&socket, options.receive_buffer_octets);
        ip_options(socket.as_fd(), v6, options).map_err(option(addr, "an IP option"))?;
        let phc = match &options.stamps {
            StampMode::Hardware { interface } => Phc::of_interface(interface),
            StampMode::Kernel | StampMode::User => None,
        };
        let stamped = options.stamps != StampMode::User;
        let mut this = Self {
            udp: socket,
            v6,
            departure: AtomicU32::new(0),
            flags: 0,
            every_departure: options.stamp_every_departure && stamped,
            next_key: AtomicU32::new(0),
            drops: AtomicU32::new(0),
            stamped,
            phc,
            last_error: AtomicI32::new(0),
            settled: AtomicBool::new(false),
            names_keys: AtomicBool::new(NAME_KEY.is_some()),
            quarantine_ns: AtomicU64::new(0),
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
            this.ask_for_stamps(0)
                .map_err(option(addr, "SO_TIMESTAMPING"))?;
        }
        this.udp
            .bind(&addr.into())
            .map_err(|source| BindError::of_bind(addr, source))?;
        Ok(this)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.udp.as_fd()
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        let local = self.udp.local_addr()?;
        local
            .as_socket()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
    }

    /// Sets the whole socket's stamping flags, `without` left out.
    fn ask_for_stamps(&self, without: u32) -> io::Result<()> {
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

    pub(crate) fn receive(&self, batch: &mut RecvBatch, local: SocketAddr) -> io::Result<usize> {
        let count = self.receive_messages(batch)?;
        if count == 0 {
            return Ok(0);
        }
        let mut read_at = None;
        let RecvBatch {
            headers,
            received,
            arrivals,
            ..
        } = batch;
        let slots = received.iter_mut().zip(arrivals.iter_mut());
        for (message, (octets, arrival)) in headers.received(count).zip(slots) {
            *octets = message.octets;
            let mut told = FromControl::default();
            for control in messages(message.control) {
                told.take(&control);
            }
            if let Some(drops) = told.drops {
                self.drops.store(drops, Ordering::Relaxed);
            }
            let at = told.stamp(self.phc.as_ref()).unwrap_or_else(|| {
                let at = *read_at.get_or_insert_with(clock::wall);
                Stamp {
                    at,
                    rung: Rung::User,
                }
            });
            *arrival = Arrival {
                at,
                // A datagram always has a source; port 0 is one that no engine answers.
                from: message
                    .name
                    .address()
                    .unwrap_or(SocketAddr::new(local.ip(), 0)),
                to: told.to.map(|(to, _)| to),
                to_port: local.port(),
                ttl: told.ttl,
                tos: told.tos,
                interface: told.to.map_or(0, |(_, interface)| interface),
                truncated: message.truncated,
            };
        }
        Ok(count)
    }

    fn receive_messages(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        // An ICMP error that came back is reported by the next call, once each; packets may stand
        // behind it, and the error queue has the details.
        for _ in 0..4 {
            let messages = batch.headers.prepare(&mut batch.data, batch.slot_octets);
            // SAFETY: `prepare` has just pointed every header into `batch`, which is borrowed whole.
            match unsafe { system::receive_messages(self.fd(), messages, 0) } {
                Ok(count) => return Ok(count),
                Err(error) => match error.raw_os_error().unwrap_or(0) {
                    libc::EAGAIN => return Ok(0),
                    libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL => {
                        return Err(error);
                    }
                    passing => self.last_error.store(passing, Ordering::Relaxed),
                },
            }
        }
        Ok(0)
    }

    pub(crate) fn send(&self, octets: &[u8], out: &Outbound) -> Result<Option<u32>, SendError> {
        let stamp = self.every_departure || (out.stamp && self.stamped);
        if !stamp {
            return self.send_with(octets, out, None).map(|()| None);
        }
        if self.names_keys.load(Ordering::Relaxed) {
            let key = self.next_key.fetch_add(1, Ordering::Relaxed);
            match self.send_with(octets, out, NAME_KEY.map(|name| (name, key))) {
                Ok(()) => return Ok(Some(key)),
                // An older kernel does not know that control message, and has sent nothing.
                Err(SendError::BadSource) if key == 0 => {
                    self.next_key.store(0, Ordering::Relaxed);
                    self.names_keys.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        self.send_with(octets, out, None)?;
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        Ok(Some(key).filter(|_| !self.in_quarantine()))
    }

    fn send_with(
        &self,
        octets: &[u8],
        out: &Outbound,
        named: Option<(c_int, u32)>,
    ) -> Result<(), SendError> {
        let (mut name, name_octets) = Name::of(&out.to);
        let mut control = Control::EMPTY;
        let mut writer = Writer::new(&mut control);
        if let Some(from) = out.from {
            writer.packet_info(from, out.interface);
        }
        if let Some(Tos(tos)) = out.tos {
            let (level, kind) = if self.v6 {
                (libc::SOL_IPV6, libc::IPV6_TCLASS)
            } else {
                (libc::SOL_IP, libc::IP_TOS)
            };
            writer.push(level, kind, &c_int::from(tos).to_ne_bytes());
        }
        if out.stamp && self.stamped && !self.every_departure {
            let flags = self.departure.load(Ordering::Relaxed);
            writer.push(
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPING,
                &flags.to_ne_bytes(),
            );
        }
        if let Some((kind, key)) = named {
            writer.push(libc::SOL_SOCKET, kind, &key.to_ne_bytes());
        }
        let used = writer.used();
        let mut vector = libc::iovec {
            iov_base: octets.as_ptr().cast_mut().cast(),
            iov_len: octets.len(),
        };
        // SAFETY: a header is pointers and lengths, for which zero is a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = name.0.as_mut_ptr().cast();
        message.msg_namelen = name_octets;
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        if used > 0 {
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = used as _;
        }
        // An ICMP error that came back is reported by the next call, once each, and this packet is
        // not sent: try again.
        let mut tries = 0;
        loop {
            // SAFETY: name, vector, octets and control outlive the call, with these lengths.
            match unsafe { system::send_message(self.fd(), &message) } {
                Ok(()) => {
                    if tries > 0 && !self.names_keys.load(Ordering::Relaxed) {
                        // Some kernels have counted the failed try.
                        self.count_anew();
                    }
                    return Ok(());
                }
                Err(error) => match error.raw_os_error().unwrap_or(0) {
                    libc::EINTR => {}
                    libc::ECONNREFUSED
                    | libc::EHOSTUNREACH
                    | libc::ENETUNREACH
                    | libc::EPROTO
                    | libc::ENOPROTOOPT
                    | libc::EACCES
                    | libc::EMSGSIZE
                    | libc::EOPNOTSUPP
                        if tries < 2 =>
                    {
                        tries += 1;
                    }
                    _ => {
                        if !self.names_keys.load(Ordering::Relaxed) {
                            self.count_anew();
                        }
                        return Err(SendError::of(&error));
                    }
                },
            }
        }
    }

    /// With counted keys, after a packet that the kernel may have counted or not: its count starts
    /// at 0 again, and nothing it tells is believed until the stamps of before have come.
    fn count_anew(&self) {
        if self.stamped && self.ask_for_stamps(COUNT).is_ok() && self.ask_for_stamps(0).is_ok() {
            self.next_key.store(0, Ordering::Relaxed);
            let until = clock::mono() + QUARANTINE;
            self.quarantine_ns.store(until.ns(), Ordering::Relaxed);
        }
    }

    pub(super) fn in_quarantine(&self) -> bool {
        let until = self.quarantine_ns.load(Ordering::Relaxed);
        until != 0 && clock::mono().ns() < until
    }

    pub(crate) fn steer_by_source(&self, sockets: u32) -> io::Result<()> {
        steering::by_source(self.fd(), self.v6, sockets)
    }

    pub(crate) fn drain_errors(&self, tell: &mut dyn FnMut(Told)) -> usize {
        error_queue::drain(self, tell)
    }

    pub(crate) fn settle_transmit_rung(&self) {
        if !self.stamped || self.settled.swap(true, Ordering::Relaxed) {
            return;
        }
        self.departure
            .fetch_and(!libc::SOF_TIMESTAMPING_TX_SCHED, Ordering::Relaxed);
        if let Err(error) = self.ask_for_stamps(0) {
            self.last_error
                .store(error.raw_os_error().unwrap_or(0), Ordering::Relaxed);
        }
    }

    pub(crate) fn receive_buffer_octets(&self) -> usize {
        // The kernel gives back twice what it was asked for, its own book-keeping included.
        self.udp.recv_buffer_size().unwrap_or(0) / 2
    }

    pub(crate) fn receive_drops(&self) -> u32 {
        self.drops.load(Ordering::Relaxed)
    }
}

fn option(addr: SocketAddr, what: &'static str) -> impl Fn(io::Error) -> BindError {
    move |source| BindError::Option { what, addr, source }
}

/// As much buffer as the system gives: beyond its limit only with a privilege.
fn buffers(socket: &socket2::Socket, receive_octets: usize) {
    let octets = c_int::try_from(receive_octets).unwrap_or(c_int::MAX);
    if system::set_int(
        socket.as_fd(),
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        octets,
    )
    .is_err()
    {
        // Not granted is not fatal: a report says what there is, and drops are counted.
        let _granted = socket.set_recv_buffer_size(receive_octets);
    }
    let _granted = socket.set_send_buffer_size(1 << 20);
}

fn ip_options(fd: BorrowedFd<'_>, v6: bool, options: &SocketOptions) -> io::Result<()> {
    let tos = c_int::from(options.tos.0);
    let ttl = c_int::from(options.ttl);
    system::set_int(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    if v6 {
        let set = |name, value| system::set_int(fd, libc::SOL_IPV6, name, value);
        set(libc::IPV6_RECVPKTINFO, 1)?;
        set(libc::IPV6_RECVHOPLIMIT, 1)?;
        set(libc::IPV6_RECVTCLASS, 1)?;
        set(libc::IPV6_RECVERR, 1)?;
        set(libc::IPV6_UNICAST_HOPS, ttl)?;
        set(libc::IPV6_TCLASS, tos)?;
        let discover = if options.dont_fragment {
            libc::IPV6_PMTUDISC_DO
        } else {
            libc::IPV6_PMTUDISC_DONT
        };
        set(libc::IPV6_MTU_DISCOVER, discover)?;
        set(libc::IPV6_DONTFRAG, c_int::from(options.dont_fragment))
    } else {
        let set = |name, value| system::set_int(fd, libc::SOL_IP, name, value);
        set(libc::IP_PKTINFO, 1)?;
        set(libc::IP_RECVTTL, 1)?;
        set(libc::IP_RECVTOS, 1)?;
        set(libc::IP_RECVERR, 1)?;
        set(libc::IP_TTL, ttl)?;
        set(libc::IP_TOS, tos)?;
        let discover = if options.dont_fragment {
            libc::IP_PMTUDISC_DO
        } else {
            libc::IP_PMTUDISC_DONT
        };
        set(libc::IP_MTU_DISCOVER, discover)
    }
}

/// What a packet's control messages say.
#[derive(Default)]
struct FromControl {
    software_ns: i64,
    hardware_ns: i64,
    ttl: Option<u8>,
    tos: Option<Tos>,
    to: Option<(std::net::IpAddr, u32)>,
    drops: Option<u32>,
}

impl FromControl {
    fn take(&mut self, message: &super::control::Message<'_>) {
        let octet = || message.int().and_then(|value| u8::try_from(value).ok());
        match (message.level, message.kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                (self.software_ns, self.hardware_ns) = message.stamps_ns();
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                self.drops = message.int().map(c_int::cast_unsigned);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that stamps all it sends, on loopback, and a place to send to.
    fn open() -> (Socket, Outbound) {
        let mut options = SocketOptions::on("127.0.0.1:0".parse().unwrap());
        options.stamp_every_departure = true;
        let socket = Socket::open(&options).unwrap();
        let to = socket.local().unwrap();
        (
            socket,
            Outbound {
                to,
                from: None,
                tos: None,
                interface: 0,
                stamp: true,
            },
        )
    }

    fn told(socket: &Socket) -> Vec<u32> {
        let mut keys = Vec::new();
        socket.drain_errors(&mut |told| {
            if let Told::Sent { key, stamp } = told
                && stamp.rung == Rung::Kernel
            {
                keys.push(key);
            }
        });
        keys
    }

    #[test]
    fn where_the_kernel_counts_a_refusal_starts_the_count_anew() {
        let (socket, out) = open();
        socket.names_keys.store(false, Ordering::Relaxed);
        assert_eq!(socket.send(b"x", &out), Ok(Some(0)));
        assert_eq!(socket.send(b"x", &out), Ok(Some(1)));
        assert_eq!(told(&socket), [0, 1]);
        assert!(socket.send(&vec![0; 70_000], &out).is_err());
        // Nothing is believed for a while, and then the kernel's count and ours agree.
        assert_eq!(socket.send(b"x", &out), Ok(None));
        assert_eq!(told(&socket), []);
        socket.quarantine_ns.store(1, Ordering::Relaxed);
        assert_eq!(socket.send(b"x", &out), Ok(Some(1)));
        assert_eq!(told(&socket), [1]);
    }
}
