//! When a run begins: at random, so that many probes do not march together (row M-65).

use std::collections::HashMap;
use std::time::Duration;

use twinpath_metrics::{RegistryParameters, RegistryStream};
use twinpath_proto::random::SplitMix;
use twinpath_proto::sender::{PayloadSize, Schedule};
use twinpath_wire::nanoseconds;

use crate::SenderPlan;

/// The first departure falls at random within one interval, but no later than this.
const LONGEST_PHASE: Duration = Duration::from_secs(1);

/// The first departure is put off by a random time up to this (dT of RFC 3432): an interval, a second
/// at most; a second, as the registry has it, where all else is a registered metric's (RFC 8912).
pub(super) fn start_within(plan: &SenderPlan) -> Duration {
    if plan.phase.is_some() {
        return one_interval(plan.schedule);
    }
    if let Schedule::Periodic { interval } = plan.schedule
        && is_registered(plan, interval)
    {
        LONGEST_PHASE
    } else {
        one_interval(plan.schedule).min(LONGEST_PHASE)
    }
}

fn one_interval(schedule: Schedule) -> Duration {
    match schedule {
        Schedule::Periodic { .. } | Schedule::Uniform { .. } => schedule.mean_interval(),
        Schedule::Bursts { gap, .. } => gap,
        // It begins with a random gap.
        Schedule::Poisson { .. } => Duration::ZERO,
    }
}

/// Whether a run with these intervals has a registered metric's parameters, but for the start.
fn is_registered(plan: &SenderPlan, interval: Duration) -> bool {
    let parameters = RegistryParameters {
        stream: RegistryStream::Periodic {
            interval_ns: nanoseconds::of(interval),
            start_within_ns: nanoseconds::of(LONGEST_PHASE),
        },
        payload: match plan.payload {
            PayloadSize::Fixed(octets) => u32::try_from(octets).unwrap_or(u32::MAX),
            PayloadSize::Imix(_) => 0,
        },
        timeout_ns: nanoseconds::of(plan.timeout),
        ttl: plan.path.ttl,
        dscp: plan.tos.dscp().value(),
        twamp_format: true,
    };
    parameters.are_registered()
}

/// Spreads the departures of these sessions: those with the same interval begin evenly distributed over
/// one, from a moment on that `seed` gives. A session alone keeps its own random phase, as do those with
/// Poisson gaps.
pub fn spread<'a>(plans: impl IntoIterator<Item = &'a mut SenderPlan>, seed: u64) {
    let mut groups: HashMap<Duration, Vec<&mut SenderPlan>> = HashMap::new();
    for plan in plans {
        let group = groups.entry(one_interval(plan.schedule)).or_default();
        group.push(plan);
    }
    groups.remove(&Duration::ZERO);
    for (interval, group) in groups {
        let first = u128::from(nanoseconds::of(phase(seed, interval)));
        let (interval, sessions) = (u128::from(nanoseconds::of(interval)), group.len() as u128);
        if sessions < 2 {
            continue;
        }
        for (plan, index) in group.into_iter().zip(0..) {
            let ns = (first + index * interval / sessions) % interval;
            let ns = u64::try_from(ns).unwrap_or(u64::MAX);
            plan.phase = Some(Duration::from_nanos(ns));
        }
    }
}

/// A moment within this time, at random.
pub(super) fn phase(seed: u64, within: Duration) -> Duration {
    // Neighbouring seeds give unrelated phases.
    Duration::from_nanos(SplitMix::new(seed).below(nanoseconds::of(within)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn neighbouring_seeds_begin_all_over_the_time_there_is() {
        for within in [MS, 20 * MS, LONGEST_PHASE] {
            let mut tenths = [0; 10];
            for seed in 0..1_000 {
                let phase = phase(seed, within);
                assert!(phase < within, "{phase:?} of {within:?}");
                tenths[usize::try_from(phase.as_nanos() * 10 / within.as_nanos()).unwrap()] += 1;
            }
            let even = tenths.iter().all(|seeds| (60..140).contains(seeds));
            assert!(even, "{within:?}: {tenths:?}");
        }
        assert_eq!(phase(3, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn sessions_with_one_interval_begin_evenly_over_it() {
        let far = "192.0.2.1:862".parse().unwrap();
        let with = |schedule| SenderPlan {
            schedule,
            ..SenderPlan::to(far)
        };
        for seed in [0, 7, u64::MAX] {
            // Two groups by turns, of 50 each, one alone, and one with random gaps.
            let mut plans: Vec<SenderPlan> = (0..100)
                .map(|index| with(Schedule::every([20 * MS, 60_000 * MS][index % 2])))
                .collect();
            plans.push(with(Schedule::every(7 * MS)));
            plans.push(with(Schedule::Poisson { mean: 20 * MS }));
            spread(&mut plans, seed);
            assert_eq!((plans[100].phase, plans[101].phase), (None, None));
            for (interval, offset) in [(20 * MS, 0), (60_000 * MS, 1)] {
                let group = plans.iter().take(100).skip(offset).step_by(2);
                let mut phases: Vec<Duration> = group.map(|plan| plan.phase.unwrap()).collect();
                phases.sort_unstable();
                let last = phases[49];
                assert!(last < interval, "{last:?}");
                phases.push(interval + phases[0]);
                for pair in phases.windows(2) {
                    let apart = pair[1].saturating_sub(pair[0]);
                    let even = apart.abs_diff(interval / 50) <= Duration::from_nanos(1);
                    assert!(even, "{seed}: {apart:?} of {interval:?}");
                }
                assert_eq!(start_within(&plans[offset]), interval);
            }
        }
    }

    #[test]
    fn each_schedule_has_its_own_time_to_begin_within() {
        let (least, most) = (10 * MS, 30 * MS);
        let (packets, gap) = (10, 30 * MS);
        for (schedule, within) in [
            (Schedule::every(20 * MS), 20 * MS),
            (Schedule::Uniform { least, most }, 20 * MS),
            (Schedule::Bursts { packets, gap }, gap),
            (Schedule::Poisson { mean: MS }, Duration::ZERO),
        ] {
            assert_eq!(one_interval(schedule), within, "{schedule:?}");
        }
    }
}
