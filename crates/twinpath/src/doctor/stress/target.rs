//! What a load goes to: a reflector, or sessions of a server.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::Wire;
use twinpath_runtime::probe::Load;

#[cfg(feature = "control")]
use crate::doctor::checks::control;
#[cfg(feature = "control")]
use crate::doctor::dialogue::DialogueAsk;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::SSID;
use crate::doctor::{Ask, Seen};

/// How long the control connections of steps may take all together, beside the loads.
pub(in crate::doctor) const CONNECTIONS_LONGEST: Duration = if cfg!(feature = "control") {
    Duration::from_secs(20)
} else {
    Duration::ZERO
};

/// What a load goes to.
pub(super) enum Target {
    Reflector(SocketAddr, Wire),
    /// A session of a server, each step on a connection of its own.
    #[cfg(feature = "control")]
    Session(DialogueAsk),
}

impl Target {
    /// The reflector that is examined, or a session where none answers without control; `None`: neither.
    pub(super) fn of(seen: &Seen) -> Option<Self> {
        #[cfg(feature = "control")]
        if seen.subject().is_none() {
            return control::loaded(seen).map(Self::Session);
        }
        let wire = match seen.subject_security() {
            PacketSecurity::Authenticated => Wire::stamp(SSID).authenticated(),
            PacketSecurity::Open if seen.speaks_stamp() => Wire::stamp(SSID),
            PacketSecurity::Open => Wire::TWAMP_LIGHT,
        };
        seen.subject().map(|far| Self::Reflector(far, wire))
    }

    pub(super) fn ask(&self, load: Load) -> Ask {
        match self {
            Self::Reflector(far, wire) => Ask::Load(*far, *wire, load),
            #[cfg(feature = "control")]
            Self::Session(dialogue) => Ask::SessionLoad(*dialogue, load),
        }
    }

    pub(super) fn is_session(&self) -> bool {
        !matches!(self, Self::Reflector(..))
    }
}
