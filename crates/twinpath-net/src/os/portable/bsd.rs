//! Datagrams with control messages on FreeBSD and macOS: `recvmsg` and `sendmsg`.

use std::io;
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd as _, RawFd};
use std::ptr;

use libc::{c_int, iovec, msghdr};
use socket2::SockAddr;
use twinpath_wire::{Rung, Stamp, Tos, Wall};

use super::Received;
use super::marking::Marking;
use crate::error::BindError;
use crate::options::SocketOptions;
use crate::os::control::{Control, messages};
use crate::packet::Outbound;

/// Whether each packet tells where it was sent to.
pub(crate) const REPORTS_DESTINATION: bool = false;

#[derive(Debug)]
pub(super) struct Layer {
    is_v6: bool,
    marking: Marking,
}

impl Layer {
    pub(super) fn prepare(
        socket: &socket2::Socket,
        options: &SocketOptions,
    ) -> Result<Self, BindError> {
        let option = |what| BindError::of_option(options.near, what);
        let raw = socket.as_raw_fd();
        let is_v6 = options.near.is_ipv6();
        // What a version of the system does not tell is not known.
        for (level, name) in told(is_v6) {
            let _unsupported = set(raw, level, name, 1);
        }
        if options.path.dont_fragment {
            let (level, name) = if is_v6 {
                (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG)
            } else {
                (libc::IPPROTO_IP, libc::IP_DONTFRAG)
            };
            set(raw, level, name, 1).map_err(option("DF"))?;
        }
        let layer = Self {
            is_v6,
            marking: Marking::of(options.tos()),
        };
        layer.mark(raw, None).map_err(option("the ToS"))?;
        Ok(layer)
    }

    /// The next packet leaves with this ToS, or the usual one.
    fn mark(&self, raw: RawFd, tos: Option<Tos>) -> io::Result<()> {
        let (level, name) = if self.is_v6 {
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
        } else {
            (libc::IPPROTO_IP, libc::IP_TOS)
        };
        self.marking.mark(tos, |value| set(raw, level, name, value))
    }

    #[expect(clippy::unused_self, reason = "one face for all systems")]
    pub(super) fn receive(&self, socket: &UdpSocket, slot: &mut [u8]) -> io::Result<Received> {
        let mut control = Control::EMPTY;
        let (mut flags, mut used) = (0, 0);
        let mut vector = iovec {
            iov_base: slot.as_mut_ptr().cast(),
            iov_len: slot.len(),
        };
        let receive = |name: *mut socket2::SockAddrStorage, octets: *mut libc::socklen_t| {
            // SAFETY: pointers and lengths, for which zero is a value.
            let mut header: msghdr = unsafe { zeroed() };
            header.msg_name = name.cast();
            // SAFETY: `try_init` gives the length of the storage.
            header.msg_namelen = unsafe { *octets };
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = control.0.len() as _;
            // SAFETY: name, vector and control messages live across the call and are as long as is said.
            let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
            let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
            (flags, used) = (header.msg_flags, header.msg_controllen);
            // SAFETY: as above.
            unsafe { *octets = header.msg_namelen };
            Ok(count)
        };
        // SAFETY: an address was written there, of the length that is set.
        let (octets, from) = unsafe { SockAddr::try_init(receive) }?;
        let from = from.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        let mut received = Received {
            is_truncated: flags & libc::MSG_TRUNC != 0,
            ..Received::of(octets.min(slot.len()), from)
        };
        let used = usize::try_from(used).unwrap_or(0);
        read(control.0.get(..used).unwrap_or_default(), &mut received);
        Ok(received)
    }

    pub(super) fn send(&self, socket: &UdpSocket, octets: &[u8], out: &Outbound) -> io::Result<()> {
        // A reply whose marking the system refuses leaves without it.
        let _refused = self.mark(socket.as_raw_fd(), out.tos);
        socket.send_to(octets, out.to).map(drop)
    }
}

/// The options by which packets tell their TTL, ToS and time.
fn told(is_v6: bool) -> [(c_int, c_int); 3] {
    let time = (libc::SOL_SOCKET, libc::SO_TIMESTAMP);
    if is_v6 {
        let v6 = libc::IPPROTO_IPV6;
        [
            (v6, libc::IPV6_RECVHOPLIMIT),
            (v6, libc::IPV6_RECVTCLASS),
            time,
        ]
    } else {
        let v4 = libc::IPPROTO_IP;
        [(v4, libc::IP_RECVTTL), (v4, libc::IP_RECVTOS), time]
    }
}

fn read(control: &[u8], received: &mut Received) {
    for message in messages(control) {
        let int = || message.int().and_then(|value| u8::try_from(value).ok());
        match (message.level, message.kind) {
            (libc::IPPROTO_IP, libc::IP_RECVTTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                received.ttl = int();
            }
            (libc::IPPROTO_IP, libc::IP_RECVTOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                received.tos = int().map(Tos);
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) => {
                received.at = at(message.data);
            }
            _ => {}
        }
    }
}

/// The time of a `timeval`.
fn at(data: &[u8]) -> Option<Stamp> {
    let octets = data.get(..size_of::<libc::timeval>())?;
    // SAFETY: as many octets as a `timeval` has, of whole numbers, for which all octets are values.
    let time: libc::timeval = unsafe { ptr::read_unaligned(octets.as_ptr().cast()) };
    let ns = i64::from(time.tv_sec).checked_mul(1_000_000_000)?;
    let ns = ns.checked_add(i64::from(time.tv_usec).checked_mul(1_000)?)?;
    Some(Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    })
}

/// Sets an option that is an `int`.
fn set(raw: RawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value lives across the call and is as long as is said.
    let result = unsafe {
        libc::setsockopt(
            raw,
            level,
            name,
            (&raw const value).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
