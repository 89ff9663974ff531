//! Packets that waited in this host.

use super::*;

#[test]
fn a_long_wait_in_this_host_and_losses_of_large_packets_are_reported_and_short_and_small_ones_are_not()
 {
    let keys = |change: fn(&mut SessionReport)| {
        let mut report = quiet();
        change(&mut report);
        keys(&report)
    };
    let size = |octets, received, lost| SizeCounts {
        octets,
        received,
        lost,
    };
    assert_eq!(
        keys(|r| {
            (r.counters.stamped, r.counters.own_wait_ns) = (10, 225_000_000);
        }),
        ["own-wait"]
    );
    let none: [&str; 0] = [];
    let short =
        |r: &mut SessionReport| (r.counters.stamped, r.counters.own_wait_ns) = (10, 9_000_000);
    assert_eq!(keys(short), none);
    // A late process sends late: that is not a wait of a packet.
    let late = |r: &mut SessionReport| {
        r.figures.departure.as_mut().unwrap().median_ns = 22_600_000;
        (r.counters.stamped, r.counters.own_wait_ns) = (10, 90_000);
    };
    assert_eq!(keys(late), none);
    let lost = |sizes: Vec<SizeCounts>| {
        let mut report = quiet();
        report.figures.by_size = sizes;
        decide(&report).len()
    };
    assert_eq!(lost(vec![size(22, 100, 1), size(1_472, 0, 10)]), 1);
    assert_eq!(
        lost(vec![size(22, 50, 50), size(1_472, 0, 10)]),
        0,
        "all sizes"
    );
    assert_eq!(lost(vec![size(22, 100, 1), size(1_472, 9, 2)]), 0, "a few");
}

#[test]
fn what_waited_besides_the_first_packets_is_reported_too() {
    let mut report = quiet();
    let first = FirstDepartures {
        later_ns: 400_000_000,
        ..HELD
    };
    report.figures.first_departures = Some(first);
    report.figures.departure.as_mut().unwrap().max_ns = first.longest_ns;
    (report.counters.stamped, report.counters.own_wait_ns) = (10, 4_600_000_000);
    let found = keys(&report);
    for key in ["first-packets-waited", "departures-late", "own-wait"] {
        assert!(found.iter().any(|it| it == key), "{key}: {found:?}");
    }
    // Later packets waited as long: a queue, not the neighbour's address.
    report.figures.first_departures.as_mut().unwrap().later_ns = 600_000_000;
    assert!(!keys(&report).iter().any(|it| it == "first-packets-waited"));
}

#[test]
fn a_wait_of_the_first_packets_in_the_system_is_told_from_a_process_that_is_late() {
    let mut report = quiet();
    report.figures.first_departures = Some(HELD);
    report.figures.departure.as_mut().unwrap().max_ns = HELD.longest_ns;
    (report.counters.stamped, report.counters.own_wait_ns) = (10, 4_500_000_000);
    assert_eq!(keys(&report), ["first-packets-waited"]);
    report.counters.own_wait_ns = 9_000_000;
    assert_eq!(keys(&report), ["departures-late"]);
    // At long intervals, half a second is late.
    let mut report = quiet();
    report.identity.schedule = Schedule::every(Duration::from_secs(1));
    report.figures.departure.as_mut().unwrap().max_ns = 600_000_000;
    assert_eq!(keys(&report), ["departures-late"]);
}
