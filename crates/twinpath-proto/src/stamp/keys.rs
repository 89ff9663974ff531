//! The keys of one end, and which of them a packet has.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use ipnet::IpNet;

use super::StampKey;

/// The packets that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyScope {
    /// Those for which no other key is.
    Default,
    /// Those of sessions with this SSID.
    Ssid(NonZeroU16),
    /// Those from and to these addresses.
    Prefix(IpNet),
}

impl KeyScope {
    /// The same packets, said in one way: a network without bits of a host, and without the
    /// mapping of IPv4 into IPv6.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::Prefix(prefix) => Self::Prefix(canonical(prefix)),
            Self::Default | Self::Ssid(_) => self,
        }
    }
}

fn canonical(prefix: IpNet) -> IpNet {
    /// Bits in front of the IPv4 address in a mapped one.
    const MAPPED: u8 = 96;
    let mapped = prefix.prefix_len().checked_sub(MAPPED);
    match (prefix.addr().to_canonical(), mapped) {
        (v4 @ IpAddr::V4(_), Some(length)) if prefix.addr().is_ipv6() => IpNet::new(v4, length),
        _ => Ok(prefix),
    }
    .unwrap_or(prefix)
    .trunc()
}

/// Which of the keys of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyAt(u32);

/// The keys of one end, made once: a lookup takes logarithmic time and allocates nothing. 100,000 of
/// them take 11 MB.
#[derive(Clone, Default)]
pub struct StampKeys {
    /// In the order in which they came. None moves, which would leave a copy of it behind.
    keys: Vec<StampKey>,
    default: Option<KeyAt>,
    by_ssid: Vec<(NonZeroU16, KeyAt)>,
    /// By network, then by length, so the last one that does not begin behind an address is the
    /// longest that can contain it, or lies in all that do.
    by_prefix: Vec<PrefixKey>,
}

#[derive(Clone, Copy)]
struct PrefixKey {
    prefix: IpNet,
    /// The longest other prefix that contains this one: an index; its own, without one.
    within: u32,
    key: KeyAt,
}

impl StampKeys {
    /// From keys in any order. Of two keys for the same packets the later counts.
    pub fn new(keys: impl IntoIterator<Item = (KeyScope, StampKey)>) -> Self {
        let keys = keys.into_iter();
        let (least, most) = keys.size_hint();
        let mut made = Self {
            keys: Vec::with_capacity(most.unwrap_or(least)),
            ..Self::default()
        };
        for (at, (scope, key)) in (0..).map(KeyAt).zip(keys) {
            made.keys.push(key);
            match scope {
                KeyScope::Default => made.default = Some(at),
                KeyScope::Ssid(ssid) => made.by_ssid.push((ssid, at)),
                KeyScope::Prefix(prefix) => made.by_prefix.push(PrefixKey {
                    prefix: canonical(prefix),
                    within: 0,
                    key: at,
                }),
            }
        }
        // The later first, of which the first is kept.
        made.by_ssid
            .sort_unstable_by_key(|(ssid, at)| (*ssid, Reverse(at.0)));
        made.by_ssid.dedup_by_key(|(ssid, _)| *ssid);
        made.by_ssid.shrink_to_fit();
        made.by_prefix
            .sort_unstable_by_key(|one| (one.prefix, Reverse(one.key.0)));
        made.by_prefix.dedup_by_key(|one| one.prefix);
        made.by_prefix.shrink_to_fit();
        nest(&mut made.by_prefix);
        made
    }

    /// The key of a packet whose other end is `peer`, in a session with this SSID, 0 for none: by
    /// SSID before by prefix, the longest first, before the default (row ST-11).
    pub fn for_packet(&self, peer: IpAddr, ssid: u16) -> Option<&StampKey> {
        self.get(self.find(peer, ssid)?)
    }

    /// The key of a session between these ends with this SSID, as a reader of its packets finds it, who may
    /// have the keys of either end: by SSID, by a prefix of the reflector's address as the sender has it, by
    /// one of the sender's as the reflector has it, the default.
    pub fn for_session(&self, sender: IpAddr, reflector: IpAddr, ssid: u16) -> Option<&StampKey> {
        let by_ssid = self.by_ssid(ssid);
        let by_reflector = || self.by_prefix(reflector.to_canonical());
        let by_sender = || self.by_prefix(sender.to_canonical());
        let found = by_ssid.or_else(by_reflector).or_else(by_sender);
        self.get(found.or(self.default)?)
    }

