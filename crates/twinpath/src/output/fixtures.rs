//! Reports made by hand, for snapshots.

use std::collections::BTreeMap;
use std::time::Duration;

use twinpath_metrics::{
    BinEdges, ClockModel, DelayFigures, Figures, MetricsConfig, ReflectorKind, ReplyStatus,
    RungCounts, SessionMetrics, SessionState, TtlFigures,
};
use twinpath_proto::TestFeatures;
use twinpath_proto::sender::{ReplyAnomalies, Schedule, SenderCounters, Wire};
use twinpath_report::{
    ClockState, IcmpCount, Identity, Note, Origin, SessionReport, StampReport, Target,
};
use twinpath_wire::{Delta, Dscp, Exclusion, Fate, Rung, Sample, Stamp, Tos, Wall};

use super::Meta;
use crate::args::Label;

/// 2026-11-23T16:00:00.25Z
const STARTED: i64 = 1_795_449_600_250_000_000;

pub(crate) fn meta() -> Meta {
    let label = Label {
        key: "site".into(),
        value: "lab \"1\"".into(),
    };
    Meta {
        host: Some("probe7".into()),
        labels: vec![label],
        ..Meta::default()
    }
}

/// One packet of each fate.
pub(crate) fn samples() -> Vec<Sample> {
    let stamp = |ns: i64| Stamp {
        at: Wall::from_unix_ns(STARTED + ns),
        rung: Rung::Kernel,
    };
    let received = Sample {
        seq: 12,
        fate: Fate::Received,
        t1: stamp(0),
        t2: Some(Wall::from_unix_ns(STARTED + 610_000)),
        t3: Some(Wall::from_unix_ns(STARTED + 620_000)),
        t4: Some(stamp(1_214_000)),
        reflector_seq: Some(11),
        ttl_forward: Some(60),
        ttl_backward: Some(61),
        tos_forward: None,
        tos_backward: Some(Tos(0)),
        departure: Delta::from_ns(9_000),
        excluded: None,
    };
    let lost = Sample {
        seq: 13,
        fate: Fate::Lost,
        t2: None,
        t3: None,
        t4: None,
        reflector_seq: None,
        ttl_forward: None,
        ttl_backward: None,
        tos_backward: None,
        ..received
    };
    let late = Sample {
        seq: 14,
        fate: Fate::Late,
        t4: Some(stamp(2_100_000_000)),
        ..received
    };
    let duplicate = Sample {
        fate: Fate::Duplicate,
        reflector_seq: Some(12),
        ..received
    };
    let disagreeing = Sample {
        seq: 15,
        t2: Some(Wall::from_unix_ns(STARTED - 3_600_000_000_000)),
        t3: Some(Wall::from_unix_ns(STARTED - 3_599_999_990_000)),
        ttl_forward: None,
        ..received
    };
    let stepped = Sample {
        seq: 16,
        excluded: Some(Exclusion::ClockStep),
        ..received
    };
    vec![received, lost, late, duplicate, disagreeing, stepped]
}

fn ttl(min: u8, max: u8) -> TtlFigures {
    let changes = u64::from(min != max);
    TtlFigures { min, max, changes }
}

fn delay(min_ns: i64, count: u64) -> DelayFigures {
    DelayFigures {
        count,
        min_ns,
        max_ns: min_ns + 283_000,
        mean_ns: min_ns + 90_400,
        median_ns: min_ns + 88_000,
        stddev_ns: 41_200,
        p90_ns: min_ns + 150_000,
        p95_ns: min_ns + 171_000,
        p99_ns: min_ns + 240_000,
        p999_ns: min_ns + 283_000,
        jitter_ns: Some(31_400),
        pdv_p99_ns: Some(240_000),
        ipdv_mean_abs_ns: Some(36_700),
        reference_ns: Some(min_ns + 80_000),
        bins_per_octave: 512,
        mad_ns: 18_300,
    }
}

