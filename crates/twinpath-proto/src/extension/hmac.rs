//! HMAC: the integrity of the TLVs before it (RFC 8972 section 4.8). It is about the whole chain, so
//! its check and its digest are in `chain`.

use twinpath_wire::{TlvType, Tos};

use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct Hmac;

/// Octets of the digest.
pub(super) const OCTETS: usize = 16;

impl Extension for Hmac {
    fn kind(&self) -> TlvType {
        TlvType::HMAC
    }

    fn name(&self) -> &'static str {
        "hmac"
    }

    fn takes(&self, octets: usize) -> bool {
        octets == OCTETS
    }

    fn reflect(&self, _: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        Ok(if exchange.is_authentic {
            Outcome::Used
        } else {
            // No key to check it with.
            Outcome::NotUsed
        })
    }

    fn is_single(&self) -> bool {
        true
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        text.is_none().then(|| vec![0; OCTETS])
    }
}
