//! How a test socket is opened.

use std::net::SocketAddr;

use twinpath_wire::Tos;

#[cfg(linux_sockets)]
use crate::{host, interface, local_address_towards};

/// Which kinds of timestamps may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StampChoice {
    /// The best available; hardware only if it is already enabled on the interface.
    #[default]
    Auto,
    /// Hardware if the interface supports it, otherwise the kernel's.
    Hardware,
    /// Only the kernel's.
    Kernel,
    /// Only user space.
    User,
}

/// Settings below UDP, for every role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathOptions {
    /// TTL or Hop Limit of packets sent.
    pub ttl: u8,
    /// Set DF; never fragment. Packets over the interface's MTU are refused; without this they
    /// leave in fragments. The path MTU from ICMP errors changes neither.
    pub dont_fragment: bool,
    /// Device or VRF to bind to.
    pub interface: Option<String>,
    /// Timestamps to request.
    pub stamps: StampChoice,
    /// Use plain sockets and user-space timestamps, as on a system without better ones.
    pub portable: bool,
}

impl Default for PathOptions {
    fn default() -> Self {
        Self {
            ttl: 255,
            dont_fragment: false,
            interface: None,
            stamps: StampChoice::Auto,
            portable: false,
        }
    }
}

/// The role of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends to `far`: every departure is timestamped, and ICMP errors are reported.
    Sender {
        /// Destination.
        far: SocketAddr,
        /// ToS or Traffic Class octet of packets sent.
        tos: Tos,
    },
    /// Answers received packets, timestamping departures on request. Does not receive packets sent
    /// to several hosts (multicast, broadcast), or reports that they were.
    Reflector {
        /// Other sockets with the same option may share the port, each with its share of the flows.
        shares_port: bool,
        /// How the interface that a packet came by is known, where the socket has one address only.
        arrivals_by: ArrivalInterface,
    },
}

/// How a socket with one address only knows by which interface packets come. For any other socket the system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalInterface {
    /// Not at all.
    Unknown,
    /// It counts as the one that has the socket's address, until
    /// [`TestSocket::report_interface`](crate::TestSocket::report_interface).
    Assumed,
    /// The system reports it, which costs 3 % of a reflector's rate.
    Reported,
}

/// How to open a [`TestSocket`](crate::TestSocket).
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Address and port to bind; port 0 takes a free one. An IPv6 socket never takes IPv4.
    pub near: SocketAddr,
    /// Settings below UDP.
    pub path: PathOptions,
    /// The role of the socket.
    pub role: Role,
}

impl SocketOptions {
    /// For a Session-Reflector, with the usual options.
    pub fn reflector(near: SocketAddr) -> Self {
        Self {
            near,
            path: PathOptions::default(),
            role: Role::Reflector {
                shares_port: false,
                arrivals_by: ArrivalInterface::Unknown,
            },
        }
    }

    /// For a Session-Sender towards `far`, with the usual options.
    pub fn sender(near: SocketAddr, far: SocketAddr) -> Self {
        Self {
            near,
            path: PathOptions::default(),
            role: Role::Sender { far, tos: Tos(0) },
        }
    }

    /// Octets of receive buffer to request: replies wait in it while a sender sleeps until a
    /// departure, and the system's default loses requests at 100,000 a second.
    pub(crate) fn receive_buffer_octets(&self) -> usize {
        match self.role {
            Role::Sender { .. } => 16 << 20,
            Role::Reflector { .. } => 8 << 20,
        }
    }

    pub(crate) fn tos(&self) -> Tos {
        match self.role {
            Role::Sender { tos, .. } => tos,
            Role::Reflector { .. } => Tos(0),
        }
    }

    /// Whether every packet sent is timestamped and ICMP errors are reported.
    pub(crate) fn is_sender(&self) -> bool {
        matches!(self.role, Role::Sender { .. })
    }

    #[cfg(unix)]
    pub(crate) fn shares_port(&self) -> bool {
        matches!(self.role, Role::Reflector { shares_port, .. } if shares_port)
    }

    #[cfg(linux_sockets)]
    fn arrivals_by(&self) -> ArrivalInterface {
        match self.role {
            Role::Reflector { arrivals_by, .. } => arrivals_by,
            Role::Sender { .. } => ArrivalInterface::Unknown,
        }
    }

    /// Whether the system is to report the interface even where the socket has one address.
    #[cfg(linux_sockets)]
    pub(crate) fn reports_interface(&self) -> bool {
        self.arrivals_by() == ArrivalInterface::Reported
    }

    /// The number of the interface by which packets are assumed to come; 0: none is.
    #[cfg(linux_sockets)]
    pub(crate) fn assumed_interface(&self) -> u32 {
        if self.arrivals_by() != ArrivalInterface::Assumed {
            return 0;
        }
        let own = host::interface_of(self.near.ip());
        own.and_then(|name| interface::index_of(&name)).unwrap_or(0)
    }

    /// The interface whose clock timestamps packets: the named one, or the one with their source
    /// address.
    #[cfg(linux_sockets)]
    pub(crate) fn stamping_interface(&self) -> Option<String> {
        let interface = self.path.interface.as_deref();
        let towards = match self.role {
            Role::Sender { far, .. } if self.near.ip().is_unspecified() => {
                local_address_towards(far, interface).ok()
            }
            Role::Sender { .. } | Role::Reflector { .. } => None,
        };
        let near = towards.unwrap_or(self.near.ip());
        interface
            .map(str::to_owned)
            .or_else(|| host::interface_of(near))
    }
}
