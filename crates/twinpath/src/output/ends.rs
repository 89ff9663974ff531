//! Addresses and ports as they are shown: a zone by its interface's name, if the system knows it.

use std::net::{Ipv6Addr, SocketAddr};

use twinpath_proto::sender::{Format, Wire};
use twinpath_report::finding::RawFile;
use twinpath_report::words::endpoint;
use twinpath_report::{Finding, SessionReport};
use twinpath_runtime::host::interface_name;
use twinpath_wire::control::SecurityMode;

use super::names::target_of;

/// `192.0.2.1:862`, `[2001:db8::1]:862`, `[fe80::1%eth0]:862`.
pub(crate) fn named(address: SocketAddr) -> String {
    endpoint(address, interface_name)
}

/// An address, with its zone: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`.
pub(crate) fn named_host(mut address: SocketAddr) -> String {
    address.set_port(0);
    let named = named(address);
    let host = named.strip_suffix(":0").unwrap_or(&named);
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}

/// `UDP ports 862 and 20001 of 192.0.2.1, UDP port 862 of 2001:db8::1`.
pub(crate) fn ports_of(protocol: &str, all: &[SocketAddr]) -> String {
    let mut hosts: Vec<(String, Vec<String>)> = Vec::new();
    for far in all {
        let (host, port) = (named_host(*far), far.port().to_string());
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, ports)) => ports.push(port),
            None => hosts.push((host, vec![port])),
        }
    }
    let each = hosts.iter().map(|(host, ports)| match &ports[..] {
        [others @ .., last] if !others.is_empty() => {
            format!(
                "{protocol} ports {} and {last} of {host}",
                others.join(", ")
            )
        }
        ports => format!("{protocol} port {} of {host}", ports.concat()),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A protocol's name.
pub(crate) fn protocol_name(format: Format) -> &'static str {
    match format {
        Format::TwampLight => "TWAMP Light",
        Format::Twamp(_) => "TWAMP",
        Format::Stamp { .. } => "STAMP",
    }
}

/// The protocol of a session by name, with its mode if it is secured, and what identifies it.
pub(crate) fn protocol(wire: Wire) -> String {
    let ssid = wire.format.ssid().map(|ssid| format!("SSID {ssid}"));
    protocol_with(wire, ssid)
}

/// The same without what identifies a session.
pub(super) fn protocol_with_mode(wire: Wire) -> String {
    protocol_with(wire, None)
}

fn protocol_with(wire: Wire, ssid: Option<String>) -> String {
    let name = protocol_name(wire.format);
    let is_open = wire.security == SecurityMode::Unauthenticated;
    let mode = (!is_open).then(|| wire.security.name().to_owned());
    let details: Vec<String> = mode.into_iter().chain(ssid).collect();
    if details.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({})", details.join(", "))
    }
}

/// `TWAMP Light from 192.0.2.1:20000 to 192.0.2.2:862`. Of sessions that were added up, how many ends
/// they have instead of the first one's. Where the ends are unknown, the session's name.
pub(super) fn line(report: &SessionReport, protocol: &str) -> String {
    if !report.origin.has_setup() {
        return format!("session {}", target_of(&report.identity));
    }
    let protocol = several(report, "protocol")
        .map_or_else(|| protocol.to_owned(), |(values, _)| values.join(", "));
    let count = |what: &str| several(report, what).map(|(_, count)| format!("{count} {what}s"));
    let near = count("sender").unwrap_or_else(|| named(report.sender()));
    let far = count("reflector").unwrap_or_else(|| named(report.identity.reflector));
    format!("{protocol} from {near} to {far}")
}

/// The values of a fact in which sessions differ that were added up, at least the first ones, and how
/// many there are.
pub(super) fn several<'a>(report: &'a SessionReport, what: &str) -> Option<(&'a [String], u64)> {
    report.findings.iter().find_map(|finding| {
        let Finding::RawFile(RawFile::Merged { differences, .. }) = finding else {
            return None;
        };
        let difference = differences.iter().find(|it| it.what == what)?;
        let count = difference.values.len() as u64 + difference.more;
        Some((&*difference.values, count))
    })
}

/// `DSCP be`, of sessions that were added up the first ones.
pub(super) fn class(report: &SessionReport) -> String {
    let classes = several(report, "DSCP");
    let classes = classes.map(|(values, count)| match count - values.len() as u64 {
        0 => values.join(", "),
        more => format!("{} and {more} more", values.join(", ")),
    });
    let own = || report.identity.tos.dscp().to_string();
    format!("DSCP {}", classes.unwrap_or_else(own))
}

