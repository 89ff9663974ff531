//! STAMP's TLVs in a capture: what requests ask for, and what replies teach, as their sender would have
//! known it. Without its keys no HMAC is verified.

use std::net::IpAddr;

use twinpath_proto::extension::{Learnt, Replies, ReplyTlvs, RequestChain};
use twinpath_wire::{Delta, Wall};

use super::super::layout::Reply;

/// Octets of a packet's TLVs that are looked at.
pub(super) const MOST: usize = 1_024;

/// What a request asks of its replies.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asks {
    /// It has TLVs.
    pub(super) has_tlvs: bool,
    /// No reply, or one to another address (RFC 9503).
    pub(super) awaits_none: bool,
    /// The other address, if it names one.
    pub(super) return_address: Option<IpAddr>,
    /// How many, if it says so (RFC 10052).
    replies: Option<Replies>,
}

impl Asks {
    /// Of a request from this address, by its TLVs as far as they were captured.
    pub(super) fn of(chain: &[u8], near: IpAddr) -> Self {
        if chain.is_empty() {
            return Self::default();
        }
        let chain = RequestChain::captured(chain.get(..MOST).unwrap_or(chain));
        Self {
            has_tlvs: true,
            awaits_none: chain.sends_replies_elsewhere(near),
            return_address: chain.return_address(),
            replies: chain.replies(),
        }
    }
}

/// A reply as it came: its own number and T3, as written, and its times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    written: (u32, u64),
    t3: Option<Wall>,
    t4: Wall,
}

impl Came {
    /// A reply that was captured at this time.
    pub(super) fn new(reply: &Reply, t4: Wall) -> Self {
        Self {
            written: (reply.reflector_seq, reply.t3),
            t3: reply.times(t4).t3,
            t4,
        }
    }
}

/// Further replies to a request that may still come, and the one that came last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Further {
    left: u16,
    last: Option<Came>,
}

impl Further {
    /// The first reply to request `seq` came, with these TLVs and so many octets. Its TLVs, for its record.
    pub(super) fn first(
        &mut self,
        (seq, asks): (u64, Asks),
        learnt: &mut Learnt,
        chain: &[u8],
        octets: usize,
        came: Came,
    ) -> Option<Box<ReplyTlvs>> {
        let told = learnt.read(chain, came.written.0.to_be_bytes(), seq, None);
        if let Some(asked) = asks.replies.filter(|_| told.replies.is_some()) {
            self.left = learnt.further_replies.first(asked, told.is_unmet, octets);
        }
        self.last = Some(came);
        ReplyTlvs::of(seq, chain).map(Box::new)
    }

    /// Another reply came: whether it is one that was asked for, and no copy of one before.
    pub(super) fn takes(&mut self, learnt: &mut Learnt, came: Came) -> bool {
        if self.left == 0 || self.last.is_some_and(|last| last.written == came.written) {
            return false;
        }
        self.left -= 1;
        let before = self
            .last
            .replace(came)
            .filter(|last| came.written.0.wrapping_sub(last.written.0) <= 1 && last.t3 < came.t3);
        let gaps: Option<[Delta; 2]> =
            before.and_then(|last| Some([came.t3? - last.t3?, came.t4 - last.t4]));
        learnt.further_replies.record(gaps);
        true
    }
}
