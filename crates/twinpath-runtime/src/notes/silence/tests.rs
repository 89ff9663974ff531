//! Why nothing came back is said as far as it is known.

#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "a row of a table is one expression"
)]

use twinpath_net::{IcmpError, IcmpKind, Quote};
use twinpath_proto::sender::SenderTally;

use super::super::of;
use super::super::tests::{far, keys, plan, silent};
use super::*;
use crate::sender::Quoted;

#[test]
fn silence_says_what_is_known() {
    type Change = fn(&mut SessionReport, &mut Refusals);
    fn icmp(kind: IcmpKind) -> IcmpError {
        IcmpError {
            kind,
            from: Some(far().ip()),
            to: Some(far()),
            quote: Quote::default(),
        }
    }
    let rows: [(&str, Change); 13] = [
        ("nothing-came-back", |_, _| {}),
        ("nothing-left", |_, refusals| refusals.unheard = true),
        ("all-replies-late", |report, _| report.tally.late = 10),
        ("answers-from-elsewhere", |report, _| {
            report.tally.odd.last_elsewhere = Some(far())
        }),
        ("echo-service", |report, _| {
            report.tally.odd.looks_like_request = 1
        }),
        ("another-ssid", |report, _| report.tally.odd.other_ssid = 1),
        ("another-protocol", |report, _| {
            report.tally.odd.not_a_reply = 1
        }),
        ("port-unreachable", |_, refusals| {
            refusals.icmp(&icmp(IcmpKind::PortUnreachable), far(), Quoted::Own)
        }),
        ("prohibited", |_, refusals| {
            refusals.icmp(&icmp(IcmpKind::Prohibited), far(), Quoted::Own)
        }),
        ("unreachable", |_, refusals| {
            refusals.icmp(&icmp(IcmpKind::HostUnreachable), far(), Quoted::Own)
        }),
        ("ttl-exceeded", |_, refusals| {
            refusals.icmp(&icmp(IcmpKind::TtlExceeded), far(), Quoted::Own)
        }),
        ("too-big", |_, refusals| {
            refusals.icmp(&icmp(IcmpKind::TooBig { mtu: 1400 }), far(), Quoted::Own)
        }),
        ("icmp-error", |_, refusals| {
            refusals.icmp(
                &icmp(IcmpKind::Other { kind: 4, code: 0 }),
                far(),
                Quoted::Own,
            );
        }),
    ];
    for (key, change) in rows {
        let (mut report, mut refusals) = (silent(), Refusals::default());
        change(&mut report, &mut refusals);
        assert_eq!(keys(&report, &refusals), [key]);
    }
}

#[test]
fn a_closed_port_is_not_advised_again() {
    for (port, advice) in [
        (862, "try the other usual port, 20001;"),
        (20_001, "try the other usual port, 862;"),
        (9, "try the usual ports 862 and 20001;"),
    ] {
        let (mut report, mut refusals) = (silent(), Refusals::default());
        report.reflector.set_port(port);
        let error = IcmpError {
            kind: IcmpKind::PortUnreachable,
            from: None,
            to: Some(report.reflector),
            quote: Quote::default(),
        };
        refusals.icmp(&error, report.reflector, Quoted::Own);
        let notes = of(&report, &refusals, &plan());
        assert!(notes[0].line.contains(advice), "{}", notes[0].line);
    }
}

#[test]
fn another_run_s_icmp_errors_say_nothing_of_this_one() {
    let mut refusals = Refusals::default();
    let to = Some("192.0.2.9:862".parse().unwrap());
    refusals.icmp(
        &IcmpError {
            kind: IcmpKind::PortUnreachable,
            from: None,
            to,
            quote: Quote::default(),
        },
        far(),
        Quoted::Unknown,
    );
    let own = IcmpError {
        kind: IcmpKind::PortUnreachable,
        from: None,
        to: Some(far()),
        quote: Quote::default(),
    };
    refusals.icmp(&own, far(), Quoted::Foreign);
    assert_eq!(keys(&silent(), &refusals), ["nothing-came-back"]);
    assert_eq!(refusals.icmp_foreign, 2);
    let mut report = silent();
    report.icmp_foreign = 2;
    assert_eq!(
        keys(&report, &refusals),
        ["nothing-came-back", "icmp-foreign"]
    );
    // What quotes nothing is reported with that doubt, unless another one is surely this run's.
    refusals.icmp(&own, far(), Quoted::Unknown);
    refusals.icmp(&own, far(), Quoted::Unknown);
    let line = |refusals: &Refusals| of(&silent(), refusals, &plan()).remove(0).line;
    assert!(line(&refusals).contains("quotes too little"));
    let prohibited = IcmpError {
        kind: IcmpKind::Prohibited,
        ..own
    };
    refusals.icmp(&prohibited, far(), Quoted::Own);
    assert!(!line(&refusals).contains("quotes too little"));
    assert_eq!(keys(&silent(), &refusals), ["prohibited"]);
}

#[test]
fn a_run_stopped_before_any_fate_says_only_what_refused_it() {
    let (mut report, mut refusals) = (silent(), Refusals::default());
    report.tally = SenderTally {
        in_flight: 5,
        ..SenderTally::default()
    };
    assert_eq!(keys(&report, &refusals), [""; 0]);
    let error = IcmpError {
        kind: IcmpKind::PortUnreachable,
        from: None,
        to: None,
        quote: Quote::default(),
    };
    refusals.icmp(&error, far(), Quoted::Own);
    assert_eq!(keys(&report, &refusals), ["port-unreachable"]);
}
