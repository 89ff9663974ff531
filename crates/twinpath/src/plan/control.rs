//! The commands that speak TWAMP-Control: from arguments to plans.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_proto::TestFeatures;
use twinpath_proto::sender::Protocol;
use twinpath_runtime::controller::{ControlClientPlan, ControlPlan, ControllerPlan, Sizes};
use twinpath_runtime::server::ServerPlan;
use twinpath_wire::ReflectorSecured;
use twinpath_wire::control::{CONTROL_PORT, Modes};

use crate::args::{
    ControlClientArgs, ControlOptions, ControllerArgs, PaddingSize, ServerArgs, WireFormat,
};
use crate::failure::Failure;

use super::keys::{BY_STRENGTH, FOR_OTHERS, Given, Wanted, offered, wanted};
use super::resolve::{Family, Lookup, in_zone, resolve};
use super::responder::listening;
use super::sender::{Sending, all_ends, classes, one_host, pairs, payload, usable};

/// The UDP port that a Session-Sender elsewhere has unless told otherwise.
const SENDER_PORT: u16 = 20_000;
/// A reply's header, the octets of RFC 7750 among them.
const REPLY_HEADER: usize = 44;
/// What the Server is to give back with Reflect Octets; anything but zero.
const OCTETS_TO_REFLECT: u16 = 0x5450;
/// A control message may take this long.
const MESSAGE_PATIENCE: Duration = Duration::from_mins(1);

/// What the arguments mean, for each address of the server: at least one.
///
/// # Errors
/// Arguments that exclude each other, names without an address, sizes that do not fit.
pub(crate) fn controllers(
    args: &ControllerArgs,
    given: Given,
    lookup: Lookup<'_>,
) -> Result<Vec<ControllerPlan>, Failure> {
    let ends = all_ends(
        &args.server,
        args.near.as_ref(),
        &args.ip,
        CONTROL_PORT,
        lookup,
    )?;
    let wanted = wanted(&args.control, given, &BY_STRENGTH)?;
    let plan = |(server, near)| controller(args, wanted.clone(), server, near);
    alternating(ends).into_iter().map(plan).collect()
}

/// The families by turns, that of the first one first (RFC 8305 section 4).
fn alternating<T>(ends: Vec<(SocketAddr, T)>) -> Vec<(SocketAddr, T)> {
    let v4_first = ends.first().is_some_and(|(server, _)| server.is_ipv4());
    let (first, second): (Vec<_>, Vec<_>) = ends
        .into_iter()
        .partition(|(server, _)| server.is_ipv4() == v4_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn.iter().all(Option::is_none) {
            return all;
        }
        all.extend(turn.into_iter().flatten());
    }
}

fn controller(
    args: &ControllerArgs,
    wanted: Wanted,
    server: SocketAddr,
    near_address: Option<IpAddr>,
) -> Result<ControllerPlan, Failure> {
    let near = args.near.as_ref();
    let classes = classes(args.tos, &args.dscp, args.ports)?;
    let sending = Sending {
        schedule: &args.schedule,
        packet: &args.packet,
        ip: &args.ip,
        stamps: &args.stamps,
        results: &args.results,
        near,
        ports: args.ports,
    };
    let tos = classes.first().copied().unwrap_or_default();
    let may_secure = wanted.security.iter().any(|mode| mode.secures_packets());
    let mut control = control(&args.control, wanted, server);
    control.near = near_address;
    control.interface.clone_from(&args.ip.interface);
    control.nat = args.nat;
    for (asked, feature) in [
        (args.reflect_octets, Modes::REFLECT_OCTETS),
        (args.symmetrical_size, Modes::SYMMETRICAL_SIZE),
        (args.dscp_monitoring, Modes::DSCP_MONITORING),
        (args.timestamp_format == WireFormat::Ptp, Modes::PTP_TIME),
    ] {
        if asked {
            control.required = control.required | feature;
        }
    }
    let padding = args.packet.padding();
    let open = features(control.required, padding, REPLY_HEADER);
    if args.reflect_octets {
        control.padding_to_reflect = open.padding_to_reflect;
        control.octets_to_reflect = OCTETS_TO_REFLECT;
    }
    let secured = may_secure.then(|| secured(control.required, args.packet.padding, server.ip()));
    let protocol = Protocol::Twamp(open);
    let sender = sending.plan(protocol, server, near_address, tos)?;
    Ok(ControllerPlan {
        control,
        sender,
        classes,
        secured: secured.transpose()?,
    })
}

