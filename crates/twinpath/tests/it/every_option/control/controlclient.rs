//! `twinpath controlclient`.

use super::every_option;

every_option! { "controlclient":
    mode keys insecure_key_file key_id max_pbkdf2_count receiver_port strict control_dscp duration
    timeout padding dscp interface ipv4 ipv6 output json verbose quiet debug logfile
}

mod rows {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use super::super::segments::Segments;
    use crate::hosts::Hosts;
    use crate::program::{Done, Responder, finish, run, taken_port, twinpath};
    use crate::secured::{keys as key_file, secured_server};

    /// Runs it for a sender at port 20123 of loopback.
    fn agree(server: &Responder, options: &str) -> Done {
        run(&line(server, options))
    }

    fn line(server: &Responder, options: &str) -> String {
        format!(
            "controlclient 127.0.0.1:20123 {} --duration 0.2 {options}",
            server.at
        )
    }

    /// What it printed at its end, as JSON.
    fn document(server: &Responder, options: &str) -> Value {
        let done = agree(server, &format!("--json {options}"));
        assert_eq!(done.status, 0, "{options}: {}", done.stderr);
        let last = done.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(&done.stdout)
            .or_else(|_| serde_json::from_str(last))
            .unwrap_or_else(|error| panic!("{error}: {}", done.stdout))
    }

    pub(super) fn mode() {
        let held = key_file("alice secret\n");
        let server = secured_server(&held, "--mode unauthenticated,mixed");
        let file = held.path().display();
        let modes = |options: &str| document(&server, options)["modes"].as_u64().unwrap() & 15;
        assert_eq!(modes("--mode unauthenticated"), 1);
        assert_eq!(modes(&format!("--keys {file} --mode mixed")), 8);
        // The sender elsewhere has no keys for it.
        let done = agree(&server, &format!("--keys {file} --mode encrypted"));
        assert_eq!(done.status, 2, "{}", done.stdout);
    }

    pub(super) fn keys() {
        let held = key_file("alice secret\n");
        let others = key_file("alice another\n");
        let server = secured_server(&held, "--mode mixed");
        assert_eq!(
            agree(&server, &format!("--keys {}", held.path().display())).status,
            0
        );
        assert_eq!(
            agree(&server, &format!("--keys {}", others.path().display())).status,
            1
        );
    }

    pub(super) fn insecure_key_file() {
        let held = key_file("alice secret\n");
        let server = secured_server(&held, "--mode mixed");
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(held.path(), readable).unwrap();
        let keys = format!("--keys {}", held.path().display());
        assert_ne!(agree(&server, &keys).status, 0);
        assert_eq!(
            agree(&server, &format!("{keys} --insecure-key-file")).status,
            0
        );
    }

    pub(super) fn key_id() {
        let held = key_file("alice secret\nbob other\n");
        let server_keys = key_file("bob other\n");
        let server = secured_server(&server_keys, "--mode mixed");
        let keys = format!("--keys {}", held.path().display());
        assert_eq!(agree(&server, &format!("{keys} --key-id bob")).status, 0);
        assert_eq!(agree(&server, &format!("{keys} --key-id alice")).status, 1);
    }

    pub(super) fn max_pbkdf2_count() {
        let held = key_file("alice secret\n");
        let server = secured_server(&held, "--mode mixed --pbkdf2-count 8192");
        let keys = format!("--keys {}", held.path().display());
        assert_eq!(
            agree(&server, &format!("{keys} --max-pbkdf2-count 4096")).status,
            1
        );
        assert_eq!(
            agree(&server, &format!("{keys} --max-pbkdf2-count 8192")).status,
            0
        );
    }

    /// Where the sender is to send to.
    fn reflector_port(document: &Value) -> u16 {
        let at = document["reflector"]
            .as_str()
            .unwrap_or_else(|| panic!("{document}"));
        at.rsplit(':').next().unwrap().parse().unwrap()
    }

    pub(super) fn receiver_port() {
        let server = Responder::server("--allow-any-port");
        let (held, port) = taken_port();
        drop(held);
        let document = document(&server, &format!("--receiver-port {port}"));
        assert_eq!(reflector_port(&document), port);
    }

    pub(super) fn strict() {
        let server = Responder::server("");
        let (_held, port) = taken_port();
        let wish = format!("--receiver-port {port}");
        assert_eq!(agree(&server, &wish).status, 0);
        assert_eq!(agree(&server, &format!("{wish} --strict")).status, 1);
    }

