//! What a Session-Sender learns from the TLVs of replies (rows ST-29, ST-63).

use serde::{Deserialize, Serialize};
use twinpath_wire::{Delta, Dscp, Tlv, TlvFlags, TlvHeader, TlvType, Tlvs, Tos, WireTime};

use super::chain::is_first;
use super::seen::Seen;
use super::{
    Copies, HmacFault, HmacFaults, HmacResult, Replies, ReplyDscp, class_of_service, hmac, of,
};
use crate::stamp::StampKey;

/// What the replies of a session have taught.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// Replies with TLVs.
    pub replies: u64,
    /// Those whose TLVs were not used: their HMAC is missing or wrong, or the far end said that of
    /// the request's.
    pub unverified: u64,
    /// Why they were not used.
    #[serde(skip_serializing_if = "HmacFaults::is_empty")]
    pub hmac_faults: HmacFaults,
    /// Replies whose HMAC TLV was not checked here, for lack of a key: nothing is known of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub unchecked: u64,
    /// Replies beyond the first to one request, where Reflected Test Packet Control asked for them.
    pub further_replies: Copies,
    /// Replies with the request's TLVs 27 octets further on, as TWAMP Light moves padding.
    #[serde(skip_serializing_if = "is_zero")]
    pub moved: u64,
    /// Packets that were sent because no reply had the Access Report.
    #[serde(skip_serializing_if = "is_zero")]
    pub retransmitted: u64,
    /// T3 that were corrected by Follow-Up Telemetry.
    pub corrections: Corrections,
    /// By type, in the order of their first appearance.
    pub tlvs: Vec<Seen>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Corrections of T3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrections {
    /// How many.
    pub count: u64,
    /// How much later the replies left than T3 said, in all, in nanoseconds.
    pub sum_ns: i64,
    /// The largest of them.
    pub max_ns: i64,
}

impl Corrections {
    pub(crate) fn record(&mut self, later: Delta) {
        self.max_ns = if self.count == 0 {
            later.ns()
        } else {
            self.max_ns.max(later.ns())
        };
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(later.ns());
    }

    /// The mean; `None` without one.
    pub fn mean_ns(&self) -> Option<i64> {
        self.sum_ns.checked_div(i64::try_from(self.count).ok()?)
    }
}

/// What a reply's TLVs mean for the measurement itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The ToS with which the request arrived.
    pub tos_forward: Option<Tos>,
    /// The far end says when replies left, as soon as it knows it.
    pub tells_departures: bool,
    /// When an earlier reply left.
    pub follow_up: Option<FollowUp>,
    /// The Micro-session IDs of sender and reflector.
    pub micro_session: Option<[u16; 2]>,
    /// The replies that the request asks for.
    pub replies: Option<Replies>,
    /// A TLV was followed in part (C).
    pub is_unmet: bool,
}

/// When a reply left (RFC 8972 section 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The reply's own Sequence Number.
    pub number: u32,
    /// When, in the format of the reply that says it.
    pub at: WireTime,
}

/// A named value for reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FactValue {
    /// A count, a number or nanoseconds.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A name or an address.
    Text(String),
}

/// Facts of one extension: keys and values.
pub type Facts = Vec<(&'static str, FactValue)>;

impl From<u64> for FactValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for FactValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The TLVs of a reply, whose HMAC was verified: once, whatever they are read for.
#[derive(Clone, Copy, Debug)]
pub struct ReplyChain<'a> {
    octets: &'a [u8],
    verdict: Result<(), HmacFault>,
    /// There was a key.
    is_checked: bool,
}

impl<'a> ReplyChain<'a> {
    /// `number` are the first four octets of the reply, its Sequence Number. Without a key only the far
    /// end's word on the request's HMAC counts.
    pub fn verified(octets: &'a [u8], number: [u8; 4], key: Option<&StampKey>) -> Self {
        Self {
            octets,
            verdict: verify(octets, number, key),
            is_checked: key.is_some(),
        }
    }

    /// The beginning of a chain that was verified as a whole, with a key.
    pub fn judged(octets: &'a [u8], verdict: Result<(), HmacFault>) -> Self {
        Self {
            octets,
            verdict,
            is_checked: true,
        }
    }

    /// What the HMAC came to.
    ///
    /// # Errors
    /// [`HmacFault`]: why the TLVs are not used.
    pub fn verdict(&self) -> Result<(), HmacFault> {
        self.verdict
    }

