//! What this host did not send as requested.

use twinpath_metrics::FirstDepartures;

use super::Host;
use crate::SessionReport;

/// A departure is reported that is later than two intervals, from this to that.
const WAITED_NS: i64 = 50_000_000;
const LONG_NS: i64 = 500_000_000;

pub(super) fn of(report: &SessionReport) -> Vec<Host> {
    let mut findings = Vec::new();
    let counters = &report.counters;
    if let (count @ 1.., Some(reason)) = (counters.send_errors, report.refusals.send) {
        findings.push(Host::NotSent { count, reason });
    }
    if let count @ 1.. = counters.slots_skipped {
        findings.push(Host::FellBehind {
            count,
            is_postponed: counters.asked.is_some(),
            achieved_pps: report.achieved_pps.unwrap_or(0.0),
            largest_burst: counters.largest_burst,
        });
    }
    if let count @ 1.. = report.icmp_foreign {
        findings.push(Host::IcmpForeign { count });
    }
    if counters.received > 0 {
        findings.extend(report.icmp.iter().map(|icmp| Host::Icmp {
            what: icmp.what.clone(),
            from: icmp.from,
            count: icmp.count,
        }));
    }
    findings
}

/// Packets that waited in this host: the state of the path meanwhile is unknown.
pub(super) fn late(report: &SessionReport) -> Vec<Host> {
    let mut findings = Vec::new();
    let Some(departure) = report.figures.departure else {
        return findings;
    };
    let longest_ns = match waited_first(report) {
        Some(first) => {
            findings.push(Host::FirstPacketsWaited {
                longest_ns: first.longest_ns,
                is_ipv6: report.identity.reflector.is_ipv6(),
            });
            first.later_ns
        }
        None => departure.max_ns,
    };
    if is_late(report, longest_ns) {
        findings.push(Host::DeparturesLate { longest_ns });
    }
    findings
}

/// The first packets left together, late, and waited for that after they were handed to the system.
pub(super) fn waited_first(report: &SessionReport) -> Option<FirstDepartures> {
    let first = report.figures.first_departures?;
    let waited_ns = i128::from(report.counters.own_wait_ns);
    let waited = waited_ns * 10 >= i128::from(first.sum_ns) * 9;
    (waited && is_late(report, first.longest_ns) && first.are_late_alone()).then_some(first)
}

fn is_late(report: &SessionReport, late_ns: i64) -> bool {
    let gap_ns = i64::try_from(report.identity.schedule.usual_gap().as_nanos()).unwrap_or(i64::MAX);
    late_ns > gap_ns.saturating_mul(2).clamp(WAITED_NS, LONG_NS)
}
