//! What counts as one client for limits per client.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of an IPv6 address that identify a client: its /64. A host may take any number of
/// addresses in its link's /64, so a limit by the whole address would be ineffective.
const V6_BITS: u32 = 64;

/// A client, for limits: an IPv4 address, mapped into IPv6 or not, or the /64 of an IPv6 address.
///
/// It is not an identity: hosts on one link share it. What belongs to one host (a session, its
/// sender) is identified by the whole address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientPrefix(Bits);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bits {
    V4(u32),
    V6(u64),
}

impl ClientPrefix {
    /// The client that this address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => Bits::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let prefix = v6.octets().first_chunk().copied().unwrap_or_default();
                Bits::V6(u64::from_be_bytes(prefix))
            }
        })
    }
}

impl From<IpAddr> for ClientPrefix {
    fn from(address: IpAddr) -> Self {
        Self::of(address)
    }
}

impl fmt::Display for ClientPrefix {
    /// `192.0.2.1` or `2001:db8::/64`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Bits::V4(bits) => Ipv4Addr::from_bits(bits).fmt(f),
            Bits::V6(high) => {
                let network = Ipv6Addr::from_bits(u128::from(high) << V6_BITS);
                write!(f, "{network}/{V6_BITS}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> ClientPrefix {
        ClientPrefix::of(address.parse().unwrap())
    }

    #[test]
    fn all_addresses_of_a_64_are_one_client_and_an_ipv4_address_is_one_however_it_is_written() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            // All mapped addresses lie in one /64.
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("::ffff:192.0.2.1", "::1", false),
        ] {
            assert_eq!(of(one) == of(other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_client_is_shown_as_its_prefix() {
        assert_eq!(of("2001:db8:0:7:1::9").to_string(), "2001:db8:0:7::/64");
        assert_eq!(of("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }
}