    /// The TLVs.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Why its TLVs are not used; `None` too without any.
    pub fn fault(&self) -> Option<HmacFault> {
        self.verdict.err().filter(|_| !self.octets.is_empty())
    }

    /// What the HMAC TLV came to, if there is one.
    pub(super) fn hmac(&self) -> Option<HmacResult> {
        if let Some(fault) = self.fault() {
            return Some(HmacResult::Failed(fault));
        }
        let mut tlvs = Tlvs::new(self.octets).map_while(Result::ok);
        let is_signed = tlvs.any(|tlv| tlv.header.kind == TlvType::HMAC);
        is_signed.then_some(if self.is_checked {
            HmacResult::Verified
        } else {
            HmacResult::Unchecked
        })
    }

    /// What the TLVs mean, of a reply that is not the first to its request.
    pub fn observe(&self) -> Observation {
        let mut observation = Observation::default();
        if self.verdict.is_ok() {
            let mut met = 0_u16;
            for Tlv { header, value } in Tlvs::new(self.octets).map_while(Result::ok) {
                if let Some(extension) = of(header.kind)
                    && is_first(header.kind, &mut met)
                    && header.flags == TlvFlags(0)
                    && extension.takes(value.len())
                {
                    extension.observe(value, &mut observation);
                }
            }
        }
        observation
    }
}

impl Learnt {
    /// Reads the TLVs of the first reply to request `seq`. `number` are the first four octets of the
    /// reply, its Sequence Number. With a key, TLVs without a right HMAC teach nothing.
    pub fn read(
        &mut self,
        chain: &[u8],
        number: [u8; 4],
        seq: u64,
        key: Option<&StampKey>,
    ) -> Observation {
        self.read_verified(&ReplyChain::verified(chain, number, key), seq)
    }

    /// As [`Self::read`].
    pub(crate) fn read_verified(&mut self, chain: &ReplyChain<'_>, seq: u64) -> Observation {
        let mut observation = Observation::default();
        if let Some(fault) = chain.fault() {
            self.count_unverified(fault);
            return observation;
        }
        let (chain, is_checked) = (chain.octets, chain.is_checked);
        if chain.is_empty() {
            return observation;
        }
        self.replies += 1;
        let further = self.further_replies.received;
        let mut met = 0_u16;
        for Tlv { header, value } in Tlvs::new(chain).map_while(Result::ok) {
            let Some(extension) = of(header.kind) else {
                continue;
            };
            if !is_first(header.kind, &mut met) {
                continue;
            }
            self.unchecked += u64::from(header.kind == TlvType::HMAC && !is_checked);
            let is_malformed =
                header.flags.has(TlvFlags::MALFORMED) || !extension.takes(value.len());
            let Some(seen) = self.seen(header.kind) else {
                continue;
            };
            if is_malformed {
                seen.malformed += 1;
                break;
            }
            if header.flags.has(TlvFlags::UNRECOGNIZED) {
                seen.unrecognized += 1;
                continue;
            }
            observation.is_unmet |= header.flags.has(TlvFlags::CONFORMANT);
            seen.unmet += u64::from(header.flags.has(TlvFlags::CONFORMANT));
            seen.take(extension, seq, value, further);
            extension.observe(value, &mut observation);
        }
        observation
    }

    /// Counts a reply whose TLVs are not used.
    pub(crate) fn count_unverified(&mut self, fault: HmacFault) {
        self.replies += 1;
        self.unverified += 1;
        self.hmac_faults.add(fault);
    }

    /// Replies that had a TLV of this type, whether the far end knows it or not.
    pub(crate) fn returned(&self, kind: TlvType) -> u64 {
        let mut tlvs = self.tlvs.iter();
        tlvs.find(|seen| seen.kind == kind)
            .map_or(0, |seen| seen.processed + seen.unrecognized)
    }

    fn seen(&mut self, kind: TlvType) -> Option<&mut Seen> {
        if self.tlvs.iter().all(|seen| seen.kind != kind) {
            self.tlvs.push(Seen::of(kind));
        }
        self.tlvs.iter_mut().find(|seen| seen.kind == kind)
    }
}

impl Learnt {
    /// A TLV of RFC 8972 that needs no permission came back, and no TLV was processed.
    pub fn is_unprocessed(&self) -> bool {
        let basic = TlvType::LOCATION.0..=TlvType::FOLLOW_UP_TELEMETRY.0;
        let mut tlvs = self.tlvs.iter();
        tlvs.clone()
            .all(|seen| seen.processed == 0 && seen.malformed == 0)
            && tlvs.any(|seen| seen.unrecognized > 0 && basic.contains(&seen.kind.0))
    }

