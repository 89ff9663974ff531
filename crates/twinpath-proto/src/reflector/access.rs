//! The list of allowed prefixes, as sorted ranges without overlap.

use std::net::IpAddr;

use ipnet::IpNet;

/// Allowed addresses. A lookup takes logarithmic time.
#[derive(Clone, Debug, Default)]
pub struct Access {
    everyone: bool,
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Access {
    /// From prefixes in any order, overlapping or not; none: everyone.
    pub fn new(prefixes: &[IpNet]) -> Self {
        Self {
            everyone: prefixes.is_empty(),
            ..Self::only(prefixes)
        }
    }

    /// As [`Self::new`], but without prefixes no client is answered.
    pub fn only(prefixes: &[IpNet]) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for prefix in IpNet::aggregate(&prefixes.to_vec()) {
            match prefix {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        v4.sort_unstable();
        v6.sort_unstable();
        Self {
            everyone: false,
            v4,
            v6,
        }
    }

    /// Whether this client is answered.
    pub fn permits(&self, client: IpAddr) -> bool {
        self.everyone
            || match client.to_canonical() {
                IpAddr::V4(client) => within(&self.v4, client.to_bits()),
                IpAddr::V6(client) => within(&self.v6, client.to_bits()),
            }
    }
}

fn within<A: Ord + Copy>(ranges: &[(A, A)], address: A) -> bool {
    let beyond = ranges.partition_point(|(first, _)| *first <= address);
    let range = beyond.checked_sub(1).and_then(|last| ranges.get(last));
    range.is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_list_allows_everyone_and_a_prefix_only_its_own_family() {
        assert!(Access::new(&[]).permits("192.0.2.1".parse().unwrap()));
        assert!(!Access::only(&[]).permits("192.0.2.1".parse().unwrap()));
        let only_v6 = Access::new(&["::/0".parse().unwrap()]);
        assert!(only_v6.permits("2001:db8::1".parse().unwrap()));
        assert!(!only_v6.permits("192.0.2.1".parse().unwrap()));
        let only_v4 = Access::new(&["0.0.0.0/0".parse().unwrap()]);
        assert!(only_v4.permits("255.255.255.255".parse().unwrap()));
        assert!(!only_v4.permits("::1".parse().unwrap()));
    }

    proptest! {
        /// The slow twin checks every prefix. Few high bits vary, so that prefixes overlap.
        #[test]
        fn ranges_allow_what_the_prefixes_allow(
            nets in prop::collection::vec((0..16_u32, 0..=32_u8), 1..20),
            clients in prop::collection::vec((0..16_u32, any::<u16>()), 1..20),
        ) {
            let nets: Vec<IpNet> = nets
                .into_iter()
                .map(|(high, length)| IpNet::new(IpAddr::V4((high << 28).into()), length).unwrap())
                .collect();
            let access = Access::new(&nets);
            for (high, low) in clients {
                let client = IpAddr::V4(((high << 28) | u32::from(low)).into());
                let permitted = nets.iter().any(|net| net.contains(&client));
                prop_assert_eq!(access.permits(client), permitted, "{}", client);
            }
        }
    }
}
