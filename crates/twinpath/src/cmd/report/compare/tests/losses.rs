//! Losses that come in bursts: what is called a change, and how often chance alone is.

use super::super::Change;
use super::super::blocks::Blocks;
use super::super::parts::Scope;
use super::super::verdict::{CHANCE, test_losses};
use super::*;

/// How packets are lost.
#[derive(Clone, Copy, Debug)]
enum Losses {
    None,
    /// Each by itself, in this share.
    Random(f64),
    /// This share in bursts of this mean length, in which this share of the packets is lost.
    Bursts(f64, f64, f64),
    /// All from this share of the run on.
    From(f64),
    /// All between these shares of the run.
    Between(f64, f64),
}

impl Losses {
    fn run(self, packets: u64, chance: &mut Chance) -> Vec<Record> {
        let mut burst = false;
        let mut lost = Vec::new();
        let place = |seq: u64| real(seq) / real(packets);
        // The first packet does not depend on the state of long ago.
        for seq in 0..packets + 2_000 {
            let seq = seq.saturating_sub(2_000);
            lost.push(match self {
                Self::None => false,
                Self::Random(share) => chance.even() < share,
                Self::Bursts(share, length, within) => {
                    let time = share / within;
                    let begins = time / (1.0 - time) / length;
                    burst = chance.even() < if burst { 1.0 - 1.0 / length } else { begins };
                    burst && chance.even() < within
                }
                Self::From(from) => place(seq) >= from,
                Self::Between(from, to) => (from..to).contains(&place(seq)),
            });
        }
        let lost = &lost[2_000..];
        varied(packets, chance, |seq| {
            if lost[usize::try_from(seq).unwrap()] {
                DEAD
            } else {
                CLEAN
            }
        })
    }
}

/// In how many of these pairs of runs losses, and any figure, are reported as changed.
fn called_changed(losses: [Losses; 2], packets: u64, pairs: u32, chance: &mut Chance) -> [u32; 2] {
    let mut found = [0; 2];
    for _ in 0..pairs {
        let runs = losses.map(|losses| losses.run(packets, chance));
        let comparison = compared(&runs);
        is_sound(&comparison);
        let changed = changed(&comparison);
        let whole = loss(&comparison) == Verdict::Changed;

        found[0] += u32::from(whole);
        found[1] += u32::from(!changed.is_empty());
    }
    found
}

#[test]
fn losses_against_none_are_a_change_however_they_come() {
    use Losses::{Between, Bursts, From, None, Random};
    let mut chance = Chance(0x5eed_1055);
    for (packets, losses, least) in [
        (600, Random(0.1), 9),
        (600, Bursts(0.47, 10.0, 1.0), 9),
        (600, Bursts(0.47, 50.0, 1.0), 6),
        (2_000, Bursts(0.1, 10.0, 1.0), 8),
        (2_000, Bursts(0.4, 50.0, 0.7), 9),
        (600, From(0.01), 10),
        (60, From(0.1), 10),
        (600, Between(0.04, 0.96), 10),
    ] {
        for pair in [[None, losses], [losses, None]] {
            let [found, _] = called_changed(pair, packets, 10, &mut chance);
            assert!(found >= least, "{packets} {pair:?}: {found} of 10");
        }
    }
}

#[test]
fn one_outage_is_a_change_only_if_it_takes_most_of_a_run_or_the_second_run_ends_in_it() {
    use Losses::{Between, From, None};
    let mut chance = Chance(0x0117_a6e5);
    for (losses, as_second, as_first) in [
        (From(0.5), true, false),
        (From(0.64), true, false),
        (From(0.7), false, false),
        (From(0.95), false, false),
        (Between(0.3, 0.77), false, false),
        (Between(0.0, 0.5), false, false),
        (Between(0.1, 0.9), false, false),
        (Between(0.0, 0.92), true, true),
    ] {
        for (pair, expected) in [([None, losses], as_second), ([losses, None], as_first)] {
            let runs = pair.map(|losses| losses.run(600, &mut chance));
            let comparison = compared(&runs);
            is_sound(&comparison);
            let found = changed(&comparison);
            assert_eq!(!found.is_empty(), expected, "{pair:?}: {found:?}");
            // Decided or not, it comes first.
            let first = &comparison.findings[0];
            assert_eq!(first.key, "unavailable", "{pair:?}");
            let doubt = first
                .line
                .ends_with(": one outage is too few to call it a change");
            assert_eq!(doubt, !expected, "{pair:?}: {}", first.line);
            let dead = if matches!(pair[0], None) {
                "second"
            } else {
                "first"
            };
            let said = format!("the {dead} run was unavailable for ");
            assert!(first.line.contains(&said), "{}", first.line);
            assert!(
                first.line.contains(" run was never unavailable"),
                "{}",
                first.line
            );
            let lasts = matches!(losses, From(_)) && dead == "second";
            assert_eq!(
                first.line.contains(", and its last "),
                lasts,
                "{}",
                first.line
            );
        }
    }
}