fn identity() -> Identity {
    Identity {
        number: 1,
        wire: Wire::TWAMP_LIGHT,
        sid: None,
        sender: "192.0.2.1:20000".parse().unwrap(),
        reflector: "192.0.2.2:20001".parse().unwrap(),
        schedule: Schedule::every(Duration::from_millis(100)),
        seed: 2_330,
        timeout: Duration::from_secs(2),
        start_within: Duration::from_millis(100),
        tos: Dscp::EF.tos(),
        ttl: 255,
        padding: 27,
        target: None,
        path: None,
        micro_session: None,
    }
}

/// A hundred packets, all back, clocks synchronized.
pub(crate) fn quiet_path() -> SessionReport {
    let counts = RungCounts {
        kernel: 100,
        ..RungCounts::default()
    };
    let clock = ClockState {
        synchronized: true,
        error_ns: Some(1_250_000),
    };
    SessionReport {
        started: Wall::from_unix_ns(STARTED),
        duration: Duration::from_millis(9_902),
        achieved_pps: Some(10.0),
        stamps: StampReport {
            transmit: Some(Rung::Kernel),
            receive: Some(Rung::Kernel),
            fallback_transmit: 0,
            fallback_receive: 0,
            clock,
            far_clock: Some(clock),
        },
        counters: SenderCounters {
            asked: Some(100),
            sent: 100,
            received: 100,
            largest_burst: 1,
            ..SenderCounters::default()
        },
        figures: Figures {
            received: 100,
            lost: 0,
            late: 0,
            duplicates: 0,
            reordered: 0,
            lost_forward: Some(0),
            lost_backward: Some(0),
            lost_unattributed: Some(0),
            lost_before_a_reply: 0,
            reply_status: ReplyStatus {
                answered_until: Some(Wall::from_unix_ns(STARTED + 9_900_000_000)),
                lost_since: 0,
                state: SessionState::Active,
            },
            direction_uncertain: false,
            excluded_clock_step: 0,
            excluded_implausible: 0,
            implausible: 0,
            round_trip: Some(delay(1_204_000, 100)),
            forward: Some(delay(610_000, 100)),
            backward: Some(delay(594_000, 100)),
            residence: Some(delay(9_800, 100)),
            departure: Some(delay(3_100, 100)),
            ttl_forward: Some(ttl(251, 251)),
            ttl_backward: Some(ttl(250, 251)),
            dscp_forward: Vec::new(),
            dscp_backward: vec![(Dscp::EF, 100)],
            congestion_forward: None,
            congestion_backward: 0,
            stamps_transmit: counts,
            stamps_receive: counts,
            residence_never_measured: false,
            numbers_equal: true,
            reflector_restarts: 0,
            ..SessionMetrics::new().figures()
        },
        origin: Origin::Run,
        traffic: None,
        ..SessionReport::new(identity(), &SessionMetrics::new(), MetricsConfig::default())
    }
}

/// A number that [`rough_path`] loses outbound.
fn is_lost_forward(seq: u64) -> bool {
    (10..13).contains(&seq) || seq == 60
}

