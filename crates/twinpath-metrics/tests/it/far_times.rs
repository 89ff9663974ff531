//! T2 and T3 of far ends that write them wrongly, and of correct ones with poor clocks.

use twinpath_metrics::{FarFormat, FarTimes, Figures, SessionMetrics, Timeline};
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Stamp, TimeFormat, Wall, WireTime};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_795_000_000 * SECOND + 123_456_789;
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// A run to a far end.
#[derive(Clone, Copy, Debug)]
struct Run {
    packets: i64,
    interval: i64,
    /// The least one-way delay, and an addition for some packets.
    delay: i64,
    jitter: i64,
    residence: i64,
    z: TimeFormat,
}

const USUAL: Run = Run {
    packets: 40,
    interval: 50_000_000,
    delay: 50_000,
    jitter: 400_000,
    residence: 2_000_000,
    z: TimeFormat::Ntp,
};

impl Run {
    /// Samples of a far end whose clock reads `clock` of the true time, written by `write`.
    fn samples(
        self,
        clock: impl Fn(i64) -> i64,
        write: impl Fn(i64) -> u64,
    ) -> impl Iterator<Item = Sample> {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move |below: i64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below.max(1).unsigned_abs()).cast_signed()
        };
        (0..self.packets).map(move |seq| {
            let t1 = START + seq * self.interval;
            let arrived = t1 + self.delay + random(self.jitter);
            let left = arrived + self.residence + random(20_000);
            let t4 = left + self.delay + random(self.jitter);
            let stamps = [arrived, left].map(|at| WireTime::from_bits(write(clock(at))));
            let near = Wall::from_unix_ns(t4);
            let read = WireTime::read_reply(stamps, self.z, near, 37);
            let own = |ns| Stamp {
                at: Wall::from_unix_ns(ns),
                rung: Rung::Kernel,
            };
            let residence = read.t2.zip(read.t3).map(|(t2, t3)| (t3 - t2).ns());
            let implausible = residence.is_some_and(|ns| ns < 0 || ns > t4 - t1 + 100_000);
            Sample {
                seq: seq.unsigned_abs(),
                fate: Fate::Received,
                t1: own(t1),
                t2: read.t2,
                t3: read.t3,
                t4: Some(own(t4)),
                reflector_seq: None,
                ttl_forward: None,
                ttl_backward: None,
                tos_forward: None,
                tos_backward: None,
                departure: Delta::ZERO,
                excluded: implausible.then_some(Exclusion::Implausible),
            }
        })
    }

    fn figures(self, clock: impl Fn(i64) -> i64, write: impl Fn(i64) -> u64) -> Figures {
        let mut metrics = SessionMetrics::new();
        self.samples(clock, write)
            .for_each(|sample| metrics.record(&sample));
        metrics.figures()
    }
}

/// Seconds since 1970 plus `epoch`, and what `fraction` makes of the nanoseconds.
fn stamp(at: i64, epoch: i64, fraction: impl Fn(u64) -> u64) -> u64 {
    let seconds = (at.div_euclid(SECOND) + epoch).cast_unsigned() & 0xffff_ffff;
    (seconds << 32) | (fraction(at.rem_euclid(SECOND).unsigned_abs()) & 0xffff_ffff)
}

fn ntp(at: i64) -> u64 {
    WireTime::ntp(Wall::from_unix_ns(at)).bits()
}

fn exact(at: i64) -> i64 {
    at
}

type Write = fn(i64) -> u64;
type Clock = Box<dyn Fn(i64) -> i64>;

