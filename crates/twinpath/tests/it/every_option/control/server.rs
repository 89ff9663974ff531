//! `twinpath server`.

use super::every_option;

every_option! { "server":
    mode keys insecure_key_file pbkdf2_count servwait refwait max_connections
    max_connections_per_client allow control_dscp strict test_ports allow_any_port max_sessions
    max_open_sessions max_sessions_per_client max_rate allow_sender limits metrics otlp otlp_interval control_socket nat server_octets threads ttl
    do_not_fragment interface ipv4 ipv6 timestamps portable raw_t3 output json verbose quiet debug
    logfile log_format sandbox
}

mod rows {
    mod said;

    use std::io::Read as _;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use super::super::client::{Client, Request, is_answered, packet, sender, session};
    use super::super::segments::Segments;
    use crate::every_option::Tap;
    use crate::hosts::Hosts;
    use crate::program::{Responder, free_port, run, twinpath};
    use crate::secured::{ANY, keys as key_file, secured_server};

    pub(super) use said::{
        debug, json, log_format, logfile, metrics, otlp, otlp_interval, output, quiet, verbose,
    };

    const UNAUTHENTICATED: u32 = 1;
    const SECURITY: u32 = 15;

    fn last(server: Responder) -> Value {
        serde_json::from_str(&server.stop("TERM").stdout).unwrap()
    }

    /// The session of a controller that measures with the server.
    fn measured(server: &Responder, options: &str) -> Value {
        let done = run(&format!(
            "controller {} {ANY} -c 3 -i 5 --json {options}",
            server.at
        ));
        assert_eq!(done.status, 0, "{options}: {}", done.stderr);
        done.session()
    }

    pub(super) fn mode() {
        let held = key_file("alice secret\n");
        let offered = |options: &str| {
            let server = secured_server(&held, options);
            Client::connect(server.at).modes() & SECURITY
        };
        assert_eq!(offered(""), 2 | 4 | 8);
        assert_eq!(offered("--mode unauthenticated,mixed"), UNAUTHENTICATED | 8);
    }

    pub(super) fn keys() {
        let held = key_file("alice secret\n");
        let file = held.path().display();
        let server = secured_server(&held, "");
        let session = measured(&server, &format!("--keys {file}"));
        assert_eq!(session["mode"], "encrypted");
        let others = key_file("alice another\n");
        let done = run(&format!(
            "controller {} --keys {} -c 1",
            server.at,
            others.path().display()
        ));
        assert_eq!(done.status, 1, "{}", done.stdout);
    }

    pub(super) fn insecure_key_file() {
        let held = key_file("alice secret\n");
        let file = held.path();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let done = run(&format!("server {ANY} --keys {}", file.display()));
        assert_ne!(done.status, 0, "{}", done.stdout);
        secured_server(&held, "--insecure-key-file");
    }

    pub(super) fn pbkdf2_count() {
        let held = key_file("alice secret\n");
        let count = |options: &str| Client::connect(secured_server(&held, options).at).count();
        assert_eq!(count(""), 16_384);
        assert_eq!(count("--pbkdf2-count 2048"), 2_048);
    }

    pub(super) fn servwait() {
        let server = Responder::server("--servwait 2");
        assert!(Client::ready(server.at).is_closed());
    }

    pub(super) fn refwait() {
        let expired = |options: &str| {
            let server = Responder::server(&format!("--json {options}"));
            let line = format!("controlclient 127.0.0.1:20123 {} --duration 2", server.at);
            assert!(run(&line).status <= 1);
            last(server)["sessions"]["expired"].as_u64().unwrap()
        };
        assert_eq!(expired("--refwait 0.2"), 1);
        assert_eq!(expired(""), 0);
    }

    pub(super) fn max_connections() {
        for (options, accept) in [("--max-connections 1", 5), ("", 0)] {
            let server = Responder::server(options);
            let _held = Client::ready(server.at);
            assert_eq!(
                Client::connect(server.at).set_up(UNAUTHENTICATED),
                accept,
                "{options}"
            );
        }
    }

    pub(super) fn max_connections_per_client() {
        let server = Responder::server("--max-connections-per-client 1");
        let _held = Client::ready(server.at);
        assert_eq!(Client::connect(server.at).set_up(UNAUTHENTICATED), 4);
    }

    pub(super) fn allow() {
        let server = Responder::server("--allow 192.0.2.0/24");
        assert_ne!(Client::connect(server.at).set_up(UNAUTHENTICATED), 0);
        let server = Responder::server("--allow 192.0.2.0/24 --allow 127.0.0.0/8");
        Client::ready(server.at);
    }

    pub(super) fn limits() {
        let file = key_file("allow 192.0.2.0/24\n");
        let server = Responder::server(&format!("--limits {}", file.path().display()));
        assert_ne!(Client::connect(server.at).set_up(UNAUTHENTICATED), 0);
    }

