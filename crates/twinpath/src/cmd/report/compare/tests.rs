use twinpath_metrics::{MetricsConfig, Record, SessionMetrics};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

use super::Comparison;
use super::chance::{fisher, holm, student, student_quantile};
use super::verdict::Verdict;
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
    // The state of long ago has no say in the first packet's.
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
    let mut one = [Comparison::new(reports)];
    assert!(super::compare(runs, &mut one).is_ok());
    let [comparison] = one;
    comparison
}

impl super::Rows for [Vec<Record>; 2] {
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

#[test]
fn over_nothing_but_chance_few_documents_show_a_change() {
    const PAIRS: u32 = 40;
    let mut chance = Chance(0x7e57);
    for (memory, calm, packets) in [
        (0.0, 3.0, 1_200),
        (0.9, 3.0, 400),
        (0.9, 3.0, 1_200),
        (0.98, 6.0, 400),
        (0.98, 6.0, 1_200),
        (0.99, 9.0, 1_200),
    ] {
        let path = Path {
            memory,
            calm,
            ..USUAL
        };
        let mut wrong = Vec::new();
        for _ in 0..PAIRS {
            let runs = [(); 2].map(|()| records(path, packets, &mut chance));
            let comparison = compared(&runs);
            assert!(!comparison.few);
            let split = keys(&comparison).contains(&"path-change");
            assert!(!split || memory > 0.9, "{memory}");
            wrong.extend(Some(changed(&comparison)).filter(|changed| !changed.is_empty()));
        }
        // 5 in 100 are promised, which is 2; at that rate there are more than 5 in 1 of 100 draws.
        assert!(
            wrong.len() <= 5,
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

fn keys(comparison: &Comparison) -> Vec<&'static str> {
    comparison.findings.iter().map(|it| it.key).collect()
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
                matches!(
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

#[test]
fn random_loss_against_none_is_a_change_both_ways() {
    let mut chance = Chance(0x1055);
    let half = Path { loss: 0.5, ..CLEAN };
    for packets in [60, 1_000] {
        let runs = [CLEAN, half].map(|path| records(path, packets, &mut chance));
        for comparison in both_ways(&runs) {
            is_sound(&comparison);
            assert_eq!(loss(&comparison), Verdict::Changed, "{packets}");
            assert!(!keys(&comparison).contains(&"outage"), "{packets}");
        }
    }
}

#[test]
fn a_run_that_lost_everything_is_a_change_unless_it_is_too_short_to_tell() {
    let mut chance = Chance(0xa11);
    for (packets, changed) in [(1, false), (5, false), (1_000, true)] {
        let runs = [CLEAN, DEAD].map(|path| records(path, packets, &mut chance));
        for comparison in both_ways(&runs) {
            is_sound(&comparison);
            let verdict = loss(&comparison);
            if changed {
                assert_eq!(verdict, Verdict::Changed);
                assert_eq!(keys(&comparison), ["outage"], "throughout");
                assert!(comparison.parts.is_empty());
            } else {
                let undecided = is_undecided(&verdict, "") || is_unnoticed(&verdict);
                assert!(undecided, "{verdict:?}");
            }
            assert!(is_undecided(&median(&comparison), ""), "{packets}");
        }
    }
}

#[test]
fn an_outage_of_half_a_run_is_said_first_and_the_rest_is_compared() {
    let mut chance = Chance(0x0ff);
    for dead in [0..500, 250..750, 500..1_000, 700..800] {
        let runs = [
            records(CLEAN, 1_000, &mut chance),
            varied(1_000, &mut chance, |seq| {
                if dead.contains(&seq) { DEAD } else { CLEAN }
            }),
        ];
        for comparison in both_ways(&runs) {
            is_sound(&comparison);
            assert!(keys(&comparison).contains(&"outage"), "{dead:?}");
            assert!(is_undecided(&loss(&comparison), "outage"), "{dead:?}");
            let [part] = &comparison.parts[..] else {
                panic!("{dead:?}");
            };
            assert!(
                part.names
                    .iter()
                    .any(|name| name.ends_with("outside its outages"))
            );
            let outside = loss(&part.comparison);
            let clear = matches!(outside, Verdict::Unchanged { within } if within <= 0.01);
            assert!(clear || is_unnoticed(&outside), "{outside:?}");
            let text = text(&comparison);
            assert!(text.contains("Cannot decide (?): Roundtrip loss"), "{text}");
        }
    }
}

#[test]
fn a_route_that_changes_in_one_run_is_said_first_and_its_parts_are_compared() {
    let mut chance = Chance(0x207e);
    for at in [250, 500, 750] {
        let runs = [
            records(FAST, 1_000, &mut chance),
            varied(1_000, &mut chance, |seq| if seq < at { FAST } else { SLOW }),
        ];
        for comparison in both_ways(&runs) {
            is_sound(&comparison);
            assert_eq!(keys(&comparison), ["path-change"], "{at}");
            assert!(
                is_undecided(&median(&comparison), "the path changed during the"),
                "{at}"
            );
            let [before, after] = &comparison.parts[..] else {
                panic!("{at}: {} parts", comparison.parts.len());
            };
            let same = median(&before.comparison);
            assert!(matches!(same, Verdict::Unchanged { .. }), "{at}: {same:?}");
            assert_eq!(median(&after.comparison), Verdict::Changed, "{at}");
            let text = text(&comparison);
            assert!(text.contains("Roundtrip median"), "{text}");
            assert!(!text.contains("Nothing changed"), "{text}");
        }
    }
}

#[test]
fn routes_that_change_in_both_runs_are_compared_part_by_part() {
    let mut chance = Chance(0xb07);
    let mut turned = |first: Path, second: Path, at: u64| {
        varied(
            1_000,
            &mut chance,
            |seq| if seq < at { first } else { second },
        )
    };
    let runs = [turned(FAST, SLOW, 400), turned(FAST, SLOW, 600)];
    for comparison in both_ways(&runs) {
        is_sound(&comparison);
        assert_eq!(keys(&comparison), ["path-change"; 2]);
        assert!(is_undecided(&median(&comparison), "both runs"));
        assert_eq!(comparison.parts.len(), 2);
        for part in &comparison.parts {
            let same = median(&part.comparison);
            assert!(matches!(same, Verdict::Unchanged { .. }), "{same:?}");
        }
    }
    let runs = [turned(FAST, SLOW, 500), turned(SLOW, FAST, 500)];
    for comparison in both_ways(&runs) {
        for part in &comparison.parts {
            assert_eq!(median(&part.comparison), Verdict::Changed);
        }
    }
}

#[test]
fn losses_in_one_burst_do_not_tell_how_often_one_comes() {
    let mut chance = Chance(0xb125);
    let burst = |seq: u64| {
        if (500..515).contains(&seq) {
            DEAD
        } else {
            CLEAN
        }
    };
    let runs = [
        records(CLEAN, 1_000, &mut chance),
        varied(1_000, &mut chance, burst),
    ];
    for comparison in both_ways(&runs) {
        is_sound(&comparison);
        assert!(
            is_undecided(&loss(&comparison), "in one burst"),
            "{:?}",
            loss(&comparison)
        );
        assert!(matches!(median(&comparison), Verdict::Unchanged { .. }));
    }
}

#[test]
fn few_packets_decide_little_and_claim_nothing() {
    let mut chance = Chance(0xfe3);
    for packets in [1, 5, 60, 150] {
        for path in [CLEAN, SLOW] {
            let runs = [CLEAN, path].map(|path| records(path, packets, &mut chance));
            for comparison in both_ways(&runs) {
                is_sound(&comparison);
                assert!(is_undecided(&median(&comparison), "fewer than 200 packets"));
                assert!(is_unnoticed(&loss(&comparison)));
                let text = text(&comparison);
                assert!(!text.contains("Nothing changed"), "{text}");
            }
        }
    }
}

#[test]
fn runs_over_one_path_have_no_changes_of_it_and_most_figures_are_seen_to_be_the_same() {
    let mut chance = Chance(0x5a3e);
    let (mut unchanged, mut changed) = (0, 0);
    for _ in 0..25 {
        let runs = [1_000, 1_700].map(|packets| records(CLEAN, packets, &mut chance));
        for comparison in both_ways(&runs) {
            is_sound(&comparison);
            assert_eq!(keys(&comparison), [""; 0]);
            unchanged += u32::from(matches!(median(&comparison), Verdict::Unchanged { .. }));
            changed += u32::from(!self::changed(&comparison).is_empty());
            assert!(matches!(loss(&comparison), Verdict::Unchanged { .. }));
        }
    }
    assert!(unchanged >= 45, "{unchanged} of 50");
    // As above, each pair twice.
    assert!(changed <= 8, "{changed} of 50");
}

#[test]
fn what_differs_beside_the_path_is_named() {
    let mut chance = Chance(0xd1ff);
    let runs = [(); 2].map(|()| records(CLEAN, 600, &mut chance));
    let mut one = [compared(&runs)];
    {
        let [before, after] = &mut one[0].reports;
        after.tos = twinpath_wire::Tos(0xb8);
        after.schedule = twinpath_proto::sender::Schedule::every(std::time::Duration::from_secs(1));
        after.padding = before.padding + 100;
        after.reflector.set_ip("192.0.2.77".parse().unwrap());
        after.tally.send_errors = 100;
        let reports = one[0].reports.clone();
        one[0] = Comparison::new(reports);
    }
    assert!(super::compare(&runs, &mut one).is_ok());
    let [comparison] = one;
    assert_eq!(
        keys(&comparison),
        [
            "incompletely-measured",
            "different-ends",
            "different-class",
            "different-size",
            "different-interval"
        ]
    );
    assert!(is_undecided(&loss(&comparison), "measured incompletely"));
    let variation = verdict(&comparison, "round_trip", "ipdv_mean_abs");
    assert!(is_undecided(&variation, "interval"), "{variation:?}");
    assert!(matches!(median(&comparison), Verdict::Unchanged { .. }));
}

#[test]
fn one_run_beside_itself_is_said_to_be_one() {
    let mut chance = Chance(0xacdc);
    let run = records(USUAL, 1_200, &mut chance);
    let mut same = compared(&[run.clone(), run]);
    assert!(same.same_packets, "the same addresses at the same time");
    assert!(text(&same).contains("both are of the same packets"));
    same.same_packets = false;
    assert!(!text(&same).contains("same packets"));
}

/// Two runs beside each other, after something of their reports was made otherwise.
fn compared_with(
    runs: &[Vec<Record>; 2],
    change: impl Fn(&mut [twinpath_runtime::SessionReport; 2]),
) -> Comparison {
    let mut reports = compared(runs).reports;
    change(&mut reports);
    let mut one = [Comparison::new(reports)];
    assert!(super::compare(runs, &mut one).is_ok());
    let [comparison] = one;
    comparison
}

#[test]
fn what_a_file_lacks_is_said_first_and_its_losses_are_undecided_whole_and_in_parts() {
    let mut chance = Chance(0x1ac);
    let half = |seq: u64| if seq < 300 { FAST } else { SLOW };
    let runs = [
        records(FAST, 600, &mut chance),
        varied(600, &mut chance, half),
    ];
    for (key, delays) in [
        ("interrupted", false),
        ("capture-broken-off", false),
        ("file-torn", false),
        ("cut-replies", true),
        ("records-missing", true),
    ] {
        for run in 0..2 {
            let note = twinpath_runtime::Note {
                key,
                line: "what the file lacks".to_owned(),
                warning: true,
            };
            let comparison = compared_with(&runs, |reports| reports[run].notes.push(note.clone()));
            is_sound(&comparison);
            let first = &comparison.findings[0];
            assert_eq!((first.key, first.run), (key, Some(run)));
            assert!(first.line.contains("what the file lacks"), "{}", first.line);
            assert!(!comparison.parts.is_empty(), "{key}");
            let parts = comparison.parts.iter().map(|part| &part.comparison);
            for comparison in parts.chain([&comparison]) {
                assert!(is_undecided(&loss(comparison), "lacks"), "{key}");
                assert!(!delays || is_undecided(&median(comparison), ""), "{key}");
            }
            assert!(delays || changed(&comparison.parts[1].comparison).len() > 1);
        }
    }
}

#[test]
fn packets_under_way_at_the_end_may_be_lost_or_not() {
    let mut chance = Chance(0xf17);
    let half = Path { loss: 0.5, ..CLEAN };
    let clean = [(); 2].map(|()| records(CLEAN, 700, &mut chance));
    let lossy = [CLEAN, half].map(|path| records(path, 700, &mut chance));
    for run in 0..2 {
        let with = |runs, count| {
            let comparison = compared_with(runs, |reports: &mut [_; 2]| {
                reports[run].tally.in_flight = count;
            });
            is_sound(&comparison);
            assert_eq!(keys(&comparison), ["under-way"]);
            assert_eq!(comparison.findings[0].run, Some(run));
            loss(&comparison)
        };
        let verdict = with(&clean, 300);
        assert!(
            matches!(verdict, Verdict::Unnoticed { within } if within > 0.3),
            "{verdict:?}"
        );
        let verdict = with(&clean, 1);
        assert!(matches!(verdict, Verdict::Unchanged { .. }), "{verdict:?}");
        assert_eq!(with(&lossy, 50), Verdict::Changed, "in any case");
        let verdict = with(&lossy, 800);
        if run == 0 {
            assert!(is_unnoticed(&verdict), "either may be the greater");
        } else {
            assert_eq!(verdict, Verdict::Changed, "a quarter at least was lost");
        }
    }
}

#[test]
fn a_part_without_losses_does_not_say_that_nothing_changed() {
    let mut chance = Chance(0x510);
    let runs = [
        records(FAST, 1_000, &mut chance),
        varied(1_000, &mut chance, |seq| {
            if (310..520).contains(&seq) {
                DEAD
            } else {
                SLOW
            }
        }),
    ];
    for comparison in both_ways(&runs) {
        is_sound(&comparison);
        assert_eq!(median(&comparison), Verdict::Changed);
        let [part] = &comparison.parts[..] else {
            panic!("{}", comparison.parts.len());
        };
        assert!(matches!(loss(&part.comparison), Verdict::Unchanged { .. }));
        let text = text(&comparison);
        assert!(!text.contains("Nothing changed"), "{text}");
        let outage = comparison.findings.iter().find(|it| it.key == "outage");
        let line = &outage.unwrap().line;
        assert!(line.ends_with("packets 310 to 519 were lost"), "{line}");
    }
}

#[test]
fn a_change_of_route_within_a_block_is_in_neither_part() {
    let mut chance = Chance(0x2171);
    for at in [401, 412, 424] {
        for turned in [false, true] {
            let of = |seq: u64| if (seq < at) == turned { SLOW } else { FAST };
            let runs = [
                records(FAST, 1_000, &mut chance),
                varied(1_000, &mut chance, of),
            ];
            let comparison = compared(&runs);
            assert_eq!(comparison.parts.len(), 2);
            let fast = &comparison.parts[usize::from(turned)];
            for figure in ["median", "p95", "p99", "mean"] {
                let same = verdict(&fast.comparison, "round_trip", figure);
                assert_ne!(same, Verdict::Changed, "{at}: {figure}");
                let mut changes = fast.comparison.changes.iter();
                let found = changes.find(|it| it.figure == figure).unwrap();
                assert!(found.difference.unwrap().abs() < 1e6, "{found:?}");
            }
        }
    }
}

#[test]
fn a_burst_shorter_than_a_block_is_no_outage() {
    let mut chance = Chance(0x24);
    let runs = [
        records(CLEAN, 1_000, &mut chance),
        varied(1_000, &mut chance, |seq| {
            if (600..624).contains(&seq) {
                DEAD
            } else {
                CLEAN
            }
        }),
    ];
    for comparison in both_ways(&runs) {
        is_sound(&comparison);
        assert_eq!(keys(&comparison), [""; 0]);
        assert!(is_undecided(&loss(&comparison), "in one burst"));
    }
}

#[test]
fn a_table_fits_the_page_whatever_the_delays_are() {
    let mut chance = Chance(0x80);
    for (delay_us, has_shares) in [(80.0, true), (23_300.0, true), (4_321_000.0, false)] {
        let before = Path {
            delay_us,
            loss: 0.02,
            ..CLEAN
        };
        let after = Path {
            delay_us: delay_us * 1.5,
            ..before
        };
        let runs = [before, after].map(|path| records(path, 1_000, &mut chance));
        let comparison = compared(&runs);
        let mut out = Vec::new();
        super::show::table(&comparison, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= 79, "{text}");
        }
        let shares = text.lines().filter(|line| line.contains("% ")).count();
        assert_eq!(shares > 3, has_shares, "{text}");
        let (low, high) = text.split_once(" to +").unwrap();
        assert!(low.ends_with(|c: char| c.is_ascii_digit()), "{text}");
        assert!(high.split(' ').next().unwrap().ends_with('s'), "{text}");
    }
}