/// Wrong formats known to be in use.
const WRONG: [(FarFormat, Write); 9] = [
    (FarFormat::Nanoseconds, |at| {
        stamp(at, NTP_TO_UNIX_S, |ns| ns)
    }),
    (FarFormat::Microseconds, |at| {
        stamp(at, NTP_TO_UNIX_S, |ns| ns / 1_000)
    }),
    (FarFormat::Milliseconds, |at| {
        stamp(at, NTP_TO_UNIX_S, |ns| ns / 1_000_000)
    }),
    (FarFormat::Thousandth, |at| {
        stamp(at, NTP_TO_UNIX_S, |ns| (ns / 1_000_000) * 4_294_967 / 1_000)
    }),
    (FarFormat::Thousandth, |at| {
        stamp(at, NTP_TO_UNIX_S, |ns| ((ns / 1_000) << 32) / 1_000_000_000)
    }),
    (FarFormat::Thousandth, |at| stamp(at, 0, |ns| ns / 1_000)),
    (FarFormat::Millionth, |at| stamp(at, 0, |ns| ns / 1_000_000)),
    (FarFormat::UnixSeconds, |at| {
        stamp(at, 0, |ns| (ns << 32) / 1_000_000_000)
    }),
    (FarFormat::UnixSeconds, |at| {
        stamp(at, 0, |ns| ((ns / 1_000) << 32) / 1_000_000)
    }),
];

fn whole(figures: &Figures, run: Run) {
    let round_trip = figures.round_trip.unwrap();
    assert_eq!(round_trip.count, run.packets.unsigned_abs());
    assert!(figures.round_trip_includes_residence());
    assert!(round_trip.median_ns >= run.residence, "{round_trip:?}");
    assert!(round_trip.max_ns <= run.residence + 2 * (run.delay + run.jitter) + 20_000);
    assert_eq!((figures.forward, figures.backward), (None, None));
    assert_eq!((figures.residence, figures.excluded_implausible), (None, 0));
}

#[test]
fn a_fraction_in_another_unit_and_another_epoch_are_named() {
    for (format, write) in WRONG {
        for (packets, interval) in [(12, 70_000_000), (40, 50_000_000), (3_000, 1_000_000)] {
            let run = Run {
                packets,
                interval,
                ..USUAL
            };
            for skew in [0_i64, 500, -500] {
                let clock = |at: i64| at + 3 * SECOND + (at - START) / 1_000_000 * skew;
                let figures = run.figures(clock, write);
                let expected = FarTimes::Looks(format);
                assert_eq!(figures.far_times, expected, "{packets} every {interval} ns");
                whole(&figures, run);
            }
        }
    }
}

#[test]
fn a_ptp_timestamp_with_too_many_nanoseconds_is_not_read_as_one() {
    let run = Run {
        z: TimeFormat::Ptp,
        ..USUAL
    };
    let figures = run.figures(exact, |at| stamp(at, 37, |ns| (ns << 32) / 1_000_000_000));
    assert!(!figures.far_times.are_usable(), "{figures:?}");
    whole(&figures, run);
    let figures = run.figures(exact, |at| stamp(at, 37, |ns| ns));
    assert_eq!(figures.far_times, FarTimes::Agree);
}

#[test]
fn times_that_no_known_format_explains_are_not_used() {
    let scaled: Write = |at| stamp(at, NTP_TO_UNIX_S, |ns| (ns / 1_000) << 12);
    let swapped: Write = |at| ntp(-at);
    let wild: Write = |at| ntp(START + at % 7_919 * 1_000_003);
    for write in [scaled, swapped, wild] {
        let figures = USUAL.figures(exact, write);
        assert_eq!(figures.far_times, FarTimes::Contradict);
        whole(&figures, USUAL);
    }
    // With T3 before T2 in every reply, nothing else can be reported, however few there are.
    let run = Run {
        packets: 2,
        ..USUAL
    };
    let figures = run.figures(|at| 2 * START - at, ntp);
    assert_eq!(figures.far_times, FarTimes::Contradict);
    whole(&figures, run);
}

