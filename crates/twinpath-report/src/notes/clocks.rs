//! Remarks on the two clocks, by what the packets tell of them.

use twinpath_metrics::{Basis, ClockEstimate, FarTimes};

use super::{remark, said_if, warning};
use crate::{Note, SessionReport};

/// What NTP corrects a clock's rate by at most (RFC 5905 section 7.1), in parts per million.
const NTP_PPM: f64 = 500.0;

/// What `clocks` says of the report's one-way figures.
pub(crate) fn of(report: &SessionReport, clocks: &ClockEstimate) -> Vec<Note> {
    let mut notes = Vec::new();
    let said = |key| report.notes.iter().any(|note| note.key == key);
    let explained = said("time-scale") || report.figures.far_times == FarTimes::Coarse;
    if report.is_one_host() && !report.is_one_clock() && !explained {
        let apart = match clocks.least_offset_ns() / 1_000 {
            0 => String::new(),
            us => format!(", at least {us} us away"),
        };
        notes.push(warning(
            "another-clock",
            format!(
                "both addresses are this host's, but the reflector's times are those of another clock{apart}: \
                 something here forwards the packets to another host, or the reflector reads no clock of \
                 this host"
            ),
        ));
    }
    if let Basis::Disproved {
        claimed_ns,
        least_offset_ns,
    } = report.basis()
        && !said("clocks-not-synchronized")
        && !said("time-scale")
    {
        notes.push(warning(
            "clocks-disproved",
            format!(
                "both clocks claim to be within {} us of each other, and packets prove that they \
                 are at least {} us apart: one-way delays mean little",
                claimed_ns / 1_000,
                least_offset_ns / 1_000
            ),
        ));
    }
    if report.has_seen_far_step(clocks) {
        let sound = said_if(
            report.figures.far_times == FarTimes::Agree,
            ", the round trip is sound",
        );
        let times = clocks.far_steps_total;
        let first = clocks.far_steps.first().map_or(0, |step| step.size_ns);
        notes.push(warning(
            "far-clock-step",
            format!(
                "the reflector's clock stepped ({times}; the first time by {} us): raw one-way \
                 delays jump with it{sound}",
                first / 1_000
            ),
        ));
    }
    if let Some(skew) = clocks.known_skew_ppm()
        && skew.abs() - clocks.skew_bound_ppm > NTP_PPM
    {
        let side = if skew < 0.0 { "slower" } else { "faster" };
        let line = format!(
            "the reflector's clock runs {:.0} ppm {side} than this host's: NTP corrects {NTP_PPM} ppm at \
             most, one of the two keeps no time",
            skew.abs()
        );
        notes.push(warning("clock-rate", line));
    }
    if clocks.rate_changes > 0 {
        let line = format!(
            "a clock changed its rate in mid-run ({}): one-way figures begin anew there",
            clocks.rate_changes
        );
        notes.push(remark("clock-rate-changed", line));
    }
    if clocks.path_change {
        let line = "the least round trip changed in mid-run: the path did, or seems to; de-skewed \
                    one-way figures mix both";
        notes.push(remark("path-changed", line.to_owned()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use twinpath_metrics::FarStep;
    use twinpath_wire::Wall;

    use super::super::tests::{own_key, quiet};
    use super::*;

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

    fn keys(clocks: ClockEstimate) -> Vec<(&'static str, bool)> {
        let mut report = quiet();
        report.take_clocks(Some(clocks));
        let notes = report.notes.iter();
        notes.map(|note| (own_key(note), note.warning)).collect()
    }

    #[test]
    fn what_packets_tell_of_the_clocks_is_said() {
        assert_eq!(keys(estimate()), []);
        let far_apart = ClockEstimate {
            offset_ns: 5_000_000,
            ..estimate()
        };
        assert_eq!(keys(far_apart), [("clocks-disproved", true)]);
        let stepped = ClockEstimate {
            far_steps: vec![FarStep {
                at: Wall::from_unix_ns(0),
                size_ns: 3_000_000,
                bound_ns: 1_000,
            }],
            far_steps_total: 1,
            ..estimate()
        };
        assert_eq!(keys(stepped), [("far-clock-step", true)]);
        let of_rate = |skew_ppm, skew_bound_ppm| {
            keys(ClockEstimate {
                skew_ppm: Some(skew_ppm),
                skew_bound_ppm,
                ..estimate()
            })
        };
        assert_eq!(of_rate(-1_000.0, 499.0), [("clock-rate", true)]);
        assert_eq!(of_rate(1_000.0, 501.0), []);
        let restless = ClockEstimate {
            rate_changes: 1,
            path_change: true,
            ..estimate()
        };
        assert_eq!(
            keys(restless),
            [("clock-rate-changed", false), ("path-changed", false)]
        );
    }

    #[test]
    fn both_addresses_on_one_host_are_one_clock_until_the_packets_say_no() {
        let notes = |clocks: ClockEstimate| {
            let mut report = quiet();
            report.reflector.set_ip(report.sender.ip());
            report.take_clocks(Some(clocks));
            assert_eq!(report.is_one_clock(), report.notes.is_empty());
            report.notes.first().map(own_key)
        };
        // Within the bound it may be 0.
        assert_eq!(notes(estimate()), None);
        let apart = ClockEstimate {
            offset_ns: -200_001,
            ..estimate()
        };
        assert_eq!(notes(apart), Some("another-clock"));
        let fast = ClockEstimate {
            skew_ppm: Some(1.1),
            ..estimate()
        };
        assert_eq!(notes(fast), Some("another-clock"));
        let leaping = ClockEstimate {
            far_steps_total: 1,
            ..estimate()
        };
        assert_eq!(notes(leaping), Some("another-clock"));
    }

    #[test]
    fn clocks_that_are_known_to_disagree_are_not_disproved_again() {
        let mut report = quiet();
        let line = String::new();
        report.notes.push(warning("clocks-not-synchronized", line));
        let far_apart = ClockEstimate {
            offset_ns: 5_000_000,
            ..estimate()
        };
        report.take_clocks(Some(far_apart));
        assert_eq!(report.notes.len(), 1);
    }

    #[test]
    fn what_the_far_clocks_step_or_another_time_scale_explains_is_no_other_clock() {
        let keys = |far_rounding_ns, offset_ns, scale: bool| {
            let mut report = quiet();
            report.reflector.set_ip(report.sender.ip());
            report.figures.far_rounding_ns = far_rounding_ns;
            if scale {
                let line = String::new();
                report.notes.push(warning("time-scale", line));
            }
            report.take_clocks(Some(ClockEstimate {
                offset_ns,
                ..estimate()
            }));
            let other = report.notes.iter().any(|note| note.key == "another-clock");
            (report.is_one_clock(), other)
        };
        assert_eq!(keys(0, -3_000_000, false), (false, true));
        assert_eq!(keys(4_000_000, -3_000_000, false), (true, false));
        assert_eq!(keys(4_000_000, -5_000_000, false), (false, true));
        assert_eq!(keys(0, 37_000_000_000, true), (false, false));
    }
}
