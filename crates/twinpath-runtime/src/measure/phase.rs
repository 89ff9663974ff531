//! When a run begins: at random, so that many probes do not march together (row M-65).

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
