//! Location: the addresses and ports that the reflector saw (RFC 8972 section 4.2).
//!
//! ```text
//! 0 Destination Port 2, 2 Source Port 2, 4 sub-TLVs
//! ```

use std::net::IpAddr;

use twinpath_wire::{TlvHeader, TlvMut, TlvType, TlvWriter, Tlvs, Tos};

use super::destination_node::address;
use super::learn::{FactValue, Facts};
use super::policy::LocationPolicy;
use super::seen::Seen;
use super::sub_tlv::{self, Sub};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct Location;

/// Before the sub-TLVs.
const PORTS: usize = 4;
/// Types of sub-TLVs that ask, and of those that answer.
const SOURCE_MAC: TlvType = TlvType(1);
const SOURCE_EUI_48: TlvType = TlvType(2);
const SOURCE_EUI_64: TlvType = TlvType(3);
const DESTINATION_IP: TlvType = TlvType(4);
const DESTINATION_IPV4: TlvType = TlvType(5);
const DESTINATION_IPV6: TlvType = TlvType(6);
const SOURCE_IP: TlvType = TlvType(7);
const SOURCE_IPV4: TlvType = TlvType(8);
const SOURCE_IPV6: TlvType = TlvType(9);
/// Lengths of their values.
const MAC_OCTETS: usize = 8;
const IP_OCTETS: usize = 16;

impl Extension for Location {
    fn kind(&self) -> TlvType {
        TlvType::LOCATION
    }

    fn name(&self) -> &'static str {
        "location"
    }

    fn takes(&self, octets: usize) -> bool {
        octets >= PORTS
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        let (policy, arrival) = (exchange.policy.location, exchange.arrival);
        let Some((ports, subs)) = value.split_at_mut_checked(PORTS) else {
            return Ok(Outcome::NotUsed);
        };
        let told = policy != LocationPolicy::None;
        for (field, port) in ports
            .chunks_exact_mut(2)
            .zip([arrival.to_port, arrival.from.port()])
        {
            let port = if told { port } else { 0 };
            field.copy_from_slice(&port.to_be_bytes());
        }
        let tells_addresses = policy == LocationPolicy::All;
        sub_tlv::each(subs, |sub| {
            let octets = match sub.header.kind {
                SOURCE_MAC => MAC_OCTETS,
                DESTINATION_IP | SOURCE_IP => IP_OCTETS,
                _ => return Sub::NotUsed,
            };
            if sub.value.len() != octets {
                return Sub::Malformed;
            }
            sub.value.fill(0);
            match sub.header.kind {
                _ if !tells_addresses => Sub::Used,
                SOURCE_MAC => write_mac(sub, exchange.host.mac_of(arrival)),
                SOURCE_IP => write_address(sub, Some(arrival.from.ip()), SOURCE_IPV4, SOURCE_IPV6),
                _ => write_address(sub, arrival.to, DESTINATION_IPV4, DESTINATION_IPV6),
            }
        });
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let subs = [
            (SOURCE_MAC, MAC_OCTETS),
            (DESTINATION_IP, IP_OCTETS),
            (SOURCE_IP, IP_OCTETS),
        ];
        let octets = subs.map(|(_, octets)| TlvHeader::OCTETS + octets);
        let mut value = vec![0; PORTS + octets.iter().sum::<usize>()];
        let mut writer = TlvWriter::new(value.get_mut(PORTS..)?);
        for (kind, octets) in subs {
            writer.push(kind, octets)?;
        }
        text.is_none().then_some(value)
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let Some((ports, subs)) = seen.last.octets.split_at_checked(PORTS) else {
            return;
        };
        for (key, port) in ["destination_port", "source_port"]
            .into_iter()
            .zip(ports.chunks_exact(2))
        {
            let port = port
                .iter()
                .fold(0, |all, octet| all << 8 | u64::from(*octet));
            if port != 0 {
                facts.push((key, port.into()));
            }
        }
        for sub in Tlvs::new(subs).map_while(Result::ok) {
            let (key, octets) = match sub.header.kind {
                SOURCE_EUI_48 => ("source_mac", 6),
                SOURCE_EUI_64 if sub.value.iter().any(|octet| *octet != 0) => ("source_mac", 8),
                DESTINATION_IPV4 => ("destination_address", 4),
                DESTINATION_IPV6 => ("destination_address", 16),
                SOURCE_IPV4 => ("source_address", 4),
                SOURCE_IPV6 => ("source_address", 16),
                _ => continue,
            };
            let Some(octets) = sub.value.get(..octets) else {
                continue;
            };
            let text = match address(octets) {
                Some(address) => address.to_string(),
                None => mac_text(octets),
            };
            facts.push((key, FactValue::Text(text)));
        }
    }
}

/// Zeros as an EUI-64 where the packet had no MAC address that is known (row ST-38).
fn write_mac(sub: &mut TlvMut<'_>, mac: Option<[u8; 6]>) -> Sub {
    sub.header.kind = SOURCE_EUI_64;
    if let (Some(mac), Some(field)) = (mac, sub.value.first_chunk_mut()) {
        sub.header.kind = SOURCE_EUI_48;
        *field = mac;
    }
    Sub::Used
}

fn write_address(sub: &mut TlvMut<'_>, address: Option<IpAddr>, v4: TlvType, v6: TlvType) -> Sub {
    let mut write = |kind, octets: &[u8]| {
        sub.header.kind = kind;
        if let Some(field) = sub.value.get_mut(..octets.len()) {
            field.copy_from_slice(octets);
        }
        Sub::Used
    };
    match address {
        Some(IpAddr::V4(address)) => write(v4, &address.octets()),
        Some(IpAddr::V6(address)) => write(v6, &address.octets()),
        None => Sub::NotUsed,
    }
}

fn mac_text(octets: &[u8]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}
