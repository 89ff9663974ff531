//! What a Session-Sender learns of replies beyond the first to a request (RFC 10052; rows SL-57,
//! SL-58).

use serde::{Deserialize, Serialize};
use twinpath_wire::Delta;

use super::exchange::Replies;
use super::learn::{FactValue, Facts};

/// Further replies, and why there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Copies {
    /// Those that the first replies to requests promise.
    pub expected: u64,
    /// Those that came.
    pub received: u64,
    /// From the departure of one to that of the next, where both came.
    pub departures: Gaps,
    /// Between their arrivals.
    pub arrivals: Gaps,
    /// Requests with one reply, because others would exceed the far end's MTU.
    pub over_mtu: u64,
    /// Requests with one reply, because of a limit of rate, volume or number.
    pub over_limit: u64,
}

/// Times from one reply to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// All of them, in nanoseconds.
    pub sum_ns: i64,
    /// The shortest.
    pub min_ns: i64,
    /// The longest.
    pub max_ns: i64,
}

impl Gaps {
    fn record(&mut self, gap: Delta) {
        let ns = gap.ns();
        let is_first = self.count == 0;
        self.min_ns = if is_first { ns } else { self.min_ns.min(ns) };
        self.max_ns = if is_first { ns } else { self.max_ns.max(ns) };
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }
}

impl Copies {
    /// The first reply to a request came, with this payload: how many others follow.
    pub fn first(&mut self, asked: Replies, is_unmet: bool, octets: usize) -> u16 {
        if !is_unmet {
            let follow = asked.count.saturating_sub(1);
            self.expected += u64::from(follow);
            return follow;
        }
        // Rounded, as the far end has to.
        if octets < asked.octets.next_multiple_of(4) {
            self.over_mtu += 1;
        } else {
            self.over_limit += 1;
        }
        0
    }

    /// Another came, and so long after the one before it left and arrived, where that came too.
    pub fn record(&mut self, gaps: Option<[Delta; 2]>) {
        self.received += 1;
        if let Some([departure, arrival]) = gaps {
            self.departures.record(departure);
            self.arrivals.record(arrival);
        }
    }

    /// For reports.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (key, count) in [("over_mtu", self.over_mtu), ("over_limit", self.over_limit)] {
            if count > 0 {
                facts.push((key, count.into()));
            }
        }
        if self.expected == 0 {
            return facts;
        }
        let lost = self.expected.saturating_sub(self.received);
        facts.push(("copies", self.received.into()));
        facts.push(("copies_lost", lost.into()));
        let keys = [
            [
                "departure_gap_min_ns",
                "departure_gap_mean_ns",
                "departure_gap_max_ns",
            ],
            [
                "arrival_gap_min_ns",
                "arrival_gap_mean_ns",
                "arrival_gap_max_ns",
            ],
        ];
        for (keys, gaps) in keys.into_iter().zip([self.departures, self.arrivals]) {
            let count = i64::try_from(gaps.count).unwrap_or(i64::MAX);
            let Some(mean_ns) = gaps.sum_ns.checked_div(count) else {
                continue;
            };
            let values = [gaps.min_ns, mean_ns, gaps.max_ns].map(FactValue::Number);
            facts.extend(keys.into_iter().zip(values));
        }
        facts
    }
}
