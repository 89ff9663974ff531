//! Sending, and the keys under which the kernel will tell of what was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libc::c_int;
use twinpath_wire::Tos;

use super::control::{Control, Writer};
use super::names::Name;
use super::socket::Socket;
use super::{clock, system};
use crate::error::SendError;
use crate::socket::Outbound;

/// The count of stamped packets starts anew when this is switched on.
const COUNT: u32 = libc::SOF_TIMESTAMPING_OPT_ID;
/// `SCM_TS_OPT_ID` (Linux 6.13): a packet names its own key, so that a refused one cannot shift the
/// others'. The number is that of the architectures with the generic list.
pub(super) const NAME_KEY: Option<c_int> = if cfg!(any(
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

/// Datagrams sent by one system call at most.
pub(crate) const TOGETHER: usize = 4;

impl Socket {
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
        // An ICMP error that came back is reported by the next call, once each, and this packet is
        // not sent: try again.
        let mut tries = 0;
        loop {
            let result = if used == 0 {
                system::send_to(self.fd(), octets, name.octets(name_octets))
            } else {
                // SAFETY: name, vector, octets and control outlive the call, with these lengths.
                unsafe { system::send_message(self.fd(), &message) }
            };
            match result {
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

    /// Sends several datagrams that need no control message by one system call. How many were taken.
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

    /// Whether a packet needs no control message and no stamp.
    pub(crate) fn is_plain(&self, out: &Outbound) -> bool {
        let marked = out.tos.is_some_and(|tos| tos != self.tos);
        let stamped = self.every_departure || (out.stamp && self.stamped);
        !marked && !stamped && out.from.is_none()
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
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Rung;

    use super::*;
    use crate::socket::{SocketOptions, Told};

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