#[test]
fn more_losses_than_a_few_are_a_change_however_they_come() {
    use Losses::Bursts;
    let mut chance = Chance(0x5eed_0e55);
    let pair = [Bursts(0.01, 3.0, 1.0), Bursts(0.47, 10.0, 1.0)];
    let [found, _] = called_changed(pair, 600, 10, &mut chance);
    assert!(found >= 9, "{found} of 10");
}

#[test]
fn losses_alike_in_both_runs_are_seldom_a_change_however_they_come() {
    use Losses::{Bursts, From, Random};
    const PAIRS: u32 = 40;
    let mut chance = Chance(0x0a11_a1a2);
    for (packets, losses) in [
        (600, Random(0.02)),
        (600, Random(0.47)),
        (600, Bursts(0.1, 10.0, 1.0)),
        (600, Bursts(0.47, 10.0, 1.0)),
        (600, Bursts(0.1, 50.0, 1.0)),
        (600, Bursts(0.1, 100.0, 1.0)),
        (600, Bursts(0.1, 200.0, 1.0)),
        (600, Bursts(0.05, 200.0, 1.0)),
        (600, Bursts(0.47, 50.0, 1.0)),
        (2_000, Bursts(0.1, 10.0, 1.0)),
        (2_000, Bursts(0.1, 200.0, 1.0)),
        (2_000, Bursts(0.4, 50.0, 0.7)),
        (2_000, Bursts(0.47, 200.0, 1.0)),
        (600, From(0.5)),
        (600, From(0.01)),
    ] {
        let [_, found] = called_changed([losses; 2], packets, PAIRS, &mut chance);
        // 5 in 100 are promised, which is 2; at that rate there are more than 5 in 1 of 100 draws.
        assert!(found <= 5, "{packets} {losses:?}: {found} of {PAIRS}");
    }
}

/// How often chance alone makes such a difference of losses.
fn by_chance(runs: [Vec<Record>; 2], report: &mut SessionReport) -> f64 {
    let counted = runs.map(|records| {
        let lost = |it: &&Record| matches!(it, Record::Sample(it) if it.fate == Fate::Lost);
        let (lost, sent) = (
            records.iter().filter(lost).count() as u64,
            records.len() as u64,
        );
        (report.figures.lost, report.figures.received) = (lost, sent - lost);
        let mut blocks = Blocks::new(report, Scope::whole(0, sent - 1), [None; 3]);
        for record in &records {
            blocks.record(record);
        }
        ((lost, sent), blocks.clustering())
    });
    let [(before, one), (after, other)] = counted;
    test_losses([before, after], [0; 2], [one, other]).1
}

#[test]
fn bursts_alike_in_both_runs_are_a_change_as_often_as_chance_says() {
    const PAIRS: u32 = 300;
    let mut chance = Chance(0x611b_e127);
    let mut report = fixtures::quiet_path();
    for (packets, share, length, within) in [
        (600, 0.3, 20.0, 0.5),
        (2_000, 0.3, 10.0, 1.0),
        (2_000, 0.3, 10.0, 0.7),
        (5_000, 0.1, 5.0, 0.7),
    ] {
        let losses = Losses::Bursts(share, length, within);
        let mut found = [0; 2];
        for _ in 0..PAIRS {
            let runs = [(); 2].map(|()| losses.run(packets, &mut chance));
            let p = by_chance(runs, &mut report);
            found[0] += u32::from(p < CHANCE);
            // As corrected where five figures of either way are compared, and losses.
            found[1] += u32::from(p < CHANCE / 13.0);
        }
        // 5 % and 0.4 % are promised; that rate has more in 1 of 1,000 draws.
        assert!(
            found[0] <= 28 && found[1] <= 5,
            "{packets} {losses:?}: {found:?}"
        );
    }
}

#[test]
fn intervals_of_losses_are_no_wider_than_their_bursts_allow() {
    let mut chance = Chance(0x0f60_0280);
    let runs = [
        Losses::None.run(600, &mut chance),
        Losses::Bursts(0.47, 10.0, 1.0).run(600, &mut chance),
    ];
    for comparison in both_ways(&runs) {
        let of_losses = |it: &&Change| it.direction == "round_trip" && it.figure == "loss_ratio";
        let found = comparison.changes.iter().find(of_losses);
        let [low, high] = found.unwrap().interval.unwrap();
        assert!(low.signum() == high.signum(), "{low} {high}");
        assert!(high - low < 0.5, "{low} {high}");
    }
}
