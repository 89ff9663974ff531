//! The TLVs of one reply, for its record.

use twinpath_wire::{Delta, Tlv, TlvFlags, TlvHeader, TlvType, Tlvs};

use super::learn::{FactValue, Facts, ReplyChain};
use super::{Extension, HmacResult, of};

/// What the TLVs of one reply say, beside its sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTlvs {
    /// The request's number.
    pub seq: u64,
    /// The TLVs as they came, but for Extra Padding and HMAC: whole ones, as far as there is room.
    octets: Box<[u8]>,
    /// By how much T3 was corrected (RFC 8972 section 4.7).
    pub correction: Option<Delta>,
    /// What their HMAC came to; `None`: the reply has none. TLVs that were not used are not kept.
    pub hmac: Option<HmacResult>,
}

impl ReplyTlvs {
    /// Octets at most.
    pub const MOST_OCTETS: usize = 512;

    /// Of the reply to request `seq`; `None`: it has none.
    pub fn of(seq: u64, chain: &ReplyChain<'_>) -> Option<Self> {
        let hmac = chain.hmac();
        let is_used = chain.fault().is_none();
        let chain = if is_used { chain.octets() } else { &[] };
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
        Self::from_record(seq, octets, None, hmac)
    }

    /// As a record has it; `None`: it says nothing.
    pub fn from_record(
        seq: u64,
        octets: Vec<u8>,
        correction: Option<Delta>,
        hmac: Option<HmacResult>,
    ) -> Option<Self> {
        let is_empty = octets.is_empty() && correction.is_none() && hmac.is_none();
        (!is_empty && octets.len() <= Self::MOST_OCTETS).then(|| Self {
            seq,
            octets: octets.into(),
            correction,
            hmac,
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

    /// The first TLV of each type that is known.
    fn known(&self) -> Vec<(&'static dyn Extension, Tlv<'_>)> {
        let mut known: Vec<(&'static dyn Extension, Tlv<'_>)> = Vec::new();
        for tlv in Tlvs::new(&self.octets).map_while(Result::ok) {
            let is_first = known
                .iter()
                .all(|(_, it)| it.header.kind != tlv.header.kind);
            if let Some(extension) = of(tlv.header.kind).filter(|_| is_first) {
                known.push((extension, tlv));
            }
        }
        known
    }

    /// The names of those that the far end did not use (U), or found malformed (M).
    pub fn refused(&self) -> impl Iterator<Item = &'static str> {
        let known = self.known().into_iter();
        known.filter_map(|(extension, tlv)| refusal(extension, &tlv).map(|_| extension.name()))
    }

    /// What they say, for records: facts by the name of each TLV.
    pub fn facts(&self) -> Vec<(&'static str, Facts)> {
        let mut all: Vec<(&'static str, Facts)> = Vec::new();
        for (extension, tlv) in self.known() {
            let mut facts = Facts::new();
            match refusal(extension, &tlv) {
                Some(fact) => facts.push(fact),
                None => extension.facts_of(tlv.value, &mut facts),
            }
            all.push((extension.name(), facts));
        }
        if let Some(hmac) = self.hmac {
            let name = of(TlvType::HMAC).map_or("", |it| it.name());
            all.push((name, vec![("result", hmac.name().into())]));
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

/// Why a TLV of a reply says nothing, as a fact; `None`: it says what it is for.
fn refusal(extension: &dyn Extension, tlv: &Tlv<'_>) -> Option<(&'static str, FactValue)> {
    let has = |flag| tlv.header.flags.has(flag);
    if has(TlvFlags::MALFORMED) || !extension.takes(tlv.value.len()) {
        Some(("malformed", FactValue::Flag(true)))
    } else if has(TlvFlags::UNRECOGNIZED) || has(TlvFlags::INTEGRITY) {
        Some(("processed", FactValue::Flag(false)))
    } else {
        None
    }
}
