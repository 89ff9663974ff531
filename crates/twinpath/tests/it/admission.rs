//! Whom a server lets in, and to which ports.

use std::net::UdpSocket;

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, Running, free_port, run, twinpath};
use crate::secured::{ANY, keys, secured_server};

fn port_of(done: &Done) -> u16 {
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    assert_eq!(session["packets"]["received"], 2, "{session}");
    let at = session["reflector"].as_str().unwrap();
    at.rsplit(':').next().unwrap().parse().unwrap()
}

/// One beyond the default `--test-ports`, that no program has.
fn beyond() -> u16 {
    let port = free_port();
    assert!(port > 19_960, "{port}");
    port
}

/// One of the default `--test-ports` that no program has.
fn free_within() -> u16 {
    let offset = u16::try_from(std::process::id() % 1_000).unwrap();
    let all = (18_760 + offset..=19_960).chain(18_760..=19_960);
    let mut free = all.filter(|port| UdpSocket::bind(("127.0.0.1", *port)).is_ok());
    free.next().unwrap()
}

#[test]
fn a_port_beyond_the_range_is_for_clients_with_a_key_or_by_option() {
    let held = keys("alice secret\n");
    let with_key = format!("--keys {}", held.path().display());
    let both = "--mode unauthenticated,encrypted";
    for (server, client, granted) in [
        (Responder::server(""), "", false),
        (Responder::server("--allow-any-port"), "", true),
        (secured_server(&held, both), "", false),
        (secured_server(&held, both), with_key.as_str(), true),
    ] {
        let line = |port: u16| {
            format!(
                "controller {} {ANY} --receiver-port {port} -c 2 -i 2 --json {client}",
                server.at
            )
        };
        let wished = beyond();
        let port = port_of(&run(&line(wished)));
        if granted {
            assert_eq!(port, wished, "{client}");
        } else {
            assert!((18_760..=19_960).contains(&port), "{port}");
            let done = run(&format!("{} --strict", line(wished)));
            assert_eq!(done.status, 1, "{}", done.stdout);
        }
        // Within the range a wish needs neither.
        let within = free_within();
        assert_eq!(port_of(&run(&line(within))), within);
    }
}

#[test]
fn a_client_that_finds_the_server_full_says_so() {
    let server = Responder::server("--max-connections 1 --json");
    let line = format!("controller {} {ANY} -i 10", server.at);
    let mut running = Running::start(&format!("{line} --duration 600 --output jsonl"));
    let mut first = [0];
    std::io::Read::read_exact(running.0.stdout.as_mut().unwrap(), &mut first).unwrap();
    let done = run(&format!("{line} -c 2"));
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("the server is full"),
        "{}",
        done.stderr
    );
    running.signal(&["KILL"]);
    let last: serde_json::Value = serde_json::from_str(&server.stop("INT").stdout).unwrap();
    let connections = &last["connections"];
    for (key, count) in [
        ("served", 1),
        ("refused", 1),
        ("refused_full", 1),
        ("refused_client_limit", 0),
        ("made_room", 0),
    ] {
        assert_eq!(connections[key], count, "{key}: {connections}");
    }
}

#[test]
fn the_addresses_of_one_64_share_one_limit() {
    let Some(hosts) = Hosts::new() else { return };
    for address in ["fd98::1:1", "fd97::1"] {
        ip(&format!(
            "-n {} addr add {address}/64 dev v0 nodad",
            hosts.near
        ))
        .unwrap();
    }
    ip(&format!("-n {} -6 route add fd97::/64 dev v1", hosts.far)).unwrap();
    let server = hosts.listener("server :862 --max-connections-per-client 1 --json");
    let line = |near: &str| format!("controller [fd98::2]:862 [{near}]:0 -i 10 --json");
    let held = format!("{} --duration 600", line("fd98::1"));
    let held = held.replace("--json", "--output jsonl");
    let mut running = Running::spawn(Hosts::on(&hosts.near, &twinpath(&held)));
    let mut first = [0];
    std::io::Read::read_exact(running.0.stdout.as_mut().unwrap(), &mut first).unwrap();
    for (near, served) in [("fd98::1", false), ("fd98::1:1", false), ("fd97::1", true)] {
        let done = hosts.run(&format!("{} -c 2", line(near)));
        assert_eq!(done.status, i32::from(!served), "{near}: {}", done.stderr);
        let refused = done.stderr.contains("Accept 4");
        assert_eq!(refused, !served, "{near}: {}", done.stderr);
    }
    running.signal(&["INT"]);
    assert_eq!(running.finish().status, 0);
    let last: serde_json::Value = serde_json::from_str(&server.stop("INT").stdout).unwrap();
    assert_eq!(last["connections"]["refused_client_limit"], 2, "{last}");
}

#[test]
fn the_addresses_of_one_64_share_one_rate_over_all_threads() {
    let Some(hosts) = Hosts::new() else { return };
    for host in 11..=18 {
        let address = format!("fd98::{host}:1");
        ip(&format!(
            "-n {} addr add {address}/64 dev v0 nodad",
            hosts.near
        ))
        .unwrap();
    }
    let responder = hosts.responder("[fd98::2]:862 --threads 4 --max-rate 10 --json");
    // Until the hosts are neighbours.
    let warm = |_: &u32| {
        let line = "sender [fd98::2]:862 [fd98::1]:0 -c 1 --timeout 1 --json";
        hosts.run(line).session()["packets"]["received"] == 1
    };
    assert!((0..20).find(warm).is_some(), "no neighbour");
    let start = std::time::Instant::now();
    let senders: Vec<Running> = (11..=18)
        .map(|host| {
            let line =
                format!("sender [fd98::2]:862 [fd98::{host}:1]:0 -c 40 -i 1 --timeout 0.3 --json");
            Running::spawn(Hosts::on(&hosts.near, &twinpath(&line)))
        })
        .collect();
    let received = senders.into_iter().map(|sender| {
        let session = sender.finish().session();
        session["packets"]["received"].as_u64().unwrap()
    });
    let received: u64 = received.sum();
    // A burst of one second's worth, and what each second adds. Each of them alone has the burst.
    let most = 10 + 10 * (start.elapsed().as_secs() + 1);
    let last: serde_json::Value = serde_json::from_str(&responder.stop("INT").stdout).unwrap();
    // But for those that came too late to a sender on a busy host, and the first one.
    let reflected = last["reflected"].as_u64().unwrap() - 1;
    assert!((1..=most).contains(&reflected), "{reflected} of {most}");
    assert!(received <= reflected, "{received}: {last}");
}
