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

use super::learn::{FactValue, Facts, Seen};
use super::{Exchange, Extension, Outcome, RequestFacts};
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

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let counts = |octets: &[u8]| <[U32; 3]>::read_from_bytes(octets).ok();
        let (Some(first), Some(last)) = (counts(&seen.first.octets), counts(&seen.last.octets))
        else {
            return;
        };
        let [sent, received, returned] = std::array::from_fn(|at| {
            let (before, now) = (first.get(at).copied(), last.get(at).copied());
            now.unwrap_or_default()
                .get()
                .wrapping_sub(before.unwrap_or_default().get())
        });
        let (before, now) = (seen.first.further_replies, seen.last.further_replies);
        let arrived = seen.processed.saturating_sub(1) + now.saturating_sub(before);
        // Replies may come late or twice: then fewer are missing than none.
        let missing = |all: u32, came: u64| i64::from(all).saturating_sub_unsigned(came);
        for (key, count) in [
            ("sent", sent.into()),
            ("far_received", received.into()),
            ("far_sent", returned.into()),
            (
                "replies_received",
                i64::try_from(arrived).unwrap_or(i64::MAX),
            ),
            ("forward_lost", missing(sent, received.into())),
            ("backward_lost", missing(returned, arrived)),
        ] {
            facts.push((key, FactValue::Number(count)));
        }
    }
}
