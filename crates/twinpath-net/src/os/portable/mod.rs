//! Plain sockets, available on any system, with the control messages that the system has ([`layer`]).
//!
//! Departures and ICMP errors are not reported. On Linux, where `--portable` uses these sockets, [`layer`] has no
//! control messages.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::num::NonZeroU32;

use socket2::{Domain, Protocol, Type};
use twinpath_wire::{Arrival, Rung, Stamp, Tos, Wall};

use crate::batch::{Datagram, RecvBatch};
use crate::clock;
use crate::error::{BindError, SendError};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::interface;
use crate::options::SocketOptions;
use crate::os::Source;
use crate::packet::{Outbound, QueueEvent};

use self::layer::Layer;

#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), path = "bsd.rs")]
#[cfg_attr(
    not(any(windows, target_vendor = "apple", target_os = "freebsd")),
    path = "plain.rs"
)]
mod layer;

#[cfg(any(test, windows, target_vendor = "apple", target_os = "freebsd"))]
mod marking;

pub(crate) use layer::REPORTS_DESTINATION;

#[cfg(not(target_os = "linux"))]
pub(crate) mod activation;
#[cfg(not(linux_sockets))]
pub(crate) mod host;
#[cfg(not(linux_sockets))]
pub(crate) mod interfaces;
#[cfg(not(linux_sockets))]
pub(crate) mod stream;
#[cfg(not(linux_sockets))]
pub(crate) mod time;
#[cfg(not(linux_sockets))]
pub(crate) mod wait;

#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    layer: Layer,
}

/// A datagram, and what is known of it.
struct Received {
    octets: usize,
    from: SocketAddr,
    /// The system's time of its arrival, if it has one.
    at: Option<Stamp>,
    /// Its destination; `None`: the address that the socket is bound to, if it has one.
    to: Option<IpAddr>,
    ttl: Option<u8>,
    tos: Option<Tos>,
    /// 0: not known.
    interface: u32,
    is_truncated: bool,
}

impl Received {
    /// No more is known of it.
    fn of(octets: usize, from: SocketAddr) -> Self {
        Self {
            octets,
            from,
            at: None,
            to: None,
            ttl: None,
            tos: None,
            interface: 0,
            is_truncated: false,
        }
    }

    /// When it arrived: by the system's time, or else now.
    fn arrived(&self, now: impl FnOnce() -> Wall) -> Stamp {
        self.at.unwrap_or_else(|| Stamp {
            at: now(),
            rung: Rung::User,
        })
    }
}

impl Socket {
    pub(crate) fn open(options: &SocketOptions) -> Result<Self, BindError> {
        let addr = options.near;
        let v6 = addr.is_ipv6();
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
            .map_err(|source| BindError::of_open(addr, source))?;
        let option = |what| BindError::of_option(addr, what);
        socket
            .set_nonblocking(true)
            .map_err(option("non-blocking"))?;
        if v6 {
            socket.set_only_v6(true).map_err(option("IPV6_V6ONLY"))?;
            socket
                .set_unicast_hops_v6(options.path.ttl.into())
                .map_err(option("the hop limit"))?;
        } else {
            socket
                .set_ttl_v4(options.path.ttl.into())
                .map_err(option("the TTL"))?;
        }
        #[cfg(unix)]
        if options.shares_port() {
            socket
                .set_reuse_port(true)
                .map_err(option("SO_REUSEPORT"))?;
        }
        if let Some(name) = &options.path.interface {
            bind_device(&socket, name).map_err(BindError::of_interface(name))?;
        }
        let layer = Layer::prepare(&socket, options)?;
        // A refusal is not fatal: reports give the granted size.
        let _granted = socket.set_recv_buffer_size(options.receive_buffer_octets());
        socket
            .bind(&addr.into())
            .map_err(|source| BindError::of_bind(addr, source))?;
        Ok(Self {
            socket: socket.into(),
            layer,
        })
    }

