//! Which addresses are left when each belongs to the longest prefix that has it.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A prefix, and whether its addresses may come in.
pub(super) type Rule = (IpNet, bool);

/// The fewest prefixes that have every address that may come in, and no other. An address belongs to the longest
/// prefix of `rules` that has it, else to `otherwise`.
pub(super) fn permitted(rules: &[Rule], otherwise: bool) -> Vec<IpNet> {
    let mut found = Vec::new();
    for all in [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())] {
        let within: Vec<Rule> = rules
            .iter()
            .filter(|(net, _)| all.contains(net))
            .copied()
            .collect();
        split(all, otherwise, &within, &mut found);
    }
    found
}

/// Every address may come in.
pub(super) fn is_everybody(permitted: &[IpNet]) -> bool {
    permitted.len() == 2 && permitted.iter().all(|net| net.prefix_len() == 0)
}

/// The part of `net` that may come in. `within`: the rules of prefixes in it, itself among them.
fn split(net: IpNet, inherited: bool, within: &[Rule], found: &mut Vec<IpNet>) {
    let own = within.iter().find(|(other, _)| *other == net);
    let decision = own.map_or(inherited, |(_, may)| *may);
    let deeper = || within.iter().filter(|(other, _)| *other != net);
    if deeper().all(|(_, may)| *may == decision) {
        if decision {
            found.push(net);
        }
        return;
    }
    // A prefix with a deeper one in it is no single address.
    for half in net.subnets(net.prefix_len() + 1).into_iter().flatten() {
        let in_half: Vec<Rule> = deeper()
            .filter(|(other, _)| half.contains(other))
            .copied()
            .collect();
        split(half, decision, &in_half, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn list(rules: &[(&str, bool)], otherwise: bool) -> Vec<String> {
        let rules: Vec<Rule> = rules
            .iter()
            .map(|(net, may)| (net.parse().unwrap(), *may))
            .collect();
        let nets = permitted(&rules, otherwise);
        nets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn longer_prefixes_are_cut_out_of_shorter_ones() {
        for (rules, otherwise, expected) in [
            (&[][..], true, &["0.0.0.0/0", "::/0"][..]),
            (&[], false, &[]),
            (&[("192.0.2.0/24", true)], false, &["192.0.2.0/24"]),
            (
                &[("192.0.2.0/24", true), ("192.0.2.128/26", false)],
                false,
                &["192.0.2.0/25", "192.0.2.192/26"],
            ),
            (
                &[("10.0.0.0/8", false), ("10.1.2.3/32", true)],
                false,
                &["10.1.2.3/32"],
            ),
            (
                &[("128.0.0.0/1", false), ("8000::/1", false)],
                true,
                &["0.0.0.0/1", "::/1"],
            ),
            // The same decision again adds nothing.
            (
                &[("10.0.0.0/8", true), ("10.1.0.0/16", true)],
                false,
                &["10.0.0.0/8"],
            ),
        ] {
            assert_eq!(list(rules, otherwise), expected, "{rules:?}");
        }
        assert!(is_everybody(&permitted(&[], true)));
        assert!(!is_everybody(&permitted(&[], false)));
    }

    proptest! {
        #[test]
        fn each_address_is_judged_as_by_its_longest_prefix(
            nets in proptest::collection::vec((0_u32..64, 26_u8..=32, any::<bool>()), 0..12),
            otherwise in any::<bool>(),
        ) {
            let mut rules: Vec<Rule> = Vec::new();
            for (low, length, may) in nets {
                let address = Ipv4Addr::from(0xC000_0200 + low);
                let net = IpNet::new(IpAddr::V4(address), length).unwrap().trunc();
                if rules.iter().all(|(other, _)| *other != net) {
                    rules.push((net, may));
                }
            }
            let found = permitted(&rules, otherwise);
            for low in 0..64 {
                let address = IpAddr::V4(Ipv4Addr::from(0xC000_0200 + low));
                let longest = rules
                    .iter()
                    .filter(|(net, _)| net.contains(&address))
                    .max_by_key(|(net, _)| net.prefix_len());
                let may = longest.map_or(otherwise, |(_, may)| *may);
                prop_assert_eq!(found.iter().any(|net| net.contains(&address)), may);
            }
        }
    }
}
