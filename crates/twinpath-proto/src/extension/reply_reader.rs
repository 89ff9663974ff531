//! What the replies of a session teach by their TLVs, in the order in which they come: to its
//! Session-Sender, and to a reader of a capture of its packets.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Delta, ReflectorOpen, Sample, SenderOpen, TimeFormat, TlvHeader, TlvType};

use super::bursts::{Bursts, Came};
use super::learn::{FollowUp, Learnt, Observation, ReplyChain};
use super::{Replies, RequestChain};
use crate::sender::STAMP_ERROR;

/// Replies after which the departure of an earlier one is no longer waited for (row ST-48).
const FOLLOW_UP_REPLIES: usize = 16;
/// It may be so much later than T3.
const FOLLOW_UP_LATEST: Delta = Delta::from_ns(1_000_000_000);
/// Bounds of the wait for it.
const FOLLOW_UP_WAIT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// How much longer the header of a TWAMP Light reply is than that of a request.
const LIGHT_SHIFT: usize = ReflectorOpen::OCTETS - SenderOpen::OCTETS;

/// What tells replies to a session's requests from others, by the TLVs of one of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestMarks {
    /// The header of its first TLV; `None`: zeros, as in padding, or less than a header.
    first_header: Option<[u8; TlvHeader::OCTETS]>,
    /// Its Micro-session IDs; `None`: it is not of a micro-session.
    pub micro_session: Option<MicroSessionIds>,
    /// It has an HMAC TLV.
    pub is_signed: bool,
}

/// What is kept of a session to read the TLVs of its replies: bounded, whatever comes.
#[derive(Debug, Default)]
pub struct ReplyReader {
    first_header: Option<[u8; TlvHeader::OCTETS]>,
    micro_session: Option<MicroSessionIds>,
    pub(crate) learnt: Learnt,
    pub(crate) bursts: Bursts,
    /// Replies whose departure may still be told: their own numbers, and where their samples wait.
    awaited: VecDeque<(u32, u64)>,
}

/// The Micro-session IDs of a session (RFC 9534 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicroSessionIds {
    /// The Sender's.
    pub sender: u16,
    /// The Reflector's, once it is known.
    pub reflector: Option<u16>,
}

/// Why a reply is not one to this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// Its HMAC is wrong or missing, so its Micro-session IDs are not proven. It is counted.
    Unverified,
    /// Its Micro-session IDs are not those of the session (rows SL-40 to SL-43).
    OtherMicroSession,
}

impl MicroSessionIds {
    /// Of requests with these TLVs; `None`: they are not of a micro-session.
    fn of(chain: &RequestChain) -> Option<Self> {
        let ids = chain.value(TlvType::MICRO_SESSION_ID)?;
        let id = |at: usize| {
            let octets = ids.get(at..)?.first_chunk()?;
            Some(u16::from_be_bytes(*octets)).filter(|id| *id != 0)
        };
        Some(Self {
            sender: id(0)?,
            reflector: id(2),
        })
    }

    /// Whether a reply belongs to this micro-session (RFC 9534 section 3.2; rows SL-40 to SL-43).
    /// The far end's ID is learnt from the first one.
    fn accept(&mut self, told: Option<[u16; 2]>) -> bool {
        let Some([sender, reflector]) = told else {
            return false;
        };
        if sender != self.sender || reflector == 0 {
            return false;
        }
        *self.reflector.get_or_insert(reflector) == reflector
    }
}

impl RequestMarks {
    /// Of a request with these TLVs.
    pub fn of(chain: &RequestChain) -> Self {
        let header = chain.first_header().first_chunk();
        Self {
            first_header: header.copied().filter(|octets| *octets != [0; 4]),
            micro_session: MicroSessionIds::of(chain),
            is_signed: chain.value(TlvType::HMAC).is_some(),
        }
    }
}

impl ReplyReader {
    /// For replies to requests like this one.
    pub fn new(request: RequestMarks) -> Self {
        Self {
            first_header: request.first_header,
            micro_session: request.micro_session,
            ..Self::default()
        }
    }

    /// What replies have taught so far.
    pub fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// The same, of a session that is over.
    pub fn into_learnt(self) -> Learnt {
        self.learnt
    }

    /// The IDs of the session, if it is a micro-session.
    pub fn micro_session(&self) -> Option<MicroSessionIds> {
        self.micro_session
    }

