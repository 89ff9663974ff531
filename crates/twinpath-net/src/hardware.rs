//! Why an interface gives no hardware timestamps.

/// Hardware timestamps were asked for, and there are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoHardware {
    /// Which interface it is depends on the packet.
    #[error("which interface they would come from is not known")]
    Interface,
    /// The host has no such interface, or its driver tells nothing.
    #[error("interface {interface} does not tell what it can stamp ({error})")]
    Unknown {
        /// Its name.
        interface: String,
        /// The system's word.
        error: String,
    },
    /// It has no clock that stamps what leaves.
    #[error("interface {interface} has none")]
    None {
        /// Its name.
        interface: String,
    },
    /// Switching them on takes a privilege.
    #[error("CAP_NET_ADMIN is missing, which switches them on at interface {interface}")]
    Privilege {
        /// Its name.
        interface: String,
    },
    /// Its driver does not switch them on.
    #[error("interface {interface} does not stamp every packet ({error})")]
    Refused {
        /// Its name.
        interface: String,
        /// The system's word.
        error: String,
    },
    /// Its clock cannot be read, so that its stamps would mean nothing here.
    #[error("{clock}, the clock of interface {interface}, cannot be read ({error})")]
    Clock {
        /// Its name.
        interface: String,
        /// Its clock.
        clock: String,
        /// The system's word.
        error: String,
    },
    /// Plain sockets were asked for, or the system has no others.
    #[error("plain sockets have none")]
    Plain,
}

impl NoHardware {
    /// What the reader can do, in one clause.
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Interface => Some("name an --interface, or one of its addresses"),
            Self::Privilege { .. } => Some("run as root, or give the program that capability"),
            Self::Clock { .. } => Some("run as root, or let this user read that device"),
            Self::Plain => Some("leave out --portable"),
            Self::Unknown { .. } | Self::None { .. } | Self::Refused { .. } => None,
        }
    }
}
