//! Sockets that a service manager has bound and passes to this process: systemd's socket activation
//! (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`, sd_listen_fds(3)).

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Socket, Type};
use twinpath_wire::Tos;

use crate::error::BindError;
use crate::{os, stream};

/// A socket that was passed.
#[derive(Debug)]
pub struct PassedSocket {
    name: PassedName,
    socket: Socket,
}

/// How a passed socket is named in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedName {
    /// The number of the descriptor.
    pub descriptor: i32,
    /// The name that the service manager has for it, its unit's as a rule.
    pub name: String,
}

impl fmt::Display for PassedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {} ({})", self.descriptor, self.name)
    }
}

/// Why a passed socket is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassedFault {
    /// It is no UDP socket with an address.
    #[error("not a UDP socket of IPv4 or IPv6")]
    NotUdp,
    /// It is no TCP socket that listens.
    #[error("not a TCP socket that listens")]
    NotTcp,
    /// An IPv6 socket that receives IPv4 too: addresses of one family would look like the other's.
    #[error("an IPv6 socket that takes IPv4 too")]
    BothFamilies,
    /// Not all addresses have the same number of sockets, one for each thread.
    #[error("not every address has as many sockets as the others, or as there are threads")]
    Uneven,
    /// Plain sockets are not taken over.
    #[error("plain sockets cannot be passed")]
    Plain,
}

/// All sockets that were passed to this process: none at a second call, or where there is no such service manager.
///
/// # Errors
/// The environment does not make sense, or names a descriptor that is not open or not a socket.
pub fn take() -> io::Result<Vec<PassedSocket>> {
    let passed = os::activation::take()?;
    let passed = passed.into_iter().map(|(descriptor, name, socket)| {
        let name = PassedName { descriptor, name };
        PassedSocket { name, socket }
    });
    Ok(passed.collect())
}

impl PassedSocket {
    /// The address and port that it is bound to; `None`: it has none, as a Unix socket.
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// Says that it is of no use.
    pub fn fault(&self, fault: PassedFault) -> BindError {
        let name = self.name.clone();
        BindError::Passed { name, fault }
    }

    /// Closes it, and says that it is of no use.
    pub(crate) fn refuse(self, fault: PassedFault) -> BindError {
        let name = self.name;
        BindError::Passed { name, fault }
    }

