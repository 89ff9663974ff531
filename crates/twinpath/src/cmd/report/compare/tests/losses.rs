//! Losses that come in bursts: what is called a change, and how often chance alone is.

use super::super::Change;
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
        // The state of long ago has no say in the first packet's.
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

/// How many of so many pairs of runs have their losses, and any figure, called changed.
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
        (600, Bursts(0.47, 200.0, 1.0), 6),
        (2_000, Bursts(0.1, 10.0, 1.0), 8),
        (2_000, Bursts(0.4, 50.0, 0.7), 9),
        (600, From(0.5), 10),
        (600, From(0.9), 10),
        (600, From(0.01), 10),
        (60, From(0.1), 10),
        (600, Between(0.3, 0.77), 10),
    ] {
        for pair in [[None, losses], [losses, None]] {
            let [found, _] = called_changed(pair, packets, 10, &mut chance);
            assert!(found >= least, "{packets} {pair:?}: {found} of 10");
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
        (600, Bursts(0.47, 50.0, 1.0)),
        (2_000, Bursts(0.1, 10.0, 1.0)),
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