/// Twenty seconds of TWAMP with known answers, by a far clock that is 5 ms ahead and gains 20 us a
/// second: numbers 10 to 12 and 60 are lost outbound and 50 inbound, 70 is copied inbound and 80
/// outbound, 90 is overtaken by 91 and 92 inbound, from 150 on the inbound path is two hops longer,
/// and the replies to 20 to 24 come back as best effort.
#[expect(clippy::too_many_lines, reason = "one long example, in its order")]
pub(crate) fn rough_path() -> SessionReport {
    let mut report = quiet_path();
    report.identity.wire = Wire::twamp(TestFeatures::default());
    report.duration = Duration::from_millis(21_900);
    report.stamps.clock.synchronized = false;
    let edges = [1_200_000, 1_300_000, 1_500_000, 2_000_000];
    let config = MetricsConfig {
        reflector: ReflectorKind::Stateful,
        tos_forward: Some(Dscp::EF.tos()),
        tos_backward: Some(Dscp::EF.tos()),
        bins: Some(BinEdges::new(&edges).unwrap()),
        ..MetricsConfig::default()
    };
    let mut metrics = SessionMetrics::with_config(&config);
    let mut clocks = ClockModel::new();
    let mut record = |sample: &Sample| {
        metrics.record(sample);
        clocks.record(sample);
    };
    let mut reflected = 0_u32;
    let mut overtaken = None;
    for seq in 0..200_u64 {
        let sent = i64::try_from(seq).unwrap() * 100_000_000;
        let near = |ns: i64| Wall::from_unix_ns(STARTED + sent + ns);
        let far = |ns: i64| near(ns + 5_000_000 + (sent + ns) / 50_000);
        let forward = 600_000 + 50_000 * i64::try_from(seq % 5).unwrap();
        let backward = 590_000 + 40_000 * i64::try_from(seq % 3).unwrap();
        let backward = if seq == 90 { 250_000_000 } else { backward };
        let stamp = |at| Stamp {
            at,
            rung: Rung::Kernel,
        };
        let mut sample = Sample {
            seq,
            fate: Fate::Received,
            t1: stamp(near(0)),
            t2: Some(far(forward)),
            t3: Some(far(forward + 10_000)),
            t4: Some(stamp(near(forward + 10_000 + backward))),
            reflector_seq: Some(reflected),
            ttl_forward: Some(251),
            ttl_backward: Some(if seq < 150 { 250 } else { 248 }),
            tos_forward: None,
            tos_backward: Some(if (20..25).contains(&seq) {
                Tos(0)
            } else {
                Dscp::EF.tos()
            }),
            departure: Delta::from_ns(9_000),
            excluded: None,
        };
        reflected += u32::from(!is_lost_forward(seq));
        if is_lost_forward(seq) || seq == 50 {
            sample = Sample {
                fate: Fate::Lost,
                t2: None,
                t3: None,
                t4: None,
                reflector_seq: None,
                ttl_forward: None,
                ttl_backward: None,
                tos_backward: None,
                ..sample
            };
        }
        if seq == 90 {
            overtaken = Some(sample);
            continue;
        }
        record(&sample);
        if seq == 70 || seq == 80 {
            sample.fate = Fate::Duplicate;
            if seq == 80 {
                sample.reflector_seq = Some(reflected);
                reflected += 1;
            }
            record(&sample);
        }
        if seq == 92 {
            overtaken.iter().for_each(&mut record);
        }
    }
    report.counters = SenderCounters {
        asked: Some(200),
        sent: 200,
        received: 195,
        lost: 5,
        duplicates: 2,
        largest_burst: 1,
        ..SenderCounters::default()
    };
    report.figures = metrics.figures();
    report.delays = metrics.histograms().cloned();
    report.clocks = clocks.estimate();
    report.config = config;
    report
}

