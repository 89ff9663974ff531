//! Comparisons of runs over paths whose properties are known.

mod losses;
mod parts;
mod whole;

use twinpath_metrics::{MetricsConfig, Record, SessionMetrics};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

use super::Comparison;
use super::chance::real;
use super::verdict::Verdict;
use twinpath_report::{Identity, SessionReport};

use crate::output::fixtures;

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
    /// How little the queue varies.
    calm: f64,
    /// How often a burst of losses begins.
    burst: f64,
    /// How often a packet is lost by itself.
    loss: f64,
}

const USUAL: Path = Path {
    memory: 0.9,
    delay_us: 1_000.0,
    queue_us: 30.0,
    calm: 3.0,
    burst: 0.002,
    loss: 0.0,
};
const CLEAN: Path = Path {
    burst: 0.0,
    ..USUAL
};
const DEAD: Path = Path { loss: 1.0, ..CLEAN };
const FAST: Path = Path {
    delay_us: 10_700.0,
    ..CLEAN
};
const SLOW: Path = Path {
    delay_us: 23_300.0,
    ..CLEAN
};

fn records(path: Path, packets: u64, chance: &mut Chance) -> Vec<Record> {
    varied(packets, chance, |_| path)
}

/// A run whose packets are each sent over a path of their own.
fn varied(packets: u64, chance: &mut Chance, path: impl Fn(u64) -> Path) -> Vec<Record> {
    let mut queue = 0.0;
    let mut losing = false;
    // The first packet does not depend on the state of long ago.
    for _ in 0..200 {
        queue = path(0).memory * queue + chance.normal();
    }
    (0..packets)
        .map(|seq| {
            let path = path(seq);
            queue = path.memory * queue + chance.normal();
            losing = chance.even() < if losing { 0.6 } else { path.burst };
            let lost = losing || chance.even() < path.loss;
            #[expect(clippy::cast_possible_truncation, reason = "microseconds")]
            let ns =
                ((path.delay_us + f64::exp(queue / path.calm) * path.queue_us) * 1_000.0) as i64;
            let t1 = i64::try_from(seq).unwrap() * 10_000_000;
            let stamp = |ns| Stamp {
                at: Wall::from_unix_ns(ns),
                rung: Rung::Kernel,
            };
            Record::Sample(Sample {
                seq,
                fate: if lost { Fate::Lost } else { Fate::Received },
                t1: stamp(t1),
                t2: (!lost).then(|| Wall::from_unix_ns(t1 + ns * 6 / 10)),
                t3: (!lost).then(|| Wall::from_unix_ns(t1 + ns * 6 / 10)),
                t4: (!lost).then(|| stamp(t1 + ns)),
                reflector_seq: (!lost).then(|| u32::try_from(seq).unwrap()),
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
        let identity = Identity {
            sender: "192.0.2.1:1000".parse().unwrap(),
            reflector: "192.0.2.2:862".parse().unwrap(),
            tos: twinpath_wire::Tos(0),
            ..fixtures::quiet_path().identity
        };
        SessionReport::new(identity, &metrics, MetricsConfig::default())
    });
    let mut one = [Comparison::new(reports)];
    assert!(super::compare(runs, &mut one).is_ok());
    let [comparison] = one;
    comparison
}

impl super::passes::Rows for [Vec<Record>; 2] {
    fn each(
        &self,
        run: usize,
        take: &mut dyn FnMut(u32, &Record),
    ) -> Result<(), super::super::Trouble> {
        self[run].iter().for_each(|record| take(1, record));
        Ok(())
    }
}

fn changed(comparison: &Comparison) -> Vec<(&'static str, &'static str)> {
    let parts = comparison.parts.iter();
    let parts = parts.flat_map(|part| &part.comparison.changes);
    let changes = comparison.changes.iter().chain(parts);
    changes
        .filter(|change| change.verdict() == Verdict::Changed)
        .map(|change| (change.direction, change.figure))
        .collect()
}

/// Both directions of a comparison.
fn both_ways(runs: &[Vec<Record>; 2]) -> Vec<Comparison> {
    let [before, after] = runs;
    let there = compared(&[before.clone(), after.clone()]);
    let back = compared(&[after.clone(), before.clone()]);
    vec![there, back]
}

fn verdict(comparison: &Comparison, direction: &str, figure: &str) -> Verdict {
    let mut changes = comparison.changes.iter();
    let change = changes.find(|it| (it.direction, it.figure) == (direction, figure));
    change.unwrap().verdict()
}

fn loss(comparison: &Comparison) -> Verdict {
    verdict(comparison, "round_trip", "loss_ratio")
}

fn median(comparison: &Comparison) -> Verdict {
    verdict(comparison, "round_trip", "median")
}

fn keys(comparison: &Comparison) -> Vec<&str> {
    comparison.findings.iter().map(|it| &*it.key).collect()
}

fn text(comparison: &Comparison) -> String {
    super::show::words(comparison).join("\n")
}

fn is_undecided(verdict: &Verdict, because: &str) -> bool {
    matches!(verdict, Verdict::Undecided { why } if why.contains(because))
}

fn is_unnoticed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unnoticed { .. })
}

/// Shares and their differences are what they can be, and nothing is said to be unchanged that was
/// not seen to be.
fn is_sound(comparison: &Comparison) {
    let parts = comparison.parts.iter();
    let parts = parts.flat_map(|part| &part.comparison.changes);
    for change in comparison.changes.iter().chain(parts) {
        if let Some([low, high]) = change.interval {
            assert!(low <= high, "{change:?}");
            if change.unit == super::Unit::Ratio {
                assert!(-1.0 <= low && high <= 1.0, "{change:?}");
            }
            if let Verdict::Unchanged { within } = change.verdict() {
                let difference = change.difference.unwrap();
                assert!(difference.abs() <= within, "{change:?}");
            }
        } else {
            assert!(
                change.observed
                    || matches!(
                        change.verdict(),
                        Verdict::Undecided { .. } | Verdict::Absent
                    ),
                "{change:?}"
            );
        }
    }
    if comparison
        .changes
        .iter()
        .any(|it| !matches!(it.verdict(), Verdict::Unchanged { .. } | Verdict::Absent))
    {
        let text = text(comparison);
        assert!(!text.contains("Nothing changed that matters.\n"), "{text}");
    }
}

/// Two runs beside each other, after something of their reports was made otherwise.
fn compared_with(runs: &[Vec<Record>; 2], change: impl Fn(&mut [SessionReport; 2])) -> Comparison {
    let mut reports = compared(runs).reports;
    change(&mut reports);
    let mut one = [Comparison::new(reports)];
    assert!(super::compare(runs, &mut one).is_ok());
    let [comparison] = one;
    comparison
}
