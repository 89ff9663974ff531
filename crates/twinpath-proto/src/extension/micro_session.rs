//! Micro-session ID: which member link of a LAG a session measures (RFC 9534 section 3).
//!
//! ```text
//! 0 Sender Micro-session ID 2, 2 Reflector Micro-session ID 2
//! ```

use twinpath_wire::{TlvType, Tlvs, Tos};
use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U16;

use super::learn::{Facts, Observation, Seen};
use super::{Exchange, Extension, MemberLink, Outcome, RequestFacts};
use crate::reflector::Ignored;

pub(super) struct MicroSession;

/// The Micro-session IDs of sender and reflector in a chain of TLVs: those of the first TLV with some.
pub(crate) fn ids(chain: &[u8]) -> Option<[u16; 2]> {
    let mut tlvs = Tlvs::new(chain).map_while(Result::ok);
    let tlv = tlvs.find(|tlv| tlv.header.kind == TlvType::MICRO_SESSION_ID)?;
    let ids = <[U16; 2]>::read_from_bytes(tlv.value).ok()?;
    Some(ids.map(U16::get))
}

impl Extension for MicroSession {
    fn kind(&self) -> TlvType {
        TlvType::MICRO_SESSION_ID
    }

    fn name(&self) -> &'static str {
        "micro-session"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == 4
    }

    fn is_single(&self) -> bool {
        true
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        let own = &exchange.policy.micro_sessions;
        let Ok([_, reflector]) = <[U16; 2]>::mut_from_bytes(value) else {
            return Ok(Outcome::NotUsed);
        };
        if own.is_empty() {
            return Ok(Outcome::NotUsed);
        }
        let interface = exchange.arrival.interface;
        let by = |link: &&MemberLink| link.interface == Some(interface);
        let unbound = || own.iter().filter(|link| link.interface.is_none());
        let link = match reflector.get() {
            // The sender does not know it yet (row SL-39): of several without an interface, this end
            // does not either.
            0 => own.iter().find(by).or_else(|| match unbound().count() {
                1 => unbound().next(),
                _ => None,
            }),
            asked => {
                let mut asked = own.iter().filter(|link| link.id == asked);
                let link = asked.find(|link| by(link) || link.interface.is_none());
                Some(link.ok_or(Ignored::MicroSession)?)
            }
        };
        let Some(link) = link else {
            return Ok(Outcome::NotUsed);
        };
        reflector.set(link.id);
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let (sender, reflector) = match text?.split_once(':') {
            Some((sender, reflector)) => (sender, reflector.parse().ok().filter(|id| *id != 0)?),
            None => (text?, 0),
        };
        let sender: u16 = sender.parse().ok().filter(|id| *id != 0)?;
        Some([sender.to_be_bytes(), u16::to_be_bytes(reflector)].concat())
    }

    fn takes_text(&self) -> &'static str {
        "N or N:M, the Micro-session IDs of this end and of the far end, 1 to 65535"
    }

    fn refresh(&self, value: &mut [u8], request: &RequestFacts) {
        if let (Ok([_, reflector]), Some(known)) = (
            <[U16; 2]>::mut_from_bytes(value),
            request.reflector_micro_session,
        ) {
            reflector.set(known);
        }
    }

    fn observe(&self, value: &[u8], observation: &mut Observation) {
        let ids = <[U16; 2]>::read_from_bytes(value).ok();
        observation.micro_session = ids.map(|ids| ids.map(U16::get));
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if let Ok([sender, reflector]) = <[U16; 2]>::read_from_bytes(&seen.last.octets) {
            facts.push(("sender_id", u64::from(sender.get()).into()));
            facts.push(("reflector_id", u64::from(reflector.get()).into()));
        }
    }
}
