//! Destination Node Address: the node that the sender means, where the packet's destination does not
//! say it (RFC 9503 section 3).
//!
//! ```text
//! 0 address 4 or 16
//! ```

use std::net::IpAddr;

use twinpath_wire::{TlvType, Tos};

use super::learn::{FactValue, Facts};
use super::seen::Seen;
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct DestinationNode;

/// An address of 4 or 16 octets.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// The octets of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl Extension for DestinationNode {
    fn kind(&self) -> TlvType {
        TlvType::DESTINATION_NODE_ADDRESS
    }

    fn name(&self) -> &'static str {
        "destination-node"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == 4 || octets == 16
    }

    fn is_single(&self) -> bool {
        true
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        let from = exchange.arrival.from.ip();
        let Some(node) = address(value).filter(|node| exchange.is_own(*node)) else {
            return Ok(Outcome::NotUsed);
        };
        // The reply has one family: another one's address stays a fact without effect (row SL-17).
        if node.is_ipv4() == from.is_ipv4() {
            exchange.effects.source = Some(node);
        }
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        Some(octets(text?.parse().ok()?))
    }

    fn takes_text(&self) -> &'static str {
        "an address of the far end"
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if let Some(node) = address(&seen.last.octets) {
            facts.push(("address", FactValue::Text(node.to_string())));
        }
    }
}
