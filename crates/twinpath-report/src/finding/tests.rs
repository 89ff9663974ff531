//! Each finding is made for its own reason, and only then.

#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "a row of a table is one expression"
)]

mod json;
mod stamp;
mod waits;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::{
    Basis, DelayFigures, FarTimes, FirstDepartures, MetricsConfig, ReflectorKind, RemarkCounts,
    SessionMetrics, SizeCounts,
};
use twinpath_net::{NoHardware, SendError};
use twinpath_proto::extension::{HmacFault, Learnt, Seen};
use twinpath_proto::sender::{Schedule, SenderCounters, Wire};
use twinpath_wire::{Delta, Dscp, Fate, Rung, Sample, Stamp, TlvType, Tos, Wall};

use super::*;
use crate::{ClockState, IcmpCount, Identity, StampReport};

const FAR: &str = "192.0.2.2:862";

pub(super) fn far() -> SocketAddr {
    FAR.parse().unwrap()
}

/// Packets that were due over 200 ms and left together.
const HELD: FirstDepartures = FirstDepartures {
    longest_ns: 1_000_000_000,
    sum_ns: 4_500_000_000,
    later_ns: 0,
};

/// Replies with a TLV of this type, which some had processed.
fn seen(kind: TlvType, processed: u64, unrecognized: u64) -> Box<Learnt> {
    let mut seen = Seen::of(kind);
    (seen.processed, seen.unrecognized) = (processed, unrecognized);
    Box::new(Learnt {
        tlvs: vec![seen],
        ..Learnt::default()
    })
}

/// Ten round trips of a millisecond between synchronized clocks.
pub(crate) fn quiet() -> SessionReport {
    let mut metrics = SessionMetrics::new();
    for seq in 0..10 {
        let at =
            |us: i64| Wall::from_unix_ns(1_800_000_000_000_000_000 + seq * 10_000_000 + us * 1000);
        metrics.record(&Sample {
            seq: seq.unsigned_abs(),
            fate: Fate::Received,
            t1: Stamp {
                at: at(0),
                rung: Rung::Kernel,
            },
            t2: Some(at(500)),
            t3: Some(at(550)),
            t4: Some(Stamp {
                at: at(1050),
                rung: Rung::Kernel,
            }),
            reflector_seq: u32::try_from(seq + 1).ok(),
            ttl_forward: Some(255),
            ttl_backward: Some(255),
            tos_forward: None,
            tos_backward: Some(Tos(0)),
            departure: Delta::from_ns(50_000),
            excluded: None,
        });
    }
    let synchronized = ClockState {
        synchronized: true,
        error_ns: Some(1_000_000),
    };
    let identity = Identity {
        number: 1,
        wire: Wire::TWAMP_LIGHT,
        sid: None,
        sender: "192.0.2.1:20000".parse().unwrap(),
        reflector: far(),
        schedule: Schedule::every(Duration::from_millis(10)),
        seed: 0,
        timeout: Duration::from_secs(2),
        start_within: Duration::from_millis(10),
        tos: Tos(0),
        ttl: 255,
        padding: 27,
        target: None,
        path: None,
        micro_session: None,
    };
    SessionReport {
        started: Wall::from_unix_ns(0),
        duration: Duration::from_millis(100),
        achieved_pps: Some(100.0),
        stamps: StampReport {
            transmit: Some(Rung::Kernel),
            receive: Some(Rung::Kernel),
            fallback_transmit: 0,
            fallback_receive: 0,
            clock: synchronized,
            far_clock: Some(synchronized),
        },
        counters: SenderCounters {
            asked: Some(10),
            sent: 10,
            received: 10,
            ..SenderCounters::default()
        },
        origin: crate::Origin::Run,
        ..SessionReport::new(identity, &metrics, MetricsConfig::default())
    }
}

/// A run in which nothing came back.
pub(super) fn silent() -> SessionReport {
    let mut report = quiet();
    report.counters = SenderCounters {
        asked: Some(10),
        sent: 10,
        lost: 10,
        ..SenderCounters::default()
    };
    report.figures = SessionMetrics::new().figures();
    report
}

