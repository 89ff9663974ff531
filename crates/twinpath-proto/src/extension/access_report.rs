//! Access Report: the state of an access network, from sender to reflector (RFC 8972 section 4.6).
//!
//! ```text
//! bits 0-3 Access ID, 4-7 reserved; 1 Return Code 1, 2 reserved 2
//! ```

use std::time::Duration;

use twinpath_wire::{TlvType, Tos};

use super::learn::Facts;
use super::seen::Seen;
use super::{Exchange, Extension, Outcome, Retransmission};
use crate::reflector::Ignored;

pub(super) struct AccessReport;

const OCTETS: usize = 4;
/// Retransmissions at most.
const MOST: u32 = 100;
/// Access IDs: 3GPP and non-3GPP.
const KNOWN: std::ops::RangeInclusive<u8> = 1..=2;

/// RFC 8972 section 4.6.
const DEFAULT: Retransmission = Retransmission {
    after: Duration::from_secs(3),
    count: 4,
};

/// `ID:CODE`, and what follows it.
fn parts(text: &str) -> Option<(&str, Option<&str>)> {
    let (at, _) = text.match_indices(':').nth(1).unzip();
    let Some(at) = at else {
        return Some((text, None));
    };
    let (report, timer) = text.split_at_checked(at)?;
    Some((report, timer.strip_prefix(':')))
}

/// From `TIMER:COUNT`; a bare time is in seconds.
fn retransmission(text: &str) -> Option<Retransmission> {
    let (timer, count) = text.split_once(':')?;
    let (number, unit_ms) = match (timer.strip_suffix("ms"), timer.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1_000),
        (None, None) => (timer, 1_000),
    };
    let ms = number.parse::<u32>().ok().filter(|number| *number > 0)?;
    Some(Retransmission {
        after: Duration::from_millis(u64::from(ms) * unit_ms),
        count: count.parse().ok().filter(|count| *count <= MOST)?,
    })
}

impl Extension for AccessReport {
    fn kind(&self) -> TlvType {
        TlvType::ACCESS_REPORT
    }

    fn name(&self) -> &'static str {
        "access-report"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == OCTETS
    }

    fn reflect(&self, value: &mut [u8], _: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        match value.first_chunk_mut::<OCTETS>() {
            Some([id, _, reserved @ ..]) if KNOWN.contains(&(*id >> 4)) => {
                *id &= 0xf0;
                *reserved = [0; 2];
                Ok(Outcome::Used)
            }
            // Copied as it came (row ST-31).
            _ => Ok(Outcome::NotUsed),
        }
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let (report, timer) = parts(text?)?;
        let (id, code) = report.split_once(':')?;
        let id: u8 = id.parse().ok().filter(|id| KNOWN.contains(id))?;
        let code: u8 = code.parse().ok()?;
        timer.map_or(Some(DEFAULT), retransmission)?;
        Some(vec![id << 4, code, 0, 0])
    }

    fn retransmission(&self, text: Option<&str>) -> Option<Retransmission> {
        let (_, timer) = parts(text?)?;
        timer.map_or(Some(DEFAULT), retransmission)
    }

    fn takes_text(&self) -> &'static str {
        "ID:CODE[:TIMER:COUNT], Access ID 1 (3GPP) or 2 (other), Return Code 1 (available), 2 (unavailable) or another up to 255; sent again COUNT times (4), each TIMER (3s) after the last packet, until a reply has it"
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if let Some([id, code]) = seen.last.octets.first_chunk() {
            facts.push(("access_id", u64::from(id >> 4).into()));
            facts.push(("return_code", u64::from(*code).into()));
        }
    }
}