/// A line from a library, with zone numbers replaced by their interfaces' names.
pub(crate) fn with_zones(line: &str) -> String {
    let mut named = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('%') {
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = after.strip_suffix(rest).unwrap_or_default();
        let address = before.rsplit_once('[').map(|(_, address)| address.parse());
        let is_zone = matches!(address, Some(Ok::<Ipv6Addr, _>(_))) && rest.starts_with(']');
        let name = number.parse().ok().filter(|_| is_zone);
        let name = name.and_then(interface_name);
        named.extend([before, "%", name.as_deref().unwrap_or(number)]);
    }
    named + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinpath_proto::TestFeatures;
    use twinpath_wire::control::Modes;

    #[test]
    fn a_protocol_has_its_mode_and_what_identifies_its_session() {
        let encrypted = Wire::twamp(TestFeatures {
            modes: Modes::ENCRYPTED,
            ..TestFeatures::default()
        });
        for (wire, title, line) in [
            (Wire::TWAMP_LIGHT, "TWAMP Light", "TWAMP Light"),
            (encrypted, "TWAMP (encrypted)", "TWAMP (encrypted)"),
            (Wire::stamp(0), "STAMP", "STAMP"),
            (Wire::stamp(7), "STAMP", "STAMP (SSID 7)"),
            (
                Wire::stamp(7).authenticated(),
                "STAMP (authenticated)",
                "STAMP (authenticated, SSID 7)",
            ),
        ] {
            assert_eq!(
                (&*protocol_with_mode(wire), &*protocol(wire)),
                (title, line)
            );
        }
    }
    use crate::output::fixtures;

    #[test]
    fn a_zone_is_shown_by_name_if_the_system_knows_it() {
        let name = |index| (index == 7).then(|| "eth0".to_owned());
        for (address, shown) in [
            ("[fe80::1%7]:862", "[fe80::1%eth0]:862"),
            ("[fe80::1%8]:862", "[fe80::1%8]:862"),
            ("[2001:db8::1]:862", "[2001:db8::1]:862"),
            ("192.0.2.1:862", "192.0.2.1:862"),
        ] {
            assert_eq!(endpoint(address.parse().unwrap(), name), shown);
        }
        let Some(lo) = interface_name(1) else {
            println!("skipped: this system does not tell the names of interfaces");
            return;
        };
        assert_eq!(
            named("[fe80::1%1]:862".parse().unwrap()),
            format!("[fe80::1%{lo}]:862")
        );
    }

    #[test]
    fn ports_are_named_by_protocol_and_host() {
        let all = ["192.0.2.1:862", "192.0.2.1:20001", "[2001:db8::1]:862"];
        let all = all.map(|far| far.parse().unwrap());
        for (count, said) in [
            (1, "UDP port 862 of 192.0.2.1"),
            (2, "UDP ports 862 and 20001 of 192.0.2.1"),
            (
                3,
                "UDP ports 862 and 20001 of 192.0.2.1, UDP port 862 of 2001:db8::1",
            ),
        ] {
            assert_eq!(ports_of("UDP", &all[..count]), said);
        }
        let zone = interface_name(1).unwrap_or_else(|| "1".to_owned());
        let host = named_host("[fe80::1%1]:862".parse().unwrap());
        assert_eq!(host, format!("fe80::1%{zone}"));
    }

    #[test]
    fn a_line_has_all_its_zones_by_name_and_is_otherwise_unchanged() {
        let zone = interface_name(1).unwrap_or_else(|| "1".to_owned());
        for (line, named) in [
            ("100% of [fe80::1%1]:1, 5%", "100% of [fe80::1%ZONE]:1, 5%"),
            (
                "[fe80::1%1]:1; [ff02::1%1]:2 x",
                "[fe80::1%ZONE]:1; [ff02::1%ZONE]:2 x",
            ),
            ("[fe80::1%4294967295]:1", "[fe80::1%4294967295]:1"),
            ("[fe80::1%99999999999]:1", "[fe80::1%99999999999]:1"),
            (
                "[a%1] %1] fe80::1%1 [fe80::1%1",
                "[a%1] %1] fe80::1%1 [fe80::1%1",
            ),
            ("[fe80::1%]:1 %", "[fe80::1%]:1 %"),
            ("", ""),
        ] {
            assert_eq!(with_zones(line), named.replace("ZONE", &zone), "{line}");
        }
    }

    #[test]
    fn a_sender_has_the_far_end_s_zone() {
        let mut report = fixtures::quiet_path();
        report.identity.sender = "[fe80::2]:20000".parse().unwrap();
        report.identity.reflector = "[fe80::1%1]:862".parse().unwrap();
        let zone = interface_name(1).unwrap_or_else(|| "1".to_owned());
        assert_eq!(named(report.sender()), format!("[fe80::2%{zone}]:20000"));
    }
}
