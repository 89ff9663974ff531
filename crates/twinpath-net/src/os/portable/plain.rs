//! Datagrams without control messages: neither TTL, ToS nor interface of a packet are known, and its time is that of
//! user space.

use std::io;
use std::net::UdpSocket;

use super::Received;
use crate::error::BindError;
use crate::options::SocketOptions;
use crate::packet::Outbound;

/// Whether each packet tells where it was sent to.
pub(crate) const REPORTS_DESTINATION: bool = false;

#[derive(Debug)]
pub(super) struct Layer;

impl Layer {
    pub(super) fn prepare(
        socket: &socket2::Socket,
        options: &SocketOptions,
    ) -> Result<Self, BindError> {
        let option = |what| BindError::of_option(options.near, what);
        if !options.near.is_ipv6() && options.tos().0 != 0 {
            let tos = options.tos().0.into();
            socket.set_tos_v4(tos).map_err(option("the ToS"))?;
        }
        fragments(socket, options).map_err(option("DF"))?;
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(super) fn receive(&self, socket: &UdpSocket, slot: &mut [u8]) -> io::Result<Received> {
        let (octets, from) = socket.recv_from(slot)?;
        Ok(Received::of(octets, from))
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(super) fn send(&self, socket: &UdpSocket, octets: &[u8], out: &Outbound) -> io::Result<()> {
        socket.send_to(octets, out.to).map(drop)
    }
}

/// Fragmentation as on the socket with kernel timestamps.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn fragments(socket: &socket2::Socket, options: &SocketOptions) -> io::Result<()> {
    use std::os::fd::AsFd as _;

    use crate::os::fragments::Fragments;

    let v6 = options.near.is_ipv6();
    // Plain sockets get no ICMP errors.
    Fragments::of(v6, options.path.dont_fragment, false).set(socket.as_fd(), v6)
}

/// The system's default; DF is not available.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn fragments(_socket: &socket2::Socket, options: &SocketOptions) -> io::Result<()> {
    if options.path.dont_fragment {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(())
}
