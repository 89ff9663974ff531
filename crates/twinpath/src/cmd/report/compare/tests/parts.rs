//! Runs that were not the same throughout.

use super::super::verdict::Verdict;
use super::*;

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
            assert_eq!(keys(&comparison)[0], "unavailable", "{dead:?}");
            assert!(keys(&comparison).contains(&"outage"), "{dead:?}");
            // Only what lasts to the end of the second run is a change; another outage does not show how
            // often one comes.
            let second_is_dead = comparison.reports[1].figures.lost > 0;
            let is_change = dead.end == 1_000 && second_is_dead;
            if is_change {
                assert_eq!(loss(&comparison), Verdict::Changed, "{dead:?}");
            } else {
                assert!(is_undecided(&loss(&comparison), "outage"), "{dead:?}");
            }
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
            let first = if is_change {
                "Changed (*), seen in the runs: Roundtrip outages"
            } else {
                "one outage is too few to call it a change"
            };
            assert!(text.contains(first), "{text}");
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
            let note = fixtures::warning(key, "what the file lacks".to_owned());
            let comparison = compared_with(&runs, |reports| reports[run].notes.push(note.clone()));
            is_sound(&comparison);
            let first = &comparison.findings[0];
            assert_eq!((&*first.key, first.run), (key, Some(run)));
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