/// What packets look like with these modes, and this padding. Of the padding as much comes back as fits
/// behind a reply's header: packets keep the size that was asked for.
fn features(modes: Modes, padding: PaddingSize, reply_header: usize) -> TestFeatures {
    let mut features = TestFeatures {
        modes,
        ..TestFeatures::default()
    };
    if modes.contains(Modes::REFLECT_OCTETS) {
        let padding = usize::try_from(padding.number()).unwrap_or(0);
        let from = Protocol::Twamp(features).padding_counts_from();
        let fits = (from + padding).saturating_sub(reply_header);
        features.padding_to_reflect = u16::try_from(fits).unwrap_or(u16::MAX);
    }
    features
}

/// Sizes where test packets are secured: unless padding is asked for, as long as their replies (rows
/// TC-49, TT-7).
fn secured(
    required: Modes,
    padding: Option<PaddingSize>,
    server: IpAddr,
) -> Result<Sizes, Failure> {
    // Both modes have packets of one size.
    let modes = required | Modes::ENCRYPTED;
    let header = ReflectorSecured::OCTETS;
    let from = Protocol::Twamp(features(modes, PaddingSize::Imix, header)).padding_counts_from();
    let usual = u16::try_from(header.saturating_sub(from)).unwrap_or(0);
    let padding = padding.unwrap_or(PaddingSize::Octets(usual));
    let features = features(modes, padding, header);
    Ok(Sizes {
        payload: payload(padding, Protocol::Twamp(features), server)?,
        padding: padding.number(),
        padding_to_reflect: features.padding_to_reflect,
    })
}

/// What the arguments mean, for each address of the server that is of a family with one of the
/// sender's: at least one.
///
/// # Errors
/// As [`controllers`].
pub(crate) fn controlclients(
    args: &ControlClientArgs,
    given: Given,
    lookup: Lookup<'_>,
) -> Result<Vec<ControlClientPlan>, Failure> {
    let family = Family::only(args.ipv4, args.ipv6);
    let port = args.server.port.unwrap_or(CONTROL_PORT);
    let servers = resolve(&args.server.host, port, family, lookup)?;
    let port = args.sender.port.unwrap_or(SENDER_PORT);
    let senders = resolve(&args.sender.host, port, family, lookup)?;
    let ends = alternating(pairs(&servers, &senders)?);
    if args.duration.is_some_and(|duration| duration.0.is_zero()) {
        return Err(Failure::usage(
            "--duration 0 stops at once: write 10 (seconds) or 500ms",
        ));
    }
    let wanted = wanted(&args.control, given, &FOR_OTHERS)?;
    let plan = |(server, sender)| {
        let server = in_zone(server, args.interface.as_deref(), lookup)?;
        controlclient(args, wanted.clone(), server, sender)
    };
    usable(ends.into_iter().map(plan))
}

fn controlclient(
    args: &ControlClientArgs,
    wanted: Wanted,
    server: SocketAddr,
    sender: SocketAddr,
) -> Result<ControlClientPlan, Failure> {
    one_host(server.ip())?;
    one_host(sender.ip())?;
    let mut control = control(&args.control, wanted, server);
    control.interface.clone_from(&args.interface);
    Ok(ControlClientPlan {
        control,
        sender,
        dscp: args.dscp,
        payload: payload(args.padding, Protocol::TwampLight, server.ip())?,
        timeout: args.timeout.0,
        duration: args.duration.map(|duration| duration.0),
    })
}

fn control(options: &ControlOptions, wanted: Wanted, server: SocketAddr) -> ControlPlan {
    ControlPlan {
        control_dscp: options.control_dscp,
        security: wanted.security,
        key: wanted.key,
        most_pbkdf2_count: options.key.max_pbkdf2_count,
        receiver_port: options.receiver_port,
        strict: options.strict,
        ..ControlPlan::to(server)
    }
}

