//! What is to be examined.

use std::net::{IpAddr, SocketAddr};

use super::ends::{one_host, usable};
use super::resolve::{Family, Lookup, resolve};
use crate::args::DoctorArgs;
use crate::doctor::{FarEndPlan, MOST_ADDRESSES};
use crate::failure::Failure;

/// The far end and its addresses.
///
/// # Errors
/// It has none that can be examined.
pub(crate) fn doctor(args: &DoctorArgs, lookup: Lookup<'_>) -> Result<FarEndPlan, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let all = resolve(&args.far.host, 0, family, lookup)?;
    let each = all.into_iter().map(|far| one_host(far.ip()).map(|()| far));
    let mut addresses = usable(each)?;
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    if args.strict && !args.yes && !args.dry_run {
        only_near(&addresses)?;
    }
    let mut host = args.far.host.to_string();
    if host.contains(':') {
        host = format!("[{host}]");
    }
    let port = args.far.port;
    let name = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Ok(FarEndPlan {
        name,
        host,
        addresses,
        port: args.far.port,
    })
}

/// Malformed and hostile packets go to a network of one's own, unless the user says so.
fn only_near(addresses: &[SocketAddr]) -> Result<(), Failure> {
    let mut each = addresses.iter().map(|far| far.ip().to_canonical());
    match each.find(|address| !is_near(*address)) {
        None => Ok(()),
        Some(far) => Err(Failure::usage(format!(
            "--strict sends malformed and hostile packets, and {far} is neither loopback nor a private address"
        ))
        .with_remedy(Some("add --yes if its operator agrees"))),
    }
}

/// Loopback, private (RFC 1918), unique local or link-local.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_ones_own_network_are_near() {
        for (address, near) in [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.7.7", true),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("fec0::1", false),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            let far = SocketAddr::new(address.parse().unwrap(), 862);
            assert_eq!(only_near(&[far]).is_ok(), near, "{address}");
        }
    }

    #[test]
    fn one_public_address_of_a_name_is_enough_to_ask() {
        let both = ["127.0.0.1:862", "192.0.2.1:862"].map(|far| far.parse().unwrap());
        let failure = only_near(&both).unwrap_err();
        assert!(failure.line.contains("192.0.2.1"), "{failure:?}");
        assert_eq!(failure.exit, crate::failure::Exit::Usage);
    }
}