    pub(super) fn control_dscp() {
        let Some(mut segments) = Segments::open() else {
            return;
        };
        let server = Responder::server("");
        document(&server, "--control-dscp cs6");
        // A Request-TW-Session.
        let asked = segments
            .wait_for(|segment| segment.to == server.at.port() && segment.payload.len() == 112);
        assert_eq!(asked.tos, 48 << 2);
    }

    pub(super) fn duration() {
        let server = Responder::server("");
        let before = Instant::now();
        let done = run(&format!(
            "controlclient 127.0.0.1:20123 {} --duration 1",
            server.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(before.elapsed() >= Duration::from_secs(1));
        assert!(
            before.elapsed() < Duration::from_mins(2),
            "it does not end by itself"
        );
    }

    /// The message that asks for the session, as the server got it.
    fn requested(options: &str) -> Option<Vec<u8>> {
        let mut segments = Segments::open()?;
        let server = Responder::server("");
        document(&server, options);
        let port = server.at.port();
        let request =
            segments.wait_for(|segment| segment.to == port && segment.payload.len() == 112);
        Some(request.payload)
    }

    pub(super) fn timeout() {
        let Some(request) = requested("--timeout 7") else {
            return;
        };
        assert_eq!(request[76..80], 7_u32.to_be_bytes());
    }

    pub(super) fn padding() {
        let Some(request) = requested("--padding 321") else {
            return;
        };
        assert_eq!(request[64..68], 321_u32.to_be_bytes());
    }

    pub(super) fn dscp() {
        let Some(request) = requested("--dscp ef") else {
            return;
        };
        // Behind two zero bits (RFC 4656 section 3.5).
        assert_eq!(request[84..88], [46, 0, 0, 0]);
    }

    pub(super) fn interface() {
        let Some(hosts) = Hosts::new() else { return };
        let _server = hosts.listener("server :862");
        for (interface, status) in [("lo", 1), ("v0", 0)] {
            let line =
                format!("controlclient 10.98.0.1 10.98.0.2 --duration 0.2 --interface {interface}");
            let done = hosts.run(&line);
            assert_eq!(done.status, status, "{interface}: {}", done.stderr);
        }
    }

    /// A server of both families by its name.
    fn by_name(family: &str) -> Done {
        let server = Responder::spawn(twinpath("server :0"));
        let port = server.at.port();
        run(&format!(
            "controlclient localhost localhost:{port} --duration 0.2 --json {family}"
        ))
    }

    pub(super) fn ipv4() {
        let done = by_name("-4");
        assert!(
            done.stdout.contains("127.0.0.1"),
            "{}{}",
            done.stdout,
            done.stderr
        );
        assert!(!done.stdout.contains("::1"), "{}", done.stdout);
    }

    pub(super) fn ipv6() {
        let server = Responder::server("");
        let done = run(&format!(
            "controlclient 127.0.0.1 {} --duration 0.2 -6",
            server.at
        ));
        assert_eq!(done.status, 2, "{}{}", done.stdout, done.stderr);
    }

    pub(super) fn output() {
        let server = Responder::server("");
        let json = agree(&server, "--output json").stdout;
        assert!(json.contains("\"schema\""), "{json}");
        let text = agree(&server, "--output text").stdout;
        assert!(!text.contains("\"schema\"") && !text.is_empty(), "{text}");
    }

    pub(super) fn json() {
        let server = Responder::server("");
        assert!(agree(&server, "--json").stdout.contains("\"schema\""));
    }

    pub(super) fn verbose() {
        let server = Responder::server("");
        let lines = |options: &str| {
            let done = agree(&server, options);
            (done.stdout + &done.stderr).lines().count()
        };
        // Greeting, Server-Start, Accept-Session and what was said to them.
        assert!(lines("-v") >= lines("") + 4);
    }

    pub(super) fn quiet() {
        let remarks = |options: &str| {
            let done = run(&format!("controlclient ::1:862 [::1]:9 {options}"));
            done.stderr.matches("note: ").count()
        };
        assert_eq!((remarks(""), remarks("--quiet")), (1, 0));
    }

    pub(super) fn debug() {
        let server = Responder::server("");
        assert!(agree(&server, "--debug").stderr.contains("DEBUG"));
    }

    pub(super) fn logfile() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        let server = Responder::server("");
        let done = finish(twinpath(&line(
            &server,
            &format!("--debug -l {}", file.display()),
        )));
        assert!(!done.stderr.contains("DEBUG"), "{}", done.stderr);
        assert!(std::fs::read_to_string(file).unwrap().contains("DEBUG"));
    }
}
