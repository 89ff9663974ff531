//! The chain of TLVs of a request, and that of its reply (RFC 8972 section 4; rows ST-22 to ST-34,
//! ST-49 to ST-52).
//!
//! A first walk reads headers alone: where the chain breaks, where its HMAC is. Then the HMAC is
//! checked, and a second walk processes each TLV in place. Both go once over the octets.

use std::ops::Range;

use twinpath_wire::{BrokenChain, TlvFlags, TlvHeader, TlvMut, TlvType, Tlvs, TlvsMut};
use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::U16;

use super::exchange::{Exchange, Replies, RequestShape};
use super::granted::Proof;
use super::{ExtensionPolicy, Outcome, hmac, of, reflected_control, return_path, sub_tlv};
use crate::reflector::Ignored;
use crate::stamp::StampKey;

/// A reply's chain, ready but for its HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Octets of the base packet and the chain.
    pub octets: usize,
    /// TLVs that ask for something were processed: known ones other than Extra Padding and HMAC. A tail of
    /// zeros, which some senders pad with, is a chain of TLVs of type 0 and asks for nothing.
    pub is_processed: bool,
    /// Where the digest of its HMAC TLV is to be written.
    digest_at: Option<usize>,
}

/// A request's chain of TLVs, of which headers were read and the HMAC TLV was checked: both once for a packet,
/// however many use them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgedChain {
    scan: Scan,
    /// Whether the HMAC TLV is right. No TLV is used: all get these flags.
    verdict: Result<bool, TlvFlags>,
}

impl JudgedChain {
    /// Of a chain behind a base packet of so many octets, with this Sequence Number.
    pub(crate) fn of(
        chain: &[u8],
        base: usize,
        seq: u32,
        is_authenticated: bool,
        key: Option<&StampKey>,
        policy: &ExtensionPolicy,
    ) -> Self {
        let scan = Scan::of(chain, base);
        let verdict = scan.judge(chain, seq, is_authenticated, key, policy);
        Self { scan, verdict }
    }

    /// Whether its TLVs are used, as far as their HMAC decides it.
    pub(crate) fn is_used(&self) -> bool {
        self.verdict.is_ok()
    }
}

/// Where what is in a chain.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    shape: RequestShape,
    /// Offset of the HMAC TLV, if there is one where it may be.
    hmac_at: Option<usize>,
    /// A TLV other than Extra Padding follows the HMAC TLV.
    is_hmac_misplaced: bool,
    /// TLVs other than Extra Padding, or more than one of these.
    needs_hmac: bool,
}

/// Makes the chain in `buffer[base..received]` that of the reply. The base packet, the request's, is not
/// touched; `key` is that of the session. In authenticated mode, a chain
/// must have an HMAC TLV.
///
/// # Errors
/// [`Ignored`]: why there must be no reply.
pub fn reflect(
    buffer: &mut [u8],
    base: usize,
    received: usize,
    is_authenticated: bool,
    key: Option<&StampKey>,
    exchange: &mut Exchange<'_>,
) -> Result<Answer, Ignored> {
    reflect_judged(
        buffer,
        base..received,
        is_authenticated,
        key,
        None,
        exchange,
    )
}

/// As [`reflect`], of a chain that was judged before, if it was.
pub(crate) fn reflect_judged(
    buffer: &mut [u8],
    at: Range<usize>,
    is_authenticated: bool,
    key: Option<&StampKey>,
    judged: Option<JudgedChain>,
    exchange: &mut Exchange<'_>,
) -> Result<Answer, Ignored> {
    let (base, received) = (at.start, at.end);
    let copied = Answer {
        octets: received,
        is_processed: false,
        digest_at: None,
    };
    let Some(chain) = buffer.get_mut(base..received) else {
        return Ok(copied);
    };
    if exchange.policy.copies_only || chain.is_empty() {
        return Ok(copied);
    }
    let JudgedChain { scan, verdict } = judged.unwrap_or_else(|| {
        let (seq, policy) = (exchange.seq, exchange.policy);
        JudgedChain::of(chain, base, seq, is_authenticated, key, policy)
    });
    let is_checked = match verdict {
        Ok(is_checked) => is_checked,
        Err(flags) => {
            flag_all(chain, flags);
            return Ok(copied);
        }
    };
    exchange.set_authentic(is_checked);
    exchange.request = scan.shape;
    if let (Some(at), Some(key)) = (scan.hmac_at.filter(|_| is_checked), key)
        && scan.shape.asks_replies
        && exchange.policy.control.is_some()
    {
        let signed_base = buffer.get(..base).filter(|_| is_authenticated);
        exchange.proof = match signed_base {
            Some(signed) => Proof::of_base(key, signed, exchange.t1),
            None => chain_digest(buffer, base + at).map(Proof::of_tlvs),
        };
    }
    let chain = buffer.get_mut(base..received).unwrap_or_default();
    let (processed, asks) = process(chain, exchange)?;
    let hmac_at = scan.hmac_at.filter(|at| is_checked && *at < processed);
    let (octets, hmac_at) = match exchange.effects.replies {
        Some(replies) => resize(buffer, base, received, hmac_at, replies),
        None => (received, hmac_at),
    };
    Ok(Answer {
        octets,
        is_processed: asks,
        digest_at: hmac_at.map(|at| base + at + TlvHeader::OCTETS),
    })
}

