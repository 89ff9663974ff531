//! TLVs of a session: what its requests ask for, and what its replies teach (RFC 8972 section 4).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::{
    Delta, Mono, ReflectorOpen, Reply, SenderOpen, StampReflector, StampReflectorAuthenticated,
    TlvType,
};

use super::bursts::Bursts;
use super::engine::SessionSender;
use super::fate::STAMP_ERROR;
use super::retransmission::ReportTimer;
use crate::extension::{
    FollowUp, Learnt, Observation, Replies, ReplyChain, ReplyTlvs, RequestChain, RequestFacts,
    destination_node,
};
use crate::stamp::StampKey;

/// Replies after which the departure of an earlier one is no longer waited for (row ST-48).
const FOLLOW_UP_REPLIES: usize = 16;
/// It may be so much later than T3.
const FOLLOW_UP_LATEST: Delta = Delta::from_ns(1_000_000_000);
/// How much longer the header of a TWAMP Light reply is than that of a request.
const LIGHT_SHIFT: usize = ReflectorOpen::OCTETS - SenderOpen::OCTETS;
/// Replies whose TLVs wait for their samples at most: as many as samples wait.
const MOST_RECORDS: usize = 2 * 8_192;
/// Bounds of the wait for it.
const FOLLOW_UP_WAIT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// What a session with TLVs has beside others.
#[derive(Debug)]
pub(super) struct SessionTlvs {
    chain: RequestChain,
    pub(super) key: Option<StampKey>,
    pub(super) learnt: Learnt,
    pub(super) bursts: Bursts,
    /// The Micro-session ID of this end; the other one's, once it is known.
    micro_session: Option<u16>,
    reflector_micro_session: Option<u16>,
    /// The node that requests name, which replies may come from (row SL-18).
    node: Option<IpAddr>,
    pub(super) report: Option<ReportTimer>,
    /// The TLVs of the replies whose samples were not polled yet, in their order.
    records: VecDeque<ReplyTlvs>,
    /// Replies whose departure may still be told: their own numbers, and where their samples wait.
    awaited: VecDeque<(u32, u64)>,
}

/// What the TLVs of a reply mean for its sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taught {
    pub(super) observation: Observation,
    /// Its departure may be told by the next reply.
    pub(super) awaits_follow_up: bool,
}

impl SessionTlvs {
    pub(super) fn new(chain: RequestChain, key: Option<StampKey>) -> Self {
        let ids = chain.value(TlvType::MICRO_SESSION_ID);
        let id = |at: usize| {
            let octets = ids?.get(at..)?.first_chunk()?;
            Some(u16::from_be_bytes(*octets)).filter(|id| *id != 0)
        };
        Self {
            micro_session: id(0),
            reflector_micro_session: id(2),
            node: chain
                .value(TlvType::DESTINATION_NODE_ADDRESS)
                .and_then(destination_node::address),
            report: chain.retransmission().map(ReportTimer::new),
            chain,
            key,
            learnt: Learnt::default(),
            bursts: Bursts::default(),
            records: VecDeque::new(),
            awaited: VecDeque::new(),
        }
    }

    /// Writes the chain of a request behind its base packet, and returns what is left of it.
    pub(super) fn write<'a>(&self, seq: u32, behind: &'a mut [u8], sent: u32) -> &'a mut [u8] {
        let facts = RequestFacts {
            sent,
            reflector_micro_session: self.reflector_micro_session,
        };
        self.chain.write(seq, behind, &facts, self.key.as_ref())
    }

    /// Keeps the TLVs of a reply until its sample is polled.
    fn record(&mut self, reply: Option<ReplyTlvs>) {
        self.records.extend(reply);
        if self.records.len() > MOST_RECORDS {
            self.records.pop_front();
        }
    }

    /// Whether a reply has the request's TLVs where TWAMP Light puts what is behind the first 14 octets of
    /// a request: behind its own header, which is longer (row ST-54).
    fn are_moved(&self, reply: &[u8]) -> bool {
        const BEFORE: [u8; LIGHT_SHIFT] = [0; LIGHT_SHIFT];
        let Some((before, moved)) = reply
            .get(StampReflector::OCTETS..)
            .and_then(|behind| behind.split_first_chunk())
        else {
            return false;
        };
        // At least the flags and the type of the first TLV.
        let header = self.chain.first_header();
        let known = moved.get(..header.len()).unwrap_or(moved);
        *before == BEFORE && known.len() >= 2 && header.starts_with(known)
    }

    /// The replies that each request asks for.
    pub(super) fn asked_replies(&self) -> Option<Replies> {
        self.chain.replies()
    }

    /// Whether replies may have another length than their requests.
    pub(super) fn resizes_replies(&self) -> bool {
        self.chain.value(TlvType::REFLECTED_CONTROL).is_some()
    }

    /// Whether a reply belongs to this micro-session (RFC 9534 section 3.2; rows SL-40 to SL-43).
    /// The far end's ID is learnt from the first one.
    fn is_of_micro_session(&mut self, ids: Option<[u16; 2]>) -> bool {
        let Some(own) = self.micro_session else {
            return true;
        };
        let Some([sender, reflector]) = ids else {
            return false;
        };
        if sender != own || reflector == 0 {
            return false;
        }
        *self.reflector_micro_session.get_or_insert(reflector) == reflector
    }
}

