//! Timestamp Information: how each end synchronises its clock and takes timestamps (RFC 8972
//! section 4.3).
//!
//! ```text
//! 0 Sync Src In 1, 1 Timestamp In 1, 2 Sync Src Out 1, 3 Timestamp Out 1, 4 sub-TLVs (none defined)
//! ```

use twinpath_wire::{Rung, TlvType, Tos};

use super::learn::Facts;
use super::seen::Seen;
use super::sub_tlv::{self, Sub};
use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct TimestampInformation;

/// Before the sub-TLVs.
const FIELDS: usize = 4;

/// The code of a timestamp's method (RFC 8972 section 5.5): 1 hardware assist, 2 software local.
pub(super) const fn method(rung: Rung) -> u8 {
    match rung {
        Rung::Hardware => 1,
        Rung::Kernel | Rung::Queue | Rung::User => 2,
    }
}

impl Extension for TimestampInformation {
    fn kind(&self) -> TlvType {
        TlvType::TIMESTAMP_INFORMATION
    }

    fn name(&self) -> &'static str {
        "timestamp-information"
    }

    fn takes(&self, octets: usize) -> bool {
        octets >= FIELDS
    }

    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        let Some((fields, subs)) = value.split_first_chunk_mut::<FIELDS>() else {
            return Ok(Outcome::NotUsed);
        };
        let sync = exchange.host.sync() as u8;
        // T3 is read by this program just before it sends (row ST-40).
        let (arrived, left) = (exchange.arrival.at.rung, Rung::User);
        *fields = [sync, method(arrived), sync, method(left)];
        sub_tlv::each(subs, |_| Sub::NotUsed);
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        text.is_none().then(|| vec![0; FIELDS])
    }

    fn facts(&self, seen: &Seen, facts: &mut Facts) {
        let Some([sync_in, method_in, sync_out, method_out]) = seen.last.octets.first_chunk()
        else {
            return;
        };
        for (key, name) in [
            ("sync_in", sync_name(*sync_in)),
            ("timestamp_in", method_name(*method_in)),
            ("sync_out", sync_name(*sync_out)),
            ("timestamp_out", method_name(*method_out)),
        ] {
            facts.push((key, name.into()));
        }
    }
}

/// RFC 8972 section 5.4.
const fn sync_name(code: u8) -> &'static str {
    match code {
        1 => "ntp",
        2 => "ptp",
        3 => "ssu-bits",
        4 => "gnss",
        5 => "local",
        _ => "unknown",
    }
}

/// RFC 8972 section 5.5.
pub(super) const fn method_name(code: u8) -> &'static str {
    match code {
        1 => "hardware",
        2 => "software",
        3 => "control-plane",
        _ => "unknown",
    }
}
