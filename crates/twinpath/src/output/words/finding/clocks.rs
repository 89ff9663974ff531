//! The validity of one-way figures.

use twinpath_report::finding::{Clocks, NTP_PPM};

use super::{if_so, packets, times};

fn disagreement(near: bool, far: bool, is_negative: bool) -> &'static str {
    match (near, far, is_negative) {
        (_, _, true) => "a one-way delay is negative, so the clocks disagree",
        (false, false, _) => "neither clock is synchronized",
        (false, true, _) => "the sender's clock is not synchronized",
        (true, _, _) => "the reflector's clock is not synchronized",
    }
}

pub(super) fn line(finding: &Clocks) -> String {
    match finding {
        Clocks::TimeScale => "one-way delays are off by about 37 s (TAI - UTC): the ends use different time scales"
            .to_owned(),
        Clocks::ClocksNotSynchronized {
            near,
            far,
            is_negative,
            is_round_trip_sound,
        } => {
            let why = disagreement(*near, *far, *is_negative);
            let sound = if_so(
                *is_round_trip_sound,
                "; round trip and variation are valid",
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
                "the sender's"
            };
            format!(
                "{whose} clock stepped ({count}): {} left out of the delays",
                packets(*left_out)
            )
        }
        Clocks::Suspended { count, duration } => format!(
            "this host was suspended for {duration:.1?}{}: nothing was sent, replies that arrived then are lost, and packets under way are left out of the delays",
            times(*count)
        ),
        Clocks::AnotherClock { least_offset_ns } => {
            let apart = match least_offset_ns / 1_000 {
                0 => String::new(),
                us => format!(", at least {us} us away"),
            };
            format!(
                "both addresses are of one host, but the reflector uses another clock{apart}: packets are forwarded to another host, or the reflector does not use that host's clock"
            )
        }
        Clocks::ClocksDisproved {
            claimed_ns,
            least_offset_ns,
        } => format!(
            "both clocks claim to be within {} us of each other, but the packets prove an offset of at least {} us: one-way delays are unreliable",
            claimed_ns / 1_000,
            least_offset_ns / 1_000
        ),
        Clocks::FarClockStep {
            count,
            first_ns,
            is_round_trip_sound,
        } => {
            let sound = if_so(*is_round_trip_sound, "; the round trip is valid");
            format!(
                "the reflector's clock stepped ({count}, first by {} us): raw one-way delays jump too{sound}",
                first_ns / 1_000
            )
        }
        Clocks::ClockRate { skew_ppm } => {
            let side = if *skew_ppm < 0.0 { "slower" } else { "faster" };
            format!(
                "the reflector's clock runs {:.0} ppm {side} than the sender's: NTP corrects at most {NTP_PPM} ppm, so one of the two is not disciplined",
                skew_ppm.abs()
            )
        }
        Clocks::ClockRateChanged { count } => format!(
            "a clock changed its rate during the run ({count}): one-way figures restart there"
        ),
        Clocks::PathChanged => "the minimum round trip changed during the run: the path seems to have changed; de-skewed one-way figures mix both"
            .to_owned(),
    }
}
