use twinpath_metrics::{MetricsConfig, Record, SessionMetrics};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

use super::chance::{fisher, holm, student, student_quantile};
use super::{Comparison, correct};
use crate::saved::SessionFacts;

#[test]
fn student_s_t_has_values_of_exact_integrals() {
    // Two-sided, worked out with 30 digits as an incomplete beta function.
    for (t, freedom, p) in [
        (0.5, 1.0, 0.704_832_764_699_133_5),
        (2.0, 2.0, 0.183_503_419_072_273_8),
        (2.570_581_835_636_314, 5.0, 0.05),
        (3.5, 7.5, 0.008_948_871_980_079_34),
        (-1.2, 24.3, 0.241_708_392_370_250_2),
        (4.0, 100.0, 0.000_121_523_644_300_761_7),
    ] {
        let found = student(t, freedom);
        assert!((found - p).abs() < 1e-10, "{t} {freedom}: {found}, {p}");
        let back = student_quantile(p, freedom);
        assert!((back - f64::abs(t)).abs() < 1e-8, "{t} {freedom}: {back}");
    }
}

#[test]
fn fisher_s_test_has_the_values_of_exact_fractions() {
    // Added up in whole numbers, and divided once.
    for ([hits, of, other_hits, other_of], p) in [
        ([1, 10, 9, 10], 0.001_093_333_910_671_372),
        ([8, 10, 1, 6], 0.034_965_034_965_034_97),
        ([3, 1_000, 12, 1_000], 0.034_491_425_398_052_215),
        ([0, 5_000, 4, 5_000], 0.124_924_996_250_750_42),
        ([17, 300, 5, 250], 0.030_231_111_491_161_31),
        ([2, 7, 8, 11], 0.144_796_380_090_497_75),
    ] {
        let found = fisher(hits, of, other_hits, other_of);
        assert!(
            (found - p).abs() < 1e-9,
            "{hits}/{of} {other_hits}/{other_of}: {found}, {p}"
        );
        let turned = fisher(other_hits, other_of, hits, of);
        assert!((found - turned).abs() < 1e-9, "no matter which comes first");
    }
}

#[test]
fn holm_steps_down_and_never_up() {
    // By hand: 4 x 0.005, 3 x 0.011, then 2 x 0.02 and 0.04, which is no less.
    let mut ps = [0.02, 0.005, 0.04, 0.011];
    holm(&mut ps.each_mut().map(|p| p)[..]);
    for (found, expected) in ps.into_iter().zip([0.04, 0.02, 0.04, 0.033]) {
        assert!((found - expected).abs() < 1e-12, "{ps:?}");
    }
    let mut ps = [0.9, 0.6];
    holm(&mut ps.each_mut().map(|p| p)[..]);
    assert!(
        ps.iter().all(|p| (p - 1.0).abs() < 1e-12),
        "a probability at most"
    );
}

/// Numbers that look like chance, the same ones each time.
struct Chance(u64);

impl Chance {
    /// From 0 to 1.
    fn even(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.even()).sum();
        sum - 6.0
    }
}

/// A path whose queue drifts, with bursts of losses.
#[derive(Clone, Copy)]
struct Path {
    /// How much of a packet's queue the next one finds.
    memory: f64,
    delay_us: f64,
    queue_us: f64,
    /// How often a burst of losses begins.
    burst: f64,
}

const USUAL: Path = Path {
    memory: 0.9,
    delay_us: 1_000.0,
    queue_us: 30.0,
    burst: 0.002,
};

fn records(path: Path, packets: u64, chance: &mut Chance) -> Vec<Record> {
    let mut queue = 0.0;
    let mut losing = false;
    // The state of long ago has no say in the first packet's.
    for _ in 0..200 {
        queue = path.memory * queue + chance.normal();
    }
    (0..packets)
        .map(|seq| {
            queue = path.memory * queue + chance.normal();
            losing = chance.even() < if losing { 0.6 } else { path.burst };
            #[expect(clippy::cast_possible_truncation, reason = "microseconds")]
            let ns = ((path.delay_us + f64::exp(queue / 3.0) * path.queue_us) * 1_000.0) as i64;
            let t1 = i64::try_from(seq).unwrap() * 10_000_000;
            let stamp = |ns| Stamp {
                at: Wall::from_unix_ns(ns),
                rung: Rung::Kernel,
            };
            Record::Sample(Sample {
                seq,
                fate: if losing { Fate::Lost } else { Fate::Received },
                t1: stamp(t1),
                t2: (!losing).then(|| Wall::from_unix_ns(t1 + ns * 6 / 10)),
                t3: (!losing).then(|| Wall::from_unix_ns(t1 + ns * 6 / 10)),
                t4: (!losing).then(|| stamp(t1 + ns)),
                reflector_seq: (!losing).then(|| u32::try_from(seq).unwrap()),
                ttl_forward: None,
                ttl_backward: None,
                tos_forward: None,
                tos_backward: None,
                departure: Delta::ZERO,
                excluded: None,
            })
        })
        .collect()
}