/// STAMP under load: a little of everything.
pub(crate) fn loss() -> SessionReport {
    let mut report = quiet_path();
    report.identity.wire = Wire::stamp(7);
    report.identity.sender = "[2001:db8::1]:20000".parse().unwrap();
    report.identity.reflector = "[2001:db8::2]:862".parse().unwrap();
    report.identity.schedule = Schedule::every(Duration::from_micros(500));
    report.duration = Duration::from_millis(62_500);
    report.achieved_pps = Some(1_600.5);
    report.identity.padding = -1;
    report.stamps.fallback_transmit = 12;
    report.stamps.far_clock = Some(ClockState {
        synchronized: false,
        error_ns: None,
    });
    report.counters = SenderCounters {
        asked: None,
        sent: 100_000,
        received: 99_993,
        lost: 7,
        late: 2,
        duplicates: 3,
        send_errors: 4,
        slots_skipped: 20_000,
        largest_burst: 10,
        clock_steps: 1,
        anomalies: ReplyAnomalies {
            short_replies: 99_996,
            ssid_missing: 99_996,
            ..ReplyAnomalies::default()
        },
        ..SenderCounters::default()
    };
    let figures = &mut report.figures;
    figures.received = 99_993;
    figures.lost = 7;
    figures.late = 2;
    figures.duplicates = 3;
    figures.reordered = 5;
    figures.lost_forward = Some(3);
    figures.lost_backward = Some(1);
    figures.lost_unattributed = Some(3);
    figures.direction_uncertain = true;
    figures.excluded_clock_step = 8;
    (figures.excluded_implausible, figures.implausible) = (1, 1);
    figures.round_trip = Some(delay(204_000, 99_984));
    figures.forward = Some(delay(110_000, 99_984));
    figures.backward = Some(delay(94_000, 99_984));
    figures.residence_never_measured = true;
    figures.numbers_equal = false;
    figures.dscp_backward = vec![(Dscp::BE, 99_000), (Dscp::EF, 993)];
    figures.congestion_backward = 11;
    report.records_dropped = 6;
    report.notes = vec![
        warning(
            "clock-stepped",
            "the sender's clock stepped (1): 8 packets left out of the delays".into(),
        ),
        remark("t3-advanced", "T3 is advanced by the reflector".into()),
    ];
    report
}

/// A finding in words.
pub(crate) fn warning(key: &'static str, line: String) -> Note {
    Note {
        key: key.into(),
        warning: true,
        line,
    }
}

pub(crate) fn remark(key: &'static str, line: String) -> Note {
    Note {
        warning: false,
        ..warning(key, line)
    }
}

/// Nothing listens there.
pub(crate) fn nothing_came_back() -> SessionReport {
    let mut report = quiet_path();
    report.counters = SenderCounters {
        asked: Some(100),
        sent: 100,
        lost: 100,
        largest_burst: 1,
        ..SenderCounters::default()
    };
    let figures = &mut report.figures;
    figures.received = 0;
    figures.lost = 100;
    figures.lost_forward = None;
    figures.lost_backward = None;
    figures.lost_unattributed = None;
    figures.reply_status = ReplyStatus {
        answered_until: None,
        lost_since: 100,
        state: SessionState::Failed,
    };
    figures.round_trip = None;
    figures.forward = None;
    figures.backward = None;
    figures.residence = None;
    figures.ttl_forward = None;
    figures.ttl_backward = None;
    figures.dscp_backward = Vec::new();
    figures.stamps_receive = RungCounts::default();
    figures.numbers_equal = false;
    report.stamps.receive = None;
    report.stamps.far_clock = None;
    let from = Some("192.0.2.2".parse().unwrap());
    report.icmp = vec![IcmpCount {
        what: "port unreachable".into(),
        from,
        count: 100,
    }];
    report.notes = vec![warning(
        "nothing-came-back",
        "nothing listens on 192.0.2.2:20001; the well-known ports are 862 and 20001".into(),
    )];
    report
}

/// One-way delays that differ by an hour.
pub(crate) fn clocks_disagree() -> SessionReport {
    let mut report = quiet_path();
    report.stamps.clock = ClockState {
        synchronized: false,
        error_ns: None,
    };
    report.figures.forward = Some(delay(-3_600_000_000_000 + 610_000, 100));
    report.figures.backward = Some(delay(3_600_000_000_000 + 594_000, 100));
    report.notes = vec![warning(
        "negative-delay",
        "outbound delays are negative: the clocks disagree, one-way figures mean little".into(),
    )];
    report
}

/// The report as one of this target, with or without a path.
pub(crate) fn to(target: &str, path: Option<u16>, mut report: SessionReport) -> SessionReport {
    report.identity.target = Some(Target {
        has_moved: false,
        name: target.to_owned(),
        labels: BTreeMap::new(),
        is_listed: false,
    });
    report.identity.path = path;
    report
}