/// Keys and severities.
pub(super) fn states(findings: &[Finding]) -> Vec<(String, Severity)> {
    let states = findings
        .iter()
        .map(|finding| (finding.key().into_owned(), finding.severity()));
    states.collect()
}

pub(super) fn keys(report: &SessionReport) -> Vec<String> {
    let findings = decide(report).into_iter();
    findings.map(|finding| finding.key().into_owned()).collect()
}

fn delay(report: &mut SessionReport, change: impl Fn(&mut DelayFigures)) {
    for delay in [&mut report.figures.forward, &mut report.figures.backward] {
        change(delay.as_mut().unwrap());
    }
}

#[test]
fn a_quiet_path_has_no_findings() {
    assert_eq!(keys(&quiet()), [""; 0]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_peculiarity_has_its_finding() {
    type Change = fn(&mut SessionReport);
    let rows: [(&str, bool, Change); 45] = [
        ("clocks-not-synchronized", true, |r| {
            r.stamps.clock.synchronized = false
        }),
        ("clocks-not-synchronized", true, |r| {
            r.stamps.far_clock = None
        }),
        ("clocks-not-synchronized", true, |r| {
            delay(r, |delay| delay.min_ns = -200_000)
        }),
        ("time-scale", true, |r| {
            delay(r, |delay| delay.median_ns = -37_000_000_000)
        }),
        ("clock-step", true, |r| r.counters.clock_steps = 1),
        ("suspended", true, |r| r.counters.suspensions = 1),
        ("implausible", true, |r| r.figures.excluded_implausible = 1),
        ("residence-not-measured", false, |r| {
            r.figures.residence_never_measured = true
        }),
        ("residence-long", true, |r| {
            r.figures.residence.as_mut().unwrap().max_ns = 1_000_000_001
        }),
        ("direction-unknown", false, |r| {
            r.figures.lost = 1;
            r.figures.lost_forward = None;
            r.figures.lost_before_a_reply = 1;
        }),
        ("direction-uncertain", false, |r| {
            r.figures.direction_uncertain = true
        }),
        ("reflector-restarts", false, |r| {
            r.figures.reflector_restarts = 1
        }),
        ("sizes-differ", false, |r| {
            r.counters.anomalies.size_differs = 1;
            r.counters.anomalies.last_sizes = Some((100, 41));
        }),
        ("stopped-without-ssid", true, |r| {
            r.counters.anomalies.ssid_missing = 1;
            r.counters.stopped_without_ssid = true
        }),
        ("forged-replies", true, |r| r.counters.anomalies.forged = 1),
        ("other-mode", true, |r| r.counters.anomalies.other_mode = 1),
        ("other-micro-session", true, |r| {
            r.counters.anomalies.micro_session = 1
        }),
        ("ssid-missing", false, |r| {
            r.counters.anomalies.ssid_missing = 1
        }),
        ("twamp-light", false, |r| {
            let learnt = r.learnt.get_or_insert_default();
            learnt.moved = 1;
            r.counters.anomalies.ssid_missing = 1;
        }),
        ("twamp-light", false, |r| {
            r.learnt = Some(Box::default());
            r.counters.anomalies.ssid_missing = 1;
        }),
        ("twamp-light", false, |r| {
            r.learnt = Some(seen(TlvType::LOCATION, 0, 5))
        }),
        ("return-path-not-used", false, |r| {
            r.learnt = Some(seen(TlvType::RETURN_PATH, 0, 5))
        }),
        ("return-path-changed", true, |r| {
            r.learnt = Some(seen(TlvType::RETURN_PATH, 4, 5))
        }),
        ("tlv-not-used", false, |r| {
            r.learnt = Some(seen(TlvType::REFLECTED_CONTROL, 1, 5))
        }),
        ("tlv-not-used", false, |r| {
            let mut learnt = seen(TlvType::LOCATION, 5, 0);
            learnt.tlvs[0].malformed = 1;
            r.learnt = Some(learnt)
        }),
        ("tlv-not-used", false, |r| {
            let mut learnt = seen(TlvType::REFLECTED_CONTROL, 5, 0);
            learnt.tlvs[0].unmet = 1;
            r.learnt = Some(learnt)
        }),
        ("reply-dscp-refused", false, |r| {
            let mut learnt = seen(TlvType::CLASS_OF_SERVICE, 5, 0);
            learnt.tlvs[0].last.octets = vec![46 << 2, 1, 0, 0];
            r.learnt = Some(learnt)
        }),
        ("tlvs-not-verified", true, |r| {
            let learnt = r.learnt.get_or_insert_default();
            learnt.hmac_faults.add(HmacFault::Refused);
        }),
        ("figures-at-far-end", false, |r| r.figures.unawaited = 1),
        ("z-bit-wrong", false, |r| r.counters.anomalies.z_wrong = 1),
        ("error-estimate-zero", false, |r| {
            r.counters.anomalies.error_multiplier_zero = 1
        }),
        ("dscp-changed", false, |r| {
            r.figures.dscp_backward = vec![(Dscp::EF, 10)]
        }),
        ("answers-from-elsewhere", false, |r| {
            r.counters.anomalies.last_elsewhere = Some(far())
        }),
        ("late", false, |r| r.figures.late = 1),
        ("numbers-equal", false, |r| {
            r.config.reflector = ReflectorKind::Stateful;
            (r.figures.lost, r.figures.numbers_equal) = (1, true);
            r.figures.lost_before_a_reply = 1;
        }),
        ("ecn-changed-forward", false, |r| {
            r.figures.remarked_forward = Some(RemarkCounts { dscp: 0, ecn: 3 });
        }),
        ("fell-behind", true, |r| r.counters.slots_skipped = 5),
        ("incompletely-measured", true, |r| {
            r.counters.send_errors = 5
        }),
        ("incompletely-measured", true, |r| {
            r.figures.unmeasured_blocks = 1
        }),
        ("departures-late", true, |r| {
            r.figures.departure.as_mut().unwrap().max_ns = 60_000_000;
        }),
        ("stamps-fell-back", false, |r| {
            r.stamps.fallback_transmit = 1
        }),
        ("negative-round-trip", false, |r| {
            r.figures.round_trip.as_mut().unwrap().min_ns = -1
        }),
        ("negative-median", true, |r| {
            let round_trip = r.figures.round_trip.as_mut().unwrap();
            (round_trip.min_ns, round_trip.median_ns) = (-4_900, -700);
        }),
        ("receive-drops", true, |r| r.receive_drops = 1),
        ("records-dropped", true, |r| r.records_dropped = 1),
    ];
    for (key, warning, change) in rows {
        let mut report = quiet();
        change(&mut report);
        let severity = if warning {
            Severity::Warning
        } else {
            Severity::Remark
        };
        assert_eq!(states(&decide(&report)), [(key.to_owned(), severity)]);
    }
}

#[test]
fn records_that_figures_contradict_are_counted() {
    let count = |far_times, implausible| {
        let mut report = quiet();
        (report.figures.far_times, report.figures.implausible) = (far_times, implausible);
        report.decide_again();
        let mut counts = Vec::new();
        for finding in &report.findings {
            if let Finding::FarStamps(
                FarStamps::FarTimes { marked, .. } | FarStamps::ClockResolution { marked, .. },
            ) = finding
            {
                counts.push(*marked);
            }
        }
        counts.first().copied().unwrap_or(0)
    };
    for far_times in [FarTimes::Coarse, FarTimes::Contradict, FarTimes::Missing] {
        assert_eq!([count(far_times, 3), count(far_times, 0)], [3, 0]);
    }
    assert_eq!(count(FarTimes::Agree, 3), 0);
}

#[test]
fn missed_departures_are_postponed_with_a_count_and_left_out_with_a_duration() {
    for (asked, is_postponed) in [(Some(10), true), (None, false)] {
        let mut report = quiet();
        (report.counters.asked, report.counters.slots_skipped) = (asked, 12);
        let expected = Host::FellBehind {
            count: 12,
            is_postponed,
            achieved_pps: 100.0,
            largest_burst: 0,
        };
        assert_eq!(decide(&report)[0], expected.into());
    }
}

#[test]
fn an_ecn_mark_that_the_sender_set_is_not_a_finding_about_the_path() {
    let mut report = quiet();
    report.figures.congestion_forward = Some(100);
    assert_eq!(keys(&report), ["congestion-forward"]);
    report.identity.tos = Tos(report.identity.tos.0 | 3);
    assert!(keys(&report).is_empty());
}

#[test]
fn one_clock_needs_no_synchronization() {
    let mut report = quiet();
    report.identity.sender.set_ip(far().ip());
    report.stamps.clock.synchronized = false;
    delay(&mut report, |delay| delay.min_ns = -20_000);
    assert_eq!(keys(&report), [""; 0]);
    assert!(matches!(report.basis(), Basis::Synchronized { .. }));
}

#[test]
fn one_clock_is_not_claimed_against_the_packets() {
    let mut report = quiet();
    report.identity.sender.set_ip(far().ip());
    report.stamps.clock.synchronized = false;
    delay(&mut report, |delay| delay.min_ns = -200_000);
    assert!(report.is_one_host() && !report.is_one_clock());
    assert_eq!(keys(&report), ["clocks-not-synchronized"]);
    assert_eq!(report.basis(), Basis::Unsynchronized);
}

#[test]
fn packets_that_did_not_leave_have_their_reason() {
    let mut report = quiet();
    report.counters.send_errors = 3;
    report.refusals.send = Some(SendError::Unreachable);
    let expected = Host::NotSent {
        count: 3,
        reason: SendError::Unreachable,
    };
    assert_eq!(decide(&report)[0], expected.into());
}

#[test]
fn icmp_errors_beside_replies_are_shown() {
    let mut report = quiet();
    let what = "TTL exceeded on the way".to_owned();
    report.icmp.push(IcmpCount {
        what,
        from: None,
        count: 2,
    });
    assert_eq!(keys(&report), ["icmp"]);
}

#[test]
fn hardware_stamps_that_never_came_have_their_reason() {
    for reason in [None, Some(NoHardware::Plain)] {
        let mut report = quiet();
        report.refusals.hardware_asked = true;
        report.refusals.no_hardware.clone_from(&reason);
        assert_eq!(
            decide(&report),
            [Host::NoHardwareStamps {
                reason: reason.clone()
            }
            .into()]
        );
        // Without a packet, only that is known.
        report.counters = SenderCounters::default();
        assert_eq!(decide(&report).len(), usize::from(reason.is_some()));
    }
}

#[test]
fn directions_are_decided_again_in_their_place() {
    use NoDirection::{DeclaredStateless, NoCounter, NoneAttributed, NothingAfter};
    use ReflectorKind::{Stateful, Stateless, Undeclared};
    let mut report = quiet();
    (report.figures.lost, report.figures.numbers_equal) = (3, true);
    let unknown = |reason| {
        Finding::from(Losses::DirectionUnknown {
            reason,
            counted: None,
        })
    };
    let equal = Finding::from(Losses::NumbersEqual {
        is_negotiated: false,
    });
    let [before, behind] = [
        Finding::from(Losses::Late { count: 1 }),
        FarEnd::SsidMissing.into(),
    ];
    report.findings = vec![before.clone(), unknown(NothingAfter), behind.clone()];
    for (kind, forward, before_a_reply, late, expected) in [
        (Undeclared, None, 2, 0, Some(unknown(NoCounter))),
        (Undeclared, None, 0, 0, Some(unknown(NothingAfter))),
        (Stateless, None, 2, 0, Some(unknown(DeclaredStateless))),
        (Stateful, Some(0), 3, 0, Some(equal)),
        (Stateful, Some(0), 0, 0, Some(unknown(NoneAttributed))),
        (Stateful, Some(0), 0, 3, None),
    ] {
        report.config.reflector = kind;
        let figures = &mut report.figures;
        (figures.lost_forward, figures.late) = (forward, late);
        figures.lost_before_a_reply = before_a_reply;
        report.decide_again();
        let ends = [Some(before.clone()), expected, Some(behind.clone())];
        let expected: Vec<Finding> = ends.into_iter().flatten().collect();
        assert_eq!(report.findings, expected);
    }
    // Each request has several replies, which the reflector counts too.
    report.config.reflector = Stateless;
    report.figures.lost_forward = None;
    let learnt = report.learnt.insert(Box::default());
    learnt.further_replies.expected = 1;
    report.decide_again();
    let several = unknown(NoDirection::SeveralReplies);
    assert!(report.findings.contains(&several), "{:?}", report.findings);
}
