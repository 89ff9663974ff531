//! Follow-Up Telemetry: when the previous reply of the session left (RFC 8972 section 4.7).
//!
//! ```text
//! 0 Sequence Number 4, 4 Follow-Up Timestamp 8, 12 Timestamp M(ode) 1, 13 reserved 3
//! ```

use twinpath_wire::{TlvType, Tos, WireTime};
use zerocopy::byteorder::big_endian::U32;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::learn::{Facts, FollowUp, Observation};
use super::seen::Seen;
use super::timestamp_information::{method, method_name};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct FollowUpTelemetry;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Value {
    number: U32,
    at: WireTime,
    method: u8,
    reserved: [u8; 3],
}

/// The Sequence Number and the time: zero in a value of a wrong Length.
const ZEROED: usize = 12;

impl Extension for FollowUpTelemetry {
    fn kind(&self) -> TlvType {
        TlvType::FOLLOW_UP_TELEMETRY
    }

    fn name(&self) -> &'static str {
        "follow-up-telemetry"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == size_of::<Value>()
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        self.renew(value, exchange);
        Ok(Outcome::Used)
    }

    fn renew(&self, value: &mut [u8], exchange: &mut Exchange<'_>) {
        let Ok(value) = Value::mut_from_bytes(value) else {
            return;
        };
        *value = Value::new_zeroed();
        let previous = exchange.number.wrapping_sub(1);
        let Some(session) = exchange.state() else {
            return;
        };
        let sent = session.sent;
        exchange.effects.wants_sent_time = true;
        // A time that has not come from the system yet is not made up (row ST-48).
        if let Some(sent) = sent.filter(|sent| sent.number == previous) {
            value.number.set(sent.number);
            value.at = exchange.time(sent.at);
            value.method = method(sent.at.rung);
        }
    }

    fn reset(&self, value: &mut [u8]) {
        value.iter_mut().take(ZEROED).for_each(|octet| *octet = 0);
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        text.is_none().then(|| vec![0; size_of::<Value>()])
    }

    fn observe(&self, value: &[u8], observation: &mut Observation) {
        observation.tells_departures = true;
        if let Ok(value) = Value::ref_from_bytes(value)
            && !value.at.is_unset()
        {
            observation.follow_up = Some(FollowUp {
                number: value.number.get(),
                at: value.at,
            });
        }
    }

    fn facts_of(&self, value: &[u8], facts: &mut Facts) {
        if let Ok(value) = Value::ref_from_bytes(value)
            && !value.at.is_unset()
        {
            facts.push(("previous_reply", u64::from(value.number.get()).into()));
        }
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if let Ok(value) = Value::ref_from_bytes(&seen.last.octets) {
            facts.push(("timestamp_out", method_name(value.method).into()));
        }
    }
}