    /// As [`Self::for_packet`], where it is.
    pub(crate) fn find(&self, peer: IpAddr, ssid: u16) -> Option<KeyAt> {
        self.by_ssid(ssid)
            .or_else(|| self.by_prefix(peer.to_canonical()))
            .or(self.default)
    }

    /// The key that was found there.
    pub(crate) fn get(&self, at: KeyAt) -> Option<&StampKey> {
        self.keys.get(at.0 as usize)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &StampKey> {
        self.keys.iter()
    }

    /// What tells each key from another for the same packets, and is no secret.
    pub fn fingerprints(&self) -> BTreeMap<KeyScope, [u8; 16]> {
        let default = self.default.map(|at| (KeyScope::Default, at));
        let by_ssid = self.by_ssid.iter();
        let by_prefix = self.by_prefix.iter();
        let all = default
            .into_iter()
            .chain(by_ssid.map(|(ssid, at)| (KeyScope::Ssid(*ssid), *at)))
            .chain(by_prefix.map(|one| (KeyScope::Prefix(one.prefix), one.key)));
        all.filter_map(|(scope, at)| Some((scope, self.get(at)?.sign(&[]))))
            .collect()
    }

    /// Number of keys for an SSID each, for a prefix each, and for all other packets.
    pub fn by_scope(&self) -> (usize, usize, usize) {
        let default = usize::from(self.default.is_some());
        (self.by_ssid.len(), self.by_prefix.len(), default)
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        usize::from(self.default.is_some()) + self.by_ssid.len() + self.by_prefix.len()
    }

    /// Whether there is no key, so that no authenticated packet can be answered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn by_ssid(&self, ssid: u16) -> Option<KeyAt> {
        let ssid = NonZeroU16::new(ssid)?;
        let at = self.by_ssid.binary_search_by_key(&ssid, |(ssid, _)| *ssid);
        self.by_ssid.get(at.ok()?).map(|(_, key)| *key)
    }

    fn by_prefix(&self, peer: IpAddr) -> Option<KeyAt> {
        let beyond = self
            .by_prefix
            .partition_point(|one| one.prefix.network() <= peer);
        let mut at = beyond.checked_sub(1)?;
        loop {
            let candidate = self.by_prefix.get(at)?;
            if candidate.prefix.contains(&peer) {
                return Some(candidate.key);
            }
            let outer = candidate.within as usize;
            if outer == at {
                return None;
            }
            at = outer;
        }
    }
}

/// Says of each prefix in which it lies. Of two prefixes that overlap, one contains the other.
fn nest(sorted: &mut [PrefixKey]) {
    let mut around: Vec<(u32, IpNet)> = Vec::new();
    for (at, one) in (0..).zip(sorted) {
        while around
            .pop_if(|(_, outer)| !outer.contains(&one.prefix))
            .is_some()
        {}
        one.within = around.last().map_or(at, |(outer, _)| *outer);
        around.push((at, one.prefix));
    }
}

