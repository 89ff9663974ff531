//! Command lines of controller, server and control client, and the plans that they are for.

use twinpath_proto::sender::PayloadSize;
use twinpath_runtime::PortChoice;
use twinpath_wire::control::SecurityMode;
use twinpath_wire::{Dscp, Tos};

use super::*;
use crate::args::{Cli, Command, ControlCommand};
use crate::plan::system_lookup;

fn command(line: &str) -> Command {
    Cli::of(line).command
}

/// Their classes.
fn classes(plan: &PlannedControl) -> Vec<Tos> {
    plan.sessions.iter().map(|session| session.class).collect()
}

fn of_controller(line: &str) -> Result<PlannedControl, Failure> {
    let Command::Control(ControlCommand::Controller(args)) = command(&format!("controller {line}"))
    else {
        unreachable!("another command")
    };
    let plans = controllers(&args, EnvironmentPassphrase::default(), &system_lookup)?;
    Ok(plans.into_iter().next().unwrap())
}

fn of_client(line: &str) -> Result<ControlClientPlan, Failure> {
    let Command::Control(ControlCommand::Controlclient(args)) =
        command(&format!("controlclient {line}"))
    else {
        unreachable!("another command")
    };
    let plans = controlclients(&args, EnvironmentPassphrase::default(), &system_lookup)?;
    Ok(plans.into_iter().next().unwrap())
}

