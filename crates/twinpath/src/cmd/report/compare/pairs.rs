//! Which session of one run is beside which of the other: by what they measure, not by their places.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use twinpath_report::SessionReport;

use crate::output::ends;

/// What a session is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fact<'a> {
    Name(Option<&'a str>),
    Address(IpAddr),
    Number(u16),
}

/// How many facts a session is known by.
const FACTS: usize = 9;

/// Sessions beside each other, and the numbers of those of each run that are left over.
pub(super) struct Pairs {
    pub(super) pairs: Vec<[SessionReport; 2]>,
    pub(super) alone: [Vec<usize>; 2],
}

/// First those that have most in common, in the order of what weighs most. Of sessions that are alike
/// the first is beside the first, and so are those that have nothing in common.
pub(super) fn paired(runs: [Vec<SessionReport>; 2]) -> Pairs {
    let facts = runs
        .each_ref()
        .map(|run| run.iter().map(facts).collect::<Vec<_>>());
    let mut partners: Vec<Option<usize>> = vec![None; facts[0].len()];
    let mut taken = vec![false; facts[1].len()];
    for agreeing in (0..1_u32 << FACTS).rev() {
        if partners.iter().all(Option::is_some) || taken.iter().all(|taken| *taken) {
            break;
        }
        let left = taken.iter().zip(&facts[1]).enumerate();
        let left = left.filter(|(_, (taken, _))| !**taken);
        let mut alike: BTreeMap<_, VecDeque<usize>> = BTreeMap::new();
        for (place, (_, facts)) in left {
            let of = alike.entry(these(facts, agreeing)).or_default();
            of.push_back(place);
        }
        for (partner, facts) in partners.iter_mut().zip(&facts[0]) {
            if partner.is_none()
                && let Some(found) = alike
                    .get_mut(&these(facts, agreeing))
                    .and_then(VecDeque::pop_front)
            {
                *partner = Some(found);
                if let Some(taken) = taken.get_mut(found) {
                    *taken = true;
                }
            }
        }
    }
    let [before, after] = runs;
    let mut after: Vec<Option<SessionReport>> = after.into_iter().map(Some).collect();
    let mut pairs = Vec::new();
    let mut alone = [Vec::new(), Vec::new()];
    for (report, partner) in before.into_iter().zip(partners) {
        match partner.and_then(|place| after.get_mut(place)?.take()) {
            Some(other) => pairs.push([report, other]),
            None => alone[0].push(report.identity.number),
        }
    }
    alone[1].extend(
        after
            .into_iter()
            .flatten()
            .map(|report| report.identity.number),
    );
    Pairs { pairs, alone }
}

/// What a session is known by, what weighs most first. The system chooses ports, so they come last.
fn facts(report: &SessionReport) -> [Fact<'_>; FACTS] {
    let identity = &report.identity;
    [
        // A name keeps its sessions where its address is another one.
        Fact::Name(identity.target.as_ref().map(|target| &*target.name)),
        Fact::Address(identity.reflector.ip()),
        Fact::Address(identity.sender.ip()),
        Fact::Number(u16::from(identity.tos.0)),
        Fact::Number(identity.path.unwrap_or(0)),
        Fact::Number(identity.wire.format.ssid().unwrap_or(0)),
        Fact::Name(Some(identity.wire.format.name())),
        Fact::Number(identity.reflector.port()),
        Fact::Number(identity.sender.port()),
    ]
}

/// Those facts that are to agree: the first is the highest bit.
fn these<'a>(facts: &[Fact<'a>; FACTS], agreeing: u32) -> [Option<Fact<'a>>; FACTS] {
    let mut bit = 1 << FACTS;
    facts.map(|fact| {
        bit >>= 1;
        (agreeing & bit != 0).then_some(fact)
    })
}

/// In what the ends of two sessions differ; `None`: in nothing.
pub(super) fn different_ends(before: &SessionReport, after: &SessionReport) -> Option<String> {
    let mut differences = Vec::new();
    let mut ends = |name: &str, before: SocketAddr, after: SocketAddr| {
        if before.ip() != after.ip() {
            let [before, after] = [before, after].map(ends::named);
            differences.push(format!("{name} {before}, then {after}"));
        } else if before.port() != after.port() {
            let [before, after] = [before, after].map(|end| end.port());
            differences.push(format!("{name} port {before}, then {after}"));
        }
    };
    ends(
        "reflector",
        before.identity.reflector,
        after.identity.reflector,
    );
    ends("sender", before.identity.sender, after.identity.sender);
    let [one, other] = [before, after].map(|report| ends::protocol(report.identity.wire));
    if one != other {
        differences.push(format!("{one}, then {other}"));
    }
    (!differences.is_empty())
        .then(|| format!("the runs differ in their ends: {}", differences.join("; ")))
}

#[cfg(test)]
mod tests {
    use twinpath_report::Target;

    use twinpath_proto::sender::Wire;

    use super::*;
    use crate::output::fixtures;

    fn session(number: usize, ends: [&str; 2], ssid: u16, tos: u8) -> SessionReport {
        let mut report = fixtures::quiet_path();
        report.identity.number = number;
        [report.identity.sender, report.identity.reflector] = ends.map(|end| end.parse().unwrap());
        report.identity.wire = Wire::stamp(ssid);
        report.identity.tos = twinpath_wire::Tos(tos);
        report
    }