/// What the arguments mean.
///
/// # Errors
/// Arguments that mean nothing together, names without an address.
pub(crate) fn server(args: &ServerArgs, lookup: Lookup<'_>) -> Result<ServerPlan, Failure> {
    for (option, time) in [("servwait", args.servwait.0), ("refwait", args.refwait.0)] {
        if time.is_zero() {
            return Err(Failure::usage(format!(
                "--{option} 0 ends everything at once: write 900 (seconds) or 15m"
            )));
        }
    }
    let (near, tolerate_missing_family) =
        listening(args.near.as_ref(), &args.ip, CONTROL_PORT, lookup)?;
    let (modes, keys) = offered(args)?;
    let bare = ServerPlan::on(near);
    let max_open_sessions = open_sessions(args, modes)?;
    Ok(ServerPlan {
        tolerate_missing_family,
        modes: modes | Modes::FEATURES,
        keys,
        pbkdf2_count: args.pbkdf2_count.map_or(bare.pbkdf2_count, |count| count.0),
        servwait: args.servwait.0,
        refwait: args.refwait.0,
        message_patience: MESSAGE_PATIENCE.min(args.servwait.0),
        test_ports: (args.test_ports.low, args.test_ports.high),
        allow_any_port: args.allow_any_port,
        max_connections: args.max_connections,
        max_connections_per_client: args.max_connections_per_client,
        max_sessions: args.max_sessions,
        max_open_sessions,
        max_sessions_per_client: args.max_sessions_per_client,
        max_rate_pps: args.max_rate,
        allow: args.allow.iter().map(|prefix| prefix.0).collect(),
        allow_sender: args.allow_sender.iter().map(|prefix| prefix.0).collect(),
        nat: args.nat,
        server_octets: args.server_octets,
        control_dscp: args.control_dscp,
        ttl: args.ip.ttl.0,
        dont_fragment: args.ip.do_not_fragment,
        interface: args.ip.interface.clone(),
        threads: args.threads,
        stamps: args.stamps.timestamps.into(),
        raw_t3: args.raw_t3,
        strict: args.strict,
        portable: args.stamps.portable,
        ..bare
    })
}

/// How many sessions clients without a key may have: where others have one, not all (row TC-78).
fn open_sessions(args: &ServerArgs, modes: Modes) -> Result<usize, Failure> {
    let both = modes.contains(Modes::UNAUTHENTICATED) && args.keys.keys.is_some();
    match args.max_open_sessions {
        Some(_) if !both => Err(Failure::usage(
            "--max-open-sessions is for servers of both kinds of clients: write --mode \
             unauthenticated,encrypted, or leave it out",
        )),
        Some(most) => Ok(most),
        None if both => Ok(args.max_sessions.div_ceil(2)),
        None => Ok(args.max_sessions),
    }
}

#[cfg(test)]
mod tests {
    use twinpath_proto::sender::PayloadSize;
    use twinpath_runtime::PortChoice;
    use twinpath_wire::control::SecurityMode;
    use twinpath_wire::{Dscp, Tos};

    use super::*;
    use crate::args::{Cli, Command};
    use crate::plan::system_lookup;

