//! What this host did not send as requested.

use super::Host;
use crate::SessionReport;

/// A departure this late is reported.
const WAITED_NS: i64 = 50_000_000;

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
pub(super) fn late(report: &SessionReport) -> Option<Host> {
    let longest_ns = report.figures.departure?.max_ns;
    let gap_ns = i64::try_from(report.identity.schedule.usual_gap().as_nanos()).unwrap_or(i64::MAX);
    let is_late = longest_ns > gap_ns.saturating_mul(2).max(WAITED_NS);
    is_late.then_some(Host::DeparturesLate { longest_ns })
}
