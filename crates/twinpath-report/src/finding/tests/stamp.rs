//! What only STAMP tells.

use std::time::Duration;

use twinpath_wire::{ErrorEstimate, TimeFormat, TlvType};

use super::super::*;
use super::{quiet, seen};

#[test]
fn direct_measurement_says_how_many_are_lost_each_way_unless_it_began_again() {
    let mut report = quiet();
    report.figures.lost = 3;
    assert_eq!(CountedLosses::of(&report), None);
    let counts = |counts: [u32; 3]| counts.map(u32::to_be_bytes).concat();
    let mut learnt = seen(TlvType::DIRECT_MEASUREMENT, 7, 0);
    learnt.tlvs[0].first.octets = counts([1, 1, 1]);
    learnt.tlvs[0].last.octets = counts([10, 9, 9]);
    report.learnt = Some(learnt);
    let (forward, backward) = (1, 2);
    let counted = CountedLosses { forward, backward };
    assert_eq!(CountedLosses::of(&report), Some(counted));
    (
        report.figures.lost_forward,
        report.figures.lost_before_a_reply,
    ) = (None, 2);
    let reason = NoDirection::NoCounter;
    let counted = Some(counted);
    let said = Losses::DirectionUnknown { reason, counted };
    assert!(decide(&report).contains(&said.into()));
    report.learnt.as_mut().unwrap().tlvs[0].restarts = 1;
    assert_eq!(CountedLosses::of(&report), None);
}

#[test]
fn the_format_of_the_far_end_is_that_by_which_its_times_were_read() {
    let mut report = quiet();
    assert_eq!(report.far_time_format(), None);
    for (claimed, wrong, format) in [
        (TimeFormat::Ntp, 0, TimeFormat::Ntp),
        (TimeFormat::Ptp, 0, TimeFormat::Ptp),
        (TimeFormat::Ptp, 10, TimeFormat::Ntp),
        (TimeFormat::Ntp, 10, TimeFormat::Ptp),
        (TimeFormat::Ptp, 1, TimeFormat::Ptp),
    ] {
        let error = ErrorEstimate::new(true, claimed, Duration::from_millis(1));
        report.counters.far_error = Some(error);
        report.counters.anomalies.z_wrong = wrong;
        assert_eq!(
            report.far_time_format(),
            Some(format),
            "{claimed:?} {wrong}"
        );
    }
}
