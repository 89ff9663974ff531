//! Micro-session ID: which member link of a LAG a session measures (RFC 9534 section 3).
//!
//! ```text
//! 0 Sender Micro-session ID 2, 2 Reflector Micro-session ID 2
//! ```

use twinpath_wire::{TlvType, Tlvs, Tos};
use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U16;

use super::learn::{Facts, Observation};
use super::seen::Seen;
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

/// The link of a request that came by none that has an interface: of the others, the one that is asked
/// for. Where the sender does not know it yet, the only one, or of several the one with the sender's own
/// number; `None`: this end does not know it either.
fn by_number(own: &[MemberLink], sender: u16, asked: u16) -> Result<Option<&MemberLink>, Ignored> {
    let mut others = own.iter().filter(|link| link.interface.is_none());
    match (asked, others.clone().count()) {
        (0, 1) => Ok(others.next()),
        (0, _) => Ok(others.find(|link| link.id == sender)),
        (asked, _) => {
            let found = others.find(|link| link.id == asked);
            found.map(Some).ok_or(Ignored::MicroSession)
        }
    }
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
        let Ok([sender, reflector]) = <[U16; 2]>::mut_from_bytes(value) else {
            return Ok(Outcome::NotUsed);
        };
        if own.is_empty() {
            return Ok(Outcome::NotUsed);
        }
        let interface = exchange.arrival.interface;
        let by_interface = |link: &&MemberLink| link.interface == Some(interface);
        let link = match own.iter().find(by_interface) {
            // It came by this link and no other (rows SL-8, SL-39).
            Some(link) if [0, link.id].contains(&reflector.get()) => Some(link),
            Some(_) => return Err(Ignored::MicroSession),
            None => by_number(own, sender.get(), reflector.get())?,
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