    /// Numbers of the sessions beside each other.
    fn numbers(runs: [Vec<SessionReport>; 2]) -> (Vec<[usize; 2]>, [Vec<usize>; 2]) {
        let paired = paired(runs);
        let pairs = paired.pairs.iter();
        let numbers = pairs.map(|pair| pair.each_ref().map(|report| report.identity.number));
        (numbers.collect(), paired.alone)
    }

    const A: &str = "192.0.2.1:5000";
    const A2: &str = "192.0.2.1:5001";
    const B: &str = "192.0.2.2:5000";
    const R: &str = "198.51.100.1:862";
    const Q: &str = "198.51.100.2:862";

    #[test]
    fn sessions_are_beside_those_of_the_same_ends_ssid_and_class_wherever_they_are() {
        let ssids = |order: [u16; 3]| {
            let sessions = (1..).zip(order);
            sessions
                .map(|(number, ssid)| session(number, [A, R], ssid, 0))
                .collect::<Vec<_>>()
        };
        let found = numbers([ssids([7, 8, 9]), ssids([9, 7, 8])]);
        assert_eq!(found.0, [[1, 2], [2, 3], [3, 1]], "by SSID");
        let before = vec![session(1, [A, R], 0, 0), session(2, [B, R], 0, 0)];
        let after = vec![session(1, [B, R], 0, 0), session(2, [A, R], 0, 0)];
        assert_eq!(numbers([before, after]).0, [[1, 2], [2, 1]], "by sender");
        let before = vec![session(1, [A, R], 0, 0), session(2, [A2, R], 0, 0xb8)];
        let after = vec![session(1, [A, R], 0, 0xb8), session(2, [A2, R], 0, 0)];
        assert_eq!(
            numbers([before, after]).0,
            [[1, 2], [2, 1]],
            "a class weighs more than a port"
        );
        let before = vec![session(1, [A, R], 0, 0), session(2, [A2, Q], 0, 0)];
        let after = vec![session(1, [A, Q], 0, 0), session(2, [A2, R], 0, 0)];
        assert_eq!(numbers([before, after]).0, [[1, 2], [2, 1]], "by reflector");
    }

    #[test]
    fn sessions_of_a_target_and_path_are_beside_each_other_whatever_their_ports_and_addresses() {
        let on = |number: usize, name: &str, path: u16, ends: [&str; 2], ssid: u16| {
            let mut report = session(number, ends, ssid, 0);
            report.identity.path = Some(path);
            report.identity.target = Some(Target {
                name: name.to_owned(),
                ..Target::default()
            });
            report
        };
        let before = vec![on(1, "a", 1, [A, R], 0), on(2, "a", 2, [A2, R], 0)];
        let after = vec![on(1, "a", 1, [A2, R], 0), on(2, "a", 2, [A, R], 0)];
        assert_eq!(numbers([before, after]).0, [[1, 1], [2, 2]], "ports");
        let before = vec![on(1, "a", 1, [A, R], 5), on(2, "a", 2, [A, R], 6)];
        let after = vec![on(1, "a", 2, [A, R], 5), on(2, "a", 1, [A, R], 6)];
        assert_eq!(numbers([before, after]).0, [[1, 2], [2, 1]], "SSIDs");
        let before = vec![on(1, "a", 1, [A, R], 0), on(2, "b", 1, [A, Q], 0)];
        let after = vec![on(1, "a", 1, [A, Q], 0), on(2, "b", 1, [A, R], 0)];
        assert_eq!(numbers([before, after]).0, [[1, 1], [2, 2]], "addresses");
    }

    #[test]
    fn sessions_are_beside_each_other_by_place_where_nothing_tells_and_those_left_over_are_known() {
        let same = |count: usize| {
            let sessions = 1..=count;
            sessions
                .map(|number| session(number, [A, R], 0, 0))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            numbers([same(3), same(2)]),
            (vec![[1, 1], [2, 2]], [vec![3], vec![]])
        );
        let before = vec![session(1, [A, R], 0, 0)];
        let after = vec![session(1, [B, Q], 0, 0), session(2, [A, R], 0, 0)];
        assert_eq!(
            numbers([before.clone(), after]),
            (vec![[1, 2]], [vec![], vec![1]])
        );
        let other = vec![session(4, [B, Q], 3, 0xb8)];
        assert_eq!(numbers([before, other]).0, [[1, 4]], "nothing in common");
    }

    #[test]
    fn every_difference_of_the_ends_is_named() {
        let one = session(1, [A, R], 0, 0);
        assert_eq!(different_ends(&one, &one.clone()), None);
        for (ends, ssid, said) in [
            ([B, R], 0, "sender 192.0.2.1:5000, then 192.0.2.2:5000"),
            ([A2, R], 0, "sender port 5000, then 5001"),
            (
                [A, Q],
                0,
                "reflector 198.51.100.1:862, then 198.51.100.2:862",
            ),
            ([A, R], 5, "STAMP, then STAMP (SSID 5)"),
        ] {
            let line = different_ends(&one, &session(1, ends, ssid, 0)).unwrap();
            assert!(line.ends_with(said), "{line}");
        }
        let mut light = one.clone();
        light.identity.wire = Wire::TWAMP_LIGHT;
        let line = different_ends(&light, &one).unwrap();
        assert!(line.ends_with("TWAMP Light, then STAMP"), "{line}");
    }
}
