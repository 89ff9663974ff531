//! Runs between two clocks whose truth is known.

use proptest::prelude::*;
use twinpath_wire::{Exclusion, Rung, Sample, Stamp, Wall};

use crate::trace::received;

pub(crate) const START_NS: i64 = 1_763_900_000_000_000_000;

/// A run whose truth is known, in nanoseconds; `at` is a share of the run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) packets: i64,
    pub(crate) duration: i64,
    pub(crate) offset: i64,
    pub(crate) skew_ppm: f64,
    pub(crate) least: [i64; 2],
    /// Mean of the queueing delay.
    pub(crate) queue: [i64; 2],
    pub(crate) loss: f64,
    /// From here on the least delay differs.
    pub(crate) route: [(f64, i64); 2],
    pub(crate) far_step: Option<(f64, i64)>,
    pub(crate) local_step: Option<(f64, i64)>,
    /// Between these shares of the run the queues are a hundred times as long.
    pub(crate) busy: (f64, f64),
    pub(crate) seed: u64,
}

pub(crate) const CALM: Run = Run {
    packets: 2000,
    duration: 200_000_000_000,
    offset: 7_000_000_000,
    skew_ppm: 37.0,
    least: [4_000_000, 4_500_000],
    queue: [100_000, 100_000],
    loss: 0.0,
    route: [(1.0, 0), (1.0, 0)],
    far_step: None,
    local_step: None,
    busy: (1.0, 1.0),
    seed: 1,
};

/// The truth: the delays of either direction by part of the run between steps, and the offset by
/// the sender's time since the last step.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) parts: Vec<[Vec<i64>; 2]>,
    pub(crate) offset_at_start: f64,
}

pub(crate) fn random(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

pub(crate) fn exponential(state: &mut u64, mean: i64) -> i64 {
    (-(1.0 - random(state)).ln() * mean as f64) as i64
}

pub(crate) fn share(run: &Run, at: f64) -> i64 {
    (at * run.duration as f64) as i64
}

/// The packets of a run, recorded by `record`, in order of departure, or of arrival at a far clock
/// that steps; `None` is a step of the local clock that the caller noticed.
#[expect(clippy::too_many_lines, reason = "one long example, in its order")]
pub(crate) fn play(run: &Run, mut record: impl FnMut(Option<&Sample>)) -> Truth {
    let mut state = run.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut truth = Truth::default();
    truth.parts.push([Vec::new(), Vec::new()]);
    let after = |step: Option<(f64, i64)>, t: i64| step.is_some_and(|(at, _)| t >= share(run, at));
    let by = |step: Option<(f64, i64)>| step.map_or(0, |(_, size)| size);
    let far = |t: i64| {
        let stepped = if after(run.far_step, t) {
            by(run.far_step)
        } else {
            0
        };
        t + run.offset + (t as f64 * run.skew_ppm / 1e6).round() as i64 + stepped
    };
    let near = |t: i64| {
        t + if after(run.local_step, t) {
            by(run.local_step)
        } else {
            0
        }
    };
    let mut packets = Vec::new();
    for seq in 0..run.packets {
        let sent = run.duration / run.packets * seq;
        if random(&mut state) < run.loss {
            continue;
        }
        let busy = (share(run, run.busy.0)..share(run, run.busy.1)).contains(&sent);
        let mut delay = [0; 2];
        for (direction, delay) in delay.iter_mut().enumerate() {
            let (at, change) = run.route[direction];
            let mean = run.queue[direction] * if busy { 100 } else { 1 };
            *delay = run.least[direction]
                + if sent >= share(run, at) { change } else { 0 }
                + exponential(&mut state, mean);
        }
        packets.push((seq, sent, delay));
    }
    if run.far_step.is_some() {
        packets.sort_by_key(|(_, sent, delay)| sent + delay[0]);
    }
    let (mut far_stepped, mut near_stepped) = (false, false);
    for (seq, sent, delay) in packets {
        let arrived = sent + delay[0];
        let back = arrived + 2_000 + delay[1];
        let in_flight = after(run.local_step, back) && !after(run.local_step, sent);
        if after(run.local_step, sent) && !near_stepped {
            near_stepped = true;
            record(None);
            truth.parts.push([Vec::new(), Vec::new()]);
        }
        if after(run.far_step, arrived) && !far_stepped {
            far_stepped = true;
            truth.parts.push([Vec::new(), Vec::new()]);
        }
        // A residence with a step in it is not a residence.
        let split = after(run.far_step, arrived + 2_000) && !after(run.far_step, arrived);
        let stamp = |t: i64| Stamp {
            at: Wall::from_unix_ns(START_NS + near(t)),
            rung: Rung::Kernel,
        };
        let sample = Sample {
            t1: stamp(sent),
            t2: Some(Wall::from_unix_ns(START_NS + far(arrived))),
            t3: Some(Wall::from_unix_ns(START_NS + far(arrived + 2_000))),
            t4: Some(stamp(back)),
            excluded: if in_flight {
                Some(Exclusion::ClockStep)
            } else {
                split.then_some(Exclusion::Implausible)
            },
            ..received(seq.cast_unsigned(), 0, 0, 0)
        };
        if sample.excluded.is_none() {
            let part = truth.parts.last_mut().unwrap();
            for (list, delay) in part.iter_mut().zip(delay) {
                list.push(delay);
            }
        }
        record(Some(&sample));
    }
    truth.parts.retain(|part| !part[0].is_empty());
    truth.offset_at_start = run.offset as f64
        + if far_stepped {
            by(run.far_step) as f64
        } else {
            0.0
        }
        - if near_stepped {
            by(run.local_step) as f64 * (1.0 + run.skew_ppm / 1e6)
        } else {
            0.0
        };
    truth
}

/// What two clocks and a path may do, with one step at most.
pub(crate) fn runs() -> impl Strategy<Value = Run> {
    let step = || {
        prop::option::weighted(
            0.3,
            (
                0.05..0.95_f64,
                prop_oneof![Just(-1), Just(1)],
                2_000_000_000..9_000_000_000_i64,
            )
                .prop_map(|(at, sign, size)| (at, sign * size)),
        )
    };
    let route = || (0.0..1.0_f64, 0..5_000_000_i64);
    let least = || 10_000..90_000_000_i64;
    let queue = || prop_oneof![0..1_000_i64, 0..3_000_000_i64];
    (
        (
            1..3000_i64,
            3_000_000_000..86_400_000_000_000_i64,
            any::<i32>(),
            -100.0..100.0_f64,
        ),
        [least(), least()],
        [queue(), queue()],
        (0.0..0.5_f64, [route(), route()], step(), step()),
        (0.0..1.0_f64, 0.0..1.0_f64, any::<u64>()),
    )
        .prop_map(|(run, least, queue, path, (busy, until, seed))| Run {
            packets: run.0,
            duration: run.1,
            offset: i64::from(run.2) * 1000,
            skew_ppm: run.3,
            least,
            queue,
            loss: path.0,
            route: path.1,
            far_step: path.2,
            local_step: if path.2.is_some() { None } else { path.3 },
            busy: (busy, until),
            seed,
        })
}