impl Answer {
    /// Writes the digest of the reply's HMAC TLV: after the reply's Sequence Number, which it covers,
    /// and all TLVs before it (row ST-51).
    pub fn sign(&self, reply: &mut [u8], base: usize, key: &StampKey) {
        let Some(at) = self.digest_at else { return };
        let covered = at - TlvHeader::OCTETS;
        let (Some(number), Some(before)) = (reply.get(..4), reply.get(base..covered)) else {
            return;
        };
        let digest = key.sign(&[number, before]);
        if let Some(field) = reply.get_mut(at..at + hmac::OCTETS) {
            field.copy_from_slice(&digest);
        }
    }
}

/// The way that a reply's TLVs promise could not be had: they have U, and the HMAC TLV its new digest (row
/// SL-29).
pub(crate) fn withdraw_way(reply: &mut [u8], base: usize, key: Option<&StampKey>) {
    rewrite(reply, base, key, |TlvMut { header, value }| {
        if let TlvType::DESTINATION_NODE_ADDRESS | TlvType::RETURN_PATH = header.kind {
            header.flags = TlvFlags::UNRECOGNIZED;
        }
        if header.kind == TlvType::RETURN_PATH {
            // It was used, so all of its sub-TLVs are well-formed.
            sub_tlv::each(value, |_| sub_tlv::Sub::NotUsed);
        }
    });
}

/// Makes a reply's TLVs those of a further one to the same request, whose Sequence Number it has already.
pub(crate) fn renew(
    reply: &mut [u8],
    base: usize,
    key: Option<&StampKey>,
    exchange: &mut Exchange<'_>,
) {
    rewrite(reply, base, key, |TlvMut { header, value }| {
        if let Some(extension) = of(header.kind) {
            extension.renew(value, exchange);
        }
    });
}

