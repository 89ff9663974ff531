//! The reason why nothing came back is reported as far as it is known.

#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "a row of a table is one expression"
)]

use twinpath_net::IcmpKind;
use twinpath_proto::sender::{SenderCounters, Wire};

use super::super::tests::{far, keys, silent};
use super::super::{IcmpCause, Unreached, decide};
use super::*;
use crate::{IcmpRefusal, MicroSession};

#[test]
fn a_run_without_replies_reports_what_is_known() {
    type Change = fn(&mut SessionReport);
    let rows: [(&str, Change); 16] = [
        ("nothing-came-back", |_| {}),
        ("nothing-left", |report| {
            report.refusals.no_departure_seen = true
        }),
        ("all-replies-late", |report| report.counters.late = 10),
        ("answers-from-elsewhere", |report| {
            report.counters.anomalies.last_elsewhere = Some(far())
        }),
        ("echo-service", |report| {
            report.counters.anomalies.looks_like_request = 1
        }),
        ("another-ssid", |report| {
            report.counters.anomalies.other_ssid = 1
        }),
        ("forged-replies", |report| {
            report.counters.anomalies.forged = 1
        }),
        ("other-mode", |report| {
            report.counters.anomalies.other_mode = 1
        }),
        ("other-micro-session", |report| {
            report.counters.anomalies.micro_session = 1
        }),
        ("another-protocol", |report| {
            report.counters.anomalies.not_a_reply = 1
        }),
        ("port-unreachable", |report| {
            icmp(report, IcmpKind::PortUnreachable)
        }),
        ("prohibited", |report| icmp(report, IcmpKind::Prohibited)),
        ("unreachable", |report| {
            icmp(report, IcmpKind::HostUnreachable)
        }),
        ("ttl-exceeded", |report| icmp(report, IcmpKind::TtlExceeded)),
        ("too-big", |report| {
            icmp(report, IcmpKind::TooBig { mtu: 1400 })
        }),
        ("icmp-error", |report| {
            icmp(report, IcmpKind::Other { kind: 4, code: 0 })
        }),
    ];
    for (key, change) in rows {
        let mut report = silent();
        change(&mut report);
        assert_eq!(keys(&report), [key]);
    }
}

/// An ICMP error came back for a packet of this run.
fn icmp(report: &mut SessionReport, kind: IcmpKind) {
    report.refusals.icmp = Some(IcmpRefusal {
        kind,
        from: Some(far().ip()),
        is_own: true,
    });
}

#[test]
fn an_icmp_error_that_quotes_too_little_is_reported_as_doubtful() {
    let mut report = silent();
    report.icmp_foreign = 2;
    assert_eq!(keys(&report), ["nothing-came-back", "icmp-foreign"]);
    for is_own in [false, true] {
        icmp(&mut report, IcmpKind::PortUnreachable);
        report.refusals.icmp.as_mut().unwrap().is_own = is_own;
        let cause = IcmpCause {
            far: far(),
            from: None,
            is_negotiated: false,
            is_own,
            others: None,
        };
        assert_eq!(decide(&report)[0], Unreached::PortUnreachable(cause).into());
    }
}

#[test]
fn a_run_stopped_before_any_fate_reports_only_refusals() {
    let mut report = silent();
    report.counters = SenderCounters {
        in_flight: 5,
        ..SenderCounters::default()
    };
    assert_eq!(keys(&report), [""; 0]);
    icmp(&mut report, IcmpKind::PortUnreachable);
    assert_eq!(keys(&report), ["port-unreachable"]);
}

#[test]
fn a_far_end_that_answers_other_sessions_is_not_at_fault_alone() {
    let mut report = silent();
    let others = |report: &mut SessionReport, answered| {
        report.findings = decide(report);
        report.put_beside(answered, 8);
        report.findings.iter().any(Finding::has_answered_others)
    };
    assert!(others(&mut report, 7));
    assert!(!others(&mut report, 0));
    icmp(&mut report, IcmpKind::PortUnreachable);
    assert!(others(&mut report, 7));
    report.counters.late = 1;
    // Late replies say what they say of each session.
    assert!(!others(&mut report, 7));
}

#[test]
fn a_silent_far_end_of_stamp_has_what_it_may_discard_packets_for() {
    let mut report = silent();
    let found = |report: &SessionReport| match decide(report).into_iter().next() {
        Some(Finding::Silence(Silence::NothingCameBack {
            ssid,
            micro_session,
            is_authenticated,
            ..
        })) => (ssid, micro_session, is_authenticated),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&report), (None, None, false));
    report.identity.wire = Wire::stamp(7).authenticated();
    report.identity.micro_session = Some(MicroSession {
        id: 1,
        far_id: Some(11),
        interface: None,
    });
    let ids = Ids {
        id: 1,
        far_id: Some(11),
    };
    assert_eq!(found(&report), (Some(7), Some(ids), true));
}