impl fmt::Debug for StampKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} keys]", self.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key that the tests tell from others.
    fn key(number: u8) -> StampKey {
        StampKey::new(&[number; 16]).unwrap()
    }

    fn keys<const N: usize>(scopes: [&str; N]) -> StampKeys {
        StampKeys::new((0..).zip(scopes).map(|(number, scope)| {
            let scope = match (scope.parse(), scope.parse()) {
                (Ok(ssid), _) => KeyScope::Ssid(ssid),
                (_, Ok(prefix)) => KeyScope::Prefix(prefix),
                _ => KeyScope::Default,
            };
            (scope, key(number))
        }))
    }

    /// Which of them it is.
    fn found(keys: &StampKeys, peer: &str, ssid: u16) -> Option<u8> {
        let key = keys.for_packet(peer.parse().unwrap(), ssid)?;
        Some(number_of(key))
    }

    fn number_of(found: &StampKey) -> u8 {
        let tag = found.sign(&[b"which"]);
        (0..=255)
            .find(|number| key(*number).verify(&[b"which"], &tag))
            .unwrap()
    }

    #[test]
    fn a_reader_of_packets_finds_the_key_in_the_file_of_either_end() {
        let all = keys(["7", "192.0.2.0/24", "198.51.100.0/24", "default"]);
        let found = |sender: &str, reflector: &str, ssid| {
            let [sender, reflector] = [sender, reflector].map(|end| end.parse().unwrap());
            number_of(all.for_session(sender, reflector, ssid).unwrap())
        };
        assert_eq!(found("198.51.100.1", "192.0.2.1", 7), 0);
        assert_eq!(found("198.51.100.1", "192.0.2.1", 8), 1);
        assert_eq!(found("192.0.2.1", "198.51.100.1", 0), 2);
        assert_eq!(found("192.0.2.1", "203.0.113.1", 0), 1);
        assert_eq!(found("203.0.113.1", "203.0.113.2", 0), 3);
        let one = keys(["7"]);
        let [sender, reflector] = ["192.0.2.1", "192.0.2.2"].map(|end| end.parse().unwrap());
        assert!(one.for_session(sender, reflector, 8).is_none());
    }

    #[test]
    fn a_key_by_ssid_comes_before_one_by_prefix_and_that_before_the_default() {
        let all = keys(["7", "192.0.2.0/24", "default"]);
        assert_eq!(all.len(), 3);
        assert_eq!(found(&all, "192.0.2.1", 7), Some(0));
        assert_eq!(found(&all, "192.0.2.1", 8), Some(1));
        assert_eq!(found(&all, "::ffff:192.0.2.1", 0), Some(1));
        assert_eq!(found(&all, "198.51.100.1", 0), Some(2));
        assert_eq!(found(&all, "2001:db8::1", 7), Some(0));
        let some = keys(["7", "192.0.2.0/24"]);
        assert_eq!(found(&some, "198.51.100.1", 0), None);
        assert_eq!(found(&some, "198.51.100.1", 8), None);
        assert!(StampKeys::default().is_empty());
        assert_eq!(found(&StampKeys::default(), "192.0.2.1", 7), None);
    }

    #[test]
    fn of_several_prefixes_the_longest_counts_and_a_family_has_its_own() {
        let all = keys([
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.1.2.99/24",
            "10.1.0.0/16",
            "10.1.2.3/32",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::ffff:10.9.0.0/112",
        ]);
        for (peer, number) in [
            ("10.1.2.3", Some(4)),
            ("10.1.2.4", Some(2)),
            ("10.1.2.2", Some(2)),
            ("10.1.3.0", Some(3)),
            ("10.2.0.0", Some(1)),
            ("10.9.1.1", Some(7)),
            ("10.255.255.255", Some(1)),
            ("11.0.0.0", Some(0)),
            ("255.255.255.255", Some(0)),
            ("2001:db8:1::1", Some(6)),
            ("2001:db8:2::1", Some(5)),
            ("2001:db9::", None),
            ("::", None),
        ] {
            assert_eq!(found(&all, peer, 0), number, "{peer}");
        }
    }

    #[test]
    fn of_two_keys_for_the_same_packets_the_later_counts() {
        let all = keys(["default", "9", "10.0.0.1/8", "9", "10.0.0.0/8", "default"]);
        assert_eq!(all.len(), 3);
        assert_eq!(found(&all, "192.0.2.1", 9), Some(3));
        assert_eq!(found(&all, "10.0.0.1", 0), Some(4));
        assert_eq!(found(&all, "192.0.2.1", 0), Some(5));
    }

    proptest! {
        /// The slow twin asks every prefix. Few high bits vary, so that prefixes nest.
        #[test]
        fn the_longest_prefix_is_found_among_many(
            nets in prop::collection::vec((0..64_u32, 0..=32_u8), 1..40),
            peers in prop::collection::vec((0..64_u32, any::<u16>()), 1..20),
        ) {
            let nets: Vec<IpNet> = nets
                .into_iter()
                .map(|(high, length)| {
                    IpNet::new(IpAddr::V4((high << 26).into()), length).unwrap().trunc()
                })
                .collect();
            let all = StampKeys::new(
                (0..).zip(&nets).map(|(number, net)| (KeyScope::Prefix(*net), key(number))),
            );
            for (high, low) in peers {
                let peer = IpAddr::V4(((high << 26) | u32::from(low)).into());
                let slow = nets
                    .iter()
                    .enumerate()
                    .filter(|(_, net)| net.contains(&peer))
                    .max_by_key(|(_, net)| net.prefix_len())
                    .map(|(at, _)| u8::try_from(at).unwrap());
                prop_assert_eq!(all.for_packet(peer, 0).map(number_of), slow, "{}", peer);
            }
        }
    }
}
