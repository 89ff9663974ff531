//! Sending, and the keys under which the kernel reports departures.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use libc::c_int;
use twinpath_wire::Tos;

use super::control::{Control, Writer};
use super::names::Name;
use super::socket::Socket;
use super::system::{self, NAME_KEY};
use crate::error::SendError;
use crate::os::fragments::Fragments;
use crate::packet::Outbound;

/// The count of stamped packets starts again when this is switched on.
const COUNT: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
/// How often a packet is retried after an error of another packet: an ICMP error is returned by the
/// next call, which then sends nothing.
const TRIES: u32 = 8;
/// After this many tries, the interface itself is refusing the packet for its size.
const SIZE_TRIES: u32 = 2;

/// The most datagrams sent by one system call.
pub(crate) const TOGETHER: usize = 4;

impl Socket {
    pub(crate) fn send(&self, octets: &[u8], out: &Outbound) -> Result<Option<u32>, SendError> {
        if !self.stamps(out) {
            return self.send_with(octets, out, None).map(|()| None);
        }
        if self.names_keys.load(Ordering::Relaxed) {
            let key = self.next_key.fetch_add(1, Ordering::Relaxed);
            match self.send_with(octets, out, NAME_KEY.map(|name| (name, key))) {
                Ok(()) => return Ok(Some(key)),
                // An older kernel rejects that control message and has sent nothing.
                Err(SendError::BadSource) if key == 0 => {
                    self.next_key.store(0, Ordering::Relaxed);
                    self.names_keys.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        self.send_with(octets, out, None)?;
        Ok(Some(self.next_key.fetch_add(1, Ordering::Relaxed)))
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
        if let Some(Tos(tos)) = out.tos.filter(|tos| *tos != self.tos) {
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
        let counted =
            self.stamps(out) && named.is_none() && !self.names_keys.load(Ordering::Relaxed);
        let mut tries = 0;
        loop {
            let result = if used == 0 {
                system::send_to(self.fd(), octets, name.octets(name_octets))
            } else {
                // SAFETY: name, vector, octets and control outlive the call, with these lengths.
                unsafe { system::send_message(self.fd(), &message) }
            };
            let Err(error) = result else { return Ok(()) };
            if counted {
                // Before anything else is sent, because some kernels have counted this packet.
                self.count_again();
            }
            if !self.is_worth_another(&error, &mut tries) {
                return Err(SendError::of(&error));
            }
        }
    }

    /// Whether a packet that failed with `error` may leave at the next try.
    fn is_worth_another(&self, error: &io::Error, tries: &mut u32) -> bool {
        *tries += 1;
        match error.raw_os_error().unwrap_or(0) {
            libc::EINTR => true,
            libc::EMSGSIZE if *tries >= SIZE_TRIES && self.let_fragments() => true,
            libc::EMSGSIZE
            | libc::ECONNREFUSED
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::EACCES
            | libc::EOPNOTSUPP => *tries < TRIES,
            _ => false,
        }
    }

    /// From now on, sends packets over the interface's MTU in fragments if they were refused
    /// although DF was not requested. Returns whether that is a change.
    fn let_fragments(&self) -> bool {
        self.refuses_larger.swap(false, Ordering::Relaxed)
            && Fragments::ByInterface.set(self.fd(), self.v6).is_ok()
    }

    /// Sends several datagrams that need no control message by one system call. Returns how many
    /// were taken.
    pub(crate) fn send_plain(&self, packets: &[(&[u8], SocketAddr)]) -> io::Result<usize> {
        // SAFETY: headers are pointers and lengths, for which zero is a value.
        let mut messages: [libc::mmsghdr; TOGETHER] = unsafe { std::mem::zeroed() };
        let mut names = [Name::EMPTY; TOGETHER];
        let mut vectors = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; TOGETHER];
        let each = messages
            .iter_mut()
            .zip(&mut names)
            .zip(&mut vectors)
            .zip(packets);
        for (((message, name), vector), (octets, to)) in each {
            let (written, name_octets) = Name::of(to);
            *name = written;
            vector.iov_base = octets.as_ptr().cast_mut().cast();
            vector.iov_len = octets.len();
            let header = &mut message.msg_hdr;
            header.msg_name = name.0.as_mut_ptr().cast();
            header.msg_namelen = name_octets;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
        }
        let count = packets.len().min(TOGETHER);
        // SAFETY: names, vectors and octets outlive the call, with these lengths.
        unsafe { system::send_messages(self.fd(), messages.get_mut(..count).unwrap_or_default()) }
    }

    pub(crate) fn tells_departures(&self) -> bool {
        self.stamped
    }

    /// Whether a packet needs no control message and no timestamp.
    pub(crate) fn is_plain(&self, out: &Outbound) -> bool {
        let marked = out.tos.is_some_and(|tos| tos != self.tos);
        !marked && !self.stamps(out) && out.from.is_none()
    }

    /// With counted keys, after a packet that the kernel may or may not have counted: restarts its
    /// count at 0. Timestamps of earlier packets still have their old keys, which may equal those
    /// of later packets.
    fn count_again(&self) {
        if self.stamped && self.ask_for_stamps(COUNT).is_ok() && self.ask_for_stamps(0).is_ok() {
            self.next_key.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a packet is timestamped as it leaves.
    fn stamps(&self, out: &Outbound) -> bool {
        self.every_departure || (out.stamp && self.stamped)
    }
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Rung;

    use super::*;
    use crate::options::SocketOptions;
    use crate::packet::QueueEvent;

    /// A socket on loopback that timestamps all packets, and a destination.
    fn open() -> (Socket, Outbound) {
        let near = "127.0.0.1:0".parse().unwrap();
        let socket = Socket::open(&SocketOptions::sender(near, near)).unwrap();
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
            if let QueueEvent::Sent { key, stamp } = told
                && stamp.rung == Rung::Kernel
            {
                keys.push(key);
            }
        });
        keys
    }

    #[test]
    fn where_the_kernel_counts_keys_and_stamps_agree_after_a_refusal() {
        let (socket, out) = open();
        socket.names_keys.store(false, Ordering::Relaxed);
        assert_eq!(socket.send(b"x", &out), Ok(Some(0)));
        assert_eq!(socket.send(b"x", &out), Ok(Some(1)));
        assert_eq!(told(&socket), [0, 1]);
        assert!(socket.send(&vec![0; 70_000], &out).is_err());
        assert_eq!(socket.send(b"x", &out), Ok(Some(0)));
        assert_eq!(socket.send(b"x", &out), Ok(Some(1)));
        assert_eq!(told(&socket), [0, 1]);
    }

    /// A packet to a port without a listener leaves its error on the socket, and the next send fails
    /// with it before it is tried again.
    #[test]
    fn where_the_kernel_counts_keys_and_stamps_agree_after_another_packets_error() {
        let (socket, out) = open();
        socket.names_keys.store(false, Ordering::Relaxed);
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let nowhere = Outbound {
            to: closed.local_addr().unwrap(),
            ..out
        };
        drop(closed);
        for _ in 0..3 {
            let lost = socket.send(b"lost", &nowhere).unwrap().unwrap();
            assert_eq!(told(&socket), [lost]);
            let first = socket.send(b"x", &out).unwrap().unwrap();
            let second = socket.send(b"y", &out).unwrap().unwrap();
            assert_eq!(second, first + 1);
            assert_eq!(told(&socket), [first, second]);
        }
    }
}
