//! Session Identifiers (RFC 5357 section 3.5; row TC-43).

use std::net::IpAddr;

use twinpath_wire::control::Sid;
use twinpath_wire::{Wall, WireTime};

/// The Server's SID for a session: an address of the host, the time, and four octets of `random`
/// that cannot be predicted. The whole IPv4 address, or the last four octets of an IPv6 address.
pub fn make_sid(host: IpAddr, at: Wall, random: u32) -> Sid {
    let address = match host.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() & 0xffff_ffff,
    };
    let time = u128::from(WireTime::ntp(at).bits());
    Sid(((address << 96) | (time << 32) | u128::from(random)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_has_address_time_and_random_octets() {
        // Row TC-43.
        let at = Wall::from_unix_ns(0);
        let v4 = make_sid("192.0.2.7".parse().unwrap(), at, 0x0102_0304);
        assert_eq!(v4.to_string(), "c000020783aa7e800000000001020304");
        let v6 = make_sid("2001:db8::c000:207".parse().unwrap(), at, 0x0102_0304);
        assert_eq!(v6, v4);
    }
}