#[test]
fn correct_clocks_are_accepted_however_poor() {
    let day = 86_400 * SECOND;
    let grid = |grid: i64| move |at: i64| at - at.rem_euclid(grid);
    let clocks: [(&str, Clock); 10] = [
        ("exact", Box::new(exact)),
        ("fast", Box::new(|at| at + (at - START) / 2_000)),
        ("slow", Box::new(|at| at - (at - START) / 2_000)),
        ("1 us", Box::new(grid(1_000))),
        ("1 ms", Box::new(grid(1_000_000))),
        ("10 ms", Box::new(grid(10_000_000))),
        ("1 s", Box::new(grid(SECOND))),
        ("a day off", Box::new(move |at| at - day)),
        (
            "since its start",
            Box::new(|at| at - START + 3_600 * SECOND),
        ),
        (
            "stepped",
            Box::new(|at| at + (at - START) / (20 * SECOND) * 250_000_000),
        ),
    ];
    for (name, clock) in &clocks {
        for (packets, interval) in [
            (3, 100_000_000),
            (40, 50_000_000),
            (90, SECOND),
            (3_000, 1_000_000),
        ] {
            let run = Run {
                packets,
                interval,
                ..USUAL
            };
            let figures = run.figures(clock, ntp);
            // Some of these steps are longer than the round trip.
            if matches!(*name, "10 ms" | "1 s") && figures.far_times == FarTimes::Coarse {
                whole(&figures, run);
                continue;
            }
            assert!(
                figures.far_times.are_usable(),
                "{name}, {packets}: {figures:?}"
            );
            if packets >= 40 {
                assert_eq!(figures.far_times, FarTimes::Agree, "{name}");
            }
        }
    }
}

