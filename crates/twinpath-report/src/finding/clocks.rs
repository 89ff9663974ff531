//! The validity of one-way figures, judged by both clocks' claims and by the packets.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_metrics::{Basis, ClockEstimate, FarTimes};
use twinpath_wire::nanoseconds;

use super::far_times;
use crate::{Origin, SessionReport};

findings! {
    /// Findings about one-way figures.
    pub enum Clocks {
        /// The ends write different time scales.
        Warning "time-scale" TimeScale
        /// A clock is not synchronized, or one-way delays prove that the two disagree.
        Warning "clocks-not-synchronized" ClocksNotSynchronized {
            /// This host's clock is synchronized.
            near: bool,
            /// The reflector's clock claims to be synchronized.
            far: bool,
            /// A one-way delay is negative.
            is_negative: bool,
            /// The reflector's times are consistent with this host's: the round trip does not
            /// depend on the clocks.
            is_round_trip_sound: bool,
        }
        /// The clock of this host, or of the capture, stepped.
        Warning "clock-step" ClockStep {
            /// Number of times.
            count: u64,
            /// Packets left out of the delays because of that.
            packets: u64,
            /// It is the capture's clock.
            is_of_capture: bool,
        }
        /// This host was suspended.
        Warning "suspended" Suspended {
            /// Number of times.
            count: u64,
            /// Total duration.
            #[serde(rename = "duration_ns", with = "nanoseconds")]
            duration: Duration,
        }
        /// Both addresses are this host's, and the packets show two clocks.
        Warning "another-clock" AnotherClock {
            /// They differ by at least this.
            least_offset_ns: u64,
        }
        /// The clocks differ by more than they claim.
        Warning "clocks-disproved" ClocksDisproved {
            /// The sum of both claims.
            claimed_ns: u64,
            /// They differ by at least this.
            least_offset_ns: u64,
        }
        /// The reflector's clock stepped.
        Warning "far-clock-step" FarClockStep {
            /// Number of times.
            count: u64,
            /// The size of the first step.
            first_ns: i64,
            /// As in [`Clocks::ClocksNotSynchronized`].
            is_round_trip_sound: bool,
        }
        /// The reflector's clock runs faster or slower than NTP corrects.
        Warning "clock-rate" ClockRate {
            /// Compared with this host's; negative: slower.
            skew_ppm: f64,
        }
        /// A clock changed its rate.
        Remark "clock-rate-changed" ClockRateChanged {
            /// Number of times.
            count: u64,
        }
        /// The least round trip changed.
        Remark "path-changed" PathChanged
    }
}

/// 37 s (TAI - UTC), plus or minus a second: one end writes TAI and the other reads UTC.
const TAI_NS: std::ops::RangeInclusive<u64> = 36_000_000_000..=38_000_000_000;
/// The largest correction of a clock's rate by NTP (RFC 5905 section 7.1), in parts per million.
pub const NTP_PPM: f64 = 500.0;

/// Findings from the clocks' claims and delays that contradict them.
pub(super) fn claims(report: &SessionReport) -> Vec<Clocks> {
    let mut findings = Vec::new();
    let near = report.stamps.clock.synchronized;
    let far = report
        .stamps
        .far_clock
        .is_some_and(|clock| clock.synchronized);
    let figures = &report.figures;
    let is_negative = report.has_negative_delay();
    let is_tai = [&figures.forward, &figures.backward]
        .iter()
        .all(|delay| delay.is_some_and(|delay| TAI_NS.contains(&delay.median_ns.unsigned_abs())));
    if is_tai {
        findings.push(Clocks::TimeScale);
    } else if !figures.far_times.are_usable() || far_times::is_unset(report) {
        // The clocks claim nothing.
    } else if !report.is_one_clock() && (is_negative || !near || !far) {
        findings.push(Clocks::ClocksNotSynchronized {
            near,
            far,
            is_negative,
            is_round_trip_sound: figures.far_times == FarTimes::Agree,
        });
    }
    findings.extend(steps(report));
    if let count @ 1.. = report.counters.suspensions {
        findings.push(Clocks::Suspended {
            count,
            duration: Duration::from_nanos(report.counters.suspended_ns),
        });
    }
    findings
}

/// Steps of this host's clock, or of the capture's.
pub fn steps(report: &SessionReport) -> Option<Clocks> {
    let count = report.counters.clock_steps;
    (count > 0).then_some(Clocks::ClockStep {
        count,
        packets: report.figures.excluded_clock_step,
        is_of_capture: report.origin == Origin::Capture,
    })
}

/// Findings from the packets.
pub(crate) fn estimated(report: &SessionReport, clocks: &ClockEstimate) -> Vec<Clocks> {
    let mut findings = Vec::new();
    let has = |key| report.findings.iter().any(|finding| finding.key() == key);
    let is_explained = has("time-scale") || report.figures.far_times == FarTimes::Coarse;
    if report.is_one_host() && !report.is_one_clock() && !is_explained {
        findings.push(Clocks::AnotherClock {
            least_offset_ns: clocks.least_offset_ns(),
        });
    }
    if let Basis::Disproved {
        claimed_ns,
        least_offset_ns,
    } = report.basis()
        && !has("clocks-not-synchronized")
        && !has("time-scale")
    {
        findings.push(Clocks::ClocksDisproved {
            claimed_ns,
            least_offset_ns,
        });
    }
    if report.has_seen_far_step(clocks) {
        findings.push(Clocks::FarClockStep {
            count: clocks.far_steps_total,
            first_ns: clocks.far_steps.first().map_or(0, |step| step.size_ns),
            is_round_trip_sound: report.figures.far_times == FarTimes::Agree,
        });
    }
    if let Some(skew_ppm) = clocks.known_skew_ppm()
        && skew_ppm.abs() - clocks.skew_bound_ppm > NTP_PPM
    {
        findings.push(Clocks::ClockRate { skew_ppm });
    }
    if let count @ 1.. = clocks.rate_changes {
        findings.push(Clocks::ClockRateChanged { count });
    }
    if clocks.path_change {
        findings.push(Clocks::PathChanged);
    }
    findings
}