/// Lets `change` change the TLVs of a reply that were processed, and makes its HMAC TLV right.
fn rewrite(
    reply: &mut [u8],
    base: usize,
    key: Option<&StampKey>,
    mut change: impl FnMut(TlvMut<'_>),
) {
    let chain = reply.get_mut(base..).unwrap_or_default();
    let mut at = base;
    let mut digest_at = None;
    for tlv in TlvsMut::new(chain).map_while(Result::ok) {
        at += TlvHeader::OCTETS;
        let octets = tlv.value.len();
        if tlv.header.flags == TlvFlags(0) {
            if tlv.header.kind == TlvType::HMAC {
                digest_at = Some(at);
            }
            change(tlv);
        }
        at += octets;
    }
    if let Some(key) = key {
        let octets = reply.len();
        let answer = Answer {
            octets,
            is_processed: true,
            digest_at,
        };
        answer.sign(reply, base, key);
    }
}

/// Whether the HMAC TLV of a request is right and covers all TLVs but Extra Padding (row ST-50); `None`: it has
/// none.
pub fn is_signed_with(key: &StampKey, chain: &[u8], seq: u32) -> Option<bool> {
    let scan = Scan::of(chain, 0);
    let at = scan.hmac_at?;
    Some(!scan.is_hmac_misplaced && is_right(key, seq, chain, at))
}

/// Whether the digest of the HMAC TLV at `at` is right.
fn is_right(key: &StampKey, seq: u32, chain: &[u8], at: usize) -> bool {
    let (Some(before), Some(tlv)) = (chain.get(..at), chain.get(at + TlvHeader::OCTETS..)) else {
        return false;
    };
    tlv.first_chunk()
        .is_some_and(|digest| key.verify(&[&seq.to_be_bytes(), before], digest))
}

/// The digest of the HMAC TLV at `at`.
fn chain_digest(packet: &[u8], at: usize) -> Option<&[u8; hmac::OCTETS]> {
    packet.get(at + TlvHeader::OCTETS..)?.first_chunk()
}

impl Scan {
    /// Whether the HMAC TLV is right.
    ///
    /// # Errors
    /// No TLV is used, and all get these flags.
    fn judge(
        &self,
        chain: &[u8],
        seq: u32,
        is_authenticated: bool,
        key: Option<&StampKey>,
        policy: &ExtensionPolicy,
    ) -> Result<bool, TlvFlags> {
        let must_have_hmac = (is_authenticated || policy.requires_hmac) && self.needs_hmac;
        match (self.hmac_at, key) {
            (Some(at), Some(key)) => {
                if self.is_hmac_misplaced || !is_right(key, seq, chain, at) {
                    Err(TlvFlags::INTEGRITY)
                } else {
                    Ok(true)
                }
            }
            // Not understood: no key to check it with (row ST-52).
            (Some(_), None) if policy.requires_hmac || !policy.accepts_unverified => {
                Err(TlvFlags::UNRECOGNIZED)
            }
            (None, _) if must_have_hmac => Err(TlvFlags::INTEGRITY),
            (Some(_) | None, _) => Ok(false),
        }
    }

    fn of(chain: &[u8], base: usize) -> Self {
        let mut scan = Self::default();
        scan.shape.unpadded_octets = base;
        scan.shape.octets = base + chain.len();
        let mut at = 0;
        let (mut paddings, mut others, mut seen) = (0_usize, 0_usize, 0_u16);
        for tlv in Tlvs::new(chain) {
            let (header, value) = match tlv {
                Ok(tlv) => (tlv.header, tlv.value),
                Err(broken) => {
                    scan.shape.is_malformed = true;
                    if let BrokenChain::PastEnd { header, .. } = broken {
                        scan.is_hmac_misplaced |=
                            scan.hmac_at.is_some() && header.kind != TlvType::EXTRA_PADDING;
                    }
                    break;
                }
            };
            let octets = TlvHeader::OCTETS + value.len();
            if header.kind == TlvType::EXTRA_PADDING {
                paddings += 1;
            } else {
                others += 1;
                scan.shape.unpadded_octets += octets;
                scan.is_hmac_misplaced |= scan.hmac_at.is_some();
            }
            let is_wellformed = has_right_length(header.kind, value.len());
            scan.shape.is_malformed |= !is_wellformed;
            let is_first = is_first(header.kind, &mut seen);
            match header.kind {
                TlvType::HMAC if is_first => {
                    scan.hmac_at = Some(at);
                    scan.is_hmac_misplaced |= !is_wellformed;
                }
                TlvType::RETURN_PATH if is_first => {
                    scan.shape.asks_no_reply = return_path::asks_no_reply(value);
                }
                TlvType::REFLECTED_CONTROL if is_first && is_wellformed => {
                    scan.shape.asks_replies = reflected_control::asks_replies(value);
                }
                _ => {}
            }
            at += octets;
        }
        scan.needs_hmac = others > 0 || paddings > 1;
        scan
    }
}

/// Whether no TLV of this type was met before. Of types that are not known, each is the first.
pub(super) fn is_first(kind: TlvType, seen: &mut u16) -> bool {
    let Some(bit) = 1_u16.checked_shl(kind.0.into()) else {
        return true;
    };
    let is_first = *seen & bit == 0;
    *seen |= bit;
    is_first
}

/// Private types begin with an enterprise number (RFC 8972 section 5.1; row ST-32).
fn has_right_length(kind: TlvType, octets: usize) -> bool {
    match of(kind) {
        Some(extension) => extension.takes(octets),
        None => !(252..=254).contains(&kind.0) || octets >= 4,
    }
}

/// Gives each header of the chain these flags alone.
fn flag_all(chain: &mut [u8], flags: TlvFlags) {
    let mut at = 0;
    while let Some((header, behind)) = chain
        .get_mut(at..)
        .and_then(|rest| rest.split_at_mut_checked(TlvHeader::OCTETS))
    {
        let [flag, _, length @ ..] = header else {
            return;
        };
        *flag = flags.0;
        let Ok(length) = <[u8; 2]>::try_from(&*length) else {
            return;
        };
        let length = usize::from(u16::from_be_bytes(length));
        if length > behind.len() {
            return;
        }
        at += TlvHeader::OCTETS + length;
    }
}

/// Processes TLV after TLV, until one is malformed, and then what depends on them. Octets that were
/// processed, and whether one of their TLVs asks for something.
fn process(chain: &mut [u8], exchange: &mut Exchange<'_>) -> Result<(usize, bool), Ignored> {
    let mut at = 0;
    let mut asks = false;
    let mut seen = 0;
    let mut last = None;
    for tlv in TlvsMut::new(chain) {
        let TlvMut { header, value } = match tlv {
            Ok(tlv) => tlv,
            Err(BrokenChain::PastEnd { .. }) => {
                sub_tlv::mark_malformed(chain, at);
                break;
            }
            // Too few octets for a header: nothing to mark (row ST-26).
            Err(BrokenChain::NoHeader { .. }) => break,
        };
        let extension = of(header.kind);
        if !has_right_length(header.kind, value.len()) {
            header.flags = TlvFlags::MALFORMED;
            if let Some(extension) = extension {
                extension.reset(value);
            }
            break;
        }
        let counts = is_first(header.kind, &mut seen);
        let is_filler = matches!(header.kind, TlvType::EXTRA_PADDING | TlvType::HMAC);
        asks |= extension.is_some() && !is_filler;
        let octets = TlvHeader::OCTETS + value.len();
        let outcome = match extension.filter(|one| counts || !one.is_single()) {
            Some(extension) if extension.is_last() => {
                last = Some((extension, at));
                Outcome::NotUsed
            }
            Some(extension) => extension.reflect(value, exchange)?,
            None => Outcome::NotUsed,
        };
        header.flags = outcome.flags();
        at += octets;
    }
    if let Some((extension, from)) = last
        && let Some(Ok(tlv)) = TlvsMut::new(chain.get_mut(from..).unwrap_or_default()).next()
    {
        tlv.header.flags = extension.reflect(tlv.value, exchange)?.flags();
    }
    Ok((at, asks))
}

/// Leaves out the request's Extra Padding, and fills up to what was asked for with one of zeros, before
/// the HMAC TLV (row SL-51). Octets of the reply, and where its HMAC TLV is in the chain.
fn resize(
    buffer: &mut [u8],
    base: usize,
    received: usize,
    hmac_at: Option<usize>,
    replies: Replies,
) -> (usize, Option<usize>) {
    let (mut from, mut to) = (base, base);
    let mut hmac_at = hmac_at.map(|at| base + at);
    let is_hmac = |from| hmac_at == Some(from);
    let mut moved_hmac = None;
    while let Some(length) = buffer.get(from..received).and_then(tlv_octets) {
        let is_padding = buffer.get(from + 1) == Some(&TlvType::EXTRA_PADDING.0);
        if !is_padding {
            if is_hmac(from) {
                moved_hmac = Some(to);
            }
            buffer.copy_within(from..from + length, to);
            to += length;
        }
        from += length;
    }
    hmac_at = moved_hmac;
    let gap = replies.octets.min(buffer.len()).saturating_sub(to);
    if gap >= TlvHeader::OCTETS {
        let at = hmac_at.unwrap_or(to);
        buffer.copy_within(at..to, at + gap);
        if let Some(padding) = buffer.get_mut(at..at + gap)
            && let Ok(length) = u16::try_from(gap - TlvHeader::OCTETS)
        {
            padding.fill(0);
            let header = TlvHeader {
                flags: TlvFlags(0),
                kind: TlvType::EXTRA_PADDING,
                length: U16::new(length),
            };
            if let Some(room) = padding.get_mut(..TlvHeader::OCTETS) {
                room.copy_from_slice(header.as_bytes());
            }
            to += gap;
            hmac_at = hmac_at.map(|at| at + gap);
        }
    }
    (to, hmac_at.map(|at| at - base))
}

/// Octets of the TLV at the beginning, header included.
fn tlv_octets(chain: &[u8]) -> Option<usize> {
    let tlv = Tlvs::new(chain).next()?.ok()?;
    Some(TlvHeader::OCTETS + tlv.value.len())
}
