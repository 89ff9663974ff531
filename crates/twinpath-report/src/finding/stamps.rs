//! The validity of the timestamps and records.

use twinpath_wire::Rung;

use super::{Finding, Host, delays};
use crate::SessionReport;

pub(super) fn of(report: &SessionReport, findings: &mut Vec<Finding>) {
    let (stamps, refusals) = (&report.stamps, &report.refusals);
    let hardware = [stamps.transmit, stamps.receive].contains(&Some(Rung::Hardware));
    let reason = &refusals.no_hardware;
    let is_known = reason.is_some() || report.counters.sent > 0;
    if refusals.hardware_asked && !hardware && is_known {
        let reason = reason.clone();
        findings.push(Host::NoHardwareStamps { reason }.into());
    }
    findings.extend(delays::negative(report).map(Finding::from));
    let fell = [
        (true, stamps.transmit, stamps.fallback_transmit),
        (false, stamps.receive, stamps.fallback_receive),
    ];
    for (is_transmit, rung, count) in fell {
        if let (Some(rung), 1..) = (rung, count) {
            findings.push(
                Host::StampsFellBack {
                    is_transmit,
                    rung,
                    count,
                }
                .into(),
            );
        }
    }
    if let count @ 1.. = report.receive_drops {
        findings.push(Host::ReceiveDrops { count }.into());
    }
    if let count @ 1.. = report.rebinds {
        findings.push(Host::InterfaceMadeAgain { count }.into());
    }
    if let count @ 1.. = report.records_dropped {
        findings.push(Host::RecordsDropped { count }.into());
    }
}