#[cfg(test)]
mod tests {
    use twinpath_metrics::FarStep;
    use twinpath_wire::Wall;

    use super::super::tests::{quiet, states};
    use super::*;
    use crate::{Finding, Severity};

    fn estimate() -> ClockEstimate {
        ClockEstimate {
            reference: Wall::from_unix_ns(0),
            offset_ns: 100_000,
            skew_ppm: Some(0.0),
            skew_bound_ppm: 1.0,
            error_bound_ns: 200_000,
            contradicted: false,
            path_change: false,
            local_steps: 0,
            far_steps: Vec::new(),
            far_steps_total: 0,
            rate_changes: 0,
            disregarded: 0,
            forward: None,
            backward: None,
        }
    }

    fn keys(clocks: ClockEstimate) -> Vec<(String, Severity)> {
        let mut report = quiet();
        report.take_clocks(Some(clocks));
        states(&report.findings)
    }

    fn warning(key: &str) -> Vec<(String, Severity)> {
        vec![(key.to_owned(), Severity::Warning)]
    }

    #[test]
    fn what_packets_tell_of_the_clocks_is_said() {
        assert_eq!(keys(estimate()), []);
        let far_apart = ClockEstimate {
            offset_ns: 5_000_000,
            ..estimate()
        };
        assert_eq!(keys(far_apart), warning("clocks-disproved"));
        let stepped = ClockEstimate {
            far_steps: vec![FarStep {
                at: Wall::from_unix_ns(0),
                size_ns: 3_000_000,
                bound_ns: 1_000,
            }],
            far_steps_total: 1,
            ..estimate()
        };
        assert_eq!(keys(stepped), warning("far-clock-step"));
        let of_rate = |skew_ppm, skew_bound_ppm| {
            keys(ClockEstimate {
                skew_ppm: Some(skew_ppm),
                skew_bound_ppm,
                ..estimate()
            })
        };
        assert_eq!(of_rate(-1_000.0, 499.0), warning("clock-rate"));
        assert_eq!(of_rate(1_000.0, 501.0), []);
        let restless = ClockEstimate {
            rate_changes: 1,
            path_change: true,
            ..estimate()
        };
        assert_eq!(
            keys(restless),
            [
                ("clock-rate-changed".to_owned(), Severity::Remark),
                ("path-changed".to_owned(), Severity::Remark)
            ]
        );
    }

    #[test]
    fn both_addresses_on_one_host_are_one_clock_until_the_packets_say_no() {
        let notes = |clocks: ClockEstimate| {
            let mut report = quiet();
            report
                .identity
                .reflector
                .set_ip(report.identity.sender.ip());
            report.take_clocks(Some(clocks));
            assert_eq!(report.is_one_clock(), report.findings.is_empty());
            report
                .findings
                .first()
                .map(|first| first.key().into_owned())
        };
        // Within the bound it may be 0.
        assert_eq!(notes(estimate()), None);
        let apart = ClockEstimate {
            offset_ns: -200_001,
            ..estimate()
        };
        assert_eq!(notes(apart), Some("another-clock".to_owned()));
        let fast = ClockEstimate {
            skew_ppm: Some(1.1),
            ..estimate()
        };
        assert_eq!(notes(fast), Some("another-clock".to_owned()));
        let leaping = ClockEstimate {
            far_steps_total: 1,
            ..estimate()
        };
        assert_eq!(notes(leaping), Some("another-clock".to_owned()));
    }

    #[test]
    fn clocks_that_are_known_to_disagree_are_not_disproved_again() {
        let mut report = quiet();
        report.add([Clocks::ClocksNotSynchronized {
            near: false,
            far: true,
            is_negative: false,
            is_round_trip_sound: true,
        }]);
        let far_apart = ClockEstimate {
            offset_ns: 5_000_000,
            ..estimate()
        };
        report.take_clocks(Some(far_apart));
        assert_eq!(report.findings.len(), 1);
    }

    #[test]
    fn what_the_far_clocks_step_or_another_time_scale_explains_is_no_other_clock() {
        let keys = |far_rounding_ns, offset_ns, scale: bool| {
            let mut report = quiet();
            report
                .identity
                .reflector
                .set_ip(report.identity.sender.ip());
            report.figures.far_rounding_ns = far_rounding_ns;
            if scale {
                report.add([Clocks::TimeScale]);
            }
            report.take_clocks(Some(ClockEstimate {
                offset_ns,
                ..estimate()
            }));
            let other = |finding: &Finding| finding.key() == "another-clock";
            let other = report.findings.iter().any(other);
            (report.is_one_clock(), other)
        };
        assert_eq!(keys(0, -3_000_000, false), (false, true));
        assert_eq!(keys(4_000_000, -3_000_000, false), (true, false));
        assert_eq!(keys(4_000_000, -5_000_000, false), (false, true));
        assert_eq!(keys(0, 37_000_000_000, true), (false, false));
    }
}
