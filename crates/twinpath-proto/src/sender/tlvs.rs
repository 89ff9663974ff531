//! TLVs of a session: what its requests ask for, and what its replies teach (RFC 8972 section 4).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use twinpath_wire::{
    Arrival, Mono, Reply, StampReflector, StampReflectorAuthenticated, TlvType, Wall,
};

use super::engine::SessionSender;
use super::retransmission::ReportTimer;
use crate::extension::{
    Came, Discarded, FollowUp, Learnt, Observation, Replies, ReplyChain, ReplyReader, ReplyTlvs,
    RequestChain, RequestFacts, RequestMarks, destination_node,
};
use crate::stamp::StampKey;

/// Replies whose TLVs wait for their samples at most: as many as samples wait.
const MOST_RECORDS: usize = 2 * 8_192;

/// What a session with TLVs has beside others.
#[derive(Debug)]
pub(super) struct SessionTlvs {
    chain: RequestChain,
    pub(super) key: Option<StampKey>,
    pub(super) reader: ReplyReader,
    /// The node that requests name, which replies may come from (row SL-18).
    node: Option<IpAddr>,
    pub(super) report: Option<ReportTimer>,
    /// The TLVs of the replies whose samples were not polled yet, in their order.
    records: VecDeque<ReplyTlvs>,
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
        Self {
            reader: ReplyReader::new(RequestMarks::of(&chain)),
            node: chain
                .value(TlvType::DESTINATION_NODE_ADDRESS)
                .and_then(destination_node::address),
            report: chain.retransmission().map(ReportTimer::new),
            chain,
            key,
            records: VecDeque::new(),
        }
    }

    /// Writes the chain of a request behind its base packet, and returns what is left of it.
    pub(super) fn write<'a>(&self, seq: u32, behind: &'a mut [u8], sent: u32) -> &'a mut [u8] {
        let facts = RequestFacts {
            sent,
            reflector_micro_session: self.reader.micro_session().and_then(|ids| ids.reflector),
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

    /// The replies that each request asks for.
    pub(super) fn asked_replies(&self) -> Option<Replies> {
        self.chain.replies()
    }

    /// Whether replies may have another length than their requests.
    pub(super) fn resizes_replies(&self) -> bool {
        self.chain.value(TlvType::REFLECTED_CONTROL).is_some()
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
        let is_read = tlvs.reader.micro_session().is_some() || tlvs.asked_replies().is_some();
        is_read.then(|| self.reply_chain(reply, octets))?
    }

    /// Whether a reply has the IDs of this micro-session, if it is one (rows SL-40, SL-41). Counts it if not: one
    /// whose HMAC is wrong proves no IDs, and is not another micro-session's.
    pub(super) fn is_of_micro_session(&mut self, chain: Option<&ReplyChain<'_>>) -> bool {
        let (Some(tlvs), Some(chain)) = (&mut self.tlvs, chain) else {
            return true;
        };
        let checked = tlvs.reader.check_micro_session(chain);
        let is_other = checked == Err(Discarded::OtherMicroSession);
        self.counters.anomalies.micro_session += u64::from(is_other);
        checked.is_ok()
    }

    /// Whether octets that are no reply to this session are one to the session of another member link,
    /// by the Sender Micro-session ID (row SL-40).
    pub(super) fn is_of_other_micro_session(&self, octets: &[u8]) -> bool {
        let tlvs = self.tlvs.as_ref();
        let own = |tlvs: &SessionTlvs| Some(tlvs.reader.micro_session()?.sender);
        let Some((own, tlvs)) = tlvs.and_then(|tlvs| Some((own(tlvs)?, tlvs))) else {
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
            tlvs.reader.learnt.retransmitted += 1;
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
        self.tlvs.as_ref().map(|tlvs| tlvs.reader.learnt())
    }

    /// Reads the TLVs of a first reply; `None`: it is not for this micro-session, and is not measured.
    pub(super) fn read_tlvs(&mut self, seq: u64, reply: &Reply, octets: &[u8]) -> Option<Taught> {
        let Some(chain) = self.reply_chain(reply, octets) else {
            return Some(Taught::default());
        };
        let is_of_micro_session = self.is_of_micro_session(Some(&chain));
        let is_secured = self.guard.is_secured();
        let tlvs = self.tlvs.as_mut()?;
        if !is_secured {
            let behind = octets.get(StampReflector::OCTETS..);
            tlvs.reader.note_moved(behind.unwrap_or_default());
        }
        // A reply that is discarded teaches nothing.
        if !is_of_micro_session {
            return None;
        }
        let observation = tlvs.reader.first(&chain, seq);
        if let Some(report) = &mut tlvs.report
            && tlvs.reader.learnt.returned(TlvType::ACCESS_REPORT) > 0
        {
            report.end();
        }
        tlvs.record(ReplyTlvs::of(seq, &chain));
        Some(Taught {
            observation,
            awaits_follow_up: observation.tells_departures,
        })
    }

    /// The first reply to request `seq` came: others may follow.
    pub(super) fn begin_burst(&mut self, seq: u64, told: &Observation, octets: usize, came: Came) {
        let Some(tlvs) = &mut self.tlvs else { return };
        if let Some(asked) = tlvs.asked_replies() {
            tlvs.reader.begin_burst((seq, asked), told, octets, came);
        }
    }

    /// Takes a further reply to request `seq` that was asked for. Whether it is one.
    pub(super) fn take_copy(
        &mut self,
        seq: u64,
        reply: &Reply,
        chain: Option<&ReplyChain<'_>>,
        arrival: &Arrival,
    ) -> bool {
        let came = came(reply, self.far_times(reply, arrival.at.at).t3, arrival);
        let Some(tlvs) = &mut self.tlvs else {
            return false;
        };
        if !tlvs.reader.take_further(seq, came) {
            return false;
        }
        if let Some(told) = chain.and_then(|chain| chain.observe().follow_up) {
            self.follow_up(told, reply);
        }
        true
    }

    /// Until when the departure of a reply is waited for.
    pub(super) fn follow_up_until(&self, now: Mono) -> Mono {
        now + ReplyReader::follow_up_wait(self.config.schedule.mean_interval())
    }

    /// The sample of the reply with this number waits at a position of the outbox.
    pub(super) fn await_follow_up(&mut self, number: u32, position: u64) {
        let Some(tlvs) = &mut self.tlvs else { return };
        if let Some(position) = tlvs.reader.await_departure(number, position) {
            self.end_follow_up(position);
        }
    }

    /// Corrects T3 of an earlier reply: it left when its successor says.
    pub(super) fn follow_up(&mut self, told: FollowUp, reply: &Reply) {
        let Some(tlvs) = &mut self.tlvs else { return };
        let Some(position) = tlvs.reader.departed(told) else {
            return;
        };
        if let Some(pending) = self.outbox.get_mut(position) {
            let (sample, offset_s) = (&mut pending.item, self.config.tai_offset_s);
            let format = reply.head.error.format();
            let corrected = tlvs.reader.correct(sample, told, format, offset_s);
            let mut records = tlvs.records.iter_mut();
            if let Some(later) = corrected
                && let Some(record) = records.find(|record| record.seq == sample.seq)
            {
                record.correction = Some(later);
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

/// A reply as it came, with its T3.
pub(super) fn came(reply: &Reply, t3: Option<Wall>, arrival: &Arrival) -> Came {
    Came {
        written: (reply.head.seq.get(), reply.head.t3.bits()),
        t3,
        t4: arrival.at.at,
    }
}