/// Two runs beside each other, as `--compare` has them.
fn compared(runs: &[Vec<Record>; 2]) -> Comparison {
    let reports = runs.each_ref().map(|records| {
        let mut metrics = SessionMetrics::new();
        for record in records {
            if let Record::Sample(sample) = record {
                metrics.record(sample);
            }
        }
        let ends = ["192.0.2.1:1000", "192.0.2.2:862"].map(|end| end.parse().unwrap());
        let times = [std::time::Duration::from_millis(10); 2];
        let facts = SessionFacts::captured(
            1,
            twinpath_proto::sender::Protocol::TwampLight,
            ends,
            (twinpath_wire::Tos(0), 64),
            0,
            times,
        );
        let config = MetricsConfig::default();
        let tally = twinpath_proto::sender::SenderTally::default();
        facts.identity.report(&tally, &metrics, config)
    });
    let mut comparison = Comparison::new(reports);
    let mut blocks = comparison.blocks();
    for (blocks, records) in blocks.iter_mut().zip(runs) {
        for record in records {
            blocks.record(record);
        }
    }
    comparison.fill(&blocks);
    let mut one = [comparison];
    correct(&mut one);
    let [comparison] = one;
    comparison
}

fn changed(comparison: &Comparison) -> Vec<(&'static str, &'static str)> {
    let changes = comparison.changes.iter();
    changes
        .filter(|change| change.is_change() == Some(true))
        .map(|change| (change.direction, change.figure))
        .collect()
}

#[test]
fn over_nothing_but_chance_few_documents_show_a_change() {
    const PAIRS: u32 = 120;
    let mut chance = Chance(0x7e57);
    for memory in [0.0, 0.9] {
        let path = Path { memory, ..USUAL };
        let mut wrong = Vec::new();
        for _ in 0..PAIRS {
            let runs = [(); 2].map(|()| records(path, 1_200, &mut chance));
            let comparison = compared(&runs);
            assert!(!comparison.few);
            wrong.extend(Some(changed(&comparison)).filter(|changed| !changed.is_empty()));
        }
        // 5 in 100 are promised, which is 6; at that rate there are more than 11 in 2 of 100 draws.
        assert!(
            wrong.len() <= 11,
            "{memory}: {} of {PAIRS}: {wrong:?}",
            wrong.len()
        );
    }
}

#[test]
fn a_real_change_is_found_and_named() {
    let mut chance = Chance(0xbeef);
    let slower = Path {
        delay_us: 1_030.0,
        ..USUAL
    };
    let fuller = Path {
        queue_us: 60.0,
        ..USUAL
    };
    let lossier = Path {
        burst: 0.03,
        ..USUAL
    };
    for (path, named) in [
        (slower, ("round_trip", "median")),
        (fuller, ("forward", "mean")),
        (lossier, ("round_trip", "loss_ratio")),
    ] {
        let mut found = 0;
        for _ in 0..10 {
            let runs = [USUAL, path].map(|path| records(path, 2_000, &mut chance));
            let comparison = compared(&runs);
            found += u32::from(changed(&comparison).contains(&named));
            let up = comparison
                .changes
                .iter()
                .find(|change| (change.direction, change.figure) == named);
            let [low, high] = up.and_then(|change| change.interval).unwrap();
            assert!(low < high, "{named:?}");
        }
        assert!(found >= 9, "{named:?}: {found} of 10");
    }
}

/// What text says of two runs of so many packets each, the second one a while later.
fn words(packets: u64, path: Path, later_ns: i64) -> String {
    let mut chance = Chance(0xacdc);
    let runs = [USUAL, path].map(|path| records(path, packets, &mut chance));
    let mut comparison = compared(&runs);
    comparison.same_packets = {
        let [before, after] = &mut comparison.reports;
        after.started = Wall::from_unix_ns(later_ns);
        super::same_packets(before, after)
    };
    super::show::words(&comparison).join("\n")
}

#[test]
fn what_was_not_tested_is_not_said_to_be_unchanged() {
    let slower = Path {
        delay_us: 9_000.0,
        ..USUAL
    };
    let few = words(60, slower, 1);
    assert!(few.contains("Too few packets"), "{few}");
    assert!(few.contains("Tested were only Roundtrip loss"), "{few}");
    assert!(!few.contains("\nNothing changed"), "{few}");
    let enough = words(1_200, USUAL, 1);
    assert!(
        enough.contains("Nothing changed that chance would not explain."),
        "{enough}"
    );
}

#[test]
fn one_run_beside_itself_is_said_to_be_one() {
    assert!(words(1_200, USUAL, 0).contains("both are of the same packets"));
    assert!(!words(1_200, USUAL, 1).contains("same packets"));
}
