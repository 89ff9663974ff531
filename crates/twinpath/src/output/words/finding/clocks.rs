//! What one-way figures are worth.

use twinpath_report::finding::{Clocks, NTP_PPM};

use super::{if_so, packets, times};

pub(super) fn line(finding: &Clocks) -> String {
    match finding {
        Clocks::TimeScale => "one-way delays are off by about 37 s, TAI - UTC: the ends write \
                              different time scales"
            .to_owned(),
        Clocks::ClocksNotSynchronized {
            near,
            far,
            is_negative,
            is_round_trip_sound,
        } => {
            let why = match (near, far, is_negative) {
                (_, _, true) => "a one-way delay is negative, so the clocks disagree",
                (false, false, _) => "neither clock is synchronized",
                (false, true, _) => "this host's clock is not synchronized",
                (true, _, _) => "the reflector's clock is not synchronized",
            };
            let sound = if_so(
                *is_round_trip_sound,
                ", round trip and variation are reliable",
            );
            format!("{why}: one-way delays are unreliable{sound}")
        }
        Clocks::ClockStep {
            count,
            packets: left_out,
            is_of_capture,
        } => {
            let whose = if *is_of_capture {
                "the capture's"
            } else {
                "this host's"
            };
            format!(
                "{whose} clock stepped ({count}): {} left out of the delays",
                packets(*left_out)
            )
        }
        Clocks::Suspended { count, duration } => format!(
            "this host was suspended for {duration:.1?}{}: nothing was sent meanwhile, replies that came \
             then are lost, and packets on the path at that time are left out of the delays",
            times(*count)
        ),
        Clocks::AnotherClock { least_offset_ns } => {
            let apart = match least_offset_ns / 1_000 {
                0 => String::new(),
                us => format!(", at least {us} us away"),
            };
            format!(
                "both addresses are this host's, but the reflector's times are those of another \
                 clock{apart}: something here forwards the packets to another host, or the reflector \
                 reads no clock of this host"
            )
        }
        Clocks::ClocksDisproved {
            claimed_ns,
            least_offset_ns,
        } => format!(
            "both clocks claim to be within {} us of each other, and packets prove that they are at \
             least {} us apart: one-way delays are unreliable",
            claimed_ns / 1_000,
            least_offset_ns / 1_000
        ),
        Clocks::FarClockStep {
            count,
            first_ns,
            is_round_trip_sound,
        } => {
            let sound = if_so(*is_round_trip_sound, ", the round trip is reliable");
            format!(
                "the reflector's clock stepped ({count}; the first time by {} us): raw one-way delays \
                 jump with it{sound}",
                first_ns / 1_000
            )
        }
        Clocks::ClockRate { skew_ppm } => {
            let side = if *skew_ppm < 0.0 { "slower" } else { "faster" };
            format!(
                "the reflector's clock runs {:.0} ppm {side} than this host's: NTP corrects {NTP_PPM} ppm \
                 at most, so one of the two is not disciplined",
                skew_ppm.abs()
            )
        }
        Clocks::ClockRateChanged { count } => format!(
            "a clock changed its rate during the run ({count}): one-way figures start again there"
        ),
        Clocks::PathChanged => "the least round trip changed during the run: the path changed, or \
                                seems to have; de-skewed one-way figures mix both"
            .to_owned(),
    }
}