    /// Whether a reply has the IDs of this micro-session, if it is one (rows SL-40, SL-41).
    ///
    /// # Errors
    /// [`Discarded`]: it is not measured, and teaches nothing.
    pub fn check_micro_session(&mut self, chain: &ReplyChain<'_>) -> Result<(), Discarded> {
        let Some(ids) = &mut self.micro_session else {
            return Ok(());
        };
        if let Some(fault) = chain.fault() {
            self.learnt.count_unverified(fault);
            return Err(Discarded::Unverified);
        }
        if ids.accept(chain.observe().micro_session) {
            Ok(())
        } else {
            Err(Discarded::OtherMicroSession)
        }
    }

    /// Counts an open reply that has the request's TLVs where TWAMP Light puts what is behind the first 14
    /// octets of a request: behind its own header, which is longer (row ST-54). `behind` is what follows
    /// the base packet of STAMP.
    pub fn note_moved(&mut self, behind: &[u8]) {
        const BEFORE: [u8; LIGHT_SHIFT] = [0; LIGHT_SHIFT];
        let (Some((before, moved)), Some(header)) = (behind.split_first_chunk(), self.first_header)
        else {
            return;
        };
        // At least the flags and the type of the first TLV.
        let known = moved.get(..header.len()).unwrap_or(moved);
        let is_moved = *before == BEFORE && known.len() >= 2 && header.starts_with(known);
        self.learnt.moved += u64::from(is_moved);
    }

    /// Reads the TLVs of the first reply to request `seq`.
    pub fn first(&mut self, chain: &ReplyChain<'_>, seq: u64) -> Observation {
        self.learnt.read_verified(chain, seq)
    }

    /// The first reply to request `seq`, which asks for several, came with this payload: others may follow.
    /// What was asked for counts, whatever the reply says that it was.
    pub fn begin_burst(
        &mut self,
        (seq, asked): (u64, Replies),
        told: &Observation,
        octets: usize,
        came: Came,
    ) {
        if told.replies.is_some() {
            let copies = &mut self.learnt.further_replies;
            self.bursts.begin(copies, (seq, asked), told, octets, came);
        }
    }

    /// Takes a further reply to request `seq` that was asked for. Whether it is one.
    pub fn take_further(&mut self, seq: u64, came: Came) -> bool {
        let copies = &mut self.learnt.further_replies;
        self.bursts.take(copies, seq, came)
    }

    /// For how long the departure of a reply is waited for.
    pub fn follow_up_wait(mean_interval: Duration) -> Duration {
        let [least, most] = FOLLOW_UP_WAIT;
        let replies = u32::try_from(FOLLOW_UP_REPLIES).unwrap_or(u32::MAX);
        mean_interval.saturating_mul(replies).clamp(least, most)
    }

    /// The sample of the reply with this number waits at a position. The position of one that waits no longer,
    /// if too many do.
    pub fn await_departure(&mut self, number: u32, position: u64) -> Option<u64> {
        self.awaited.push_back((number, position));
        if self.awaited.len() <= FOLLOW_UP_REPLIES {
            return None;
        }
        self.awaited.pop_front().map(|(_, position)| position)
    }

    /// The position of the waiting sample whose reply left as `told` reports. It waits no longer.
    pub fn departed(&mut self, told: FollowUp) -> Option<u64> {
        let mut awaited = self.awaited.iter();
        let at = awaited.position(|(number, _)| *number == told.number)?;
        self.awaited.remove(at).map(|(_, position)| position)
    }

    /// Corrects T3: the reply left when a later one, with times in `format`, says, if that is
    /// credible. By how much later that was (row ST-48).
    pub fn correct(
        &mut self,
        sample: &mut Sample,
        told: FollowUp,
        format: TimeFormat,
        tai_offset_s: i32,
    ) -> Option<Delta> {
        let t3 = sample.t3?;
        let left = told.at.read(format, t3, tai_offset_s);
        let later = left - t3;
        if later < Delta::ZERO - STAMP_ERROR || later > FOLLOW_UP_LATEST {
            return None;
        }
        sample.t3 = Some(left);
        self.learnt.corrections.record(later);
        Some(later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_behind_a_reply_are_no_moved_tlvs() {
        // What was captured of the TLVs of a request, and what follows the base packet of its reply.
        let tlv = [0x80, 2, 0, 0];
        let moved = [&[0; LIGHT_SHIFT][..], &tlv].concat();
        for (captured, behind, count) in [
            (&tlv[..], &moved[..], 1),
            (&tlv, &[0; 64], 0),
            (&tlv[..3], &moved, 0),
            (&[0; 3], &[0; 64], 0),
            (&[0; 40], &[0; 64], 0),
        ] {
            let marks = RequestMarks::of(&RequestChain::captured(captured));
            let mut reader = ReplyReader::new(marks);
            reader.note_moved(behind);
            assert_eq!(reader.learnt().moved, count, "{captured:?}");
        }
    }
}
