//! Access Report: the state of an access network, from sender to reflector (RFC 8972 section 4.6).
//!
//! ```text
//! bits 0-3 Access ID, 4-7 reserved; 1 Return Code 1, 2 reserved 2
//! ```

use twinpath_wire::{TlvType, Tos};

use super::learn::{Facts, Seen};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct AccessReport;

const OCTETS: usize = 4;
/// Access IDs: 3GPP and non-3GPP.
const KNOWN: std::ops::RangeInclusive<u8> = 1..=2;

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
        let (id, code) = text?.split_once(':')?;
        let id: u8 = id.parse().ok().filter(|id| KNOWN.contains(id))?;
        let code: u8 = code.parse().ok()?;
        Some(vec![id << 4, code, 0, 0])
    }

    fn takes_text(&self) -> &'static str {
        "ID:CODE, Access ID 1 (3GPP) or 2 (other), Return Code 1 (available), 2 (unavailable) or another up to 255"
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        if let Some([id, code]) = seen.last.octets.first_chunk() {
            facts.push(("access_id", u64::from(id >> 4).into()));
            facts.push(("return_code", u64::from(*code).into()));
        }
    }
}
