//! How a test socket is opened.

use std::net::SocketAddr;

use twinpath_wire::Tos;

#[cfg(linux_sockets)]
use crate::{host, local_address_towards};

/// Which rungs of the ladder of timestamps may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StampChoice {
    /// The best that delivers, hardware left out unless the interface already has it on.
    #[default]
    Auto,
    /// Hardware where the interface delivers, else the kernel's.
    Hardware,
    /// The kernel's.
    Kernel,
    /// User space only.
    User,
}

/// What is set below UDP, in every role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathOptions {
    /// TTL or Hop Limit of what is sent.
    pub ttl: u8,
    /// Set DF; never fragment. Packets over the interface's MTU are refused, and leave in fragments
    /// without this. What ICMP errors say of the path's MTU changes neither.
    pub dont_fragment: bool,
    /// Device or VRF to bind to.
    pub interface: Option<String>,
    /// Timestamps to ask for.
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

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends to `far`: every departure is stamped, and ICMP errors that come back are told.
    Sender {
        /// Where packets go.
        far: SocketAddr,
        /// ToS or Traffic Class octet of what is sent.
        tos: Tos,
    },
    /// Answers what arrives, stamping the departures that ask for it. Takes nothing that was sent to
    /// several hosts (multicast, broadcast), or tells that it was.
    Reflector {
        /// Other sockets with the same option may share the port, each with its share of the flows.
        shares_port: bool,
    },
}

/// How to open a [`TestSocket`](crate::TestSocket).
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Address and port to bind; port 0 takes a free one. An IPv6 socket never takes IPv4.
    pub near: SocketAddr,
    /// What is set below UDP.
    pub path: PathOptions,
    /// What the socket is for.
    pub role: Role,
}

impl SocketOptions {
    /// A Session-Reflector's, with the usual options.
    pub fn reflector(near: SocketAddr) -> Self {
        Self {
            near,
            path: PathOptions::default(),
            role: Role::Reflector { shares_port: false },
        }
    }

    /// A Session-Sender's towards `far`, with the usual options.
    pub fn sender(near: SocketAddr, far: SocketAddr) -> Self {
        Self {
            near,
            path: PathOptions::default(),
            role: Role::Sender { far, tos: Tos(0) },
        }
    }

    /// Octets of receive buffer to ask for: replies wait in it while a sender sleeps towards a departure,
    /// and the system's default loses requests at 100,000 a second.
    pub(crate) fn receive_buffer_octets(&self) -> usize {
        match self.role {
            Role::Sender { .. } => 4 << 20,
            Role::Reflector { .. } => 8 << 20,
        }
    }

    pub(crate) fn tos(&self) -> Tos {
        match self.role {
            Role::Sender { tos, .. } => tos,
            Role::Reflector { .. } => Tos(0),
        }
    }

    /// Every packet sent is stamped, and ICMP errors are told.
    pub(crate) fn is_sender(&self) -> bool {
        matches!(self.role, Role::Sender { .. })
    }

    #[cfg(unix)]
    pub(crate) fn shares_port(&self) -> bool {
        self.role == Role::Reflector { shares_port: true }
    }

    /// The interface whose clock stamps packets: the one named, or the one that has the address they
    /// leave from.
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
