//! Why an interface gives no hardware timestamps.

use serde::{Deserialize, Serialize};

/// Why requested hardware timestamps are not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NoHardware {
    /// The interface depends on the packet.
    #[error("the interface is unknown")]
    Interface,
    /// The host has no such interface, or its driver does not report its capabilities.
    #[error("interface {interface} does not report its timestamping capabilities ({error})")]
    Unknown {
        /// Its name.
        interface: String,
        /// The system's error.
        error: String,
    },
    /// It has no clock that timestamps outgoing packets.
    #[error("interface {interface} has none")]
    None {
        /// Its name.
        interface: String,
    },
    /// Switching them on takes a privilege.
    #[error("CAP_NET_ADMIN is missing, which is needed to enable them on interface {interface}")]
    Privilege {
        /// Its name.
        interface: String,
    },
    /// Its driver does not switch them on.
    #[error("interface {interface} cannot timestamp every packet ({error})")]
    Refused {
        /// Its name.
        interface: String,
        /// The system's error.
        error: String,
    },
    /// Its clock cannot be read, so its timestamps would be meaningless here.
    #[error("{clock}, the clock of interface {interface}, cannot be read ({error})")]
    Clock {
        /// Its name.
        interface: String,
        /// Its clock.
        clock: String,
        /// The system's error.
        error: String,
    },
    /// Plain sockets were requested, or the system has no others.
    #[error("plain sockets have none")]
    Plain,
}
