//! Runs that were the same throughout.

use super::super::verdict::Verdict;
use super::*;

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
                assert_eq!(keys(&comparison), ["unavailable"], "throughout");
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
            changed += u32::from(!super::changed(&comparison).is_empty());
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
        after.identity.tos = twinpath_wire::Tos(0xb8);
        after.identity.schedule =
            twinpath_proto::sender::Schedule::every(std::time::Duration::from_secs(1));
        after.identity.padding = before.identity.padding + 100;
        after
            .identity
            .reflector
            .set_ip("192.0.2.77".parse().unwrap());
        after.counters.send_errors = 100;
        let reports = one[0].reports.clone();
        one[0] = Comparison::new(reports);
    }
    assert!(super::super::compare(&runs, &mut one).is_ok());
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
    assert!(text(&same).contains("both contain the same packets"));
    same.same_packets = false;
    assert!(!text(&same).contains("same packets"));
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
                reports[run].counters.in_flight = count;
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
        super::super::show::table(&comparison, &mut out).unwrap();
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
