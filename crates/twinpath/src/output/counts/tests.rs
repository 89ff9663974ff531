//! Lines of counts, of reports built by hand.

use std::time::Duration;

use twinpath_proto::sender::Schedule;

use super::*;
use crate::output::fixtures;

fn page(report: &SessionReport) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn no_direction_is_without_loss_if_a_loss_has_no_direction() {
    let mut report = fixtures::quiet_path();
    let cell = |report: &SessionReport, lost| loss(report, lost, 100);
    assert_eq!(cell(&report, Some(0)).as_deref(), Some("0%"));
    report.counters.lost = 3;
    assert_eq!(cell(&report, None), None);
    assert_eq!(cell(&report, Some(0)).as_deref(), Some("0%"));
    assert_eq!(cell(&report, Some(3)).as_deref(), Some("3.00%"));
    report.figures.lost_unattributed = Some(1);
    assert_eq!(cell(&report, Some(0)), None);
    assert_eq!(cell(&report, Some(2)).as_deref(), Some(">=2.00%"));
    report.figures.direction_uncertain = true;
    assert_eq!(cell(&report, Some(0)), None);
    assert_eq!(cell(&report, Some(2)).as_deref(), Some("~2.00%"));
}

#[test]
fn late_packets_are_explained() {
    let mut report = fixtures::quiet_path();
    (report.counters.lost, report.counters.received) = (3, 97);
    (report.figures.late, report.figures.lost_unattributed) = (3, Some(3));
    let late = page(&report);
    assert!(
        late.contains("\nLost             0 outbound, 0 inbound, 3 late\n"),
        "{late}"
    );
    report.figures.lost_unattributed = Some(4);
    let both = page(&report);
    assert!(
        both.contains(" inbound, 3 late, 1 in unknown direction\n"),
        "{both}"
    );
    report.figures.lost_forward = None;
    let unknown = page(&report);
    assert!(unknown.contains("\nLost             3 late\n"), "{unknown}");
    report.counters.lost = 5;
    let unknown = page(&report);
    assert!(
        unknown.contains("\nLost             2 in unknown direction, 3 late\n"),
        "{unknown}"
    );
    report.figures.late = 0;
    let unknown = page(&report);
    assert!(
        unknown.contains("\nLost             5 in unknown direction\n"),
        "{unknown}"
    );
}

#[test]
fn packets_in_flight_are_given_beside_those_that_count() {
    let mut report = fixtures::nothing_came_back();
    let counters = &mut report.counters;
    (counters.sent, counters.lost, counters.in_flight) = (280, 280, 20);
    counters.asked = None;
    let page = page(&report);
    assert!(
        page.starts_with(
            "Packets          280 sent, 0 received, 280 lost, in 9.9 s\n\
             Under way        20 at the end: neither sent nor lost\n"
        ),
        "{page}"
    );
}

#[test]
fn one_host_has_one_clock_on_one_line() {
    let mut report = fixtures::quiet_path();
    report
        .identity
        .reflector
        .set_ip(report.identity.sender.ip());
    report.stamps.clock.synchronized = false;
    let mut page = Vec::new();
    let style = crate::output::style::Style::PLAIN;
    crate::output::text::write(&report, &fixtures::meta(), style, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let line = page.lines().find(|line| line.starts_with("Clocks"));
    assert_eq!(
        line,
        Some("Clocks           both ends on one host: one clock (not synchronized)")
    );
}

#[test]
fn reordering_names_the_pattern_and_a_random_one_has_no_missed_rate() {
    let mut report = fixtures::quiet_path();
    (report.figures.reordered, report.achieved_pps) = (3, Some(9.0));
    let periodic = page(&report);
    assert!(
        periodic.contains("3 reordered (schedule periodic), 0"),
        "{periodic}"
    );
    assert!(periodic.contains("9 packets/s of 10"), "{periodic}");
    report.identity.schedule = Schedule::Poisson {
        mean: Duration::from_millis(100),
    };
    let poisson = page(&report);
    assert!(
        poisson.contains("3 reordered (schedule poisson), 0"),
        "{poisson}"
    );
    assert!(!poisson.contains("Rate"), "{poisson}");
}

#[test]
fn one_takes_the_singular() {
    let mut report = fixtures::quiet_path();
    (report.counters.duplicates, report.counters.slots_skipped) = (1, 1);
    let counted = page(&report);
    assert!(counted.contains("0 reordered, 1 duplicate\n"), "{counted}");
    assert!(counted.contains("1 departure postponed\n"), "{counted}");
    // A duration is not extended.
    (report.counters.asked, report.counters.slots_skipped) = (None, 12);
    let timed = page(&report);
    assert!(timed.contains("12 departures skipped\n"), "{timed}");
}
