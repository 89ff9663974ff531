//! Why a socket could not be opened, or did not send.

use std::io;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::activation::{PassedFault, PassedName};

/// Why a socket could not be opened and bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port is in use.
    #[error("cannot use {addr}: the port is in use")]
    InUse {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The address is not one of this host's.
    #[error("cannot use {addr}: this host does not have that address")]
    NotLocal {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A low port, without the privilege for it.
    #[error("cannot use {addr}: ports below 1024 need a privilege")]
    Privilege {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The host has no such address family.
    #[error("cannot use {addr}: this host does not support {}", if addr.is_ipv4() { "IPv4" } else { "IPv6" })]
    Family {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No such interface, or it may not be bound to.
    #[error("cannot bind to interface {name}: {source}")]
    Interface {
        /// The interface.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// No packet socket on a member of a link.
    #[error("cannot send and receive by member {name} alone: {source}")]
    Member {
        /// The interface.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// An interface that can be no member of a link: a loopback, or a bond, a team or a bridge.
    #[error("{name} is not a member link")]
    NotMember {
        /// The interface.
        name: String,
    },
    /// An option that the run depends on was refused.
    #[error("cannot set {what} on {addr}: {source}")]
    Option {
        /// The option.
        what: &'static str,
        /// The socket's address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Packets to that address are for several hosts, and the socket is to answer them.
    #[error("cannot listen on {addr}: not the address of a single host")]
    NotOneHost {
        /// The requested address.
        addr: SocketAddr,
    },
    /// The socket is to answer, but cannot distinguish packets for this host from those for
    /// several.
    #[error(
        "cannot listen on {addr}: plain sockets cannot tell unicast from broadcast or multicast packets"
    )]
    Indistinct {
        /// The requested address.
        addr: SocketAddr,
    },
    /// The socket is not a member of a multicast group.
    #[error("cannot join the group {group}{}: {source}", by(interface.as_deref()))]
    Join {
        /// The group.
        group: IpAddr,
        /// By which interface; `None`: the kernel's choice.
        interface: Option<String>,
        /// The system's error.
        source: io::Error,
    },
    /// A socket that the service manager passed is of no use.
    #[error("cannot use {name} of the service manager: {fault}")]
    Passed {
        /// Which.
        name: PassedName,
        /// Why.
        fault: PassedFault,
    },
    /// Anything else.
    #[error("cannot open a socket for {addr}: {source}")]
    Other {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

fn by(interface: Option<&str>) -> String {
    interface.map_or_else(String::new, |name| format!(" by interface {name}"))
}

impl BindError {
    /// The host lacks the whole address family (and not just this address).
    pub fn is_family(&self) -> bool {
        matches!(self, Self::Family { .. })
    }

    /// The port is taken.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    /// Why a socket could not be bound to an interface.
    pub(crate) fn of_interface(name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        |source| Self::Interface { name, source }
    }

    /// Why there is no packet socket on an interface.
    pub(crate) fn of_member(name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        |source| Self::Member { name, source }
    }

    /// Why an option of a socket could not be set.
    pub(crate) fn of_option(
        addr: SocketAddr,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Option { what, addr, source }
    }

    pub(crate) fn of_bind(addr: SocketAddr, source: io::Error) -> Self {
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            Self::InUse { addr, source }
        } else if kind == io::ErrorKind::AddrNotAvailable {
            Self::NotLocal { addr, source }
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Privilege { addr, source }
        } else {
            Self::of_open(addr, source)
        }
    }

    pub(crate) fn of_open(addr: SocketAddr, source: io::Error) -> Self {
        #[cfg(unix)]
        if source.raw_os_error() == Some(libc::EAFNOSUPPORT) {
            return Self::Family { addr, source };
        }
        Self::Other { addr, source }
    }
}

/// Why the system refused a packet. Small and `Copy`, because the packet path counts it by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendError {
    /// The send buffer or the interface's queue is full.
    #[error("no buffer space: the interface's queue is full")]
    NoBuffers,
    /// Larger than the interface's MTU and DF is set, or larger than UDP can carry.
    #[error("packet larger than the interface's MTU")]
    TooLarge,
    /// No route, or the interface is down.
    #[error("network unreachable")]
    Unreachable,
    /// Over a member of a link: the kernel has not found the far end there.
    #[error("the far end's MAC address is not known")]
    NoNeighbour,
    /// A local packet filter refused it.
    #[error("refused by a local packet filter")]
    Filtered,
    /// A route forbids it.
    #[error("this host's routing prohibits that destination")]
    Prohibited,
    /// The source address is not (or no longer) one of this host's.
    #[error(
        "the source address is not this host's, or a blackhole route or rule drops the packets"
    )]
    BadSource,
    /// Another reason, by its number.
    #[error("system error {0}")]
    Other(i32),
}

impl SendError {
    #[cfg(unix)]
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error().unwrap_or(0) {
            libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN => Self::NoBuffers,
            libc::EMSGSIZE => Self::TooLarge,
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::ENODEV
            | libc::ENXIO => Self::Unreachable,
            libc::EPERM => Self::Filtered,
            libc::EACCES => Self::Prohibited,
            libc::EADDRNOTAVAIL | libc::EINVAL => Self::BadSource,
            other => Self::Other(other),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => Self::NoBuffers,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable,
            io::ErrorKind::PermissionDenied => Self::Filtered,
            io::ErrorKind::AddrNotAvailable => Self::BadSource,
            _ => Self::Other(error.raw_os_error().unwrap_or(0)),
        }
    }
}