    pub(super) fn control_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let mut server = Responder::server(&format!("-d --control-socket {}", path.display()));
        server.wait_for("control socket");
        let mut told = String::new();
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        stream.read_to_string(&mut told).unwrap();
        assert!(told.contains("\"command\": \"server\""), "{told}");
        drop(server);
        let silent = Responder::server("-d --control-socket none").stop("TERM");
        assert!(
            !silent.stderr.contains("control socket"),
            "{}",
            silent.stderr
        );
    }

    /// What each part does: [`crate::sandbox`].
    pub(super) fn sandbox() {
        let filters = |server: &Responder| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", server.process()));
            let status = status.unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("Seccomp:"));
            line.unwrap().trim().to_owned()
        };
        assert_eq!(filters(&Responder::server("")), "2");
        assert_eq!(filters(&Responder::server("--sandbox none")), "0");
    }

    pub(super) fn control_dscp() {
        let server = Responder::server("--control-dscp cs6");
        let Some(mut segments) = Segments::open(server.at.port()) else {
            return;
        };
        Client::ready(server.at);
        let greeting = segments
            .wait_for(|segment| segment.from == server.at.port() && segment.payload.len() == 64);
        assert_eq!(greeting.tos, 48 << 2);
    }

    pub(super) fn strict() {
        for (options, answered) in [("--strict", false), ("", true)] {
            let server = Responder::server(options);
            let mut client = Client::ready(server.at);
            let (socket, to) = session(&mut client, |request| request);
            // An Error Estimate with a Multiplier of 0.
            assert_eq!(
                is_answered(&socket, to, &packet(0, 0x8000)),
                answered,
                "{options}"
            );
            assert!(is_answered(&socket, to, &packet(1, 0x8001)));
            client.stop(0);
            if answered {
                assert!(client.is_served(Request::of(&sender())));
            } else {
                assert!(client.is_closed());
            }
        }
    }

    pub(super) fn test_ports() {
        let port = free_port();
        let server = Responder::server(&format!("--test-ports {port}-{port}"));
        let session = measured(&server, "");
        assert_eq!(session["reflector"], format!("127.0.0.1:{port}"));
    }

    pub(super) fn allow_any_port() {
        for (options, granted) in [("--allow-any-port", true), ("", false)] {
            let server = Responder::server(options);
            let wished = free_port();
            let mut client = Client::ready(server.at);
            let socket = sender();
            let accepted = client.request(Request {
                receiver_port: wished,
                ..Request::of(&socket)
            });
            assert_eq!(accepted.accept, 0);
            assert_eq!(accepted.port == wished, granted, "{options}: {accepted:?}");
        }
    }

    /// How many of so many sessions of one connection are accepted, and the Accept of the next.
    fn accepted(server: &Responder, most: usize) -> (usize, u8) {
        let mut client = Client::ready(server.at);
        let sockets: Vec<UdpSocket> = (0..=most).map(|_| sender()).collect();
        for (count, socket) in sockets.iter().enumerate() {
            let accept = client.request(Request::of(socket)).accept;
            if accept != 0 {
                return (count, accept);
            }
        }
        (most + 1, 0)
    }

    pub(super) fn max_sessions() {
        assert_eq!(accepted(&Responder::server("--max-sessions 2"), 2), (2, 5));
        assert_eq!(accepted(&Responder::server(""), 2), (3, 0));
        // Not only those of clients without a key, who could have more here.
        let held = key_file("alice secret\n");
        let both = "--mode unauthenticated,encrypted --max-open-sessions 3 --max-sessions 2";
        assert_eq!(accepted(&secured_server(&held, both), 2), (2, 5));
    }

    pub(super) fn max_open_sessions() {
        let held = key_file("alice secret\n");
        let both = "--mode unauthenticated,encrypted";
        let server = secured_server(&held, &format!("{both} --max-open-sessions 1"));
        assert_eq!(accepted(&server, 2), (1, 5));
        assert_eq!(accepted(&secured_server(&held, both), 2), (3, 0));
    }

    pub(super) fn max_sessions_per_client() {
        let server = Responder::server("--max-sessions-per-client 2");
        assert_eq!(accepted(&server, 2), (2, 4));
    }

    pub(super) fn max_rate() {
        for (options, all) in [("--max-rate 2", false), ("", true)] {
            let server = Responder::server(options);
            let line = format!(
                "controller {} {ANY} -c 40 -i 1 --timeout 3 --json",
                server.at
            );
            let received = run(&line).session()["packets"]["received"]
                .as_u64()
                .unwrap();
            assert_eq!(received == 40, all, "{options}: {received}");
            assert!(received > 0);
        }
    }

    pub(super) fn allow_sender() {
        let accept = |options: &str| {
            let server = Responder::server(options);
            let socket = sender();
            let mut client = Client::ready(server.at);
            let foreign = Request {
                sender: Ipv4Addr::new(127, 0, 0, 9),
                ..Request::of(&socket)
            };
            client.request(foreign).accept
        };
        assert_eq!(accept("--allow-sender 127.0.0.9/32"), 0);
        assert_eq!(accept(""), 3);
    }

    pub(super) fn nat() {
        for (options, answered) in [("--nat", true), ("", false)] {
            let server = Responder::server(options);
            let mut client = Client::ready(server.at);
            let (_, to) = session(&mut client, |request| request);
            let translated = sender();
            let answer = is_answered(&translated, to, &packet(0, 0x8001));
            assert_eq!(answer, answered, "{options}");
        }
    }

    pub(super) fn server_octets() {
        for (options, given) in [("--server-octets", true), ("", false)] {
            let server = Responder::server(options);
            let mut client = Client::connect(server.at);
            assert_eq!(client.set_up(UNAUTHENTICATED | 32), 0);
            let socket = sender();
            let accepted = client.request(Request {
                padding: 64,
                padding_to_reflect: 16,
                ..Request::of(&socket)
            });
            assert_eq!(accepted.accept, 0);
            assert_eq!(accepted.server_octets != 0, given, "{options}");
        }
    }

    pub(super) fn threads() {
        for (options, reflectors) in [("--threads 3", 3), ("", 1)] {
            let server = Responder::server(options);
            // A thread names itself once it runs.
            let until = Instant::now() + Duration::from_secs(20);
            while server.threads("reflector") < reflectors {
                assert!(Instant::now() < until, "{options}");
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(server.threads("reflector"), reflectors, "{options}");
        }
    }

    pub(super) fn ttl() {
        let server = Responder::server("--ttl 9");
        assert_eq!(measured(&server, "")["ttl_backward"]["max"], 9);
    }

    pub(super) fn do_not_fragment() {
        for (options, df) in [("--do-not-fragment", true), ("", false)] {
            let server = Responder::server(options);
            let mut client = Client::ready(server.at);
            let (socket, to) = session(&mut client, |request| request);
            let port = socket.local_addr().unwrap().port();
            let Some(tap) = Tap::open(Ipv4Addr::LOCALHOST, port) else {
                return;
            };
            assert!(is_answered(&socket, to, &packet(0, 0x8001)));
            let replies = tap.finish();
            assert!(!replies.is_empty());
            let marked = replies.iter().all(|reply| reply.dont_fragment == df);
            assert!(marked, "{options}: {replies:?}");
        }
    }

    pub(super) fn interface() {
        let Some(hosts) = Hosts::new() else { return };
        for (interface, status) in [("lo", 1), ("v1", 0)] {
            let _server = hosts.listener(&format!("server :862 --interface {interface}"));
            let done = hosts.run("controller 10.98.0.2 -c 2 -i 5 --json");
            assert_eq!(done.status, status, "{interface}: {}", done.stderr);
        }
    }

    pub(super) fn ipv4() {
        let server = Responder::spawn(twinpath("server :0 -4"));
        assert_eq!(server.at.ip(), Ipv4Addr::UNSPECIFIED);
        let port = server.at.port();
        let done = run(&format!("controller [::1]:{port} -c 1"));
        assert_eq!(done.status, 1, "{}", done.stdout);
    }

    pub(super) fn ipv6() {
        let server = Responder::spawn(twinpath("server :0 -6"));
        assert!(server.at.is_ipv6());
        let port = server.at.port();
        let done = run(&format!("controller 127.0.0.1:{port} -c 1"));
        assert_eq!(done.status, 1, "{}", done.stdout);
    }

    pub(super) fn timestamps() {
        let server = Responder::server("--timestamps user --json");
        measured(&server, "");
        assert_eq!(last(server)["timestamps"]["receive"], "user");
        let server = Responder::server("--json");
        measured(&server, "");
        assert_ne!(last(server)["timestamps"]["receive"], "user");
    }

    pub(super) fn portable() {
        let server = Responder::server("--portable --json");
        // Plain sockets do not tell a packet's TTL: the reply says 255 (row TT-15).
        let session = measured(&server, "--ttl 77");
        assert_eq!(session["ttl_forward"]["min"], 255, "{session}");
        assert_eq!(last(server)["timestamps"]["receive"], "user");
        let server = Responder::server("");
        assert_eq!(measured(&server, "--ttl 77")["ttl_forward"]["min"], 77);
    }

    pub(super) fn raw_t3() {
        let Some(hosts) = Hosts::new() else { return };
        for (options, advanced) in [("--raw-t3", false), ("", true)] {
            let server = hosts.listener(&format!("server :862 --json {options}"));
            let done = hosts.run("controller 10.98.0.2 -c 400 -i 2 --json");
            assert_eq!(done.status, 0, "{}", done.stderr);
            let last = last(server);
            assert_eq!(
                last["timestamps"]["t3_advance_ns"].is_u64(),
                advanced,
                "{options}: {last}"
            );
        }
    }
}
