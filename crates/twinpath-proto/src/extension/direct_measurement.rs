//! Direct Measurement: how many packets of the session each end sent and received (RFC 8972 section
//! 4.5). The packets counted are the test packets themselves, the one that has the TLV included
//! (row ST-45).
//!
//! ```text
//! 0 S_TxC 4, 4 R_RxC 4, 8 R_TxC 4
//! ```

use twinpath_wire::{TlvType, Tos};
use zerocopy::FromBytes;
use zerocopy::byteorder::big_endian::U32;

use super::learn::{FactValue, Facts};
use super::{Exchange, Extension, Order, Outcome, RequestFacts, Seen};
use crate::reflector::Ignored;

pub(super) struct DirectMeasurement;

/// Writes the counts of the reflector with this reply, and so many requests that are not counted yet.
fn write(value: &mut [u8], exchange: &mut Exchange<'_>, requests: u32) -> Option<()> {
    let [_, received, sent] = <[U32; 3]>::mut_from_bytes(value).ok()?;
    let session = exchange.state()?;
    received.set(session.received.wrapping_add(requests));
    sent.set(session.replied.wrapping_add(1));
    Some(())
}

impl Extension for DirectMeasurement {
    fn kind(&self) -> TlvType {
        TlvType::DIRECT_MEASUREMENT
    }

    fn name(&self) -> &'static str {
        "direct-measurement"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == 12
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        // Nothing is counted without state.
        Ok(match write(value, exchange, 1) {
            Some(()) => Outcome::Used,
            None => Outcome::NotUsed,
        })
    }

    fn renew(&self, value: &mut [u8], exchange: &mut Exchange<'_>) {
        write(value, exchange, 0);
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        text.is_none().then(|| vec![0; 12])
    }

    fn refresh(&self, value: &mut [u8], request: &RequestFacts) {
        if let Ok([sent, ..]) = <[U32; 3]>::mut_from_bytes(value) {
            sent.set(request.sent);
        }
    }

    // Of the packets between the first and the last reply: an end may or may not count the packet with
    // the TLV, so differences alone are sure (row ST-45).
    fn facts_of(&self, value: &[u8], facts: &mut Facts) {
        if let Ok(counts) = <[U32; 3]>::read_from_bytes(value) {
            let keys = ["sent", "far_received", "far_sent"];
            let counts = counts.map(|count| u64::from(count.get()).into());
            facts.extend(keys.into_iter().zip(counts));
        }
    }

    // Counts have 32 bits and wrap. One that goes back began again: the far end was restarted, or has
    // forgotten the session.
    fn order(&self, earlier: &[u8], later: &[u8]) -> Order {
        let Some([sent, received, returned]) = growth(earlier, later) else {
            return Order::Same;
        };
        let most = MOST_AT_ONCE.saturating_add(sent.saturating_mul(MOST_OF_ONE));
        let is_back = |by: u32| by > u32::MAX / 2;
        if is_back(received) || is_back(returned) || received > most {
            Order::Backward
        } else if received > 0 || returned > 0 {
            Order::Forward
        } else {
            Order::Same
        }
    }

    fn amounts(&self, seen: &Seen) -> Vec<u64> {
        let grown = growth(&seen.first.octets, &seen.last.octets);
        let [sent, received, returned] = grown.unwrap_or_default().map(u64::from);
        vec![sent, received, returned, seen.replies_between()]
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let mut amounts = self.amounts(seen).into_iter();
        let mut before = seen.before.iter().copied();
        // What was lost while they began again is not known.
        let [sent, received, returned, arrived] = std::array::from_fn(|_| {
            let amount = amounts.next().unwrap_or_default();
            amount.saturating_add(before.next().unwrap_or_default())
        });
        // Replies may come late or twice: then fewer are missing than none.
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let missing = |all, came| number(all).saturating_sub(number(came));
        for (key, count) in [
            ("sent", number(sent)),
            ("far_received", number(received)),
            ("far_sent", number(returned)),
            ("replies_received", number(arrived)),
            ("forward_lost", missing(sent, received)),
            ("backward_lost", missing(returned, arrived)),
        ] {
            facts.push((key, FactValue::Number(count)));
        }
        // Some of the replies that were sent are further ones.
        if seen.last.further_replies == 0 {
            facts.push(("far_unanswered", received.saturating_sub(returned).into()));
        }
        if seen.restarts > 0 {
            facts.push(("restarts", seen.restarts.into()));
        }
    }
}

/// A far end counts no more than this at once, beside [`MOST_OF_ONE`] for each packet that was sent.
const MOST_AT_ONCE: u32 = 1_000_000;
const MOST_OF_ONE: u32 = 1_000;

/// By how much each count grew.
fn growth(earlier: &[u8], later: &[u8]) -> Option<[u32; 3]> {
    let counts = |octets| Some(<[U32; 3]>::read_from_bytes(octets).ok()?.map(U32::get));
    let (earlier, later) = (counts(earlier)?, counts(later)?);
    let mut grown = later.into_iter().zip(earlier);
    let mut next = || {
        grown
            .next()
            .map_or(0, |(now, before): (u32, u32)| now.wrapping_sub(before))
    };
    Some([next(), next(), next()])
}
