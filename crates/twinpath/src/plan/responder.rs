//! `twinpath responder`: from arguments to a plan.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use twinpath_proto::extension::ExtensionPolicy;
use twinpath_proto::reflector::{ReflectorConfig, ReflectorPolicy, ReflectorProtocols};
use twinpath_runtime::ResponderPlan;
use twinpath_wire::LIGHT_PORT;

use crate::args::{Answers, IpOptions, NearEnd, ResponderArgs, WireFormat};
use crate::failure::Failure;

use super::micro_sessions::unique;
use super::resolve::{Family, Lookup, in_zone, resolve};

/// The most multicast groups: Linux lets a socket join 20 by default.
const MOST_GROUPS: usize = 16;

/// What the arguments mean.
///
/// # Errors
/// As [`reflector`], and names without an address.
pub(crate) fn responder(
    args: &ResponderArgs,
    lookup: Lookup<'_>,
) -> Result<ResponderPlan, Failure> {
    let reflector = reflector(args)?;
    micro_session_ids(args)?;
    let (near, tolerate_missing_family) =
        listening(args.near.as_ref(), &args.ip, LIGHT_PORT, lookup)?;
    let joins = joins(args, &near)?;
    Ok(ResponderPlan {
        tolerate_missing_family,
        reflector,
        path: args.ip.path(&args.stamps)?,
        threads: args.threads,
        raw_t3: args.raw_t3,
        members: args.extensions.members().collect(),
        joins,
        ..ResponderPlan::on(near)
    })
}

/// What requests get, by the arguments.
///
/// # Errors
/// Arguments that mean nothing together.
pub(crate) fn reflector(args: &ResponderArgs) -> Result<ReflectorConfig, Failure> {
    if args.allow_larger_replies && args.padding.is_none() {
        return Err(Failure::usage("--allow-larger-replies needs --padding"));
    }
    let ssids = (!args.allow_ssid.is_empty()).then_some("--allow-ssid");
    if args.protocol == Answers::TwampLight
        && let Some(option) = args.keys.given().or(args.extensions.given()).or(ssids)
    {
        let line = format!("{option} is for STAMP: leave it out, or --protocol twamp-light");
        return Err(Failure::usage(line));
    }
    if args.timestamp_format == WireFormat::Ptp && args.protocol != Answers::Stamp {
        let line = "--timestamp-format ptp needs --protocol stamp: senders of TWAMP Light read NTP timestamps";
        return Err(Failure::usage(line));
    }
    for (is_given, option) in [
        (args.authenticated, "--authenticated"),
        (args.require_hmac, "--require-hmac"),
    ] {
        if is_given && args.keys.given().is_none() {
            let line = format!("{option} needs --hmac-key-file or --hmac-key");
            return Err(Failure::usage(line));
        }
    }
    if args.extensions.control.needs_key() && args.keys.given().is_none() {
        let line = "--allow-control needs --hmac-key-file or --hmac-key, or --control-unauthenticated, which follows forged requests too";
        return Err(Failure::usage(line));
    }
    Ok(ReflectorConfig {
        policy: ReflectorPolicy {
            allow: args.allow.iter().map(|prefix| prefix.0).collect(),
            max_rate_pps: args.max_rate,
            dscp: args.dscp,
            strict: args.strict,
            ..ReflectorPolicy::default()
        },
        protocols: match args.protocol {
            Answers::Auto => ReflectorProtocols::Auto,
            Answers::Stamp => ReflectorProtocols::Stamp,
            Answers::TwampLight => ReflectorProtocols::TwampLight,
        },
        authenticated_only: args.authenticated,
        ssids: args
            .allow_ssid
            .iter()
            .map(|ssids| ssids.0.clone())
            .collect(),
        groups: {
            let groups = args.extensions.control.join.iter();
            groups.map(|group| group.address).collect()
        },
        stateful: !args.stateless,
        max_sessions: args.max_sessions,
        idle: args.timer.0,
        padding: args.padding.map(|padding| padding.0.into()),
        allow_larger_replies: args.allow_larger_replies,
        extensions: ExtensionPolicy {
            requires_hmac: args.require_hmac,
            accepts_unverified: args.accept_unverified_tlvs,
            ..args.extensions.policy()
        },
        format: args.timestamp_format.into(),
    })
}

/// The multicast groups to join (row SL-62).
fn joins(
    args: &ResponderArgs,
    near: &[SocketAddr],
) -> Result<Vec<(IpAddr, Option<String>)>, Failure> {
    let groups = &args.extensions.control.join;
    if groups.len() > MOST_GROUPS {
        let line = format!(
            "--join: {} groups: use {MOST_GROUPS} or fewer",
            groups.len()
        );
        return Err(Failure::usage(line));
    }
    if args.stamps.portable && !groups.is_empty() {
        let line = "--join and --portable exclude each other: use one of them";
        return Err(Failure::usage(line));
    }
    let joins = groups.iter().map(|group| {
        let address = group.address;
        let is_any = |near: &SocketAddr| {
            near.ip().is_unspecified() && near.is_ipv4() == address.is_ipv4()
        };
        if near.iter().any(is_any) {
            return Ok((address, group.interface.clone()));
        }
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        Err(Failure::usage(format!(
            "--join {address} needs a responder on all {family} addresses: leave out the address to listen on"
        )))
    });
    joins.collect()
}

