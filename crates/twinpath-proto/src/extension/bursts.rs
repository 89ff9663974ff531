//! Replies beyond the first to a request, where Reflected Test Packet Control asks for them (RFC 10052;
//! row SL-57): told from copies that the network made.

use std::collections::VecDeque;
use std::time::Duration;

use twinpath_wire::{Delta, Wall};

use super::{Copies, Observation, Replies};

/// Requests whose further replies are awaited at once.
const REQUESTS: usize = 64;
/// The last replies to each, which a copy made by the network may be of.
const REPLIES: usize = 16;

/// Requests whose further replies are awaited, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
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
pub struct Came {
    /// Its own number and T3, as written. No other reply to the request has both: a reflector without
    /// state gives all of them one number.
    pub written: (u32, u64),
    /// T3; `None`: it has none.
    pub t3: Option<Wall>,
    /// When it arrived.
    pub t4: Wall,
}

impl Came {
    /// Whether `next` left after it, with none between them.
    fn is_before(&self, next: &Self) -> bool {
        next.written.0.wrapping_sub(self.written.0) <= 1 && self.t3 < next.t3
    }
}

impl Bursts {
    /// For how long replies to the latest request may still leave.
    pub(crate) fn remaining(&self) -> Duration {
        let latest = self.recent.back();
        latest.map_or(Duration::ZERO, |burst| burst.interval * burst.left.into())
    }

    /// The first reply to request `seq` came, with this payload: others may follow.
    pub(super) fn begin(
        &mut self,
        copies: &mut Copies,
        (seq, asked): (u64, Replies),
        told: &Observation,
        octets: usize,
        came: Came,
    ) {
        let left = copies.first(asked, told.is_unmet, octets);
        if left == 0 {
            return;
        }
        if self.recent.len() == REQUESTS {
            self.recent.pop_front();
        }
        self.recent.push_back(Burst {
            seq,
            left,
            interval: Duration::from_nanos(asked.interval_ns.into()),
            came: VecDeque::from([came]),
        });
    }

    /// Takes a further reply to request `seq` that was asked for. Whether it is one.
    pub(super) fn take(&mut self, copies: &mut Copies, seq: u64, came: Came) -> bool {
        let mut recent = self.recent.iter_mut();
        let Some(burst) = recent.find(|burst| burst.seq == seq && burst.left > 0) else {
            return false;
        };
        let mut before = burst.came.iter();
        if before.any(|before| before.written == came.written) {
            return false;
        }
        burst.left -= 1;
        let before = burst.came.back().filter(|before| before.is_before(&came));
        let gaps: Option<[Delta; 2]> =
            before.and_then(|before| Some([came.t3? - before.t3?, came.t4 - before.t4]));
        if burst.came.len() == REPLIES {
            burst.came.pop_front();
        }
        burst.came.push_back(came);
        copies.record(gaps);
        true
    }
}
