//! Why the Server itself refuses a command, for its operator: the client gets only an Accept value.

use std::net::IpAddr;

use twinpath_wire::control::Accept;

/// The field of a request, or the state at a command, for which it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// Conf-Sender or Conf-Receiver is set (row TC-31).
    #[error("Conf-Sender {sender} and Conf-Receiver {receiver}: both must be 0")]
    OneWay {
        /// Conf-Sender.
        sender: u8,
        /// Conf-Receiver.
        receiver: u8,
    },
    /// Neither 4 nor 6.
    #[error("IP version {0}")]
    IpVersion(u8),
    /// A per-hop behaviour, or reserved bits.
    #[error("Type-P is not a DSCP")]
    TypeP,
    /// Not the client's own (row TC-39).
    #[error("Sender Address {0} is not the client's own")]
    Sender(IpAddr),
    /// 0 without NAT, or the port of a service that answers any datagram (row TT-58).
    #[error("Sender Port {0}")]
    SenderPort(u16),
    /// Multicast, or of another family than the sender's.
    #[error("Receiver Address {0}")]
    Receiver(IpAddr),
    /// Packets would be longer than any datagram.
    #[error("Padding Length {asked}: at most {most} fits")]
    Padding {
        /// In the request.
        asked: u32,
        /// The most that fits.
        most: usize,
    },
    /// The Length of Padding to Reflect exceeds the padding.
    #[error("{reflected} octets of padding to reflect, of {padding}")]
    PaddingToReflect {
        /// Length of Padding to Reflect.
        reflected: u16,
        /// Padding Length.
        padding: u32,
    },
    /// A one-way schedule follows (row TC-35).
    #[error("{0} schedule slots")]
    ScheduleSlots(u32),
    /// A request or another Start-Sessions between Start-Sessions and Stop-Sessions (row TC-54).
    #[error("a command that must wait for Stop-Sessions")]
    WhileRunning,
    /// The client's session limit on one connection.
    #[error("the client has reached its limit of {0} sessions")]
    Sessions(u32),
    /// Start-Sessions without a session to start (row TC-54).
    #[error("Start-Sessions without a session to start")]
    NothingToStart,
    /// Start-Sessions with Individual Session Control.
    #[error("Start-Sessions with Individual Session Control")]
    StartWithoutSids,
}

impl RequestFault {
    /// The Accept value sent to the client: 4 if it asks for too much, else 3.
    pub const fn accept(self) -> Accept {
        match self {
            Self::Padding { .. } | Self::Sessions(_) => Accept::PermanentLimit,
            Self::OneWay { .. }
            | Self::IpVersion(_)
            | Self::TypeP
            | Self::Sender(_)
            | Self::SenderPort(_)
            | Self::Receiver(_)
            | Self::PaddingToReflect { .. }
            | Self::ScheduleSlots(_)
            | Self::WhileRunning
            | Self::NothingToStart
            | Self::StartWithoutSids => Accept::NotSupported,
        }
    }
}