/// Whether member links have IDs and interfaces of their own (row SL-37).
fn micro_session_ids(args: &ResponderArgs) -> Result<(), Failure> {
    let all = &args.extensions.micro_session_id;
    let ids = unique("ID", all.iter().map(|member| Some(member.id)));
    let interfaces = all.iter().map(|member| member.interface.as_ref());
    ids.and(unique("interface", interfaces))
        .map_err(|line| Failure::usage(format!("--micro-session-id: {line}")))?;
    if args.stamps.portable && args.extensions.members().next().is_some() {
        let line = "--micro-session-id ID@NAME and --portable exclude each other: use one of them";
        return Err(Failure::usage(line));
    }
    Ok(())
}

/// Where to listen, and whether the host may lack one of the families.
pub(super) fn listening(
    near: Option<&NearEnd>,
    ip: &IpOptions,
    default_port: u16,
    lookup: Lookup<'_>,
) -> Result<(Vec<SocketAddr>, bool), Failure> {
    let family = Family::of_options(ip);
    let port = near.and_then(|near| near.port).unwrap_or(default_port);
    let host = near.and_then(|near| near.host.as_ref());
    let near = match host {
        Some(host) => {
            let interface = ip.interface.as_deref();
            let found = resolve(host, port, family, lookup)?;
            let found = found.into_iter();
            found
                .map(|near| in_zone(near, interface, lookup))
                .collect::<Result<_, _>>()?
        }
        None => everywhere(port)
            .into_iter()
            .filter(|near| family.admits(near.ip()))
            .collect(),
    };
    Ok((near, host.is_none() && family == Family::Any))
}