    fn command(line: &str) -> Command {
        let words = std::iter::once("twinpath").chain(line.split_whitespace());
        let cli = Cli::read(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        cli.command
    }

    fn of_controller(line: &str) -> Result<ControllerPlan, Failure> {
        let Command::Controller(args) = command(&format!("controller {line}")) else {
            unreachable!("another command")
        };
        let plans = controllers(&args, Given::default(), &system_lookup)?;
        Ok(plans.into_iter().next().unwrap())
    }

    fn of_client(line: &str) -> Result<ControlClientPlan, Failure> {
        let Command::Controlclient(args) = command(&format!("controlclient {line}")) else {
            unreachable!("another command")
        };
        let plans = controlclients(&args, Given::default(), &system_lookup)?;
        Ok(plans.into_iter().next().unwrap())
    }

    fn of_server(line: &str) -> Result<ServerPlan, Failure> {
        let Command::Server(args) = command(&format!("server {line}")) else {
            unreachable!("another command")
        };
        server(&args, &system_lookup)
    }

    #[test]
    fn a_bare_controller_asks_for_one_session_at_port_862() {
        let plan = of_controller("192.0.2.1").unwrap();
        assert_eq!(plan.control.server, "192.0.2.1:862".parse().unwrap());
        assert_eq!(plan.control.security, [SecurityMode::Unauthenticated]);
        assert!(plan.control.required.is_empty() && plan.control.avoided.is_empty());
        assert!(!plan.control.nat && !plan.control.strict);
        assert_eq!(
            (plan.control.near, plan.control.receiver_port),
            (None, None)
        );
        assert_eq!(plan.classes, [Tos(0)]);
        assert_eq!(plan.sender.port, PortChoice::Prefer(20_000));
        assert_eq!(plan.sender.payload, PayloadSize::Fixed(41));
    }

    #[test]
    fn every_option_of_a_controller_reaches_its_plan() {
        let plan = of_controller(
            "[::1]:8620 ::1 --nat --strict --receiver-port 900 --control-dscp cs6 --dscp be,46 \
             --ports 500-510 --start-delay 1 --interface lo --reflect-octets --symmetrical-size \
             --dscp-monitoring --timestamp-format ptp --padding 100",
        )
        .unwrap();
        let control = &plan.control;
        assert_eq!(control.server, "[::1]:8620".parse().unwrap());
        assert_eq!(control.near, Some("::1".parse().unwrap()));
        assert!(control.nat && control.strict);
        assert_eq!(control.receiver_port, Some(900));
        assert_eq!(control.control_dscp.map(Dscp::value), Some(48));
        assert_eq!(control.interface.as_deref(), Some("lo"));
        assert_eq!(control.required.bits(), 32 | 64 | 256 | 512);
        // 42 octets before the padding, 44 before the reply's.
        assert_eq!(control.padding_to_reflect, 98);
        assert_eq!(plan.sender.payload, PayloadSize::Fixed(142));
        assert_ne!(control.octets_to_reflect, 0);
        assert_eq!(plan.classes, [Tos(0), Tos(184)]);
        assert_eq!(plan.sender.port, PortChoice::Range(500, 510));
        assert_eq!(plan.sender.start_delay, Duration::from_secs(1));
        let tos = of_controller("::1 --tos 187").unwrap();
        assert_eq!(tos.classes, [Tos(187)]);
        for (options, line) in [
            (
                "--ports 5000-5001 --dscp be,af41,ef",
                "--ports 5000-5001 is 2 ports: 3 sessions need as many",
            ),
            (
                "--ports 500-501 --dscp be,ef",
                "--ports 500-501 is 2 ports, 1 of them a service's that reflectors do not answer: 2 \
                 sessions need as many",
            ),
            (
                "--ports 520-520",
                "--ports 520-520 is 1 port, 1 of them a service's that reflectors do not answer: 1 \
                 session needs as many",
            ),
        ] {
            let failure = of_controller(&format!("::1 {options}")).unwrap_err();
            assert_eq!(failure.to_string(), line);
        }
        let many = vec!["be"; 65].join(",");
        let failure = of_controller(&format!("::1 --dscp {many}")).unwrap_err();
        assert!(failure.to_string().contains("write 64 at most"));
    }

    #[test]
    fn with_symmetrical_size_padding_begins_behind_the_zeros() {
        // Row TC-83: it is the Padding Length of the request.
        let of = |line: &str| of_controller(line).unwrap();
        let plan = of("::1 --padding 64 --symmetrical-size");
        assert_eq!(plan.sender.payload, PayloadSize::Fixed(105));
        let plan = of("::1 --padding 64 --reflect-octets");
        assert_eq!(plan.control.padding_to_reflect, 34);
        assert_eq!(plan.sender.payload, PayloadSize::Fixed(78));
        assert!(of_controller("127.0.0.1 --padding 65493").is_ok());
        let failure = of_controller("127.0.0.1 --padding 65493 --symmetrical-size").unwrap_err();
        assert!(failure.to_string().contains("write 65466 at most"));
    }

    #[test]
    fn secured_packets_are_as_long_as_their_replies_unless_padding_is_asked_for() {
        let mut keys = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut keys, b"alice secret").unwrap();
        let file = keys.path().display();
        for (options, octets, padding, reflected) in [
            ("", 112, 98, 0),
            ("--padding 0", 48, 0, 0),
            ("--padding 200", 214, 200, 0),
            ("--symmetrical-size", 112, 0, 0),
            ("--symmetrical-size --padding 5", 117, 5, 0),
            ("--reflect-octets", 112, 98, 0),
            ("--reflect-octets --padding 50", 112, 50, 0),
            ("--reflect-octets --padding 200", 214, 200, 102),
            ("--reflect-octets --symmetrical-size --padding 9", 121, 9, 9),
        ] {
            let plan = of_controller(&format!("::1 --keys {file} {options}")).unwrap();
            let payload = PayloadSize::Fixed(octets);
            let sizes = plan.secured.unwrap();
            assert_eq!(sizes.payload, payload, "{options}");
            assert_eq!(sizes.padding, padding, "{options}");
            assert_eq!(sizes.padding_to_reflect, reflected, "{options}");
        }
        let plan = of_controller(&format!("::1 --keys {file}")).unwrap();
        assert_eq!(plan.control.security, BY_STRENGTH);
        assert!(plan.control.key.is_some());
        let plan = of_controller(&format!("::1 --keys {file} --mode mixed")).unwrap();
        assert_eq!(plan.control.security, [SecurityMode::Mixed]);
        assert_eq!(plan.secured, None);
        assert_eq!(plan.control.most_pbkdf2_count, 32_768);
        let plan = of_client(&format!("::1 ::1 --keys {file} --max-pbkdf2-count 2048")).unwrap();
        assert_eq!(plan.control.security, FOR_OTHERS);
        assert_eq!(plan.control.most_pbkdf2_count, 2_048);
        let plan = of_server(&format!("--keys {file} --pbkdf2-count 5000")).unwrap();
        assert_eq!(plan.modes, Modes::SECURED | Modes::FEATURES);
        assert_eq!((plan.keys.len(), plan.pbkdf2_count), (1, 8_192));
        let plan = of_server(&format!("--keys {file} --mode unauthenticated,mixed")).unwrap();
        assert_eq!(plan.modes.and(Modes::SECURITY).bits(), 9);
        assert_eq!((plan.max_sessions, plan.max_open_sessions), (5_000, 2_500));
        let line = format!("--keys {file} --max-open-sessions 7 --mode");
        let plan = of_server(&format!("{line} unauthenticated,encrypted")).unwrap();
        assert_eq!(plan.max_open_sessions, 7);
        let failure = of_server(&format!("{line} encrypted")).unwrap_err();
        assert!(failure.to_string().contains("of both kinds of clients"));
    }

