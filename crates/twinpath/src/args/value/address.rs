//! Addresses, names, ports and prefixes as they are written on a command line. Nothing is resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use twinpath_report::words::is_plain;

use super::quantity::{self, whole};
use crate::args::Advice;

/// A name in the DNS is no longer than this, in octets.
const LONGEST_NAME: usize = 255;

/// One host, not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// An address without a zone.
    Address(IpAddr),
    /// An IPv6 address with the zone it is meant in: an interface's name or number.
    Zoned(Ipv6Addr, String),
    /// A name for the system's resolver.
    Name(String),
}

/// The other end: a host, perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FarEnd {
    /// Who.
    pub(crate) host: Host,
    /// `None`: the protocol's default.
    pub(crate) port: Option<u16>,
}

/// This end: perhaps a host, perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NearEnd {
    /// `None`: the system's choice, or every address.
    pub(crate) host: Option<Host>,
    /// `None`: the command's default. 0: any free one.
    pub(crate) port: Option<u16>,
}

/// Who may be answered: a network, or an address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpNet);

/// A multicast group, and the interface to join it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) address: IpAddr,
    pub(crate) interface: Option<String>,
}

impl FromStr for Group {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (address, interface) = match text.split_once('%') {
            Some((_, "")) => return Err(Advice::new("an interface is missing after %")),
            Some((address, interface)) => (address, Some(interface.to_owned())),
            None => (text, None),
        };
        let group = address.parse::<IpAddr>().ok();
        let address = group.filter(IpAddr::is_multicast).ok_or_else(|| {
            Advice::new("not a multicast group: use 239.1.1.1, ff05::1234 or 239.1.1.1%eth0")
        })?;
        Ok(Self { address, interface })
    }
}

impl FromStr for FarEnd {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        match split(text, 1)? {
            (Some(host), port) => Ok(Self { host, port }),
            (None, _) => Err(Advice::new(
                "an address or a name is missing before the port",
            )),
        }
    }
}

impl FromStr for NearEnd {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (host, port) = split(text, 0)?;
        Ok(Self { host, port })
    }
}

impl FromStr for Prefix {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) if text.contains(',') => {
                return Err(Advice::new(
                    "not one prefix: give the option again for each of them",
                ));
            }
            Err(_) => text.parse::<IpNet>().map_err(|_| {
                Advice::new("not a prefix: use 192.0.2.0/24, 2001:db8::/32 or an address")
            })?,
        };
        Ok(Self(net.trunc()))
    }
}