fn everywhere(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (Ipv6Addr::UNSPECIFIED, port).into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use twinpath_proto::extension::LocationPolicy;
    use twinpath_wire::Dscp;

    use super::*;
    use crate::args::{Cli, Command};

    #[expect(clippy::unnecessary_wraps, reason = "the resolver's own signature")]
    fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if name == "fe80::1%eth0" {
            return Ok(vec!["[fe80::1%7]:20001".parse().unwrap()]);
        }
        assert_eq!(name, "both");
        Ok(["192.0.2.1", "2001:db8::1"]
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
            .to_vec())
    }

    fn plan(line: &str) -> Result<ResponderPlan, Failure> {
        let Command::Responder(args) = Cli::of(&format!("responder {line}")).command else {
            unreachable!("another command")
        };
        responder(&args, &lookup)
    }

    #[test]
    fn addresses_default_to_all_of_both_families() {
        for (line, near, tolerant) in [
            ("", "0.0.0.0:20001 [::]:20001", true),
            (":862", "0.0.0.0:862 [::]:862", true),
            ("-4", "0.0.0.0:20001", false),
            (":0 -6", "[::]:0", false),
            ("192.0.2.1", "192.0.2.1:20001", false),
            ("[::]:862", "[::]:862", false),
            ("0.0.0.0:862", "0.0.0.0:862", false),
            ("fe80::1%eth0", "[fe80::1%7]:20001", false),
            ("fe80::1 --interface eth0", "[fe80::1%7]:20001", false),
            ("both:5", "192.0.2.1:5 [2001:db8::1]:5", false),
            ("both -6", "[2001:db8::1]:20001", false),
        ] {
            let plan = plan(line).unwrap();
            let listed: Vec<String> = plan.near.iter().map(ToString::to_string).collect();
            assert_eq!(listed.join(" "), near, "{line}");
            assert_eq!(plan.tolerate_missing_family, tolerant, "{line}");
        }
    }

    #[test]
    fn every_option_reaches_the_plan() {
        let bare = plan("").unwrap();
        assert!(
            bare.reflector.stateful
                && !bare.reflector.policy.strict
                && bare.reflector.policy.allow.is_empty()
                && !bare.raw_t3
                && !bare.path.portable
        );
        assert_eq!(
            (bare.threads, bare.reflector.max_sessions, bare.path.ttl),
            (1, 100_000, 255)
        );
        assert_eq!(
            (bare.reflector.idle, bare.reflector.protocols),
            (Duration::from_mins(15), ReflectorProtocols::Auto)
        );
        assert_eq!(
            (
                bare.reflector.padding,
                bare.reflector.policy.max_rate_pps,
                bare.reflector.policy.dscp
            ),
            (None, None, None)
        );
        let plan = plan(
            "--allow 192.0.2.0/24 --allow ::1 --max-rate 100 --max-sessions 5 --timer 30 \
             --strict --threads 4 --timestamps user --padding 1000 --allow-larger-replies \
             --dscp 46 --ttl 64 --do-not-fragment --interface lo --raw-t3 --protocol stamp \
             --portable",
        )
        .unwrap();
        assert_eq!(plan.reflector.policy.allow.len(), 2);
        assert!(!self::plan("--stateless").unwrap().reflector.stateful);
        assert_eq!(
            (
                plan.reflector.policy.max_rate_pps,
                plan.reflector.max_sessions
            ),
            (Some(100), 5)
        );
        assert_eq!(
            (plan.reflector.idle, plan.reflector.stateful, plan.threads),
            (Duration::from_secs(30), true, 4)
        );
        assert_eq!(
            (plan.reflector.padding, plan.reflector.allow_larger_replies),
            (Some(1000), true)
        );
        assert_eq!(
            (plan.reflector.policy.dscp, plan.path.ttl),
            (Some(Dscp::EF), 64)
        );
        assert!(
            plan.reflector.policy.strict
                && plan.path.dont_fragment
                && plan.raw_t3
                && plan.path.portable
        );
        assert_eq!(
            (plan.path.interface.as_deref(), plan.reflector.protocols),
            (Some("lo"), ReflectorProtocols::Stamp)
        );
    }

    #[test]
    fn every_option_of_extensions_reaches_the_plan() {
        let extensions = |line: &str| plan(line).unwrap().reflector.extensions;
        let own = |dscp: u8| Dscp::new(dscp).unwrap();
        let bare = extensions("");
        assert!(!bare.copies_only && !bare.requires_hmac && !bare.accepts_unverified);
        assert!((0..64).all(|dscp| !bare.dscp.has(own(dscp))));
        assert!(!bare.return_addresses.permits("192.0.2.1".parse().unwrap()));
        assert_eq!(
            (bare.location, &*bare.micro_sessions),
            (LocationPolicy::All, &[][..])
        );
        assert!(bare.control.is_none());
        let key = "--hmac-key 00112233445566778899aabbccddeeff";
        let control = |line: &str| {
            let control = extensions(&format!("{line} {key}")).control.unwrap();
            let addresses = ["192.0.2.9", "2001:db8::9", "198.51.100.9"];
            (
                addresses.map(|address| control.allow.permits(address.parse().unwrap())),
                control.unauthenticated,
                (control.octets_per_s, control.octets, control.replies),
            )
        };
        assert_eq!(
            control("--allow-control 192.0.2.0/24 --allow-control 2001:db8::/32"),
            ([true, true, false], false, (125_000, 15_000, 10))
        );
        assert_eq!(
            control(
                "--allow-control ::/0 --control-rate 8000 --control-volume 70 --control-count 3 \
                 --control-unauthenticated",
            ),
            ([false, true, false], true, (1_000, 70, 3))
        );
        assert!(
            extensions("--allow-control ::/0 --control-unauthenticated")
                .control
                .is_some()
        );
        let given = extensions(
            "--allow-dscp af41,46 --allow-return-address 192.0.2.0/24 --allow-return-address ::1 \
             --micro-session-id 7 --micro-session-id 8@eth1,9 --location ports --accept-unverified-tlvs",
        );
        let allowed: Vec<u8> = (0..64).filter(|dscp| given.dscp.has(own(*dscp))).collect();
        assert_eq!(allowed, [34, 46]);
        for (address, permitted) in [("192.0.2.9", true), ("::1", true), ("192.0.3.1", false)] {
            let address = address.parse().unwrap();
            assert_eq!(given.return_addresses.permits(address), permitted);
        }
        assert_eq!(
            (
                given.location,
                given.micro_sessions.iter().map(|link| link.id).collect()
            ),
            (LocationPolicy::Ports, vec![7, 9])
        );
        assert!(given.accepts_unverified);
        let members = plan("--micro-session-id 7,8@eth1").unwrap().members;
        assert_eq!(members, [(8, "eth1".to_owned())]);
        assert!(extensions(&format!("--require-hmac {key}")).requires_hmac);
        assert!(extensions("--no-tlv").copies_only);
    }

    #[test]
    fn options_that_would_do_nothing_are_refused() {
        for (line, part) in [
            ("--allow-larger-replies", "needs --padding"),
            ("--portable --timestamps kernel", "exclude each other"),
            (
                "--protocol twamp-light --hmac-key 00112233445566778899aabbccddeeff",
                "--hmac-key is for STAMP",
            ),
            ("--timestamp-format ptp", "needs --protocol stamp"),
            ("--require-hmac", "needs --hmac-key-file or --hmac-key"),
            ("--authenticated", "needs --hmac-key-file or --hmac-key"),
            (
                "--protocol twamp-light --allow-ssid 0",
                "--allow-ssid is for STAMP",
            ),
            (
                "--allow-control ::1",
                "--allow-control needs --hmac-key-file or --hmac-key",
            ),
            (
                "--protocol twamp-light --allow-control ::1",
                "--allow-control is for STAMP",
            ),
            ("--micro-session-id 5,5@a", "ID 5 is given twice"),
            ("--micro-session-id 5@a,6@a", "interface a is given twice"),
            ("--micro-session-id 5@a --portable", "exclude each other"),
            ("--protocol twamp-light --no-tlv", "--no-tlv is for STAMP"),
            ("fe80::1", "give the interface too, such as fe80::1%eth0"),
        ] {
            let failure = plan(line).unwrap_err().to_string();
            assert!(failure.contains(part), "{line}: {failure}");
        }
    }
}