    /// The UDP socket, and its address.
    #[cfg_attr(
        not(linux_sockets),
        expect(dead_code, reason = "plain sockets are not taken over")
    )]
    pub(crate) fn udp(self) -> Result<(Socket, SocketAddr), BindError> {
        let near = self.internet(Type::DGRAM, PassedFault::NotUdp)?;
        Ok((self.socket, near))
    }

    fn internet(&self, kind: Type, otherwise: PassedFault) -> Result<SocketAddr, BindError> {
        let near = self
            .local()
            .filter(|_| self.socket.r#type().is_ok_and(|it| it == kind));
        let near = near.ok_or_else(|| self.fault(otherwise))?;
        if near.is_ipv6() && !self.socket.only_v6().unwrap_or(false) {
            return Err(self.fault(PassedFault::BothFamilies));
        }
        Ok(near)
    }

    /// The listening TCP socket, with the options of [`crate::stream::listen`].
    ///
    /// # Errors
    /// [`BindError`]: it is none, or an option was refused.
    pub fn listener(
        self,
        interface: Option<&str>,
        tos: Option<Tos>,
    ) -> Result<TcpListener, BindError> {
        let near = self.internet(Type::STREAM, PassedFault::NotTcp)?;
        if !listens(&self.socket) {
            return Err(self.fault(PassedFault::NotTcp));
        }
        // As a new one: a process that had it before may have marked it.
        os::stream::mark(&self.socket, near.is_ipv6(), Tos(0))
            .map_err(BindError::of_option(near, "the ToS"))?;
        stream::prepare_listener(&self.socket, near, interface, tos)?;
        Ok(self.socket.into())
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listens(socket: &Socket) -> bool {
    socket.is_listener().unwrap_or(false)
}

/// Those that do not listen have a peer, where the system does not tell.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn listens(socket: &Socket) -> bool {
    socket.peer_addr().is_err()
}

#[cfg(test)]
#[cfg(linux_sockets)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;
    use std::thread;
    use std::time::Duration;

    use twinpath_wire::Rung;

    use super::*;
    use crate::confine::{Confinement, confine};
    use crate::os::fragments::set_int;
    use crate::{Outbound, QueueEvent, RecvBatch, SocketOptions, StampChoice, TestSocket, clock};

    fn passed(socket: Socket) -> PassedSocket {
        let (descriptor, name) = (3, "x".to_owned());
        PassedSocket {
            name: PassedName { descriptor, name },
            socket,
        }
    }

    fn adopt(socket: &Socket) -> TestSocket {
        let elsewhere = SocketOptions::reflector("192.0.2.1:9".parse().unwrap());
        TestSocket::adopt(passed(socket.try_clone().unwrap()), &elsewhere).unwrap()
    }

    /// A socket on all addresses, and one of a sender to it.
    fn pair() -> (Socket, UdpSocket) {
        let socket = Socket::from(UdpSocket::bind("0.0.0.0:0").unwrap());
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(("127.0.0.1", port)).unwrap();
        (socket, sender)
    }

    #[test]
    fn datagrams_that_wait_have_their_time_and_destination_or_are_dropped() {
        for is_told in [true, false] {
            let (socket, sender) = pair();
            if is_told {
                let fd = socket.as_fd();
                set_int(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).unwrap();
                set_int(fd, libc::SOL_IP, libc::IP_PKTINFO, 1).unwrap();
                // The kernel begins to timestamp a moment later.
                thread::sleep(Duration::from_millis(200));
            }
            sender.send(b"early").unwrap();
            thread::sleep(Duration::from_millis(100));
            let taken_over = clock::wall();
            let ours = adopt(&socket);
            let mut batch = RecvBatch::new(4, 64);
            assert_eq!(ours.receive(&mut batch).unwrap(), usize::from(is_told));
            if let Some((slot, octets, arrival)) = batch.packet(0).filter(|_| is_told) {
                assert_eq!(&slot[..octets], b"early");
                let waited = taken_over - arrival.at.at;
                assert!(waited.ns() >= 50_000_000, "{waited:?}");
                assert_eq!(arrival.at.rung, Rung::Kernel);
                assert_eq!(arrival.to, Some("127.0.0.1".parse().unwrap()));
            }
            sender.send(b"late").unwrap();
            assert_eq!(ours.receive(&mut batch).unwrap(), 1);
        }
    }

    #[test]
    fn who_takes_a_socket_over_from_another_process_has_its_datagrams_and_not_its_departures() {
        let (socket, sender) = pair();
        let mut out = Outbound {
            to: sender.local_addr().unwrap(),
            from: None,
            tos: None,
            interface: 0,
            mac: None,
            stamp: true,
        };
        let first = adopt(&socket);
        for _ in 0..3 {
            first.send(b"reply", &out).unwrap();
        }
        drop(first);
        sender.send(b"meanwhile").unwrap();
        let second = adopt(&socket);
        let mut batch = RecvBatch::new(4, 64);
        assert_eq!(second.receive(&mut batch).unwrap(), 1);
        out.to = sender.local_addr().unwrap();
        let sent = second.send(b"reply", &out).unwrap().unwrap();
        let mut keys = Vec::new();
        let until = clock::mono() + Duration::from_secs(10);
        while keys.is_empty() && clock::mono() < until {
            second.drain_errors(&mut |event| {
                if let QueueEvent::Sent { key, .. } = event {
                    keys.push(key);
                }
            });
        }
        assert!(keys.iter().all(|key| *key == sent), "{keys:?} {sent}");
        assert!(!keys.is_empty());
    }

    /// What comes of this in a thread without capabilities.
    fn unprivileged<T: Send>(attempt: impl FnOnce() -> T + Send) -> T {
        let nothing = Confinement {
            capabilities: Some(Vec::new()),
            ..Confinement::default()
        };
        let attempt = || {
            assert!(confine(&nothing).is_empty());
            attempt()
        };
        thread::scope(|scope| scope.spawn(attempt).join().unwrap())
    }

    #[test]
    fn what_an_earlier_process_has_bound_and_joined_stays_so_without_a_privilege() {
        let (socket, sender) = pair();
        let mut options = SocketOptions::reflector("192.0.2.1:9".parse().unwrap());
        options.path.interface = Some("lo".to_owned());
        let group = "239.7.7.7".parse().unwrap();
        for _ in 0..2 {
            unprivileged(|| {
                let passed = passed(socket.try_clone().unwrap());
                let ours = TestSocket::adopt(passed, &options).unwrap();
                ours.join(group, Some("lo")).unwrap();
            });
        }
        assert_eq!(socket.device().unwrap().unwrap(), b"lo");
        options.path.interface = Some("nowhere".to_owned());
        let elsewhere = TestSocket::adopt(passed(socket), &options);
        assert!(
            matches!(elsewhere, Err(BindError::Interface { .. })),
            "{elsewhere:?}"
        );
        drop(sender);
    }

    #[test]
    fn a_listener_has_the_options_of_the_process_that_has_it_now() {
        let socket = Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
        for tos in [Some(Tos(184)), None] {
            unprivileged(|| {
                let passed = passed(socket.try_clone().unwrap());
                passed.listener(Some("lo"), tos).unwrap();
            });
            let marked = socket.tos_v4().unwrap();
            assert_eq!(marked, u32::from(tos.unwrap_or(Tos(0)).0));
        }
    }

    #[test]
    fn what_was_dropped_before_is_not_counted() {
        let (socket, sender) = pair();
        socket.set_recv_buffer_size(4_096).unwrap();
        let send = || {
            for _ in 0..100 {
                sender.send(&[0; 1_000]).unwrap();
            }
        };
        send();
        let ours = adopt(&socket);
        assert_eq!(ours.receive_drops(), 0);
        socket.set_recv_buffer_size(4_096).unwrap();
        send();
        assert!(ours.receive_drops() > 0);
    }

    #[test]
    fn what_has_waited_has_no_time_of_arrival_without_the_kernel_s() {
        let (socket, sender) = pair();
        let fd = socket.as_fd();
        set_int(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).unwrap();
        set_int(fd, libc::SOL_IP, libc::IP_PKTINFO, 1).unwrap();
        sender.send(b"early").unwrap();
        let mut options = SocketOptions::reflector("192.0.2.1:9".parse().unwrap());
        options.path.stamps = StampChoice::User;
        let ours = TestSocket::adopt(passed(socket.try_clone().unwrap()), &options).unwrap();
        sender.send(b"later").unwrap();
        let mut batch = RecvBatch::new(4, 64);
        assert_eq!(ours.receive(&mut batch).unwrap(), 1);
        let (slot, octets, arrival) = batch.packet(0).unwrap();
        assert_eq!(&slot[..octets], b"later");
        assert_eq!(arrival.at.rung, Rung::User);
    }

    #[test]
    fn buffers_that_a_privileged_process_has_made_larger_stay_so() {
        let (socket, _) = pair();
        let larger = 32 << 20;
        let forced = set_int(
            socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            larger,
        );
        if forced.is_err() {
            println!("skipped: only root makes buffers larger than the limit");
            return;
        }
        let before = socket.recv_buffer_size().unwrap();
        adopt(&socket);
        assert_eq!(socket.recv_buffer_size().unwrap(), before);
    }
}
