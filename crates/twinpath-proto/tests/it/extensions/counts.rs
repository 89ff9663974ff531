//! Direct Measurement where the far end's counts wrap, begin again or come in another order (RFC 8972
//! section 4.5; row ST-45).

use std::time::Duration;

use twinpath_proto::extension::{FactValue, Learnt};
use twinpath_proto::reflector::Ignored;

use super::copies::{Far, START, open};

/// Replies to these requests with these counts: S_TxC, R_RxC, R_TxC.
fn taught(replies: &[(u64, [u32; 3])]) -> Learnt {
    let mut learnt = Learnt::default();
    for (seq, counts) in replies {
        let counts = counts.map(u32::to_be_bytes).concat();
        let chain = [&[0, 5, 0, 12][..], &counts].concat();
        learnt.read(&chain, [0; 4], *seq, None);
    }
    learnt
}

/// Sent, received and returned by the far end, replies, lost there and back, and restarts.
fn facts(learnt: &Learnt) -> [i64; 7] {
    let all = learnt.facts();
    let (name, facts) = &all[0];
    assert_eq!(*name, "direct-measurement");
    let keys = [
        "sent",
        "far_received",
        "far_sent",
        "replies_received",
        "forward_lost",
        "backward_lost",
        "restarts",
    ];
    keys.map(|key| {
        let fact = facts.iter().find(|(other, _)| *other == key);
        match fact {
            Some((_, FactValue::Number(number))) => *number,
            _ => 0,
        }
    })
}

/// Replies to `count` requests from `first`, whose counts begin at `counts`, without losses.
fn run(first: u64, count: u32, [sent, received, returned]: [u32; 3]) -> Vec<(u64, [u32; 3])> {
    (0..count)
        .map(|nth| {
            let counts = [sent, received, returned].map(|from| from.wrapping_add(nth));
            (first + u64::from(nth), counts)
        })
        .collect()
}

#[test]
fn counts_that_wrap_go_on() {
    let high = u32::MAX - 20;
    let learnt = taught(&run(0, 50, [u32::MAX - 3, high, high - 7]));
    assert_eq!(facts(&learnt), [49, 49, 49, 49, 0, 0, 0]);
}

#[test]
fn across_a_restart_of_the_far_end_nothing_is_claimed() {
    for at in [60, 2_000_000_000, 3_000_000_000] {
        // Two were lost on the way there, and one on the way back, before the restart.
        let mut replies = run(0, 10, [1, at, at]);
        replies.extend(run(13, 10, [14, at + 11, at + 11]));
        // While it is restarted, thirty are lost.
        replies.extend(run(53, 10, [54, 1, 1]));
        // One more is lost on the way back.
        replies.extend(run(64, 5, [65, 12, 12]));
        let learnt = taught(&replies);
        let expected = [22 + 15, 20 + 15, 20 + 15, 19 + 14, 2, 2, 1];
        assert_eq!(facts(&learnt), expected, "{at}");
    }
}

#[test]
fn each_restart_is_counted_and_late_replies_are_of_their_own_part() {
    let mut replies = Vec::new();
    for part in 0..5 {
        let first = 100 * part;
        let sent = u32::try_from(first).unwrap() + 1;
        replies.extend(run(first, 30, [sent, 1, 1]));
    }
    // The last reply of the first part comes after all.
    let late = replies.remove(29);
    replies.push(late);
    let [sent, received, returned, arrived, there, back, restarts] = facts(&taught(&replies));
    assert_eq!((restarts, there), (4, 0));
    assert_eq!([sent, received, returned], [28 + 4 * 29; 3]);
    assert!((0..=1).contains(&back), "{back} {arrived}");
}

#[test]
fn requests_that_overtake_each_other_are_no_restart() {
    let mut replies = run(0, 60, [1, 1, 1]);
    // The fifth arrives before the fourth, and so do their replies, or not.
    for at in [4, 20, 40, 57] {
        let (one, other) = (replies[at].1, replies[at + 1].1);
        (replies[at].1[1], replies[at + 1].1[1]) = (other[1], one[1]);
        (replies[at].1[2], replies[at + 1].1[2]) = (other[2], one[2]);
        if at % 8 == 4 {
            replies.swap(at, at + 1);
        }
    }
    assert_eq!(facts(&taught(&replies)), [59, 59, 59, 59, 0, 0, 0]);
}

#[test]
fn requests_that_overtake_each_other_are_no_restart_where_replies_are_not_counted() {
    let mut replies: Vec<_> = (0..10)
        .map(|nth| (u64::from(nth), [nth + 1, nth + 1, 7]))
        .collect();
    (replies[4].1[1], replies[5].1[1]) = (replies[5].1[1], replies[4].1[1]);
    assert_eq!(facts(&taught(&replies))[6], 0);
}

#[test]
fn a_first_reply_after_a_restart_claims_nothing_until_the_next_one_explains_it() {
    let mut replies = run(0, 10, [1, 71, 71]);
    replies.push((10, [11, 1, 1]));
    assert_eq!(facts(&taught(&replies)), [9, 9, 9, 9, 0, 0, 0]);
    replies.push((11, [12, 2, 2]));
    assert_eq!(facts(&taught(&replies)), [10, 10, 10, 10, 0, 0, 1]);
}

#[test]
fn a_far_end_that_does_not_count_is_not_said_to_begin_again() {
    let replies: Vec<_> = (0..20).map(|seq| (seq, [7, 0, 0])).collect();
    assert_eq!(facts(&taught(&replies))[6], 0);
}

#[test]
fn a_reply_says_whether_tlvs_were_processed() {
    const COUNTING: [u8; 16] = [0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    for (copies_only, requires_hmac) in [(false, false), (true, false), (false, true)] {
        let mut far = Far::new(|config| {
            config.extensions.copies_only = copies_only;
            config.extensions.requires_hmac = requires_hmac;
        });
        let all = !copies_only && !requires_hmac;
        for (tlvs, are_processed) in [
            (&COUNTING[..], all),
            (&[], false),
            // Zeros are TLVs of type 0. They and Extra Padding ask for nothing.
            (&[0; 40], false),
            (&[0x80, 1, 0, 4, 0, 0, 0, 0], false),
            (&[&[0; 8][..], &COUNTING].concat(), all),
        ] {
            let mut request = open(1, tlvs);
            request[15] = 9;
            far.buffer[..request.len()].copy_from_slice(&request);
            let told = (far.reflector).reflect(START, &mut far.buffer, request.len(), &far.arrival);
            assert_eq!(told.unwrap().has_tlvs, are_processed);
        }
    }
}

#[test]
fn what_is_over_the_rate_is_counted_as_received() {
    const COUNTING: [u8; 16] = [0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut far = Far::new(|config| config.policy.max_rate_pps = Some(2));
    let mut counts = Vec::new();
    for (seq, ms) in [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 5_000)] {
        let request = open(seq, &COUNTING);
        far.buffer[..request.len()].copy_from_slice(&request);
        let now = START + Duration::from_millis(ms);
        let told = far
            .reflector
            .reflect(now, &mut far.buffer, request.len(), &far.arrival);
        let word = |at: usize| u32::from_be_bytes(far.buffer[at..at + 4].try_into().unwrap());
        counts.push(told.map(|_| [word(0), word(52), word(56)]));
    }
    let refused = Err(Ignored::RateLimited);
    assert_eq!(
        counts,
        [
            Ok([0, 1, 1]),
            Ok([1, 2, 2]),
            refused,
            refused,
            refused,
            Ok([2, 6, 3])
        ]
    );
}
