//! Loss by direction over a whole trace, with sets, by the formula of row M-26.

use std::collections::{BTreeMap, BTreeSet};

/// A trace at its end: replies with both numbers in full, and the packets without a reply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// In order of arrival, first copies and further ones.
    pub(crate) replies: Vec<(u64, i64)>,
    pub(crate) lost: BTreeSet<u64>,
    /// First replies that came after the timeout.
    pub(crate) late: u64,
    pub(crate) first: u64,
}

/// (forward, backward, unattributed, exact).
pub(crate) fn attribute(trace: &Trace) -> (u64, u64, u64, bool) {
    let total = u64::try_from(trace.lost.len()).unwrap() + trace.late;
    let Some(&(s_first, r_first)) = trace.replies.first() else {
        return (0, 0, total, true);
    };
    let distinct: BTreeSet<i64> = trace.replies.iter().map(|(_, r)| *r).collect();
    let mut per_packet: BTreeMap<u64, BTreeSet<i64>> = BTreeMap::new();
    for (s, r) in &trace.replies {
        per_packet.entry(*s).or_default().insert(*r);
    }
    let copies: i64 = per_packet
        .values()
        .map(|rs| i64::try_from(rs.len()).unwrap() - 1)
        .sum();
    let s_hi = *per_packet.keys().next_back().unwrap();
    let r_hi = *distinct.iter().next_back().unwrap();

    let mut s_0 = i64::try_from(trace.first).unwrap();
    let mut r_0 = 0;
    let sent_if_zero = i64::try_from(s_hi).unwrap() - s_0 + 1;
    let lead = r_first - i64::try_from(s_first).unwrap();
    if *distinct.first().unwrap() < 0 || s_0 > 16 || lead > 16 || r_hi + 1 - copies > sent_if_zero {
        s_0 = i64::try_from(*per_packet.keys().next().unwrap()).unwrap();
        r_0 = *distinct.iter().next().unwrap();
    }
    let sent = i64::try_from(s_hi).unwrap() - s_0 + 1;
    let reflected = r_hi - r_0 + 1;
    let within = trace.lost.range(u64::try_from(s_0).unwrap()..=s_hi).count();
    let within = u64::try_from(within).unwrap();

    let missing = u64::try_from(reflected - i64::try_from(distinct.len()).unwrap()).unwrap();
    let forward = sent - (reflected - copies);
    let exact = forward >= 0 && (copies == 0 || missing == 0);
    let forward = u64::try_from(forward.max(0)).unwrap();
    let backward = missing.min(within);
    (forward, backward, total - forward - backward, exact)
}
