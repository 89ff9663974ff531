//! Samples to feed: one by one, and whole sessions through a simulated network and reflector.

use proptest::prelude::*;
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, Wall};

/// Between two departures.
pub(crate) const INTERVAL_NS: i64 = 1_000_000;
/// After this a reply is late; after twice this it is no longer awaited.
pub(crate) const TIMEOUT_NS: i64 = 20_000_000;
const START_NS: i64 = 1_763_900_000_000_000_000;

/// A received packet with these delays, sent on schedule.
pub(crate) fn received(seq: u64, forward: i64, residence: i64, backward: i64) -> Sample {
    let t1 = START_NS + i64::try_from(seq % 1_000_000_000).unwrap() * INTERVAL_NS;
    let t2 = t1 + forward;
    let t3 = t2 + residence;
    Sample {
        seq,
        fate: Fate::Received,
        t1: kernel(t1),
        t2: Some(Wall::from_unix_ns(t2)),
        t3: Some(Wall::from_unix_ns(t3)),
        t4: Some(kernel(t3 + backward)),
        reflector_seq: Some(seq as u32),
        ttl_forward: None,
        ttl_backward: None,
        tos_forward: None,
        tos_backward: None,
        departure: Delta::ZERO,
        excluded: None,
    }
}

/// A received packet with the reflector's number `r`, as a well-behaved path has it.
pub(crate) fn numbered(seq: u64, r: u32) -> Sample {
    Sample {
        reflector_seq: Some(r),
        ..received(seq, 40_000, 1_000, 40_000)
    }
}

/// When packet `seq` is due.
pub(crate) fn at(seq: u64) -> Wall {
    received(seq, 0, 0, 0).t1.at
}

/// A packet without a reply.
pub(crate) fn lost(seq: u64) -> Sample {
    Sample {
        fate: Fate::Lost,
        t2: None,
        t3: None,
        t4: None,
        reflector_seq: None,
        ..numbered(seq, 0)
    }
}

fn kernel(ns: i64) -> Stamp {
    Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    }
}

/// What the network does to one packet. Delays in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Fortune {
    pub(crate) lost_forward: bool,
    pub(crate) lost_backward: bool,
    pub(crate) forward: i64,
    pub(crate) backward: i64,
    pub(crate) copy_forward: Option<i64>,
    pub(crate) copy_backward: Option<i64>,
    pub(crate) departure: i64,
    pub(crate) excluded: Option<Exclusion>,
    /// The TTLs with which packet and reply arrive.
    pub(crate) ttl: u8,
}

/// A path that loses but neither reorders nor copies nor delays beyond the timeout.
pub(crate) fn orderly() -> impl Strategy<Value = Fortune> {
    (
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        0..400_000_i64,
        0..400_000_i64,
    )
        .prop_map(|(lost_forward, lost_backward, forward, backward)| Fortune {
            lost_forward,
            lost_backward,
            forward,
            backward,
            copy_forward: None,
            copy_backward: None,
            departure: 0,
            excluded: None,
            ttl: 60,
        })
}

/// A path with every kind of impairment.
pub(crate) fn wild() -> impl Strategy<Value = Fortune> {
    let delay = || prop_oneof![8 => 0..900_000_i64, 3 => 0..6_000_000_i64, 1 => 0..30_000_000_i64];
    let copy = || prop::option::weighted(0.06, 0..4_000_000_i64);
    let excluded = prop_oneof![
        40 => Just(None),
        1 => Just(Some(Exclusion::ClockStep)),
        1 => Just(Some(Exclusion::Implausible))
    ];
    (
        orderly(),
        delay(),
        delay(),
        copy(),
        copy(),
        -5_000..90_000_i64,
        excluded,
        prop_oneof![9 => Just(60_u8), 1 => 59..62_u8],
    )
        .prop_map(
            |(losses, forward, backward, copy_forward, copy_backward, departure, excluded, ttl)| {
                Fortune {
                    forward,
                    backward,
                    copy_forward,
                    copy_backward,
                    departure,
                    excluded,
                    ttl,
                    ..losses
                }
            },
        )
}