    #[test]
    fn the_addresses_of_a_server_come_by_turns_of_their_families() {
        let lookup = |_: &str, port: u16| {
            let all = [
                "2001:db8::1",
                "2001:db8::2",
                "2001:db8::3",
                "192.0.2.1",
                "192.0.2.2",
            ];
            let all = all.map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
            Ok(all.to_vec())
        };
        let of = |line: &str| -> Vec<String> {
            let Command::Controller(args) = command(&format!("controller {line}")) else {
                unreachable!("another command")
            };
            let plans = controllers(&args, Given::default(), &lookup).unwrap();
            let servers = plans
                .iter()
                .map(|plan| plan.control.server.ip().to_string());
            assert!(
                plans
                    .iter()
                    .all(|plan| plan.sender.far == plan.control.server)
            );
            servers.collect()
        };
        let all = [
            "2001:db8::1",
            "192.0.2.1",
            "2001:db8::2",
            "192.0.2.2",
            "2001:db8::3",
        ];
        assert_eq!(of("name"), all);
        assert_eq!(of("name -4"), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(of("name 192.0.2.9:0"), ["192.0.2.1", "192.0.2.2"]);
    }

    #[test]
    fn each_address_of_a_server_has_a_sender_s_address_of_its_family() {
        let lookup = |name: &str, port: u16| {
            let all: &[&str] = match name {
                "server" => &["2001:db8::1", "192.0.2.1", "2001:db8::2"],
                "sender" => &["192.0.2.7", "192.0.2.8", "2001:db8::7"],
                _ => &["192.0.2.9"],
            };
            let all = all
                .iter()
                .map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
            Ok(all.collect())
        };
        let of = |line: &str| -> Vec<(String, String)> {
            let Command::Controlclient(args) = command(&format!("controlclient {line}")) else {
                unreachable!("another command")
            };
            let plans = controlclients(&args, Given::default(), &lookup).unwrap();
            let ends = plans.iter().map(|plan| {
                (
                    plan.control.server.ip().to_string(),
                    plan.sender.ip().to_string(),
                )
            });
            ends.collect()
        };
        let ends = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            let own = list.iter().map(|(a, b)| ((*a).into(), (*b).into()));
            own.collect()
        };
        let all = [
            ("2001:db8::1", "2001:db8::7"),
            ("192.0.2.1", "192.0.2.7"),
            ("2001:db8::2", "2001:db8::7"),
        ];
        assert_eq!(of("sender server"), ends(&all));
        assert_eq!(of("sender server -4"), ends(&all[1..2]));
        assert_eq!(of("v4only server"), ends(&[("192.0.2.1", "192.0.2.9")]));
    }

