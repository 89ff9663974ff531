//! Extra Padding: octets that make a packet longer (RFC 8972 section 4.1). Any number of them.

use twinpath_wire::{TlvType, Tos};

use super::{Exchange, Extension, Outcome};
use crate::reflector::Ignored;

pub(super) struct ExtraPadding;

impl Extension for ExtraPadding {
    fn kind(&self) -> TlvType {
        TlvType::EXTRA_PADDING
    }

    fn name(&self) -> &'static str {
        "extra-padding"
    }

    fn takes(&self, _octets: usize) -> bool {
        true
    }

    fn reflect(&self, _: &mut [u8], _: &mut Exchange<'_>) -> Result<Outcome, Ignored> {
        Ok(Outcome::Used)
    }

    fn ask(&self, text: Option<&str>, _: Tos) -> Option<Vec<u8>> {
        let octets: u16 = text.map_or(Ok(0), str::parse).ok()?;
        Some(vec![0; octets.into()])
    }

    fn takes_text(&self) -> &'static str {
        "a number of octets, 0 to 65535"
    }
}