/// A reply with the reflector's number in full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) sample: Sample,
    pub(crate) number: Option<i64>,
}

/// Runs packets from number `s_0` through the network to a stateful reflector whose counter stands
/// at `r_0` and whose clock is `offset` ahead, and back. At `restart_at` packets reflected it
/// starts from 0. Events in the order in which a sender learns of them.
#[expect(clippy::too_many_lines, reason = "one long example, in its order")]
pub(crate) fn session(
    fortunes: &[Fortune],
    (s_0, r_0): (u64, u32),
    offset: i64,
    restart_at: Option<usize>,
) -> Vec<Event> {
    let mut at_reflector = Vec::new();
    for (place, fortune) in fortunes.iter().enumerate() {
        let t1 = START_NS + i64::try_from(place).unwrap() * INTERVAL_NS + fortune.departure;
        if !fortune.lost_forward {
            at_reflector.push((t1 + fortune.forward, place, false));
            at_reflector.extend(
                fortune
                    .copy_forward
                    .map(|late| (t1 + fortune.forward + late, place, true)),
            );
        }
    }
    at_reflector.sort_unstable();

    let mut replies = Vec::new();
    let (mut t3, mut number) = (i64::MIN, i64::from(r_0));
    for (reflected, (t2, place, copied)) in at_reflector.into_iter().enumerate() {
        if restart_at == Some(reflected) {
            number = 0;
        }
        t3 = (t2 + 2_000).max(t3 + 1);
        let fortune = &fortunes[place];
        let t4 = t3 + fortune.backward;
        if !fortune.lost_backward || copied {
            replies.push((t4, place, t2, t3, number));
            replies.extend(
                fortune
                    .copy_backward
                    .map(|late| (t4 + late, place, t2, t3, number)),
            );
        }
        number += 1;
    }
    replies.sort_unstable();

    let mut answered = vec![false; fortunes.len()];
    let mut events = Vec::new();
    for (t4, place, t2, t3, number) in replies {
        let t1 = START_NS + i64::try_from(place).unwrap() * INTERVAL_NS + fortunes[place].departure;
        if t4 - t1 > 2 * TIMEOUT_NS {
            continue;
        }
        let fate = match (answered[place], t4 - t1 > TIMEOUT_NS) {
            (true, _) => Fate::Duplicate,
            (false, true) => Fate::Late,
            (false, false) => Fate::Received,
        };
        answered[place] = true;
        let sample = Sample {
            fate,
            t1: kernel(t1),
            t2: Some(Wall::from_unix_ns(t2 + offset)),
            t3: Some(Wall::from_unix_ns(t3 + offset)),
            t4: Some(kernel(t4)),
            reflector_seq: Some(number as u32),
            ttl_forward: Some(fortunes[place].ttl),
            ttl_backward: Some(fortunes[place].ttl ^ 1),
            ..ending(s_0, place, &fortunes[place])
        };
        events.push((
            t4,
            Event {
                sample,
                number: Some(number),
            },
        ));
    }
    for (place, fortune) in fortunes
        .iter()
        .enumerate()
        .filter(|(place, _)| !answered[*place])
    {
        let t1 = START_NS + i64::try_from(place).unwrap() * INTERVAL_NS + fortune.departure;
        let sample = Sample {
            fate: Fate::Lost,
            t1: kernel(t1),
            ..ending(s_0, place, fortune)
        };
        events.push((
            t1 + 2 * TIMEOUT_NS,
            Event {
                sample,
                number: None,
            },
        ));
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

fn ending(s_0: u64, place: usize, fortune: &Fortune) -> Sample {
    Sample {
        departure: Delta::from_ns(fortune.departure),
        excluded: fortune.excluded,
        ..lost(s_0 + u64::try_from(place).unwrap())
    }
}