    /// The DSCP of replies where Class of Service asks for one.
    pub fn reply_dscp(&self) -> Option<ReplyDscp> {
        class_of_service::reply_dscp(self.class_of_service()?)
    }

    /// The DSCP that Class of Service asked for and the far end refused.
    pub fn refused_dscp(&self) -> Option<Dscp> {
        class_of_service::refused_dscp(self.class_of_service()?)
    }

    fn class_of_service(&self) -> Option<&[u8]> {
        let mut seen = self.tlvs.iter();
        let cos = seen.find(|seen| seen.kind == TlvType::CLASS_OF_SERVICE)?;
        Some(&cos.last.octets)
    }

    /// What was learnt, for reports: facts by the name of each TLV.
    pub fn facts(&self) -> Vec<(&'static str, Facts)> {
        let mut all: Vec<_> = self.tlvs.iter().filter_map(Seen::facts).collect();
        let mut add = |kind: TlvType, key, value: FactValue| {
            let Some(extension) = of(kind) else { return };
            let name = extension.name();
            match all.iter_mut().find(|(other, _)| *other == name) {
                Some((_, facts)) => facts.push((key, value)),
                None => all.push((name, vec![(key, value)])),
            }
        };
        if self.retransmitted > 0 {
            let count = self.retransmitted.into();
            add(TlvType::ACCESS_REPORT, "retransmitted", count);
        }
        if self.unverified > 0 {
            add(TlvType::HMAC, "unverified", self.unverified.into());
        }
        if self.unchecked > 0 {
            add(TlvType::HMAC, "unchecked", self.unchecked.into());
        }
        for (fault, count) in self.hmac_faults.counts() {
            add(TlvType::HMAC, fault.key(), count.into());
        }
        for (key, value) in self.further_replies.facts() {
            add(TlvType::REFLECTED_CONTROL, key, value);
        }
        let follow_up = TlvType::FOLLOW_UP_TELEMETRY;
        if let Some(mean_ns) = self.corrections.mean_ns() {
            let corrections = self.corrections;
            add(follow_up, "corrected", corrections.count.into());
            add(follow_up, "correction_mean_ns", FactValue::Number(mean_ns));
            add(
                follow_up,
                "correction_max_ns",
                FactValue::Number(corrections.max_ns),
            );
        }
        all
    }
}

/// Whether TLVs may be used: no one says that the request's HMAC was wrong and, with a key, the reply's own
/// is right and covers all TLVs but Extra Padding (row ST-50).
fn verify(chain: &[u8], number: [u8; 4], key: Option<&StampKey>) -> Result<(), HmacFault> {
    let mut at = 0;
    let (mut is_right, mut is_signed, mut is_unknown) = (key.is_none(), false, false);
    let (mut is_refused, mut is_beyond, mut is_any_used) = (false, false, false);
    for tlv in Tlvs::new(chain) {
        let Ok(Tlv { header, value }) = tlv else {
            break;
        };
        is_beyond |= is_signed && header.kind != TlvType::EXTRA_PADDING;
        is_refused |= header.flags.has(TlvFlags::INTEGRITY);
        is_any_used |= !header.flags.has(TlvFlags::UNRECOGNIZED);
        if header.kind == TlvType::HMAC
            && let (Some(before), Ok(digest)) =
                (chain.get(..at), <&[u8; hmac::OCTETS]>::try_from(value))
        {
            is_signed = true;
            is_unknown = header.flags.has(TlvFlags::UNRECOGNIZED);
            is_right = key.is_none_or(|key| key.verify(&[&number, before], digest));
        }
        at += TlvHeader::OCTETS + value.len();
    }
    match (is_refused, is_signed) {
        (true, true) => Err(HmacFault::Refused),
        (true, false) => Err(HmacFault::Wanted),
        (false, _) if key.is_none() => Ok(()),
        (false, false) => Err(HmacFault::Unsigned),
        // A chain that came back as it was sent has the request's digest, which is right where numbers are alike.
        (false, true) if is_unknown && !(is_right && is_any_used) => Err(HmacFault::NoKey),
        (false, true) if is_right && !is_beyond => Ok(()),
        (false, true) => Err(HmacFault::Wrong),
    }
}
