//! Micro-session ID: which member link of a LAG a session measures (RFC 9534 section 3).
//!
//! ```text
//! 0 Sender Micro-session ID 2, 2 Reflector Micro-session ID 2
//! ```

use twinpath_wire::{TlvType, Tos};
use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U16;

use super::learn::{Facts, Observation, Seen};
use super::{Exchange, Extension, Outcome, RequestFacts};
use crate::reflector::Ignored;

pub(super) struct MicroSession;

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
        let (Ok([_, reflector]), Some(own)) = (
            <[U16; 2]>::mut_from_bytes(value),
            exchange.policy.micro_session,
        ) else {
            return Ok(Outcome::NotUsed);
        };
        // 0: the sender does not know it yet (row SL-39).
        if reflector.get() != 0 && reflector.get() != own {
            return Err(Ignored::MicroSession);
        }
        reflector.set(own);
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
