//! The TLVs of one reply, for its record.

use twinpath_wire::{Delta, Tlv, TlvFlags, TlvHeader, TlvType, Tlvs};

use super::learn::{FactValue, Facts};
use super::of;

/// What the TLVs of one reply say, beside its sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTlvs {
    /// The request's number.
    pub seq: u64,
    /// The TLVs as they came, but for Extra Padding and HMAC: whole ones, as far as there is room.
    octets: Box<[u8]>,
    /// By how much T3 was corrected (RFC 8972 section 4.7).
    pub correction: Option<Delta>,
}

impl ReplyTlvs {
    /// Octets at most.
    pub const MOST_OCTETS: usize = 512;

    /// Of the reply to request `seq`; `None`: it has none.
    pub fn of(seq: u64, chain: &[u8]) -> Option<Self> {
        let mut octets = Vec::with_capacity(chain.len().min(Self::MOST_OCTETS));
        let (mut at, mut is_over) = (0, false);
        for Tlv { header, value } in Tlvs::new(chain).map_while(Result::ok) {
            let end = at + TlvHeader::OCTETS + value.len();
            let tlv = chain.get(at..end).unwrap_or_default();
            at = end;
            let is_filler = matches!(header.kind, TlvType::EXTRA_PADDING | TlvType::HMAC);
            is_over |= octets.len() + tlv.len() > Self::MOST_OCTETS;
            if !is_filler && !is_over {
                octets.extend_from_slice(tlv);
            }
        }
        Self::from_record(seq, octets, None)
    }

    /// As a record has it; `None`: it says nothing.
    pub fn from_record(seq: u64, octets: Vec<u8>, correction: Option<Delta>) -> Option<Self> {
        let is_empty = octets.is_empty() && correction.is_none();
        (!is_empty && octets.len() <= Self::MOST_OCTETS).then(|| Self {
            seq,
            octets: octets.into(),
            correction,
        })
    }

    /// Of the reply to this request.
    #[must_use]
    pub fn numbered(self, seq: u64) -> Self {
        Self { seq, ..self }
    }

    /// The TLVs.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What they say, for records: facts by the name of each TLV.
    pub fn facts(&self) -> Vec<(&'static str, Facts)> {
        let mut all: Vec<(&'static str, Facts)> = Vec::new();
        for Tlv { header, value } in Tlvs::new(&self.octets).map_while(Result::ok) {
            let Some(extension) = of(header.kind) else {
                continue;
            };
            if all.iter().any(|(name, _)| *name == extension.name()) {
                continue;
            }
            let mut facts = Facts::new();
            let has = |flag| header.flags.has(flag);
            if has(TlvFlags::MALFORMED) || !extension.takes(value.len()) {
                facts.push(("malformed", FactValue::Flag(true)));
            } else if has(TlvFlags::UNRECOGNIZED) || has(TlvFlags::INTEGRITY) {
                facts.push(("processed", FactValue::Flag(false)));
            } else {
                extension.facts_of(value, &mut facts);
            }
            all.push((extension.name(), facts));
        }
        if let Some(correction) = self.correction {
            let fact = ("correction_ns", FactValue::Number(correction.ns()));
            let name = of(TlvType::FOLLOW_UP_TELEMETRY).map_or("", |it| it.name());
            match all.iter_mut().find(|(other, _)| *other == name) {
                Some((_, facts)) => facts.push(fact),
                None => all.push((name, vec![fact])),
            }
        }
        all
    }
}
