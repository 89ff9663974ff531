//! What this host has towards a far end.

use std::net::SocketAddr;

use twinpath_report::ClockState;

/// This host, as its packets to a far end have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostSeen {
    /// MTU of the interface that they leave by, in octets; `None`: the system does not say.
    pub interface_mtu: Option<u32>,
    /// What the system clock claims.
    pub clock: ClockState,
}

/// This host towards `far`; nothing is sent.
pub fn host(far: SocketAddr) -> HostSeen {
    HostSeen {
        interface_mtu: twinpath_net::interface_mtu(far, None),
        clock: crate::clock_state(),
    }
}
