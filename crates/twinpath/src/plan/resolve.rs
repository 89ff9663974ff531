//! Names and zones to addresses, by the system's own resolver.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs as _};

use crate::args::{Host, IpOptions, dscp_for_host};
use crate::failure::Failure;

/// How names are looked up: the system's way, or a test's.
pub(crate) type Lookup<'a> = &'a (dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Sync);

/// The host's own resolver, which also knows the names of zones.
pub(crate) fn system_lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((name, port).to_socket_addrs()?.collect())
}

/// Which addresses may be used (`-4`, `-6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

impl Family {
    pub(super) fn of_options(ip: &IpOptions) -> Self {
        Self::only(ip.ipv4, ip.ipv6)
    }

    pub(super) fn only(ipv4: bool, ipv6: bool) -> Self {
        match (ipv4, ipv6) {
            (true, _) => Self::V4,
            (_, true) => Self::V6,
            _ => Self::Any,
        }
    }

    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    pub(super) fn admits(self, address: IpAddr) -> bool {
        self == Self::Any || self == Self::of(address)
    }

    fn option(self) -> &'static str {
        match self {
            Self::Any => "neither -4 nor -6",
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The addresses of a host that `family` admits: at least one.
pub(super) fn resolve(
    host: &Host,
    port: u16,
    family: Family,
    lookup: Lookup<'_>,
) -> Result<Vec<SocketAddr>, Failure> {
    let (found, literal) = match host {
        Host::Address(address) => (vec![SocketAddr::new(*address, port)], true),
        Host::Zoned(address, zone) => (vec![zoned(*address, zone, port, lookup)?], true),
        Host::Name(name) => (named(name, port, lookup)?, false),
    };
    let fit: Vec<SocketAddr> = found
        .iter()
        .copied()
        .filter(|address| family.admits(address.ip()))
        .collect();
    match found.first() {
        Some(first) if fit.is_empty() => {
            let (has, option) = (Family::of(first.ip()), family.option());
            Err(if literal {
                Failure::usage(format!("{host} is {has} but {option} asks for {family}"))
                    .with_remedy(Some(format!(
                        "leave out {option}, or give an {family} address"
                    )))
            } else {
                Failure::usage(format!(
                    "{host} has no {family} address, only {}",
                    first.ip()
                ))
                .with_remedy(Some(format!("leave out {option}")))
            })
        }
        _ => Ok(fit),
    }
}

fn named(name: &str, port: u16, lookup: Lookup<'_>) -> Result<Vec<SocketAddr>, Failure> {
    let unknown = |why: String| {
        Failure::could_not(format!("cannot resolve {name}{why}")).with_remedy(Some(
            dscp_for_host(name).unwrap_or_else(|| "check the name, or give the address".to_owned()),
        ))
    };
    let mut found = lookup(name, port).map_err(|error| {
        let text = error.to_string();
        let text = text
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&text);
        unknown(format!(": {}", text.to_lowercase()))
    })?;
    for address in &mut found {
        address.set_ip(address.ip().to_canonical());
    }
    let mut seen = Vec::with_capacity(found.len());
    for address in found {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    if seen.is_empty() {
        Err(unknown(String::new()))
    } else {
        Ok(seen)
    }
}

/// A link-local address needs an interface: its own zone, or `interface`, which `--interface` names.
pub(super) fn in_zone(
    address: SocketAddr,
    interface: Option<&str>,
    lookup: Lookup<'_>,
) -> Result<SocketAddr, Failure> {
    match (address, interface) {
        (SocketAddr::V6(v6), interface)
            if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 =>
        {
            let ip = *v6.ip();
            match interface {
                Some(interface) => zoned(ip, interface, v6.port(), lookup),
                None => Err(Failure::usage(format!(
                    "{ip} is link-local: give the interface too, such as {ip}%eth0"
                ))),
            }
        }
        _ => Ok(address),
    }
}

/// A zone is an interface's number, or a name that the resolver turns into one.
pub(super) fn zoned(
    address: Ipv6Addr,
    zone: &str,
    port: u16,
    lookup: Lookup<'_>,
) -> Result<SocketAddr, Failure> {
    if let Ok(index) = zone.parse::<u32>() {
        return Ok(SocketAddrV6::new(address, port, 0, index).into());
    }
    let found = lookup(&format!("{address}%{zone}"), port).unwrap_or_default();
    found.into_iter().find(SocketAddr::is_ipv6).ok_or_else(|| {
        Failure::could_not(format!("{address}%{zone}: there is no interface {zone}"))
            .with_remedy(Some("see `ip link`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let both = ["2001:db8::1", "192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"];
        Ok(match name {
            "both" => both
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
                .collect(),
            "fe80::1%eth0" => {
                vec![SocketAddrV6::new("fe80::1".parse().unwrap(), port, 0, 7).into()]
            }
            "empty" => Vec::new(),
            _ => {
                let text = "failed to lookup address information: Name or service not known";
                return Err(io::Error::other(text));
            }
        })
    }

    fn answer(host: &Host, family: Family) -> String {
        match resolve(host, 862, family, &lookup) {
            Ok(found) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                found.join(" ")
            }
            Err(failure) => format!("{} {failure}", failure.exit.status()),
        }
    }

    #[test]
    fn names_zones_and_families_resolve_or_say_why_not() {
        let name = |name: &str| Host::Name(name.to_owned());
        let zoned = |zone: &str| Host::Zoned("fe80::1".parse().unwrap(), zone.to_owned());
        let v6 = Host::Address("::1".parse().unwrap());
        for (host, family, expected) in [
            (name("both"), Family::Any, "[2001:db8::1]:862 192.0.2.1:862"),
            (name("both"), Family::V4, "192.0.2.1:862"),
            (name("both"), Family::V6, "[2001:db8::1]:862"),
            (zoned("eth0"), Family::Any, "[fe80::1%7]:862"),
            (zoned("3"), Family::V6, "[fe80::1%3]:862"),
            (
                zoned("eth9"),
                Family::Any,
                "1 fe80::1%eth9: there is no interface eth9; see `ip link`",
            ),
            (
                zoned("3"),
                Family::V4,
                "2 fe80::1%3 is IPv6 but -4 asks for IPv4; leave out -4, or give an IPv4 address",
            ),
            (
                v6,
                Family::V4,
                "2 ::1 is IPv6 but -4 asks for IPv4; leave out -4, or give an IPv4 address",
            ),
            (
                name("empty"),
                Family::Any,
                "1 cannot resolve empty; check the name, or give the address",
            ),
            (
                name("gone"),
                Family::Any,
                "1 cannot resolve gone: name or service not known; \
                 check the name, or give the address",
            ),
            (
                name("ef"),
                Family::Any,
                "1 cannot resolve ef: name or service not known; \
                 ef is a DSCP: write a list without spaces, such as be,ef",
            ),
        ] {
            assert_eq!(answer(&host, family), expected, "{host}");
        }
    }
}