/// `[v6]:port`, `[v6]`, bare v6, `v4`, `v4:port`, `host`, `host:port`, `:port`. `least`: the port
/// that advice begins with.
fn split(text: &str, least: u16) -> Result<(Option<Host>, Option<u16>), Advice> {
    if text.contains("://") {
        return Err(Advice::new("give the host alone, without a scheme"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or_else(|| {
            Advice::new("the closing ] is missing: use [2001:db8::1] or [2001:db8::1]:20001")
        })?;
        let port = if after.is_empty() {
            None
        } else {
            let after = after
                .strip_prefix(':')
                .ok_or_else(|| Advice::new("write the port after a colon: [2001:db8::1]:20001"))?;
            Some(port(after, least)?)
        };
        return Ok((Some(v6(inside)?), port));
    }
    match text.split_once(':') {
        None if text.is_empty() => Err(Advice::new("give an address, a name or :PORT")),
        None => Ok((Some(name_or_v4(text)?), None)),
        Some((_, rest)) if rest.contains(':') => Ok((Some(v6(text)?), None)),
        Some(("", rest)) => Ok((None, Some(port(rest, least)?))),
        Some((host, rest)) => Ok((Some(name_or_v4(host)?), Some(port(rest, least)?))),
    }
}

fn port(text: &str, least: u16) -> Result<u16, Advice> {
    if text.is_empty() {
        return Err(Advice::new(format!(
            "a port is missing after the colon: use {least} to 65535"
        )));
    }
    quantity::port(text, least)
}

fn port_number(text: &str) -> Option<u16> {
    whole(text).and_then(|port| u16::try_from(port).ok())
}

fn v6(text: &str) -> Result<Host, Advice> {
    let wrong =
        || Advice::new("not an IPv6 address: use 2001:db8::1, [2001:db8::1]:20001 or fe80::1%eth0");
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let address: Ipv6Addr = match (address.parse(), text.rsplit_once(':')) {
        (Ok(address), _) => address,
        (Err(_), Some((ip, port)))
            if ip.parse::<Ipv6Addr>().is_ok() && port_number(port).is_some() =>
        {
            return Err(Advice::new(format!(
                "an IPv6 address with a port needs brackets: use [{ip}]:{port}"
            )));
        }
        (Err(_), _) => return Err(wrong()),
    };
    let Some(zone) = zone else {
        return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
    };
    if zone.is_empty() || zone.contains(|c| "%/[]".contains(c) || !is_plain(c)) {
        return Err(wrong());
    }
    if let Some((zone, port)) = zone.split_once(':') {
        return Err(if zone.is_empty() || port_number(port).is_none() {
            wrong()
        } else {
            Advice::new(format!(
                "a zone has no colon: use [{address}%{zone}]:{port}"
            ))
        });
    }
    // A group is refused where it is used, with words of its own.
    if !address.is_unicast_link_local() && !address.is_multicast() {
        return Err(Advice::new(format!(
            "only link-local addresses (fe80::) take a zone: use {address} and --interface {zone}"
        )));
    }
    Ok(Host::Zoned(address, zone.to_owned()))
}

/// What else an IPv6 address whose last group is the port of TWAMP and STAMP may have been meant
/// as. Both readings are addresses, so this is a remark, not a refusal.
pub(crate) fn doubt(host: Option<&Host>, port: Option<u16>) -> Option<String> {
    let (Some(Host::Address(IpAddr::V6(address))), None) = (host, port) else {
        return None;
    };
    let text = address.to_string();
    let before: Ipv6Addr = text.strip_suffix(":862")?.parse().ok()?;
    Some(format!(
        "{text} is taken as an address without a port: did you mean [{before}]:862?"
    ))
}

fn name_or_v4(text: &str) -> Result<Host, Advice> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    // The system's resolver would take "1" for 0.0.0.1 and "10.1" for 10.0.0.1.
    if text
        .bytes()
        .all(|octet| octet.is_ascii_digit() || octet == b'.')
    {
        return Err(if text.contains('.') {
            Advice::new("not an IPv4 address: give four numbers from 0 to 255")
        } else {
            Advice::new(format!("not an address: write a port alone as :{text}"))
        });
    }
    if text.contains('%') {
        return Err(Advice::new(
            "only an IPv6 address has a zone: use fe80::1%eth0",
        ));
    }
    if text.contains('/') {
        return Err(Advice::new(
            "give the host alone, without a scheme, a path or a prefix length",
        ));
    }
    if text.contains(',') {
        return Err(Advice::new(
            "a comma is not part of a name: give one host, and lists without spaces (--dscp ef,be)",
        ));
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || !is_plain(c) || "[]\"'<>,;@".contains(c))
    {
        return Err(Advice::new("neither an address nor a name"));
    }
    if text.len() > LONGEST_NAME {
        return Err(Advice::new(format!(
            "a name has at most {LONGEST_NAME} octets"
        )));
    }
    Ok(Host::Name(text.to_owned()))
}

impl fmt::Display for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (host, None) => host.fmt(f),
            (Host::Address(IpAddr::V6(_)) | Host::Zoned(..), Some(port)) => {
                write!(f, "[{}]:{port}", self.host)
            }
            (host, Some(port)) => write!(f, "{host}:{port}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Zoned(address, zone) => write!(f, "{address}%{zone}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Host {
        Host::Address(text.parse().unwrap())
    }

    #[test]
    fn every_way_to_write_a_far_end_parses() {
        let zoned = |zone: &str| Host::Zoned("fe80::1".parse().unwrap(), zone.to_owned());
        for (text, host, port) in [
            ("192.0.2.1", address("192.0.2.1"), None),
            ("192.0.2.1:862", address("192.0.2.1"), Some(862)),
            ("2001:db8::1", address("2001:db8::1"), None),
            ("::1", address("::1"), None),
            ("[::1]", address("::1"), None),
            ("[2001:db8::1]:20001", address("2001:db8::1"), Some(20_001)),
            ("2001:db8::1:862", address("2001:db8::1:862"), None),
            ("::ffff:192.0.2.1", address("192.0.2.1"), None),
            ("fe80::1%eth0", zoned("eth0"), None),
            ("fe80::1%2", zoned("2"), None),
            ("[fe80::1%br-lan.7]:862", zoned("br-lan.7"), Some(862)),
            ("router1", Host::Name("router1".into()), None),
            (
                "a-b.example.net.:862",
                Host::Name("a-b.example.net.".into()),
                Some(862),
            ),
            (
                "münchen.example",
                Host::Name("münchen.example".into()),
                None,
            ),
        ] {
            assert_eq!(
                text.parse(),
                Ok(FarEnd {
                    host: host.clone(),
                    port
                }),
                "{text}"
            );
            assert_eq!(
                text.parse(),
                Ok(NearEnd {
                    host: Some(host),
                    port
                }),
                "{text}"
            );
        }
        assert_eq!(
            ":20000".parse(),
            Ok(NearEnd {
                host: None,
                port: Some(20_000)
            })
        );
        assert_eq!(
            ":0".parse(),
            Ok(NearEnd {
                host: None,
                port: Some(0)
            })
        );
    }

    #[test]
    fn what_is_no_end_says_what_to_write() {
        for (text, part) in [
            ("", "give an address"),
            (":862", "missing before the port"),
            ("192.0.2.1:0", "port 0: out of range: use 1 to 65535"),
            (
                "192.0.2.1:70000",
                "port 70000: out of range: use 1 to 65535",
            ),
            ("192.0.2.1:", "missing after the colon: use 1 to 65535"),
            ("[::1]:", "missing after the colon: use 1 to 65535"),
            ("::1:20001", "brackets: use [::1]:20001"),
            ("fe80::1%nuv0:862", "use [fe80::1%nuv0]:862"),
            ("[fe80::1%nuv0:862]", "use [fe80::1%nuv0]:862"),
            ("fe80::1%nuv0:x", "IPv6"),
            ("fd77::2%nuv0", "use fd77::2 and --interface nuv0"),
            ("[::1%lo]:862", "use ::1 and --interface lo"),
            ("192.0.2.300", "four numbers"),
            ("10.1", "four numbers"),
            ("20001", "write a port alone as :20001"),
            ("[::1", "closing ]"),
            ("[::1]862", "after a colon"),
            ("[192.0.2.1]:862", "IPv6"),
            ("2001:db8::g", "IPv6"),
            ("fe80::1%", "IPv6"),
            ("192.0.2.1%eth0", "zone"),
            ("http://router", "host alone"),
            ("router/24", "host alone"),
            ("a b", "neither"),
            ("a\u{202e}b", "neither"),
            ("a\u{200b}b:862", "neither"),
            ("fe80::1%e\u{202e}", "IPv6"),
            (&"x".repeat(256), "at most 255 octets"),
            ("::1:+5", "IPv6"),
            ("host:+5", "port +5: not a whole number: use 1 to 65535"),
        ] {
            let error = text.parse::<FarEnd>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_near_end_may_have_port_0() {
        let error = "192.0.2.1:70000".parse::<NearEnd>().unwrap_err();
        assert!(error.to_string().contains("use 0 to 65535"), "{error}");
    }

    #[test]
    fn an_address_that_ends_like_a_port_is_doubted() {
        for (text, meant) in [
            ("::1:862", Some("[::1]:862")),
            ("2001:db8::7:862", Some("[2001:db8::7]:862")),
            ("[::1:862]:862", None),
            ("2001:db8::862", None),
            ("2001:db8:1:2:3:4:5:862", None),
            ("::1:1862", None),
            ("::1", None),
            ("192.0.2.1:862", None),
            ("router:862", None),
        ] {
            let end: FarEnd = text.parse().unwrap();
            let doubt = doubt(Some(&end.host), end.port);
            assert_eq!(doubt.is_some(), meant.is_some(), "{text}");
            if let (Some(doubt), Some(meant)) = (doubt, meant) {
                assert!(
                    doubt.ends_with(&format!("did you mean {meant}?")),
                    "{doubt}"
                );
            }
        }
    }

    #[test]
    fn a_prefix_is_a_network_or_an_address_alone() {
        for (text, prefix) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::7", "2001:db8::7/128"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(
                text.parse::<Prefix>().unwrap().0.to_string(),
                prefix,
                "{text}"
            );
        }
        for bad in [
            "",
            "192.0.2.0/33",
            "192.0.2/24",
            "router",
            "::/129",
            "192.0.2.0/",
        ] {
            let error = bad.parse::<Prefix>().unwrap_err().to_string();
            assert!(error.contains("192.0.2.0/24"), "{bad}: {error}");
        }
    }
}