    /// Binds to the current device of this name, if the system can.
    pub(crate) fn bind_again(&mut self, device: &str) -> io::Result<()> {
        bind_device(&socket2::SockRef::from(&self.socket), device)
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn receive(
        &self,
        batch: &mut RecvBatch,
        most: usize,
        local: SocketAddr,
    ) -> io::Result<usize> {
        let mut count = 0;
        let own = (!local.ip().is_unspecified()).then(|| local.ip());
        let RecvBatch {
            slots,
            received,
            arrivals,
            ..
        } = batch;
        let slots = slots.data.chunks_exact_mut(slots.octets).take(most);
        for ((slot, octets), arrival) in slots.zip(received.iter_mut()).zip(arrivals.iter_mut()) {
            let received = match self.layer.receive(&self.socket, slot) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error, on systems that report it here: packets may be queued behind it.
                Err(error) if is_passing(&error) => break,
                Err(error) => return Err(error),
            };
            *octets = received.octets;
            *arrival = Arrival {
                at: received.arrived(clock::wall),
                from: received.from,
                to: received.to.or(own),
                to_port: local.port(),
                ttl: received.ttl,
                tos: received.tos,
                interface: received.interface,
                mac: None,
                truncated: received.is_truncated,
            };
            count += 1;
        }
        Ok(count)
    }

    pub(crate) fn send(&self, octets: &[u8], out: &Outbound) -> Result<Option<u32>, SendError> {
        // Not possible without control messages.
        if !REPORTS_DESTINATION && (out.from.is_some() || out.interface != 0) {
            return Err(SendError::BadSource);
        }
        match self.layer.send(&self.socket, octets, out) {
            Err(error) if is_passing(&error) => self.layer.send(&self.socket, octets, out),
            result => result,
        }
        .map(|()| None)
        .map_err(|error| SendError::of(&error))
    }

    /// Sends datagrams one by one.
    pub(crate) fn send_all<'a>(
        &self,
        datagrams: impl Iterator<Item = Datagram<'a>>,
        sent: &mut dyn FnMut(usize, Result<Option<u32>, SendError>),
    ) {
        for (index, octets, out) in datagrams {
            sent(index, self.send(octets, out));
        }
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(crate) fn take_events(&self, _tell: &mut dyn FnMut(QueueEvent)) -> usize {
        0
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(crate) fn report_interface(&self) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(crate) fn drop_lower_transmit_rung(&self) {}

    pub(crate) fn receive_buffer_octets(&self) -> usize {
        socket2::SockRef::from(&self.socket)
            .recv_buffer_size()
            .unwrap_or(0)
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(crate) fn receive_drops(&self) -> u32 {
        0
    }

    pub(crate) fn source(&self) -> Source<'_> {
        #[cfg(unix)]
        return std::os::fd::AsFd::as_fd(&self.socket);
        #[cfg(windows)]
        return std::os::windows::io::AsSocket::as_socket(&self.socket);
    }
}

/// Whether an error belongs to an earlier packet and not to the socket.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::Interrupted
    )
}

/// Binds a socket to a device. One that is bound to it already, by a process that had the socket before, stays as it
/// is: to bind it again takes `CAP_NET_RAW`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn bind_device(socket: &socket2::Socket, name: &str) -> io::Result<()> {
    // The option has no family, whatever its name here says.
    let bound = socket.device_index_v4().ok().flatten();
    if bound.is_some() && bound.map(NonZeroU32::get) == interface::index_of(name) {
        return Ok(());
    }
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn bind_device(_socket: &socket2::Socket, _name: &str) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// A socket connected to `far`, for which the system has chosen the route.
pub(crate) fn towards(far: SocketAddr, interface: Option<&str>) -> io::Result<socket2::Socket> {
    let domain = if far.is_ipv6() {
        Domain::IPV6
    } else {
        Domain::IPV4
    };
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if let Some(name) = interface {
        bind_device(&socket, name)?;
    }
    let any: IpAddr = if far.is_ipv6() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    socket.bind(&SocketAddr::new(any, 0).into())?;
    socket.connect(&far.into())?;
    Ok(socket)
}

/// The local address that the system would send from to reach `far`.
pub(crate) fn local_address_towards(
    far: SocketAddr,
    interface: Option<&str>,
) -> io::Result<IpAddr> {
    let local = towards(far, interface)?.local_addr()?;
    let local = local.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(local.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_only_for_a_datagram_without_the_system_s_time() {
        let mut received = Received::of(0, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9));
        let now = Wall::from_unix_ns(7);
        let by_user = received.arrived(|| now);
        assert_eq!((by_user.at, by_user.rung), (now, Rung::User));
        let at = Wall::from_unix_ns(5);
        let rung = Rung::Kernel;
        received.at = Some(Stamp { at, rung });
        let by_system = received.arrived(|| unreachable!("the clock is read"));
        assert_eq!((by_system.at, by_system.rung), (at, rung));
    }
}
