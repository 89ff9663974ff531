//! Addresses and ports that are never answered (row TT-58).

use std::net::IpAddr;

use twinpath_wire::Arrival;

use super::Ignored;

/// Checks where a datagram came from and where it was sent to.
pub(super) fn check(arrival: &Arrival) -> Result<(), Ignored> {
    if is_unsafe_port(arrival.from.port()) {
        return Err(Ignored::ServicePort);
    }
    let source = arrival.from.ip();
    if source.is_unspecified() || is_group_address(source) {
        return Err(Ignored::SourceAddress);
    }
    if let Some(to) = arrival.to {
        if is_group_address(to) {
            return Err(Ignored::Multicast);
        }
        if source == to && arrival.from.port() == arrival.to_port {
            return Err(Ignored::OwnAddress);
        }
    }
    Ok(())
}

/// Multicast, or the limited broadcast address. A subnet's broadcast address needs no check here:
/// an [`Arrival`] gives it as the limited one.
fn is_group_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}

/// Port 0, discard, and services that may answer any datagram: a reply to a spoofed request could
/// start an endless exchange. No packet from these ports is reflected (row TT-58).
pub const fn is_unsafe_port(port: u16) -> bool {
    matches!(
        port,
        0 | 7 // echo
        | 9 // discard
        | 11 // systat
        | 13 // daytime
        | 17 // quote of the day
        | 18 // message send
        | 19 // character generator
        | 37 // time
        | 53 // DNS
        | 69 // TFTP
        | 111 // portmapper
        | 123 // NTP
        | 135 // DCE endpoint mapper
        | 137 | 138 // NetBIOS
        | 161 // SNMP
        | 389 // CLDAP
        | 500 // IKE
        | 520 // RIP
    )
}
