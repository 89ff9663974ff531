use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const TOPOLOGIES: [Topology; 5] = [
    Topology::Full,
    Topology::Ring,
    Topology::Hub,
    Topology::Bipartite,
    Topology::Sample(8),
];

/// Nodes: every fifth is a hub or on the left side, others are on the right one; each `passive`th is passive.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("node{number}")).collect()
}

fn members(names: &[String], passive: usize) -> Vec<Member<'_>> {
    let members = names.iter().enumerate().map(|(number, name)| Member {
        name,
        is_passive: passive > 0 && number % passive == 1,
        is_first: number % 5 == 0,
        is_second: number % 5 != 0,
    });
    members.collect()
}

type Pairs = BTreeMap<(String, String), u32>;

/// All links by names.
fn links(topology: Topology, are_both: bool, members: &[Member<'_>]) -> Pairs {
    let links = Links::new(topology, are_both, ["seed", "mesh"], members);
    let mut all = Pairs::new();
    for (from, member) in members.iter().enumerate() {
        for Link { to, phase } in links.of(from) {
            let key = (member.name.to_owned(), members[to].name.to_owned());
            assert!(all.insert(key, phase).is_none(), "twice");
        }
    }
    all
}

/// A pair, without a direction.
fn unordered((from, to): &(String, String)) -> (String, String) {
    let mut pair = [from.clone(), to.clone()];
    pair.sort();
    let [one, other] = pair;
    (one, other)
}

/// Whether two members may be paired.
fn may_pair(topology: Topology, one: &Member<'_>, other: &Member<'_>) -> bool {
    let is_across = match topology {
        Topology::Full | Topology::Ring | Topology::Sample(_) => true,
        Topology::Hub => one.is_first || other.is_first,
        Topology::Bipartite => one.is_first != other.is_first,
    };
    is_across && !(one.is_passive && other.is_passive)
}

fn degrees(all: &Pairs) -> BTreeMap<String, usize> {
    let mut degrees = BTreeMap::new();
    for (from, to) in all.keys().map(unordered).collect::<BTreeSet<_>>() {
        *degrees.entry(from).or_default() += 1;
        *degrees.entry(to).or_default() += 1;
    }
    degrees
}

fn senders(all: &Pairs) -> BTreeMap<&str, usize> {
    let mut senders = BTreeMap::new();
    for (from, _) in all.keys() {
        *senders.entry(from.as_str()).or_default() += 1;
    }
    senders
}

fn is_connected(all: &Pairs, nodes: usize) -> bool {
    let mut reached: BTreeSet<&str> = all.keys().take(1).map(|(from, _)| from.as_str()).collect();
    loop {
        let before = reached.len();
        for (from, to) in all.keys() {
            if reached.contains(from.as_str()) || reached.contains(to.as_str()) {
                reached.insert(from);
                reached.insert(to);
            }
        }
        if reached.len() == before {
            return before == nodes;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn each_pair_is_measured_once_and_no_node_measures_itself(count in 1..40_usize, passive in 0..7_usize) {
        let names = names(count);
        let members = members(&names, passive);
        for topology in TOPOLOGIES {
            let all = links(topology, false, &members);
            let pairs: BTreeSet<_> = all.keys().map(unordered).collect();
            prop_assert_eq!(pairs.len(), all.len(), "{:?}", topology);
            for (from, to) in all.keys() {
                let find = |name: &str| members.iter().find(|it| it.name == name).unwrap();
                prop_assert!(from != to && !find(from).is_passive);
                prop_assert!(may_pair(topology, find(from), find(to)), "{from} {to} {topology:?}");
            }
            // Both ends: the same pairs, each from every node that measures.
            let both = links(topology, true, &members);
            let both_pairs: BTreeSet<_> = both.keys().map(unordered).collect();
            prop_assert_eq!(&both_pairs, &pairs, "{:?}", topology);
            for pair in &pairs {
                let active = members.iter().filter(|it| !it.is_passive && (it.name == pair.0 || it.name == pair.1));
                let turned = (pair.1.clone(), pair.0.clone());
                let measured = [pair, &turned].into_iter().filter(|it| both.contains_key(it)).count();
                prop_assert_eq!(measured, active.count());
            }
        }
    }

    #[test]
    fn full_hub_and_bipartite_have_every_pair_that_they_may(count in 1..30_usize, passive in 0..7_usize) {
        let names = names(count);
        let members = members(&names, passive);
        for topology in [Topology::Full, Topology::Hub, Topology::Bipartite] {
            let mut wanted = 0;
            for (place, one) in members.iter().enumerate() {
                wanted += members[place + 1..].iter().filter(|other| may_pair(topology, one, other)).count();
            }
            prop_assert_eq!(links(topology, false, &members).len(), wanted, "{:?}", topology);
        }
    }

    #[test]
    fn the_order_of_nodes_does_not_matter(count in 2..30_usize, passive in 0..7_usize, turn in 0..30_usize) {
        let names = names(count);
        let mut members = members(&names, passive);
        for topology in TOPOLOGIES {
            let before = links(topology, false, &members);
            members.rotate_left(turn % count);
            members.reverse();
            prop_assert_eq!(links(topology, false, &members), before);
        }
    }
}

#[test]
fn work_is_shared_evenly() {
    for count in [2, 3, 8, 50, 51] {
        let names = names(count);
        let full = links(Topology::Full, false, &members(&names, 0));
        let senders = senders(&full);
        for name in &names {
            let sent = senders.get(name.as_str()).copied().unwrap_or_default();
            assert!(
                sent.abs_diff((count - 1) / 2) <= 1,
                "{name} {sent} of {count}"
            );
        }
    }
    // 20 on the left, 80 on the right.
    let names = names(100);
    let all = links(Topology::Bipartite, false, &members(&names, 0));
    for (number, name) in names.iter().enumerate() {
        let sent = senders(&all)
            .get(name.as_str())
            .copied()
            .unwrap_or_default();
        let half = if number % 5 == 0 { 40 } else { 10 };
        assert!(usize::abs_diff(sent, half) <= 1, "{name}: {sent}");
    }
    // One ring gives each node one session; a sample half of its pairs.
    let ring = links(Topology::Ring, false, &members(&names, 0));
    assert!(senders(&ring).values().all(|sent| *sent == 1) && ring.len() == 100);
    let sample = links(Topology::Sample(8), false, &members(&names, 0));
    assert!(senders(&sample).values().all(|sent| (3..=4).contains(sent)));
}

#[test]
fn rings_and_samples_are_connected_and_samples_regular() {
    for (count, passive) in [(3, 0), (4, 2), (200, 0), (200, 3)] {
        let names = names(count);
        let members = members(&names, passive);
        for topology in [Topology::Ring, Topology::Sample(8)] {
            let all = links(topology, false, &members);
            assert!(is_connected(&all, count), "{topology:?} of {count}");
        }
    }
    let names = names(500);
    let members = members(&names, 0);
    let degrees = degrees(&links(Topology::Sample(8), false, &members));
    assert!(degrees.values().all(|degree| *degree <= 8));
    // Two rings have two pairs in common, on average.
    let missing: usize = degrees.values().map(|degree| 8 - degree).sum();
    assert!(
        degrees.len() == 500 && missing < 64,
        "{missing} are missing"
    );
}

#[test]
fn one_node_more_changes_few_pairs() {
    let names = names(201);
    let all = members(&names, 0);
    for (topology, most_lost) in [
        // Who of both measures may change.
        (Topology::Full, 200),
        (Topology::Ring, 1),
        (Topology::Hub, 40),
        (Topology::Bipartite, 400),
        (Topology::Sample(8), 8),
    ] {
        let before = links(topology, false, &all[..200]);
        let after = links(topology, false, &all);
        let lost = before
            .keys()
            .filter(|link| !after.contains_key(*link))
            .count();
        assert!(
            lost <= most_lost,
            "{topology:?}: {lost} of {}",
            before.len()
        );
        assert_ne!(before, after);
    }
}

#[test]
fn another_seed_gives_another_order() {
    let names = names(50);
    let members = members(&names, 0);
    let of = |seed| Links::new(Topology::Ring, false, [seed, "mesh"], &members).of(0);
    assert_eq!(of("one"), of("one"));
    assert_ne!(of("one"), of("two"));
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The greatest distance of two neighbours among these points of a circle, in multiples of the mean distance.
fn worst_gap(mut phases: Vec<u32>) -> f64 {
    phases.sort_unstable();
    let turned = phases.iter().skip(1).chain(phases.first());
    let gaps = phases
        .iter()
        .zip(turned)
        .map(|(one, next)| next.wrapping_sub(*one));
    f64::from(gaps.max().unwrap()) / 2_f64.powi(32) * number(phases.len())
}

/// In virtual time, 200 nodes that all begin at once: what reaches a node, and what leaves it, over an interval.
#[test]
fn what_reaches_a_node_is_spread_over_the_interval() {
    let names = names(200);
    let members = members(&names, 0);
    for topology in TOPOLOGIES {
        for are_both in [false, true] {
            let all = links(topology, are_both, &members);
            let mut arrivals: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            let mut departures: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            for ((from, to), phase) in &all {
                arrivals.entry(to).or_default().push(*phase);
                departures.entry(from).or_default().push(*phase);
            }
            let case = format!("{topology:?} {are_both}");
            for (node, phases) in arrivals {
                if phases.len() < 20 {
                    continue;
                }
                let mut tenths = [0_usize; 10];
                for phase in &phases {
                    tenths[usize::try_from((u64::from(*phase) * 10) >> 32).unwrap()] += 1;
                }
                let mean = number(phases.len()) / 10.0;
                let most = number(*tenths.iter().max().unwrap());
                assert!(most <= mean * 1.3 + 3.0, "{case} {node}: {tenths:?}");
                assert!(worst_gap(phases) < 6.0, "{case}: arrivals at {node}");
            }
            for (node, phases) in departures {
                if phases.len() >= 20 {
                    assert!(worst_gap(phases) < 6.0, "{case}: departures of {node}");
                }
            }
            // And of all nodes together.
            let mut tenths = [0_usize; 10];
            for phase in all.values() {
                tenths[usize::try_from((u64::from(*phase) * 10) >> 32).unwrap()] += 1;
            }
            let mean = all.len() / 10;
            assert!(
                tenths
                    .iter()
                    .all(|number| number.abs_diff(mean) <= mean / 3 + 20),
                "{case}: {tenths:?}"
            );
        }
    }
}

#[test]
fn ten_thousand_nodes_are_derived() {
    let names = names(10_000);
    let members = members(&names, 10);
    for topology in TOPOLOGIES {
        let links = Links::new(topology, false, ["seed", "mesh"], &members);
        let sent = links.of(5).len();
        let most = if topology == Topology::Full {
            6_000
        } else {
            5_100
        };
        assert!((1..=most).contains(&sent), "{topology:?}: {sent}");
    }
}
