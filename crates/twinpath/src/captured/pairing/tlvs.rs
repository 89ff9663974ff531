//! STAMP's TLVs in a capture: what requests ask for, and what replies teach, as their sender would have
//! known it.

use std::net::IpAddr;

use twinpath_proto::extension::{
    Came, Discarded, Observation, Replies, ReplyChain, ReplyReader, ReplyTlvs, RequestChain,
    RequestMarks,
};
use twinpath_wire::Wall;

use super::super::layout::Reply;
use super::seen::{AsReply, Seen};
use super::{Flight, Session};

/// Octets of a packet's TLVs that are looked at.
pub(super) const MOST: usize = 1_024;

/// What a request asks of its replies.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::captured) struct Asks {
    /// It has TLVs.
    pub(in crate::captured) has_tlvs: bool,
    /// No reply, or one to another address (RFC 9503).
    pub(in crate::captured) awaits_none: bool,
    /// The other address, if it names one.
    pub(in crate::captured) return_address: Option<IpAddr>,
    /// How many, if it says so (RFC 10052).
    pub(in crate::captured) replies: Option<Replies>,
    pub(in crate::captured) marks: RequestMarks,
}

impl Asks {
    /// Of a request from this address, by its TLVs as far as they were captured.
    pub(super) fn of(chain: &[u8], near: IpAddr) -> Self {
        if chain.is_empty() {
            return Self::default();
        }
        let chain = RequestChain::captured(chain);
        Self {
            has_tlvs: true,
            awaits_none: chain.sends_replies_elsewhere(near),
            return_address: chain.return_address(),
            replies: chain.replies(),
            marks: RequestMarks::of(&chain),
        }
    }

    /// Its Sender Micro-session ID (RFC 9534); 0: none.
    pub(super) fn micro_session(&self) -> u16 {
        self.marks.micro_session.map_or(0, |ids| ids.sender)
    }
}

/// A reply that was captured at this time.
pub(super) fn came(reply: &Reply, t4: Wall) -> Came {
    Came {
        written: (reply.reflector_seq, reply.t3),
        t3: reply.times(t4).t3,
        t4,
    }
}

/// What the TLVs of a reply mean for its sample.
#[derive(Debug, Default)]
pub(super) struct Taught {
    pub(super) observation: Observation,
    /// For its record.
    pub(super) tlvs: Option<Box<ReplyTlvs>>,
    /// It is one of several replies that were asked for, and not the first: it has no sample.
    pub(super) is_further: bool,
}

impl Session {
    /// Whether the sender would have measured a reply; it is counted where not. `again`: it is not the first
    /// to its request.
    pub(super) fn accepts(
        &mut self,
        seen: &Seen,
        reply: &AsReply,
        chain: &ReplyChain<'_>,
        again: bool,
    ) -> bool {
        let ssid = self.run.ssid();
        let anomalies = &mut self.anomalies;
        if self.uses_key && seen.hmacs.base == Some(false) {
            anomalies.forged += 1;
            return false;
        }
        if !again && ![0, ssid].contains(&reply.ssid) && ssid != 0 {
            anomalies.other_ssid += 1;
            return false;
        }
        let reader = self.reader.as_mut();
        let checked = reader.map_or(Ok(()), |reader| reader.check_micro_session(chain));
        anomalies.micro_session += u64::from(checked == Err(Discarded::OtherMicroSession));
        checked.is_ok()
    }

    /// The TLVs of a reply, verified if there is a key for the session. Those of a reply without its SSID are
    /// padding.
    pub(super) fn chain<'a>(&self, seen: &'a Seen, reply: &AsReply, asks: &Asks) -> ReplyChain<'a> {
        let is_read = asks.has_tlvs && reply.ssid == self.run.ssid();
        let chain = if is_read { &*seen.tlvs } else { &[] };
        let verdict = seen.hmacs.reply;
        match verdict.filter(|_| self.uses_key && self.is_signed) {
            Some(verdict) => ReplyChain::judged(chain, verdict),
            None => ReplyChain::verified(chain, reply.reply.reflector_seq.to_be_bytes(), None),
        }
    }

    /// Reads the TLVs of a reply to request `seq`. `is_new`: it is no copy of one before.
    pub(super) fn read(
        &mut self,
        (seq, flight): (u64, &Flight),
        seen: &Seen,
        reply: &AsReply,
        chain: &ReplyChain<'_>,
        is_new: bool,
    ) -> Taught {
        let Some(reader) = self.reader.as_mut().filter(|_| flight.asks.has_tlvs) else {
            return Taught::default();
        };
        let came = came(&reply.reply, seen.sighting.at);
        if flight.answered {
            let is_further = is_new && reader.take_further(seq, came);
            return Taught {
                observation: if is_further {
                    chain.observe()
                } else {
                    Observation::default()
                },
                tlvs: None,
                is_further,
            };
        }
        if !self.run.layout().is_authenticated() {
            reader.note_moved(&seen.tlvs);
        }
        let observation = reader.first(chain, seq);
        if let Some(asked) = flight.asks.replies {
            let octets = seen.sighting.octets;
            reader.begin_burst((seq, asked), &observation, octets, came);
        }
        Taught {
            observation,
            tlvs: ReplyTlvs::of(seq, chain).map(Box::new),
            is_further: false,
        }
    }

    /// The reader of its replies, from its first request with TLVs on.
    pub(super) fn reads(&mut self, asks: &Asks) {
        if asks.has_tlvs {
            self.reader
                .get_or_insert_with(|| Box::new(ReplyReader::new(asks.marks)));
        }
    }
}