fn of_server(line: &str) -> Result<ServerPlan, Failure> {
    let Command::Control(ControlCommand::Server(args)) = command(&format!("server {line}")) else {
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
    assert_eq!(classes(&plan), [Tos(0)]);
    assert_eq!(plan.sessions[0].plan.port, PortChoice::Prefer(20_000));
    assert_eq!(plan.sessions[0].plan.payload, PayloadSize::Fixed(41));
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
    assert_eq!(plan.sessions[0].plan.payload, PayloadSize::Fixed(142));
    assert_ne!(control.octets_to_reflect, 0);
    assert_eq!(classes(&plan), [Tos(0), Tos(184)]);
    assert_eq!(plan.sessions[0].plan.port, PortChoice::Range(500, 510));
    assert_eq!(plan.sessions[0].plan.start_delay, Duration::from_secs(1));
    let tos = of_controller("::1 --tos 187").unwrap();
    assert_eq!(classes(&tos), [Tos(187)]);
    for (options, line) in [
        (
            "--ports 5000-5001 --dscp be,af41,ef",
            "--ports 5000-5001 has 2 ports, but 3 sessions need 3",
        ),
        (
            "--ports 500-501 --dscp be,ef",
            "--ports 500-501 has 2 ports, 1 of them a service's that reflectors do not answer, but 2 \
             sessions need 2",
        ),
        (
            "--ports 520-520",
            "--ports 520-520 has 1 port, 1 of them a service's that reflectors do not answer, but 1 \
             session needs 1",
        ),
    ] {
        let failure = of_controller(&format!("::1 {options}")).unwrap_err();
        assert_eq!(failure.to_string(), line);
    }
    let many = vec!["be"; 65].join(",");
    let failure = of_controller(&format!("::1 --dscp {many}")).unwrap_err();
    assert!(failure.to_string().contains("use at most 64"));
}

#[test]
fn with_symmetrical_size_padding_begins_behind_the_zeros() {
    // Row TC-83: it is the Padding Length of the request.
    let of = |line: &str| of_controller(line).unwrap();
    let plan = of("::1 --padding 64 --symmetrical-size");
    assert_eq!(plan.sessions[0].plan.payload, PayloadSize::Fixed(105));
    let plan = of("::1 --padding 64 --reflect-octets");
    assert_eq!(plan.control.padding_to_reflect, 34);
    assert_eq!(plan.sessions[0].plan.payload, PayloadSize::Fixed(78));
    assert!(of_controller("127.0.0.1 --padding 65493").is_ok());
    let failure = of_controller("127.0.0.1 --padding 65493 --symmetrical-size").unwrap_err();
    assert!(failure.to_string().contains("out of range: use 0 to 65466"));
}

#[test]
fn reflect_octets_without_padding_to_reflect_is_remarked_on_with_the_least_that_is_reflected() {
    let mut keys = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut keys, b"alice secret").unwrap();
    let keys = format!("--keys {}", keys.path().display());
    for (options, least) in [
        ("--reflect-octets".to_owned(), Some(31)),
        ("--reflect-octets --padding 30".to_owned(), Some(31)),
        ("--reflect-octets --padding 31".to_owned(), None),
        ("--reflect-octets --padding -1".to_owned(), Some(31)),
        ("--reflect-octets --symmetrical-size".to_owned(), None),
        (
            "--reflect-octets --symmetrical-size --padding 3".to_owned(),
            Some(4),
        ),
        (format!("--reflect-octets {keys}"), Some(99)),
        (format!("--reflect-octets {keys} --padding 99"), None),
        (
            format!("--reflect-octets {keys} --mode encrypted --padding 40"),
            Some(99),
        ),
        (format!("--reflect-octets {keys} --mode mixed"), Some(31)),
        (
            format!("--reflect-octets {keys} --mode mixed --padding 31"),
            None,
        ),
        ("--symmetrical-size --padding 0".to_owned(), None),
    ] {
        let plan = of_controller(&format!("::1 {options}")).unwrap();
        let said = least.map(|least| {
            format!("--reflect-octets has no padding to reflect: use --padding {least} or more")
        });
        assert_eq!(unreflected(&plan), said, "{options}");
    }
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
    assert_eq!(
        (plan.limits.max_sessions, plan.limits.max_open_sessions),
        (5_000, 2_500)
    );
    let line = format!("--keys {file} --max-open-sessions 7 --mode");
    let plan = of_server(&format!("{line} unauthenticated,encrypted")).unwrap();
    assert_eq!(plan.limits.max_open_sessions, 7);
    let failure = of_server(&format!("{line} encrypted")).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("clients with and without a key")
    );
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
        let Command::Control(ControlCommand::Controller(args)) =
            command(&format!("controller {line}"))
        else {
            unreachable!("another command")
        };
        let plans = controllers(&args, EnvironmentPassphrase::default(), &lookup).unwrap();
        let servers = plans
            .iter()
            .map(|plan| plan.control.server.ip().to_string());
        assert!(
            plans
                .iter()
                .all(|plan| plan.sessions[0].plan.far == plan.control.server)
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
        let Command::Control(ControlCommand::Controlclient(args)) =
            command(&format!("controlclient {line}"))
        else {
            unreachable!("another command")
        };
        let plans = controlclients(&args, EnvironmentPassphrase::default(), &lookup).unwrap();
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
        ("::1 127.0.0.1", "both must be of the same family"),
        ("0.0.0.0 127.0.0.1", "is not a valid destination"),
        ("127.0.0.1 224.0.0.1", "is a multicast address"),
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
    assert!(
        bare.tolerate_missing_family && !bare.nat && !bare.strict && !bare.limits.allow_any_port
    );
    assert_eq!(bare.modes, Modes::UNAUTHENTICATED | Modes::FEATURES);
    let same = ServerPlan::on(Vec::new());
    assert_eq!(
        (bare.servwait, bare.refwait, bare.test_ports),
        (same.servwait, same.refwait, same.test_ports)
    );
    assert_eq!(
        (bare.limits.max_connections, bare.limits.max_sessions),
        (same.limits.max_connections, same.limits.max_sessions)
    );
    assert_eq!(bare.limits.max_sessions_per_client, 100);
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
    assert_eq!(
        (plan.test_ports, plan.threads, plan.path.ttl),
        ((5, 9), 2, 64)
    );
    let limits = [
        plan.limits.max_connections,
        plan.limits.max_connections_per_client,
        plan.limits.max_sessions,
        plan.limits.max_sessions_per_client,
    ];
    assert_eq!(limits, [4, 3, 2, 1]);
    assert_eq!(
        (bare.limits.max_rate_pps, plan.limits.max_rate_pps),
        (None, Some(50))
    );
    assert_eq!(
        (plan.limits.allow.len(), plan.limits.allow_sender.len()),
        (1, 1)
    );
    assert!(
        plan.limits.allow_any_port
            && plan.nat
            && plan.server_octets
            && plan.strict
            && plan.raw_t3
            && plan.path.portable
    );
    assert_eq!(plan.control_dscp.map(Dscp::value), Some(48));
    assert_eq!(plan.path.interface.as_deref(), Some("lo"));
    assert_eq!(plan.limits.max_open_sessions, plan.limits.max_sessions);
}
