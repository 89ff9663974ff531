//! What sessions of several files have in common: their packets, or the time in which they ran.

use std::time::Duration;

use twinpath_report::SessionReport;
use twinpath_wire::{Delta, Wall};

/// Whether both are of the same packets: no two sessions of different files have the same ends, and
/// SSID where there is one, at the same time.
pub(super) fn same_packets(one: &SessionReport, other: &SessionReport) -> bool {
    let ends = |report: &SessionReport| {
        (
            report.identity.sender,
            report.identity.reflector,
            report.identity.wire,
        )
    };
    let ([begun, over], [other_begun, other_over]) = (span(one), span(other));
    ends(one) == ends(other) && begun <= other_over && other_begun <= over
}

/// For how long at least one of them ran.
pub(super) fn together(reports: &[SessionReport]) -> Duration {
    let mut spans: Vec<[Wall; 2]> = reports.iter().map(span).collect();
    spans.sort_unstable();
    let mut sum = Duration::ZERO;
    let mut until = None;
    for [begun, over] in spans {
        let new = until.map_or(begun, |until: Wall| until.max(begun));
        sum = sum.saturating_add(Duration::from_nanos(
            u64::try_from((over - new).ns()).unwrap_or(0),
        ));
        until = Some(until.map_or(over, |until| until.max(over)));
    }
    sum
}

/// From its beginning to its end.
fn span(report: &SessionReport) -> [Wall; 2] {
    [
        report.started,
        report.started + Delta::from_duration(report.duration),
    ]
}

#[cfg(test)]
mod tests {
    use twinpath_proto::sender::Wire;

    use super::*;
    use crate::output::fixtures;

    fn ran(from_s: i64, for_s: u64) -> SessionReport {
        let mut report = fixtures::quiet_path();
        report.started = Wall::from_unix_ns(from_s * 1_000_000_000);
        report.duration = Duration::from_secs(for_s);
        report
    }

    #[test]
    fn time_that_several_shared_counts_once() {
        for (runs, seconds) in [
            (vec![ran(10, 5)], 5),
            (vec![ran(10, 5), ran(10, 5), ran(10, 5)], 5),
            (vec![ran(20, 5), ran(10, 5)], 10),
            (vec![ran(10, 5), ran(12, 10), ran(13, 1)], 12),
        ] {
            assert_eq!(together(&runs), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn two_sessions_are_one_only_between_the_same_ends_at_the_same_time() {
        let one = ran(10, 5);
        assert!(same_packets(&one, &ran(10, 5)));
        assert!(same_packets(&ran(14, 9), &one));
        assert!(!same_packets(&one, &ran(16, 5)));
        let mut other = ran(10, 5);
        other.identity.sender.set_port(1);
        assert!(!same_packets(&one, &other));
        let [mut one, mut other] = [ran(10, 5), ran(10, 5)];
        one.identity.wire = Wire::stamp(1);
        other.identity.wire = Wire::stamp(2);
        assert!(!same_packets(&one, &other));
        assert!(same_packets(&one, &one));
    }
}