#[test]
fn a_coarse_clock_is_right_to_within_its_step() {
    let steps_us = [1_000, 4_000, 10_000, 15_625, 20_000, 100_000, 1_000_000];
    let phases = [0, 1_234_567];
    let residences_us = [0, 50, 300, 3_000];
    let ways_us = [50, 500, 25_000];
    let spans = [(3, 100), (5, 10), (12, 70), (40, 7), (60, 20), (200, 10)];
    for step in steps_us.map(|us| us * 1_000) {
        for (phase, residence, way) in phases.into_iter().flat_map(|phase| {
            let ways = move |residence| ways_us.map(move |way| (phase, residence, way));
            residences_us.into_iter().flat_map(ways)
        }) {
            for (packets, interval_ms) in spans {
                let run = Run {
                    packets,
                    interval: interval_ms * 1_000_000,
                    delay: way * 1_000,
                    jitter: way * 200,
                    residence: residence * 1_000,
                    ..USUAL
                };
                let clock = |at: i64| (at - phase).div_euclid(step) * step + phase;
                let figures = run.figures(clock, ntp);
                let what = format!("{step} ns off by {phase}, {run:?}");
                assert!(!figures.far_times_contradicted, "{what}");
                let way = run.residence + 2 * run.delay;
                // Some replies show the step, others do not: a mixture of the two would be wrong.
                let residences: Vec<i64> = run
                    .samples(clock, ntp)
                    .map(|sample| (sample.t3.unwrap() - sample.t2.unwrap()).ns())
                    .collect();
                let mixed =
                    residences.iter().any(|ns| *ns > 2) && residences.iter().any(|ns| *ns <= 2);
                if mixed && step > 2 * way {
                    assert_eq!(figures.far_times, FarTimes::Coarse, "{what}");
                    let told = figures
                        .far_resolution_ns
                        .unwrap()
                        .abs_diff(step.unsigned_abs());
                    assert!(packets < 40 || told <= 10, "{what}: {told}");
                    let round_trip = figures.round_trip.unwrap();
                    assert_eq!(round_trip.count, packets.unsigned_abs(), "{what}");
                    assert!(round_trip.min_ns >= way && figures.round_trip_includes_residence());
                    assert_eq!(figures.excluded_implausible, 0);
                } else if figures.far_times != FarTimes::Coarse {
                    assert!(figures.far_times.are_usable(), "{what}");
                }
                assert!(
                    step <= way || !mixed || figures.round_trip.unwrap().min_ns > 0,
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn replies_with_a_step_too_many_are_not_left_out() {
    for (residence, step) in [(5_000_000, 4_000_000), (25_000_000, 15_625_000)] {
        let run = Run {
            packets: 60,
            interval: 23_000_000,
            jitter: 10_000,
            residence,
            ..USUAL
        };
        let figures = run.figures(|at| at.div_euclid(step) * step, ntp);
        assert_eq!(figures.far_times, FarTimes::Coarse);
        whole(&figures, run);
        // Their records were written as they arrived, some with impossible times.
        let marked = run.samples(|at| at.div_euclid(step) * step, ntp);
        let marked = marked.filter(|sample| sample.excluded.is_some()).count();
        assert!(marked > 0);
        assert_eq!(
            (figures.implausible, figures.excluded_implausible),
            (marked as u64, 0)
        );
    }
}

#[test]
fn a_clock_at_an_impossible_rate_or_stopped_is_rejected() {
    let clocks: [Clock; 4] = [
        Box::new(|at| START + (at - START) / 5 * 4),
        Box::new(|at| START + (at - START) / 100 * 99),
        Box::new(|at| at + (at - START) / 5),
        Box::new(|_| START),
    ];
    for clock in clocks {
        let run = Run {
            packets: 200,
            interval: 20_000_000,
            residence: 3_000_000,
            ..USUAL
        };
        let figures = run.figures(clock, ntp);
        assert!(figures.far_times_contradicted);
    }
}

#[test]
fn a_handful_of_packets_decides_nothing() {
    for (_, write) in WRONG.into_iter().take(7) {
        let run = Run {
            packets: 3,
            ..USUAL
        };
        let figures = run.figures(exact, write);
        assert_eq!(figures.far_times, FarTimes::Undecided);
        assert!(figures.far_times_contradicted);
    }
    let run = Run {
        packets: 3,
        ..USUAL
    };
    let figures = run.figures(exact, ntp);
    assert_eq!(figures.far_times, FarTimes::Undecided);
    assert!(!figures.far_times_contradicted);
}

#[test]
fn no_time_at_all_leaves_the_round_trip_and_some_without_one_are_counted() {
    let unset: Write = |_| 0;
    let figures = USUAL.figures(exact, unset);
    assert_eq!(figures.far_times, FarTimes::Missing);
    whole(&figures, USUAL);
    let mut metrics = SessionMetrics::new();
    for mut sample in USUAL.samples(exact, ntp) {
        if sample.seq % 10 == 5 {
            sample.t2 = None;
        }
        metrics.record(&sample);
    }
    let figures = metrics.figures();
    assert_eq!(figures.far_times, FarTimes::Agree);
    assert_eq!(figures.excluded_unstamped, 4);
    assert_eq!(figures.round_trip.unwrap().count, 36);
    assert!(figures.round_trip.unwrap().max_ns < USUAL.residence);
}

#[test]
fn columns_have_the_round_trip_as_the_figures_have_it() {
    let (_, microseconds) = WRONG[1];
    let mut timeline = Timeline::new(
        Wall::from_unix_ns(START),
        std::time::Duration::from_secs(1),
        4,
    );
    for sample in USUAL.samples(exact, microseconds) {
        timeline.record(&sample);
    }
    for column in timeline.columns() {
        assert!(column.round_trip.unwrap().median_ns >= USUAL.residence);
        assert_eq!((column.forward, column.backward), (None, None));
    }
}

#[test]
fn one_time_for_arrival_and_departure_is_not_a_coarse_clock() {
    for (interval, jitter) in [
        (SECOND, 40_000),
        (100_000_000, 3_000_000),
        (20_000_000, 400_000),
    ] {
        let run = Run {
            packets: 120,
            interval,
            delay: 9_000_000,
            jitter,
            residence: 5_000,
            ..USUAL
        };
        let mut metrics = SessionMetrics::new();
        for mut sample in run.samples(exact, ntp) {
            sample.t3 = sample.t2;
            metrics.record(&sample);
        }
        let figures = metrics.figures();
        assert_eq!(figures.far_times, FarTimes::Agree);
        assert!(
            figures.far_rounding_ns < 100_000,
            "{}",
            figures.far_rounding_ns
        );
    }
    // A coarse one that never ticks within a reply shows in the differences of its times.
    for (step, phase) in [(10_000_000, 3_141_592), (4_000_000, 77), (15_625_000, 123)] {
        let run = Run {
            packets: 60,
            interval: 97_000_000,
            residence: 1_000,
            ..USUAL
        };
        let mut metrics = SessionMetrics::new();
        let told = |at: i64| (at - phase).div_euclid(step) * step + phase;
        for mut sample in run.samples(told, ntp) {
            sample.t3 = sample.t2;
            metrics.record(&sample);
        }
        let rounding = metrics.figures().far_rounding_ns;
        assert!(rounding.abs_diff(step.unsigned_abs()) < 100, "{rounding}");
    }
}