    #[test]
    fn a_control_client_knows_both_ends_of_one_family() {
        let plan = of_client("192.0.2.7 192.0.2.1 --dscp ef --duration 1h --padding 60").unwrap();
        assert_eq!(plan.sender, "192.0.2.7:20000".parse().unwrap());
        assert_eq!(plan.control.server, "192.0.2.1:862".parse().unwrap());
        assert_eq!(
            (plan.dscp, plan.payload),
            (Dscp::EF, PayloadSize::Fixed(74))
        );
        assert_eq!(plan.duration, Some(Duration::from_hours(1)));
        assert_eq!(of_client("::1 ::1").unwrap().duration, None);
        for (line, part) in [
            ("::1 127.0.0.1", "give both of one family"),
            ("0.0.0.0 127.0.0.1", "is no destination"),
            ("127.0.0.1 224.0.0.1", "is a group"),
        ] {
            let failure = of_client(line).unwrap_err().to_string();
            assert!(failure.contains(part), "{line}: {failure}");
        }
    }

    #[test]
    fn every_option_of_a_server_reaches_its_plan() {
        let bare = of_server("").unwrap();
        let listed: Vec<String> = bare.near.iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["0.0.0.0:862", "[::]:862"]);
        assert!(bare.tolerate_missing_family && !bare.nat && !bare.strict && !bare.allow_any_port);
        assert_eq!(bare.modes, Modes::UNAUTHENTICATED | Modes::FEATURES);
        let same = ServerPlan::on(Vec::new());
        assert_eq!(
            (bare.servwait, bare.refwait, bare.test_ports),
            (same.servwait, same.refwait, same.test_ports)
        );
        assert_eq!(
            (bare.max_connections, bare.max_sessions),
            (same.max_connections, same.max_sessions)
        );
        assert_eq!(bare.max_sessions_per_client, 100);
        assert_eq!(bare.salt_life, Duration::from_hours(1));
        let plan = of_server(
            "127.0.0.1:0 --servwait 30 --refwait 20 --test-ports 5-9 --max-connections 4 \
             --max-connections-per-client 3 --max-sessions 2 --max-sessions-per-client 1 \
             --max-rate 50 --allow 192.0.2.0/24 --allow-sender ::1 --nat --server-octets --control-dscp cs6 \
             --strict --threads 2 --timestamps user --raw-t3 --interface lo --ttl 64 --portable \
             --allow-any-port",
        )
        .unwrap();
        assert_eq!(
            (plan.servwait, plan.refwait, plan.message_patience),
            (
                Duration::from_secs(30),
                Duration::from_secs(20),
                Duration::from_secs(30)
            )
        );
        assert_eq!((plan.test_ports, plan.threads, plan.ttl), ((5, 9), 2, 64));
        let limits = [
            plan.max_connections,
            plan.max_connections_per_client,
            plan.max_sessions,
            plan.max_sessions_per_client,
        ];
        assert_eq!(limits, [4, 3, 2, 1]);
        assert_eq!((bare.max_rate_pps, plan.max_rate_pps), (None, Some(50)));
        assert_eq!((plan.allow.len(), plan.allow_sender.len()), (1, 1));
        assert!(
            plan.allow_any_port
                && plan.nat
                && plan.server_octets
                && plan.strict
                && plan.raw_t3
                && plan.portable
        );
        assert_eq!(plan.control_dscp.map(Dscp::value), Some(48));
        assert_eq!(plan.interface.as_deref(), Some("lo"));
        assert_eq!(plan.max_open_sessions, plan.max_sessions);
        let failure = of_server("--servwait 0").unwrap_err().to_string();
        assert!(
            failure.contains("--servwait 0 ends everything"),
            "{failure}"
        );
    }
}
