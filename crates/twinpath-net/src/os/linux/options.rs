//! Options of a socket with kernel timestamps.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use libc::c_int;
use socket2::{Domain, Type};

use super::system;
use crate::options::SocketOptions;
use crate::os::fragments::Fragments;

/// The destination address of all packets of a socket bound to `near`; `None` if it differs by
/// packet, because there are several or the interface matters.
pub(super) fn bound(near: IpAddr) -> Option<IpAddr> {
    let link_local = matches!(near, IpAddr::V6(v6) if v6.is_unicast_link_local());
    (!near.is_unspecified() && !near.is_multicast() && !link_local).then_some(near)
}

/// Octets of send buffer to request.
const SEND_BUFFER: usize = 1 << 20;

/// As much buffer as the system grants: beyond its limit only with a privilege.
pub(super) fn buffers(socket: &socket2::Socket, receive_octets: usize) {
    receive_buffer(socket, receive_octets);
    let _granted = socket.set_send_buffer_size(SEND_BUFFER);
}

fn receive_buffer(socket: &socket2::Socket, receive_octets: usize) {
    let octets = c_int::try_from(receive_octets).unwrap_or(c_int::MAX);
    if system::set_int(
        socket.as_fd(),
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        octets,
    )
    .is_err()
    {
        // A refusal is not fatal: reports give the granted size, and drops are counted.
        let _granted = socket.set_recv_buffer_size(receive_octets);
    }
}

/// The same of a socket whose buffers a process with more privileges may have made larger than is granted here.
pub(super) fn larger_buffers(socket: &socket2::Socket, receive_octets: usize) -> io::Result<()> {
    let granted = socket2::Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    buffers(&granted, receive_octets);
    if socket.recv_buffer_size()? < granted.recv_buffer_size()? {
        receive_buffer(socket, receive_octets);
    }
    if socket.send_buffer_size()? < granted.send_buffer_size()? {
        let _granted = socket.set_send_buffer_size(SEND_BUFFER);
    }
    Ok(())
}

/// Has each packet's destination address and interface told.
pub(super) fn say_where(fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    let (level, name) = if v6 {
        (libc::SOL_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::SOL_IP, libc::IP_PKTINFO)
    };
    system::set_int(fd, level, name, 1)
}

pub(super) fn ip_options(fd: BorrowedFd<'_>, v6: bool, options: &SocketOptions) -> io::Result<()> {
    let tos = c_int::from(options.tos().0);
    let ttl = c_int::from(options.path.ttl);
    if options.reports_interface() || bound(options.near.ip()).is_none() {
        say_where(fd, v6)?;
    }
    let icmp = c_int::from(options.is_sender());
    if v6 {
        let set = |name, value| system::set_int(fd, libc::SOL_IPV6, name, value);
        set(libc::IPV6_RECVHOPLIMIT, 1)?;
        set(libc::IPV6_RECVTCLASS, 1)?;
        set(libc::IPV6_RECVERR, icmp)?;
        set(libc::IPV6_UNICAST_HOPS, ttl)?;
        set(libc::IPV6_TCLASS, tos)?;
    } else {
        let set = |name, value| system::set_int(fd, libc::SOL_IP, name, value);
        set(libc::IP_RECVTTL, 1)?;
        set(libc::IP_RECVTOS, 1)?;
        set(libc::IP_RECVERR, icmp)?;
        set(libc::IP_TTL, ttl)?;
        set(libc::IP_TOS, tos)?;
    }
    Fragments::of(v6, options.path.dont_fragment, options.is_sender()).set(fd, v6)
}
