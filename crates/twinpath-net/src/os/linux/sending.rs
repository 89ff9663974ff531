//! Sending, and the keys under which the kernel reports departures.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;

use libc::c_int;
use twinpath_wire::Tos;

use super::control::{Control, Writer};
use super::headers::{self, Headers};
use super::names::Name;
use super::socket::Socket;
use super::system::{self, NAME_KEY};
use crate::batch::Datagram;
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
        let (mut name, name_octets, own_headers);
        let mut vectors = [headers::vector_of(&[]), headers::vector_of(octets)];
        let mut parts = &mut vectors[1..];
        if let Some(member) = &self.member {
            (name, own_headers) = member.outgoing(octets, out, self.tos)?;
            name_octets = Name::LINK_OCTETS;
            vectors[0] = headers::vector_of(own_headers.octets());
            parts = &mut vectors[..];
        } else {
            (name, name_octets) = Name::of(&out.to);
        }
        let mut control = Control::EMPTY;
        let used = self.write_control(out, named, &mut control);
        let message = headers::outgoing(&mut name, name_octets, parts, &mut control, used);
        let counted =
            self.stamps(out) && named.is_none() && !self.names_keys.load(Ordering::Relaxed);
        let mut tries = 0;
        loop {
            let result = if used == 0 && self.member.is_none() {
                system::send_to(self.fd(), octets, name.octets(name_octets))
            } else {
                // SAFETY: `outgoing` has set the lengths of name, vector, octets and control, which
                // outlive the call.
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

    /// Writes the control messages of a packet. Returns their length in octets.
    fn write_control(
        &self,
        out: &Outbound,
        named: Option<(c_int, u32)>,
        control: &mut Control,
    ) -> usize {
        let mut writer = Writer::new(control);
        // What is sent over a member has them in headers of its own.
        if self.member.is_none() {
            self.write_fields(out, &mut writer);
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
        writer.used()
    }

    /// Fields of the IP header.
    fn write_fields(&self, out: &Outbound, writer: &mut Writer<'_>) {
        if out.from.is_some() || out.interface != 0 {
            let unnamed = if self.v6 {
                IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            } else {
                // With an interface but no source, IPv4 would take one of that interface although the
                // socket is bound to another.
                self.to.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            };
            writer.packet_info(out.from.unwrap_or(unnamed), out.interface);
        }
        if let Some(Tos(tos)) = out.tos.filter(|tos| *tos != self.tos) {
            let (level, kind) = if self.v6 {
                (libc::SOL_IPV6, libc::IPV6_TCLASS)
            } else {
                (libc::SOL_IP, libc::IP_TOS)
            };
            writer.push(level, kind, &c_int::from(tos).to_ne_bytes());
        }
    }

    /// Sends datagrams by as few system calls as possible. A datagram that a call stopped at is sent by
    /// [`Self::send`], so each has the result that `send` alone would have had.
    pub(crate) fn send_all<'a>(
        &self,
        headers: &mut Headers,
        mut datagrams: impl Iterator<Item = Datagram<'a>> + Clone,
        sent: &mut dyn FnMut(usize, Result<Option<u32>, SendError>),
    ) {
        loop {
            // `send` is faster for a single one.
            if self.member.is_none() && datagrams.clone().nth(1).is_some() {
                let (taken, count, first_key) = self.send_together(headers, datagrams.clone());
                let mut keys = (0..).map(|ahead| first_key.wrapping_add(ahead));
                for (index, _, out) in datagrams.by_ref().take(taken) {
                    let key = if self.stamps(out) { keys.next() } else { None };
                    sent(index, Ok(key));
                }
                if taken == count {
                    continue;
                }
            }
            let Some((index, octets, out)) = datagrams.next() else {
                return;
            };
            sent(index, self.send(octets, out));
        }
    }

    /// Sends the first datagrams by one system call. Returns how many were sent, how many were to be
    /// sent, and the key of the first stamped one.
    fn send_together<'a>(
        &self,
        headers: &mut Headers,
        datagrams: impl Iterator<Item = Datagram<'a>> + Clone,
    ) -> (usize, usize, u32) {
        let kind = NAME_KEY.filter(|_| self.names_keys.load(Ordering::Relaxed));
        let first_key = self.next_key.load(Ordering::Relaxed);
        let mut key = first_key;
        let messages = headers.fill(datagrams.clone(), |out, control| {
            let named = kind.filter(|_| self.stamps(out)).map(|kind| (kind, key));
            key = key.wrapping_add(u32::from(self.stamps(out)));
            self.write_control(out, named, control)
        });
        let count = messages.len();
        // SAFETY: `fill` has just pointed every header into `headers` and the datagrams, which
        // are borrowed for the whole call.
        let taken = unsafe { system::send_messages(self.fd(), messages) }.unwrap_or(0);
        let key_of = |(.., out): Datagram<'_>| u32::from(self.stamps(out));
        let stamped: u32 = datagrams.clone().take(taken).map(key_of).sum();
        self.next_key.fetch_add(stamped, Ordering::Relaxed);
        let stopped_at = datagrams.take(count).nth(taken);
        if kind.is_none() && stopped_at.is_some_and(|(.., out)| self.stamps(out)) {
            // Before anything else is sent, because some kernels have counted this packet.
            self.count_again();
        }
        (taken, count, first_key)
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

    pub(crate) fn has_transmit_stamps(&self) -> bool {
        self.stamped
    }

    /// With counted keys, after a packet that the kernel may or may not have counted: restarts its
    /// count at 0. Timestamps of earlier packets still have their old keys, which may equal those
    /// of later packets.
    fn count_again(&self) {
        if self.stamped && self.request_stamps(COUNT).is_ok() && self.request_stamps(0).is_ok() {
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
    use std::net::SocketAddr;

    use twinpath_wire::Rung;

    use super::*;
    use crate::batch::{RecvBatch, SendBatch, datagrams};
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
                mac: None,
                stamp: true,
            },
        )
    }

    fn told(socket: &Socket) -> Vec<u32> {
        let mut keys = Vec::new();
        let mut tell = |told| {
            if let QueueEvent::Sent { key, stamp } = told
                && stamp.rung == Rung::Kernel
            {
                keys.push(key);
            }
        };
        while socket.take_events(&mut tell) > 0 {}
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
        let nowhere = nowhere(out);
        for _ in 0..3 {
            let lost = socket.send(b"lost", &nowhere).unwrap().unwrap();
            assert_eq!(told(&socket), [lost]);
            let first = socket.send(b"x", &out).unwrap().unwrap();
            let second = socket.send(b"y", &out).unwrap().unwrap();
            assert_eq!(second, first + 1);
            assert_eq!(told(&socket), [first, second]);
        }
    }

    /// To a port without a listener.
    fn nowhere(out: Outbound) -> Outbound {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Outbound {
            to: closed.local_addr().unwrap(),
            ..out
        }
    }

    /// Sends these by one call of `send_all`. Returns the result of each, in order.
    fn send_all(
        socket: &Socket,
        packets: &[(usize, Outbound)],
    ) -> Vec<Result<Option<u32>, SendError>> {
        let mut batch = SendBatch::new(packets.len(), 70_000);
        for (slot, (octets, out)) in packets.iter().enumerate() {
            batch.set(slot, *octets, *out);
        }
        let SendBatch {
            slots,
            outbound,
            headers,
        } = &mut batch;
        let mut results = Vec::new();
        let all = datagrams(slots, outbound, 0..packets.len());
        socket.send_all(headers, all, &mut |slot, result| {
            assert_eq!(slot, results.len(), "each once, in order");
            results.push(result);
        });
        results
    }

    /// With named and with counted keys.
    fn each_way(check: impl Fn(&Socket, Outbound)) {
        for named in [true, false] {
            let (socket, out) = open();
            // A kernel without named keys is recognized at the first packet.
            socket.names_keys.fetch_and(named, Ordering::Relaxed);
            check(&socket, out);
        }
    }

    #[test]
    fn packets_sent_together_have_consecutive_keys_and_timestamps_under_them() {
        each_way(|socket, out| {
            for round in 0..3 {
                let sent = send_all(socket, &[(9, out); 20]);
                let keys: Vec<u32> = (20 * round..20 * (round + 1)).collect();
                let expected: Vec<_> = keys.iter().map(|key| Ok(Some(*key))).collect();
                assert_eq!(sent, expected);
                assert_eq!(told(socket), keys);
            }
        });
    }

    #[test]
    fn a_refused_packet_does_not_change_the_others_sent_together() {
        each_way(|socket, out| {
            for refused_at in [0, 3, 6] {
                let mut packets = [(9, out); 7];
                packets[refused_at].0 = 66_000;
                let sent = send_all(socket, &packets);
                let keys: Vec<u32> = sent.iter().flatten().flatten().copied().collect();
                assert_eq!(sent[refused_at], Err(SendError::TooLarge));
                assert_eq!(keys.len(), 6, "{sent:?}");
                assert_eq!(told(socket), keys);
                // The next packet's key agrees too.
                let key = socket.send(b"x", &out).unwrap().unwrap();
                assert_eq!(told(socket), [key]);
            }
        });
    }

    #[test]
    fn packets_after_one_to_a_closed_port_leave() {
        each_way(|socket, out| {
            let gone = nowhere(out);
            let sent = send_all(
                socket,
                &[
                    (9, out),
                    (9, gone),
                    (9, out),
                    (9, gone),
                    (9, gone),
                    (9, out),
                ],
            );
            let keys: Vec<u32> = sent.into_iter().map(|key| key.unwrap().unwrap()).collect();
            assert_eq!(told(socket), keys);
        });
    }

    /// Some kernels have counted the packet that the call stopped at, some have not.
    #[test]
    fn counted_keys_restart_after_a_call_that_stopped() {
        let (socket, out) = open();
        socket.names_keys.store(false, Ordering::Relaxed);
        let gone = nowhere(out);
        // Usually the error is returned to the very next packet.
        let stopped = (0..1000).any(|_| {
            let sent = send_all(&socket, &[(9, out), (9, gone), (9, out)]);
            sent[2] == Ok(Some(0))
        });
        assert!(stopped);
    }

    /// A kernel without named keys refuses the first packet with the error it has for port 0.
    #[test]
    fn keys_are_counted_once_the_first_named_one_is_refused() {
        let (socket, out) = open();
        let to = SocketAddr::new(out.to.ip(), 0);
        let sent = send_all(&socket, &[(9, Outbound { to, ..out }), (9, out), (9, out)]);
        assert_eq!(sent, [Err(SendError::BadSource), Ok(Some(0)), Ok(Some(1))]);
        assert!(!socket.names_keys.load(Ordering::Relaxed));
        assert_eq!(told(&socket), [0, 1]);
    }

    #[test]
    fn each_packet_of_a_batch_has_its_own_source_tos_and_timestamp() {
        let receiver = |ip: &str| {
            let near = format!("{ip}:0").parse().unwrap();
            Socket::open(&SocketOptions::reflector(near)).unwrap()
        };
        let near = receiver("0.0.0.0");
        let far = receiver("127.0.0.1");
        let to = far.local().unwrap();
        let ways: Vec<Outbound> = (1..=40)
            .map(|n| Outbound {
                to,
                from: (n % 3 > 0).then(|| [127, 0, 0, n].into()),
                tos: (n % 4 > 0).then_some(Tos(n << 2)),
                interface: 0,
                mac: None,
                stamp: n % 2 == 0,
            })
            .collect();
        let packets: Vec<_> = ways.iter().zip(100..).map(|(out, n)| (n, *out)).collect();
        let sent = send_all(&near, &packets);
        near.send(&[0; 99], &ways[0]).unwrap();
        let mut batch = RecvBatch::new(64, 2048);
        // No more are taken than are asked for; the others stay.
        assert_eq!(far.receive(&mut batch, 40, to).unwrap(), 40);
        let mut keys = 0..;
        for (index, out) in ways.iter().enumerate() {
            let (_, octets, arrival) = batch.packet(index).unwrap();
            assert_eq!(octets, 100 + index);
            let from = out.from.unwrap_or([127, 0, 0, 1].into());
            assert_eq!(
                (arrival.from.ip(), arrival.tos),
                (from, Some(out.tos.unwrap_or(Tos(0))))
            );
            let key = if out.stamp { keys.next() } else { None };
            assert_eq!(sent[index], Ok(key));
        }
        assert_eq!(told(&near), (0..20).collect::<Vec<_>>());
        assert_eq!(far.receive(&mut batch, 64, to).unwrap(), 1);
        assert_eq!(batch.packet(0).unwrap().1, 99);
    }
}
