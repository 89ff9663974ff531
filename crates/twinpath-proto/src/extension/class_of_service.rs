//! Class of Service: the DSCP that the reply must have, and the DSCP and ECN with which the request
//! arrived (RFC 8972 section 4.4).
//!
//! ```text
//! bits 0-5 DSCP1, 6-11 DSCP2, 12-13 ECN, 14-15 RP, 16-31 reserved
//! ```

use twinpath_wire::{Dscp, TlvType, Tos};

use super::learn::{FactValue, Facts, Observation};
use super::seen::Seen;
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct ClassOfService;

const OCTETS: usize = 4;
/// RP: the reply has the DSCP of the request, or the one that the operator set, as the one asked for is not
/// permitted.
const REFUSED: u16 = 1;

impl Extension for ClassOfService {
    fn kind(&self) -> TlvType {
        TlvType::CLASS_OF_SERVICE
    }

    fn name(&self) -> &'static str {
        "cos"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == OCTETS
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        // A socket that does not report it cannot set it either.
        let Some(arrived) = exchange.arrival.tos else {
            return Ok(Outcome::NotUsed);
        };
        let Some(fields) = value.first_chunk_mut::<OCTETS>() else {
            return Ok(Outcome::NotUsed);
        };
        let Ok(asked) = Dscp::new(fields[0] >> 2) else {
            return Ok(Outcome::NotUsed);
        };
        // An operator who sets the DSCP of replies means these too: RFC 8972 would have that of the request.
        let ordinary = exchange.policy.reply_dscp.unwrap_or(arrived.dscp());
        let is_permitted = asked == ordinary || exchange.policy.dscp.has(asked);
        let granted = if is_permitted { asked } else { ordinary };
        // The first of several has it (row ST-32).
        let leaves_with = *exchange.effects.dscp.get_or_insert(granted);
        let refused = if leaves_with == asked { 0 } else { REFUSED };
        let bits = u16::from(asked.value()) << 10 | u16::from(arrived.0) << 2 | refused;
        let [high, low] = bits.to_be_bytes();
        *fields = [high, low, 0, 0];
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, tos: Tos) -> Option<Vec<u8>> {
        let dscp = text.map_or(Ok(tos.dscp()), str::parse).ok()?;
        Some(vec![dscp.value() << 2, 0, 0, 0])
    }

    fn takes_text(&self) -> &'static str {
        "the DSCP that replies must have, by name or number (none: that of the packets)"
    }

    fn observe(&self, value: &[u8], observation: &mut Observation) {
        if let Some([high, low]) = value.first_chunk() {
            let bits = u16::from_be_bytes([*high, *low]) >> 2;
            let [_, tos] = bits.to_be_bytes();
            observation.tos_forward = Some(Tos(tos));
        }
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let Some([high, low]) = seen.last.octets.first_chunk() else {
            return;
        };
        let bits = u16::from_be_bytes([*high, *low]);
        let refused = bits & 0b11 != 0;
        facts.push(("dscp_asked", u64::from(bits >> 10).into()));
        facts.push(("dscp_arrived", u64::from(bits >> 4 & 0x3f).into()));
        facts.push(("ecn_arrived", u64::from(bits >> 2 & 0b11).into()));
        facts.push(("refused", FactValue::Flag(refused)));
    }
}

/// The DSCP that was asked for, if the far end did not grant it.
pub(super) fn refused_dscp(value: &[u8]) -> Option<Dscp> {
    let [high, low] = *value.first_chunk()?;
    let bits = u16::from_be_bytes([high, low]);
    let [_, asked] = (bits >> 10).to_be_bytes();
    Dscp::new(asked).ok().filter(|_| bits & 0b11 != 0)
}

/// The DSCP with which a reflector says to have sent a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyDscp {
    /// The one asked for.
    AsAsked(Dscp),
    /// Not that one (RP): only the way there can be judged (row ST-42).
    Other,
}

/// What a value says of it.
pub(super) fn reply_dscp(value: &[u8]) -> Option<ReplyDscp> {
    let [high, low] = *value.first_chunk()?;
    if low & 0b11 != 0 {
        return Some(ReplyDscp::Other);
    }
    Dscp::new(high >> 2).ok().map(ReplyDscp::AsAsked)
}
