//! Loss periods, duplicates, TTL changes and availability over whole traces.

use std::collections::{BTreeMap, BTreeSet};

/// RFC 3357 over the fates of all packets that were sent, in their order: true for lost.
#[derive(Debug, PartialEq)]
pub(crate) struct LossRuns {
    /// Loss distances (section 5.4.1): 0 for the first.
    pub(crate) distances: Vec<u64>,
    /// Lengths of the loss periods (section 6.3).
    pub(crate) lengths: Vec<u64>,
    /// Inter-loss-period lengths (section 6.4): 0 for the first.
    pub(crate) inter_lengths: Vec<u64>,
}

pub(crate) fn loss_runs(lost: &[bool]) -> LossRuns {
    let mut runs = LossRuns {
        distances: vec![],
        lengths: vec![],
        inter_lengths: vec![],
    };
    let mut before: Option<usize> = None;
    for (i, _) in lost.iter().enumerate().filter(|(_, lost)| **lost) {
        let distance = before.map_or(0, |before| (i - before) as u64);
        runs.distances.push(distance);
        // A period starts at a lost packet whose predecessor was not lost (section 4).
        if i == 0 || !lost[i - 1] {
            runs.lengths.push(0);
            runs.inter_lengths.push(distance);
        }
        *runs.lengths.last_mut().unwrap() += 1;
        before = Some(i);
    }
    runs
}

/// Copies beyond the first and packets that have any, of a list of arrivals (RFC 5560).
pub(crate) fn copies(arrivals: &[u64]) -> (u64, u64, u64) {
    let mut per_packet: BTreeMap<u64, u64> = BTreeMap::new();
    for seq in arrivals {
        *per_packet.entry(*seq).or_default() += 1;
    }
    let answered = per_packet.len() as u64;
    let replicated = per_packet.values().filter(|count| **count > 1).count() as u64;
    (answered, arrivals.len() as u64 - answered, replicated)
}

/// Replies by where their copies were made: a copy with its own number was made outbound.
pub(crate) fn copies_by_direction(replies: &[(u64, i64)]) -> (u64, u64) {
    let numbers: BTreeSet<(u64, i64)> = replies.iter().copied().collect();
    let packets: BTreeSet<u64> = replies.iter().map(|(s, _)| *s).collect();
    (
        (numbers.len() - packets.len()) as u64,
        (replies.len() - numbers.len()) as u64,
    )
}

/// Received packets whose TTL is not that of the one before them by number.
pub(crate) fn ttl_changes(received: &[(u64, u8)]) -> u64 {
    let mut sorted = received.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter(|two| two[0].1 != two[1].1).count() as u64
}

/// Blocks, bad ones, unavailable ones, outages and the longest of them (row M-63), of packets by
/// their time in the run and whether they were lost.
pub(crate) fn availability(packets: &[(i64, bool)], block_ns: i64) -> [u64; 5] {
    let mut blocks: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (at, lost) in packets {
        let block = blocks.entry(at.div_euclid(block_ns)).or_default();
        block.0 += 1;
        block.1 += u64::from(*lost);
    }
    let bad: Vec<bool> = blocks.values().map(|(all, lost)| lost * 2 > *all).collect();
    // Whether ten blocks in a row from each block on are in the other state.
    let mut unavailable = vec![];
    let mut state = false;
    for i in 0..bad.len() {
        let ten = bad.get(i..i + 10);
        if ten.is_some_and(|ten| ten.iter().all(|bad| *bad != state)) {
            state = !state;
        }
        unavailable.push(state);
    }
    let outages: Vec<u64> = unavailable
        .split(|unavailable| !unavailable)
        .map(|outage| outage.len() as u64)
        .filter(|length| *length > 0)
        .collect();
    [
        bad.len() as u64,
        bad.iter().filter(|bad| **bad).count() as u64,
        outages.iter().sum(),
        outages.len() as u64,
        outages.into_iter().max().unwrap_or(0),
    ]
}
