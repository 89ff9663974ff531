//! Addresses of this host: those that a socket may have, and those that the system chooses.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::error::BindError;
use crate::options::SocketOptions;
use crate::os;

/// Whether a socket on the unspecified address reports the destination of each packet. If not, it
/// cannot answer: see [`Role::Reflector`](crate::Role::Reflector).
pub fn reports_destination(portable: bool) -> bool {
    (cfg!(linux_sockets) && !portable) || os::portable::REPORTS_DESTINATION
}

/// Refuses an address at which packets for several hosts would arrive undetected.
pub(crate) fn check_address(options: &SocketOptions) -> Result<(), BindError> {
    let addr = options.near;
    if addr.ip().is_multicast() || is_broadcast(addr, options.path.interface.as_deref()) {
        return Err(BindError::NotOneHost { addr });
    }
    // On systems other than Unix, sockets bound to one address receive broadcasts too.
    let is_distinct = cfg!(unix) && !addr.ip().is_unspecified();
    if !reports_destination(options.path.portable) && !is_distinct {
        return Err(BindError::Indistinct { addr });
    }
    Ok(())
}

/// Whether the system treats the address as a broadcast: it then refuses to send there without
/// `SO_BROADCAST`.
fn is_broadcast(addr: SocketAddr, interface: Option<&str>) -> bool {
    let IpAddr::V4(ip) = addr.ip() else {
        return false;
    };
    let refused = || {
        let discard = SocketAddr::new(addr.ip(), 9);
        os::portable::towards(discard, interface).map_err(|error| error.kind())
    };
    ip.is_broadcast()
        || (!ip.is_unspecified() && matches!(refused(), Err(io::ErrorKind::PermissionDenied)))
}

/// The local address that the system would send from to reach `far`.
///
/// # Errors
/// The system's error, if there is no route.
pub fn local_address_towards(far: SocketAddr, interface: Option<&str>) -> io::Result<IpAddr> {
    os::portable::local_address_towards(far, interface)
}

/// The MTU of the interface that packets to `far` leave by; `None` if the system does not report
/// it. The path MTU from ICMP errors is ignored, because these can be forged.
pub fn interface_mtu(far: SocketAddr, interface: Option<&str>) -> Option<u32> {
    os::interface_mtu(far, interface)
}
