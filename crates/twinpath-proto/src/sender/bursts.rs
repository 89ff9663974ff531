//! Replies beyond the first to a request, where Reflected Test Packet Control asks for them (RFC 10052;
//! row SL-57): told from copies that the network made, and measured by themselves.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Arrival, Reply, Wall};

use super::engine::SessionSender;
use crate::extension::{Observation, ReplyChain};

/// Requests whose further replies are awaited at once.
const REQUESTS: usize = 64;
/// The last replies to each, which a copy made by the network may be of.
const REPLIES: usize = 16;

/// Requests whose further replies are awaited, the latest last.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    recent: VecDeque<Burst>,
}

#[derive(Debug)]
struct Burst {
    seq: u64,
    /// How many may still come.
    left: u16,
    interval: Duration,
    /// Those that came last.
    came: VecDeque<Came>,
}

/// A reply that came.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// Its own number and T3, as written. No other reply to the request has both: a reflector without
    /// state gives all of them one number.
    written: (u32, u64),
    t3: Option<Wall>,
    t4: Wall,
}

impl Came {
    fn new(reply: &Reply, t3: Option<Wall>, arrival: &Arrival) -> Self {
        Self {
            written: (reply.head.seq.get(), reply.head.t3.bits()),
            t3,
            t4: arrival.at.at,
        }
    }

    /// Whether `next` left after it, with none between them.
    fn is_before(&self, next: &Self) -> bool {
        next.written.0.wrapping_sub(self.written.0) <= 1 && self.t3 < next.t3
    }
}

impl Bursts {
    /// For how long replies to the latest request may still leave.
    pub(super) fn remaining(&self) -> Duration {
        let latest = self.recent.back();
        latest.map_or(Duration::ZERO, |burst| burst.interval * burst.left.into())
    }
}

impl SessionSender {
    /// The first reply to request `seq` came: others may follow.
    pub(super) fn begin_burst(
        &mut self,
        seq: u64,
        told: &Observation,
        reply: &Reply,
        octets: usize,
        t3: Option<Wall>,
        arrival: &Arrival,
    ) {
        let Some(tlvs) = &mut self.tlvs else {
            return;
        };
        // What was asked for, whatever the reply says that it was.
        let Some(asked) = tlvs.asked_replies().filter(|_| told.replies.is_some()) else {
            return;
        };
        let left = tlvs
            .learnt
            .further_replies
            .first(asked, told.is_unmet, octets);
        if left == 0 {
            return;
        }
        let recent = &mut tlvs.bursts.recent;
        if recent.len() == REQUESTS {
            recent.pop_front();
        }
        recent.push_back(Burst {
            seq,
            left,
            interval: Duration::from_nanos(asked.interval_ns.into()),
            came: VecDeque::from([Came::new(reply, t3, arrival)]),
        });
    }

    /// Takes a further reply to request `seq` that was asked for. Whether it is one.
    pub(super) fn take_copy(
        &mut self,
        seq: u64,
        reply: &Reply,
        chain: Option<&ReplyChain<'_>>,
        arrival: &Arrival,
    ) -> bool {
        let t3 = self.far_times(reply, arrival.at.at).t3;
        let came = Came::new(reply, t3, arrival);
        let Some(tlvs) = &mut self.tlvs else {
            return false;
        };
        let mut recent = tlvs.bursts.recent.iter_mut();
        let Some(burst) = recent.find(|burst| burst.seq == seq && burst.left > 0) else {
            return false;
        };
        let mut before = burst.came.iter();
        if before.any(|before| before.written == came.written) {
            return false;
        }
        burst.left -= 1;
        let before = burst.came.back().filter(|before| before.is_before(&came));
        let gaps = before.and_then(|before| Some([came.t3? - before.t3?, came.t4 - before.t4]));
        if burst.came.len() == REPLIES {
            burst.came.pop_front();
        }
        burst.came.push_back(came);
        tlvs.learnt.further_replies.record(gaps);
        if let Some(told) = chain.and_then(|chain| chain.observe().follow_up) {
            self.follow_up(told, reply);
        }
        true
    }
}
