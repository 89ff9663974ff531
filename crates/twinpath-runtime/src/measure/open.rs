//! The sender's socket: which address, which port, and whether the packets fit the interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use twinpath_net::{
    BindError, Role, SocketOptions, TestSocket, interface_mtu, local_address_towards,
};
use twinpath_proto::reflector::is_unsafe_port;
use twinpath_proto::sender::{PayloadSize, Wire};

use crate::error::StartError;
use crate::{PortChoice, SenderPlan};

const UDP_HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// Where packets are not fragmented, with DF or over a member of a link: whether the largest one fits the
/// interface that it leaves by. What routers said of the rest of the path is not asked: the run shows it.
pub(super) fn check_path(plan: &SenderPlan) -> Result<(), StartError> {
    if !plan.path.dont_fragment && plan.member.is_none() {
        return Ok(());
    }
    interface_mtu(plan.far, plan.path.interface.as_deref()).map_or(Ok(()), |mtu| {
        let is_asked = plan.path.dont_fragment;
        fits((plan.wire, plan.payload), plan.far.ip(), mtu, is_asked)
    })
}

fn fits(
    (wire, payload): (Wire, PayloadSize),
    far: IpAddr,
    mtu: u32,
    is_asked: bool,
) -> Result<(), StartError> {
    let asked = match payload {
        PayloadSize::Fixed(octets) => octets,
        PayloadSize::Imix(sizes) => sizes.into_iter().max().unwrap_or(0),
    };
    let headers = UDP_HEADER
        + if far.is_ipv4() {
            IPV4_HEADER
        } else {
            IPV6_HEADER
        };
    let packet_octets = wire.payload_octets(asked) + headers;
    if packet_octets <= mtu as usize {
        return Ok(());
    }
    Err(StartError::TooLargeForPath {
        packet_octets,
        mtu,
        most_padding: (mtu as usize).saturating_sub(headers + wire.padding_counts_from()),
        is_asked,
    })
}

/// Opens and binds. `next`: where the search for a free port of a range begins.
pub(super) fn socket(plan: &SenderPlan, next: Option<u16>) -> Result<TestSocket, StartError> {
    match &plan.member {
        Some(member) => member.socket(plan.far.ip(), || udp_socket(plan, next)),
        None => udp_socket(plan, next),
    }
}

fn udp_socket(plan: &SenderPlan, next: Option<u16>) -> Result<TestSocket, StartError> {
    let any: IpAddr = if plan.far.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let near = plan.near.unwrap_or(any);
    let open = |port: u16| {
        let mut near = SocketAddr::new(near, port);
        if let (SocketAddr::V6(near), SocketAddr::V6(far)) = (&mut near, plan.far)
            && near.ip().is_unicast_link_local()
        {
            near.set_scope_id(far.scope_id());
        }
        TestSocket::open(&SocketOptions {
            near,
            path: plan.path.clone(),
            role: Role::Sender {
                far: plan.far,
                tos: plan.tos,
            },
        })
    };
    if let Some(port) = plan.earlier_port
        && let Ok(socket) = open(port)
    {
        return Ok(socket);
    }
    match plan.port {
        PortChoice::Exact(port) => Ok(open(port)?),
        PortChoice::Prefer(port) => match open(port) {
            Err(error) if error.is_in_use() || matches!(error, BindError::Privilege { .. }) => {
                Ok(open(0)?)
            }
            result => Ok(result?),
        },
        PortChoice::Range(low, high) => {
            let mut denied = None;
            let next = next.filter(|next| (low..=high).contains(next));
            let next = next.unwrap_or(low);
            // Packets from a service's port would not be reflected.
            let ports = (next..=high).chain(low..next);
            for port in ports.filter(|port| !is_unsafe_port(*port)) {
                match open(port) {
                    Err(error) if error.is_in_use() => {}
                    Err(error @ BindError::Privilege { .. }) => denied = Some(error),
                    result => return Ok(result?),
                }
            }
            Err(denied.map_or(StartError::NoFreePort { near, low, high }, StartError::from))
        }
    }
}

/// The address and port of a socket that is bound to `local`, as the far end sees them without NAT.
pub(super) fn sender_address(
    plan: &SenderPlan,
    local: SocketAddr,
) -> Result<SocketAddr, StartError> {
    if !local.ip().is_unspecified() {
        return Ok(local);
    }
    local_address_towards(plan.far, plan.path.interface.as_deref())
        .map(|ip| SocketAddr::new(ip, local.port()))
        .map_err(|source| StartError::NoRoute {
            far: plan.far,
            source,
        })
}

#[cfg(test)]
mod tests {
    use twinpath_proto::TestFeatures;
    use twinpath_wire::control::Modes;

    use super::*;

    #[test]
    fn the_search_for_a_free_port_goes_on_behind_the_last_one_and_comes_back() {
        let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let high = held.local_addr().unwrap().port();
        let low = high - 20;
        let plan = SenderPlan {
            near: Some(Ipv4Addr::LOCALHOST.into()),
            port: PortChoice::Range(low, high),
            ..SenderPlan::to("127.0.0.1:862".parse().unwrap())
        };
        let ports = |next| socket(&plan, next).unwrap().local().port();
        assert!((high - 10..high).contains(&ports(Some(high - 10))));
        for next in [None, Some(high), Some(low - 1), Some(high + 1)] {
            assert!((low..high - 10).contains(&ports(next)), "{next:?}");
        }
    }

    #[test]
    fn the_padding_that_fits_counts_from_where_padding_begins() {
        let symmetrical = Wire::twamp(TestFeatures {
            modes: Modes::SYMMETRICAL_SIZE,
            ..TestFeatures::default()
        });
        let secured = Wire::twamp(TestFeatures {
            modes: Modes::ENCRYPTED,
            ..TestFeatures::default()
        });
        for (wire, far, most) in [
            (Wire::TWAMP_LIGHT, "192.0.2.1", 1_458),
            (symmetrical, "192.0.2.1", 1_431),
            (symmetrical, "2001:db8::1", 1_411),
            (secured, "192.0.2.1", 1_458),
        ] {
            let far = far.parse().unwrap();
            let of = |padding: usize| {
                let payload = PayloadSize::Fixed(wire.padding_counts_from() + padding);
                fits((wire, payload), far, 1_500, true)
            };
            assert!(of(most).is_ok(), "{wire:?}");
            let Err(StartError::TooLargeForPath { most_padding, .. }) = of(most + 1) else {
                panic!("{wire:?}: it fits")
            };
            assert_eq!(most_padding, most);
        }
    }
}