impl SessionSender {
    /// Asks with these TLVs in each request; the key is that of HMAC TLVs.
    #[must_use]
    pub fn asking(mut self, chain: RequestChain, key: Option<StampKey>) -> Self {
        self.tlvs = (chain.octets() > 0).then(|| Box::new(SessionTlvs::new(chain, key)));
        self
    }

    /// Where the TLVs of a reply begin.
    pub(super) fn tlvs_at(&self) -> usize {
        if self.guard.is_secured() {
            StampReflectorAuthenticated::OCTETS
        } else {
            StampReflector::OCTETS
        }
    }

    /// The TLVs of a reply to this session, verified; `None`: it has none that could teach anything.
    pub(super) fn reply_chain<'a>(
        &self,
        reply: &Reply,
        octets: &'a [u8],
    ) -> Option<ReplyChain<'a>> {
        let tlvs = self.tlvs.as_ref()?;
        // A reflector that does not know SSIDs does not know TLVs: what is there is padding.
        let ssid = self.config.wire.format.ssid().unwrap_or(0);
        let chain = octets.get(self.tlvs_at()..);
        let chain = chain.filter(|_| reply.head.ssid.get() == ssid);
        let number = reply.head.seq.get().to_be_bytes();
        Some(ReplyChain::verified(
            chain.unwrap_or_default(),
            number,
            tlvs.key.as_ref(),
        ))
    }

    /// As [`Self::reply_chain`], of a reply that is not the first to its request.
    pub(super) fn copy_chain<'a>(&self, reply: &Reply, octets: &'a [u8]) -> Option<ReplyChain<'a>> {
        let tlvs = self.tlvs.as_ref()?;
        let is_read = tlvs.micro_session.is_some() || tlvs.asked_replies().is_some();
        is_read.then(|| self.reply_chain(reply, octets))?
    }

    /// Whether a reply has the IDs of this micro-session, if it is one (rows SL-40, SL-41). Counts it if not: one
    /// whose HMAC is wrong proves no IDs, and is not another micro-session's.
    pub(super) fn is_of_micro_session(&mut self, chain: Option<&ReplyChain<'_>>) -> bool {
        let tlvs = self.tlvs.as_mut().filter(|it| it.micro_session.is_some());
        let (Some(tlvs), Some(chain)) = (tlvs, chain) else {
            return true;
        };
        if let Some(fault) = chain.fault() {
            tlvs.learnt.count_unverified(fault);
            return false;
        }
        let is_own = tlvs.is_of_micro_session(chain.observe().micro_session);
        self.counters.anomalies.micro_session += u64::from(!is_own);
        is_own
    }

    /// Whether octets that are no reply to this session are one to the session of another member link,
    /// by the Sender Micro-session ID (row SL-40).
    pub(super) fn is_of_other_micro_session(&self, octets: &[u8]) -> bool {
        let tlvs = self.tlvs.as_ref();
        let Some((own, tlvs)) = tlvs.and_then(|tlvs| Some((tlvs.micro_session?, tlvs))) else {
            return false;
        };
        let chain = octets.get(self.tlvs_at()..).unwrap_or_default();
        let number = octets.first_chunk().copied().unwrap_or_default();
        let told = ReplyChain::verified(chain, number, tlvs.key.as_ref()).observe();
        told.micro_session.is_some_and(|[sender, _]| sender != own)
    }

    /// Where replies may come from: the far end, and the node that requests name (RFC 9503 section 3).
    pub fn far_ends(&self) -> impl Iterator<Item = SocketAddr> {
        let far = self.config.far;
        let node = self.tlvs.as_ref().and_then(|tlvs| tlvs.node);
        let node = node.map(|node| SocketAddr::new(node, far.port()));
        std::iter::once(far).chain(node)
    }

    /// The timer of the Access Report, where replies come.
    pub(super) fn report_timer(&mut self) -> Option<&mut ReportTimer> {
        let tlvs = self.tlvs.as_mut().filter(|_| !self.awaits_none)?;
        tlvs.report.as_mut()
    }

    /// When a packet is sent next, whether it is scheduled or sent again.
    pub(super) fn next_departure(&self) -> Option<Mono> {
        let report = self.tlvs.as_ref().and_then(|tlvs| tlvs.report.as_ref());
        let again = report.and_then(ReportTimer::due);
        self.slots.next_due().into_iter().chain(again).min()
    }

    /// If a packet is due because no reply had the Access Report, when it was.
    pub(super) fn take_retransmission(&mut self, now: Mono) -> Option<Mono> {
        let due = self.report_timer()?.take(now)?;
        if let Some(tlvs) = &mut self.tlvs {
            tlvs.learnt.retransmitted += 1;
        }
        Some(due)
    }

    /// The TLVs of the reply to request `seq`, whose sample was polled last.
    pub fn take_reply_tlvs(&mut self, seq: u64) -> Option<ReplyTlvs> {
        let records = &mut self.tlvs.as_mut()?.records;
        let at = records.iter().position(|reply| reply.seq == seq)?;
        // Those before it were polled and not taken.
        records.drain(..=at).next_back()
    }

    /// What the TLVs of replies have taught; `None`: none was asked for.
    pub fn learnt(&self) -> Option<&Learnt> {
        self.tlvs.as_ref().map(|tlvs| &tlvs.learnt)
    }

    /// Reads the TLVs of a first reply; `None`: it is not for this micro-session, and is not measured.
    pub(super) fn read_tlvs(&mut self, seq: u64, reply: &Reply, octets: &[u8]) -> Option<Taught> {
        let Some(chain) = self.reply_chain(reply, octets) else {
            return Some(Taught::default());
        };
        let is_of_micro_session = self.is_of_micro_session(Some(&chain));
        let is_secured = self.guard.is_secured();
        let tlvs = self.tlvs.as_mut()?;
        tlvs.learnt.moved += u64::from(!is_secured && tlvs.are_moved(octets));
        // A reply that is discarded teaches nothing.
        if !is_of_micro_session {
            return None;
        }
        let observation = tlvs.learnt.read_verified(&chain, seq);
        if let Some(report) = &mut tlvs.report
            && tlvs.learnt.returned(TlvType::ACCESS_REPORT) > 0
        {
            report.end();
        }
        if chain.fault().is_none() {
            tlvs.record(ReplyTlvs::of(seq, chain.octets()));
        }
        Some(Taught {
            observation,
            awaits_follow_up: observation.tells_departures,
        })
    }

    /// Until when the departure of a reply is waited for.
    pub(super) fn follow_up_until(&self, now: Mono) -> Mono {
        let [least, most] = FOLLOW_UP_WAIT;
        let mean = self.config.schedule.mean_interval();
        let replies = u32::try_from(FOLLOW_UP_REPLIES).unwrap_or(u32::MAX);
        now + mean.saturating_mul(replies).clamp(least, most)
    }

    /// The sample of the reply with this number waits at a position of the outbox.
    pub(super) fn await_follow_up(&mut self, number: u32, position: u64) {
        let Some(tlvs) = &mut self.tlvs else { return };
        tlvs.awaited.push_back((number, position));
        if tlvs.awaited.len() > FOLLOW_UP_REPLIES
            && let Some((_, position)) = tlvs.awaited.pop_front()
        {
            self.end_follow_up(position);
        }
    }

    /// Corrects T3 of an earlier reply: it left when its successor says.
    pub(super) fn follow_up(&mut self, told: FollowUp, reply: &Reply) {
        let Some(tlvs) = &mut self.tlvs else { return };
        let known = tlvs.awaited.iter();
        let Some(at) = known.clone().position(|(number, _)| *number == told.number) else {
            return;
        };
        let Some((_, position)) = tlvs.awaited.remove(at) else {
            return;
        };
        if let Some(pending) = self.outbox.get_mut(position)
            && let Some(t3) = pending.sample.t3
        {
            let format = reply.head.error.format();
            let left = told.at.read(format, t3, self.config.tai_offset_s);
            let later = left - t3;
            if later >= Delta::ZERO - STAMP_ERROR && later <= FOLLOW_UP_LATEST {
                pending.sample.t3 = Some(left);
                tlvs.learnt.corrections.record(later);
                let seq = pending.sample.seq;
                let mut records = tlvs.records.iter_mut();
                if let Some(reply) = records.find(|reply| reply.seq == seq) {
                    reply.correction = Some(later);
                }
            }
        }
        self.end_follow_up(position);
    }

    /// The sample at this position does not wait for a departure any more.
    fn end_follow_up(&mut self, position: u64) {
        let Some(wait) = self
            .outbox
            .get_mut(position)
            .and_then(|pending| pending.wait.as_mut())
        else {
            return;
        };
        wait.follow_up_until = None;
        if wait.has_t1 {
            self.decide_waiting(position);
        }
    }
}
